# Sourced by every verb: package sets, builds, and quiet running.
# shellcheck shell=bash
set -euo pipefail
export PYTHONDONTWRITEBYTECODE=1

jobs=${PARLEY_JOBS:-$(nproc)}

# Debian's packages, by what needs them.
declare -A packages=(
    [build]="gcc libc6-dev cmake ninja-build pkgconf liburing-dev libedit-dev
             libjansson-dev libssl-dev zlib1g-dev libseccomp-dev scdoc"
    [test]="g++ libcmocka-dev python3 python3-pytest python3-pytest-xdist python3-pytest-timeout
            python3-cryptography openssl universal-ctags binutils default-jre-headless libhdrhistogram-java"
    [browser]="chromium fonts-dejavu-core"
    [clang]="clang"
    [lint]="clang-format clang-tidy cppcheck shellcheck"
    [sanitize]="libclang-rt-14-dev llvm valgrind"
    [programs]="busybox micro-httpd ucspi-tcp"
    [shells]="zsh fish"
    [faults]="iproute2 strace systemd haproxy"
    [bench]="g++ python3 libuv1-dev libevent-dev libev-dev libasio-dev cargo librust-tokio-dev golang-go
             libssl-dev openssl haproxy nginx-light libnginx-mod-stream socat"
)

# need SET...: install the packages of these sets that are missing, and nothing when none is.
need() {
    local set package missing=()
    for set in "$@"; do
        for package in ${packages[$set]}; do
            dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed ||
                missing+=("$package")
        done
    done
    [ ${#missing[@]} -eq 0 ] && return
    echo "installing ${missing[*]}"
    quietly as_root apt-get update
    quietly as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends "${missing[@]}"
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "neither root nor sudo, so this cannot be run: $*"
        return 1
    fi
}

# quietly COMMAND...: silent when it succeeds, everything it said when it fails.
quietly() {
    local log status=0
    log=$(mktemp)
    "$@" >"$log" 2>&1 </dev/null || status=$?
    if [ $status -ne 0 ]; then
        cat "$log" >&2
        echo "failed ($status): $*" >&2
    fi
    rm -f "$log"
    return $status
}

# binary_dir PRESET
binary_dir() {
    if [ "$1" = release ]; then echo build; else echo "build-$1"; fi
}

# build PRESET [TARGET...]: configure and build; two builds of one preset wait for each other.
build() {
    local preset=$1 directory target targets=()
    shift
    directory=$(binary_dir "$preset")
    for target in "$@"; do targets+=(--target "$target"); done
    [ -e "$directory/build.ninja" ] || echo "building in $directory, a minute or two the first time …" >&2
    mkdir -p "$directory"
    (
        flock 9
        quietly cmake --preset "$preset" && quietly cmake --build "$directory" -j "$jobs" "${targets[@]}"
    ) 9>"$directory/.lock"
}

# unit_tests PRESET REPORTS: run the unit tests of a build; the outcome is left in REPORTS/unit.xml.
unit_tests() {
    # A failure shows in the tally, so that the other runners still get their turn.
    ctest --test-dir "$(binary_dir "$1")" -j "$jobs" --output-on-failure --output-junit "$PWD/$2/unit.xml" \
        --test-output-size-passed 1000000 --test-output-size-failed 1000000 >"$2/unit.log" 2>&1 </dev/null ||
        cat "$2/unit.log"
}

# python_tests REPORTS NAME PYTEST-ARGUMENT...: the same for pytest files; the outcome is in REPORTS/NAME.xml.
python_tests() {
    local reports=$1 name=$2
    shift 2
    # More workers than processors: system tests mostly wait.
    /usr/bin/python3 -m pytest -p no:cacheprovider -q -ra \
        -n "${PARLEY_TEST_WORKERS:-4}" --timeout "${PARLEY_TEST_TIMEOUT:-120}" \
        --junitxml "$reports/$name.xml" "$@" >"$reports/$name.log" 2>&1 </dev/null ||
        cat "$reports/$name.log"
}

# tally REPORTS NAME...: one line per runner and a sum; fails on any failure and on a runner without tests.
tally() {
    local reports=$1
    shift
    /usr/bin/python3 scripts/tally.py "$reports" "$@"
}

# sources PATTERN...: the project's files of these patterns, for xargs -0.
sources() {
    # In containers the checkout may belong to another user, which git refuses unless told.
    git -c safe.directory='*' ls-files -co --exclude-standard -z -- "$@"
}
