add_test(NAME resume COMMAND ${CMAKE_CURRENT_LIST_DIR}/run $<TARGET_FILE:glia-cli>
  ${CMAKE_BINARY_DIR}/scratch/resume_program)
