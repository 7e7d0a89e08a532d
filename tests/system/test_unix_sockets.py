"""Unix sockets as files: their permissions, their names, and that they go (FAULTS A10)."""

import os
import socket
import stat
import subprocess
import sys
import tempfile

import pytest

from client import PATIENCE, dial, exchange
from harness import SOME_MODELS, only_line, run

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
CONNECT = "import socket, sys\nsock = socket.socket(socket.AF_UNIX)\nsock.connect(sys.argv[1])\n"


@pytest.fixture
def public():
    """A directory that everybody may enter."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        yield directory


def connects_as_nobody(path):
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-c", CONNECT, path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0 or "PermissionError" in done.stderr, done.stderr
    return done.returncode == 0


@pytest.mark.parametrize("mode", ["0600", "660", "0666"])
@pytest.mark.parametrize("umask", [0o022, 0o777])
def test_permissions_are_those_asked_for_whatever_the_umask(public, serve, mode, umask):
    serve("echo", f"unix:{public}/socket", options=["--unix-mode", mode], umask=umask)
    assert stat.S_IMODE(os.stat(f"{public}/socket").st_mode) == int(mode, 8)


def test_without_being_asked_for_they_are_left_to_the_umask(public, serve):
    serve("echo", f"unix:{public}/socket", umask=0o027)
    assert stat.S_IMODE(os.stat(f"{public}/socket").st_mode) == 0o750


@needs_root
@pytest.mark.parametrize("mode, let_in", [("0600", False), ("0660", False), ("0666", True)])
def test_who_may_not_write_may_not_connect(public, serve, mode, let_in):
    serve("echo", f"unix:{public}/socket", options=["--unix-mode", mode])
    assert connects_as_nobody(f"{public}/socket") == let_in


@pytest.mark.parametrize("mode", ["0", "rw", "0800", "01777", "-1", "0660 ", "99999999999999999999999"])
def test_what_are_no_permissions_is_refused(tmp_path, mode):
    done = run("serve", "echo", f"unix:{tmp_path}/socket", f"--unix-mode={mode}")
    assert done.returncode == 2 and "as in 0660" in only_line(done.stderr)
    assert not os.path.exists(f"{tmp_path}/socket")


def test_every_file_of_many_is_removed(serve, tmp_path):
    paths = []
    for number in range(40):
        (tmp_path / str(number)).mkdir()
        paths += [f"{tmp_path}/{number}/socket", f"{tmp_path}/{number}/other"]
    server = serve("echo", *(f"unix:{path}" for path in paths), workers=1)
    with server.dial(len(paths) - 1) as sock:
        exchange(sock, b"the last of them")
    server.stop()
    assert not [path for path in paths if os.path.exists(path)]


NAMES = {"utf-8": ("größe".encode(), "größe".encode()), "wide": ("日本".encode(), "日本".encode()),
         "latin-1": (b"gr\xf6\xdfe", rb"gr\xf6\xdfe"), "terminal": (b"a\x1b[2J\x07", rb"a\x1b[2J\x07")}


@pytest.mark.parametrize("kind", NAMES)
def test_a_name_is_shown_as_the_text_it_is(serve, tmp_path, monkeypatch, kind):
    name, shown = NAMES[kind]
    monkeypatch.chdir(tmp_path)
    server = serve("echo", "unix:" + os.fsdecode(name), probe=None)
    said = os.pread(server.stderr_file.fileno(), 4096, 0)
    assert b"listens on unix:" + shown in said, repr(said)
    with dial("unix:" + os.fsdecode(name)) as sock:
        exchange(sock, b"hello")
    server.stop()
    assert not os.path.exists(name), "its file stays behind"


@pytest.mark.parametrize("model", SOME_MODELS)
def test_the_name_of_a_client_is_shown_too(serve, tmp_path, model):
    server = serve("echo", f"unix:{tmp_path}/socket", model=model)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(PATIENCE)
        sock.bind(os.fsencode(tmp_path) + b"/caf\xc3\xa9\xff\n")
        sock.connect(f"{tmp_path}/socket")
        exchange(sock, b"hello")
    server.wait_said(r"/café\\xff\\n connected")
