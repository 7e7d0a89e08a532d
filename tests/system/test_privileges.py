"""Least privilege as an administrator checks it: by what /proc says of the running server and its workers."""

import os
import re
import shutil
import signal
import socket
import subprocess

import pytest

import procfs
from client import PATIENCE, dial, exchange, wait_until
from harness import MODELS, PARLEY, SOME_MODELS, WORKERS, Server, only_line, placement_of

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
needs_strace = pytest.mark.skipif(not shutil.which("strace") or "PARLEY_SANITIZER" in os.environ,
                                  reason="no strace, or a sanitizer that cannot be traced")
DAC_OVERRIDE = 1 << 1


def status_of(pid):
    """The lines of /proc/PID/status as words."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return {name: words.split() for name, _, words in (line.partition(":") for line in file)}


def capabilities_of(status):
    return [int(status[f"Cap{name}"][0], 16) for name in ("Inh", "Prm", "Eff", "Bnd", "Amb")]


def threads_of(server):
    """Every thread of every process of it."""
    return [f"{member}/task/{thread}" for member in server.family() for thread in procfs.thread_ids_of(member)]


def served(tracer, *options):
    """What a traced server said that served one client and was told to stop."""
    command = [*tracer, PARLEY, "serve", "echo", "127.0.0.1", "0", "--print-port", *options]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        with dial(f"127.0.0.1:{int(process.stdout.readline())}") as sock:
            exchange(sock, b"hello")
        os.kill(procfs.children_of(process.pid)[0], signal.SIGTERM)
        _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    return said.decode()


def traced(calls, path, *options):
    """What strace saw of it."""
    served(["strace", "-f", "-qq", "-o", str(path), "-e", f"trace={calls}"], "--log", "none", *options)
    return path.read_text(encoding="ascii")


@pytest.fixture
def held(serve):
    """A server of a model and one client it holds."""
    clients = []

    def start(model, *options, **more):
        server = serve("echo", model=model, options=list(options), **more)
        clients.append(server.dial())
        exchange(clients[-1], b"hello")
        return server
    yield start
    for client in clients:
        client.close()


# ---- who it is ----

@needs_root
@pytest.mark.parametrize("model", MODELS)
def test_user_group_and_capabilities_are_gone_everywhere(held, model):
    server = held(model, "--user", "daemon", "--group", "nogroup",
                  wrapper=["setpriv", "--groups", "4,24", "--inh-caps", "+chown", "--ambient-caps", "+chown"])
    server.wait_said("confined: user 1, group 65534, no capabilities, no new privileges")
    for thread in threads_of(server):
        status = status_of(thread)
        assert status["Uid"] == ["1"] * 4 and status["Gid"] == ["65534"] * 4, thread
        assert status["Groups"] == [], thread
        assert capabilities_of(status) == [0] * 5, thread
        assert status["NoNewPrivs"] == ["1"], thread


@needs_root
def test_a_user_brings_its_own_groups_and_none_of_roots(held):
    server = held("prethread", "--user", "nobody", wrapper=["setpriv", "--groups", "0,4,24"])
    status = status_of(server.pid)
    assert status["Uid"] == status["Gid"] == ["65534"] * 4 and status["Groups"] == ["65534"]


@needs_root
def test_numbers_need_no_entry_in_the_passwd_file(held):
    status = status_of(held("fork", "--user", "12345", "--group", "54321").pid)
    assert status["Uid"] == ["12345"] * 4 and status["Gid"] == ["54321"] * 4


@needs_root
@pytest.mark.parametrize("model", SOME_MODELS)
def test_a_server_in_an_empty_root_serves(held, model, tmp_path):
    # There is no /proc, by which leaks are found, nor a directory for reports of sanitizers.
    server = held(model, "--chroot", str(tmp_path), "--user", "nobody",
                  wrapper=["env", "ASAN_OPTIONS=detect_leaks=0:exitcode=99"])
    server.wait_said(f"root {tmp_path}")
    for member in server.family():
        assert os.readlink(f"/proc/{member}/root") == os.readlink(f"/proc/{member}/cwd") == str(tmp_path)


@needs_root
def test_listen_becomes_another_user_too():
    reader, writer = os.pipe()
    command = [PARLEY, "listen", "127.0.0.1", "0", "--user", "nobody", "--ready-fd", str(writer)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, pass_fds=[writer]) as listener:
        os.close(writer)
        with open(reader, encoding="ascii") as pipe:
            assert pipe.readline()
        status = status_of(listener.pid)
        listener.terminate()
    assert status["Uid"] == ["65534"] * 4 and capabilities_of(status) == [0] * 5 and status["NoNewPrivs"] == ["1"]


# ---- by default, and not ----

def test_by_default_nothing_can_be_gained(held):
    server = held("prethread")
    status = status_of(server.pid)
    assert status["NoNewPrivs"] == ["1"]
    assert not any(capability & ~DAC_OVERRIDE for capability in capabilities_of(status)[:3])
    server.wait_said("confined: .*no new privileges")


@needs_root
@pytest.mark.parametrize("may_grant", [True, False])
def test_rings_have_memory_for_every_client(serve, may_grant):
    """Memory of rings counts against RLIMIT_MEMLOCK for who lacks CAP_IPC_LOCK: giving up privileges costs no
    client its ring, also in a container, where root may not raise the limit."""
    wrapper = [] if may_grant else ["setpriv", "--bounding-set", "-sys_resource"]
    server = serve("echo", model="thread+uring", wrapper=[*wrapper, "prlimit", "--memlock=1048576:1048576"])
    clients = [server.dial() for _ in range(150)]
    for client in clients:
        exchange(client, b"hello")
    for client in clients:
        client.close()


def test_without_the_sandbox_nothing_is_given_up(held):
    server = held("prethread", "--no-sandbox")
    mine, status = status_of("self"), status_of(server.pid)
    assert [status[name] for name in ("CapPrm", "CapBnd", "NoNewPrivs", "Seccomp")] == \
        [mine[name] for name in ("CapPrm", "CapBnd", "NoNewPrivs", "Seccomp")]
    assert "confined" not in server.stderr()


# ---- the sandbox ----

SANITIZED = os.environ.get("PARLEY_SANITIZER", "")
needs_filters = pytest.mark.skipif(bool(SANITIZED), reason="sanitizers and valgrind make calls no list can know")


@needs_filters
@pytest.mark.parametrize("model", MODELS)
def test_every_thread_is_filtered(held, model):
    server = held(model)
    server.wait_said(r"confined: .*no files, \d+ system calls")
    for thread in threads_of(server):
        assert status_of(thread)["Seccomp"] == ["2"], thread


@needs_filters
@pytest.mark.parametrize("model", MODELS)
def test_worker_processes_have_given_up_more(held, model):
    """Nothing that talks to a client may signal, start or wait for another process."""
    server = held(model)
    filters = {member: int(status_of(member)["Seccomp_filters"][0]) for member in server.family()}
    supervisor = filters.pop(server.pid)
    assert list(filters.values()) == [supervisor + 1] * len(filters), filters
    assert bool(filters) == (placement_of(model) in ("fork", "prefork"))


@needs_filters
@needs_strace
@pytest.mark.parametrize("model", MODELS)
def test_no_call_that_a_model_makes_is_forbidden(model, tmp_path):
    """Many a call that fails is made up for, so only a trace shows it."""
    tracer = ["strace", "-f", "-qq", "-o", str(tmp_path / "trace"), "-e", "status=failed", "-e",
              "trace=!rt_sigreturn,prlimit64"]  # what a signal interrupted; what is tried before the sandbox
    (tmp_path / "friends").write_text("127.0.0.0/8\n", encoding="ascii")
    served(tracer, "--log", "text", "--model", model, "--explain", "--allow", f"@{tmp_path}/friends", "-v",
           "--listen", f"unix:{tmp_path}/socket")
    trace = (tmp_path / "trace").read_text(encoding="ascii", errors="replace")
    assert not [line for line in trace.splitlines() if "EPERM" in line]


@needs_filters
@pytest.mark.parametrize("model", ["prefork+epoll", "prethread+uring"])
def test_files_that_are_read_again_are_left(serve, model, tmp_path):
    """The file is replaced, as an administrator's editor does it, by another one of its directory."""
    friends, new = tmp_path / "friends", tmp_path / "new"
    friends.write_text("127.0.0.0/8\n", encoding="ascii")
    server = serve("echo", model=model, options=["--allow", f"@{friends}"])
    server.wait_said(f"no files but below {tmp_path}, ")
    new.write_text("192.0.2.0/24\n", encoding="ascii")
    new.rename(friends)
    server.signal(signal.SIGHUP)

    def is_refused():
        with server.dial() as sock:
            sock.settimeout(PATIENCE)
            try:
                sock.sendall(b"hello")
                return sock.recv(1) == b""
            except ConnectionError:
                return True
    wait_until(is_refused, "nobody is let in any more")
    server.probe = None


@needs_filters
@needs_strace
@pytest.mark.parametrize("call, error, said", [
    ("seccomp", "EPERM", "without seccomp (operation not permitted)"),
    ("seccomp", "ENOSYS", "without seccomp (function not implemented)"),
    ("landlock_create_ruleset", "ENOSYS", "without landlock (function not implemented)"),
    ("landlock_create_ruleset", "EOPNOTSUPP", "without landlock (operation not supported)"),
])
@pytest.mark.parametrize("verbose", [True, False])
def test_where_it_cannot_be_had_it_is_done_without(call, error, said, verbose, tmp_path):
    options = ["-v"] if verbose else []
    seen = served(["strace", "-f", "-qq", "-o", str(tmp_path / "trace"), "-e", f"trace={call}", "-e",
                   f"inject={call}:error={error}"], "--log", "text", *options)
    assert (said in seen) == verbose and "confined: " in seen


# ---- refusals ----

def refused(*options, wrapper=()):
    command = [*wrapper, *Server.command_of("echo", "127.0.0.1", "0", *options, "--log", "none")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 2 and not done.stdout, done
    return only_line(done.stderr)


@pytest.mark.parametrize("options, sentence", [
    (["--user", "nobdy"], "--user nobdy: there is no such user"),
    (["--user", "12345"], "--user 12345: no user has this number; name a group too, with --group"),
    (["--user", "-1"], "--user -1: there is no such user"),
    (["--user", "4294967295", "--group", "1"], "--user 4294967295: there is no such user"),
    (["--group", "nogrup"], "--group nogrup: there is no such group"),
    (["--chroot", "/nowhere"], "--chroot /nowhere: no such file or directory"),
    (["--chroot", "/dev/null"], "--chroot /dev/null: it is no directory"),
], ids=lambda value: value if isinstance(value, str) else "=".join(value))
def test_what_is_not_there_is_refused(options, sentence):
    assert refused(*options) == f"parley serve: {sentence}"


@needs_root
@pytest.mark.parametrize("options, sentence", [
    (["--user", "nobody"], "setgroups: operation not permitted (only root may: it needs CAP_SETGID)"),
    (["--chroot", "/"], "chroot /: operation not permitted (only root may: it needs CAP_SYS_CHROOT)"),
], ids=["user", "chroot"])
def test_who_is_not_root_is_told_so(options, sentence):
    nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    assert refused(*options, wrapper=nobody) == f"parley serve: {sentence}"


@needs_root
@needs_strace
@pytest.mark.parametrize("call, error, sentence", [
    ("chroot", "error=EACCES", "chroot /: permission denied"),
    ("chdir", "error=EACCES", "chdir to / in /: permission denied"),
    ("setgroups", "error=EPERM", "setgroups: operation not permitted (only root may: it needs CAP_SETGID)"),
    ("setresgid", "error=EPERM", "setresgid 65534: operation not permitted (only root may: it needs CAP_SETGID)"),
    ("setresuid", "error=EAGAIN", "setresuid 65534: resource temporarily unavailable"),
    ("setgroups", "retval=0", "the kernel did not take user 65534 and group 65534"),
    ("setresgid", "retval=0", "the kernel did not take user 65534 and group 65534"),
    ("setresuid", "retval=0", "the kernel did not take user 65534 and group 65534"),
    ("setuid", "retval=0", "setuid 0: succeeded after user 65534 was taken, so nothing was given up"),
    ("setgid", "retval=0", "setgid 0: succeeded after group 65534 was taken, so nothing was given up"),
    ("capget", "error=EPERM", "capget: operation not permitted"),
    ("capset", "error=EPERM", "capset: operation not permitted"),
], ids=lambda value: value.replace(" ", "-")[:20])
def test_each_call_that_fails_is_named_and_nothing_is_served(call, error, sentence):
    injection = ["strace", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:{error}"]
    user = [] if call == "capset" else ["--user", "nobody"]  # with whom the capabilities go by themselves
    said = refused(*user, "--chroot", "/", wrapper=["setpriv", "--groups", "4,24", *injection])
    assert said == f"parley serve: {sentence}"


# ---- what was open before ----

@needs_root
@needs_strace
@pytest.mark.parametrize("placement", ["iterative", "fork", "thread", "prefork", "prethread"])
def test_no_ring_is_older_than_the_user(placement, tmp_path):
    """A ring works with the rights of who made it, whatever the process has become since (CVE-2024-22017)."""
    seen = traced("io_uring_setup,close,setresuid", tmp_path / "trace", "--user", "nobody", "--model",
                  f"{placement}+uring")
    before, drop, after = seen.partition("setresuid(65534, 65534, 65534)")
    rings = set()
    for line in before.splitlines():
        if made := re.search(r"io_uring_setup\(.*\) += (\d+)$", line):
            rings.add(made[1])
        elif closed := re.search(r"close\((\d+)\)", line):
            rings.discard(closed[1])
    assert drop and not rings and "io_uring_setup" in after, seen


@pytest.mark.parametrize("model", SOME_MODELS)
def test_no_descriptor_would_pass_to_a_program(held, model):
    """D8: whatever is open beyond 0, 1 and 2 is close-on-exec, in every process."""
    server = held(model)
    for member in server.family():
        for number in procfs.descriptors_of(member):
            with open(f"/proc/{member}/fdinfo/{number}", encoding="ascii") as file:
                flags = int(re.search(r"flags:\s*(\d+)", file.read())[1], 8)
            assert number <= 2 or flags & os.O_CLOEXEC, procfs.descriptors_of(member)


@needs_root
def test_a_socket_file_that_will_stay_behind_is_said(serve, tmp_path):
    server = serve("echo", f"unix:{tmp_path}/socket", options=["--user", "nobody"])
    server.wait_said(rf"unix:{tmp_path}/socket will stay behind at the end: {tmp_path}: permission denied")
    server.stop()
    assert (tmp_path / "socket").is_socket()


def test_a_socket_file_is_removed_by_a_confined_server(serve, tmp_path):
    server = serve("echo", f"unix:{tmp_path}/socket")
    server.stop()
    assert not (tmp_path / "socket").exists() and "stay behind" not in server.stderr()


def is_free(port):
    try:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", port))
        return True
    except OSError:
        return False


@needs_root
def test_a_port_of_root_is_bound_before_the_drop(serve):
    port = next(port for port in range(700, 1000) if is_free(port))
    server = serve("echo", f"127.0.0.1:{port}", model="prethread", options=["--user", "nobody", "--reuseport"])
    assert procfs.sockets_of(server.pid) == WORKERS, "one for each worker"
