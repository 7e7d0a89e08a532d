"""A limit of memory for a server and all its workers, as a service manager sets it: a cgroup of our own, version 1 or
2, where this machine gives one."""

import os
from pathlib import Path

import pytest

from client import wait_until


def mount_of(kind, option=""):
    """Where a cgroup file system of this kind is mounted, with this controller among its options; or None."""
    for line in Path("/proc/self/mounts").read_text(encoding="ascii").splitlines():
        _, place, type_, options, *_ = line.split()
        if type_ == kind and (not option or option in options.split(",")):
            return Path(place)
    return None


def own_path(controller):
    """Of this process, below the mount: "" names version 2."""
    for line in Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return path.lstrip("/")
    return ""


class Limit:
    def __init__(self, parent, limit_file, count_file):
        self.path = parent / f"parley-test-{os.getpid()}"
        self.limit_file, self.count_file = limit_file, count_file
        self.path.mkdir()

    def set(self, size):
        (self.path / self.limit_file).write_text(str(size), encoding="ascii")
        return ["sh", "-c", f'echo $$ > {self.path}/cgroup.procs && exec "$@"', "sh"]

    def kills(self):
        """How many processes the kernel has killed for want of memory."""
        lines = (self.path / self.count_file).read_text(encoding="ascii").splitlines()
        return sum(int(line.split()[1]) for line in lines if line.split()[0] == "oom_kill")

    def remove(self):
        wait_until(self._is_removed, f"{self.path} is empty")

    def _is_removed(self):
        try:
            self.path.rmdir()
            return True
        except OSError:
            return False


def make_limit():
    if mount := mount_of("cgroup", "memory"):
        return Limit(mount / own_path("memory"), "memory.limit_in_bytes", "memory.oom_control")
    mount = mount_of("cgroup2")
    if not mount:
        raise OSError("no cgroups are mounted")
    limit = Limit(mount / own_path(""), "memory.max", "memory.events")
    if not (limit.path / limit.limit_file).exists():
        limit.remove()
        raise OSError("the memory of our cgroup's children is not to be limited (cgroup.subtree_control)")
    return limit


@pytest.fixture
def memory_limit():
    """set(SIZE) gives what stands before a command, which is then limited. Ask for it before `serve`."""
    try:
        limit = make_limit()
    except OSError as error:
        pytest.skip(f"no limit of memory may be made: {error}")
    yield limit
    limit.remove()
