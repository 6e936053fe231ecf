# The CUDA backend: libplumb_cuda.so, which libplumb opens on first use. Without nvcc the build goes on without it.
include(CheckLanguage)
if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES 80 90)
endif()
check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
  message(STATUS "CUDA: no nvcc, so no CUDA backend (set CMAKE_CUDA_COMPILER or PATH to build it)")
  return()
endif()
enable_language(CUDA)
find_package(CUDAToolkit REQUIRED)
if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)  # CMake 3.25 knows no C++20 for nvcc 13
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
endif()
message(STATUS "CUDA: ${CMAKE_CUDA_COMPILER_VERSION}, for sm_${CMAKE_CUDA_ARCHITECTURES}")

file(GLOB PLUMB_CUDA_SOURCES CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/core/cuda/*.cu)
# fma only where it is written.
add_library(plumb_cuda SHARED ${PLUMB_CUDA_SOURCES})
target_compile_options(plumb_cuda PRIVATE --fmad=false --expt-relaxed-constexpr --Werror all-warnings
  -Xcompiler=-Wall,-Wextra,-Werror,-ffp-contract=off)
# fmt 9 switches constexpr off for nvcc, and nvcc then refuses its consteval format strings.
target_compile_definitions(plumb_cuda PRIVATE FMT_USE_CONSTEXPR=1 FMT_CONSTEVAL=)
target_link_libraries(plumb_cuda PRIVATE plumb CUDA::cublas)
set_target_properties(plumb_cuda PROPERTIES LIBRARY_OUTPUT_DIRECTORY $<TARGET_FILE_DIR:plumb> INSTALL_RPATH "$ORIGIN")
install(TARGETS plumb_cuda LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
