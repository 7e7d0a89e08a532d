"""parley load merge: one result from generators that ran at the same time."""

import csv
import json
import subprocess

import pytest

from client import PATIENCE
from harness import PARLEY, run


def generators(address, directory, *options, count=2, duration="300ms"):
    """So many loads at the same time; the paths of their results."""
    paths = [directory / f"{name}.json" for name in "abcdef"[:count]]
    started = [subprocess.Popen([PARLEY, "load", *address.split(), "-c", "4", "-d", duration, "-q", "--json",
                                 path, *options], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
               for path in paths]
    for process in started:
        said = process.communicate(timeout=2 * PATIENCE)[1]
        assert process.returncode in (0, 3), f"exit code {process.returncode}\n{said}"
    agree_on_the_beginning(paths)
    return paths


def agree_on_the_beginning(paths):
    """A busy machine may start one so late that the other is half over, which merge would tell."""
    since = read(paths[0])["since"]
    for path in paths:
        path.write_text(json.dumps({**read(path), "since": since}))


@pytest.fixture
def results(serve, tmp_path):
    return generators(serve("echo").addresses[0], tmp_path)


def merge(*arguments, code=0):
    done = run("load", "merge", *map(str, arguments))
    assert done.returncode == code, f"exit code {done.returncode}, not {code}\n{done.stderr}{done.stdout}"
    return done


def read(path):
    return json.loads(path.read_text())


def test_two_become_one(results):
    parts = [read(path) for path in results]
    whole = json.loads(merge(*results, "--json", "-").stdout)
    assert whole["schema"] == "parley-load/1" and whole["valid"]
    assert whole["requests"] == sum(part["requests"] for part in parts) > 0
    assert whole["bytes_in"] == sum(part["bytes_in"] for part in parts)
    assert whole["latency_us"]["count"] == sum(part["latency_us"]["count"] for part in parts)
    assert whole["latency_us"]["max"] == max(part["latency_us"]["max"] for part in parts)
    assert whole["latency_us"]["min"] == min(part["latency_us"]["min"] for part in parts)
    assert whole["rate"] == pytest.approx(sum(part["rate"] for part in parts), rel=0.05)
    assert whole["conditions"]["generators"] == 2 and whole["conditions"]["connections"] == 8
    ends = [part["latency_us"]["p99"] for part in parts]
    assert min(ends) <= whole["latency_us"]["p99"] <= max(ends)


def test_seconds_add(serve, tmp_path):
    results = generators(serve("echo").addresses[0], tmp_path, duration="1200ms")
    parts = [read(path) for path in results]
    whole = json.loads(merge(*results, "--json", "-").stdout)
    assert 2 == len(whole["intervals"]) == max(len(part["intervals"]) for part in parts)
    for index, interval in enumerate(whole["intervals"]):
        both = [part["intervals"][index] for part in parts if index < len(part["intervals"])]
        assert interval["requests"] == sum(one["requests"] for one in both), f"second {index}"


def test_the_sum_can_be_merged_on(results, tmp_path):
    both, again = tmp_path / "both.json", tmp_path / "again.json"
    merge(*results, "--json", both, "-q")
    merge(both, "--json", again, "-q")
    assert both.read_text() == again.read_text()


def test_every_output_can_be_had(results, tmp_path):
    names = ["json", "csv", "hgrm", "hdr-log", "report"]
    options = [word for name in names for word in (f"--{name}", str(tmp_path / name))]
    table = merge(*results, *options).stdout
    assert "2 generators" in table and "latency" in table
    whole = read(tmp_path / "json")
    rows = list(csv.DictReader((tmp_path / "csv").open()))
    assert rows[-1]["row"] == "total" and int(rows[-1]["requests"]) == whole["requests"]
    assert f"Total count    = {whole['latency_us']['count']:12}]" in (tmp_path / "hgrm").read_text()
    assert (tmp_path / "hdr-log").read_text().count("HISTFAAA") == len(whole["intervals"])
    assert (tmp_path / "report").read_text().lower().startswith("<!doctype html>")


def test_conditions_are_of_the_sum(results):
    done = merge(*results, "-q", "--fail-if", "requests>1", "--fail-if", "rate<1", code=3)
    assert done.stderr.count("\n") == 1
    assert "requests are " in done.stderr and "and requests>1 was to fail" in done.stderr


def test_what_does_not_add_up_is_refused(results, serve, tmp_path):
    open_loop = generators(serve("echo").addresses[0], tmp_path, "-R", "100", count=1)
    other = tmp_path / "open.json"
    open_loop[0].rename(other)
    (tmp_path / "a.json").write_text(results[1].read_text())
    done = merge(results[1], other, code=2)
    assert f"{other}: \"closed loop\" and \"open loop at 100/s\" are different kinds of load" in done.stderr
    assert not done.stdout


def test_runs_at_different_times_are_invalid(results, tmp_path):
    later = read(results[1])
    later["since"] = "2099-01-01T00:00:00.000Z"
    moved = tmp_path / "later.json"
    moved.write_text(json.dumps(later))
    done = merge(results[0], moved, code=3)
    assert done.stdout.startswith("INVALID: ") and "did not run at the same time" in done.stdout.splitlines()[0]


@pytest.mark.parametrize("arguments, sentence", [
    ([], "merge takes the files that --json wrote"),
    (["/nowhere/a.json"], "open /nowhere/a.json: no such file or directory"),
    (["/dev/null"], "/dev/null: no JSON: line 1: "),
    (["a.json", "-c", "5"], "merge makes no load: leave out --connections"),
    (["a.json", "--intervals", "-"], "merge makes no load: leave out --intervals"),
    (["a.json", "--fail-if", "p99"], "\"p99\" is no condition"),
])
def test_mistakes_are_named(arguments, sentence):
    done = merge(*arguments, code=2)
    assert done.stderr.startswith(f"parley load: {sentence}") and done.stderr.count("\n") == 1, done.stderr


def test_a_foreign_file_is_refused(tmp_path):
    path = tmp_path / "package.json"
    path.write_text('{"name": "something else"}\n')
    assert merge(path, code=2).stderr == f"parley load: {path}: no schema: not written by parley load?\n"


def test_a_damaged_file_is_refused(results):
    whole = read(results[0])
    whole["histograms"]["latency"] = whole["histograms"]["latency"][:-8]
    results[0].write_text(json.dumps(whole))
    done = merge(*results, code=2)
    assert done.stderr.startswith(f"parley load: {results[0]}: histogram of latency_us: "), done.stderr
