# Language level, warnings and the floating-point rules on which the promise of equal bits rests.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_CXX_VISIBILITY_PRESET default)
set(CMAKE_CXX_FLAGS_RELEASE "-O2")  # asserts stay on: they guard invariants and cost nothing measurable

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

add_library(plumb_flags INTERFACE)
target_compile_options(plumb_flags INTERFACE
  -Wall -Wextra -Werror
  -ffp-contract=off      # a fused multiply-add is written where it is meant, never invented
  -fno-math-errno)
target_include_directories(plumb_flags INTERFACE
  $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}> $<INSTALL_INTERFACE:include/plumb>)

if(PLUMB_SANITIZE)
  # ISA kernels included: a read past the end in a vector loop is the likeliest error of all.
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -g1)
  add_link_options(-fsanitize=address,undefined)
endif()
