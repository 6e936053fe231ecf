# Run at every build (cmake -P): writes build_info.cpp, and touches it only when something in it changed.
set(PLUMB_COMMIT unknown)
set(PLUMB_MODIFIED false)
find_program(GIT git)
if(GIT AND EXISTS ${SOURCE_DIR}/.git)
  execute_process(COMMAND ${GIT} rev-parse HEAD WORKING_DIRECTORY ${SOURCE_DIR}
    OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE status)
  if(status EQUAL 0)
    set(PLUMB_COMMIT ${commit})
    execute_process(COMMAND ${GIT} status --porcelain --untracked-files=no WORKING_DIRECTORY ${SOURCE_DIR}
      OUTPUT_VARIABLE changes ERROR_QUIET)
    if(changes)
      set(PLUMB_MODIFIED true)
    endif()
  endif()
endif()
configure_file(${SOURCE_DIR}/core/build_info.cpp.in ${OUTPUT} @ONLY)
