# A sanitized library cannot be loaded by a program that is not, so only plain builds are tried.
if(NOT GLIA_SANITIZE AND TARGET glia-cli)
  add_test(NAME install COMMAND ${CMAKE_CURRENT_LIST_DIR}/run ${CMAKE_BINARY_DIR}
    ${CMAKE_BINARY_DIR}/scratch/install)
endif()
