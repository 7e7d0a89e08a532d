"""`parley compare` starts real servers, measures them, and leaves none behind."""

import csv
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import procfs
from client import PATIENCE, wait_until
from harness import PARLEY, ROOT, SANITIZERS, only_line

LONG = 6 * PATIENCE
SHORT = ("-d", "200ms", "--rounds", "1")
ATTEMPTS = 3
PYTHON = sys.executable
# A thread for each client, so that any number is served at once.
PEER = """
import socketserver, sys
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while part := self.request.recv(65536):
            self.request.sendall(part)
class Server(socketserver.ThreadingTCPServer):
    request_queue_size, daemon_threads, allow_reuse_address = 100, True, True
Server(("127.0.0.1", int(sys.argv[1])), Echo).serve_forever()
"""
RESULT = {"rate", "cpu_us", "p50_us", "p99_us", "p99.9_us", "switches", "server_busy", "generator_busy",
          "rate_least", "rate_most", "generator_was_the_limit", "errors", "first_error", "rounds"}


def compare(*arguments, timeout=LONG, **options):
    """A compare that ends by itself, and leaves no process behind: its children die with their group."""
    command = [PARLEY, "compare", *map(str, arguments)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout,
                          check=False, **options)
    assert not SANITIZERS.search(done.stderr), done.stderr
    return done


def told(done, code=0):
    assert done.returncode == code, f"exit code {done.returncode}\n{done.stderr}\n{done.stdout}"
    return json.loads(done.stdout)


def looked_at(document):
    """Whether all the servers' processor times are known: on a busy machine a short measurement may be over before
    anybody came to look at them."""
    results = [result for entry in document["candidates"]
               for result in [entry["setup"], *(run["result"] for run in entry["runs"])]]
    return all(result["cpu_us"] is not None for result in results if result)


def compare_until_looked_at(path, *arguments):
    """With its JSON in `path`."""
    for _ in range(ATTEMPTS):
        done = compare(*arguments, "--json", path)
        document = json.loads(path.read_text(encoding="utf-8"))
        if looked_at(document):
            return done, document
    return pytest.skip(f"the machine was so busy that {ATTEMPTS} times nobody came to look at a server in time")


@pytest.fixture(name="peer")
def peer_file(tmp_path):
    path = tmp_path / "peer echo.py"
    path.write_text(PEER, encoding="utf-8")
    return f"--peer=python={PYTHON} '{path}' {{port}}"


def candidate(document, name):
    return next(entry for entry in document["candidates"] if entry["name"] == name)


def servers_of(word):
    """Processes whose command line has this word."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if word.encode() in words and not procfs.is_gone(int(entry)):
            found.append(int(entry))
    return found


# ---- what it tells ----

def check_result(result):
    assert set(result) == RESULT, set(result) ^ RESULT
    assert result["errors"] == 0 and result["first_error"] is None
    assert result["rate"] > 0 and result["cpu_us"] > 0 and result["switches"] > 0
    assert 0 < result["p50_us"] <= result["p99_us"] <= result["p99.9_us"]
    assert result["rate_least"] <= result["rate"] <= result["rate_most"]
    assert len(result["rounds"]) == 1


def check_measured(entry, connections, held):
    assert entry["status"] == "measured" and entry["reason"] is None, entry
    assert [run["connections"] for run in entry["runs"]] == [1, 8]
    for run in entry["runs"]:
        if run["connections"] <= connections:
            check_result(run["result"])
        else:
            assert run["result"] is None and "one client at a time" in run["reason"]
    check_result(entry["setup"])
    assert entry["memory"]["idle_bytes"] > 0 and entry["memory"]["connections"] in held


def test_models_and_a_peer_in_every_form(peer, tmp_path):
    files = {kind: tmp_path / f"result.{kind}" for kind in ("csv", "report")}
    done, document = compare_until_looked_at(
        tmp_path / "result.json", "echo", "--models", "iterative,fork,thread,prethread+epoll", "-c", "1,8", *SHORT,
        peer, *(f"--{kind}={path}" for kind, path in files.items()))
    assert (done.returncode, done.stderr) == (0, ""), f"{done.stderr}\n{done.stdout}"
    names = ["iterative+blocking", "fork+blocking", "thread+blocking", "prethread+epoll", "python"]
    check_tables(done.stdout, names)
    check_json(document, names)
    check_csv(files["csv"], names)
    check_page(files["report"], names)
    assert not servers_of(str(tmp_path / "peer echo.py"))


def check_tables(text, names):
    assert not re.search(r"[ \t]$", text, re.M), "lines end with what is read"
    for heading in ("1 connection, messages of 64 bytes", "8 connections, messages of 64 bytes",
                    "What a connection costs"):
        table = text[text.index(heading):].split("\n\n")[0].splitlines()
        assert [line.split()[0] for line in table[2:2 + len(names)]] == names, table
    assert "iterative+blocking  serves one client at a time" in text
    assert "where the textbooks say about 30" in text or "too little" in text
    assert re.search(r"\d µs\*", text) and "/s" in text


def check_json(document, names):
    assert document["schema"] == "parley-compare/1" and document["interrupted"] is None
    assert document["service"] == "echo" and document["conditions"]["message_size"] == 64
    assert [entry["name"] for entry in document["candidates"]] == names
    for entry in document["candidates"]:
        alone, per_client = entry["name"] == "iterative+blocking", entry["name"] in ("fork+blocking", "thread+blocking")
        # Of a loop 5,000 are held, where that many descriptors can be had.
        check_measured(entry, 1 if alone else 8, [1] if alone else [8] if per_client else [8, 5000])
    fork = candidate(document, "fork+blocking")
    assert fork["memory"]["processes"] == 9 and candidate(document, "python")["command"][0] == PYTHON
    claim = document["fork_and_thread"]
    assert claim["poller"] == "blocking" and claim["fork_us"] == fork["setup"]["cpu_us"]
    assert claim["ratio"] == pytest.approx(claim["fork_us"] / claim["thread_us"], rel=1e-6)


def check_csv(path, names):
    with open(path, encoding="utf-8", newline="") as text:
        rows = list(csv.DictReader(text))
    assert [row["name"] for row in rows] == names * 3
    assert [row["run"] for row in rows] == ["load"] * 10 + ["setup"] * 5
    assert all(row["reason"] or float(row["rate"]) > 0 for row in rows)


def check_page(path, names):
    page = path.read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>") and page.rstrip().endswith("</html>")
    assert "<script" not in page and not re.search(r"(src|href)\s*=\s*[\"']?http", page)
    assert page.count("<figure") == 2 * 5 + 1
    assert all(name in page for name in names)


def test_the_page_in_a_browser(tmp_path):
    browser = pytest.importorskip("browser")
    if not shutil.which(browser.CHROMIUM):
        pytest.skip("chromium is not installed")
    path = tmp_path / "page.html"
    done = compare("echo", "--models", "iterative,thread", "-c", "1", *SHORT, "--report", path)
    assert done.returncode == 0, done.stderr
    with browser.Browser() as chromium:
        for width, scheme in ((1100, "light"), (390, "dark")):
            page = chromium.open(path, width, scheme)
            assert page.complaints() == [] and len(page.requests()) == 1
            assert page.ask("document.documentElement.scrollWidth") <= width
            assert page.ask("[...document.querySelectorAll('svg')].every(e => e.getBoundingClientRect().width)")
            page.close()


@pytest.mark.parametrize("service, reply", [("upper", 1), ("greet", None), ("hangup", None), ("discard", 1)])
def test_other_services(service, reply):
    document = told(compare(service, "--models", "thread,prethread+epoll", "-c", "2", *SHORT, "--json", "-"))
    for entry in document["candidates"]:
        assert entry["status"] == "measured", entry
        assert entry["runs"][0]["result"]["rate"] > 0 and entry["setup"]["rate"] > 0
        assert (entry["memory"]["connection_bytes"] is not None) == (reply == 1 and service != "discard")


def test_workers_let_blocking_pools_serve_more():
    """A model without a pool is not told of them."""
    document = told(compare("echo", "--models", "thread,prethread+blocking", "--workers", "4", "-c", "4,5", *SHORT,
                            "--json", "-"))
    thread, pool = document["candidates"]
    four, five = pool["runs"]
    assert thread["status"] == "measured"
    assert four["result"]["rate"] > 0 and pool["at_once"] == 4
    assert five["result"] is None and "4 clients at a time" in five["reason"]


# ---- what goes wrong ----

@pytest.mark.parametrize("command, reason", [
    ("sh -c 'echo one >&2; echo the last word >&2; exit 7' {port}", "ended with exit code 7: the last word"),
    ("/nonexistent/server {port}", "/nonexistent/server"),
    ("sh -c 'kill -SEGV $$' {port}", "was ended by signal 11"),
])
def test_a_peer_that_does_not_start_leaves_the_others(tmp_path, command, reason):
    done, document = compare_until_looked_at(tmp_path / "json", "echo", "--models", "iterative", "-c", "1", *SHORT,
                                             f"--peer=bad={command}")
    assert done.returncode == 1, done.stderr
    bad = candidate(document, "bad")
    assert bad["status"] == "failed" and reason in bad["reason"]
    assert bad["runs"][0]["result"] is None and reason in bad["runs"][0]["reason"]
    check_result(candidate(document, "iterative+blocking")["runs"][0]["result"])


def test_a_peer_that_answers_wrongly(tmp_path):
    path = tmp_path / "wrong.py"
    path.write_text(PEER.replace("sendall(part)", "sendall(part.upper().replace(b'A', b'?'))"), encoding="utf-8")
    done = compare("echo", "--models", "iterative", "-c", "1", *SHORT, f"--peer=wrong={PYTHON} {path} {{port}}")
    assert done.returncode == 1, done.stdout
    assert re.search(r"^wrong .*\n?.*errors?, the first: |^wrong  answered nothing with ", done.stdout, re.M), done.stdout


def test_a_peer_that_ends_when_it_is_loaded():
    code = ("import socket, sys; s = socket.create_server((\"127.0.0.1\", int(sys.argv[1]))); "
            "[s.accept()[0].recv(9) for _ in range(2)]; sys.exit(\"enough\")")
    peer = f"brief={PYTHON} -c '{code}' {{port}}"
    document = told(compare("echo", "--models", "iterative", "-c", "1", *SHORT, f"--peer={peer}", "--json", "-"), code=1)
    words = shlex.split(document["conditions"]["command_line"])
    assert words[:3] == ["parley", "compare", "echo"] and words[words.index("--peer") + 1] == peer, words
    brief = candidate(document, "brief")
    assert brief["status"] == "failed" and "ended with exit code 1: enough" in brief["reason"]


@pytest.mark.parametrize("arguments, sentence", [
    (["echo", "--models", "iterative,prefrok"], "did you mean prefork?"),
    (["echo", "--models", ","], "is not known"),
    (["ecko"], "did you mean echo?"),
    (["chargen"], "answers without end"),
    ([], "which service?"),
    (["echo", "upper"], "one service"),
    (["echo", "-c", "0"], "--connections"),
    (["echo", "-c", "1,,2"], "--connections"),
    (["echo", "--rounds", "0"], "--rounds"),
    (["echo", "--size", "0"], "--size"),
    (["echo", "-d", "0"], "--duration"),
    (["echo", "--peer", "x=server"], "{port}"),
    (["echo", "--peer", "server {port}"], "no name"),
    (["echo", "--processors", "0"], "0,1"),
    (["echo", "--processors", "0,4095"], "--processors"),
    (["echo", "--json", "/nonexistent/file"], "/nonexistent/file"),
    (["echo", "--report", "/tmp"], "open /tmp: is a directory"),
    (["echo", "--json", "-", "--csv", "-"], "only one output can be -"),
])
def test_wrong_usage(arguments, sentence):
    done = compare(*arguments, timeout=PATIENCE)
    assert done.returncode == 2 and not done.stdout
    assert sentence in only_line(done.stderr)


# ---- how it ends ----

class Running:
    """A compare that would go on for long, with its JSON on stdout, or its tables."""

    def __init__(self, *arguments, output=("--json", "-")):
        self.process = subprocess.Popen([PARLEY, "compare", "echo", *arguments, *output],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True)

    def family(self):
        return procfs.children_of(self.process.pid)

    def wait_serving(self):
        """Until its servers have been started so and so often: the first measurement is over then."""
        seen = set()

        def many():
            seen.update(self.family())
            return len(seen) >= 4
        wait_until(many, lambda: f"it starts servers; seen {seen}")

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate(timeout=PATIENCE)


@pytest.fixture(name="running")
def running_compare():
    started = []

    def start(*arguments, **options):
        started.append(Running(*arguments, **options))
        return started[-1]
    yield start
    for one in started:
        one.end()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_tells_what_was_measured(running, number):
    one = running("--models", "thread", "-c", "1", "-d", "200ms", "--rounds", "500")
    one.wait_serving()
    family = one.family()
    one.process.send_signal(number)
    output, errors = one.process.communicate(timeout=PATIENCE)
    assert one.process.returncode == 128 + number, errors
    document = json.loads(output)
    assert document["interrupted"] == number.name
    assert document["candidates"][0]["status"] == "incomplete"
    assert document["candidates"][0]["runs"][0]["result"]["rate"] > 0
    assert all(procfs.is_gone(pid) for pid in family), family


def test_interrupted_it_claims_no_rounds_that_it_did_not_make(running):
    one = running("--models", "thread", "-c", "1", "-d", "200ms", "--rounds", "500", output=())
    one.wait_serving()
    one.process.send_signal(signal.SIGINT)
    output, _ = one.process.communicate(timeout=PATIENCE)
    assert "Interrupted: medians of at most 500 rounds" in output, output


def test_interrupted_it_leaves_out_tables_without_a_figure():
    with subprocess.Popen([PARLEY, "compare", "echo", "--models", "thread,epoll", "-c", "1,50", "-d", "60s"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as one:
        wait_until(lambda: procfs.children_of(one.pid), lambda: "it has a server")
        one.send_signal(signal.SIGINT)
        output, errors = one.communicate(timeout=PATIENCE)
    assert one.returncode == 128 + signal.SIGINT, errors
    assert output == "interrupted before anything was measured\n"


def test_killed_it_takes_its_servers_along(running):
    one = running("--models", "fork", "-c", "4", "-d", "60s", "--rounds", "1")
    seen = set()

    def is_loaded():
        seen.update(one.family())
        return len(one.family()) >= 5
    wait_until(is_loaded, lambda: f"its server has clients; seen {seen}")
    family = one.family()
    one.process.kill()
    wait_until(lambda: all(procfs.is_gone(pid) for pid in family), lambda: f"{family} end with it")


def test_a_deaf_peer_is_ended(peer, tmp_path):
    path = tmp_path / "deaf.py"
    path.write_text("import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + PEER, encoding="utf-8")
    done = compare("echo", "--models", "iterative", "-c", "1", *SHORT, f"--peer=deaf={PYTHON} {path} {{port}}",
                   "--json", "-")
    assert candidate(told(done), "deaf")["status"] == "measured"
    assert not servers_of(str(path))


def test_progress_is_for_terminals_only():
    done = compare("echo", "--models", "iterative", "-c", "1", *SHORT)
    assert done.stderr == "" and "\x1b" not in done.stdout
    if not shutil.which("script"):
        pytest.skip("script is not installed, so there is no terminal")
    line = f"{PARLEY} compare echo --models iterative -c 1 -d 100ms --rounds 1 >/dev/null"
    shown = subprocess.run(["script", "-qec", line, "/dev/null"], stdin=subprocess.DEVNULL, capture_output=True,
                           text=True, timeout=LONG, check=True).stdout
    assert "1 of 3: iterative+blocking, its memory" in shown and "3 of 3: iterative+blocking" in shown


def test_the_documented_members_are_those_written():
    text = (ROOT / "docs/compare-json.md").read_text(encoding="utf-8")
    document = told(compare("echo", "--models", "iterative", "-c", "1", *SHORT, "--json", "-"))
    entry = document["candidates"][0]
    members = [*document, *document["conditions"], *entry, *entry["memory"], *entry["runs"][0], *entry["setup"],
               "fork_us", "thread_us", "iterative_us", "ratio", "ratio_over_iterative", "sentence"]
    assert not [member for member in members if f"`{member}`" not in text]
    assert time.strptime(document["since"], "%Y-%m-%dT%H:%M:%SZ")
