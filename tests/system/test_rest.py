"""Servers at rest and fair servers: no system call without a cause, and every worker gets its share."""

import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

import procfs
from client import PATIENCE, exchange, wait_until
from harness import POLLERS, WORKERS, poller_of

CLIENTS = 2000
CROWD = 10000
IDLE = 5  # s
MANY = 500  # processes


# ---- an idle server makes no system call ----

@pytest.mark.skipif(os.environ.get("PARLEY_SANITIZER") == "tsan", reason="ThreadSanitizer wakes ten times a second")
def test_an_idle_server_is_not_woken_once(serve, model):
    """A thread that waits in the kernel and is not woken made no system call. A poll with a time limit, a
    tick or a spin would show as going to sleep again, or as processor time."""
    server = serve("echo", model=model)
    server.wait_quiet()
    assert server.activity_during(1) == (0, 0), "without a client"
    with server.dial() as sock:
        exchange(sock, b"hello")
        server.wait_quiet()
        assert server.activity_during(1) == (0, 0), "with a client that says nothing"
        exchange(sock, b"hello again")


@pytest.mark.skipif(os.environ.get("PARLEY_SANITIZER") == "tsan", reason="ThreadSanitizer wakes ten times a second")
@pytest.mark.parametrize("poller", POLLERS)
def test_times_longer_than_a_call_takes_wake_nobody(serve, poller):
    """D13: 2^31 ms are 597 hours, 2^32 are 1,194. Cut to an int they would be due at once, again and again."""
    server = serve("echo", model=f"iterative+{poller}", options=["--idle", "597h", "--life", "1194h"])
    with server.dial() as sock:
        exchange(sock, b"hello")
        server.wait_quiet()
        assert server.activity_during(0.5) == (0, 0)
        exchange(sock, b"hello again")


# ---- B11: ten thousand that say nothing ----

def start_crowd(stack, server, count):
    host, port = server.addresses[0].rsplit(":", 1)
    crowd = stack.enter_context(subprocess.Popen([sys.executable, Path(__file__).parent / "crowd.py", host, port,
                                                  str(count)], stdout=subprocess.PIPE, text=True))
    stack.callback(crowd.kill)
    return crowd


@pytest.mark.measures
def test_ten_thousand_idle_clients_wake_nobody_until_their_time(serve):
    """Of four servers at once. Each client is let go for its silence, not before its time (as of the turn in which
    it came), and no timer ticks meanwhile."""
    models = ["prethread+epoll", "prefork+epoll", "prethread+uring", "prefork+uring"]
    servers = [serve("echo", model=model, nofile=20000, workers=2, options=["--idle", f"{IDLE}s", "-v"])
               for model in models]
    with ExitStack() as stack:
        first = time.monotonic()
        crowds = [start_crowd(stack, server, CROWD) for server in servers]
        for server, crowd in zip(servers, crowds):
            assert crowd.stdout.readline() == "held\n", server.stderr()[-3000:]
            wait_until(lambda server=server: server.stderr().count(" connected\n") > CROWD, "all are accepted")
        for server in servers:
            check_sleep(server, first + IDLE)
        for server, crowd in zip(servers, crowds):
            fate = json.loads(crowd.communicate(timeout=IDLE + 2 * PATIENCE)[0])
            assert fate["ends"] == {"end": CROWD} and fate["shortest"] > 0.9 * IDLE, f"{server}: {fate}"
            wait_until(lambda server=server: server.stderr().count(" left: idle ") == CROWD, "it says so of each")


def check_sleep(server, until):
    """As long as none of them is due; a machine too slow to have all of them by then has nothing to show."""
    if (left := until - time.monotonic()) > 0.5:
        woken = server.activity_during(0.4)
        assert time.monotonic() > until or woken[0] == 0, f"{server}: woken {woken[0]} times"


# ---- E5: the share of each worker ----

def assert_fair(shares):
    assert len(shares) == WORKERS, f"not every worker was given clients: {shares}"
    assert max(shares) <= 2 * min(shares), f"busiest more than twice the idlest: {sorted(shares)}"


@pytest.mark.parametrize("poller", POLLERS[1:])
def test_held_clients_are_shared_fairly_among_processes(serve, poller):
    """What each process holds shows as its sockets."""
    server = serve("echo", model=f"prefork+{poller}", options=["--quiet"])
    before = {child: procfs.sockets_of(child) for child in server.children()}
    with ExitStack() as stack:
        clients = [stack.enter_context(server.dial()) for _ in range(CLIENTS)]
        for sock in clients:
            exchange(sock, b"x")
        assert_fair([procfs.sockets_of(child) - before[child] for child in before])


@pytest.mark.parametrize("placement", ["prefork", "prethread"])
@pytest.mark.parametrize("poller", POLLERS)
def test_clients_that_come_and_go_are_shared_fairly(serve, placement, poller):
    """The log says which process and thread took each."""
    server = serve("echo", model=f"{placement}+{poller}", options=["--log", "json", "-v"])
    for _ in range(CLIENTS // 4):
        with ExitStack() as stack:
            for sock in [stack.enter_context(server.dial()) for _ in range(4)]:
                if poller_of(server.model) != "blocking":
                    exchange(sock, b"x")
    wait_until(lambda: len(openings(server)) > CLIENTS, lambda: f"{CLIENTS} openings are logged")
    assert_fair(list(Counter(openings(server)).values()))


@pytest.mark.parametrize("placement", ["prefork", "prethread"])
@pytest.mark.parametrize("poller", POLLERS[1:])
def test_small_bursts_are_shared_fairly(serve, placement, poller):
    """Clients that come at once, a few for each worker, and stay."""
    server = serve("echo", model=f"{placement}+{poller}", workers=2, options=["--log", "json", "-v"])
    bursts, size, before = 6, 10, len(openings(server))
    with ExitStack() as stack:
        for _ in range(bursts):
            for sock in [stack.enter_context(server.dial()) for _ in range(size)]:
                exchange(sock, b"x")
        wait_until(lambda: len(openings(server)) == before + bursts * size, "all openings are logged")
        shares = sorted(Counter(openings(server)[before:]).values())
        assert len(shares) == 2 and shares[1] <= 2 * shares[0], shares


def openings(server):
    """The worker of each client: the last number that its line names it by."""
    events = [json.loads(line) for line in server.stderr().splitlines() if '"event":"opened"' in line]
    if events and "thread" not in events[0] and "prethread" in server.model:
        pytest.skip("nothing tells which thread serves a client")
    return [(event["pid"], event.get("thread")) for event in events]


@pytest.mark.parametrize("placement", ["prefork", "prethread"])
@pytest.mark.parametrize("poller", POLLERS)
def test_each_worker_has_a_socket_of_its_own_with_reuseport(serve, placement, poller):
    server = serve("echo", model=f"{placement}+{poller}", options=["--reuseport", "--log", "json", "-v"])
    for _ in range(100):
        server.serve_probe()
    assert re.search("listens on", server.stderr())


@pytest.mark.parametrize("placement", ["prefork", "prethread"])
def test_no_accept_blocks_where_another_worker_may_be_faster(serve, placement):
    """A worker that awaits a client's last bytes polls both: were its accept to block, it would not see them."""
    server = serve("echo", model=f"{placement}+blocking")
    with open("/proc/net/tcp", encoding="ascii") as file:
        listening = {f"socket:[{words[9]}]" for words in map(str.split, file) if words[3] == "0A"}
    found = [number for number, target in procfs.descriptors_of(server.pid).items() if target in listening]
    assert found
    for number in found:
        with open(f"/proc/{server.pid}/fdinfo/{number}", encoding="ascii") as file:
            assert int(re.search(r"flags:\s*(\d+)", file.read())[1], 8) & os.O_NONBLOCK, number


# ---- a process for each client ----

@pytest.mark.skipif("PARLEY_SANITIZER" in os.environ, reason="a sanitizer's shadow is written to as well")
def test_the_last_of_many_processes_is_as_small_as_the_first(serve):
    """What a child writes to is copied for it: the list of all the others must not be among it."""
    server = serve("echo", model="fork+blocking", options=["--quiet"])
    with ExitStack() as stack:
        for _ in range(MANY):
            exchange(stack.enter_context(server.dial()), b"x")
        first, *_, last = sorted(server.children())
        sizes = procfs.own_kib(first), procfs.own_kib(last)
    assert 0 < sizes[1] <= sizes[0] + 40, sizes
