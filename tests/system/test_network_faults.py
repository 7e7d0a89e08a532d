"""Peers that the network takes away: FAULTS B5, B7 and B13, between machines of the test's own."""

import socket
import subprocess

import pytest

from client import PATIENCE, Stream, Writer, exchange, has_ended, receive_all, receive_stream, wait_until
from harness import PARLEY, SOME_MODELS, only_line
from networks import machines  # pylint: disable=unused-import  # a fixture

# pylint: disable=redefined-outer-name  # that fixture

ADDRESS = "10.9.8.1:7000"
STREAM = Stream()
EACH_POLLER = ["thread+blocking", "prefork+select", "prethread+poll", "prethread+epoll", "prethread+uring"]


@pytest.fixture
def serve_there(serve, machines):
    """Starts servers on the first machine, side by side on ports of their own from 7000 on."""
    ports = iter(range(7000, 7100))

    def start(service, *options, model="prethread+epoll"):
        return serve(service, f"10.9.8.1:{next(ports)}", model=model, options=options, wrapper=machines[0].wrapper,
                     probe=None, workers=2)
    return start


# ---- B5: somebody kills the socket ----

def kill_socket(machine, port, peer):
    killed = machine.run("ss", "-nK", "sport", "=", f":{port}", "dport", "=", f":{peer}")
    if str(peer) not in killed.stdout:
        pytest.skip("this kernel may not kill sockets")


def test_a_killed_socket_ends_its_connection_alone(serve_there, machines):
    """`ss -K` ends one side with ECONNABORTED and the other with a reset."""
    for model in SOME_MODELS:
        server = serve_there("echo", model=model)
        for side in (0, 1):
            with machines[1].dial(server.addresses[0]) as sock:
                exchange(sock, b"hello")
                ports = (server.port, sock.getsockname()[1])
                kill_socket(machines[side], ports[side], ports[1 - side])
                wait_until(lambda sock=sock: has_ended(sock), f"{model}: the client's side ends")
        server.wait_said("left: reset: ")
        with machines[1].dial(server.addresses[0]) as sock:
            exchange(sock, b"and after")


def talk_to(machine, *options):
    """`parley connect` on that machine, which has said a line and heard it."""
    process = subprocess.Popen([*machine.wrapper, PARLEY, "connect", ADDRESS, *options], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write(b"hello\n")
    process.stdin.flush()
    assert process.stdout.readline() == b"hello\n"
    return process


def complaint_of(process):
    _, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1, stderr
    return only_line(stderr.decode())


def test_a_client_whose_socket_is_killed_says_so(serve_there, machines):
    serve_there("echo")
    process = talk_to(machines[1])
    machines[1].run("ss", "-nK", "dport", "=", ":7000")
    assert "connection abort" in complaint_of(process)


# ---- B7: nobody is there any more, and nothing says so ----

def test_peers_that_vanish_are_given_up(serve_there, machines):
    """Who was silent by keepalive, who owes acknowledgements by TCP_USER_TIMEOUT, who is to take more than the
    kernel holds by the write deadline; and our own client by keepalive too."""
    ends = {}
    serve_there("echo", "--keepalive", "1s")
    client = talk_to(machines[1], "--keepalive", "1s")
    for model in EACH_POLLER:
        for service, option, reason in (("echo", "--keepalive", "reset: recv: (connection timed out|no route)"),
                                        ("chargen", "--keepalive", "reset: send: (connection timed out|no route)"),
                                        ("chargen", "--write-timeout", "stalled")):
            server = serve_there(service, option, "1s", model=model)
            sock = machines[1].dial(server.addresses[0])
            if service == "echo":
                exchange(sock, b"hello")
            else:
                assert sock.recv(1)
            ends[server] = (sock, reason)
    machines[1].pull_the_cable()
    for server, (sock, reason) in ends.items():
        server.wait_said(f"left: {reason}")
    complaint_of(client)
    machines[1].plug_it_in()
    for sock, _ in ends.values():
        sock.close()


# ---- N, B13: a cable that is out for a while ----

def test_bytes_survive_a_cable_that_was_out(serve_there, machines):
    for model in EACH_POLLER:
        server = serve_there("echo", model=model)
        with machines[1].dial(server.addresses[0]) as sock:
            writer = Writer(sock, STREAM, 32 << 20)
            wait_until(lambda writer=writer: writer.sent > 1 << 20, "it is under way")
            machines[0].pull_the_cable()
            machines[0].plug_it_in()
            received = receive_stream(sock, STREAM)
            writer.finish()
        assert received == (32 << 20, None)


def test_both_sides_may_end_at_the_same_time(serve_there, machines):
    """Their FINs cross on the wire: each was sent before the other's came."""
    for model in EACH_POLLER:
        server = serve_there("echo", "--idle", "100ms", model=model)
        with machines[1].dial(server.addresses[0]) as sock:
            exchange(sock, b"hello")
            machines[1].pull_the_cable()
            sock.shutdown(socket.SHUT_WR)
            server.wait_said("left: idle")
            machines[1].plug_it_in()
            assert receive_all(sock) == b""
            server.wait_baseline()
