"""Options of one listener: each counts there in place of the server's, and by itself."""

import os
import signal
import time
from contextlib import ExitStack

import pytest

from client import (exchange, fate, has_bytes, is_served, probe_patiently, receive_all, receive_exactly,
                    wait_until)
from harness import WORKERS, only_line, run
from proxying import v1

SEVERAL = ["prethread+epoll", "prethread+uring", "prefork+epoll", "prefork+poll", "fork+blocking", "thread+blocking"]
LOCAL = "127.0.0.1:0"


class Clients(ExitStack):
    def __init__(self, server):
        super().__init__()
        self.server = server

    def come(self, index, source=None):
        """A client, or None: a RST may be faster than its connect."""
        try:
            return self.enter_context(self.server.dial(index, bind=(source, 0) if source else None))
        except ConnectionResetError:
            return None

    def fill(self, index, count, source=None):
        clients = [self.come(index, source) for _ in range(count)]
        assert all(is_served(sock) for sock in clients)
        return clients


def serve_two(serve, first, second, model=None, options=(), **others):
    """The first is the front door, unless it has words."""
    return serve("echo", f"{LOCAL} {first}".rstrip(), f"{LOCAL} {second}".rstrip(), model=model, options=options,
                 probe=probe_patiently, **others)


# ---- how many ----

@pytest.mark.parametrize("model", SEVERAL)
def test_each_has_its_places(serve, model):
    server = serve_two(serve, "", "connections=2 when-full=message=full", model,
                       ["--connections", "6", "--when-full", "reset"])
    with Clients(server) as clients:
        here = clients.fill(0, 6)
        there = clients.fill(1, 2)
        assert fate(clients.come(1)) == "full\n"
        there[0].close()
        wait_until(lambda: is_served(clients.come(1)), "its place is free again")
        here[0].close()
        wait_until(lambda: is_served(clients.come(0)), "its place is free again")
    server.wait_said(r"turned away: at most 2 at once \(connections\)")


@pytest.mark.parametrize("model", SEVERAL)
def test_who_finds_no_place_waits_there_alone(serve, model):
    server = serve_two(serve, "", "connections=1", model)
    with Clients(server) as clients:
        first = clients.fill(1, 1)
        server.wait_said(rf"full on {server.addresses[1]}, further clients wait: at most 1 at once \(connections\)")
        late = clients.come(1)
        late.sendall(b"hello")
        clients.fill(0, WORKERS)
        server.watch(0.1)
        assert not has_bytes(late)
        first[0].close()
        assert receive_exactly(late, 5) == b"hello"


@pytest.mark.parametrize("model", ["prethread+epoll", "prefork+epoll", "prethread+uring", "fork+blocking"])
def test_places_in_common_with_ways_of_their_own(serve, model):
    """Where one turns away all workers have to know who is here, and nobody can wait."""
    server = serve_two(serve, "", "when-full=message=full", model, ["--connections", str(WORKERS + 2)])
    with Clients(server) as clients:
        first = clients.fill(0, WORKERS)
        second = clients.fill(1, 2)
        assert fate(clients.come(1)) == "full\n"
        assert fate(clients.come(0)) == "closed"
        second[0].close()
        wait_until(lambda: is_served(clients.come(0)), "its place is free again")
        assert is_served(first[0])


@pytest.mark.parametrize("model", ["prefork+blocking", "prethread+blocking"])
def test_a_worker_without_a_share_serves_the_others(serve, model):
    server = serve_two(serve, "", "connections=1", model)
    with Clients(server) as clients:
        there = clients.fill(1, 1)
        clients.fill(0, WORKERS - 1)
        there[0].close()
        clients.fill(1, 1)


@pytest.mark.parametrize("model", ["prefork+epoll", "fork+epoll"])
def test_what_killed_processes_held_is_given_back(serve, model):
    server = serve_two(serve, "", "connections=2 per-address=2 when-full=close", model)
    with Clients(server) as clients:
        clients.fill(1, 2)
        assert not is_served(clients.come(1))
        for child in server.children():
            os.kill(child, signal.SIGKILL)
        wait_until(lambda: is_served(clients.come(1)), "its places are free again")


# ---- of each address ----

@pytest.mark.parametrize("model", ["prethread+epoll", "prethread+uring", "prefork+poll", "fork+blocking"])
def test_addresses_are_counted_by_each(serve, model):
    server = serve_two(serve, "", "per-address=1", model, ["--per-address", "3"])
    with Clients(server) as clients:
        clients.fill(1, 1, "127.0.0.9")
        assert fate(clients.come(1, "127.0.0.9")) == "closed"
        clients.fill(0, 3, "127.0.0.9")
        assert fate(clients.come(0, "127.0.0.9")) == "closed"
        clients.fill(1, 1, "127.0.0.10")


def test_what_a_listener_does_not_set_is_counted_in_common(serve):
    server = serve_two(serve, "", "idle=1h", None, ["--per-address", "2"])
    with Clients(server) as clients:
        clients.fill(0, 1, "127.0.0.9")
        clients.fill(1, 1, "127.0.0.9")
        assert fate(clients.come(0, "127.0.0.9")) == fate(clients.come(1, "127.0.0.9")) == "closed"


# ---- how fast, how long ----

@pytest.mark.parametrize("model", ["prethread+epoll", "prefork+epoll", "thread+blocking"])
def test_each_has_its_rate(serve, model):
    server = serve_two(serve, "", "accept-rate=10", model)
    begun = time.monotonic()
    with Clients(server) as clients:
        clients.fill(0, 20)
        clients.fill(1, 9)
    assert time.monotonic() - begun > (9 - 2 - WORKERS) / 10
    server.wait_said(r"full on .*, further clients wait: at most 10 a second \(accept-rate\)")


@pytest.mark.parametrize("model", ["prethread+epoll", "prethread+uring", "prefork+select", "fork+blocking"])
def test_each_has_its_times_and_policies(serve, model):
    server = serve_two(serve, "idle=0", "idle=300ms when-over=message=go on", model,
                       ["--idle", "600ms", "--when-over", "reset", "--listen", LOCAL])
    with Clients(server) as clients:
        first, second, third = [clients.fill(index, 1)[0] for index in range(3)]
        assert fate(second) == "go on\n"
        assert fate(third) == "reset"
        assert is_served(first)


# ---- who ----

def test_each_has_its_access_list_and_reads_it_again(serve, tmp_path):
    path = tmp_path / "allow.txt"
    path.write_text("127.0.0.9\n")
    server = serve_two(serve, "", f"allow=@{path}", "prefork+epoll", ["--deny", "127.0.0.9"])
    with Clients(server) as clients:
        clients.fill(0, 1, "127.0.0.10")
        assert fate(clients.come(0, "127.0.0.9")) == "closed"
        clients.fill(1, 1, "127.0.0.9")
        assert fate(clients.come(1, "127.0.0.10")) == "closed"
        path.write_text("127.0.0.10\n")
        server.signal(signal.SIGHUP)
        wait_until(lambda: is_served(clients.come(1, "127.0.0.10")), "it may come now")


@pytest.mark.parametrize("model", ["prethread+epoll", "fork+blocking"])
def test_each_has_its_proxies(serve, model):
    server = serve_two(serve, "", "proxy-from=127.0.0.0/8 per-address=1", model)
    with Clients(server) as clients:
        clients.fill(0, 1)
        for last, fits in ((1, True), (2, True), (1, False)):
            sock = clients.come(1)
            sock.sendall(v1((f"10.0.0.{last}", 4000)))
            assert is_served(sock) == fits


# ---- how they are written ----

def test_a_name_with_several_addresses_is_one_listener(serve):
    server = serve("echo", "localhost:0 connections=2 when-full=close", probe=probe_patiently)
    if len(server.addresses) == 1:
        pytest.skip("localhost has one address here")
    with Clients(server) as clients:
        clients.fill(0, 1)
        clients.fill(1, 1)
        assert fate(clients.come(0)) == fate(clients.come(1)) == "closed"


def test_a_path_may_have_blanks_and_a_message_too(serve, tmp_path):
    path = tmp_path / "a name with blanks"
    server = serve("echo", f"unix:{path} when-over=message=come back later  idle=200ms", probe=None)
    assert server.addresses[0] == f"unix:{path}"
    with server.dial() as sock:
        exchange(sock, b"hello")
        assert receive_all(sock) == b"come back later\n"


@pytest.mark.parametrize("address, complaint", [
    ("127.0.0.1:0 model=fork", "a listener has no option 'model' of its own"),
    ("127.0.0.1:0 conections=5", "a listener has no option 'conections' of its own"),
    ("127.0.0.1:0 connections=many", "is not a count"),
    ("127.0.0.1:0 when-full=message=" + "x" * 300, "at most 254 bytes"),
    ("127.0.0.1:0 deny=@/nowhere/list", "/nowhere/list: no such file or directory"),
    ("127.0.0.1:0 message-max=5", "raw bytes are no messages"),
    ("127.0.0.1:0 queue-max=5", "queue-max on 127.0.0.1:"),
    ("127.0.0.1 idle=5", "the port is missing"),
    ("unix:/tmp/a b=c", "a listener has no option 'b' of its own")])
def test_a_wrong_word_is_refused(address, complaint):
    ended = run("serve", "echo", address)
    assert ended.returncode == 2
    assert complaint in only_line(ended.stderr.splitlines()[-1])


def test_sockets_for_each_worker_need_places_for_each():
    ended = run("serve", "echo", "127.0.0.1:0 connections=3", "--reuseport", "--workers", "4")
    assert ended.returncode == 2 and "connections is less than the 4 workers" in only_line(ended.stderr)


def test_a_program_that_has_the_socket_itself_has_no_time_to_be_idle():
    ended = run("serve", "exec", "127.0.0.1:0 idle=5s", "--model", "fork", "--", "cat")
    assert ended.returncode == 2 and "nobody stands between for --idle" in only_line(ended.stderr)
