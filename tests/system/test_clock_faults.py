"""Clocks that jump: FAULTS D10 and D11. What the server takes for the time is moved (clock_shim.c), nobody's clock
is set."""

import mmap
import os
import re
import struct
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from client import exchange, has_ended, wait_until
from harness import MANY

pytestmark = pytest.mark.skipif("PARLEY_SANITIZER" in os.environ, reason="its runtime must be loaded first")

MODELS = ["iterative+epoll", "fork+blocking", "prefork+select", "prethread+poll", "prethread+epoll", "prethread+uring"]
YEAR = 365 * 86400
FREEZE = 300


class Clocks:
    """As a server sees them, whose environment is ours."""

    def __init__(self, shim, path):
        path.write_bytes(bytes(16))
        with open(path, "r+b") as file:
            self.shifts = mmap.mmap(file.fileno(), 16)
        self.environment = {**os.environ, "LD_PRELOAD": str(shim), "CLOCK_SHIFTS": str(path)}

    def move(self, realtime=0, monotonic=0):
        self.shifts[:] = struct.pack("qq", realtime, monotonic)


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    library = tmp_path_factory.mktemp("shim") / "clock_shim.so"
    source = Path(__file__).resolve().parent / "clock_shim.c"
    subprocess.run([os.environ.get("CC", "cc"), "-O2", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", library, source],
                   check=True)
    return library


@pytest.fixture
def clocks(shim, tmp_path):
    return Clocks(shim, tmp_path / "shifts")


def years_told(server):
    return set(map(int, re.findall(r"^(\d{4})-", server.stderr(), re.M)))


@pytest.mark.parametrize("model", MODELS)
def test_a_wall_clock_a_year_ahead_ends_nothing(serve, clocks, model):
    server = serve("echo", model=model, options=["--life", "1h", "--idle", "1h", "-v"], env=clocks.environment)
    with server.dial() as sock:
        exchange(sock, b"before")
        clocks.move(realtime=YEAR)
        for _ in range(3):
            exchange(sock, b"after")
    assert years_told(server) == {time.gmtime().tm_year, time.gmtime(time.time() + YEAR).tm_year}, "it was not moved"


@pytest.mark.parametrize("model", MODELS)
def test_a_wall_clock_a_year_behind_delays_nothing(serve, clocks, model):
    server = serve("echo", model=model, options=["--idle", "300ms"], env=clocks.environment)
    with server.dial() as sock:
        exchange(sock, b"before")
        clocks.move(realtime=-YEAR)
        wait_until(lambda: has_ended(sock), "its idle time passes")
    server.wait_said(rf"(?m)^{time.gmtime(time.time() - YEAR).tm_year}-.* left: idle")


@pytest.mark.parametrize("model", MODELS[2:])
def test_five_minutes_that_were_slept_through_are_no_storm(serve, clocks, model):
    """All that was due meanwhile is done once: who was idle is let go, who is new is served."""
    server = serve("echo", model=model, options=["--idle", "1m"], env=clocks.environment, workers=1)
    with ExitStack() as stack:
        clients = [stack.enter_context(server.dial()) for _ in range(MANY)]
        for sock in clients:
            exchange(sock, b"before")
        clocks.move(monotonic=FREEZE)
        with server.dial() as sock:
            exchange(sock, b"wakes it")
            for other in clients:
                wait_until(lambda other=other: has_ended(other), "its idle time has passed")
            exchange(sock, b"still here")
            server.wait_quiet()
