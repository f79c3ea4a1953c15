# src/backend/cpu/isa/*.c hold loops in GNU vector types. Each file is compiled once for every
# instruction set of this processor family; the name of the set is appended to its symbols
# (GI_ISA(name)), and src/backend/cpu/cpu.c picks one at run time. Those of isa/element/ are
# compiled for every kind of element in memory too (GI_ELEMENT(name)).
file(GLOB isa_sources CONFIGURE_DEPENDS src/backend/cpu/isa/*.c)
file(GLOB isa_element_sources CONFIGURE_DEPENDS src/backend/cpu/isa/element/*.c)
if(NOT isa_sources)
  return()
endif()
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(isa_names base avx2 avx512)
  set(isa_flags_base -DGI_ISA_BYTES=16)
  set(isa_flags_avx2 -mavx2 -mfma -DGI_ISA_BYTES=32)
  set(isa_flags_avx512 -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma -mprefer-vector-width=512
    -DGI_ISA_BYTES=64)
else()
  set(isa_names base)
  set(isa_flags_base -DGI_ISA_BYTES=16)
endif()

function(gi_isa_objects target isa)
  add_library(${target} OBJECT ${ARGN})
  target_include_directories(${target} PRIVATE include src ${SLEEF_INCLUDE})
  target_compile_definitions(${target} PRIVATE _GNU_SOURCE GI_ISA_NAME=${isa})
  target_compile_options(${target} PRIVATE ${GLIA_WARNINGS} -Wno-pedantic -Wno-psabi -O3
    -fno-trapping-math ${isa_flags_${isa}} ${OpenMP_C_FLAGS})
endfunction()

set(isa_element_bytes_f32 4)
set(isa_element_bytes_bf16 2)
foreach(isa ${isa_names})
  gi_isa_objects(glia-isa-${isa} ${isa} ${isa_sources})
  list(APPEND glia_isa_objects $<TARGET_OBJECTS:glia-isa-${isa}>)
  foreach(kind f32 bf16)
    gi_isa_objects(glia-isa-${isa}-${kind} ${isa} ${isa_element_sources})
    target_compile_definitions(glia-isa-${isa}-${kind}
      PRIVATE GI_ELEMENT_NAME=${kind} GI_ELEMENT_BYTES=${isa_element_bytes_${kind}})
    list(APPEND glia_isa_objects $<TARGET_OBJECTS:glia-isa-${isa}-${kind}>)
  endforeach()
endforeach()
