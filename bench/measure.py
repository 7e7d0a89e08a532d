"""Runs servers under one load, in turn, and reads what each cost."""

import ctypes
import os
import random
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

START_LIMIT = 5.0
STOP_LIMIT = 3.0
SETTLE_LIMIT = 0.2
WARMUP = 0.05  # s, after every connection has had one exchange
COLD = 2  # slices that are not counted
MARGIN = 30.0  # what connecting and draining may take beyond the run itself


@dataclass(frozen=True)
class Server:
    name: str
    command: str  # {program} and {port} are filled in
    program: str
    forks: bool = False  # a process for each connection: the time of all of them counts


@dataclass(frozen=True)
class Column:
    name: str
    title: str
    mode: str = "pingpong"
    connections: int = 50
    size: int = 64
    depth: int = 1
    slice: float = 0.02  # s of load before it is the next server's turn


WARM_TRAFFIC = Column("warm", "before the idle column is measured")


@dataclass
class Result:
    """Of one server in one round: medians of its slices."""
    cost: float = 0.0  # CPU µs per message; in the idle column bytes per connection
    rate: float = 0.0
    p50: float = 0.0
    p99: float = 0.0
    failure: str = ""
    costs: list = field(default_factory=list)  # of each slice, in the order of the turns

    def over(self, other):
        """The median ratio to another server of the same round, slice by slice: what disturbs the machine
        for longer than a turn disturbs both sides."""
        pairs = list(zip(self.costs, other.costs))
        return median(a / b for a, b in pairs) if pairs and all(b > 0 for _, b in pairs) else None


class Failure(Exception):
    """A server or a run that cannot be measured; the sentence goes to the reader."""


def end_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: no server outlives a killed bench


def on_processor(processor):
    def prepare():
        os.sched_setaffinity(0, {processor})
        end_with_parent()
    return prepare


def free_port():
    """Below the range from which the generator's own ports come."""
    for _ in range(100):
        port = random.randrange(10000, 30000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise Failure("no free port found")


def process_tree(pid):
    """The process and its descendants, for the designs that fork."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*"):
            try:
                found += [int(child) for child in (task / "children").read_text().split()]
            except OSError:
                continue
    return found


def cpu_nanoseconds(pid):
    """On-CPU time of all threads, kernel workers of io_uring included: the first field of schedstat."""
    total = 0
    for process in process_tree(pid):
        for schedstat in Path(f"/proc/{process}/task").glob("*/schedstat"):
            try:
                total += int(schedstat.read_text().split()[0])
            except OSError:
                continue
    return total


def settle(pid):
    """Waits until the server has gone to sleep."""
    deadline = time.monotonic() + SETTLE_LIMIT
    last, now = -1, cpu_nanoseconds(pid)
    while last != now and time.monotonic() < deadline:
        time.sleep(0.005)
        last, now = now, cpu_nanoseconds(pid)


def cpu_clock(pid):
    """The clock of a process's CPU time, clock_getcpuclockid(3), to be read while it runs: all threads, kernel
    workers of io_uring included. Of the designs that fork it would not see the children."""
    return (~pid << 3) | 2


def reaped_nanoseconds(pid):
    """CPU time of the children that have ended, in steps of 10 ms: cutime and cstime of proc_pid_stat(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def spent_nanoseconds(server, pid):
    if server.forks:
        return cpu_nanoseconds(pid) + reaped_nanoseconds(pid)
    return time.clock_gettime_ns(cpu_clock(pid))


def private_bytes(pid):
    total = 0
    for process in process_tree(pid):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith(("Private_", "Swap:")):
                total += int(line.split()[1]) * 1024
    return total


class RunningServer:
    def __init__(self, server, processor):
        self.server, self.processor = server, processor
        self.port = free_port()

    def __enter__(self):
        command = self.server.command.format(program=self.server.program, port=self.port).split()
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=self.errors, start_new_session=True,
                                        preexec_fn=on_processor(self.processor))
        try:
            self.wait_until_ready()
        except BaseException:
            self.end()
            raise
        return self

    def wait_until_ready(self):
        deadline = time.monotonic() + START_LIMIT
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.005)
        raise Failure(f"{self.server.name} did not start: {self.last_words()}")

    def last_words(self):
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"exit code {self.process.poll()}, no message"

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.errors.close()

    def __exit__(self, *_):
        self.end()


class Load:
    """The generator: it makes a short run whenever it is told to, on connections that it keeps."""

    def __init__(self, bench, running, column):
        self.server, self.pid = running.server, running.process.pid
        options = {"port": running.port, "mode": column.mode, "connections": column.connections,
                   "size": column.size, "depth": column.depth, "seconds": column.slice, "warmup": WARMUP}
        command = ["timeout", "--signal=KILL", str(bench.limit), str(bench.generator), "--marks"]
        command += [f"--{name}={value}" for name, value in options.items()]
        # timeout(1) bounds every load, whatever happens to this script.
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True,
                                        preexec_fn=on_processor(bench.generator_processor))
        self.slices = []

    def __enter__(self):
        return self

    def next_line(self):
        line = self.process.stdout.readline().strip()
        if not line:
            code = self.process.wait()
            raise Failure(f"{self.server.name} did not answer: the generator ended with {code}")
        return line

    def run(self):
        """One slice: the server's CPU time of it, and what the generator says."""
        before = spent_nanoseconds(self.server, self.pid)
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        fields = dict(word.split("=") for word in self.next_line().split())
        spent = spent_nanoseconds(self.server, self.pid) - before
        if int(fields["errors"]) > 0:
            raise Failure(f"{self.server.name}: wrong or missing answers: {fields['errors']} errors")
        if int(fields["messages"]) == 0:
            raise Failure(f"{self.server.name} answered nothing")
        self.slices.append((spent / 1000 / int(fields["messages"]), *(float(fields[name])
                                                                     for name in ("rate", "p50_us", "p99_us"))))

    def result(self):
        costs, rates, p50s, p99s = zip(*self.slices[COLD:])
        return Result(median(costs), median(rates), median(p50s), median(p99s), costs=list(costs))

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self.process.terminate()
            self.process.wait()
        self.process.stdout.close()


class Round:
    """Servers that run side by side, each with its generator; one of them is loaded at a time."""

    def __init__(self, bench, column, stack):
        self.bench, self.column, self.stack = bench, column, stack
        self.loads, self.failures = {}, {}

    def start(self, server):
        try:
            running = self.stack.enter_context(RunningServer(server, self.bench.server_processor))
            load = self.stack.enter_context(Load(self.bench, running, self.column))
            load.next_line()
            settle(running.process.pid)
            self.loads[server.name] = load
        except (Failure, OSError) as failure:
            self.fail(server.name, failure)

    def fail(self, name, failure):
        self.loads.pop(name, None)
        self.failures[name] = Result(failure=f"{self.column.name}: {failure}")

    def turn(self):
        for name, load in list(self.loads.items()):
            try:
                load.run()
            except (Failure, OSError) as failure:
                self.fail(name, failure)

    def results(self):
        return {**{name: load.result() for name, load in self.loads.items()}, **self.failures}


class Bench:
    def __init__(self, generator, seconds):
        self.generator, self.seconds = generator, seconds
        self.limit = 0  # s a generator may live
        processors = sorted(os.sched_getaffinity(0))
        self.server_processor, self.generator_processor = processors[0], processors[1 % len(processors)]

    def measure(self, servers, column):
        """One round: name to result. The slices of all servers take turns."""
        if column.mode == "idle":
            return {server.name: self.measure_memory(server, column) for server in servers}
        turns = COLD + max(1, round(self.seconds / column.slice))
        self.limit = MARGIN + 3 * turns * column.slice * len(servers)
        with ExitStack() as stack:
            one = Round(self, column, stack)
            for server in servers:
                one.start(server)
            for _ in range(turns):
                one.turn()
            return one.results()

    def measure_memory(self, server, column):
        """Traffic first, so that what a server allocates once, for all, is not divided among the many."""
        self.limit = MARGIN
        try:
            with RunningServer(server, self.server_processor) as running:
                self.hold(running, WARM_TRAFFIC)
                before = settled_bytes(running.process.pid)
                after = self.hold(running, column)
        except (Failure, OSError) as failure:
            return Result(failure=f"{column.name}: {failure}")
        cost = (after - before) / column.connections
        return Result(cost=cost, costs=[cost])

    def hold(self, running, column):
        with Load(self, running, column) as load:
            load.next_line()
            return settled_bytes(running.process.pid)


def settled_bytes(pid):
    settle(pid)
    return private_bytes(pid)
