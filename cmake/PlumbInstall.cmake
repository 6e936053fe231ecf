# What `cmake --install` puts where: bin/plumb, lib/libplumb.so, include/plumb/, and the package for find_package(plumb).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/plumb)
set_target_properties(plumb_cli PROPERTIES INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")

install(TARGETS plumb plumb_flags EXPORT plumb_targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS plumb_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
foreach(floor ${PLUMB_FLOORS})
  if(IS_DIRECTORY ${CMAKE_SOURCE_DIR}/${floor})
    install(DIRECTORY ${floor} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/plumb FILES_MATCHING PATTERN "*.h"
      PATTERN "core/cpu" EXCLUDE PATTERN "core/cuda" EXCLUDE)
  endif()
endforeach()
install(FILES ${CMAKE_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

install(EXPORT plumb_targets NAMESPACE plumb:: FILE plumbTargets.cmake DESTINATION ${package_folder})
configure_package_config_file(cmake/plumbConfig.cmake.in ${CMAKE_BINARY_DIR}/generated/plumbConfig.cmake
  INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/generated/plumbConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/generated/plumbConfig.cmake ${CMAKE_BINARY_DIR}/generated/plumbConfigVersion.cmake
  cmake/PlumbPlugin.cmake DESTINATION ${package_folder})
