"""Two machines on a cable: network namespaces of the test's own, joined by a veth(4) that can be pulled out."""

import ctypes
import os
import subprocess
import threading

import pytest

from client import PATIENCE, dial, wait_until

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


class Machine:
    """A network of its own, as long as its holder lives."""

    def __init__(self, name):
        self.name = name
        self.holder = subprocess.Popen(["unshare", "--net", "sleep", "600"], stderr=subprocess.DEVNULL)
        self.wrapper = ("nsenter", "--target", str(self.holder.pid), "--net")

    def is_apart(self):
        here = os.readlink("/proc/self/ns/net")
        return self.holder.poll() is not None or os.readlink(f"/proc/{self.holder.pid}/ns/net") != here

    def run(self, *words):
        return subprocess.run([*self.wrapper, *words], check=True, capture_output=True, text=True, timeout=PATIENCE)

    def call(self, function, *arguments, **options):
        """Calls it in a thread that is on this network; what sockets it makes stay there."""
        result = []

        def inside():
            with open(f"/proc/{self.holder.pid}/ns/net", "rb") as network:
                if LIBC.setns(network.fileno(), CLONE_NEWNET) != 0:
                    result.append(OSError(ctypes.get_errno(), "setns"))
                    return
            try:
                result.append(function(*arguments, **options))
            except OSError as error:
                result.append(error)
        thread = threading.Thread(target=inside, daemon=True)
        thread.start()
        thread.join(2 * PATIENCE)
        assert result, "it has not come back"
        if isinstance(result[0], Exception):
            raise result[0]
        return result[0]

    def dial(self, address, **options):
        return self.call(dial, address, **options)

    def pull_the_cable(self):
        self.run("ip", "link", "set", "cable", "down")

    def plug_it_in(self):
        self.run("ip", "link", "set", "cable", "up")

    def leave(self):
        self.holder.kill()
        self.holder.wait(PATIENCE)


def join(one, other):
    setup = (f"ip link add cable type veth peer name cable netns {other.holder.pid} && "
             f"ip address add 10.9.8.1/24 dev cable && ip link set lo up && ip link set cable up")
    one.run("sh", "-c", setup)
    other.run("sh", "-c", "ip address add 10.9.8.2/24 dev cable && ip link set lo up && ip link set cable up")


@pytest.fixture
def machines():
    """Two of them: 10.9.8.1 and 10.9.8.2."""
    pair = [Machine("one"), Machine("other")]
    try:
        for machine in pair:
            wait_until(machine.is_apart, "unshare has made a network")
        try:
            join(*pair)
        except (subprocess.CalledProcessError, FileNotFoundError) as error:
            pytest.skip(f"no right to make a network: {getattr(error, 'stderr', error)}")
        yield pair
    finally:
        for machine in pair:
            machine.leave()
