# build_info.cpp: the commit, the compiler, the flags and the libraries, for core/build_info.h.
set(PLUMB_BUILD_INFO ${CMAKE_BINARY_DIR}/generated/build_info.cpp)
set(build_type ${CMAKE_BUILD_TYPE})
if(PLUMB_SANITIZE)
  string(APPEND build_type ", sanitizers")
endif()
set(libraries)
foreach(library "oneDNN;${dnnl_VERSION}" "SLEEF;${SLEEF_VERSION}" "HDF5;${HDF5_VERSION}" "xxHash;${XXHASH_VERSION}"
                "SentencePiece;${SENTENCEPIECE_VERSION}" "fmt;${fmt_VERSION}" "toml++;${tomlplusplus_VERSION}")
  list(GET library 0 name)
  list(GET library 1 version)
  list(APPEND libraries "{\"${name}\", \"${version}\"}")
endforeach()
list(JOIN libraries ", " libraries)

list(JOIN PLUMB_FLOAT_FLAGS " " float_flags)

add_custom_target(plumb_build_info BYPRODUCTS ${PLUMB_BUILD_INFO} COMMENT "" VERBATIM
  COMMAND ${CMAKE_COMMAND} -DSOURCE_DIR=${CMAKE_SOURCE_DIR} -DOUTPUT=${PLUMB_BUILD_INFO}
    -DPLUMB_VERSION=${PROJECT_VERSION}
    "-DPLUMB_COMPILER=${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}"
    "-DPLUMB_BUILD_FLAGS=${PLUMB_OPTIMISATION} ${float_flags}"
    "-DPLUMB_BUILD_TYPE=${build_type}" "-DPLUMB_LIBRARIES=${libraries}"
    -P ${CMAKE_SOURCE_DIR}/cmake/BuildInfo.cmake)
