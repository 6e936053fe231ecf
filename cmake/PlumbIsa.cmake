# core/cpu/isa/*.cpp is compiled once for each instruction set, each time inside its own namespace (PLUMB_ISA_NS).
# These files include nothing but core/cpu/isa/*.h and C headers: an inline function of the standard library compiled
# for AVX-512 could otherwise be the copy that the linker keeps for everybody.
file(GLOB PLUMB_ISA_SOURCES CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/core/cpu/isa/*.cpp)
set(PLUMB_ISA_OBJECTS)
function(plumb_isa name)
  add_library(plumb_isa_${name} OBJECT ${PLUMB_ISA_SOURCES})
  target_compile_definitions(plumb_isa_${name} PRIVATE PLUMB_ISA_NS=${name} PLUMB_ISA_${name}=1)
  target_compile_options(plumb_isa_${name} PRIVATE ${PLUMB_KERNEL_OPTIMISATION} ${ARGN})
  target_link_libraries(plumb_isa_${name} PRIVATE plumb_flags)
  target_include_directories(plumb_isa_${name} PRIVATE ${SLEEF_INCLUDE_DIRS})
  set(PLUMB_ISA_OBJECTS ${PLUMB_ISA_OBJECTS} $<TARGET_OBJECTS:plumb_isa_${name}> PARENT_SCOPE)
endfunction()
if(PLUMB_ISA_SOURCES)
  plumb_isa(baseline)
  plumb_isa(avx2 -mavx2 -mfma -mtune=haswell)
  plumb_isa(avx512 -mavx512f -mavx512bw -mavx512vl -mavx512dq -mfma -mprefer-vector-width=512)
endif()
