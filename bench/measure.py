"""Runs one server under one load and reads what it cost from /proc."""

import ctypes
import os
import random
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

START_LIMIT = 5.0
STOP_LIMIT = 3.0
SETTLE_LIMIT = 0.2
WARMUP_SHARE = 0.25
MARGIN = 30.0  # what connecting and draining may take beyond the run itself


@dataclass(frozen=True)
class Server:
    name: str
    command: str  # {program} and {port} are filled in
    program: str


@dataclass(frozen=True)
class Column:
    name: str
    title: str
    mode: str = "pingpong"
    connections: int = 50
    size: int = 64
    depth: int = 1


WARM_TRAFFIC = Column("warm", "before the idle column is measured")


@dataclass
class Result:
    cost: float = 0.0  # CPU µs per message; in the idle column bytes per connection
    rate: float = 0.0
    p50: float = 0.0
    p99: float = 0.0
    failure: str = ""


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


def settled_cpu_nanoseconds(pid):
    """Read when the server has gone to sleep: a running thread's time is only brought up to date at ticks."""
    deadline = time.monotonic() + SETTLE_LIMIT
    last, now = -1, cpu_nanoseconds(pid)
    while last != now and time.monotonic() < deadline:
        time.sleep(0.005)
        last, now = now, cpu_nanoseconds(pid)
    return now


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
    """The generator, which stops at its marks so that the server can be looked at in between."""

    def __init__(self, bench, running, column):
        self.server = running.server
        options = {"port": running.port, "mode": column.mode, "connections": column.connections,
                   "size": column.size, "depth": column.depth,
                   "seconds": bench.seconds, "warmup": bench.seconds * WARMUP_SHARE}
        limit = bench.seconds * 2 + MARGIN
        command = ["timeout", "--signal=KILL", str(limit), str(bench.generator), "--marks"]
        command += [f"--{name}={value}" for name, value in options.items()]
        # timeout(1) bounds every load, whatever happens to this script.
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True,
                                        preexec_fn=on_processor(bench.generator_processor))

    def __enter__(self):
        return self

    def next_line(self):
        line = self.process.stdout.readline().strip()
        if not line:
            code = self.process.wait()
            raise Failure(f"{self.server.name} did not answer: the generator ended with {code}")
        return line

    def go_on(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def result(self):
        fields = dict(field.split("=") for field in self.next_line().split())
        if int(fields["errors"]) > 0:
            raise Failure(f"{self.server.name}: wrong or missing answers: {fields['errors']} errors")
        return fields

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self.process.terminate()
            self.process.wait()
        self.process.stdout.close()


class Bench:
    def __init__(self, generator, seconds):
        self.generator, self.seconds = generator, seconds
        processors = sorted(os.sched_getaffinity(0))
        self.server_processor, self.generator_processor = processors[0], processors[1 % len(processors)]

    def measure(self, server, column):
        try:
            with RunningServer(server, self.server_processor) as running:
                return (self.measure_memory if column.mode == "idle" else self.measure_cost)(running, column)
        except (Failure, OSError) as failure:
            return Result(failure=f"{column.name}: {failure}")

    def measure_cost(self, running, column):
        pid = running.process.pid
        with Load(self, running, column) as load:
            load.next_line()
            before = settled_cpu_nanoseconds(pid)
            load.go_on()
            fields = load.result()
            spent = settled_cpu_nanoseconds(pid) - before
        messages = int(fields["messages"])
        if messages == 0 or running.process.poll() is not None:
            raise Failure(f"{running.server.name} answered nothing: {running.last_words()}")
        return Result(cost=spent / 1000 / messages, rate=float(fields["rate"]),
                      p50=float(fields["p50_us"]), p99=float(fields["p99_us"]))

    def measure_memory(self, running, column):
        """Traffic first, so that what a server allocates once, for all, is not divided among the many."""
        self.hold(running, WARM_TRAFFIC)
        before = settled_bytes(running.process.pid)
        after = self.hold(running, column)
        return Result(cost=(after - before) / column.connections)

    def hold(self, running, column):
        with Load(self, running, column) as load:
            load.next_line()
            return settled_bytes(running.process.pid)


def settled_bytes(pid):
    settled_cpu_nanoseconds(pid)
    return private_bytes(pid)
