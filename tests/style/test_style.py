"""Rules of the house that a compiler does not check."""

import re
import statistics

import pytest

import house

FUNCTION_LINES = 50
FILE_LINES = 350
COLUMNS = 110

# Files over FILE_LINES, each with the reason it is better whole.
LONG_FILES = {}

# From the ground up. A room knows those below it; of one floor only the engine's know each other.
FLOORS = (("base",), ("framing", "text", "tls"), ("net",), ("explain",),
          ("engine", "limit", "supervise", "placement", "poller"),
          ("option", "sandbox", "witness"), ("exec", "load"), ("service", "report"), ("compare",), ("command",))
LIBRARY_ROOMS = tuple(f"src/{room}/" for floor in FLOORS[:5] for room in floor if room != "text")

# Files that call the kernel past the `sys` table, each with its reason.
PAST_THE_TABLE = {
    "src/base/sys.c": "is the table",
    "src/supervise/supervise.c": "sleeps in poll beside the workers, which are what is narrated and tested to fail",
}

BANNED_CALLS = {
    "strcpy": "writes past the end; use snprintf or memcpy with a checked size",
    "strcat": "writes past the end; use snprintf",
    "sprintf": "writes past the end; use snprintf",
    "vsprintf": "writes past the end; use vsnprintf",
    "gets": "cannot be bounded",
    "strtok": "keeps hidden state; use strsep or strtok_r",
    "strncpy": "may leave the text without its end; use snprintf or memcpy",
    "atoi": "cannot tell an error from 0; use strtol and check",
    "atol": "cannot tell an error from 0; use strtol and check",
    "atof": "cannot tell an error from 0; use strtod and check",
    "signal": "differs between systems; use sigaction",
    "alloca": "overruns small thread stacks",
    "tmpnam": "races; use mkstemp",
    "inet_ntoa": "one static buffer, IPv4 only; use inet_ntop",
    "gethostbyname": "one static buffer, IPv4 only; use getaddrinfo",
    "rand": "predictable; use the engine's own source",
}

# Spelled in halves, so that this file does not break its own rule.
MACHINE_PATHS = ["/wo" + "rk/", "/fa" + "rm"]


def report(problems):
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)


def test_functions_are_short():
    report([f"{function.file}:{function.first}: {function.name} has {length} lines, over {FUNCTION_LINES}"
            for function in house.functions()
            if (length := function.last - function.first + 1) > FUNCTION_LINES])


def test_half_of_the_functions_are_within_ten_lines():
    lengths = [function.last - function.first + 1 for function in house.functions()]
    median = statistics.median(lengths)
    ninetieth = sorted(lengths)[len(lengths) * 9 // 10]
    if median > 10 or ninetieth > 25:
        report([f"median {median} lines, 90th percentile {ninetieth}; at most 10 and 25"])


def test_files_are_short():
    report([f"{name}: {length} lines, over {FILE_LINES}" for path in house.c_files("src")
            if (length := len(house.lines_of(path)) - 1) > FILE_LINES
            and (name := house.name_of(path)) not in LONG_FILES])


def test_long_files_are_still_long():
    report([f"{name} no longer needs its exception" for name in LONG_FILES
            if len(house.lines_of(house.ROOT / name)) - 1 <= FILE_LINES])


def test_no_banned_call():
    problems = []
    for call, reason in BANNED_CALLS.items():
        for place in house.matches(rf"(?<![\w.>]){call}\s*\(", house.c_files("src", "include", "examples")):
            problems.append(f"{place}\n    {call}: {reason}")
    report(problems)


def test_lines_are_plain_and_fit():
    problems = []
    for path in house.c_files("src", "include", "examples", "tests", "bench"):
        for number, line in enumerate(house.lines_of(path), 1):
            faults = [fault for fault, present in (
                ("tab", "\t" in line), ("trailing space", line != line.rstrip()),
                (f"over {COLUMNS} columns", len(line) > COLUMNS)) if present]
            problems += [f"{house.name_of(path)}:{number}: {fault}" for fault in faults]
    report(problems)


def test_text_files_end_with_one_newline():
    report([house.name_of(path) for path in house.text_files()
            if (text := path.read_text(encoding="utf-8", errors="replace"))
            and (not text.endswith("\n") or text.endswith("\n\n"))])


def test_every_public_declaration_is_documented():
    """A declaration follows a comment, or another declaration that the same comment covers."""
    path = house.ROOT / "include/parley.h"
    lines = house.lines_of(path)
    report([f"include/parley.h:{number}: {line}" for number, line in enumerate(lines, 1)
            if re.match(r"(PARLEY_API|typedef|struct|enum)\b", line)
            and not re.search(r"\*/$|;$", lines[number - 2])])


def test_every_public_function_is_in_the_manual():
    manual = (house.ROOT / "man/parley.3.scd").read_text(encoding="utf-8")
    declared = re.findall(r"^PARLEY_API .*?\b(parley_\w+)\(", (house.ROOT / "include/parley.h").read_text(), re.M)
    report([f"man/parley.3.scd says nothing of {name}()" for name in declared if f"*{name}*" not in manual])


def test_every_option_of_the_library_is_documented():
    """What it takes: the tables of the engine and of TLS; what is told: parley.h, and from there the manual."""
    manual = (house.ROOT / "man/parley.3.scd").read_text(encoding="utf-8").split("; end of options")[0]
    manual = manual.split("; options:")[1]
    told = {name for line in re.findall(r"^\*([-a-z]+(?:, [-a-z]+)*)\*$", manual, re.M) for name in line.split(", ")}
    taken = {name for source in ("engine/option.c", "tls/policy.c")
             for name in re.findall(r'^    \{"([-a-z]+)", [A-Z_]+,', (house.ROOT / "src" / source).read_text(), re.M)}
    assert taken and told
    report([f"{name}: told, not taken" for name in told - taken] + [f"{name}: taken, not told" for name in taken - told])


def test_one_place_frees_a_connection():
    sources = house.c_files("src")
    definitions = house.matches(r"^(static )?void conn_free\([^;]*$", sources)
    calls = house.matches(r"^\s+.*\bconn_free\s*\(", sources)
    outside = [place for place in definitions + calls if not place.startswith("src/engine/")]
    if len(definitions) != 1 or len(calls) != 1 or outside:
        report([f"defined: {definitions}", f"called: {calls}"])


def test_pollers_know_no_placement():
    """The seam: pollers never see placements, and only the engine sees both."""
    report([f"{house.name_of(path)}: {line}" for path in house.c_files("src")
            if house.name_of(path).startswith("src/poller/") for line in house.lines_of(path)
            if re.match(r'#include "placement/', line)])


def test_rooms_know_only_those_below():
    floor_of = {room: number for number, floor in enumerate(FLOORS) for room in floor}
    assert {path.name for path in (house.ROOT / "src").iterdir() if path.is_dir()} == set(floor_of)
    problems = []
    for path in house.c_files("src"):
        room = path.relative_to(house.ROOT / "src").parts[0]
        for line in house.lines_of(path):
            known = re.match(r'#include "(\w+)/', line)
            if known and known[1] != room and not (floor_of[known[1]] < floor_of[room] or
                                                   {room, known[1]} <= set(FLOORS[floor_of["engine"]])):
                problems.append(f"{house.name_of(path)}: {line}")
    report(problems)


def test_no_path_of_a_machine():
    report([f"{house.name_of(path)}:{number}: {line.strip()}" for path in house.text_files()
            for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").split("\n"), 1)
            if any(place in line for place in MACHINE_PATHS)])


def test_every_suppression_has_its_reason():
    """`NOLINT: reason` on the line, or a comment on the line before."""
    problems = []
    for path in house.c_files("src", "include", "examples", "tests", "bench"):
        lines = house.lines_of(path)
        for number, line in enumerate(lines, 1):
            if not re.search(r"NOLINT|cppcheck-suppress|GCC diagnostic ignored|clang diagnostic ignored", line):
                continue
            reason_here = re.search(r"(NOLINT\w*(\([^)]*\))?|cppcheck-suppress \S+)\W+\w+(\W+\w+){2}", line)
            reason_before = re.search(r"/\*|\*/|//", lines[number - 2])
            if not reason_here and not reason_before:
                problems.append(f"{house.name_of(path)}:{number}: {line.strip()}")
    report(problems)


def test_headers_are_guarded_by_their_own_name():
    """src/engine/loop.h is guarded by ENGINE_LOOP_H."""
    problems = []
    for path in house.c_files("src", "include"):
        if path.suffix == ".h":
            parts = path.relative_to(house.ROOT).with_suffix("").parts[1:]
            guard = re.sub(r"\W", "_", "_".join(parts)).upper() + "_H"
            text = "\n".join(house.lines_of(path))
            if f"#ifndef {guard}\n#define {guard}\n" not in text:
                problems.append(f"{house.name_of(path)}: no guard {guard}")
    report(problems)


def library_files():
    return [path for path in house.c_files("src") if house.name_of(path).startswith(LIBRARY_ROOMS)]


def test_the_engine_reaches_the_kernel_through_its_table():
    """What `struct sys` has is called through it, so that tests can fail any call in turn."""
    table = re.search(r"^struct sys \{(.*?)^\};", (house.ROOT / "src/base/sys.h").read_text(), re.M | re.S)[1]
    members = set(re.findall(r"\(\*(\w+)\)\(", table)) - {"run", "now", "random", "note"}
    sources = [path for path in library_files() if house.name_of(path) not in PAST_THE_TABLE]
    report(house.matches(rf"(?<![\w.>*])({'|'.join(sorted(members))})\s*\(", sources))


def test_the_library_leaves_the_program_alone():
    """A library neither ends its host nor writes to its standard output."""
    report(house.matches(r"(?<![\w.>])(exit|printf|puts|putchar|perror|abort)\s*\(|(?<!fflush\()\bstdout\b", library_files()))


def test_every_fault_has_tests_that_exist():
    """Rows of tests/FAULTS.md name tests as `file::test`, or say why there is none."""
    problems = []
    tests = house.ROOT / "tests"
    for number, line in enumerate((tests / "FAULTS.md").read_text(encoding="utf-8").split("\n"), 1):
        if not line.startswith("|") or line.startswith(("|--", "| row")):
            continue
        named = re.findall(r"`([\w/.]+)::(\w+)`", line)
        if not line.split("|")[3].strip():
            problems.append(f"tests/FAULTS.md:{number}: no test, and no reason")
        for file, test in named:
            text = (tests / file).read_text(encoding="utf-8") if (tests / file).is_file() else ""
            if not re.search(rf"^(def|static void) {test}\(", text, re.MULTILINE):
                problems.append(f"tests/FAULTS.md:{number}: there is no {file}::{test}")
    report(problems)


# Between fork or clone and exec a child has the locks of threads that it has not: signal-safety(7). Calls that go
# straight to the kernel are as good as those that POSIX names.
SAFE_IN_A_CHILD = set("""_exit dup2 execve execvp fcntl getegid geteuid getgid getpid getppid getuid ioctl open prctl
prlimit sched_setaffinity setpgid setsid sigaction sigemptyset sigprocmask syscall write""".split())
CHILDREN = {"src/exec/spawn.c": ("check", "leave_group", "take_descriptors", "take_limits", "take_identity",
                                 "follow_parent", "reset_signals", "child_main"),
            "src/compare/child.c": ("stay_on", "take_default_signals", "die_with", "use_descriptors", "become")}
WORDS_OF_C = {"if", "for", "while", "switch", "return", "sizeof", "CPU_ZERO", "CPU_SET", "__attribute__",
              "no_sanitize"}


@pytest.mark.parametrize("name", CHILDREN)
def test_a_child_calls_nothing_that_locks_before_it_is_another_program(name):
    functions = {function.name: function for function in house.functions() if function.file == name}
    code = house.code_of(house.ROOT / name).split("\n")
    problems = []
    for own in CHILDREN[name]:
        for number in range(functions[own].first, functions[own].last + 1):
            called = set(re.findall(r"\b(\w+)\s*\(", code[number - 1]))
            problems += [f"{name}:{number}: {own} calls {each}"
                         for each in called - SAFE_IN_A_CHILD - WORDS_OF_C - set(CHILDREN[name])]
    report(problems)
