"""`parley serve relay`: the test is the client and the target, so it sees what arrives at either end, and when."""

import contextlib
import os
import re
import socket
import ssl
import threading

import pytest

import proxying
from certificates import Secured, fingerprint, trusting
from client import (PATIENCE, Stream, Writer, exchange, fill, receive_all, receive_exactly, receive_stream,
                    receive_what_comes, reset, wait_until)
from harness import EVENT_MODELS, MODELS, SHADOWS, only_line, poller_of, run
from loading import PythonServer
from talking import free_port

RELAYING = [model for model in MODELS if poller_of(model) != "blocking"]
SEVERAL = ["iterative+poll", "fork+epoll", "thread+uring", "prefork+epoll", "prethread+select", "prethread+uring"]
BULK = 3 << 20
MANY = 200


class Target:
    """Where a relay forwards to: a listener whose connections are taken one by one."""

    def __init__(self, backlog=512):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=backlog)
        self.listener.settimeout(PATIENCE)
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"

    def accept(self):
        sock, _ = self.listener.accept()
        sock.settimeout(PATIENCE)
        return sock

    def probe(self, sock):
        """Words and ends both ways."""
        sock.sendall(b"are you there?")
        with self.accept() as behind:
            exchange(behind, b"yes", b"are you there?")
            assert receive_exactly(sock, 3) == b"yes"
            sock.shutdown(socket.SHUT_WR)
            assert receive_all(behind) == b""
        assert receive_all(sock) == b""


@pytest.fixture
def target():
    made = Target()
    yield made
    made.listener.close()


@pytest.fixture
def relay(target, serve):
    """Starts one, in front of the target or of another address."""
    def start(*options, to=None, **more):
        more.setdefault("probe", None if to else target.probe)
        return serve("relay", options=["--to", to or target.address, *options], **more)
    return start


def pair_of(server, target, **options):
    """A client and its other end."""
    sock = server.dial(**options)
    return sock, target.accept()


# ---- bytes and ends ----

def bulk_both_ways(client, behind):
    """At the same time, and each end said behind its last byte."""
    there, back = Stream(1), Stream(2)
    writers = [Writer(client, there, BULK), Writer(behind, back, BULK)]
    got = []
    reader = threading.Thread(target=lambda: got.append(receive_stream(behind, there)), daemon=True)
    reader.start()
    assert receive_stream(client, back) == (BULK, None)
    reader.join(PATIENCE)
    assert got == [(BULK, None)]
    for writer in writers:
        writer.finish()


def a_sort(client, behind):
    """It has nothing to say before it has heard all."""
    lines = [b"%06d\n" % (number * 7919 % 100_003) for number in range(20_000)]
    client.sendall(b"".join(lines))
    client.shutdown(socket.SHUT_WR)
    heard = receive_all(behind).splitlines(keepends=True)
    behind.sendall(b"".join(sorted(heard)))
    behind.close()
    assert receive_all(client) == b"".join(sorted(lines))


def the_target_ends_first(client, behind):
    behind.sendall(b"banner")
    behind.shutdown(socket.SHUT_WR)
    assert receive_all(client) == b"banner"
    client.sendall(b"and more")
    client.shutdown(socket.SHUT_WR)
    assert receive_all(behind) == b"and more"


def a_client_resets(client, behind):
    client.sendall(b"x")
    assert receive_exactly(behind, 1) == b"x"
    reset(client)
    with pytest.raises(ConnectionResetError):
        behind.recv(1)


def a_target_resets(client, behind):
    a_client_resets(behind, client)


@pytest.mark.parametrize("model", RELAYING)
def test_bytes_and_ends_pass(relay, target, model):
    server = relay("--high-water", "64KiB", model=model)
    for kind in (bulk_both_ways, a_sort, the_target_ends_first, a_client_resets, a_target_resets):
        client, behind = pair_of(server, target)
        with client, behind:
            kind(client, behind)


@pytest.mark.parametrize("model", SEVERAL)
@pytest.mark.parametrize("to_target", [True, False], ids=["to-target", "to-client"])
def test_a_slow_reader_holds_back_who_sends_and_nobody_else(relay, target, model, to_target):
    """What waits is bounded; the other direction goes on; in the end no byte is missing."""
    server = relay("--high-water", "64KiB", model=model)
    client, behind = pair_of(server, target)
    sender, reader = (client, behind) if to_target else (behind, client)
    with client, behind:
        exchange_across(client, behind)
        before, limit = server.memory(), 100 << 20
        sent = fill(sender, Stream(), limit)
        assert sent < limit, "it never stopped reading"
        assert server.memory() - before < SHADOWS * (2 << 20), f"{server.memory() - before} bytes more for {sent} sent"
        reader.sendall(b"the other way")
        assert receive_exactly(sender, 13) == b"the other way"
        sender.shutdown(socket.SHUT_WR)
        assert receive_stream(reader, Stream()) == (sent, None)


def exchange_across(client, behind):
    client.sendall(b"question")
    exchange(behind, b"answer", b"question")
    assert receive_exactly(client, 6) == b"answer"


@pytest.mark.parametrize("model", [*EVENT_MODELS, "fork+poll", "thread+select"])
def test_many_clients_do_not_meet(relay, model):
    """All are there at once, and each hears itself."""
    behind = PythonServer()
    server = relay(to=behind.address, model=model)
    clients = [server.dial() for _ in range(MANY)]
    try:
        for number, sock in enumerate(clients):
            sock.sendall(b"%05d" % number * 100)
        for number, sock in enumerate(clients):
            assert receive_exactly(sock, 500) == b"%05d" % number * 100
    finally:
        for sock in clients:
            sock.close()
        behind.stop()


def test_unix_sockets_at_either_side(relay, tmp_path):
    """The target's queue is full for a while: that is no failure."""
    behind = PythonServer(path=str(tmp_path / "target"), backlog=1)
    server = relay(f"unix:{tmp_path}/front", to=f"unix:{tmp_path}/target", workers=1)
    clients = [server.dial() for _ in range(50)]
    for sock in clients:
        exchange(sock, os.urandom(100_000))
        sock.close()
    behind.stop()
    assert "not forwarded" not in server.stderr()


# ---- dials ----

def line_about(server, pattern):
    """Said once, and the only complaint."""
    server.wait_said(pattern)
    return only_line("\n".join(line for line in server.stderr().splitlines() if re.search(pattern, line)))


def come_in_vain(server):
    """A client for whom nobody is reached: it may hear so before its own connect() returns."""
    with contextlib.suppress(ConnectionResetError), server.dial() as client:
        client.sendall(b"for nobody")
        assert receive_what_comes(client) == b""


@pytest.mark.parametrize("model", RELAYING)
def test_a_target_that_refuses_is_named(relay, target, model):
    server = relay(model=model, probe=None)
    target.listener.close()
    come_in_vain(server)
    said = line_about(server, "not forwarded")
    assert re.search(rf" 127\.0\.0\.1:\d+ not forwarded to {target.address}: connect: connection refused \(", said), said


@pytest.mark.parametrize("to, why", [("nobody.invalid:80", "resolve nobody.invalid: "),
                                     ("localhost:1", "connect .*:1: connection refused .*; tried 2 addresses of localhost:1"),
                                     ("unix:/nowhere/at/all", "connect unix:/nowhere/at/all: no such file or directory")])
def test_other_targets_that_are_not_there(relay, to, why):
    server = relay(to=to)
    come_in_vain(server)
    line_about(server, f"not forwarded to {re.escape(to)}: {why}")


@pytest.fixture
def reluctant():
    """A target that lets nobody in: its queue is full."""
    made = Target(backlog=0)
    waiting = []
    for _ in range(3):
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(made.listener.getsockname())
        waiting.append(sock)
    made.waiting = waiting
    yield made
    for sock in waiting:
        sock.close()
    made.listener.close()


@pytest.mark.parametrize("model", SEVERAL)
def test_a_target_that_does_not_answer_is_given_up(relay, reluctant, model):
    server = relay("--connect-timeout", "200ms", to=reluctant.address, model=model)
    come_in_vain(server)
    line_about(server, f"not forwarded to {reluctant.address}: connect: .*timed out")


@pytest.mark.parametrize("to", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("model", ["prethread+select", "prethread+epoll", "prethread+uring"])
def test_a_client_that_leaves_calls_off_its_dial(relay, reluctant, model, to):
    """Well before the dial's own time is over, nothing of it is left."""
    port = reluctant.address.rpartition(":")[2]
    server = relay("--connect-timeout", "1h", "-4", to=f"{to}:{port}", model=model)
    with server.dial() as client:
        client.sendall(b"x")
        wait_until(lambda: not server.is_back(), "the dial is under way")
        reset(client)
    server.wait_baseline()
    assert "not forwarded" not in server.stderr()


@pytest.mark.parametrize("model", ["prefork+poll", "prethread+uring"])
def test_what_is_said_before_the_target_is_there_arrives(relay, reluctant, model):
    """More than high-water, and the end."""
    server = relay("--high-water", "64KiB", to=reluctant.address, model=model)
    with server.dial() as client:
        writer = Writer(client, Stream(), BULK)
        wait_until(lambda: writer.sent > 0, "it begins to send")
        for sock in reluctant.waiting:
            sock.close()
        got = 0
        while not got:  # the first few are those that filled the queue
            with reluctant.accept() as behind:
                got, _ = receive_stream(behind, Stream())
        assert got == BULK
        writer.finish()
        assert receive_all(client) == b""


# ---- itself as its target ----

@pytest.mark.parametrize("listens, to", [
    (["127.0.0.1:{}"], "127.0.0.1:{}"), (["{}"], "127.0.0.1:{}"), (["{}"], "localhost:{}"), (["{}"], "{}"),
    (["127.0.0.1:0", "127.0.0.1:{}"], "127.0.0.1:{}"), (["@parley-test-{}"], "@parley-test-{}"),
    (["unix:{tmp_path}/socket"], "unix:{tmp_path}/./socket")], ids=lambda words: str(words))
def test_one_that_would_forward_to_itself_is_refused(tmp_path, listens, to):
    port = free_port()
    to = to.format(port, tmp_path=tmp_path)
    done = run("serve", "relay", *(word.format(port, tmp_path=tmp_path) for word in listens), "--to", to)
    assert (done.returncode, done.stdout) == (2, "")
    assert only_line(done.stderr) == (f"parley serve: --to {to}: this server listens there itself, and would forward to "
                                      "itself without end; give another address or port")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("model", SEVERAL)
def test_a_name_that_leads_to_itself_is_passed_over(serve, model):
    """Its other address may be somebody else's; here it is nobody's."""
    port = free_port()
    server = serve("relay", f"127.0.0.1:{port}", options=["--to", f"localhost:{port}"], model=model, probe=None)
    come_in_vain(server)
    line_about(server, f"not forwarded to localhost:{port}: connect .*")
    assert len(re.findall("not forwarded", server.stderr())) == 1, server.stderr()
    with socket.create_server(("::1", int(port)), family=socket.AF_INET6) as other, server.dial() as client:
        other.settimeout(PATIENCE)
        with other.accept()[0] as behind:
            exchange_across(client, behind)


@pytest.mark.parametrize("listens, host", [(["-6", "{}"], "127.0.0.1"), (["127.0.0.1:{}"], "127.0.0.2")],
                         ids=["IPv6 alone", "another address"])
def test_the_same_port_elsewhere_is_no_loop(serve, listens, host):
    with socket.create_server((host, 0)) as other:
        port = other.getsockname()[1]
        server = serve("relay", *(word.format(port) for word in listens), options=["--to", f"{host}:{port}"], probe=None)
        with server.dial() as client, other.accept()[0] as behind:
            exchange_across(client, behind)


# ---- times and the stop ----

@pytest.mark.parametrize("option, reason", [("--idle", "idle for too long"), ("--life", "its time was over")])
def test_times_of_the_client_end_both(relay, target, option, reason):
    server = relay(option, "200ms", probe=None)
    client, behind = pair_of(server, target)
    with client, behind:
        assert receive_what_comes(client) == receive_what_comes(behind) == b""
    server.wait_said(f"left: {reason}")


@pytest.mark.parametrize("model", RELAYING)
def test_a_stop_lets_them_finish(relay, target, model):
    server = relay(model=model)
    client, behind = pair_of(server, target)
    with client, behind:
        exchange_across(client, behind)
        server.terminate()
        server.wait_said("stopping")
        client.sendall(b"last question")
        client.shutdown(socket.SHUT_WR)
        assert receive_all(behind) == b"last question"
        behind.sendall(b"last answer")
        behind.close()
        assert receive_all(client) == b"last answer"
    assert server.wait_ended() == 0


# ---- the command line ----

@pytest.mark.parametrize("model", sorted(set(MODELS) - set(RELAYING)))
def test_a_worker_that_blocks_is_refused(model):
    done = run("serve", "relay", "127.0.0.1:0", "--to", "1", "--model", model)
    assert done.returncode == 2
    assert "relay cannot run under" in only_line(done.stderr) and "choose select, poll, epoll or uring" in done.stderr


@pytest.mark.parametrize("options, complaint", [
    ([], "whom are connections forwarded to? --to ADDRESS tells"),
    (["--to", "a:b:c"], "--to: address \"a:b:c\": "),
    (["--to", "1", "--to-ca", "x.pem"], "--to-ca is about TLS to the target: add --to-tls"),
    (["--to", "1", "--framing", "line"], "relay passes on bytes as they come: it has no --framing"),
])
def test_what_cannot_be_meant_is_refused(options, complaint):
    done = run("serve", "relay", "127.0.0.1:0", *options)
    assert done.returncode == 2 and complaint in only_line(done.stderr), done.stderr


# ---- TLS ----

class Ends:
    """Client and target of one connection, each plain or secured."""

    def __init__(self, server, target, authority, good, front, back):
        self.front, self.back = server.dial(), None
        self.client = self.front
        if front:
            self.client = Secured(self.front, trusting(authority.path)).handshake()
        self.back = self.behind = target.accept()
        if back:
            self.behind = Secured(self.back, serving(good), server_side=True).handshake()

    def __enter__(self):
        return self

    def __exit__(self, *reason):
        self.front.close()
        self.back.close()


def serving(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate[:2])
    return context


def say_end(side):
    if isinstance(side, Secured):
        side.say_end()
    else:
        side.shutdown(socket.SHUT_WR)


def hear_all(side):
    parts = []
    while part := side.recv(1 << 18):
        parts.append(part)
    return b"".join(parts)


def send_all(side, data):
    thread = threading.Thread(target=lambda: (side.sendall(data), say_end(side)), daemon=True)
    thread.start()
    return thread


SIDES = pytest.mark.parametrize("front, back", [(True, False), (False, True), (True, True)],
                                ids=["tls-plain", "plain-tls", "tls-tls"])


@pytest.fixture
def relay_tls(relay, authority, good):
    def start(front, back, *options, **more):
        options = [*options, *(["--tls", "--cert", good[0], "--key", good[1]] if front else []),
                   *(["--to-tls", "--to-ca", authority.path] if back else [])]
        return relay(*options, probe=None, **more)
    return start


@SIDES
@pytest.mark.parametrize("model", ["iterative+poll", "fork+epoll", "prethread+select", "prethread+epoll",
                                   "prethread+uring"])
def test_tls_on_either_side(relay_tls, target, authority, good, model, front, back):
    server = relay_tls(front, back, model=model)
    with Ends(server, target, authority, good, front, back) as ends:
        data, answer = os.urandom(BULK), os.urandom(1 << 20)
        sending = send_all(ends.client, data)
        assert hear_all(ends.behind) == data  # and its end, said as TLS says it
        sending.join(PATIENCE)
        sending = send_all(ends.behind, answer)
        assert hear_all(ends.client) == answer
        sending.join(PATIENCE)
    server.wait_said("left: finished")


@SIDES
@pytest.mark.parametrize("model", ["fork+poll", "prethread+epoll", "prethread+uring"])
def test_a_truncated_side_resets_the_other(relay_tls, target, authority, good, model, front, back):
    server = relay_tls(front, back, model=model)
    with Ends(server, target, authority, good, front, back) as ends:
        cut, cut_wire, other = (ends.client, ends.front, ends.back) if front else (ends.behind, ends.back, ends.front)
        cut.sendall(b"all of it?")
        wait_until(lambda: other.recv(1, socket.MSG_PEEK), "it has passed")
        cut_wire.shutdown(socket.SHUT_WR)
        with pytest.raises(ConnectionResetError):
            while other.recv(1000):
                pass
    server.wait_said("ended without TLS's close_notify")


@pytest.mark.parametrize("options, why", [
    ([], "TLS: .*certificate"),
    (["--to-pin", "sha256:" + "00" * 32], "TLS: .*pin"),
])
def test_a_target_that_is_not_believed(relay, target, good, options, why):
    server = relay("--to-tls", *options, probe=None)
    with server.dial() as client:
        client.sendall(b"a secret")
        with target.accept() as behind, pytest.raises((OSError, AssertionError)):
            secured = Secured(behind, serving(good), server_side=True).handshake()
            assert secured.recv(100) == b""
        assert receive_what_comes(client) == b""
    line_about(server, f"not forwarded to {target.address}: {why}")


@pytest.mark.parametrize("kind", ["pin", "insecure"])
def test_other_ways_to_believe_it(relay, target, good, kind):
    options = ["--to-pin", fingerprint(good[2])] if kind == "pin" else ["--to-insecure"]
    server = relay("--to-tls", *options, probe=None)
    with server.dial() as client:
        client.sendall(b"hello")
        secured = Secured(target.accept(), serving(good), server_side=True).handshake()
        assert secured.recv(100) == b"hello"
        secured.close()
    assert ("anybody may be at the other end" in server.stderr()) == (kind == "insecure")


# ---- PROXY headers ----

@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("model", SEVERAL)
def test_the_target_is_told_who_the_client_is(relay, target, model, version):
    """In one header before all else, which names the client and where it came to."""
    server = relay("--proxy-send", version, model=model, probe=None)
    client, behind = pair_of(server, target)
    with client, behind:
        me, there = client.getsockname(), client.getpeername()
        header = proxying.v1(me, there) if version == "v1" else proxying.with_sum(proxying.v2(me, there))
        client.sendall(b"hello")
        assert receive_exactly(behind, len(header) + 5) == header + b"hello"


def test_the_header_precedes_tls(relay_tls, target, good):
    server = relay_tls(False, True, "--proxy-send", "v1")
    with server.dial() as client, target.accept() as behind:
        header = proxying.v1(client.getsockname(), client.getpeername())
        assert receive_exactly(behind, len(header)) == header
        client.sendall(b"hello")
        assert Secured(behind, serving(good), server_side=True).handshake().recv(100) == b"hello"


def test_a_client_behind_a_proxy_is_passed_on(relay, target):
    """Whoever the proxy in front spoke for, in another version."""
    server = relay("--proxy-from", "127.0.0.1", "--proxy-send", "v1", probe=None)
    client, behind = pair_of_proxied(server, target, proxying.v2(("192.0.2.7", 1234), ("192.0.2.1", 80)))
    with client, behind:
        header = proxying.v1(("192.0.2.7", 1234), ("192.0.2.1", 80))
        assert receive_exactly(behind, len(header) + 5) == header + b"hello"


def pair_of_proxied(server, target, header):
    client = server.dial()
    client.sendall(header + b"hello")
    return client, target.accept()
