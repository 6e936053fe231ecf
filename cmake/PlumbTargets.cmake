# libplumb, and the command line on top of it.
set(PLUMB_FLOORS core autograd nn optim models alignment lab)
set(PLUMB_SOURCES)
foreach(floor ${PLUMB_FLOORS})
  file(GLOB_RECURSE found CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${floor}/*.cpp)
  list(APPEND PLUMB_SOURCES ${found})
endforeach()
list(FILTER PLUMB_SOURCES EXCLUDE REGEX "core/cpu/isa/|core/cuda/|lab/cli/main.cpp|lab/main.cpp|lab/operator_new.cpp")
if(PLUMB_WATCH)
  include(PlumbWatch)
endif()

include(PlumbBuildInfo)
add_library(plumb SHARED ${PLUMB_SOURCES} ${PLUMB_ISA_OBJECTS} ${PLUMB_BUILD_INFO})
set_target_properties(plumb PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION 0)
target_link_libraries(plumb PUBLIC plumb_flags fmt::fmt
  PRIVATE OpenMP::OpenMP_CXX DNNL::dnnl PkgConfig::SLEEF PkgConfig::XXHASH PkgConfig::SENTENCEPIECE PkgConfig::HDF5
          spdlog::spdlog ${CMAKE_DL_LIBS})
target_include_directories(plumb SYSTEM PRIVATE ${EIGEN3_INCLUDE_DIR})

add_executable(plumb_cli lab/main.cpp lab/operator_new.cpp)
set_target_properties(plumb_cli PROPERTIES OUTPUT_NAME plumb)
target_link_libraries(plumb_cli PRIVATE plumb)
