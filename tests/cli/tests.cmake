# Every folder of tests/cli with a `cmd` is a case of the command line; those called *_cpu are about
# the cpu backend.
file(GLOB cases CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*/cmd)
foreach(cmd IN LISTS cases)
  get_filename_component(folder ${cmd} DIRECTORY)
  get_filename_component(name ${folder} NAME)
  if(name MATCHES "_cpu$" AND NOT GLIA_HAS_CPU)
    continue()
  endif()
  add_test(NAME cli_${name} COMMAND ${CMAKE_CURRENT_LIST_DIR}/run-case ${folder}
    $<TARGET_FILE:glia-cli> ${CMAKE_BINARY_DIR}/scratch/cli/${name})
endforeach()
