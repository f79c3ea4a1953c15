# Questions worked out elsewhere, and a program that answers them (parity.h).
gi_table(parity parity_rows parity/rows "parity/parity.h")
add_executable(glia-parity ${CMAKE_CURRENT_LIST_DIR}/glia-parity.c ${gi_parity_sources}
  ${gi_parity_table})
target_include_directories(glia-parity PRIVATE ${CMAKE_SOURCE_DIR}/src ${CMAKE_CURRENT_SOURCE_DIR})
target_compile_definitions(glia-parity PRIVATE _GNU_SOURCE ${GLIA_DEFINITIONS})
target_compile_options(glia-parity PRIVATE ${GLIA_WARNINGS})
target_link_libraries(glia-parity PRIVATE glia-static ${GLIA_LIBRARIES})
set(backends ref)
if(GLIA_HAS_CPU)
  list(APPEND backends cpu)
endif()
foreach(backend IN LISTS backends)
  add_test(NAME parity_${backend} COMMAND ${CMAKE_CURRENT_LIST_DIR}/check
    $<TARGET_FILE:glia-parity> ${backend} ${CMAKE_BINARY_DIR}/scratch/parity_${backend})
  set_tests_properties(parity_${backend} PROPERTIES SKIP_RETURN_CODE 77)
endforeach()
# The same program against answers of PyTorch's that are kept here, in f64 (tools/golden_*.py).
foreach(golden transformer parity)
  add_test(NAME parity_golden_${golden} COMMAND glia-parity
    ${CMAKE_CURRENT_SOURCE_DIR}/golden/${golden}/manifest.json
    --out ${CMAKE_BINARY_DIR}/scratch/parity_golden_${golden} --backend ref --check)
  set_tests_properties(parity_golden_${golden} PROPERTIES
    PASS_REGULAR_EXPRESSION "[1-9][0-9]* answered, 0 failed, 0 unknown")
endforeach()
