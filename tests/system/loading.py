"""Runs `parley load` and reads its result; servers to load: of known latency (known_server.c), and in Python."""

import json
import os
import selectors
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from client import PATIENCE
from harness import PARLEY, SANITIZERS

HERE = Path(__file__).resolve().parent

natively = pytest.mark.skipif(os.environ.get("PARLEY_SANITIZER") == "valgrind",
                              reason="valgrind is too slow for any load, and leaves limits as they are")
# Before all others, where that is permitted, so that what else runs here is not measured too.
FIRST = ("chrt", "-f", "10")
if "PARLEY_SANITIZER" in os.environ or subprocess.run([*FIRST, "true"], check=False, capture_output=True).returncode:
    FIRST = ()
on_pollers = pytest.mark.parametrize("poller", ["select", "poll", "epoll", "uring"])


class Outcome:
    """Of a load that has ended."""

    def __init__(self, command, code, stdout, stderr):
        self.command, self.code, self.stdout, self.stderr = command, code, stdout, stderr
        assert not SANITIZERS.search(stderr), f"{self}"

    def __str__(self):
        return f"{' '.join(self.command)}\nexit code {self.code}\n{self.stderr[-3000:]}\n{self.stdout[:6000]}"

    @property
    def json(self):
        try:
            return json.loads(self.stdout)
        except json.JSONDecodeError as error:
            raise AssertionError(f"no JSON ({error}): {self}") from None

    def errors(self):
        """Kind to count, of those that happened."""
        return {kind: about["count"] for kind, about in self.json["errors_by"].items() if about["count"]}

    def first(self, kind):
        return self.json["errors_by"][kind]["first"]

    def answered(self):
        return self.json["requests"] + self.json["replies_late"]


class Load:
    """A `parley load` that runs, with its result as JSON on stdout."""

    def __init__(self, address, *options, output=("--json", "-"), wrapper=(), **popen):
        self.command = [*wrapper, PARLEY, "load", *([address] if address else []), *map(str, options), *output]
        popen = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **popen}
        self.process = subprocess.Popen(self.command, text=True, **popen)

    def signal(self, number):
        os.kill(self.process.pid, number)

    def wait(self, patience=2 * PATIENCE):
        try:
            stdout, stderr = self.process.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"not over after {patience:g} s: {' '.join(self.command)}") from None
        return Outcome(self.command, self.process.returncode, stdout or "", stderr or "")

    def kill(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.communicate(timeout=PATIENCE)


def load(address, *options, code=0, **how):
    """Runs one to its end, which must be this exit code. An open loop may find that this machine is too busy to
    keep its schedule, and says so: its times mean nothing then, but its counts hold all the same."""
    outcome = Load(address, *options, **how).wait()
    was_busy = code in (0, 1) and outcome.code == 3 and "-R" in options and not outcome.json["valid"]
    assert outcome.code == code or was_busy, f"wanted exit code {code}: {outcome}"
    return outcome


# ---- a server whose latency is known ----

class KnownServer:
    """known_server.c with these options."""

    def __init__(self, program, *options):
        self.process = subprocess.Popen([*FIRST, program, *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        text=True)
        self.address = f"127.0.0.1:{int(self.process.stdout.readline())}"

    def stop(self):
        self.process.kill()
        self.process.wait(PATIENCE)
        self.process.stdout.close()


# ---- a server in Python ----

class Client:
    """What a PythonServer knows of one connection."""

    def __init__(self, sock, number, peer):
        self.sock, self.number, self.peer = sock, number, peer
        self.received = bytearray()
        self.closed = False

    def send(self, data):
        try:
            self.sock.sendall(data)
            return len(data)
        except (ConnectionError, TimeoutError):
            return 0


class Service:
    """What a PythonServer does; this one is an echo. Its calls come from the server's thread."""

    def opened(self, server, client):
        pass

    def received(self, server, client, data):
        server.send(client, data)

    def ended(self, server, client):
        pass


class PythonServer(threading.Thread):
    """One thread that serves, and counts: connections, bytes, who came from where and in which order."""

    def __init__(self, service=None, host="127.0.0.1", port=0, path=None, backlog=4096):
        super().__init__(daemon=True)
        self.service = service or Service()
        family = socket.AF_UNIX if path else socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(path or (host, port))
        self.listener.listen(backlog)
        self.listener.setblocking(False)
        self.port = None if path else self.listener.getsockname()[1]
        self.address = f"unix:{path}" if path else f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"
        self.selector = selectors.DefaultSelector()
        self.wake, self.waker = socket.socketpair()
        self.selector.register(self.wake, selectors.EVENT_READ, "stop")
        self.selector.register(self.listener, selectors.EVENT_READ, "listener")
        self.clients = []
        self.bytes_in = self.bytes_out = self.open = self.open_most = 0
        self.failure = None
        self.start()

    def send(self, client, data):
        self.bytes_out += client.send(data)

    def close(self, client, reset=False):
        if client.closed:
            return
        client.closed = True
        self.open -= 1
        self.selector.unregister(client.sock)
        if reset:
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.sock.close()

    def run(self):
        try:
            while True:
                for key, _ in self.selector.select():
                    if key.data == "stop":
                        return
                    if key.data == "listener":
                        self._accept()
                    elif not key.data.closed:
                        self._receive(key.data)
        except Exception as error:  # pylint: disable=broad-except  # told by stop(), in the test's own thread
            self.failure = error
        finally:
            self._close_all()

    def _accept(self):
        while True:
            try:
                sock, peer = self.listener.accept()
            except BlockingIOError:
                return
            sock.settimeout(PATIENCE)
            client = Client(sock, len(self.clients), peer)
            self.clients.append(client)
            self.open += 1
            self.open_most = max(self.open, self.open_most)
            self.selector.register(sock, selectors.EVENT_READ, client)
            self.service.opened(self, client)

    def _receive(self, client):
        try:
            data = client.sock.recv(1 << 18)
        except ConnectionError:
            data = b""
        self.bytes_in += len(data)
        if data:
            self.service.received(self, client, data)
        else:
            self.service.ended(self, client)
            self.close(client)

    def _close_all(self):
        for client in self.clients:
            self.close(client)
        self.listener.close()
        self.selector.close()

    def stop(self):
        self.waker.send(b".")
        self.join(PATIENCE)
        self.wake.close()
        self.waker.close()
        assert not self.is_alive(), "the test's own server hangs"
        if self.failure:
            raise self.failure


class Requests(Service):
    """Collects whole requests of `size` bytes and hands each to `answer`, which gives bytes, or None."""

    def __init__(self, answer, size=64):
        self.answer, self.size = answer, size
        self.count = 0

    def received(self, server, client, data):
        client.received += data
        while len(client.received) >= self.size:
            request = bytes(client.received[:self.size])
            del client.received[:self.size]
            self.count += 1
            reply = self.answer(request)
            if reply is not None:
                server.send(client, reply)


# ---- fixtures ----

@pytest.fixture
def servers():
    """Ends what is put into it."""
    started = []
    yield started
    for server in started:
        server.stop()


def compiled(name, directory):
    """The program of NAME.c, which stands beside the tests."""
    subprocess.run(["cc", "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror", "-o", directory / name,
                    HERE / f"{name}.c"], check=True, timeout=PATIENCE)
    return directory / name


@pytest.fixture(scope="session")
def known_program(tmp_path_factory):
    return compiled("known_server", tmp_path_factory.mktemp("known"))


@pytest.fixture
def known(known_program, servers):
    """Starts servers of known latency: known("--delay", "20")."""
    def start(*options):
        servers.append(KnownServer(known_program, *options))
        return servers[-1]
    return start


@pytest.fixture
def python_server(servers):
    """Starts servers in Python: python_server(Service(), path=…)."""
    def start(*arguments, **options):
        servers.append(PythonServer(*arguments, **options))
        return servers[-1]
    return start
