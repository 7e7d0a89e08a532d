"""Limits by address and network of IPv6: clients from several /64, in a network of the test's own."""

import ctypes
import os
import subprocess
import threading
from contextlib import ExitStack

import pytest

from client import receive_exactly, wait_until

CLONE_NEWNET = 0x40000000
FIRST, SECOND, THIRD = "2001:db8:1:1::1", "2001:db8:1:1::2", "2001:db8:1:1:ffff:ffff::3"  # of one /64
BESIDE, ELSEWHERE = "2001:db8:1:2::1", "2001:db8:2:1::1"  # of the same /48, of another
V4 = "192.0.2.1"


def make_network():
    """Of the thread that calls, and of what it starts."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) < 0:
        pytest.skip(f"unshare: no network of one's own here: {os.strerror(ctypes.get_errno())}")
    commands = ["link set lo up", *(f"addr add {address}/128 dev lo nodad"
                                    for address in (FIRST, SECOND, THIRD, BESIDE, ELSEWHERE)),
                f"addr add {V4}/32 dev lo"]
    for command in commands:
        made = subprocess.run(["ip", *command.split()], capture_output=True, text=True, check=False)
        if made.returncode != 0:
            pytest.skip(f"ip {command}: {made.stderr.strip()}")


@pytest.fixture(name="in_a_network")
def run_in_a_network():
    """Runs a function in a thread of its own that has a network of its own."""
    def run(body):
        outcome = []

        def whole():
            try:
                make_network()
                body()
            except BaseException as failure:  # pylint: disable=broad-exception-caught  # raised by the test
                outcome.append(failure)
        thread = threading.Thread(target=whole)
        thread.start()
        thread.join()
        if outcome:
            raise outcome[0]
    return run


def is_served(stack, server, source):
    try:
        sock = stack.enter_context(server.dial(bind=(source, 0)))
        sock.sendall(b"hello")
        return sock if receive_exactly(sock, 5) == b"hello" else None
    except (ConnectionResetError, BrokenPipeError):
        return None


@pytest.mark.parametrize("model", ["prethread+epoll", "prethread+uring", "prefork+poll", "fork+blocking"])
def test_a_64_is_one_address_and_a_48_one_network(serve, in_a_network, model):
    def body():
        server = serve("echo", "[::]:0", model=model, probe=None, options=["--per-address", "2", "--per-network", "3"])
        server.addresses = [server.addresses[0].replace("[::]", f"[{FIRST}]")]
        with ExitStack() as stack:
            first = is_served(stack, server, FIRST)
            assert first and is_served(stack, server, SECOND)
            assert not is_served(stack, server, THIRD), "two of its /64 are here"
            server.wait_said(r"ffff:0:3\]:\d+ turned away: at most 2 of 2001:db8:1:1::/64 \(per-address\)")
            assert is_served(stack, server, BESIDE)
            assert not is_served(stack, server, BESIDE), "three of its /48 are here"
            assert is_served(stack, server, ELSEWHERE)
            first.close()
            wait_until(lambda: is_served(stack, server, THIRD), "a place of its /64 is free again")
    in_a_network(body)


def test_each_listener_counts_a_64_by_itself(serve, in_a_network):
    def body():
        server = serve("echo", f"[{FIRST}]:0", f"[{FIRST}]:0 per-address=1", f"{V4}:0", probe=None,
                       options=["--per-address", "2", "--allow", "2001:db8:1::/48"])
        addresses = server.addresses
        with ExitStack() as stack:
            for count, address in ((1, addresses[1]), (2, addresses[0])):
                server.addresses = [address]
                assert all(is_served(stack, server, source) for source in (FIRST, SECOND)[:count])
                assert not is_served(stack, server, THIRD)
                assert not is_served(stack, server, ELSEWHERE), "it is not allowed"
            server.addresses = [addresses[2]]
            assert not is_served(stack, server, V4), "it is not allowed"
    in_a_network(body)
