add_test(NAME floors COMMAND ${CMAKE_SOURCE_DIR}/tools/check-floors)
add_test(NAME words COMMAND ${CMAKE_CURRENT_LIST_DIR}/words)
add_test(NAME headers COMMAND ${CMAKE_CURRENT_LIST_DIR}/headers ${CMAKE_SOURCE_DIR}/include)
if(GLIA_HAS_CPU) # the reference names the kernels of the cpu backend
  add_test(NAME reference COMMAND ${CMAKE_CURRENT_LIST_DIR}/reference $<TARGET_FILE:glia-cli>
    ${CMAKE_BINARY_DIR}/scratch/reference)
endif()
