"""What the tests of connect and listen share: peers made of plain sockets, and the command run against them."""

import contextlib
import socket
import subprocess
import threading

from client import PATIENCE
from harness import PARLEY


@contextlib.contextmanager
def peer(serve, clients=1, family=socket.AF_INET, host="127.0.0.1"):
    """A server of our own on a free port: `serve(connection)` for each of `clients`, one after another."""
    failures = []
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, 0))
        listener.listen(16)
        listener.settimeout(PATIENCE)

        def run():
            try:
                for _ in range(clients):
                    connection, _ = listener.accept()
                    with connection:
                        connection.settimeout(PATIENCE)
                        serve(connection)
            except Exception as failure:  # told to the test below
                failures.append(failure)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield str(listener.getsockname()[1])
        thread.join(PATIENCE)
        assert not thread.is_alive(), "the peer is still serving"
        assert not failures, failures


def read_all(connection):
    pieces = []
    while piece := connection.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


def echo(connection):
    while piece := connection.recv(65536):
        connection.sendall(piece)


def parley(*words, input=b"", timeout=PATIENCE, **more):
    """Runs the command to its end."""
    return subprocess.run([PARLEY, *map(str, words)], input=input, capture_output=True, timeout=timeout, **more)


@contextlib.contextmanager
def running(*words, **more):
    """The command while it runs: three pipes. Killed if the test leaves it behind."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
    with subprocess.Popen([PARLEY, *map(str, words)], **pipes) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])
