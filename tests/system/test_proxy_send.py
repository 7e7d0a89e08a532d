"""Speaking as a proxy: `connect` and `load` with --proxy-send, judged by the bytes that arrive, and by a server behind it."""

import re
import socket

import pytest

import proxying
from client import dial
from harness import only_line, run
from loading import load
from proxying import v1, with_sum
from talking import parley, peer, read_all, running

CONVERSES = ["iterative+select", "iterative+poll", "iterative+epoll", "iterative+uring", "prethread+epoll"]


class Taker:
    """Keeps what each client sent until its end, and who it was; answers with the end."""

    def __init__(self):
        self.taken = []

    def __call__(self, connection):
        self.taken.append((read_all(connection), connection.getpeername(), connection.getsockname()))


def expected(version, source, destination):
    return v1(source, destination) if version == "v1" else with_sum(proxying.v2(source, destination))


# ---- connect ----

@pytest.mark.parametrize("model", CONVERSES)
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_connect_begins_with_a_header_of_its_own_addresses(model, version):
    taker = Taker()
    with peer(taker) as port:
        done = parley("connect", "127.0.0.1", port, "--send", "hello", "--proxy-send", version, "--model", model)
    assert done.returncode == 0, done.stderr
    [(got, own, theirs)] = taker.taken
    assert got == expected(version, own, theirs) + b"hello"


@pytest.mark.parametrize("source, named", [
    ("192.0.2.1:1234", ("192.0.2.1", 1234)),
    ("192.0.2.1", ("192.0.2.1", None)),
])
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_connect_names_another_client(version, source, named):
    """Without a port the connection's own, so that clients can be told apart."""
    taker = Taker()
    with peer(taker) as port:
        done = parley("connect", "127.0.0.1", port, "--send", "hello", "--proxy-send", version,
                      "--proxy-source", source)
    assert done.returncode == 0, done.stderr
    [(got, own, theirs)] = taker.taken
    assert got == expected(version, (named[0], named[1] or own[1]), theirs) + b"hello"


def test_a_source_of_another_family_is_written_in_ipv6():
    taker = Taker()
    with peer(taker) as port:
        done = parley("connect", "127.0.0.1", port, "--send", "hello", "--proxy-send", "v1",
                      "--proxy-source", "[2001:db8::1]:40000")
    assert done.returncode == 0, done.stderr
    assert taker.taken[0][0] == f"PROXY TCP6 2001:db8::1 ::ffff:127.0.0.1 40000 {port}\r\nhello".encode()


def test_a_unix_connection(tmp_path):
    """Version 1 has no words for it."""
    path = str(tmp_path / "socket")
    for version, header in [("v1", b"PROXY UNKNOWN\r\n"), ("v2", with_sum(proxying.v2_unix(b"", path.encode())))]:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen()
            with running("connect", f"unix:{path}", "--send", "hello", "--proxy-send", version) as process:
                connection, _ = listener.accept()
                with connection:
                    assert read_all(connection) == header + b"hello"
                assert process.wait(20) == 0
        (tmp_path / "socket").unlink()


@pytest.mark.parametrize("words, reason", [
    (["--proxy-send", "v3"], "v1"),
    (["--proxy-send", "v1", "--proxy-source", "localhost"], "not in numbers"),
])
def test_what_cannot_be_meant(words, reason):
    done = run("connect", "127.0.0.1:1", *words)
    assert done.returncode == 2
    assert reason in only_line(done.stderr)


# ---- load ----

@pytest.mark.parametrize("poller", ["select", "poll", "epoll", "uring"])
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_each_connection_of_a_load_begins_with_one(serve, version, poller):
    """Whoever is behind takes no other; all replies are what was sent."""
    server = serve("echo", options=["--proxy-from", "127.0.0.1"], probe=None)
    done = load(server.addresses[0], "-c", "3", "-d", "500ms", "--verify", "--poller", poller, "--proxy-send", version,
                "--proxy-source", "192.0.2.1")
    assert done.json["requests"] > 0
    server.wait_said(r"192\.0\.2\.1:\d+ left")
    ports = set(re.findall(r"192\.0\.2\.1:(\d+) connected via 127\.0\.0\.1:\1\b", server.stderr()))
    assert len(ports) >= 3, server.stderr()[-3000:]


def test_churn_and_requests_without_replies(serve):
    server = serve("discard", options=["--proxy-from", "127.0.0.1"], probe=None)
    load(server.addresses[0], "-c", "2", "-d", "500ms", "--reply-size", "0", "--proxy-send", "v2")
    server.wait_said(r" left: finished")
    echo = serve("echo", options=["--proxy-from", "127.0.0.1"], probe=None)
    load(echo.addresses[0], "-c", "2", "-d", "500ms", "--churn", "--verify", "--proxy-send", "v1")


# ---- listen ----

def test_listen_tells_both_addresses():
    with running("listen", "127.0.0.1", "0", "--print-port", "--proxy-from", "127.0.0.1") as process:
        port = int(process.stdout.readline())
        with dial(f"127.0.0.1:{port}") as sock:
            own = f"127.0.0.1:{sock.getsockname()[1]}"
            sock.sendall(v1() + b"hello\n")
            assert process.stdout.readline() == b"hello\n"
        assert process.wait(20) == 0
        assert f"10.0.0.1:40000 connected via {own}\n" in process.stderr.read().decode()
