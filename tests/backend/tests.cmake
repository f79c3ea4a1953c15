# The kernels with fewer threads than they are asked to use: OMP_THREAD_LIMIT caps every parallel
# region without a word, and a primitive that oneDNN made for two threads then computes wrong
# numbers, or waits for ever.
if(GLIA_HAS_CPU)
  foreach(name test_ops test_cpu_matmul test_cpu_conv)
    add_test(NAME ${name}_thread_limit COMMAND ${name})
    set_tests_properties(${name}_thread_limit PROPERTIES ENVIRONMENT OMP_THREAD_LIMIT=1)
  endforeach()
endif()
