# A page of the docs that plumb writes is what plumb would write now:
#   cmake -DPLUMB=build/plumb -DWORDS="config --markdown" -DPAGE=docs/config.md -P tests/tools/same_page.cmake
separate_arguments(words UNIX_COMMAND "${WORDS}")
execute_process(COMMAND ${PLUMB} ${words} OUTPUT_VARIABLE now COMMAND_ERROR_IS_FATAL ANY)
set(before "")
if(EXISTS ${PAGE})
  file(READ ${PAGE} before)
endif()
if(NOT now STREQUAL before)
  message(FATAL_ERROR "${PAGE} is not what this build of plumb writes. To bring it to date:\n"
    "  ${PLUMB} ${WORDS} > ${PAGE}\n")
endif()
