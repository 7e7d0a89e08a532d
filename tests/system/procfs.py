"""What /proc says of a process that we started, and of its children."""

import os
from collections import namedtuple
from pathlib import Path

Task = namedtuple("Task", "name state voluntary")
Snapshot = namedtuple("Snapshot", "processes zombies threads descriptors")


def _read(path):
    """The text of a /proc file; empty when its process has gone meanwhile."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _entries(path):
    try:
        return os.listdir(path)
    except (FileNotFoundError, ProcessLookupError):
        return []


def children_of(pid):
    """Every descendant, zombies included, nearest first."""
    found = []
    for task in _entries(f"/proc/{pid}/task"):
        for child in map(int, _read(f"/proc/{pid}/task/{task}/children").split()):
            found += [child, *children_of(child)]
    return found


def family_of(pid):
    return [pid, *children_of(pid)]


def stat_of(pid):
    """The fields of /proc/PID/stat from the state on; the name before may hold spaces."""
    return _read(f"/proc/{pid}/stat").rpartition(")")[2].split()


def is_zombie(pid):
    return stat_of(pid)[:1] == ["Z"]


def is_gone(pid):
    """It has ended; whether its parent has reaped it is another matter."""
    return not stat_of(pid) or is_zombie(pid)


def _task(pid, tid):
    fields = dict(line.split(":", 1) for line in _read(f"/proc/{pid}/task/{tid}/status").splitlines() if ":" in line)
    return Task(fields.get("Name", "").strip(), fields.get("State", "?").split()[0],
                int(fields.get("voluntary_ctxt_switches", "0")))


def tasks_of(pid):
    """Its threads, without those the kernel adds for io_uring."""
    tasks = [_task(pid, tid) for tid in _entries(f"/proc/{pid}/task")]
    return [task for task in tasks if not task.name.startswith("iou-")]


def thread_ids_of(pid):
    return [int(tid) for tid in _entries(f"/proc/{pid}/task")]


def descriptors_of(pid):
    """Number to what it is open on: "socket:[123]", "/dev/null"."""
    found = {}
    for number in _entries(f"/proc/{pid}/fd"):
        try:
            found[int(number)] = os.readlink(f"/proc/{pid}/fd/{number}")
        except FileNotFoundError:
            pass
    return found


def sockets_of(pid):
    return sum(target.startswith("socket:") for target in descriptors_of(pid).values())


def snapshot(pid):
    family = family_of(pid)
    return Snapshot(processes=len(family), zombies=sum(map(is_zombie, family)),
                    threads=sum(len(tasks_of(member)) for member in family),
                    descriptors=sum(len(_entries(f"/proc/{member}/fd")) for member in family))


def is_asleep(pid):
    """Every thread of the family waits in the kernel for something to happen."""
    return all(task.state == "S" for member in family_of(pid) for task in tasks_of(member))


def processor_ticks(pid):
    """Time used so far by the family, in clock ticks of 10 ms."""
    return sum(int(stat[11]) + int(stat[12]) for member in family_of(pid) if len(stat := stat_of(member)) > 12)


def voluntary_switches(pid):
    """How often its threads went to sleep: each blocking system call that had to wait is one."""
    return sum(task.voluntary for member in family_of(pid) for task in tasks_of(member))


def _memory_kib(pid, what):
    for line in _read(f"/proc/{pid}/smaps_rollup").splitlines():
        if line.startswith(what + ":"):
            return int(line.split()[1])
    return 0


def _proportional_kib(pid):
    return _memory_kib(pid, "Pss")


def own_kib(pid):
    """KiB that it has written to and shares with nobody."""
    return _memory_kib(pid, "Private_Dirty")


def address_space_of(pid):
    """Bytes of addresses it has taken, as RLIMIT_AS counts them."""
    return os.sysconf("SC_PAGE_SIZE") * int(_read(f"/proc/{pid}/statm").split()[0])


def memory_of(pid):
    """Bytes of memory of the family, shared pages counted once."""
    return 1024 * sum(map(_proportional_kib, family_of(pid)))
