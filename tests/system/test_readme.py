"""What the READMEs show is run.

Convention: a fenced block with the info string `console` is a session of bash, run from top to bottom in an
empty directory with `parley` first in PATH, and examples/ of the source as ./examples.
  - A line that begins with `$ ` is a command; lines that begin with `> ` continue it.
  - A command that ends in ` &` runs on beside the rest. If it is a server, the next command waits until it
    listens; at the end of the block it is sent SIGTERM.
  - Every other command ends by itself within a minute and with exit code 0, or with N if it closes with the
    comment `# exit code N`. Its standard input is empty unless it is redirected.
  - Other lines are output. Each must be among the lines that the block wrote, in any order, since those
    of a server mix with its client's; `…` stands for any text within a line, a line `…` for any lines.
  - In a block `console measured` a number with its unit stands for any other: it shows a real measurement.
  - `parley load` and `parley compare` run for a moment instead of what -d and --warmup say. Where this machine was
    too busy to measure, and the load says so with exit code 3, the command line is not to blame.
With root's rights each block has a network of its own, so that its ports are free whatever else runs here."""

import os
import re
import signal
import subprocess
import tempfile
from collections import namedtuple

import pytest

from harness import PARLEY, ROOT

READMES = [ROOT / "README.md", ROOT / "README.zh-CN.md"]
Block = namedtuple("Block", "name commands output measured")
TIMEOUT = 60
MEASURES = re.compile(r"parley (load|compare) ")
# What the last command says when it was too slow, and nothing else is wrong.
TOO_BUSY = "^parley load: (INVALID: |p99 is .* was to fail|no rate kept)"
MEASURED = re.compile(r"(?<![\w.])(\d[\d.]*|–)( ?([nuµm]?s|[kMG]?/s|([KMG]i)?B(/s)?|%)(?!\w))?\*?")

PRELUDE = r"""
exec 2>&1 </dev/null
wait_listening() { # until the job listens, or has ended
    for attempt in $(seq 400); do
        ss -Hlxtnp | grep -q "pid=$1," && return
        kill -0 "$1" 2>/dev/null || return 0
        sleep 0.02
    done
    echo "HARNESS: job $1 never listened"
}
check() { [ "$1" = "$2" ] || echo "HARNESS: exit code $1, not $2: $3"; }
check_measured() { # of a command whose output is in the file told
    cat told
    [ "$1" = 3 ] && grep -Eq "$TOO_BUSY" told || check "$@"
}
"""
POSTLUDE = r"""
for job in $(jobs -p); do kill -TERM "$job" 2>/dev/null; done
wait
exit 0
"""


def parse_block(name, text, measured=False):
    commands, output, in_command = [], [], False
    for line in text.splitlines():
        if line.startswith("$ "):
            commands.append(line[2:])
        elif line.startswith("> ") and in_command:
            commands[-1] += "\n" + line[2:]
        elif line.strip() and line.strip() != "…":
            output.append(line.rstrip())
        in_command = line.startswith("$ ") or line.startswith("> ") and in_command
    return Block(name, commands, output, measured)


def blocks_of(path):
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    found = re.finditer(r"^```console( measured)?\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [parse_block(f"{path.name}:{text[:match.start()].count(chr(10)) + 1}", match[2], bool(match[1]))
            for match in found]


def shortened(command):
    """The same load or comparison, for a moment."""
    assert " -d " in command or " merge " in command, f"how long? {command}"
    return re.sub(r" (-d|--warmup) \S+", r" \1 300ms", command)


def lines_of(command):
    """Runs it and judges its exit code."""
    wanted = re.search(r"# exit code (\d+)\s*$", command)
    verdict = f"$? {wanted[1] if wanted else 0} {quote(command)}"
    if MEASURES.match(command):
        return [f"{{ {shortened(command)}\n}} >told 2>&1", f"check_measured {verdict}"]
    return [command, "wait_listening $!" if command.rstrip().endswith("&") else f"check {verdict}"]


def script_of(block):
    lines = [line for command in block.commands for line in lines_of(command)]
    return "\n".join([f"TOO_BUSY={quote(TOO_BUSY)}", PRELUDE, *lines, POSTLUDE])


def quote(text):
    return "'" + text.replace("'", "'\\''") + "'"


def with_own_network(script):
    if os.geteuid() != 0:
        return ["bash", "-c", script]
    return ["unshare", "--net", "bash", "-c", "ip link set lo up\n" + script]


def unmeasured(line):
    """Without what differs between two measurements: numbers, units, the width of columns."""
    return " ".join(MEASURED.sub("#", line).split())


def is_shown(wanted, written, measured=False):
    if measured:
        wanted, written = unmeasured(wanted), map(unmeasured, written)
    pattern = ".*".join(map(re.escape, wanted.split("…")))
    return any(re.fullmatch(pattern, line.rstrip()) for line in written)


def run_block(block, directory):
    os.symlink(PARLEY, directory / "parley")
    os.symlink(ROOT / "examples", directory / "examples")
    environment = {**os.environ, "PATH": f"{directory}:{os.environ['PATH']}", "HOME": str(directory)}
    with tempfile.TemporaryFile() as written:
        session = subprocess.Popen(with_own_network(script_of(block)), cwd=directory, env=environment,
                                   stdin=subprocess.DEVNULL, stdout=written, start_new_session=True)
        try:
            session.wait(TIMEOUT)
        finally:
            end_session(session)
        written.seek(0)
        return written.read().decode("utf-8", "replace")


def end_session(session):
    """A session that hangs leaves jobs of ours behind, all in its process group."""
    try:
        os.killpg(session.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    session.wait()


@pytest.mark.parametrize("block", [block for path in READMES for block in blocks_of(path)],
                         ids=lambda block: block.name)
def test_a_session_shown_runs(block, tmp_path):
    written = run_block(block, tmp_path)
    complaints = [line for line in written.splitlines() if line.startswith("HARNESS: ")]
    missing = [line for line in block.output if not is_shown(line, written.splitlines(), block.measured)]
    assert not complaints and not missing, f"missing {missing}, {complaints}; it wrote\n{written}"


def test_both_languages_show_the_same_commands():
    if not all(path.exists() for path in READMES):
        pytest.skip("not both READMEs are there")
    english, chinese = ([block.commands for block in blocks_of(path)] for path in READMES)
    assert english == chinese


def test_the_convention_itself(tmp_path):
    """A session as a README would show it, and one that lies."""
    text = ("$ parley serve echo 3000 --once &\n… echo listens on …:3000, …\n"
            "$ parley connect 127.0.0.1 3000 --send helloworld\nhelloworld\n"
            "$ parley serve nonsense 1 # exit code 2\n$ cat <<END\n> two\n> END\n")
    (tmp_path / "true").mkdir()
    written = run_block(parse_block("sample", text), tmp_path / "true")
    assert "HARNESS" not in written and is_shown("… echo listens on …:3000, …", written.splitlines()), written
    (tmp_path / "lie").mkdir()
    assert "HARNESS: exit code 1" in run_block(parse_block("lie", "$ false\n"), tmp_path / "lie")


def test_the_convention_of_measurements(tmp_path):
    shown = "latency    41.4 µs   3 ms  50 connections at once, 1.20 k/s"
    assert is_shown(shown, ["latency  1.20 s  980 ns  4 connections at once, 12/s"], measured=True)
    assert not is_shown(shown, ["latency  1.20 s  980 ns  4 lines at once, 12/s"], measured=True)
    assert not is_shown(shown, [shown.replace("50", "5")])
    for name, command, code in (("slow", "-d 9h --fail-if 'p99>0ms'", None), ("wrong", "-d 9h --fail-if 'errors<1'", 3)):
        (tmp_path / name).mkdir()
        written = run_block(parse_block("load", "$ parley serve echo 3000 -q &\n"
                                        f"$ parley load 127.0.0.1:3000 {command}\n"), tmp_path / name)
        assert ("HARNESS: exit code 3" in written) == (code == 3) and "target " in written, written
