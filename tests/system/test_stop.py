"""Deadlines of connections, and the stop: drained, in time, with an exact prefix for each client."""

import signal
import socket
import threading
import time

import pytest

from client import (PATIENCE, Stream, Writer, exchange, fill, has_ended, receive_exactly, receive_stream,
                    receive_what_comes, wait_until)
from harness import SOME_MODELS, clients_at_once, probe_upper

STREAM = Stream()


def wait_end(sock):
    wait_until(lambda: has_ended(sock), "the server ends the connection")


# ---- deadlines ----

def test_an_idle_client_is_let_go(serve, model):
    server = serve("echo", model=model, options=["--idle", "300ms"])
    with server.dial() as sock:
        exchange(sock, b"hello")
        wait_end(sock)
    with server.dial() as sock:
        wait_end(sock)
    server.wait_said("left: idle for too long: idle 300ms;")


@pytest.mark.parametrize("model", SOME_MODELS)
def test_a_client_that_goes_on_is_not_idle(serve, model):
    server = serve("echo", model=model, options=["--idle", "1s"])
    until = time.monotonic() + 2.5
    with server.dial() as sock:
        while time.monotonic() < until:
            exchange(sock, b"still here")
            server.watch(0.05)
    assert "left: idle" not in server.stderr()


def test_the_whole_life_of_a_connection_is_bounded(serve, model):
    server = serve("echo", model=model, options=["--life", "500ms"])
    talked = 0
    with server.dial() as sock:
        try:
            while talked < 1_000_000:
                sock.sendall(b"x")
                if not sock.recv(1):
                    break
                talked += 1
        except (ConnectionResetError, BrokenPipeError):
            pass
    assert 0 < talked < 1_000_000
    server.wait_said("left: its time was over: life 500ms;")


# ---- the stop ----

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["TERM", "INT"])
def test_a_stop_without_clients_is_at_once_and_a_success(serve, model, number):
    server = serve("echo", model=model)
    server.signal(number)
    assert server.wait_ended() == 0
    server.wait_said("stopp")


def test_a_stop_ends_clients_that_wait(serve, model):
    """A client that says nothing need not be waited for: it is told the end, orderly."""
    server = serve("echo", model=model, options=["--drain", "5m"])
    clients = [server.dial() for _ in range(clients_at_once(model))]
    for sock in clients:
        exchange(sock, b"hello")
    server.terminate()
    for sock in clients:
        assert sock.recv(1) == b"", "FIN, not a reset"
        sock.close()
    assert server.wait_ended() == 0


def test_what_was_read_before_the_stop_is_answered(serve, model):
    """More than the sockets hold is queued for a client that begins to read only after the stop."""
    server = serve("echo", model=model, options=["--drain", "5m"])
    with server.dial() as sock:
        sent = fill(sock, STREAM, 64 << 20)
        server.terminate()
        server.wait_said("stopping")
        received, _ = receive_stream(sock, STREAM)
    assert server.wait_ended() == 0
    assert 0 < received <= sent


def test_the_drain_deadline_cuts_who_does_not_read(serve, model):
    server = serve("echo", model=model, options=["--drain", "300ms"])
    with server.dial() as sock:
        fill(sock, STREAM, 64 << 20)
        server.terminate()
        assert server.wait_ended() == 0
        receive_what_comes(sock)


class Load(threading.Thread):
    """A client that sends and receives until the server ends it."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.sock, self.received, self.failure = server.dial(), 0, None
        self.writer = Writer(self.sock, STREAM, 1 << 40)
        self.start()

    def run(self):
        try:
            while part := self.sock.recv(Stream.PIECE):
                assert part == STREAM.at(self.received, len(part)), f"wrong after {self.received} bytes"
                self.received += len(part)
        except OSError:
            pass
        except AssertionError as failure:
            self.failure = failure
        finally:
            # The writer may be blocked in a send that nobody will take.
            self.sock.close() if self.writer.error else self.shut()

    def shut(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def test_a_stop_under_load_gives_each_client_an_exact_prefix(serve, model):
    server = serve("echo", model=model, options=["--drain", "3s", "--linger", "200ms"])
    loads = [Load(server) for _ in range(4)]
    wait_until(lambda: sum(load.received > 1 << 20 for load in loads) >= min(4, clients_at_once(model)),
               "the load has begun")
    server.terminate()
    assert server.wait_ended() == 0
    for load in loads:
        load.join(PATIENCE)
        assert not load.is_alive(), "a client hangs after the server has gone"
        assert load.failure is None
        assert load.received <= load.writer.sent


def test_a_stop_during_a_storm_of_new_clients(serve, model):
    """Whoever comes while it stops is served, ended or refused; nobody hangs."""
    server = serve("upper", model=model, probe=probe_upper)
    stop = threading.Event()
    thread = threading.Thread(target=keep_coming, args=(server, stop), daemon=True)
    thread.start()
    wait_until(lambda: server.stderr().count("connected") > 20, "the storm has begun")
    server.terminate()
    try:
        assert server.wait_ended() == 0
    finally:
        stop.set()
        thread.join(2 * PATIENCE)
    assert not thread.is_alive(), "a client hangs after the server has gone"


def keep_coming(server, stop):
    while not stop.is_set():
        try:
            with server.dial() as sock:
                sock.sendall(b"hello")
                receive_exactly(sock, 5)
        except ConnectionError:
            if server.process.poll() is not None:
                return


def test_the_port_is_free_at_once_after_the_stop(serve):
    """Connections of the first life are in TIME_WAIT on the server's side."""
    server = serve("greet", model="fork+blocking")
    for _ in range(20):
        server.serve_probe()
    server.stop()
    serve("greet", f"127.0.0.1:{server.port}", model="fork+blocking")
