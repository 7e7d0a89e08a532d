"""A program per connection: `serve exec`, judged by what the program sees, what its client gets, and what is left."""

import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

import procfs
from client import (Stream, Writer, dial, fill, has_bytes, receive_all, receive_exactly, receive_stream,
                    receive_what_comes, reset,
                    wait_until)
from harness import PARLEY, only_line, run

pytestmark = pytest.mark.skipif(os.environ.get("PARLEY_SANITIZER") == "valgrind",
                                reason="valgrind 3.19 has neither pidfd_open(2) nor a clone(2) that shares memory")
MODELS = ["iterative+epoll", "fork+blocking", "fork+epoll", "thread+blocking", "prefork+epoll", "prethread+blocking",
          "prethread+select", "prethread+poll", "prethread+epoll", "prethread+uring"]
FEW = ["fork+blocking", "prethread+epoll", "prethread+uring"]
EVENTS = ["prefork+epoll", "prethread+select", "prethread+poll", "prethread+epoll", "prethread+uring"]


def is_root():
    return os.geteuid() == 0


def ask(server, sent=b"", bind=None):
    """One client that says something, then its end, and hears everything."""
    with dial(server.addresses[0], bind=bind) as sock:
        sock.sendall(sent)
        sock.shutdown(socket.SHUT_WR)
        return receive_all(sock)


def ask_shell(serve, line, model="prethread+epoll", sent=b"", options=()):
    """What a shell's line answers, without the last newline."""
    server = serve("exec", model=model, options=["--shell", line, *options])
    return ask(server, sent).decode().removesuffix("\n")


def probe_cat(sock):
    sock.sendall(b"are you there?")
    sock.shutdown(socket.SHUT_WR)
    assert receive_all(sock) == b"are you there?"


@pytest.fixture(params=MODELS)
def model(request):
    return request.param


@pytest.fixture(params=FEW)
def some_model(request):
    return request.param


# ---- bytes and ends ----

def test_bytes_pass_unchanged(serve, model):
    server = serve("exec", model=model, program=["cat"], probe=probe_cat)
    size = 16 << 20 if model in FEW else 1 << 20
    stream = Stream(7)
    with server.dial() as sock:
        writer = Writer(sock, stream, size)
        assert receive_stream(sock, stream) == (size, None)
        writer.finish()


def test_last_bytes_come_after_the_clients_end(serve, model):
    """nmap #962: a client that ends its side first still gets everything, however late."""
    assert ask(serve("exec", model=model, program=["sort"]), b"3\n1\n2\n") == b"1\n2\n3\n"
    late = serve("exec", model=model, options=["--shell", "wc -c; sleep 0.7; echo late"])
    assert ask(late, b"x" * 100000) == b"100000\nlate\n"


def test_a_program_may_leave_while_its_client_talks(serve, model):
    server = serve("exec", model=model, program=["head", "-c", "5"])
    with server.dial() as sock:
        sock.sendall(b"hello" + b"x" * 300000)
        assert receive_all(sock) == b"hello"


def test_a_client_that_stays_hears_of_the_programs_end(serve, model):
    server = serve("exec", model=model, program=["echo", "that is all"])
    with server.dial() as sock:
        assert receive_all(sock) == b"that is all\n"


@pytest.mark.parametrize("model", EVENTS)
def test_a_program_is_told_of_its_client(serve, model):
    server = serve("exec", model=model, probe=None, options=["--proxy-send", "v1", "--shell", "cat"])
    with dial(server.addresses[0]) as sock:
        port = sock.getsockname()[1]
        sock.sendall(b"hello")
        sock.shutdown(socket.SHUT_WR)
        assert receive_all(sock) == f"PROXY TCP4 127.0.0.1 127.0.0.1 {port} {server.port}\r\nhello".encode()


@pytest.mark.parametrize("words, complaint", [
    (["exec", "0", "--model", "fork", "--proxy-send", "v1", "--", "cat"], "nobody stands between for --proxy-send"),
    (["echo", "0", "--proxy-send", "v1"], "--proxy-send is for relay and exec; echo passes nothing on")])
def test_where_nobody_can_be_told(words, complaint):
    done = run("serve", *words)
    assert done.returncode == 2 and complaint in only_line(done.stderr)


def test_nothing_is_heard_by_others(serve):
    server = serve("exec", model="prethread+epoll", program=["cat"])
    with server.dial() as first, server.dial() as second:
        first.sendall(b"to myself")
        assert receive_exactly(first, 9) == b"to myself"
        assert not has_bytes(second)


# ---- what the program finds ----

def test_environment_is_ucspi_and_nothing_else(serve, some_model):
    environment = {**os.environ, "SECRET": "kept", "PASSED": "on", "PATH": "/usr/bin:/bin"}
    server = serve("exec", model=some_model, program=["env"], env=environment,
                   options=["--env", "PASSED", "--env", "MADE=up = it", "--env", "UNSET_HERE"])
    with server.dial() as sock:
        seen = dict(line.split("=", 1) for line in receive_all(sock).decode().splitlines())
        ip, port = sock.getsockname()
    assert seen == {"PROTO": "TCP", "TCPREMOTEIP": ip, "TCPREMOTEPORT": str(port), "TCPLOCALIP": "127.0.0.1",
                    "TCPLOCALPORT": str(server.port), "REMOTE_ADDR": ip, "REMOTE_PORT": str(port),
                    "TCPCONNNUM": "1",
                    "PASSED": "on", "MADE": "up = it", "PATH": "/usr/bin:/bin"}


def test_tcpconnnum_counts_an_address(serve, some_model):
    server = serve("exec", model=some_model, options=["--shell", "echo $TCPCONNNUM; read x"])
    with server.dial() as first, server.dial(bind=("127.0.0.2", 0)) as other:
        assert receive_exactly(first, 2) == receive_exactly(other, 2) == b"1\n"
        with server.dial() as second:
            assert receive_exactly(second, 2) == b"2\n"


def test_environment_of_ipv6_and_unix(serve, tmp_path):
    server = serve("exec", "[::1]:0", f"unix:{tmp_path}/socket", program=["env"])
    with server.dial() as sock:
        six = receive_all(sock).decode().splitlines()
    with server.dial(1) as sock:
        unix = receive_all(sock).decode().splitlines()
    assert {"PROTO=TCP", "TCPREMOTEIP=::1", "TCPLOCALIP=::1"} <= set(six)
    assert {"PROTO=UNIX", f"UNIXLOCALPATH={tmp_path}/socket"} <= set(unix)
    assert not [line for line in unix if line.startswith("TCP")]


def test_descriptors_0_1_2_and_no_more(serve, some_model):
    server = serve("exec", model=some_model, program=["sh", "-c", "ls /proc/$$/fd; :"], wrapper=["sh", "-c",
                   'exec "$@" 7</dev/null', "sh"])
    with server.dial() as sock, server.dial():
        assert receive_all(sock).split() == [b"0", b"1", b"2"]


def test_signals_and_privileges_as_at_a_login(serve, some_model):
    """Whoever started us may have ignored SIGCHLD, and we ignore SIGPIPE: D5."""
    server = serve("exec", model=some_model, program=["cat", "/proc/self/status"],
                   wrapper=["env", "--ignore-signal=CHLD", "--ignore-signal=HUP", "--block-signal=USR1"])
    status = dict(re.findall(r"(\w+):\s+(.*)", ask(server).decode()))
    assert {name: int(status[name], 16) for name in ("SigIgn", "SigBlk", "SigCgt")} == \
        {"SigIgn": 0, "SigBlk": 0, "SigCgt": 0}
    assert status["NoNewPrivs"] == "1"
    server.wait_said(r"process \d+ ended with exit code 0")


def test_a_process_group_of_its_own(serve, some_model):
    leader, group = ask_shell(serve, "set -- $(cut -d' ' -f1,5 /proc/$$/stat); echo $1 $2", some_model).split()
    assert leader == group


@pytest.mark.skipif(not is_root(), reason="only root can run programs as somebody else")
def test_as_another_user(serve, some_model):
    answer = ask_shell(serve, "id -u; id -g; id -G; grep CapPrm /proc/self/status", some_model, options=["--as", "nobody"])
    user, group, groups, _, capabilities = answer.split()
    assert (user, group, groups, int(capabilities, 16)) == ("65534", "65534", "65534", 0)


def test_limits(serve, some_model):
    options = ["--rlimit", "nofile=64", "--rlimit", "fsize=1MiB", "--rlimit", "cpu=10"]
    assert ask_shell(serve, "ulimit -n; ulimit -Hn; ulimit -t", some_model, options=options).split() == ["64", "64", "10"]


# ---- what is forbidden, and what may be gained ----

@pytest.mark.skipif("PARLEY_SANITIZER" in os.environ, reason="a sanitizer makes calls no list can know")
def test_what_no_program_needs_is_forbidden(serve, some_model):
    server = serve("exec", model=some_model, options=["--stderr-to-client", "--shell",
                                                      "grep -c 'Seccomp:.2' /proc/self/status; unshare -U true"])
    server.wait_said(r"confined: no new privileges, \d+ system calls forbidden, to programs too")
    assert ask(server) == b"1\nunshare: unshare failed: Operation not permitted\n"


def test_without_the_sandbox_only_no_new_privileges_hold(serve, some_model):
    said = ask_shell(serve, "grep -E 'Seccomp:|NoNewPrivs:' /proc/self/status", some_model, options=["--no-sandbox"])
    mine = re.search(r"Seccomp:\t(\d)", Path("/proc/self/status").read_text(encoding="ascii"))[1]
    assert said.split() == ["NoNewPrivs:", "1", "Seccomp:", mine]


@pytest.fixture
def set_user_id():
    """Makes copies of programs that become root, in a place that everybody finds."""
    with tempfile.TemporaryDirectory() as directory:
        if not is_root() or os.statvfs(directory).f_flag & os.ST_NOSUID:
            pytest.skip("only root makes such a program, and where it counts")
        os.chmod(directory, 0o755)

        def make(program):
            copy = shutil.copy(shutil.which(program), directory)
            os.chmod(copy, 0o4755)
            return copy
        yield make


NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]


@pytest.mark.parametrize("options, user", [((), b"65534"), (("--new-privileges",), b"0")])
def test_privileges_are_gained_only_if_asked(serve, some_model, set_user_id, options, user):
    server = serve("exec", model=some_model, wrapper=NOBODY, options=options, program=[set_user_id("id"), "-u"])
    assert ask(server) == user + b"\n"


def test_a_filter_does_not_need_no_new_privileges_of_root(serve, set_user_id):
    server = serve("exec", options=["--new-privileges", "--user", "nobody"], program=[set_user_id("id"), "-u"])
    server.wait_said("confined: programs may gain privileges, ")
    assert ask(server) == b"0\n"
    if "PARLEY_SANITIZER" not in os.environ:
        assert "system calls forbidden, to programs too, user 65534" in server.stderr()


def test_who_has_gained_privileges_does_not_hold_up_the_stop(serve, some_model, set_user_id):
    """SIGKILL of somebody else does not reach it."""
    become = [set_user_id("setpriv"), "--reuid", "0", "--regid", "0", "--clear-groups"]
    server = serve("exec", model=some_model, wrapper=NOBODY, options=["--new-privileges", "--drain", "200ms"],
                   program=[*become, "sh", "-c", "echo $$ $$; exec sleep 1000"])
    with server.dial() as sock:
        pid = leader_and_child(sock)[0]
        wait_until(lambda: procfs._read(f"/proc/{pid}/comm") == "sleep\n", "it sleeps")
        try:
            server.terminate()
            assert server.wait_ended() == 0
            assert f"process {pid} has gained privileges and cannot be ended: it is left to itself" in server.stderr()
        finally:
            os.kill(pid, signal.SIGKILL)


def test_client_bytes_are_no_command(serve):
    hostile = b"$(touch /tmp/parley-was-here)`id`; id\n() { :;}; id\n"
    assert ask(serve("exec", options=["--shell", 'read -r x; printf "%s" "$x"']), hostile) == hostile.split(b"\n")[0]


# ---- standard error ----

def test_errors_go_to_the_log_escaped(serve, some_model):
    server = serve("exec", model=some_model, options=["--shell", r"printf 'one\033[2J\ntwo' >&2; echo out"])
    assert ask(server) == b"out\n"
    server.wait_said(r"127\.0\.0\.1:\d+ process \d+ says: one\\x1b\[2J\n")
    server.wait_said(r"process \d+ says: two\n")


def test_no_last_word_is_lost(serve, some_model):
    """As much as a pipe holds may be unread when the program ends."""
    server = serve("exec", model=some_model, options=["-v", "--shell", "seq -f 'word %g.' 1 5000 >&2"])
    assert ask(server) == b""
    told = server.wait_said(r"process \d+ ended with exit code 0").string
    words = re.findall(r"says: (.*)\n", told.partition(" ended with")[0])
    assert [words[0], words[-1], len(words)] == ["word 1.", "word 5000.", 5000]


def test_what_a_program_says_does_not_drown_how_it_ended(serve, some_model):
    server = serve("exec", model=some_model, probe=None, options=["--shell", "seq 1 1000 >&2; exit 7"])
    assert ask(server) == b""
    server.wait_said(r"process \d+ ended with exit code 7")


def test_errors_go_to_the_client_if_asked(serve, some_model):
    server = serve("exec", model=some_model, options=["--stderr-to-client", "--shell", "echo out; echo err >&2"])
    assert ask(server) == b"out\nerr\n"
    assert "says" not in server.stderr()


# ---- a terminal ----

@pytest.mark.parametrize("model", EVENTS)
def test_a_terminal(serve, model):
    server = serve("exec", model=model, options=["--pty", "--env", "TERM=dumb", "--shell",
                                                 "tty; stty -echo; echo ready; read x; echo $x; cat"])
    with server.dial() as sock:
        said = b""
        while b"ready\r\n" not in said:
            said += sock.recv(100)
        assert re.match(rb"/dev/pts/\d+\r\n", said)
        sock.sendall(b"a line\nanother\n")
        sock.shutdown(socket.SHUT_WR)
        assert receive_all(sock) == b"a line\r\nanother\r\n"


def test_a_terminals_program_ends_with_its_client(serve):
    server = serve("exec", model="prethread+epoll", options=["--pty", "--shell", "sleep 1000 & echo $$ $!; wait"])
    with server.dial() as sock:
        pids = leader_and_child(sock)
        reset(sock)
    wait_gone(pids)
    for _ in range(3):
        with server.dial() as sock:
            leader_and_child(sock)
            sock.sendall(b"\x03")
            receive_what_comes(sock)


def test_a_terminal_hears_the_end_behind_half_a_line(serve):
    server = serve("exec", model="prethread+epoll", options=["--pty", "--shell", "stty -echo; echo ready; cat; echo done"])
    with server.dial() as sock:
        assert receive_exactly(sock, 7) == b"ready\r\n"
        sock.sendall(b"half")
        sock.shutdown(socket.SHUT_WR)
        assert receive_all(sock) == b"halfdone\r\n"


def test_a_terminal_whose_program_has_ended_waits_asleep_for_its_client(serve):
    """That it has hung up is told over and over to who waits for something else."""
    server = serve("exec", model="prethread+epoll", probe=None, options=[
        "--pty", "--send-buffer", "4KiB", "--high-water", "4KiB", "--shell", "timeout 0.3 head -c 100000000 /dev/zero"])
    with dial(server.addresses[0], receive_buffer=4096):
        server.wait_said(r"connected\n")
        wait_until(lambda: server.children() and all(map(procfs.is_zombie, server.children())), "the program's end")
        looks = [{task.state for task in procfs.tasks_of(server.pid)} for _ in range(20) if not server.watch(0.01)]
        assert looks.count({"S"}) > 15, looks


def test_a_terminal_is_closed_when_its_client_is_gone(serve):
    """Even if the program has not read what came: nobody waits for that."""
    server = serve("exec", model="prethread+epoll", probe=None, options=[
        "--pty", "--grace", "60s", "--shell", "stty raw -echo; trap '' TERM HUP; echo ready; sleep 1000"])
    with server.dial() as sock:
        assert receive_exactly(sock, 5) == b"ready"
        fill(sock, Stream(3), 16 << 20)
        reset(sock)
    wait_until(lambda: len(procfs.tasks_of(server.pid)) == server.baseline.threads, "the end of the terminal's thread")
    for pid in server.children():
        os.kill(pid, signal.SIGKILL)


# ---- how it ends ----

def test_the_log_tells_how_it_ended(serve, some_model):
    server = serve("exec", model=some_model, options=["--shell", "read x; exit $x"])
    ask(server, b"7\n")
    server.wait_said(r"process \d+ ended with exit code 7 after \d+\.\d{3} s: \d+\.\d{3} s user, \d+\.\d{3} s system, "
                     r"\d+\.\d MiB")
    killed = serve("exec", model=some_model, options=["--shell", "kill -9 $$"])
    assert ask(killed) == b""
    killed.wait_said(r"process \d+ was killed by signal 9 \(Killed\)")


def test_bytes_are_counted(serve, some_model):
    server = serve("exec", model=some_model, program=["sort"])
    assert ask(server, b"b\na\n" * 1000) == b"a\n" * 1000 + b"b\n" * 1000
    server.wait_said(r"left: finished; 4000 bytes in, 4000 bytes out\n")
    left = serve("exec", model=some_model, options=["--shell", "echo first; { sleep 0.1; echo second; } 2>/dev/null & exec 2>&-"])
    assert ask(left) == b"first\nsecond\n"
    left.wait_said(rf"left: finished; 0 bytes in, {6 if some_model == 'fork+blocking' else 13} bytes out\n")


def test_a_reset_is_called_so(serve, some_model):
    server = serve("exec", model=some_model, options=["--shell", "echo there; sleep 1000"])
    with server.dial() as sock:
        assert receive_exactly(sock, 6) == b"there\n"
        reset(sock)
    server.wait_said(r"left: reset: recv: connection reset by peer; 0 bytes in, 6 bytes out\n")


def leader_and_child(sock):
    """Of a program that says their numbers first."""
    line = b""
    while not line.endswith(b"\n"):
        line += sock.recv(1)
    return [int(number) for number in line.split()]


def wait_gone(pids):
    wait_until(lambda: all(map(procfs.is_gone, pids)), lambda: f"{pids} end: {list(map(procfs.stat_of, pids))}")


def test_a_reset_ends_the_group(serve, model):
    server = serve("exec", model=model, options=["--shell", "sleep 1000 & echo $$ $!; wait"])
    with server.dial() as sock:
        pids = leader_and_child(sock)
        reset(sock)
    wait_gone(pids)
    server.wait_said(rf"process {pids[0]} was killed by signal 15")


def test_who_ignores_sigterm_is_killed_after_the_grace(serve, some_model):
    server = serve("exec", model=some_model, options=["--grace", "100ms", "--shell",
                                                      "trap '' TERM; sleep 1000 & echo $$ $!; wait; wait"])
    with server.dial() as sock:
        pids = leader_and_child(sock)
        reset(sock)
    wait_gone(pids)
    server.wait_said(rf"process {pids[0]} was killed by signal 9")


def test_the_rest_of_a_group_has_its_grace_too(serve):
    """The leader dies of SIGTERM, the one it left behind does not."""
    server = serve("exec", model="prethread+epoll", options=["--grace", "300ms", "--shell",
                                                             "(trap '' TERM; exec sleep 1000) & echo $$ $!; wait"])
    with server.dial() as sock:
        pids = leader_and_child(sock)
        reset(sock)
    wait_gone(pids[:1])
    wait_gone(pids)


def test_a_leader_that_left_others_behind(serve, some_model):
    """What it left holds the connection, and ends with it (double fork)."""
    server = serve("exec", model=some_model, options=["--shell", "sleep 1000 & echo $$ $!"])
    with server.dial() as sock:
        pids = leader_and_child(sock)
        wait_gone(pids[:1])
        assert not procfs.is_gone(pids[1])
        reset(sock)
    wait_gone(pids)


@pytest.mark.parametrize("model", EVENTS)
def test_a_program_that_never_reads(serve, model):
    server = serve("exec", model=model, options=["--shell", "echo $$ $$; exec sleep 1000"])
    with server.dial() as sock:
        pids = leader_and_child(sock)
        assert fill(sock, Stream(), 64 << 20) < 32 << 20, "no back-pressure"
        reset(sock)
    wait_gone(pids)


@pytest.mark.parametrize("model", EVENTS)
def test_a_program_that_floods(serve, model):
    server = serve("exec", model=model, program=["yes"])
    before = server.memory()
    with server.dial() as sock:
        wait_until(lambda: has_bytes(sock), "its first bytes")
        assert server.activity_during(0.3)
        assert server.memory() - before < 8 << 20
        pid = [child for child in server.children() if procfs._read(f"/proc/{child}/comm") == "yes\n"]
        reset(sock)
    wait_gone(pid)


def test_many_that_die_at_once_leave_no_zombie(serve):
    many = 150
    server = serve("exec", model="prethread+epoll", program=["cat"], probe=probe_cat)
    socks = [server.dial() for _ in range(many)]
    for sock in socks:
        sock.sendall(b"x")
    for sock in socks:
        assert receive_exactly(sock, 1) == b"x"
    assert len(server.children()) >= many
    for child in server.children():
        os.kill(child, signal.SIGKILL)
    for sock in socks:
        assert receive_all(sock) == b""
        sock.close()
    wait_until(lambda: not server.children(), lambda: f"{len(server.children())} children are left")


@pytest.mark.parametrize("model", ["prefork+epoll", "fork+blocking", "prethread+epoll"])
def test_nothing_outlives_a_server_that_is_killed(serve, model):
    server = serve("exec", model=model, options=["--drain", "200ms", "--shell", "echo $$ $$; exec sleep 1000"])
    server.expected_code = -signal.SIGKILL
    with server.dial() as sock:
        pids = leader_and_child(sock)
        server.signal(signal.SIGKILL)
        server.wait_ended()
        wait_gone(pids)


def test_a_place_of_a_worker_that_was_killed_is_free_again(serve):
    server = serve("exec", model="prefork+epoll", workers=1, options=["--max-children", "1"], program=["cat"])
    with server.dial() as sock:
        sock.sendall(b"x")
        assert receive_exactly(sock, 1) == b"x"
        os.kill(procfs.children_of(server.pid)[0], signal.SIGKILL)
    wait_until(lambda: ask(server, b"again") == b"again", "another worker serves")


def test_a_stop_gives_time_and_then_ends_it(serve, some_model):
    server = serve("exec", model=some_model, options=["--drain", "300ms", "--shell",
                                                      "trap '' TERM; echo $$ $$; while :; do sleep 0.1; done"])
    with server.dial() as sock:
        pids = leader_and_child(sock)
        server.terminate()
        assert server.wait_ended() == 0
    wait_gone(pids)


def test_a_stop_lets_it_finish(serve, some_model):
    server = serve("exec", model=some_model, options=["--shell", "echo ready; read x; echo $x"])
    with server.dial() as sock:
        assert receive_exactly(sock, 6) == b"ready\n"
        server.terminate()
        server.wait_said("stopping")
        sock.sendall(b"my last words\n")
        assert receive_all(sock) == b"my last words\n"
    assert server.wait_ended() == 0


# ---- what cannot be run ----

@pytest.fixture
def cat(tmp_path):
    return shutil.copy("/bin/cat", tmp_path / "cat")


def test_a_program_that_is_missing_later(serve, some_model, cat):
    server = serve("exec", model=some_model, program=[cat], probe=probe_cat)
    os.rename(cat, f"{cat}.away")
    assert ask(server) == b""
    server.wait_said(r"cannot run .*/cat: execve .*: no such file")
    os.rename(f"{cat}.away", cat)
    assert ask(server, b"back") == b"back"
    os.chmod(cat, 0o644)
    wait_until(lambda: ask(server) == b"" and "permission denied" in server.stderr(), "it says so; once a second it may")
    os.chmod(cat, 0o755)


def test_a_program_that_is_being_written(serve, some_model, cat):
    server = serve("exec", model=some_model, program=[cat], probe=probe_cat)
    with open(cat, "r+b"):
        assert ask(server) == b""
    server.wait_said(r"cannot run .*: text file busy")


def test_too_many_words(serve, some_model):
    server = serve("exec", model=some_model, options=["--rlimit", "stack=64KiB"], program=["echo", *["x" * 100000] * 2])
    assert ask(server) == b""
    server.wait_said(r"cannot run echo: .*argument list too long")


@pytest.mark.skipif("PARLEY_SANITIZER" in os.environ, reason="the sanitizer's runtime must be loaded first")
def test_no_processes_to_be_had(serve, tmp_path):
    """C5: the client is closed, and the server goes on."""
    preload = tmp_path / "preload.so"
    source = "#include <errno.h>\n#include <stddef.h>\nint clone(int (*f)(void *), void *s, int n, void *a, ...)\n" \
             "{ (void)f; (void)s; (void)n; (void)a; errno = EAGAIN; return -1; }\n"
    subprocess.run(["gcc", "-shared", "-fPIC", "-xc", "-", "-o", preload], input=source, text=True, check=True)
    server = serve("exec", program=["cat"], env={**os.environ, "LD_PRELOAD": str(preload)})
    assert ask(server) == b"" == ask(server)
    server.wait_said(r"cannot run cat: clone .*")


@pytest.mark.parametrize("arguments, sentence", [
    (["0"], "which program?"),
    (["0", "--", "no-such-program"], "there is no program no-such-program in PATH"),
    (["0", "--", __file__], "cannot be run: permission denied"),
    (["0", "--shell", "id", "--", "cat"], "exclude each other"),
    (["0", "--rlimit", "nofile", "--", "cat"], "give NAME=VALUE"),
    (["0", "--rlimit", "speed=1", "--", "cat"], "give NAME=VALUE"),
    (["0", "--rlimit", "cpu=10ms", "--", "cat"], '--rlimit cpu=10ms: "10ms" is not a'),
    (["0", "--rlimit", "nofile=1KiB", "--", "cat"], '--rlimit nofile=1KiB: "1KiB" is not a'),
    (["0", "--chroot", "/proc", "--", "/bin/cat"], "/bin/cat is not in /proc, which --chroot makes the root"),
    (["0", "--env", "=x", "--", "cat"], "give NAME or NAME=VALUE"),
    (["0", "--framing", "line", "--", "cat"], "leave out --framing"),
    (["0", "--model", "fork", "--idle", "1s", "--", "cat"], "nobody stands between for --idle"),
    (["0", "--model", "fork", "--pty", "--", "cat"], "nobody stands between for --pty"),
    (["0", "--model", "fork", "--tls", "self-signed", "--", "cat"], "nobody stands between for --tls"),
    (["--", "cat"], "no address"),
])
def test_refused_at_the_start(arguments, sentence):
    done = run("serve", "exec", *arguments)
    assert done.returncode == 2
    assert sentence in only_line(done.stderr)


# ---- --max-children ----

@pytest.mark.parametrize("model", ["thread+blocking", *EVENTS])
def test_clients_wait_for_a_place(serve, model):
    server = serve("exec", model=model, options=["--max-children", "2"], program=["cat"], probe=probe_cat)
    socks = [server.dial() for _ in range(5)]
    for sock in socks:
        sock.sendall(b"x")
    wait_until(lambda: sum(map(has_bytes, socks)) == 2, "two of them are served")
    assert sum(procfs._read(f"/proc/{child}/comm") == "cat\n" for child in server.children()) == 2
    for _ in range(5):
        wait_until(lambda: any(map(has_bytes, socks)), "the next is served")
        served = next(filter(has_bytes, socks))
        served.shutdown(socket.SHUT_WR)
        assert receive_all(served) == b"x"
        served.close()
        socks.remove(served)


# ---- programs made for tcpserver and inetd ----

def test_chains_of_ucspi_tcp(serve, some_model):
    """recordio and fixcrio stand before a program, and rblsmtpd reads UCSPI's variables."""
    server = serve("exec", model=some_model, program=["recordio", "fixcrio", "cat"])
    assert ask(server, b"hello\n") == b"hello\r\n"
    server.wait_said(r"process \d+ says: \d+ > hello")
    smtp = serve("exec", model=some_model, options=["--env", "RBLSMTPD=go away"], program=["rblsmtpd", "true"])
    with smtp.dial() as sock:
        sock.sendall(b"QUIT\r\n")
        assert receive_all(sock).startswith(b"220 rblsmtpd.local\r\n221")
    smtp.wait_said(r"says: rblsmtpd: 127\.0\.0\.1 pid \d+: 451 go away")


@pytest.mark.parametrize("program", [["busybox", "httpd", "-i", "-h"], ["/usr/sbin/micro-httpd"]],
                         ids=["busybox", "micro-httpd"])
def test_web_servers_of_inetd(serve, some_model, program, tmp_path):
    page = os.urandom(200000)
    (tmp_path / "page").write_bytes(page)
    server = serve("exec", model=some_model, program=[*program, tmp_path])
    with server.dial() as sock:
        sock.sendall(b"GET /page HTTP/1.0\r\n\r\n")
        head, _, body = receive_all(sock).partition(b"\r\n\r\n")
    assert b" 200 " in head.splitlines()[0]
    assert hashlib.sha256(body).digest() == hashlib.sha256(page).digest()


# ---- TLS and PROXY headers before a program ----

def test_behind_a_proxy_the_client_is_who_the_header_says(serve):
    server = serve("exec", program=["env"], options=["--proxy-from", "127.0.0.1"])
    answer = ask(server, b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 25\r\n").decode()
    assert {"TCPREMOTEIP=192.0.2.7", "TCPREMOTEPORT=4711", "TCPLOCALIP=192.0.2.1", "TCPLOCALPORT=25"} <= \
        set(answer.splitlines())


def test_under_tls(serve):
    server = serve("exec", options=["--tls", "self-signed", "--shell", "env | grep SSL_; cat"])
    done = subprocess.run([PARLEY, "connect", server.addresses[0], "--tls", "--insecure", "--server-name", "localhost"],
                          input=b"hello\n", capture_output=True, timeout=20, check=False)
    lines = done.stdout.decode().splitlines()
    assert "SSL_PROTOCOL=TLSv1.3" in lines
    assert "SSL_TLS_SNI_SERVERNAME=localhost" in lines
    assert [line for line in lines if line.startswith("SSL_CIPHER=TLS_")]
    assert lines[-1] == "hello"
