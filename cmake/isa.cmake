# src/backend/cpu/isa/*.c hold loops in GNU vector types. Each file is compiled once for every
# instruction set of this processor family; the name of the set is appended to its symbols
# (GI_ISA(name)), and src/backend/cpu/cpu.c picks one at run time.
file(GLOB isa_sources CONFIGURE_DEPENDS src/backend/cpu/isa/*.c)
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
foreach(isa ${isa_names})
  add_library(glia-isa-${isa} OBJECT ${isa_sources})
  target_include_directories(glia-isa-${isa} PRIVATE include src ${SLEEF_INCLUDE})
  target_compile_definitions(glia-isa-${isa} PRIVATE _GNU_SOURCE GI_ISA_NAME=${isa})
  target_compile_options(glia-isa-${isa} PRIVATE ${GLIA_WARNINGS} -Wno-pedantic -Wno-psabi -O3
    -fno-trapping-math ${isa_flags_${isa}} ${OpenMP_C_FLAGS})
  list(APPEND glia_isa_objects $<TARGET_OBJECTS:glia-isa-${isa}>)
endforeach()
