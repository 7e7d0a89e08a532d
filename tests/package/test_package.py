"""The library as its users meet it: installed into a prefix of its own, with nothing of the source tree."""

import os
import re
import select
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("PARLEY_BUILD", ROOT / "build"))
EXAMPLES = sorted((ROOT / "examples").glob("*.c"))
ECHO_LINES = 10
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, **options)
    if done.returncode:
        pytest.fail(f"{' '.join(map(str, command))}\n{done.stdout}", pytrace=False)
    return done.stdout


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    prefix = tmp_path_factory.mktemp("prefix")
    run("cmake", "--install", BUILD, "--prefix", prefix)
    return prefix


@pytest.fixture(scope="module")
def library_dir(prefix):
    return next(prefix.glob("lib*/**/libparley.so")).parent


@pytest.fixture(scope="module")
def pkg_config(library_dir):
    environment = dict(os.environ, PKG_CONFIG_PATH=str(library_dir / "pkgconfig"))

    def query(*arguments):
        return run("pkg-config", *arguments, "parley", env=environment).split()
    return query


def installed_version(program, library_dir):
    return run(program, env=dict(os.environ, LD_LIBRARY_PATH=str(library_dir)))


def test_everything_is_installed(prefix, library_dir):
    version = run(BUILD / "parley", "--version").split()[-1]
    for name in ("bin/parley", "include/parley.h"):
        assert (prefix / name).is_file(), name
    for name in ("libparley.a", "libparley.so.0", f"libparley.so.{version}", "pkgconfig/parley.pc",
                 "cmake/parley/parley-config.cmake", "cmake/parley/parley-config-version.cmake"):
        assert (library_dir / name).is_file(), name


def test_an_installation_changes_nothing_in_the_build(tmp_path):
    """Two at once, each into its own prefix, would else write the same file."""
    began = time.time_ns()
    run("cmake", "--install", BUILD, "--prefix", tmp_path / "own")
    changed = {path.name for path in BUILD.rglob("*")
               if path.is_file() and path.stat().st_mtime_ns > began and "reports" not in path.parts}
    # cmake's own list, whole whoever writes it last.
    assert changed <= {"install_manifest.txt"}


def test_manual_and_completions_are_installed(prefix):
    pages = {path.stem for path in (ROOT / "man").glob("*.scd")}
    assert pages and pages == {path.name for path in prefix.glob("share/man/man*/*")}
    for name in ("bash-completion/completions/parley", "zsh/site-functions/_parley",
                 "fish/vendor_completions.d/parley.fish"):
        assert (prefix / "share" / name).stat().st_size > 0, name


@pytest.fixture(scope="module")
def units(prefix):
    return prefix / "lib/systemd/system"


def test_units_are_installed_and_name_the_installed_command(prefix, units):
    assert (units / "parley-echo.socket").is_file()
    command = re.search(r"^ExecStart=(\S+) serve %i systemd:$", (units / "parley@.service").read_text(), re.M)[1]
    assert command == str(prefix / "bin/parley") and os.access(command, os.X_OK)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze")
def test_the_service_is_exposed_to_little(units, tmp_path):
    """1.5 is what it may be at most: 10 is a service that nobody confined."""
    unit = tmp_path / "parley@echo.service"
    unit.write_text((units / "parley@.service").read_text())
    said = run("systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", unit)
    assert not re.search("unknown|ignoring", said, re.I), said
    assert float(re.search(r"exposure level for parley@echo\.service: (\d+\.\d+)", said)[1]) <= 1.5


def test_the_installed_command_runs(prefix):
    assert re.match(r"parley \d+\.\d+\.\d+\n", run(prefix / "bin/parley", "--version"))


def test_the_versions_agree(prefix, library_dir, pkg_config, tmp_path):
    program = tmp_path / "version"
    source = tmp_path / "version.c"
    source.write_text("""#include <parley.h>
        #include <stdio.h>
        int main(void) { printf("%d.%d.%d %s", PARLEY_VERSION_MAJOR, PARLEY_VERSION_MINOR,
                                PARLEY_VERSION_PATCH, parley_version()); }""")
    run("gcc", source, "-o", program, *pkg_config("--cflags", "--libs"))
    in_header, in_library = installed_version(program, library_dir).split()
    assert in_header == in_library == pkg_config("--modversion")[0]


def test_only_public_names_are_exported(library_dir):
    exported = {line.split()[-1].split("@")[0] for line in
                run("nm", "-D", "--defined-only", library_dir / "libparley.so").splitlines()
                if line.split()[-2] != "A"}
    declared = set(re.findall(r"^PARLEY_API .*?\b(parley_\w+)\(", (ROOT / "include/parley.h").read_text(), re.M))
    assert exported == declared


STANDARDS = ([(compiler, standard) for compiler in ("gcc", "clang") for standard in ("c11", "c17", "c2x")] +
             [(compiler, standard) for compiler in ("g++", "clang++") for standard in ("c++14", "c++17", "c++20")])
HANDLERS = """#include <parley.h>
static void received(parley_conn *conn, const void *bytes, size_t size) { parley_send(conn, bytes, size); }
static const parley_handler echo = PARLEY_HANDLER(.name = "echo", .received = received);
int main(void)
{
    const parley_handler quiet = PARLEY_HANDLER(.state_size = 8);
    return echo.size == sizeof echo && quiet.size == sizeof quiet && !quiet.name && quiet.state_size == 8 &&
           !quiet.needs && !quiet.closed && echo.received == received ? 0 : 1;
}
"""


@pytest.mark.parametrize("compiler, standard", STANDARDS)
def test_the_header_and_its_macro_draw_no_warning(library_dir, pkg_config, tmp_path, compiler, standard):
    if not shutil.which(compiler):
        pytest.skip(f"no {compiler}")
    source = tmp_path / ("handlers.cc" if "++" in compiler else "handlers.c")
    source.write_text(HANDLERS)
    run(compiler, f"-std={standard}", *WARNINGS, source, "-o", tmp_path / "handlers", *pkg_config("--cflags", "--libs"))
    run(tmp_path / "handlers", env=dict(os.environ, LD_LIBRARY_PATH=str(library_dir)))


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_older_cplusplus_takes_the_header(prefix, tmp_path, compiler):
    if not shutil.which(compiler):
        pytest.skip(f"no {compiler}")
    source = tmp_path / "header.cc"
    source.write_text("#include <parley.h>\n")
    run(compiler, "-std=c++11", *WARNINGS, "-fsyntax-only", f"-I{prefix}/include", source)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
@pytest.mark.parametrize("linkage", ["shared", "static"])
def test_an_example_builds_with_pkg_config(example, linkage, prefix, pkg_config, tmp_path):
    flags = pkg_config("--cflags", "--libs", *(["--static"] if linkage == "static" else []))
    if linkage == "static":
        flags = ["-l:libparley.a" if flag == "-lparley" else flag for flag in flags]
    run("gcc", "-std=gnu17", *WARNINGS, example, "-o", tmp_path / example.stem, *flags)


def connected(port):
    """A connection to a server that may still be starting; the chat says nothing of it."""
    until = time.monotonic() + 10
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=10)
        except ConnectionRefusedError:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)


def says_until_heard(speaker, other):
    """A client that has connected is not in the room yet."""
    for _ in range(100):
        speaker.sendall(b"hello\n")
        if select.select([other], [], [], 0.1)[0]:
            return other.recv(1000)
    return b""


@pytest.mark.parametrize("model", ["prethread+epoll", "thread+poll"])
def test_a_chat_tells_all_the_others(model, prefix, library_dir, tmp_path):
    run("gcc", "-std=gnu17", ROOT / "examples/chat.c", "-o", tmp_path / "chat", f"-I{prefix}/include",
        f"-L{library_dir}", "-lparley", f"-Wl,-rpath,{library_dir}")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with subprocess.Popen([tmp_path / "chat", f"127.0.0.1:{port}", model]) as chat:
        speaker, *others = clients = [connected(port) for _ in range(3)]
        try:
            line = b"127.0.0.1:%d: hello\n" % speaker.getsockname()[1]
            for other in others:
                assert says_until_heard(speaker, other).startswith(line)
            assert not select.select([speaker], [], [], 0)[0]  # nobody hears himself
        finally:
            for client in clients:
                client.close()
            chat.terminate()
    assert chat.returncode == 0


def test_every_example_builds_with_cmake(prefix, tmp_path):
    assert EXAMPLES
    lines = ["cmake_minimum_required(VERSION 3.25)", "project(examples C)", "find_package(parley 0.1 REQUIRED)"]
    for example in EXAMPLES:
        for target, library in ((example.stem, "parley"), (f"{example.stem}-static", "parley-static")):
            lines += [f'add_executable({target} "{example}")',
                      f"target_link_libraries({target} PRIVATE parley::{library})"]
    (tmp_path / "CMakeLists.txt").write_text("\n".join(lines))
    run("cmake", "-G", "Ninja", "-S", tmp_path, "-B", tmp_path / "build", f"-DCMAKE_PREFIX_PATH={prefix}")
    run("cmake", "--build", tmp_path / "build")


def test_echo_is_short():
    code = [line for line in (ROOT / "examples/echo.c").read_text().splitlines() if line.strip()
            and not re.match(r"\s*(/?\*|//|#include|[{}]$)", line)]
    assert len(code) <= ECHO_LINES, "\n".join(code)
