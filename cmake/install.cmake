# What `cmake --install` puts where: program, both libraries, headers, the files by which
# pkg-config and CMake find them, the manual page and the completions of the shells.
include(CMakePackageConfigHelpers)

# ---- libraries and headers ---------------------------------------------------------------------
# Two sets of targets, so that users of the shared library need none of the packages that it was
# built from: find_package(glia) gives glia::glia, find_package(glia COMPONENTS static) adds
# glia::static and asks for the rest.

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/glia)
set_target_properties(glia-shared PROPERTIES EXPORT_NAME glia)
set_target_properties(glia-static PROPERTIES EXPORT_NAME static)
install(TARGETS glia-shared EXPORT glia-shared-targets)
install(TARGETS glia-static EXPORT glia-static-targets)
install(DIRECTORY include/glia TYPE INCLUDE FILES_MATCHING PATTERN "*.h")
foreach(kind shared static)
  install(EXPORT glia-${kind}-targets NAMESPACE glia:: DESTINATION ${package_dir})
endforeach()

configure_package_config_file(cmake/package/glia-config.cmake.in
  ${CMAKE_CURRENT_BINARY_DIR}/package/glia-config.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/package/glia-config-version.cmake
  COMPATIBILITY SameMinorVersion)

# ---- pkg-config ----------------------------------------------------------------------------------

set(pc_requires "jansson zlib libpng libjpeg")
set(pc_libs "-lpthread -lm")
if(CAIRO_FOUND)
  string(APPEND pc_requires " cairo")
endif()
if(GLIA_HAS_CPU)
  string(PREPEND pc_libs "-ldnnl -lsleef ${OpenMP_C_FLAGS} ")
endif()
configure_file(cmake/package/glia.pc.in ${CMAKE_CURRENT_BINARY_DIR}/package/glia.pc @ONLY)

install(FILES ${CMAKE_CURRENT_BINARY_DIR}/package/glia-config.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/package/glia-config-version.cmake DESTINATION ${package_dir})
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/package/glia.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# ---- the program, and what it says about itself ----------------------------------------------------

if(TARGET glia-cli)
  install(TARGETS glia-cli)
  set(about ${CMAKE_CURRENT_BINARY_DIR}/about)
  file(MAKE_DIRECTORY ${about})
  add_custom_command(OUTPUT ${about}/glia.1 ${about}/glia ${about}/_glia ${about}/glia.fish
    COMMAND glia-cli help --man > ${about}/glia.1
    COMMAND glia-cli completion bash > ${about}/glia
    COMMAND glia-cli completion zsh > ${about}/_glia
    COMMAND glia-cli completion fish > ${about}/glia.fish
    DEPENDS glia-cli VERBATIM COMMENT "manual page and completions")
  add_custom_target(about ALL DEPENDS ${about}/glia.1)
  install(FILES ${about}/glia.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
  install(FILES ${about}/glia DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
  install(FILES ${about}/_glia DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
  install(FILES ${about}/glia.fish
    DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endif()
install(FILES LICENSE TYPE DOC)
