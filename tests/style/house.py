"""The C sources as the style tests see them: files, lines, code without comments, functions."""

import re
import shutil
import subprocess
from collections import namedtuple
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEXT_SUFFIXES = {".c", ".h", ".py", ".sh", ".md", ".txt", ".cmake", ".in", ".scd", ".json", ".map", ".fish",
                 ".bash", ".zsh", ".yml", ".service", ""}

Function = namedtuple("Function", "name file first last")


@cache
def tracked_files():
    """Files git knows, or every file of the tree where there is no git (a release archive)."""
    if shutil.which("git") and (ROOT / ".git").exists():
        # In containers the checkout may belong to another user, which git refuses unless told.
        names = subprocess.run(["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others",
                                "--exclude-standard"], cwd=ROOT, check=True, capture_output=True,
                               text=True).stdout.split("\0")
        paths = [ROOT / name for name in names if name]
    else:
        paths = [path for path in ROOT.rglob("*") if not path.relative_to(ROOT).parts[0].startswith("build")]
    return sorted(path for path in paths if path.is_file())


def text_files():
    """Without the fuzzers' inputs, which are bytes."""
    return [path for path in tracked_files()
            if path.suffix in TEXT_SUFFIXES and "corpus" not in path.relative_to(ROOT).parts]


def c_files(*directories):
    """The .c and .h files below these directories of the tree."""
    return [path for path in tracked_files()
            if path.suffix in {".c", ".h"} and path.relative_to(ROOT).parts[0] in directories]


def name_of(path):
    return str(path.relative_to(ROOT))


@cache
def lines_of(path):
    return path.read_text(encoding="utf-8").split("\n")


@cache
def code_of(path):
    """The file with comments and literals blanked, line for line."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group())
    token = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''
    return re.sub(token, blank, path.read_text(encoding="utf-8"), flags=re.DOTALL)


def matches(pattern, paths):
    """Where a pattern stands in the code of these files, as `file:line: text`."""
    found = []
    for path in paths:
        for number, line in enumerate(code_of(path).split("\n"), 1):
            if re.search(pattern, line):
                found.append(f"{name_of(path)}:{number}: {lines_of(path)[number - 1].strip()}")
    return found


@cache
def functions():
    """Every function defined in src/ and include/, measured from its name to its closing brace."""
    paths = c_files("src", "include")
    listing = subprocess.run(
        ["ctags", "--languages=C", "--langmap=C:.c.h", "--kinds-C=f", "--fields=ne", "-o", "-", "--sort=no"]
        + [str(path) for path in paths], check=True, capture_output=True, text=True).stdout
    found = []
    for line in listing.splitlines():
        first = re.search(r"\tline:(\d+)", line)
        last = re.search(r"\tend:(\d+)", line)
        if first and last:
            name, file = line.split("\t")[:2]
            found.append(Function(name, name_of(Path(file)), int(first[1]), int(last[1])))
    return found
