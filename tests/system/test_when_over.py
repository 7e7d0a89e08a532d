"""What becomes of a connection that meets one of its limits: --when-over. Each limit has a listener of its own,
so that one server has them all."""

import socket
import struct
from contextlib import ExitStack

import pytest

from certificates import Secured
from client import exchange, receive_all, receive_exactly, receive_what_comes
from harness import only_line, run

SEVERAL = ["prethread+epoll", "prethread+uring", "prefork+poll", "fork+blocking", "thread+blocking"]
SAID = b"that is enough\n"
POLICIES = ["close", "reset", f"message={SAID.decode().rstrip()}"]

# The words of a listener, and what its client says before it waits.
LIMITS = {"first-byte=200ms": b"", "idle=200ms": b"hello\n", "life=300ms": b"hello\n",
          "min-rate=1000/200ms": b"hello\n", "bytes-max=100": b"x" * 200 + b"\n", "message-max=50": b"y" * 60 + b"\n"}


def fate(sock):
    """What comes, and whether the end of it is one."""
    came = b""
    try:
        while part := sock.recv(4096):
            came += part
        return came, "end"
    except ConnectionResetError:
        return came, "reset"


def serve_all(serve, model, policy, *options, **others):
    listeners = [word for limit in LIMITS for word in ("--listen", f"127.0.0.1:0 {limit}")]
    return serve("echo", "127.0.0.1:0", model=model,
                 options=[*listeners, "--framing", "line", "--when-over", policy, *options], probe=None, **others)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("model", SEVERAL)
def test_every_limit_ends_as_the_policy_says(serve, model, policy):
    server = serve_all(serve, model, policy)
    with ExitStack() as stack:
        clients = {limit: stack.enter_context(server.dial(index))
                   for index, limit in enumerate(LIMITS, 1)}
        bystander = stack.enter_context(server.dial())
        for limit, sock in clients.items():
            if LIMITS[limit] == b"hello\n":
                exchange(sock, LIMITS[limit])
            else:
                sock.sendall(LIMITS[limit])
        for limit, sock in clients.items():
            came, end = fate(sock)
            if policy == "reset":
                assert (came, end) == (b"", "reset"), limit
            elif policy == "close":
                assert came == b"" and (end == "end" or LIMITS[limit][:1] in (b"x", b"y")), limit
            else:
                assert (came, end) == (SAID, "end"), limit
        exchange(bystander, b"nobody meets my limits\n")


@pytest.mark.parametrize("model", SEVERAL)
def test_who_takes_nothing_is_told_nothing(serve, model):
    server = serve("echo", model=model, options=["--write-timeout", "300ms", "--when-over", "message=go"])
    with server.dial(receive_buffer=4096) as sock:
        sock.settimeout(1)
        try:
            while True:
                sock.sendall(b"z" * (1 << 16))
        except OSError:
            pass
        server.wait_said("left: stalled: .*: write-timeout 300ms;")
        assert set(receive_what_comes(sock)) <= set(b"z")


@pytest.mark.parametrize("model", SEVERAL)
def test_the_message_stands_behind_what_was_sent(serve, model):
    """Also behind what waited in the server, and no reset destroys it though the client goes on talking."""
    server = serve("chargen", model=model, probe=None,
                   options=["--bytes-max", "8MiB", "--when-over", "message=enough"])
    with server.dial() as sock:
        sock.sendall(b"a word\n")
        came = receive_all(sock)
    assert came.endswith(b"enough\n") and len(came) >= 8 << 20
    server.wait_said("left: moved as many bytes as it may: bytes-max 8MiB;")


@pytest.mark.parametrize("model", ["prethread+epoll", "prethread+uring", "thread+blocking"])
def test_who_is_told_has_the_linger_time_and_no_more(serve, model):
    """A peer that reads nothing cannot stay by it."""
    server = serve("chargen", model=model, probe=None,
                   options=["--life", "300ms", "--when-over", "message=enough", "--linger", "300ms"])
    with server.dial(receive_buffer=4096):
        server.wait_said("left: its time was over: life 300ms;")


@pytest.mark.parametrize("model", ["prethread+epoll", "fork+blocking"])
def test_the_message_is_framed_as_all_others(serve, model):
    server = serve("echo", model=model, probe=None,
                   options=["--framing", "u16be", "--idle", "200ms", "--when-over", "message=enough"])
    with server.dial() as sock:
        exchange(sock, b"\0\2hi")
        assert receive_all(sock) == b"\0\6enough"


@pytest.mark.parametrize("model", ["prethread+epoll", "prethread+uring", "fork+blocking"])
def test_under_tls_the_message_is_encrypted(serve, good, model):
    server = serve("echo", "127.0.0.1:0 idle=200ms", model=model, probe=None, options=[
        "--tls", "--cert", good[0], "--key", good[1], "--when-over", "message=that is enough",
        "--listen", "127.0.0.1:0 bytes-max=10KiB", "--listen", "127.0.0.1:0 handshake-timeout=200ms"])
    for index, word in enumerate((b"hello", b"x" * 20480)):
        with server.dial(index) as sock, Secured(sock).handshake() as client:
            client.sendall(word)
            came = b""
            while part := client.recv(65536):
                came += part
            assert came.endswith(SAID)  # and close_notify behind it, or recv() had raised
    with server.dial(2) as sock:
        assert receive_all(sock) == b"", "nothing goes out in the clear"
    server.wait_said("turned away: TLS: no handshake within handshake-timeout, 200 ms")


def test_who_never_shakes_hands_can_be_reset(serve, good):
    server = serve("echo", probe=None, options=["--tls", "--cert", good[0], "--key", good[1], "--when-over", "reset",
                                                "--handshake-timeout", "200ms"])
    with server.dial() as sock:
        assert fate(sock) == (b"", "reset")


@pytest.mark.parametrize("policy", POLICIES)
def test_a_relayed_client_is_told_and_its_target_let_go(serve, policy):
    with socket.create_server(("127.0.0.1", 0)) as target:
        server = serve("relay", probe=None, options=["--to", "127.0.0.1:%d" % target.getsockname()[1],
                                                     "--idle", "300ms", "--when-over", policy])
        with server.dial() as sock:
            sock.sendall(b"to the target")
            behind, _ = target.accept()
            with behind:
                behind.settimeout(20)
                assert receive_exactly(behind, 13) == b"to the target"
                behind.sendall(b"from the target\n")
                came, end = fate(sock)
                assert came == b"from the target\n" + (SAID if policy.startswith("message") else b"")
                assert end == ("reset" if policy == "reset" else "end")
                assert receive_what_comes(behind) == b""


def test_a_client_that_resets_while_it_is_told_leaves_for_its_limit(serve):
    server = serve("echo", probe=None, options=["--idle", "200ms", "--when-over", "message=enough"])
    with server.dial() as sock:
        assert receive_exactly(sock, 7) == b"enough\n"
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    server.wait_said("left: idle for too long: idle 200ms; 0 bytes in, 7 bytes out")


@pytest.mark.parametrize("value, complaint", [
    ("queue", "when-over 'queue' is none of: close, reset, message=TEXT"),
    ("message=" + "x" * 300, "when-over: the message is too long: at most 254 bytes")])
def test_a_wrong_policy_is_refused(value, complaint):
    ended = run("serve", "echo", "127.0.0.1", "0", "--when-over", value)
    assert ended.returncode == 2
    assert complaint in only_line(ended.stderr)
