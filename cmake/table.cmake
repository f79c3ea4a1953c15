# gi_table(NAME TYPE FOLDER HEADER): the list of rows of one kind of thing, made from file names.
#
# Every FOLDER/<file>.c ends with a NULL-terminated list of its rows,
#     const TYPE *const gi_NAME_<file>[] = {&a, &b, NULL};
# and the generated table joins them: `const TYPE *const *const gi_NAME_table[]`, NULL-terminated,
# in file name order. Adding a thing is adding a file; nothing else lists it.
# Sets gi_NAME_table (the generated file; empty while there are no rows) and gi_NAME_sources in the
# caller.
function(gi_table name type folder header)
  file(GLOB files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*.c)
  list(SORT files)
  set(declarations "")
  set(rows "")
  foreach(path IN LISTS files)
    file(STRINGS ${path} has_rows REGEX "gi_${name}_[a-z0-9_]+\\[\\]")
    if(has_rows)
      get_filename_component(row ${path} NAME_WE)
      string(APPEND declarations "extern const ${type} *const gi_${name}_${row}[];\n")
      string(APPEND rows "  gi_${name}_${row},\n")
    endif()
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${path})
  endforeach()
  set(gi_${name}_sources ${files} PARENT_SCOPE)
  set(gi_${name}_table "" PARENT_SCOPE)
  if(rows STREQUAL "")
    return()
  endif()
  set(out ${CMAKE_CURRENT_BINARY_DIR}/tables/${name}_table.c)
  file(CONFIGURE OUTPUT ${out} CONTENT "/* Made from the file names in ${folder}. */
#include \"${header}\"

${declarations}
extern const ${type} *const *const gi_${name}_table[];
const ${type} *const *const gi_${name}_table[] = {
${rows}  NULL,
};
")
  set(gi_${name}_table ${out} PARENT_SCOPE)
endfunction()
