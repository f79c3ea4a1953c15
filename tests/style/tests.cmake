add_test(NAME floors COMMAND ${CMAKE_SOURCE_DIR}/tools/check-floors)
add_test(NAME headers COMMAND ${CMAKE_CURRENT_LIST_DIR}/headers ${CMAKE_SOURCE_DIR}/include)
