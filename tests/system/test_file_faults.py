"""Files that cannot be written: FAULTS C9 and C10. What is received, and the results of load and compare.

Disks are small or read-only file systems in a mount namespace of their own; calls that no disk fails when asked to are
failed by file_shim.c."""

import errno
import os
import resource
import socket
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest

from certificates import trusting
from client import PATIENCE
from harness import PARLEY, only_line
from loading import PythonServer, load
from talking import peer
from test_tls_client import context_of

pytestmark = pytest.mark.skipif("PARLEY_SANITIZER" in os.environ, reason="its runtime must be loaded first")

DATA = os.urandom(48 << 10)  # which the pipe of our output holds
FAULTS = ["full", "limit", "write EIO", "write EDQUOT", "fsync EIO", "close EIO", "rename EIO"]


@pytest.fixture(scope="module", name="shim")
def compiled_shim(tmp_path_factory):
    library = tmp_path_factory.mktemp("shim") / "file_shim.so"
    source = Path(__file__).resolve().parent / "file_shim.c"
    subprocess.run([os.environ.get("CC", "cc"), "-O2", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", library, source],
                   check=True, timeout=PATIENCE)
    return library


class Place:
    """A directory to write to, what stands before a command that shall see it, and what is said of it."""

    def __init__(self, path, complaint, wrapper=(), seen_at=None, environment=None):
        self.path, self.wrapper, self.environment = path, wrapper, environment
        self.seen_at = Path(seen_at or path)  # by us
        self.call, self.reason = complaint.split(": ")

    def is_told(self, line, name="got"):
        return f": {self.call} {self.path}/{name}: {self.reason}" in line

    def names(self):
        return sorted(os.listdir(self.seen_at))


@contextmanager
def mounted(path, options):
    """A file system of its own, which goes with the last process that sees it."""
    script = f'mount -t tmpfs -o {options} none "$1" && echo mounted && exec cat'
    with subprocess.Popen(["unshare", "--mount", "sh", "-c", script, "sh", path], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as holder:
        try:
            if holder.stdout.readline() != b"mounted\n":
                pytest.skip("nothing may be mounted here")
            yield ["nsenter", f"--mount=/proc/{holder.pid}/ns/mnt"], f"/proc/{holder.pid}/root{path}"
        finally:
            holder.stdin.close()


@contextmanager
def faulty_place(fault, path, shim, room=16 << 10):
    """Where this fault is met, if by room then after so many bytes."""
    path.mkdir()
    if fault == "full":
        with mounted(path, f"size={room}") as (wrapper, seen_at):
            yield Place(path, "write: no space left on device", wrapper, seen_at)
    elif fault == "read-only":
        with mounted(path, "ro") as (wrapper, seen_at):
            yield Place(path, "open: read-only file system", wrapper, seen_at)
    elif fault == "limit":
        yield Place(path, "write: file too large", ["prlimit", f"--fsize={room}"])
    else:
        call, name = fault.split()
        number = getattr(errno, name)
        yield Place(path, f"{call}: {os.strerror(number).lower()}",
                    environment={**os.environ, "LD_PRELOAD": str(shim), "FILE_FAULT": f"{call} {number}"})


# ---- what is received ----

def say_all(sock, context=None, **options):
    """Sends it all, says the end, and waits for the other's: what it learnt, an error or nothing."""
    try:
        if context:
            sock = context.wrap_socket(sock, **options)
        sock.sendall(DATA)
        if context:
            sock.unwrap()
        else:
            sock.shutdown(socket.SHUT_WR)
        while sock.recv(1 << 16):
            pass
        return None
    except OSError as error:
        return error


@contextmanager
def receiving(place, *arguments):
    """The command that receives, its input open, so that it says no end by itself."""
    command = [*place.wrapper, PARLEY, *map(str, arguments), "--save", place.path / "got"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=place.environment) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def check_refused(place, process):
    """One line says why, and nothing is left."""
    process.wait(PATIENCE)
    said = process.stderr.read().decode()
    complaints = [line for line in said.splitlines() if line.startswith("parley ")]
    assert process.returncode == 2 and place.is_told(only_line("\n".join(complaints))), f"{process.returncode}\n{said}"
    assert place.names() == []


def check_told(fault, told):
    """The name is given last, when nothing more is said to anybody."""
    assert fault == "rename EIO" or told and not isinstance(told, TimeoutError), \
        f"the sender learnt {told!r}"


plain_and_tls = pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
on_faults = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.replace(" ", "-"))


@plain_and_tls
@on_faults
def test_who_sends_to_a_listener_learns_that_it_was_not_saved(fault, tls, tmp_path, shim):
    options = ["--tls", "self-signed"] if tls else []
    with faulty_place(fault, tmp_path / "there", shim) as place:
        with receiving(place, "listen", "127.0.0.1", "0", "--print-port", *options) as process:
            port = int(process.stdout.readline())
            with socket.create_connection(("127.0.0.1", port), PATIENCE) as sock:
                told = say_all(sock, trusting() if tls else None)
            check_refused(place, process)
    check_told(fault, told)


@plain_and_tls
@on_faults
def test_a_server_learns_that_it_was_not_saved(fault, tls, tmp_path, shim, authority, good):
    told = []
    context = context_of(good) if tls else None
    with faulty_place(fault, tmp_path / "there", shim) as place:
        with peer(lambda sock: told.append(say_all(sock, context, server_side=True))) as port:
            options = ["--tls", "--ca", authority.path] if tls else []
            with receiving(place, "connect", "127.0.0.1", port, *options) as process:
                check_refused(place, process)
    check_told(fault, *told)


@pytest.mark.parametrize("arguments", [("listen", "127.0.0.1", "0"), ("connect", "127.0.0.1", "1")],
                         ids=["listen", "connect"])
def test_nobody_is_talked_to_when_nothing_can_be_saved(arguments, tmp_path, shim):
    with faulty_place("read-only", tmp_path / "there", shim) as place:
        with receiving(place, *arguments) as process:
            check_refused(place, process)


# ---- results ----

FORMS = ["json", "csv", "hgrm", "hdr-log", "report"]
OLD = b"of yesterday"


@pytest.fixture(scope="module", name="measured")
def measured_once(tmp_path_factory):
    """A result, as `load` wrote it."""
    path = tmp_path_factory.mktemp("measured") / "result.json"
    server = PythonServer()
    try:
        load(server.address, "-d", "100ms", "--json", path, output=("--quiet",))
    finally:
        server.stop()
    return path


def told_of(place, command, names):
    """Runs it, with a file for each of its outputs; one line for each says why the old one stays."""
    options = [word for name in names for word in (f"--{name}", place.path / name)]
    for name in names:
        (place.seen_at / name).write_bytes(OLD)
    done = subprocess.run([*place.wrapper, PARLEY, *map(str, [*command, *options])], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=PATIENCE, env=place.environment, check=False)
    lines = done.stderr.splitlines()
    assert done.returncode == 2 and len(lines) == len(names), done
    for name, line in zip(names, lines):
        assert place.is_told(line, name), done
        assert (place.seen_at / name).read_bytes() == OLD
    assert place.names() == sorted(names)


# Room for the old ones, a page of memory each, and for no other.
@on_faults
def test_a_result_that_cannot_be_written_leaves_the_old_one(fault, measured, tmp_path, shim):
    with faulty_place(fault, tmp_path / "there", shim, room=len(FORMS) * resource.getpagesize()) as place:
        if fault == "limit":
            place.wrapper = ["prlimit", "--fsize=0"]
        told_of(place, ["load", "merge", measured, "--quiet"], FORMS)


@pytest.mark.parametrize("fault", ["limit", "fsync EIO"])
def test_so_does_that_of_a_load(fault, tmp_path, shim, python_server):
    with faulty_place(fault, tmp_path / "there", shim, room=0) as place:
        told_of(place, ["load", python_server().address, "-d", "100ms", "--quiet"], FORMS)


@pytest.mark.parametrize("fault", ["limit", "fsync EIO"])
def test_so_does_that_of_a_comparison(fault, tmp_path, shim):
    with faulty_place(fault, tmp_path / "there", shim, room=0) as place:
        told_of(place, ["compare", "echo", "--models", "iterative+epoll", "-c", "1", "-d", "200ms", "--rounds", "1"],
                ["json", "csv", "report"])


def test_results_are_not_waited_for_where_none_can_be_written(measured, tmp_path, shim):
    """It is known before the first request."""
    with faulty_place("read-only", tmp_path / "there", shim) as place:
        for name in FORMS:
            done = subprocess.run([*place.wrapper, PARLEY, "load", "merge", measured, f"--{name}", place.path / name],
                                  capture_output=True, text=True, timeout=PATIENCE, check=False)
            assert done.returncode == 2 and place.is_told(only_line(done.stderr), name), done


@pytest.mark.parametrize("output, name", [(("--intervals", "/dev/full"), "/dev/full"), ((), "standard output"),
                                          (("--json", "-"), "standard output")], ids=["intervals", "table", "stdout"])
def test_a_load_that_cannot_say_its_result(output, name, python_server):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([PARLEY, "load", python_server().address, "-d", "100ms", *output],
                              stdout=full if name == "standard output" else subprocess.DEVNULL, stderr=subprocess.PIPE,
                              text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 2 and only_line(done.stderr) == f"parley load: write {name}: no space left on device"
