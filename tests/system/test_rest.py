"""Servers at rest and fair servers: no system call without a cause, and every worker gets its share."""

import json
import os
import re
from collections import Counter
from contextlib import ExitStack

import pytest

import procfs
from client import exchange, wait_until
from harness import POLLERS, WORKERS, poller_of

CLIENTS = 2000


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
