"""Judges what was measured on a machine that may be late itself.

Beside each attempt runs an instrument that is not ours: sleeper.c sleeps 1 ms again and again, and says how late it
was woken. The kernel counts what the host took away. A lateness that they explain is nobody's fault, one that they
do not is the generator's; and an attempt during which the machine was later than what is to be told apart teaches
nothing."""

import subprocess
from collections import namedtuple
from pathlib import Path

import pytest

from client import PATIENCE
from loading import FIRST, compiled

ATTEMPTS = 6  # in all
ENOUGH = 3    # that are wrong by no fault of the machine: a generator that measures wrongly does so each time
STOLEN = 0.01  # of the processors' time: with more taken away by the host, a time says nothing
# Of a request: the generator to send it, the server to read it and again to answer it, the generator to read that.
WAKES = 4

# What is wrong with a measurement, and whether the machine can have been the reason.
Wrong = namedtuple("Wrong", "sentence blurred")


def processor_time():
    """Ticks that the host took away, and all ticks (proc(5))."""
    ticks = [int(word) for word in Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]]
    return ticks[7], sum(ticks)


class Machine:
    """What it did while this was entered, of standing equal to that of the generator and its server."""

    def __init__(self, program):
        self.program, self.latenesses, self.stolen = program, [], 0

    def __enter__(self):
        self.before = processor_time()
        self.sleeper = subprocess.Popen([*FIRST, self.program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        return self

    def __exit__(self, *_):
        output = self.sleeper.communicate("", timeout=PATIENCE)[0]
        self.latenesses = sorted(int(line) / 1e6 for line in output.split())
        stolen, total = (now - then for now, then in zip(processor_time(), self.before))
        self.stolen = stolen / max(total, 1)

    def __str__(self):
        return (f"a sleeper woke {self.late(50):.3f} ms late at p50, {self.late(99):.3f} ms at p99, "
                f"{self.late(100):.3f} ms at most; the host took {100 * self.stolen:.1f} % away")

    def late(self, percentile):
        """Of one sleep, in ms."""
        return self.latenesses[min(int(len(self.latenesses) * percentile / 100), len(self.latenesses) - 1)]

    def late_in_all(self, key):
        """The most, in ms, by which all wakes of a request together are late at a percentile such as p99: for the sum
        to be more, one of them must be later than its share, and each is so in as small a part of the cases."""
        return WAKES * self.late(100 - (100 - float(key.removeprefix("p"))) / WAKES)

    def is_later(self, late, bound):
        """Whether a lateness of its own, in ms, hides what is above the bound."""
        return late > bound or self.stolen > STOLEN


@pytest.fixture(scope="session")
def sleeper_program(tmp_path_factory):
    return compiled("sleeper", tmp_path_factory.mktemp("sleeper"))


@pytest.fixture
def agrees_at_last(sleeper_program):
    """`run` gives the outcome of a load, `judge` what is wrong with it, given the machine. Gives one that agrees;
    fails when so many were wrong that the machine was no reason for; else skips."""
    def attempt(run, judge):
        with Machine(sleeper_program) as machine:
            outcome = run()
        # A generator that calls itself late has been told so by the machine, or is wrong.
        wrong = judge(outcome, machine) if outcome.code == 0 else [
            Wrong(outcome.json["invalid"], machine.is_later(machine.late_in_all("p99"), 1))]
        return outcome, wrong, f"{wrong}, {machine}, {outcome.json['latency_us']}, {outcome.json['limits']}", machine

    def try_again(run, judge):
        seen, clear = [], 0
        for _ in range(ATTEMPTS):
            outcome, wrong, told, machine = attempt(run, judge)
            if not wrong:
                return outcome
            seen.append(told)
            clear += any(not one.blurred for one in wrong)
            if clear == ENOUGH:
                pytest.fail("\n".join(seen), pytrace=False)
        return pytest.skip(f"{ATTEMPTS - clear} of {ATTEMPTS} attempts taught nothing, since the machine was late "
                           f"itself: {wrong[0].sentence}; {machine}")
    return try_again
