# Other processors. The instruction sets of this one can be masked: that is quick, and shows that
# the numbers are right without AVX; that no newer instruction is used shows only the emulator.
if(GLIA_HAS_CPU AND CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  foreach(name test_ops_fused test_golden_steps test_learner)
    add_test(NAME ${name}_base COMMAND ${name})
    set_tests_properties(${name}_base PROPERTIES ENVIRONMENT
      "GLIA_ISA=base;DNNL_MAX_CPU_ISA=SSE41;GLIA_CACHE=${CMAKE_BINARY_DIR}/scratch/cache_${name}_base")
  endforeach()
  if(NOT GLIA_SANITIZE)
    add_test(NAME no_avx COMMAND ${CMAKE_CURRENT_LIST_DIR}/no_avx ${CMAKE_BINARY_DIR})
    set_tests_properties(no_avx PROPERTIES SKIP_RETURN_CODE 77)
  endif()
endif()
if(NOT GLIA_SANITIZE AND NOT CMAKE_CROSSCOMPILING)
  add_test(NAME arm64 COMMAND ${CMAKE_CURRENT_LIST_DIR}/arm64 ${CMAKE_SOURCE_DIR}
    ${CMAKE_BINARY_DIR}/scratch/arm64)
  set_tests_properties(arm64 PROPERTIES SKIP_RETURN_CODE 77)
endif()
