# What `cmake --install` lays down: library, header, pkg-config and CMake files, command, manual, completions.
include(CMakePackageConfigHelpers)

install(TARGETS libparley libparley-static EXPORT parley-targets)
install(TARGETS parley)
install(FILES include/parley.h TYPE INCLUDE)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/parley)
install(EXPORT parley-targets NAMESPACE parley:: DESTINATION ${package_dir})
configure_package_config_file(cmake/parley-config.cmake.in parley-config.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(parley-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/parley-config.cmake ${PROJECT_BINARY_DIR}/parley-config-version.cmake
        DESTINATION ${package_dir})

# The .pc file finds its prefix from where it lies, so `cmake --install --prefix` may name any.
file(RELATIVE_PATH pc_to_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(cmake/parley.pc.in parley.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/parley.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# man/parley.1.scd becomes man/parley.1; without scdoc the manual is left out.
find_program(SCDOC scdoc)
file(GLOB man_sources CONFIGURE_DEPENDS man/*.scd)
set(man_pages "")
if(SCDOC)
    file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/man)
    foreach(source IN LISTS man_sources)
        get_filename_component(page ${source} NAME_WLE)
        string(REGEX MATCH "[0-9]$" section ${page})
        set(output ${PROJECT_BINARY_DIR}/man/${page})
        add_custom_command(OUTPUT ${output} DEPENDS ${source} VERBATIM
                           COMMAND sh -c "'${SCDOC}' <'${source}' >'${output}'")
        list(APPEND man_pages ${output})
        install(FILES ${output} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
    endforeach()
    add_custom_target(man ALL DEPENDS ${man_pages})
endif()

# Where systemd looks for the units of what is installed under this prefix, which the unit names: `cmake
# --install --prefix` may have chosen another one than the build did. The unit is written straight to its place:
# two installations at once would get in each other's way over a file in the build.
install(CODE "
    set(CMAKE_INSTALL_FULL_BINDIR \"${CMAKE_INSTALL_BINDIR}\")
    cmake_path(ABSOLUTE_PATH CMAKE_INSTALL_FULL_BINDIR BASE_DIRECTORY \"\${CMAKE_INSTALL_PREFIX}\")
    set(unit \"\${CMAKE_INSTALL_PREFIX}/lib/systemd/system/parley@.service\")
    message(STATUS \"Installing: \$ENV{DESTDIR}\${unit}\")
    configure_file(\"${PROJECT_SOURCE_DIR}/dist/parley@.service.in\" \"\$ENV{DESTDIR}\${unit}\" @ONLY)
    list(APPEND CMAKE_INSTALL_MANIFEST_FILES \"\${unit}\")")
install(FILES dist/parley-echo.socket DESTINATION lib/systemd/system)

# Written by scripts/generate from the command's tables; each shell looks in its own place for its own name.
install(FILES completions/parley.bash RENAME parley
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES completions/parley.zsh RENAME _parley
        DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
install(FILES completions/parley.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
