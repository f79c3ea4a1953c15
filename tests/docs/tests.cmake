add_test(NAME docs_links COMMAND ${CMAKE_CURRENT_LIST_DIR}/links)
