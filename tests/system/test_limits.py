"""Limits: how many clients may come and how fast, and what each may take. Clients come from 127.0.0.x."""

import os
import signal
import threading
import time
from contextlib import ExitStack

import pytest

from certificates import Authority, Secured
from client import (PATIENCE, exchange, fate, has_bytes, has_ended, is_served, probe_patiently, receive_all,
                    receive_exactly, receive_what_comes, wait_until)
from harness import (MODELS, SOME_MODELS, WORKERS, is_concurrent, only_line, placement_of, run)
from proxying import v1

FLOODER, OTHER = ("127.0.0.9", 0), ("127.0.0.10", 0)
TOGETHER = ["prefork+epoll", "prefork+uring", "prethread+epoll", "prethread+poll", "fork+blocking",
            "thread+blocking"]
POLICIES = ["close", "reset", "message=come later"]


def come(stack, server, source=None):
    """A client, or None: a RST may be faster than its connect."""
    try:
        return stack.enter_context(server.dial(bind=source))
    except ConnectionResetError:
        return None


@pytest.fixture(name="serve")
def serve_patiently(serve):
    def start(service, *addresses, **options):
        options.setdefault("probe", probe_patiently if service == "echo" else "of the service")
        return serve(service, *addresses, **options)
    return start


def fate_under(policy):
    return {"queue": "closed", "close": "closed", "reset": "reset"}.get(policy, "come later\n")


# ---- A8: one address ----

@pytest.mark.parametrize("model", [model for model in MODELS if is_concurrent(model)])
def test_a_flood_from_one_address_leaves_the_others_their_places(serve, model):
    server = serve("echo", model=model, options=["--per-address", "2"])
    with ExitStack() as stack:
        flood = [come(stack, server, FLOODER) for _ in range(12)]
        served = [sock for sock in flood if is_served(sock)]
        assert len(served) == 2
        server.wait_said(r"127\.0\.0\.9:\d+ turned away: at most 2 of 127\.0\.0\.9 \(per-address\)")
        assert is_served(come(stack, server, OTHER))
        served[0].close()
        wait_until(lambda: is_served(come(stack, server, FLOODER)), "another takes the place of one that left")
        assert is_served(served[1])


@pytest.mark.parametrize("policy", ["queue", *POLICIES])
@pytest.mark.parametrize("model", ["prethread+epoll", "prethread+uring", "fork+blocking"])
def test_one_too_many_of_an_address_is_told(serve, model, policy):
    server = serve("echo", model=model, options=["--per-address", "1", "--when-full", policy])
    with ExitStack() as stack:
        assert is_served(come(stack, server, FLOODER))
        assert fate(come(stack, server, FLOODER)) == fate_under(policy)


def test_a_network_has_its_limit_too(serve):
    server = serve("echo", options=["--per-network", "3", "--per-address", "2"])
    with ExitStack() as stack:
        for last in (2, 2, 3):
            assert is_served(come(stack, server, (f"127.0.0.{last}", 0)))
        assert fate(come(stack, server, OTHER)) == "closed"
        server.wait_said(r"at most 3 of 127\.0\.0\.0/24 \(per-network\)")
        assert is_served(come(stack, server, ("127.0.1.2", 0)))


@pytest.mark.parametrize("model", ["iterative+epoll", "iterative+blocking"])
def test_counting_does_not_hinder_one_after_another(serve, model):
    server = serve("echo", model=model, options=["--per-address", "1"])
    for _ in range(20):
        server.serve_probe()


# ---- workers that are killed ----

def kill_processes(server):
    for child in server.children():
        try:
            os.kill(child, signal.SIGKILL)
        except ProcessLookupError:  # one that has turned its client away
            pass


@pytest.mark.parametrize("model", ["prefork+epoll", "prefork+blocking", "fork+blocking", "fork+epoll"])
def test_what_killed_processes_held_is_given_back(serve, model):
    most = WORKERS - 1  # one worker is left to turn the next away
    server = serve("echo", model=model, options=["--per-address", str(most)])
    with ExitStack() as stack:
        assert all(is_served(come(stack, server, FLOODER)) for _ in range(most))
        assert not is_served(come(stack, server, FLOODER))
        kill_processes(server)
        for _ in range(most):
            wait_until(lambda: is_served(come(stack, server, FLOODER)), "all its places are free again")


@pytest.mark.parametrize("model", ["prefork+epoll", "fork+blocking"])
def test_what_killed_processes_held_of_all_places_is_given_back(serve, model):
    server = serve("echo", model=model, options=["--connections", "5", "--when-full", "close"])
    with ExitStack() as stack:
        assert all(is_served(come(stack, server)) for _ in range(5))
        assert fate(come(stack, server)) == "closed"
        kill_processes(server)
        wait_until(lambda: is_served(come(stack, server)), "its places are free again")


# ---- all together ----

@pytest.mark.parametrize("model, policy", [*((model, "close") for model in TOGETHER),
                                           *(("prethread+epoll", policy) for policy in POLICIES[1:])])
def test_one_too_many_is_told_whichever_worker_meets_it(serve, model, policy):
    server = serve("echo", model=model, options=["--connections", "6", "--when-full", policy])
    with ExitStack() as stack:
        clients = [come(stack, server) for _ in range(6)]
        assert all(is_served(sock) for sock in clients)
        for _ in range(5):
            assert fate(come(stack, server)) == fate_under(policy)
        server.wait_said(r"turned away: at most 6 at once \(connections\)")
        clients[0].close()
        wait_until(lambda: is_served(come(stack, server)), "another takes the place of one that left")


@pytest.mark.parametrize("model", TOGETHER)
def test_one_too_many_waits(serve, model):
    server = serve("echo", model=model, options=["--connections", "6"])
    with ExitStack() as stack:
        clients = [come(stack, server) for _ in range(6)]
        for sock in clients:
            exchange(sock, b"hello")
        server.wait_said(r"full, further clients wait: at most 6 at once \(connections\)")
        late = come(stack, server)
        late.sendall(b"hello")
        server.watch(0.1)
        assert not has_bytes(late)
        clients[0].close()
        assert receive_exactly(late, 5) == b"hello"


def test_iterative_can_say_that_it_is_busy(serve):
    server = serve("echo", model="iterative+epoll", options=["--connections", "1", "--when-full", "message=busy"])
    with ExitStack() as stack:
        assert is_served(come(stack, server))
        assert fate(come(stack, server)) == "busy\n"


# ---- how fast they come ----

@pytest.mark.parametrize("model", ["iterative+blocking", *TOGETHER])
def test_clients_come_no_faster_than_the_rate(serve, model):
    server = serve("echo", model=model, options=["--accept-rate", "10"])
    begun = time.monotonic()
    with ExitStack() as stack:
        for sock in [stack.enter_context(server.dial()) for _ in range(9)]:
            with sock:
                exchange(sock, b"hello")
    # Two may come at once, and in each worker one before the others are counted.
    assert time.monotonic() - begun > (9 - 2 - WORKERS) / 10
    server.wait_said(r"full, further clients wait: at most 10 a second \(accept-rate\)")


def test_clients_that_come_too_fast_are_told(serve):
    server = serve("hangup", probe=None,
                   options=["--accept-rate", "2", "--when-full", "message=come later"])
    with ExitStack() as stack:
        fates = [fate(come(stack, server)) for _ in range(20)]
    assert fates.count("come later\n") >= 10 and "closed" in fates


# ---- B9: the slow and the silent ----

@pytest.mark.parametrize("model", SOME_MODELS)
def test_who_says_nothing_is_let_go(serve, model):
    server = serve("echo", model=model, options=["--first-byte", "200ms"])
    with server.dial() as sock:
        assert receive_all(sock) == b""
    server.wait_said("left: said nothing in time: first-byte 200ms; 0 bytes in, 0 bytes out")
    with server.dial() as sock:
        exchange(sock, b"h")
        server.watch(0.3)
        exchange(sock, b"ello")


@pytest.mark.parametrize("model", SOME_MODELS)
def test_a_drip_of_bytes_is_too_slow(serve, model):
    server = serve("discard", model=model, options=["--min-rate", "100/300ms"], probe=None)
    with server.dial() as sock:
        sent = 0
        while not has_ended(sock):
            try:
                sock.sendall(b"x")
            except (ConnectionResetError, BrokenPipeError):
                break
            sent += 1
            time.sleep(0.02)
    assert sent < 100
    server.wait_said(r"left: too slow: min-rate 100/300ms; \d+ bytes in")


@pytest.mark.parametrize("model", ["prethread+epoll", "prethread+uring", "thread+blocking"])
def test_who_is_fast_enough_stays(serve, model):
    server = serve("echo", model=model, options=["--min-rate", "20/200ms"])
    with server.dial() as sock:
        for _ in range(12):
            exchange(sock, b"x" * 1000)
            time.sleep(0.05)


@pytest.mark.parametrize("model", ["prethread+epoll", "prethread+uring", "thread+blocking"])
def test_who_reads_too_slowly_is_cut(serve, model):
    server = serve("chargen", model=model, options=["--min-rate", "1KiB/300ms"], probe=None)
    with server.dial(receive_buffer=4096):
        server.wait_said("left: too slow: min-rate 1KiB/300ms")


def test_thousands_of_slow_ones_keep_nobody_out(serve):
    server = serve("echo", nofile=8192, options=["--first-byte", "1s", "--min-rate", "500/1s"])
    with ExitStack() as stack:
        slow = [stack.enter_context(server.dial(bind=FLOODER)) for _ in range(5000)]
        for sock in slow[:2500]:
            sock.sendall(b"x")
        server.serve_probe()
        for sock in slow:
            receive_what_comes(sock)


# ---- how much ----

@pytest.mark.parametrize("model", SOME_MODELS)
def test_more_bytes_than_allowed_cut_it(serve, model):
    server = serve("echo", model=model, options=["--bytes-max", "1000"])
    with server.dial() as sock:
        exchange(sock, b"x" * 400)
        sock.sendall(b"y" * 400)
        assert (b"y" * 400).startswith(receive_what_comes(sock))
    server.wait_said(r"left: moved as many bytes as it may: bytes-max 1000; \d+ bytes in")


@pytest.mark.parametrize("model", ["prethread+epoll", "prethread+uring", "fork+blocking"])
def test_what_is_received_up_to_the_limit_is_delivered(serve, model):
    server = serve("discard", model=model, options=["--bytes-max", "1000", "-v"], probe=None)
    with server.dial() as sock:
        sock.sendall(b"x" * 1500)
        assert receive_what_comes(sock) == b""
    server.wait_said("moved as many bytes as it may: bytes-max 1000; 1500 bytes in")


def test_what_is_sent_counts_too(serve):
    server = serve("chargen", options=["--bytes-max", "10MiB"], probe=None)
    with server.dial() as sock:
        assert len(receive_what_comes(sock)) <= 12 << 20
    server.wait_said("moved as many bytes as it may: bytes-max 10MiB; 0 bytes in")


# ---- B16: messages that are too long ----

HUGE = {"u16be": b"\xff\xff", "u32be": b"\x80\x00\x00\x00", "varint": b"\xff" * 9 + b"\x01", "line": b"x" * 2000,
        "delim=;": b"\0" * 2000}


@pytest.mark.parametrize("framing", HUGE)
def test_a_message_that_claims_too_much_is_refused_at_once(serve, framing):
    server = serve("echo", options=["--message-max", "1000", "--framing", framing], probe=None)
    before = server.memory()
    with ExitStack() as stack:
        for _ in range(50):
            sock = stack.enter_context(server.dial())
            sock.sendall(HUGE[framing])
            receive_what_comes(sock)
    server.wait_said("left: broke the framing: message-max 1000;")
    assert server.memory() - before < 4 << 20


def test_a_message_of_the_most_is_taken(serve):
    server = serve("echo", options=["--framing", "line", "--message-max", "100"], probe=None)
    with server.dial() as sock:
        exchange(sock, b"x" * 100 + b"\n")
        sock.sendall(b"x" * 101 + b"\n")
        assert receive_what_comes(sock) == b""


# ---- at the start ----

@pytest.mark.parametrize("options, complaint", [
    (["--message-max", "100"], "raw bytes are no messages"),
    (["--when-full", "explode"], "is none of: queue, close, reset, message=TEXT"),
    (["--when-full", "message=" + "x" * 300], "the message is too long: at most 254 bytes"),
    (["--min-rate", "100/0"], "in no time?"),
    (["--min-rate", "fast"], "fast"),
    (["--accept-rate", "-1"], "-1")])
def test_a_wrong_limit_is_refused(options, complaint):
    ended = run("serve", "echo", "127.0.0.1", "0", *options)
    assert ended.returncode == 2
    assert complaint in only_line(ended.stderr)


def test_limits_neither_end_nor_starve_it(serve):
    """All limits at once, and a storm of clients against each of them."""
    server = serve("echo", model="prefork+epoll", probe=None, options=[
        "--connections", "20", "--per-address", "5", "--per-network", "15", "--accept-rate", "2000",
        "--when-full", "close", "--first-byte", "300ms", "--min-rate", "10/500ms", "--bytes-max", "10KiB"])
    assert placement_of(server.model) == "prefork"

    def storm(last):
        for _ in range(60):
            with ExitStack() as stack:
                for _ in range(4):
                    is_served(come(stack, server, (f"127.0.0.{last}", 0)))
    threads = [threading.Thread(target=storm, args=(last,), daemon=True) for last in (2, 2, 2, 3, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    server.probe = probe_patiently


# ---- behind a proxy, and under TLS ----

PROXY = ("127.0.0.2", 0)


@pytest.mark.parametrize("model", ["prethread+epoll", "prethread+uring", "prefork+poll", "fork+blocking"])
def test_behind_a_proxy_the_client_is_counted(serve, model):
    server = serve("echo", model=model, options=["--proxy-from", PROXY[0], "--per-address", "1"])
    with ExitStack() as stack:
        def come_as(client):
            try:
                sock = stack.enter_context(server.dial(bind=PROXY))
                sock.sendall(v1((client, 4000)))
                return is_served(sock)
            except (ConnectionResetError, BrokenPipeError):
                return False
        assert come_as("10.0.0.1") and come_as("10.0.0.2")
        assert not come_as("10.0.0.1")
        server.wait_said(r"10\.0\.0\.1:4000 turned away.*: at most 1 of 10\.0\.0\.1 \(per-address\)")
        if server.children():
            kill_processes(server)
            wait_until(lambda: come_as("10.0.0.1"), "its place is given back")


def test_a_header_is_not_yet_a_first_byte(serve):
    server = serve("echo", options=["--proxy-from", PROXY[0], "--first-byte", "200ms",
                                     "--handshake-timeout", "5m"])
    with server.dial(bind=PROXY) as sock:
        sock.sendall(v1())
        assert receive_all(sock) == b""
    server.wait_said(r"left: said nothing in time: first-byte \d00ms")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("limits")).issue("good")


@pytest.mark.parametrize("model", ["prethread+epoll", "prethread+uring", "fork+blocking"])
def test_under_tls_a_handshake_is_not_yet_a_first_byte(serve, certificate, model):
    server = serve("echo", model=model, probe=None,
                   options=["--tls", "--cert", certificate[0], "--key", certificate[1], "--first-byte", "300ms",
                            "--handshake-timeout", "5m"])
    with server.dial() as sock, Secured(sock).handshake() as silent:
        assert silent.recv(100) == b""
    server.wait_said(r"left: said nothing in time: first-byte \d00ms")
    with server.dial() as sock, Secured(sock).handshake() as talker:
        talker.send(b"hello")
        assert talker.recv(100) == b"hello"
        server.watch(0.4)
        talker.send(b"again")
        assert talker.recv(100) == b"again"


def test_under_tls_one_too_many_is_not_told_in_the_clear(serve, certificate):
    server = serve("echo", probe=None, options=[
        "--tls", "--cert", certificate[0], "--key", certificate[1], "--per-address", "1",
        "--when-full", "message=come later"])
    with ExitStack() as stack:
        first = stack.enter_context(Secured(come(stack, server, FLOODER)).handshake())
        assert fate(come(stack, server, FLOODER)) == "closed"
        first.send(b"hello")
        assert first.recv(100) == b"hello"
