"""Signals and processes: FAULTS D. Workers that die, supervisors that die, signals in storms."""

import os
import signal
import threading
import time
from contextlib import ExitStack

import pytest

import procfs
from client import (PATIENCE, Stream, Writer, exchange, fill, has_ended, receive_stream, receive_what_comes,
                    wait_until)
from harness import MODELS, POLLERS, SOME_MODELS, WORKERS, poller_of, probe_echo

FORK_MODELS = [f"fork+{poller}" for poller in POLLERS]
PREFORK_MODELS = [f"prefork+{poller}" for poller in POLLERS]
STREAM = Stream()
STORM = 5000
MEMORY = 32 << 20  # of a server and all its workers, where that is limited


# ---- D2: storms ----

def storm(server, stop):
    """Signals that parley handles, and those of a terminal that it need not, as fast as they go."""
    sent = 0
    while not stop.is_set() or sent < STORM:
        for number in (signal.SIGCHLD, signal.SIGURG, signal.SIGWINCH, signal.SIGCONT):
            server.signal(number)
            sent += 1
    return sent


@pytest.mark.parametrize("model", MODELS)
def test_a_signal_storm_neither_harms_bytes_nor_loses_the_stop(serve, model):
    server = serve("echo", model=model)
    stop = threading.Event()
    thread = threading.Thread(target=storm, args=(server, stop), daemon=True)
    thread.start()
    try:
        with server.dial() as sock:
            writer = Writer(sock, STREAM, 4 << 20)
            received = receive_stream(sock, STREAM)
            writer.finish()
    finally:
        stop.set()
        thread.join(PATIENCE)
    assert received == (4 << 20, None)


# ---- D3: the second signal ----

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["TERM", "INT"])
def test_a_second_signal_cuts_the_drain_short(serve, model, number):
    server = serve("echo", model=model, options=["--drain", "5m"])
    with server.dial(receive_buffer=4096) as sock:
        fill(sock, STREAM, 64 << 20)
        server.signal(number)
        server.wait_said("stopping")
        server.signal(number)
        assert server.wait_ended() == 128 + number
        server.expected_code = 128 + number
        receive_what_comes(sock)


@pytest.mark.parametrize("model", SOME_MODELS)
def test_stopped_and_continued(serve, model):
    server = serve("echo", model=model)
    with server.dial() as sock:
        exchange(sock, b"before")
        for number in (signal.SIGSTOP, signal.SIGCONT):
            for member in server.family():
                os.kill(member, number)
        exchange(sock, b"after")


# ---- D4: many children die at once ----

@pytest.mark.parametrize("model", FORK_MODELS)
def test_many_children_killed_at_once_leave_no_zombie(serve, model):
    server = serve("echo", model=model)
    with ExitStack() as stack:
        clients = [stack.enter_context(server.dial()) for _ in range(60)]
        for sock in clients:
            exchange(sock, b"hello")
        for child in server.children():
            os.kill(child, signal.SIGKILL)
        wait_until(lambda: not server.children(), lambda: f"all are reaped: {procfs.snapshot(server.pid)}")
        for sock in clients:
            wait_until(lambda sock=sock: has_ended(sock), "its client sees the end")


# ---- D5: what was inherited ----

@pytest.mark.parametrize("inherited", [["--ignore-signal=CHLD"], ["--block-signal=TERM,CHLD,INT,URG"],
                                       ["--ignore-signal=TERM,URG"]],
                         ids=["CHLD-ignored", "blocked", "TERM-ignored"])
@pytest.mark.parametrize("model", SOME_MODELS)
def test_inherited_signal_settings_do_not_matter(serve, model, inherited):
    server = serve("echo", model=model, wrapper=["env", *inherited])
    for _ in range(5):
        server.serve_probe()


# ---- D6: a worker dies ----

def kill_worker(server):
    victim = server.children()[0]
    os.kill(victim, signal.SIGKILL)
    return victim


def hold_clients(stack, server, message=b"before"):
    """So many that surely no worker has them all, or one for each where that is the most."""
    count = WORKERS if poller_of(server.model) == "blocking" else 10 * WORKERS
    clients = [stack.enter_context(server.dial()) for _ in range(count)]
    for sock in clients:
        exchange(sock, message)
    return clients


@pytest.mark.parametrize("model", PREFORK_MODELS)
def test_a_killed_worker_is_started_again_and_others_go_on(serve, model):
    server = serve("echo", model=model)
    with ExitStack() as stack:
        clients = hold_clients(stack, server)
        sockets = {child: procfs.sockets_of(child) for child in server.children()}
        victim = kill_worker(server)
        server.wait_said(rf"process {victim} was killed by signal 9")
        wait_until(lambda: len(server.children()) == WORKERS and victim not in server.children(),
                   "another is started in its place")
        ended = [sock for sock in clients if has_ended(sock)]
        assert len(ended) <= sockets[victim] and len(ended) < len(clients), "only its own clients may be lost"
        for sock in set(clients) - set(ended):
            exchange(sock, b"after")


@pytest.mark.parametrize("model", PREFORK_MODELS)
def test_all_workers_killed_at_once(serve, model):
    server = serve("echo", model=model)
    before = server.children()
    for child in before:
        os.kill(child, signal.SIGKILL)
    wait_until(lambda: len(server.children()) == WORKERS and not set(before) & set(server.children()),
               "all are started again")


def test_a_crash_loop_is_slowed_down(serve):
    """Each worker is killed as soon as it is there. Without a growing pause that would be hundreds."""
    server = serve("echo", model="prefork+epoll", workers=1, probe=None)
    killed, until = 0, time.monotonic() + 3
    while time.monotonic() < until:
        for child in server.children():
            if not procfs.is_gone(child):
                os.kill(child, signal.SIGKILL)
                killed += 1
        server.watch(0.005)
    assert 2 <= killed <= 12, f"{killed} workers were started in 3 s"
    server.wait_baseline()
    server.probe = probe_echo


# ---- C4: the kernel has no memory for a worker ----

def send_without_an_end(sock, size):
    """So much of a line that is never whole, as long as anybody takes it."""
    try:
        for _ in range(size // Stream.PIECE):
            sock.sendall(bytes(Stream.PIECE))
    except (ConnectionResetError, BrokenPipeError):
        pass


def serve_within(serve, limit, model, **options):
    """One client may fill the memory of all: the limit of its line is too large."""
    return serve("echo", model=model, options=["--framing", f"line max={8 * MEMORY}"],
                 wrapper=limit.set(MEMORY), probe=probe_line, **options)


def probe_line(sock):
    exchange(sock, b"are you there?\n")


@pytest.mark.skipif("PARLEY_SANITIZER" in os.environ, reason="a sanitizer has other limits of memory")
@pytest.mark.parametrize("model", PREFORK_MODELS)
def test_a_worker_that_the_kernel_kills_for_its_memory_is_started_again(memory_limit, serve, model):
    server = serve_within(serve, memory_limit, model)
    before = server.children()
    with ExitStack() as stack:
        greedy, *clients = hold_clients(stack, server, b"before\n")
        sockets = {child: procfs.sockets_of(child) for child in before}
        send_without_an_end(greedy, 2 * MEMORY)
        victim = int(server.wait_said(r"process (\d+) was killed by signal 9")[1])
        wait_until(lambda: len(server.children()) == WORKERS and set(server.children()) != set(before),
                   "another is started in its place")
        assert memory_limit.kills() == 1 and victim in before
        ended = [sock for sock in clients if has_ended(sock)]
        assert len(ended) < sockets[victim], "only its own clients may be lost"
        for sock in set(clients) - set(ended):
            exchange(sock, b"after\n")


@pytest.mark.skipif("PARLEY_SANITIZER" in os.environ, reason="a sanitizer has other limits of memory")
def test_workers_that_the_kernel_kills_again_and_again_come_later_and_later(memory_limit, serve):
    server = serve_within(serve, memory_limit, "prefork+epoll", workers=1)
    began = time.monotonic()
    for count in range(1, 4):
        with server.dial() as greedy:
            send_without_an_end(greedy, 2 * MEMORY)
        wait_until(lambda count=count: memory_limit.kills() == count, "it is killed")
    assert time.monotonic() - began >= 0.1 + 0.2


# ---- D7: the supervisor dies ----

@pytest.mark.parametrize("model", PREFORK_MODELS + FORK_MODELS)
def test_workers_end_when_their_supervisor_is_killed(serve, model):
    server = serve("echo", model=model)
    server.checked_after = False
    server.expected_code = -signal.SIGKILL
    with ExitStack() as stack:
        for _ in range(3):
            exchange(stack.enter_context(server.dial()), b"hello")
        workers = server.children()
        assert workers
        server.signal(signal.SIGKILL)
        wait_until(lambda: all(map(procfs.is_gone, workers)),
                   lambda: f"still there: {[pid for pid in workers if not procfs.is_gone(pid)]}")
    with pytest.raises(ConnectionRefusedError):
        server.dial()


# ---- children know nothing they need not ----

@pytest.mark.parametrize("model", FORK_MODELS)
def test_a_child_keeps_the_port_from_nobody(serve, model):
    """A client that stays longer than the server must not keep its successor from listening."""
    server = serve("echo", model=model, options=["--drain", "100ms"])
    with server.dial() as sock:
        exchange(sock, b"hello")
        server.stop()
        successor = serve("echo", f"127.0.0.1:{server.port}", model=model)
        assert successor.port == server.port


def rings_of(pid):
    """The inode of each ring that it has a descriptor of, or a piece of in its memory."""
    found = {os.stat(f"/proc/{pid}/fd/{number}").st_ino for number, target in procfs.descriptors_of(pid).items()
             if target == "anon_inode:[io_uring]"}
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        return found | {int(line.split()[4]) for line in maps if line.rstrip().endswith("anon_inode:[io_uring]")}


def check_rings(server, supervisors):
    rings = [rings_of(member) for member in server.family()]
    assert len(rings[0]) == supervisors and all(len(each) == 1 for each in rings[1:]), rings
    assert len(set.union(*rings)) == sum(map(len, rings)), f"one is shared: {rings}"


@pytest.mark.parametrize("model", ["fork+uring"])
def test_a_child_has_no_ring_of_its_parent(serve, model):
    """E10: a process that is forked while a ring is live could neither submit to it nor wait for it."""
    server = serve("echo", model=model)
    with ExitStack() as stack:
        for _ in range(3):
            exchange(stack.enter_context(server.dial()), b"hello")
        check_rings(server, 1)


@pytest.mark.parametrize("model", ["prefork+uring"])
def test_a_worker_that_is_started_again_has_a_ring_of_its_own(serve, model):
    server = serve("echo", model=model)
    with ExitStack() as stack:
        for _ in range(2):
            hold_clients(stack, server)
            victim = kill_worker(server)
            wait_until(lambda victim=victim: len(server.children()) == WORKERS and victim not in server.children(),
                       "another is started in its place")
        hold_clients(stack, server)
        wait_until(lambda: all(map(rings_of, server.children())), "each has its ring")
        check_rings(server, 0)
