"""Every service under every model: its bytes, who is served when, and what the model claims to be."""

import socket
from contextlib import ExitStack

import pytest

import procfs
from client import exchange, has_bytes, receive_all, receive_exactly, reset, wait_until
from harness import (MANY, SPARE_THREADS, WORKERS, clients_at_once, is_pooled, placement_of, probe_once)

# Letters of one to four bytes, so that a split may fall inside any of them.
TEXT = "straße, naïve café, €uro, 漢字, 😀 z\n"
UPPER = "".join(letter.upper() if "a" <= letter <= "z" else letter for letter in TEXT).encode()
TEXT = TEXT.encode()


def dial_all(stack, server, count):
    return [stack.enter_context(server.dial()) for _ in range(count)]


# ---- the services ----

def test_echo_sends_back_every_byte(serve, model):
    server = serve("echo", model=model)
    with server.dial() as sock:
        for message in (b"helloworld", bytes(range(256)), b"\0", b"x" * 100_000):
            exchange(sock, message)


def test_echo_logs_who_came_what_was_said_and_that_it_left(serve, model):
    server = serve("echo", model=model)
    with server.dial() as sock:
        me = f"127.0.0.1:{sock.getsockname()[1]}"
        exchange(sock, b"hello, server\n")
    server.wait_said(rf"{me} connected")
    server.wait_said(rf"{me} message: 14 bytes \"hello, server\\n\"")
    server.wait_said(rf"{me} left: finished")


def test_echo_once_answers_one_message_and_closes(serve, model):
    server = serve("echo", model=model, options=["--once"], probe=probe_once)
    for _ in range(3):
        with server.dial() as sock:
            sock.sendall(b"helloworld")
            assert receive_all(sock) == b"helloworld"


def test_upper_keeps_all_but_the_letters(serve, model):
    server = serve("upper", model=model)
    with server.dial() as sock:
        exchange(sock, TEXT, UPPER)
        exchange(sock, bytes(range(256)), bytes(range(97)) + bytes(range(65, 91)) + bytes(range(123, 256)))


def test_upper_with_characters_split_at_each_byte(serve, model):
    """The answer to the first piece proves that it was read before the second is sent."""
    server = serve("upper", model=model)
    with server.dial() as sock:
        for cut in range(1, len(TEXT)):
            exchange(sock, TEXT[:cut], UPPER[:cut])
            exchange(sock, TEXT[cut:], UPPER[cut:])


@pytest.mark.parametrize("pieces", [[b"end"], [b"end\n"], [b"end\r\n"], [b"en", b"d\n"], [b"e", b"n", b"d", b"\n"],
                                    [b"bend\n", b"end\n"], [b"end of it\n", b"end\n"]],
                         ids=lambda pieces: "+".join(piece.decode().strip() for piece in pieces))
def test_upper_ends_on_the_line_end(serve, pieces):
    server = serve("upper", model="iterative")
    with server.dial() as sock:
        for piece in pieces:
            exchange(sock, piece, piece.upper())
        assert receive_all(sock) == b""


def test_upper_prints_each_message_and_ends_on_end(serve, model):
    server = serve("upper", model=model)
    with server.dial() as sock:
        exchange(sock, b"hello\n", b"HELLO\n")
        sock.sendall(b"end")
        assert receive_all(sock) == b"END"
    server.wait_said(r'message: 6 bytes "hello\\n"')


def test_greet_reads_answers_and_closes(serve, model):
    server = serve("greet", model=model, options=["--message", "Good day, %s!"])
    for _ in range(3):
        with server.dial() as sock:
            me = f"127.0.0.1:{sock.getsockname()[1]}"
            sock.sendall("grüß dich".encode())
            assert receive_all(sock) == b"Good day, %s!"
        server.wait_said(rf'{me} message: 11 bytes "grüß dich"')


def test_greet_greets_who_says_nothing(serve, model):
    server = serve("greet", model=model)
    with server.dial() as sock:
        sock.shutdown(socket.SHUT_WR)
        assert receive_all(sock) == b"Hello!\n"


def test_hangup_closes_without_a_byte(serve, model):
    server = serve("hangup", model=model)
    for _ in range(5):
        with server.dial() as sock:
            assert receive_all(sock) == b""


def test_discard_reads_all_and_says_nothing(serve, model):
    server = serve("discard", model=model)
    with server.dial() as sock:
        sock.sendall(b"x" * 3_000_000)
        sock.shutdown(socket.SHUT_WR)
        assert receive_all(sock) == b""
    server.wait_said("3000000 bytes in, 0 bytes out")


def chargen_line(number):
    """RFC 864: 72 of the 95 printing characters, each line beginning one further on."""
    return bytes(32 + (number + column) % 95 for column in range(72)) + b"\r\n"


def test_chargen_goes_on_until_the_client_leaves(serve, model):
    server = serve("chargen", model=model)
    wanted = b"".join(map(chargen_line, range(95))) * 100
    with server.dial() as sock:
        assert receive_exactly(sock, len(wanted)) == wanted
    with server.dial() as sock:
        sock.shutdown(socket.SHUT_WR)
        assert receive_exactly(sock, len(wanted)) == wanted
        reset(sock)


# ---- who is served when ----

def test_as_many_clients_at_once_as_the_model_can(serve, model):
    server = serve("echo", model=model)
    with ExitStack() as stack:
        clients = dial_all(stack, server, clients_at_once(model))
        for turn in range(3):
            for number, sock in enumerate(clients):
                sock.sendall(b"client %d, turn %d" % (number, turn))
            for number, sock in reversed(list(enumerate(clients))):
                wanted = b"client %d, turn %d" % (number, turn)
                assert receive_exactly(sock, len(wanted)) == wanted


def test_one_client_more_waits_and_is_served_then(serve, model):
    at_once = clients_at_once(model)
    if at_once == MANY:
        pytest.skip("this model has no limit of its own")
    server = serve("echo", model=model)
    with ExitStack() as stack:
        clients = dial_all(stack, server, at_once)
        for sock in clients:
            exchange(sock, b"first")
        waiting = stack.enter_context(server.dial())
        waiting.sendall(b"and me?")
        for turn in range(20):
            exchange(clients[turn % at_once], b"still here")
        assert not has_bytes(waiting), "served beside as many clients as there are workers"
        clients[0].close()
        assert receive_exactly(waiting, 7) == b"and me?"


# ---- what the model claims to be ----

@pytest.fixture
def held(serve, model):
    """A server and the clients it holds at once, each served once."""
    server = serve("echo", model=model)
    with ExitStack() as stack:
        clients = dial_all(stack, server, clients_at_once(model))
        for sock in clients:
            exchange(sock, b"hello")
        yield server, clients


def test_processes_and_threads_are_what_the_model_says(held, model):
    server, clients = held
    placement, now = placement_of(model), procfs.snapshot(server.pid)
    more = (now.processes - server.baseline.processes, now.threads - server.baseline.threads)
    wanted = {"fork": (len(clients), len(clients)), "thread": (0, len(clients))}
    assert more == wanted.get(placement, (0, 0))
    if placement in ("thread", "prethread", "iterative"):
        assert now.processes == 1
    if is_pooled(model):
        workers = now.processes if placement == "prefork" else now.threads - SPARE_THREADS
        assert workers == WORKERS + 1, "the workers and who supervises them"


def test_each_process_of_fork_serves_its_own_client(held, model):
    server, clients = held
    if placement_of(model) != "fork":
        pytest.skip("no process per client")
    sockets = sorted(procfs.sockets_of(child) for child in server.children())
    assert sockets == [1] * len(clients), "a child has one socket: neither the listener nor another's client"


def test_a_client_sees_its_end_while_the_others_stay(held):
    """A copy of its socket in a process that serves another would keep the end from it."""
    _, clients = held
    for sock in reversed(clients):
        sock.shutdown(socket.SHUT_WR)
        assert receive_all(sock) == b""


def test_children_and_threads_are_reaped_when_the_clients_leave(held, model):
    server, clients = held
    for sock in clients:
        sock.close()
    server.wait_baseline()
    if placement_of(model) == "fork":
        wait_until(lambda: server.stderr().count("reaped") >= len(clients), "each reaped child is said")
