# ONNX's own cases of operators, run by a program that tools/onnx_suite uses too.
add_executable(onnx-suite ${CMAKE_CURRENT_LIST_DIR}/onnx-suite.c)
target_include_directories(onnx-suite PRIVATE ${CMAKE_SOURCE_DIR}/src)
target_compile_definitions(onnx-suite PRIVATE _GNU_SOURCE ${GLIA_DEFINITIONS})
target_compile_options(onnx-suite PRIVATE ${GLIA_WARNINGS})
target_link_libraries(onnx-suite PRIVATE glia-static ${GLIA_LIBRARIES})
set(backends ref)
if(GLIA_HAS_CPU)
  list(APPEND backends cpu)
endif()
foreach(backend IN LISTS backends)
  add_test(NAME onnx_golden_${backend} COMMAND ${CMAKE_CURRENT_LIST_DIR}/golden
    $<TARGET_FILE:onnx-suite> ${CMAKE_SOURCE_DIR}/tests/golden/onnx/operators.tar.gz ${backend}
    ${CMAKE_BINARY_DIR}/scratch/onnx_golden_${backend})
  foreach(set core extended)
    set(least 1)
    if(set STREQUAL "extended")
      set(least 0.8)
    endif()
    add_test(NAME onnx_${set}_${backend} COMMAND ${CMAKE_CURRENT_LIST_DIR}/check
      $<TARGET_FILE:onnx-suite> ${set} ${backend} ${least}
      ${CMAKE_BINARY_DIR}/scratch/onnx_${set}_${backend})
    set_tests_properties(onnx_${set}_${backend} PROPERTIES SKIP_RETURN_CODE 77)
  endforeach()
endforeach()
