# Third-party libraries, found once. All are Debian packages (tools/packages.txt).
if(PLUMB_WATCH)
  add_library(OpenMP::OpenMP_CXX INTERFACE IMPORTED)  # that of g++, whose objects are taken over
  target_link_libraries(OpenMP::OpenMP_CXX INTERFACE gomp)
else()
  find_package(OpenMP REQUIRED)
endif()
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(tomlplusplus REQUIRED)  # its headers alone: lab/config/toml.cpp says why
find_package(PkgConfig REQUIRED)
pkg_check_modules(SLEEF REQUIRED IMPORTED_TARGET sleef)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(SENTENCEPIECE REQUIRED IMPORTED_TARGET sentencepiece)
find_path(EIGEN3_INCLUDE_DIR Eigen/Core PATH_SUFFIXES eigen3 REQUIRED)
find_path(BOOST_INCLUDE_DIR boost/math/distributions/students_t.hpp REQUIRED)  # headers in /usr/include

# HDF5: the file for pkg-config is named after the flavour.
pkg_search_module(HDF5 REQUIRED IMPORTED_TARGET hdf5-serial hdf5)

# oneDNN without its own CMake package: Debian's insists on the headers of OpenCL, which Plumb does not use.
find_path(DNNL_INCLUDE_DIR oneapi/dnnl/dnnl.h REQUIRED)
find_library(DNNL_LIBRARY dnnl REQUIRED)
file(STRINGS ${DNNL_INCLUDE_DIR}/oneapi/dnnl/dnnl_version.h dnnl_VERSION REGEX "DNNL_VERSION_(MAJOR|MINOR|PATCH) +[0-9]+")
list(TRANSFORM dnnl_VERSION REPLACE "[^0-9]+" "")
list(JOIN dnnl_VERSION "." dnnl_VERSION)
add_library(DNNL::dnnl UNKNOWN IMPORTED)
set_target_properties(DNNL::dnnl PROPERTIES IMPORTED_LOCATION ${DNNL_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${DNNL_INCLUDE_DIR})
