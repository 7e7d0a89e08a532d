# Every target of ours links `build-flags`: warnings, hardening and, on request, instrumentation.
option(PARLEY_WERROR "Treat warnings as errors" OFF)
option(PARLEY_ANALYZE "Compile with gcc -fanalyzer" OFF)
option(PARLEY_FUZZ "Build the libFuzzer targets (clang)" OFF)
set(PARLEY_SANITIZE "" CACHE STRING "Sanitizers, as for -fsanitize=")

# A broken invariant should stop the process in release builds too, so NDEBUG stays undefined.
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g")

add_library(build-flags INTERFACE)
target_include_directories(build-flags INTERFACE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
target_compile_definitions(build-flags INTERFACE
    _GNU_SOURCE PARLEY_VERSION_STRING="${PROJECT_VERSION}")
target_compile_options(build-flags INTERFACE
    -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition
    -Wpointer-arith -Wvla -Walloca -Wformat=2 -Wundef -Wwrite-strings -Wcast-align
    -Wimplicit-fallthrough -Wnull-dereference)
if(PARLEY_WERROR)
    target_compile_options(build-flags INTERFACE -Werror)
endif()
if(PARLEY_ANALYZE)
    # gcc 12 calls leaked what is stored in an array that is grown: LeakSanitizer and valgrind, which see what
    # really leaks, look for leaks instead.
    target_compile_options(build-flags INTERFACE -fanalyzer -Wno-analyzer-malloc-leak -Wno-analyzer-file-leak)
endif()

if(PARLEY_FUZZ)
    # Coverage everywhere; only the fuzz targets link libFuzzer's main().
    target_compile_options(build-flags INTERFACE -fsanitize=fuzzer-no-link)
    target_link_options(build-flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

if(PARLEY_SANITIZE)
    set(sanitize -fsanitize=${PARLEY_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_compile_options(build-flags INTERFACE ${sanitize})
    target_link_options(build-flags INTERFACE ${sanitize})
elseif(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
    # Hardening fights the sanitizers' own checks and needs optimisation, so it is for release builds.
    target_compile_options(build-flags INTERFACE
        -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection)
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|i.86")
        target_compile_options(build-flags INTERFACE -fcf-protection)
    endif()
    target_link_options(build-flags INTERFACE LINKER:-z,relro,-z,now,-z,noexecstack,-z,defs)
endif()

include(CheckPIESupported)
check_pie_supported()
