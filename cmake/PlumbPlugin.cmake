# plumb_add_objective(NAME SOURCE...): a plugin libNAME.so, used as `plumb --plugin libNAME.so`.
function(plumb_add_objective name)
  add_library(${name} MODULE ${ARGN})
  target_link_libraries(${name} PRIVATE plumb::plumb)
endfunction()
