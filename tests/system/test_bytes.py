"""Bytes under every model: many, single, half-closed, reset, unread; none lost, none invented."""

import os
import socket
import threading
import time

import pytest

from client import (PATIENCE, Stream, Writer, exchange, fill, receive_all, receive_exactly, receive_stream,
                    receive_what_comes, reset, wait_until)
from harness import SOME_MODELS, WORKERS, is_concurrent, is_pooled, probe_once

MIB = 1 << 20
BULK = 64 * MIB
STREAM = Stream()


def test_64_mib_through_echo(serve, model):
    server = serve("echo", model=model)
    with server.dial() as sock:
        writer = Writer(sock, STREAM, BULK)
        received, error = receive_stream(sock, STREAM)
        writer.finish()
    assert (received, error, writer.error) == (BULK, None, None)


def test_bulk_of_several_clients_is_not_mixed(serve, model):
    server = serve("echo", model=model)
    results = {}

    def talk(number):
        stream = Stream(number)
        with server.dial() as sock:
            writer = Writer(sock, stream, 4 * MIB)
            results[number] = receive_stream(sock, stream)
            writer.finish()
    threads = [threading.Thread(target=talk, args=(number,), daemon=True) for number in range(1, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert results == {number: (4 * MIB, None) for number in range(1, 4)}


@pytest.mark.parametrize("service", ["echo", "upper"])
def test_the_reply_is_complete_after_a_half_close(serve, model, service):
    server = serve(service, model=model)
    message = b"half-closed, still listening\n" * 5000
    with server.dial() as sock:
        sock.sendall(message)
        sock.shutdown(socket.SHUT_WR)
        assert receive_all(sock) == (message if service == "echo" else message.upper())


def test_bytes_one_at_a_time_both_ways(serve, model):
    server = serve("echo", model=model)
    message = bytes(range(256)) * 4
    with server.dial() as sock:
        for byte in message:
            sock.send(bytes([byte]))
        sock.shutdown(socket.SHUT_WR)
        got = b""
        while part := sock.recv(1):
            got += part
    assert got == message


def test_a_reset_in_mid_transfer_hurts_nobody_else(serve, model):
    server = serve("echo", model=model)
    bystander = server.dial() if is_concurrent(model) else None
    for turn in range(20):
        victim = server.dial()
        victim.setblocking(False)
        try:
            victim.send(STREAM.at(0, Stream.PIECE))
        except BlockingIOError:
            pass
        reset(victim)
        if bystander:
            exchange(bystander, b"turn %d" % turn)
    if bystander:
        bystander.close()


def failure_lines(server):
    return [line for line in server.stderr().splitlines() if "left: reset" in line]


def test_a_thousand_resets_do_not_flood_the_log(serve, model):
    """At most one line of a kind a second, of each worker, however many fail."""
    server = serve("echo", model=model)
    began = time.monotonic()
    for _ in range(1000):
        with server.dial() as sock:
            exchange(sock, b"x")
            reset(sock)
    server.wait_baseline()
    seconds = time.monotonic() - began
    most = (seconds + 2) * (WORKERS if is_pooled(model) else 1)
    lines = failure_lines(server)
    assert len(lines) <= most, f"{len(lines)} lines in {seconds:.1f} s\n" + "\n".join(lines[:5])


def test_a_peer_that_never_reads_is_held_back_and_loses_nothing(serve, model):
    """Its sending stops at high water, memory stays bounded, others are served; when it reads at last,
    everything is there."""
    server = serve("echo", model=model)
    before = server.memory()
    with server.dial() as sock:
        sent = fill(sock, STREAM, BULK)
        assert sent < BULK, "nothing ever held it back"
        grown = server.memory() - before
        assert grown < 8 * MIB, f"{grown} bytes more for one client that does not read"
        if is_concurrent(model):
            server.serve_probe()
        server.wait_quiet()
        sock.shutdown(socket.SHUT_WR)
        assert receive_stream(sock, STREAM) == (sent, None)


def test_a_peer_that_never_reads_is_cut_at_the_write_deadline(serve, model):
    server = serve("echo", model=model, options=["--write-timeout", "500ms"])
    with server.dial(receive_buffer=4096) as sock:
        fill(sock, STREAM, BULK)
        server.wait_said("left: stalled: .*: write-timeout 500ms;")
        receive_what_comes(sock)


def test_a_slow_reader_gets_every_byte(serve, model):
    """It reads little at a time, through small buffers, while the server's side is full."""
    server = serve("echo", model=model, options=["--send-buffer", "16KiB"])
    size = 512 * 1024
    with server.dial(receive_buffer=4096) as sock:
        writer = Writer(sock, STREAM, size)
        got = 0
        while part := sock.recv(1000):
            assert part == STREAM.at(got, len(part))
            got += len(part)
        writer.finish()
    assert got == size


def test_greet_reaches_a_client_that_has_sent_much_more(serve, model):
    """close(2) with unread input sends RST, which would destroy a greeting that is not read yet."""
    server = serve("greet", model=model)
    for _ in range(3):
        with server.dial() as sock:
            writer = Writer(sock, STREAM, 4 * MIB)
            writer.finish()
            assert writer.error is None, "it was not let finish"
            assert receive_all(sock) == b"Hello!\n"


def test_echo_once_reaches_a_client_that_goes_on_sending(serve, model):
    server = serve("echo", model=model, options=["--once"], probe=probe_once)
    for _ in range(3):
        with server.dial() as sock:
            writer = Writer(sock, STREAM, 4 * MIB)
            writer.finish()
            received, error = receive_stream(sock, STREAM)
            assert received > 0 and error is None, f"{received} bytes came back, then {error}"


@pytest.mark.parametrize("model", SOME_MODELS)
def test_a_client_that_never_finishes_does_not_keep_the_server(serve, model):
    """The lingering of the server's side has an end of its own."""
    server = serve("greet", model=model, options=["--linger", "300ms"])
    with server.dial() as sock:
        sock.sendall(b"hello")
        assert receive_all(sock) == b"Hello!\n"
        server.wait_baseline()


def test_hangup_of_a_client_whose_bytes_are_under_way(serve, model):
    """Whether it sees the end or a reset is the race's; the server serves on."""
    server = serve("hangup", model=model)
    for _ in range(20):
        with server.dial() as sock:
            try:
                sock.sendall(b"hello?")
            except (BrokenPipeError, ConnectionResetError):
                pass
            assert receive_what_comes(sock) == b""


@pytest.mark.parametrize("model", SOME_MODELS)
def test_chargen_stops_producing_for_a_reader_that_stops(serve, model):
    server = serve("chargen", model=model)
    before = server.memory()
    with server.dial() as sock:
        receive_exactly(sock, MIB)
        server.wait_quiet()
        assert server.memory() - before < 8 * MIB
        receive_exactly(sock, 8 * MIB)
        reset(sock)


@pytest.mark.parametrize("model", SOME_MODELS)
def test_a_reset_with_much_queued_frees_it(serve, model):
    server = serve("echo", model=model)
    for _ in range(5):
        sock = server.dial()
        fill(sock, STREAM, 2 * MIB)
        reset(sock)
    wait_until(server.is_back, "nothing of them is left")


@pytest.mark.skipif("PARLEY_SANITIZER" in os.environ, reason="it would take minutes, and unit tests count too")
def test_more_than_32_bits_can_count(serve, tmp_path):
    """FAULTS B15, with bytes that move: in io_uring no table of calls is asked, which test_counters.c fills in."""
    size = (4 << 30) + 12345
    server = serve("discard", model="prethread+uring", workers=1)
    with open(tmp_path / "sparse", "w+b") as file, server.dial() as sock:
        file.truncate(size)
        sock.sendfile(file)
        sock.shutdown(socket.SHUT_WR)
        assert receive_all(sock) == b""
    server.wait_said(f"left: finished; {size} bytes in, 0 bytes out")
