"""Faults of listening, accepting and of peers: FAULTS A, B and C as a client or an administrator causes them."""

import fcntl
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

import procfs
from client import PATIENCE, Stream, dial, exchange, has_ended, receive_exactly, reset, target_of, wait_until
from harness import (EVENT_MODELS, MODELS, PARLEY, SOME_MODELS, Server, is_concurrent, is_pooled, only_line, placement_of,
                     poller_of, run)

STREAM = Stream()


def start_dialling(address):
    """A connection under way, nobody waiting for it."""
    family, target = target_of(address)
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setblocking(False)
    sock.connect_ex(target)
    return sock


def is_answered(sock):
    """Whether bytes came; neither an end nor a reset is an answer."""
    sock.setblocking(False)  # with a time limit Python waits whatever the flags say
    try:
        return bool(sock.recv(1, socket.MSG_PEEK))
    except (BlockingIOError, ConnectionResetError, BrokenPipeError):
        return False
    finally:
        sock.settimeout(PATIENCE)


def send_quietly(sock, message):
    try:
        sock.send(message)
    except OSError:
        pass


# ---- A1: no descriptors left ----

@pytest.mark.parametrize("model", [model for model in MODELS if placement_of(model) != "iterative"])
def test_500_clients_with_32_descriptors(serve, model):
    server = serve("echo", model=model, nofile=32)
    with ExitStack() as stack:
        clients = [stack.enter_context(server.dial()) for _ in range(500)]
        for sock in clients:
            send_quietly(sock, b"x")
        wait_until(lambda: any(map(is_answered, clients)), "one of them is answered")
        if model in EVENT_MODELS:
            server.wait_said("accept failed.*RLIMIT_NOFILE is 32")
            server.wait_quiet()
        else:
            server.watch(0.5)
    server.check_after()
    lines = [line for line in server.stderr().splitlines() if "accept failed" in line]
    assert len(lines) <= 40, f"{len(lines)} lines of one kind"


# ---- A6: addresses that cannot be had ----

def refused(*arguments, code, **options):
    done = run("serve", "echo", *arguments, **options)
    assert done.returncode == code, done.stderr
    return only_line(done.stderr)


def test_a_port_in_use_is_refused_with_the_address(serve):
    server = serve("echo")
    assert f"bind 127.0.0.1:{server.port}: address already in use" in refused(f"127.0.0.1:{server.port}", code=1)


def test_an_address_of_another_machine_is_refused():
    assert re.search(r"bind 192\.0\.2\.1:\d+: .*no interface", refused("192.0.2.1:7000", code=1))


def without_the_right_to_low_ports():
    """Root is let everything, so it gives this one right away."""
    return ["setpriv", "--bounding-set=-net_bind_service"] if os.geteuid() == 0 else []


def test_a_low_port_without_permission_is_refused():
    with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", encoding="ascii") as file:
        if int(file.read()) < 10:
            pytest.skip("every port is free to everybody here")
    command = [*without_the_right_to_low_ports(), *Server.command_of("echo", "127.0.0.1:9")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 2
    assert "bind 127.0.0.1:9: permission denied" in only_line(done.stderr)


def test_a_host_that_is_not_there_is_refused():
    assert "no-such-host.invalid" in refused("no-such-host.invalid:7000", code=1)


def test_a_unix_path_in_use_is_refused_and_stays(serve, tmp_path):
    path = f"unix:{tmp_path}/socket"
    server = serve("echo", path)
    assert f"bind {path}: address already in use (another process" in refused(path, code=1)
    server.serve_probe()


def test_a_stale_unix_socket_is_not_removed_blindly(tmp_path):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(f"{tmp_path}/socket")
    assert "stale" in refused(f"unix:{tmp_path}/socket", code=1)
    assert (tmp_path / "socket").is_socket()


def test_a_file_in_the_way_is_not_removed(tmp_path):
    (tmp_path / "precious").write_text("mine")
    assert "not a socket" in refused(f"unix:{tmp_path}/precious", code=1)
    assert (tmp_path / "precious").read_text() == "mine"


def test_a_unix_path_is_removed_at_the_end(serve, tmp_path):
    server = serve("echo", f"unix:{tmp_path}/socket", model="prefork+epoll")
    server.stop()
    assert not (tmp_path / "socket").exists()


# ---- A7: nobody accepts for a while ----

@pytest.mark.parametrize("model", SOME_MODELS)
def test_a_stopped_server_recovers_from_a_backlog_overflow(serve, model):
    server = serve("echo", model=model, options=["--backlog", "16"])
    family = server.family()
    for member in family:
        os.kill(member, signal.SIGSTOP)
    with ExitStack() as stack:
        for _ in range(2000):
            stack.enter_context(start_dialling(server.addresses[0]))
    for member in family:
        os.kill(member, signal.SIGCONT)


# ---- A4: gone before they were accepted ----

@pytest.mark.parametrize("model", SOME_MODELS)
def test_clients_that_reset_before_they_are_accepted_stall_nobody(serve, model):
    """On several listeners too, where readiness and accept are two calls."""
    server = serve("echo", "127.0.0.1:0", "127.0.0.1:0", model=model)
    family = server.family()
    for member in family:
        os.kill(member, signal.SIGSTOP)
    for number in range(60):
        reset(server.dial(number % 2))
    with server.dial() as first, server.dial(1) as second:
        for member in family:
            os.kill(member, signal.SIGCONT)
        for sock in (first, second):
            exchange(sock, b"hello")
            sock.close()


# ---- A10: ports, paths, names and both families ----

def test_port_0_tells_the_port_taken(serve):
    assert serve("echo", "127.0.0.1:0").port > 0


@pytest.mark.parametrize("model", SOME_MODELS)
def test_unix_paths_and_abstract_names(serve, model, tmp_path):
    name = f"@parley-test-{os.getpid()}-{model}"
    server = serve("echo", f"unix:{tmp_path}/socket", name, model=model)
    assert server.addresses == [f"unix:{tmp_path}/socket", name]
    for index in range(2):
        with server.dial(index) as sock:
            exchange(sock, b"over a path or a name")


@pytest.mark.parametrize("model", SOME_MODELS)
def test_a_bare_port_is_reached_over_both_families(serve, model):
    server = serve("echo", "0", model=model)
    assert len(server.addresses) == 1, "one dual-stack socket"
    for host in ("127.0.0.1", "[::1]"):
        with dial(f"{host}:{server.port}") as sock:
            exchange(sock, b"over either family")
    assert re.search(r"\b127\.0\.0\.1:\d+ connected", server.stderr()), "IPv4 is not shown as ::ffff:127.0.0.1"


@pytest.mark.parametrize("option, refused_by", [("-4", "[::1]"), ("-6", "127.0.0.1")])
def test_one_family_alone(serve, option, refused_by):
    server = serve("echo", "0", options=[option], probe=None)
    with dial(("127.0.0.1:" if option == "-4" else "[::1]:") + str(server.port)) as sock:
        exchange(sock, b"hello")
    with pytest.raises(ConnectionRefusedError):
        dial(f"{refused_by}:{server.port}")


# ---- B: peers ----

def test_connect_and_close_storm(serve, model):
    server = serve("echo", model=model)
    for number in range(1000):
        sock = server.dial()
        if number % 2:
            reset(sock)
        else:
            sock.close()


def storm(server, count):
    """From two processes; each is given its time."""
    host, port = server.addresses[0].rsplit(":", 1)
    processes = [subprocess.Popen([sys.executable, Path(__file__).parent / "storm.py", network, host, port, str(count)])
                 for network in ("1", "2")]
    for process in processes:
        try:
            assert process.wait(2 * PATIENCE) == 0, "the storm itself failed"
        finally:
            process.kill()


@pytest.mark.skipif("PARLEY_SANITIZER" in os.environ, reason="a sanitizer holds back what is freed")
@pytest.mark.parametrize("model, service", [("prethread+epoll", "echo"), ("prefork+epoll", "echo"),
                                            ("prethread+uring", "echo"), ("prefork+uring", "hangup")])
def test_tens_of_thousands_connect_and_close_and_leave_nothing(serve, model, service):
    """B12. Of an echo the clients close first, of hangup the server does: the ports that then wait keep no successor
    from listening."""
    server = serve(service, model=model, options=["--quiet"])
    storm(server, 1000)
    before = server.memory()
    storm(server, 8000)
    server.wait_baseline()
    assert server.memory() - before < 1 << 20, f"{before} bytes before"
    server.check_after()
    server.stop()
    assert serve(service, f"127.0.0.1:{server.port}", model=model).port == server.port


def test_an_urgent_byte_neither_harms_nor_spins(serve, model):
    server = serve("echo", model=model)
    with server.dial() as sock:
        exchange(sock, b"before")
        sock.send(b"!", socket.MSG_OOB)
        exchange(sock, b"after")
        server.wait_quiet()
        exchange(sock, b"and later")


def unsent_bytes(port):
    """Of sockets that may have no owner any more."""
    lines = subprocess.run(["ss", "-Htn", f"sport = :{port}"], capture_output=True, text=True, timeout=PATIENCE,
                           check=True).stdout.splitlines()
    return sum(int(line.split()[2]) for line in lines)


@pytest.mark.parametrize("model", SOME_MODELS)
def test_a_peer_that_was_stopped_is_cut_at_the_write_deadline(serve, model):
    """B10: its kernel goes on acknowledging until its buffer is full, and answers probes of the closed window."""
    server = serve("chargen", model=model, options=["--write-timeout", "500ms"], probe=None)
    with subprocess.Popen([PARLEY, "connect", server.addresses[0]], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as client:
        try:
            assert client.stdout.read(1)
            client.send_signal(signal.SIGSTOP)
            server.wait_said("left: stalled")
            wait_until(lambda: not unsent_bytes(server.port), "the kernel keeps nothing for it either")
            client.send_signal(signal.SIGCONT)
            complaint = client.communicate(timeout=PATIENCE)[1].decode()
            assert client.returncode == 1 and "reset" in complaint, "it took what came for all there was"
        finally:
            client.kill()


@pytest.mark.parametrize("model", [model for model in MODELS if is_concurrent(model)])
def test_pings_beside_a_firehose_are_all_answered(serve, model):
    server = serve("echo", model=model)
    stop = threading.Event()
    firehose = server.dial()
    threads = [threading.Thread(target=pump, args=(firehose, stop), daemon=True),
               threading.Thread(target=swallow, args=(firehose,), daemon=True)]
    for thread in threads:
        thread.start()
    try:
        for number in range(100):
            with server.dial() as sock:
                exchange(sock, b"ping %d" % number)
    finally:
        stop.set()
        for thread in threads:
            thread.join(PATIENCE)
        firehose.close()


def pump(sock, stop):
    """Sends without a pause until told to stop."""
    place = 0
    while not stop.is_set():
        place += sock.send(STREAM.at(place, Stream.PIECE))
    sock.shutdown(socket.SHUT_WR)


def swallow(sock):
    while sock.recv(1 << 20):
        pass


# ---- C11: standard descriptors that are closed or full ----

@pytest.mark.parametrize("model", SOME_MODELS)
def test_started_with_standard_descriptors_closed(serve, model):
    """Else a socket gets number 0, 1 or 2, and a log line ends up in a client's stream."""
    closed = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"]
    server = serve("echo", model=model, wrapper=closed, stderr=subprocess.DEVNULL)
    with server.dial() as sock:
        exchange(sock, b"hello\n")
        for member in server.family():
            standard = {number: target for number, target in procfs.descriptors_of(member).items() if number < 3}
            assert all(target == "/dev/null" for target in standard.values()), standard


def full_pipe():
    """A pipe that nobody reads and that holds no byte more; its writing end blocks as a shell's would."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 4096)
    except BlockingIOError:
        pass
    os.set_blocking(writer, True)
    return reader, writer


def test_a_full_log_pipe_does_not_block_serving(serve, model):
    reader, writer = full_pipe()
    server = serve("echo", model=model, options=["-v"], stderr=writer)
    with server.dial() as sock:
        for number in range(200):
            exchange(sock, b"message %d\n" % number)
    server.check_after()
    server.stop()
    assert not fcntl.fcntl(writer, fcntl.F_GETFL) & os.O_NONBLOCK, "a pipe shared with others is left as it was"
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("model", SOME_MODELS)
def test_a_log_reader_that_left_does_not_end_the_server(serve, model):
    reader, writer = os.pipe()
    server = serve("echo", model=model, stderr=writer)
    os.close(reader)
    os.close(writer)
    with server.dial() as sock:
        for number in range(20):
            exchange(sock, b"message %d\n" % number)


def test_a_port_that_cannot_be_printed_is_no_success():
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run(Server.command_of("echo", "127.0.0.1:0", "--print-port"), stdout=full,
                              stderr=subprocess.PIPE, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 2
    assert "write standard output: no space left on device" in only_line(done.stderr)


# ---- C3: no memory from the kernel ----

@pytest.mark.skipif("PARLEY_SANITIZER" in os.environ, reason="a sanitizer needs all the addresses there are")
@pytest.mark.parametrize("model", ["thread+blocking", "thread+epoll", "fork+poll", "prethread+epoll", "prethread+uring"])
def test_more_clients_than_there_is_memory_for(serve, model):
    """Each thread wants a stack, each connection a little, and mmap(2) and brk(2) say ENOMEM."""
    server = serve("echo", model=model, workers=2)
    size = procfs.address_space_of(server.pid)
    for member in server.family():
        resource.prlimit(member, resource.RLIMIT_AS, (size + (2 << 20), resource.RLIM_INFINITY))
    with ExitStack() as stack:
        clients = [stack.enter_context(server.dial()) for _ in range(200)]
        for sock in clients:
            send_quietly(sock, b"x")
        wait_until(lambda: any(map(is_answered, clients)), "one of them is answered")
        server.wait_quiet()


# ---- E1: select and large descriptors ----

@pytest.mark.parametrize("model", ["prethread+select", "prefork+select", "thread+select"])
def test_select_refuses_descriptors_beyond_its_sets(serve, model):
    """1,024 is FD_SETSIZE: FD_SET beyond it writes over other memory."""
    server = serve("echo", model=model, workers=2)
    clients = [server.dial() for _ in range(2200 if is_pooled(model) else 1400)]
    for sock in clients:
        send_quietly(sock, b"x")
    wait_until(lambda: sum(map(is_answered, clients)) > 300, "more than 300 of them are answered")
    server.wait_quiet()
    assert sum(map(is_answered, clients)) < len(clients)

    def ended():
        return sum(not is_answered(sock) and has_ended(sock) for sock in clients)
    if placement_of(model) != "prefork":
        wait_until(ended, "threads share their descriptors: some clients are refused")
    assert not ended() or re.search("turned away: .*FD_SETSIZE", server.stderr()), "refused without a word"
    for sock in clients:
        sock.close()


@pytest.mark.parametrize("model", EVENT_MODELS)
def test_most_connections_at_once(serve, model):
    """Above --connections accepting pauses; who waits is served when another has left."""
    server = serve("echo", model=model, workers=1, options=["--connections", "3"])
    with ExitStack() as stack:
        clients = [stack.enter_context(server.dial()) for _ in range(3)]
        for sock in clients:
            exchange(sock, b"in")
        waiting = stack.enter_context(server.dial())
        waiting.sendall(b"and me?")
        for _ in range(10):
            exchange(clients[1], b"still here")
        assert not is_answered(waiting)
        clients[0].close()
        assert receive_exactly(waiting, 7) == b"and me?"


@pytest.mark.parametrize("model", [model for model in EVENT_MODELS if poller_of(model) != "select"])
def test_more_connections_than_select_could_watch(serve, model):
    server = serve("echo", model=model, workers=1)
    with ExitStack() as stack:
        clients = [stack.enter_context(server.dial()) for _ in range(1500)]
        for number, sock in enumerate(clients):
            sock.sendall(b"%04d" % number)
        for number, sock in enumerate(clients):
            assert receive_exactly(sock, 4) == b"%04d" % number
