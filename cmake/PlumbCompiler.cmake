# Language level, warnings and the floating-point rules on which the promise of equal bits rests.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_CXX_VISIBILITY_PRESET default)
set(CMAKE_LINK_DEPENDS_NO_SHARED ON)   # a changed libplumb.so relinks nothing that uses it
set(CMAKE_BUILD_RPATH_USE_ORIGIN ON)   # build/ may be moved: plumb finds libplumb.so beside itself
set(PLUMB_OPTIMISATION -O2)            # asserts stay on: they guard invariants and cost nothing measurable
set(PLUMB_KERNEL_OPTIMISATION -O3)     # core/cpu/isa
set(PLUMB_WARNINGS -Wall -Wextra -Werror -Wno-restrict)  # g++ 12 reports overlap in std::string concatenations (bug 105651)
set(PLUMB_FLOAT_FLAGS -ffp-contract=off -fno-math-errno)  # a fused multiply-add is written where it is meant, never invented

if(PLUMB_SANITIZE)
  # ISA kernels included: a read past the end in a vector loop is the likeliest error of all.
  set(PLUMB_OPTIMISATION -O1)
  set(PLUMB_KERNEL_OPTIMISATION -O2)
  set(PLUMB_WARNINGS -Wall -Wextra -Wno-restrict)    # g++ warns falsely of uninitialised values in instrumented code
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -g1)
  add_compile_definitions(_GLIBCXX_ASSERTIONS)
  add_link_options(-fsanitize=address,undefined)
elseif(PLUMB_WATCH)
  set(PLUMB_OPTIMISATION -O1)
  set(PLUMB_KERNEL_OPTIMISATION -O1)
  set(PLUMB_WARNINGS -Wall -Wextra)  # those of g++ in the finished build are the rule
endif()
set(CMAKE_CXX_FLAGS_RELEASE ${PLUMB_OPTIMISATION})
# Paths in messages and in debug information are relative, so that two checkouts build the same bytes.
add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=;-ffile-prefix-map=../=>")

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Hits across checkouts, and with precompiled headers.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
    CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE})
endif()

# Options of our own sources; those who use the installed library take over only what decides bits.
add_library(plumb_flags INTERFACE)
target_compile_features(plumb_flags INTERFACE cxx_std_20)
target_compile_options(plumb_flags INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:${PLUMB_FLOAT_FLAGS}>"
  "$<BUILD_INTERFACE:$<$<COMPILE_LANGUAGE:CXX>:${PLUMB_WARNINGS}>>")
target_include_directories(plumb_flags INTERFACE
  $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}> $<INSTALL_INTERFACE:include/plumb>)
