"""Started by a service manager: sockets passed (sd_listen_fds(3)), readiness and the watchdog (sd_notify(3)).

No systemd runs here: systemd-socket-activate passes sockets, and so does the test itself; the manager's end of the
notifications is a socket of the test."""

import os
import shutil
import signal
import socket
import subprocess

import pytest

import procfs
from client import PATIENCE, dial, exchange, wait_until
from harness import MODELS, PARLEY, SOME_MODELS, Server, only_line, placement_of

# Makes its standard input descriptor 3, and itself the process it is meant for.
PASSING = ["bash", "-c", 'export LISTEN_PID=$$ LISTEN_FDS=1; exec "$@" 3<&0 0</dev/null', "bash"]


@pytest.fixture
def listener():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        yield sock


@pytest.fixture
def unix_listener(tmp_path):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(f"{tmp_path}/socket")
        sock.listen()
        yield sock


def address_of(sock):
    return f"127.0.0.1:{sock.getsockname()[1]}"


# ---- sockets ----

@pytest.mark.parametrize("model", MODELS)
def test_a_passed_socket_is_served_and_stays_the_managers(serve, model, listener):
    listener.setblocking(False)  # as systemd leaves it
    server = serve("echo", "systemd:", model=model, wrapper=PASSING, stdin=listener)
    assert server.addresses == [address_of(listener)]
    server.stop()
    with socket.create_connection(listener.getsockname()) as client:
        listener.setblocking(True)
        accepted = listener.accept()[0]
        accepted.close()
        assert client.recv(1) == b""


def test_a_passed_unix_socket_is_served_and_its_file_stays(serve, unix_listener):
    server = serve("echo", "systemd:", wrapper=PASSING, stdin=unix_listener)
    assert server.addresses == [f"unix:{unix_listener.getsockname()}"]
    server.stop()
    assert os.path.exists(unix_listener.getsockname())


def test_passed_and_other_addresses_together(serve, listener):
    server = serve("echo", "systemd:", "127.0.0.1:0", wrapper=PASSING, stdin=listener)
    assert len(server.addresses) == 2
    for index in range(2):
        with server.dial(index) as sock:
            exchange(sock, b"hello")


def test_a_socket_by_its_name(serve, listener):
    named = ["env", "LISTEN_FDNAMES=web", *PASSING]
    serve("echo", "systemd:web", wrapper=named, stdin=listener)


def test_a_descriptor_by_its_number(serve, listener):
    server = serve("echo", "fd:3", wrapper=["bash", "-c", 'exec "$@" 3<&0 0</dev/null', "bash"], stdin=listener)
    assert server.addresses == [address_of(listener)]


@pytest.mark.parametrize("name", ["systemd:", "systemd:web"])
def test_limits_of_a_passed_socket_stand_behind_its_name(serve, listener, name):
    server = serve("echo", f"{name} idle=300ms", wrapper=["env", "LISTEN_FDNAMES=web", *PASSING], stdin=listener)
    with server.dial() as sock:
        exchange(sock, b"hello")
        assert sock.recv(1) == b""
    server.wait_said("left: idle for too long: idle 300ms;")


def test_no_option_of_ours_is_missing_on_it(serve, listener):
    serve("echo", "systemd:", wrapper=PASSING, stdin=listener)
    assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


@pytest.mark.skipif(not shutil.which("systemd-socket-activate"), reason="no systemd-socket-activate")
@pytest.mark.parametrize("model", SOME_MODELS)
def test_systemd_socket_activate_starts_it_with_the_first_client(model, tmp_path):
    path = tmp_path / "socket"
    with subprocess.Popen(["systemd-socket-activate", "-l", str(path), PARLEY, "serve", "echo", "--model", model],
                          stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as server:
        try:
            wait_until(path.exists, "it listens")
            with dial(f"unix:{path}") as sock:
                exchange(sock, b"hello")
        finally:
            server.send_signal(signal.SIGTERM)
            _, said = server.communicate(timeout=PATIENCE)
    assert server.returncode == 0 and f"echo listens on unix:{path}" in said, said


# ---- M7: what is wrong ----

def refused(*words, passes=None, **variables):
    """The one line with which it ends; `$$` in a variable is its process."""
    settings = " ".join(f'{name}="{value}"' for name, value in variables.items())
    redirect = "" if passes is None else f"3<&{passes.fileno()}"
    done = subprocess.run(["bash", "-c", f'{settings} exec "$@" {redirect}', "bash", PARLEY, *words],
                          capture_output=True, text=True, timeout=PATIENCE, stdin=subprocess.DEVNULL, check=False,
                          pass_fds=[] if passes is None else [passes.fileno()])
    assert done.returncode == 2, done
    return only_line(done.stderr)


@pytest.mark.parametrize("count", ["0", "-1", "x", "", "4000000000", "1.5"])
def test_a_wrong_count_is_refused(count):
    said = refused("serve", "echo", LISTEN_FDS=count, LISTEN_PID="$$")
    assert said == f'parley serve: LISTEN_FDS is "{count}": a number of sockets is wanted, 1 to 1024'


def test_more_than_were_passed_are_refused(listener):
    said = refused("serve", "echo", passes=listener, LISTEN_FDS="2", LISTEN_PID="$$")
    assert said == "parley serve: LISTEN_FDS is 2, but descriptor 4 is not open"


@pytest.mark.parametrize("process", ["1", "x", ""])
def test_what_is_meant_for_another_process_is_refused(listener, process):
    for words in (["serve", "echo"], ["listen", "systemd:"]):
        said = refused(*words, passes=listener, LISTEN_FDS="1", LISTEN_PID=process)
        assert f"LISTEN_FDS is meant for process {process} (LISTEN_PID), and this is " in said


def test_what_is_meant_for_another_process_is_no_matter_where_addresses_are_given(serve):
    serve("echo", wrapper=["env", "LISTEN_FDS=1", "LISTEN_PID=1"])


def test_no_socket_at_all_is_refused():
    assert "no socket was passed (LISTEN_FDS is not set)" in refused("serve", "echo", "systemd:")


def test_an_unknown_name_is_refused(listener):
    said = refused("serve", "echo", "systemd:web", passes=listener, LISTEN_FDS="1", LISTEN_PID="$$",
                   LISTEN_FDNAMES="webs")
    assert 'systemd:web: no socket of this name was passed; LISTEN_FDNAMES is "webs"' in said


def test_a_socket_that_no_address_names_is_refused(listener):
    said = refused("serve", "echo", "127.0.0.1:0", passes=listener, LISTEN_FDS="1", LISTEN_PID="$$")
    assert "LISTEN_FDS passes 1, which the addresses given leave out" in said


@pytest.mark.parametrize("kind, what", [
    (socket.SOCK_DGRAM, "is a datagram socket"), (socket.SOCK_STREAM, "does not listen (Accept=no)")])
def test_another_kind_of_socket_is_refused(kind, what):
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("127.0.0.1", 0))
        said = refused("serve", "echo", passes=sock, LISTEN_FDS="1", LISTEN_PID="$$")
    assert said == f"parley serve: descriptor 3 {what}; a stream socket that listens is wanted"


def test_a_connection_and_a_file_are_refused():
    with socket.socketpair()[0] as connection, open("/dev/null", "rb") as file:
        for passed, what in ((connection, "does not listen (Accept=no)"), (file, "is no socket")):
            assert f"descriptor 3 {what};" in refused("serve", "echo", passes=passed, LISTEN_FDS="1", LISTEN_PID="$$")


def test_reuseport_does_not_go_with_it(listener):
    said = refused("serve", "echo", "--reuseport", passes=listener, LISTEN_FDS="1", LISTEN_PID="$$")
    assert "cannot be had once more for each worker" in said


# ---- notifications ----

@pytest.fixture
def manager(tmp_path):
    """The socket and its name in NOTIFY_SOCKET."""
    name = f"{tmp_path}/notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(name)
        sock.settimeout(PATIENCE)
        yield sock, name


def told(sock):
    """The next message, as names and values."""
    return dict(line.split("=", 1) for line in sock.recv(4096).decode().splitlines())


def told_until(sock, name):
    while name not in (message := told(sock)):
        continue
    return message


@pytest.mark.parametrize("model", SOME_MODELS)
def test_ready_reloading_and_stopping_are_told(serve, model, manager, tmp_path):
    sock, name = manager
    (tmp_path / "friends").write_text("127.0.0.0/8\n")
    server = serve("echo", model=model, options=["--allow", f"@{tmp_path}/friends"],
                   wrapper=["env", f"NOTIFY_SOCKET={name}"])
    ready = told(sock)
    assert ready["READY"] == "1" and ready["STATUS"].startswith(f"echo listens on {server.addresses[0]}; ")
    server.signal(signal.SIGHUP)
    reloading = told(sock)
    assert reloading["RELOADING"] == "1" and int(reloading["MONOTONIC_USEC"]) > 0
    assert told(sock)["READY"] == "1"
    server.stop()
    assert told(sock)["STOPPING"] == "1"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
@pytest.mark.parametrize("model", ["prefork+epoll", "prethread+epoll"])
def test_a_reload_with_nothing_to_read_ends_nobody(serve, model, manager):
    sock, name = manager
    server = serve("echo", model=model, wrapper=["env", f"NOTIFY_SOCKET={name}"])
    assert told(sock)["READY"] == "1"
    server.signal(signal.SIGHUP)
    assert told(sock)["RELOADING"] == "1"
    assert told(sock)["READY"] == "1"


def test_it_is_told_from_another_root_too(serve, manager, tmp_path):
    sock, name = manager
    # Leaks are found by way of /proc, which is not there.
    serve("echo", options=["--chroot", str(tmp_path), "--user", "nobody"],
          wrapper=["env", f"NOTIFY_SOCKET={name}", "ASAN_OPTIONS=detect_leaks=0:exitcode=99"])
    assert told(sock)["READY"] == "1"


@pytest.mark.parametrize("model", SOME_MODELS)
def test_the_watchdog_is_fed_while_it_serves_until_the_stop(model, manager, serve):
    sock, name = manager
    server = serve("echo", model=model, wrapper=["env", f"NOTIFY_SOCKET={name}", "WATCHDOG_USEC=400000"])
    server.checked_after = False
    with server.dial() as client:
        exchange(client, b"hello")
        assert "so far" in told_until(sock, "WATCHDOG")["STATUS"]
        server.terminate()
        told_until(sock, "STOPPING")
    server.wait_ended()


@pytest.mark.parametrize("model", ["prefork+blocking", "prefork+select", "prefork+epoll", "prefork+uring"])
def test_the_watchdog_is_not_fed_while_a_worker_is_stopped(model, manager, serve):
    sock, name = manager
    server = serve("echo", model=model, workers=2, wrapper=["env", f"NOTIFY_SOCKET={name}", "WATCHDOG_USEC=400000"])
    server.checked_after = False
    worker = server.children()[0]
    os.kill(worker, signal.SIGSTOP)
    server.wait_said(r"worker \d has not answered for 0.4 s: the watchdog is not fed")
    os.kill(worker, signal.SIGCONT)
    fed_again(sock)


def fed_again(sock):
    """Whatever has been told so far is passed over."""
    sock.setblocking(False)
    try:
        while sock.recv(4096):
            continue
    except BlockingIOError:
        sock.settimeout(PATIENCE)
    told_until(sock, "WATCHDOG")


@pytest.mark.parametrize("model", ["iterative+blocking", "fork+blocking", "fork+epoll", "thread+blocking",
                                   "prefork+blocking", "prethread+blocking"])
def test_the_watchdog_is_fed_while_clients_keep_workers_waiting(model, manager, serve):
    """Some in recv, some in send, and under fork one whose own process is stopped."""
    sock, name = manager
    server = serve("chargen", model=model, workers=2, wrapper=["env", f"NOTIFY_SOCKET={name}", "WATCHDOG_USEC=400000"])
    server.checked_after = False
    with server.dial() as reader:
        assert reader.recv(1)
        if placement_of(model) == "fork":
            os.kill(server.children()[0], signal.SIGSTOP)
        for _ in range(4):
            told_until(sock, "WATCHDOG")
        assert "the watchdog is not fed" not in server.stderr()
        if placement_of(model) == "fork":
            os.kill(server.children()[0], signal.SIGCONT)


def test_a_watchdog_of_another_process_is_not_fed(serve, manager):
    sock, name = manager
    server = serve("echo", wrapper=["env", f"NOTIFY_SOCKET={name}", "WATCHDOG_USEC=400000", "WATCHDOG_PID=1"])
    server.wait_quiet()
    server.stop()
    assert "READY" in told(sock) and "STOPPING" in told(sock)


def test_a_manager_with_an_abstract_name(serve, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0{tmp_path}")
        sock.settimeout(PATIENCE)
        serve("echo", wrapper=["env", f"NOTIFY_SOCKET=@{tmp_path}"])
        assert told(sock)["READY"] == "1"


def test_a_manager_that_is_not_there_is_said_and_no_reason_to_stop(serve, tmp_path):
    server = serve("echo", wrapper=["env", f"NOTIFY_SOCKET={tmp_path}/nobody"])
    server.wait_said(f"the service manager at {tmp_path}/nobody cannot be told: no such file or directory")


def test_a_child_does_not_hold_the_managers_socket(serve, manager):
    server = serve("echo", model="fork", wrapper=["env", f"NOTIFY_SOCKET={manager[1]}"])
    with server.dial() as client:
        exchange(client, b"hello")
        assert [procfs.sockets_of(child) for child in server.children()] == [1]


def test_a_watchdog_time_that_is_none_is_refused():
    said = refused("serve", "echo", "127.0.0.1:0", NOTIFY_SOCKET="/nowhere", WATCHDOG_USEC="soon")
    assert "WATCHDOG_USEC" in said
    said = refused("serve", "echo", "127.0.0.1:0", NOTIFY_SOCKET="/" + "x" * 200)
    assert "NOTIFY_SOCKET" in said
