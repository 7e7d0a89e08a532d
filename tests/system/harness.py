"""Starts `parley serve`, watches it from outside, and ends it.

Nothing here knows how parley works inside: it is judged by its sockets, its exit code, what it says on
stderr, and what /proc says of its processes."""

import os
import re
import select
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import procfs
from client import PATIENCE, dial, exchange, receive_all, receive_exactly, reset, wait_until

ROOT = Path(__file__).resolve().parents[2]
PARLEY = os.environ.get("PARLEY", str(ROOT / "build" / "parley"))

PLACEMENTS = ["iterative", "fork", "thread", "prefork", "prethread"]
POLLERS = ["blocking", "select", "poll", "epoll", "uring"]
MODELS = [f"{placement}+{poller}" for placement in PLACEMENTS for poller in POLLERS]
EVENT_MODELS = [f"{placement}+{poller}" for placement in ("prefork", "prethread") for poller in POLLERS[1:]]
# One model per placement and one per poller, for what depends on one half alone.
SOME_MODELS = ["iterative+epoll", "fork+blocking", "thread+blocking", "thread+uring", "prefork+epoll",
               "prethread+select", "prethread+poll", "prethread+epoll", "prethread+uring"]

WORKERS = 4
MANY = 8  # clients at once where the model has no limit of its own

SANITIZERS = re.compile(r"(Address|Leak|Thread|Memory|UndefinedBehavior)Sanitizer|runtime error:")
# ThreadSanitizer begins a thread of its own in a forked process, and another when that makes its first.
SPARE_THREADS = 1 if os.environ.get("PARLEY_SANITIZER") == "tsan" else 0  # of a process
# A sanitizer shadows memory, and holds back what is freed.
SHADOWS = 4 if "PARLEY_SANITIZER" in os.environ else 1  # times what the server has
# The quiet of an idle server: G4 of the faults, less than 50 wake-ups a second and 1 % of a processor.
QUIET_WINDOW = 0.2
QUIET_SWITCHES = 10
QUIET_TICKS = 1


def placement_of(model):
    return model.partition("+")[0]


def poller_of(model):
    return model.partition("+")[2]


def is_pooled(model):
    """Whether its workers are made before the clients come."""
    return placement_of(model) in ("prefork", "prethread")


def clients_at_once(model, workers=WORKERS):
    """How many clients it serves at the same time, up to MANY."""
    if placement_of(model) == "iterative":
        return 1
    return workers if is_pooled(model) and poller_of(model) == "blocking" else MANY


def is_concurrent(model):
    return clients_at_once(model) > 1


# ---- one client of each service, as proof that it serves ----

def probe_echo(sock):
    exchange(sock, b"are you there?")


def probe_upper(sock):
    exchange(sock, b"are you there?\n", b"ARE YOU THERE?\n")


def probe_greet(sock):
    sock.sendall(b"are you there?")
    assert receive_all(sock), "no greeting"


def probe_hangup(sock):
    assert receive_all(sock) == b""


def probe_discard(sock):
    sock.sendall(b"are you there?")
    sock.shutdown(1)
    assert receive_all(sock) == b""


def probe_chargen(sock):
    assert receive_exactly(sock, 74).endswith(b"\r\n")
    reset(sock)


def probe_once(sock):
    sock.sendall(b"are you there?")
    assert receive_all(sock) == b"are you there?"


PROBES = {"echo": probe_echo, "upper": probe_upper, "greet": probe_greet, "hangup": probe_hangup,
          "discard": probe_discard, "chargen": probe_chargen}


class Server:
    """One `parley serve`. `wrapper` is put before the command and must exec it, as prlimit and env do."""

    def __init__(self, service, *addresses, model=None, options=(), wrapper=(), nofile=4096, workers=WORKERS,
                 probe="of the service", stderr=None, program=(), **popen):
        self.model = model
        self.program = ["--", *map(str, program)] if program else []  # of the service exec
        self.probe = PROBES.get(service) if probe == "of the service" else probe
        self.expected_code = 0
        self.checked_after = True
        self.command = [*wrapper, "prlimit", f"--nofile={nofile}",
                        *self.command_of(service, *(addresses or ("127.0.0.1", "0")), *options)]
        if model:
            self.command += ["--model", model]
            self.command += ["--workers", str(workers)] if is_pooled(model) else []
        self.pidfd = -1
        self.stderr_file = tempfile.TemporaryFile()
        self.says_so = stderr is None and not {"none", "--quiet"} & set(options)
        self._start(stderr or self.stderr_file, popen)
        self.baseline = None
        self.warm_up()

    def __str__(self):
        return " ".join([*self.command, *self.program])

    @staticmethod
    def command_of(service, *arguments):
        return [PARLEY, "serve", service, *arguments]

    # -- starting --

    def _start(self, stderr, popen):
        reader, writer = os.pipe()
        self.command += ["--ready-fd", str(writer)]
        popen = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, **popen}
        self.process = subprocess.Popen([*self.command, *self.program], stderr=stderr, pass_fds=[writer], **popen)
        self.pid = self.process.pid
        self.pidfd = os.pidfd_open(self.pid)
        os.close(writer)
        self.addresses = self._read_ready(reader)

    def _read_ready(self, reader):
        deadline, text = time.monotonic() + PATIENCE, b""
        with open(reader, "rb", buffering=0) as pipe:
            while is_readable(pipe, deadline - time.monotonic()):
                if not (part := pipe.read(4096)):
                    break
                text += part
        if not text:
            self.kill()
            raise AssertionError(f"{self} never listened: exit code {self.process.poll()}\n{self.stderr()}")
        return text.decode().splitlines()

    def warm_up(self):
        """Serves one client, so that what is made once is made, and takes that state as the baseline."""
        if self.says_so:
            wait_until(lambda: "listens on" in self.stderr(), lambda: f"a line that it listens\n{self.stderr()}")
        if self.probe:
            self.serve_probe()
        self.baseline = self._settled()

    def _settled(self):
        seen = []

        def is_stable():
            seen.append(procfs.snapshot(self.pid) if procfs.is_asleep(self.pid) else None)
            return len(seen) > 2 and seen[-1] and seen[-1] == seen[-2] == seen[-3]
        wait_until(is_stable, lambda: f"its processes come to rest; last seen {seen[-3:]}")
        return seen[-1]

    # -- talking to it --

    def dial(self, index=0, **options):
        return dial(self.addresses[index], **options)

    def serve_probe(self):
        with self.dial() as sock:
            self.probe(sock)

    @property
    def port(self):
        return int(self.addresses[0].rpartition(":")[2])

    def stderr(self):
        """Everything it has said so far. The file is shared with it, so its place must not move."""
        size = os.fstat(self.stderr_file.fileno()).st_size
        return os.pread(self.stderr_file.fileno(), size, 0).decode("utf-8", "backslashreplace")

    def wait_said(self, pattern, patience=PATIENCE):
        return wait_until(lambda: re.search(pattern, self.stderr()),
                          lambda: f"it says /{pattern}/; it said\n{self.stderr()[-3000:]}", patience)

    # -- watching it --

    def children(self):
        return procfs.children_of(self.pid)

    def family(self):
        return procfs.family_of(self.pid)

    def threads(self):
        """In all its processes."""
        return procfs.snapshot(self.pid).threads

    def memory(self):
        return procfs.memory_of(self.pid)

    def watch(self, seconds):
        """Lets that time pass; fails at once if the server ends meanwhile."""
        ended = is_readable(self.pidfd, seconds)
        assert not ended, f"it ended by itself\n{self.stderr()[-3000:]}"

    def activity_during(self, seconds):
        """How often its threads went to sleep, and clock ticks of processor time it used."""
        switches, ticks = procfs.voluntary_switches(self.pid), procfs.processor_ticks(self.pid)
        self.watch(seconds)
        return procfs.voluntary_switches(self.pid) - switches, procfs.processor_ticks(self.pid) - ticks

    def wait_quiet(self):
        """It comes to rest: no processor time, next to no wake-ups."""
        seen = []

        def is_quiet():
            seen.append(self.activity_during(QUIET_WINDOW))
            return seen[-1][0] <= QUIET_SWITCHES and seen[-1][1] <= QUIET_TICKS
        wait_until(is_quiet, lambda: f"it rests; (wake-ups, ticks) per {QUIET_WINDOW} s: {seen[-10:]}")

    def is_back(self):
        now = procfs.snapshot(self.pid)
        return (now.descriptors <= self.baseline.descriptors
                and 0 <= now.threads - self.baseline.threads <= SPARE_THREADS * now.processes
                and now.processes == self.baseline.processes and now.zombies == 0)

    def wait_baseline(self):
        wait_until(self.is_back, lambda: f"back at {self.baseline}, now {procfs.snapshot(self.pid)}; descriptors "
                                         f"{[procfs.descriptors_of(member) for member in self.family()]}")

    def check_after(self):
        """What holds after every fault: it serves, nothing leaked, nothing spins."""
        if self.probe:
            wait_until(self.is_serving, lambda: f"a new client is served\n{self.stderr()[-3000:]}")
        self.wait_baseline()
        self.wait_quiet()

    def is_serving(self):
        """A client that is turned away may come again; one that is let in must be served."""
        try:
            self.serve_probe()
            return True
        except ConnectionError:
            return False

    # -- ending it --

    def signal(self, number):
        os.kill(self.pid, number)

    def terminate(self):
        self.signal(signal.SIGTERM)

    def wait_ended(self, patience=PATIENCE):
        """Its exit code."""
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it has not ended within {patience:g} s; {procfs.snapshot(self.pid)}\n"
                                 f"{self.stderr()[-3000:]}") from None

    def stop(self):
        """Ends it as a user would and looks at how it ended."""
        if self.process.poll() is None:
            self.terminate()
        code = self.wait_ended()
        assert code == self.expected_code, f"exit code {code}, not {self.expected_code}\n{self.stderr()[-3000:]}"
        found = SANITIZERS.search(self.stderr())
        assert not found, self.stderr()[max(0, found.start() - 500):][:5000]

    def kill(self):
        """Whatever of it is still there, by number."""
        if self.process.poll() is not None:
            return
        for member in reversed(self.family()):
            try:
                os.kill(member, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait(PATIENCE)

    def let_go(self):
        """Of the process that has ended; what it said can still be read, for the report of the test."""
        if self.pidfd >= 0:
            os.close(self.pidfd)
        self.pidfd = -1


def is_readable(descriptor, seconds):
    """Within so long. poll(2), since select(2) cannot watch descriptors from 1024 on."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(max(0, seconds) * 1000))


def run(*arguments, timeout=PATIENCE, **options):
    """Runs a parley command that ends by itself."""
    return subprocess.run([PARLEY, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=timeout, check=False, **options)


def only_line(text):
    """The one line of a text; two are one too many."""
    lines = text.splitlines()
    assert len(lines) == 1, f"one line was wanted:\n{text}"
    return lines[0]
