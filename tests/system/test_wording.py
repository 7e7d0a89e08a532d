"""What the command says: once, in one line, and true."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from client import PATIENCE, exchange
from harness import PARLEY, only_line, run
from talking import echo, free_port, parley, peer, read_all, running


# ---- being ready, and being stopped at once ----

@pytest.mark.parametrize("service", [["serve", "echo"], ["listen"]])
def test_a_stop_right_after_being_ready_is_a_stop(service):
    for _ in range(20):
        with subprocess.Popen([PARLEY, *service, "127.0.0.1", "0", "--print-port"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            process.stdout.readline()
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == (0 if service[0] == "serve" else 128 + signal.SIGTERM)


# ---- models of a conversation ----

@pytest.mark.parametrize("model", ["fork", "fork+epoll", "thread+select", "prefork", "prefork+uring", "iterative",
                                   "blocking", "prethread+blocking"])
@pytest.mark.parametrize("command", ["listen", "connect"])
def test_a_model_without_conversations_is_refused_before_anything_is_done(command, model):
    done = run(command, "127.0.0.1:1", "--model", model)
    assert done.returncode == 2 and done.stdout == ""
    assert re.fullmatch(rf"parley {command}: --model .*iterative or prethread.*", only_line(done.stderr))


@pytest.mark.parametrize("command", ["listen", "connect"])
def test_help_names_the_models_of_a_conversation(command):
    text = " ".join(run("help", command).stdout.split())
    assert "by default iterative+epoll" in text and "prefork" not in text


# ---- an answer that never comes ----

def test_an_answer_that_never_comes_is_not_awaited_for_ever():
    with peer(echo) as port:
        began = time.monotonic()
        outcome = parley("connect", "127.0.0.1", port, "--send", "hi", "--until", "HI")
    assert outcome.returncode == 3 and outcome.stdout == b"hi"
    assert 'the answer "HI" never came' in only_line(outcome.stderr.decode())
    assert time.monotonic() - began < PATIENCE / 2


def test_an_answer_may_come_after_the_end_was_said():
    def serve(connection):
        text = read_all(connection)
        connection.sendall(text.upper() + b"\n")
    with peer(serve) as port:
        outcome = parley("connect", "127.0.0.1", port, "--send", "hi", "--until", "HI")
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, b"HI\n", b"")


def test_a_server_that_is_still_answering_is_not_told_the_end():
    def serve(connection):
        connection.settimeout(0.5)
        assert connection.recv(100) == b"hi"
        for _ in range(4):
            connection.sendall(b"wait\n")
            with pytest.raises(TimeoutError):
                connection.recv(100)
        connection.sendall(b"HI\n")
    with peer(serve) as port:
        outcome = parley("connect", "127.0.0.1", port, "--send", "hi", "--until", "HI")
    assert (outcome.returncode, outcome.stdout) == (0, b"wait\n" * 4 + b"HI\n")


# ---- complaints ----

@pytest.mark.parametrize("words, sentence", [
    (["serve", "echo", "--workers", "100000", "0"], "parley serve: --workers '100000' is too large: at most 256"),
    (["serve", "echo", "--model"], "parley serve: --model needs a value, --model MODEL; parley help serve tells more"),
    (["connect", "--port"], "parley connect: --port needs a value, --port PORT; parley help connect tells more")])
def test_a_complaint_names_each_thing_once(words, sentence):
    done = run(*words)
    assert (done.returncode, only_line(done.stderr)) == (2, sentence)


CONTRADICTIONS = [
    (["connect", "-4", "::1", "80"],
     "resolve ::1: an IPv6 address, and -4 asks for IPv4 alone: leave -4 out, or give an IPv4 address"),
    (["connect", "-6", "--retry", "9", "127.0.0.1:80"],
     "resolve 127.0.0.1: an IPv4 address, and -6 asks for IPv6 alone: leave -6 out, or give an IPv6 address"),
    (["serve", "echo", "-4", "[::1]:0"], "resolve ::1: .*leave -4 out.*"),
    (["listen", "-6", "127.0.0.1", "0"], r"resolve 127\.0\.0\.1: .*leave -6 out.*"),
    (["load", "-6", "127.0.0.1:80"], r"resolve 127\.0\.0\.1: .*leave -6 out.*"),
    (["connect", "--bind", "127.0.0.1", "::1", "80"],
     r'bind "127\.0\.0\.1": ::1 cannot be reached from there: give an IPv6 address for both'),
    (["connect", "-4", "-6", "localhost:80"], "--ipv4 and --ipv6 contradict each other; give one"),
    (["load", "-64", "localhost:80"], "--ipv4 and --ipv6 contradict each other; give one"),
    (["serve", "echo", "-qv", "0"], "--verbose and --quiet contradict each other; give one"),
    (["serve", "echo", "--workers", "4", "--model", "fork", "0"],
     "--workers 4: fork begins one for each client; leave --workers out, or choose --model prefork or prethread"),
    (["serve", "echo", "--workers", "2", "--model", "thread+poll", "0"], "--workers 2: thread begins one .*"),
    (["serve", "echo", "--workers", "2", "--model", "iterative+epoll", "0"],
     "--workers 2: iterative serves one client after another; leave --workers out, or .*")]


@pytest.mark.parametrize("words, sentence", CONTRADICTIONS, ids=[" ".join(words) for words, _ in CONTRADICTIONS])
def test_what_contradicts_itself_is_refused(words, sentence):
    done = run(*words)
    assert done.returncode == 2 and done.stdout == ""
    assert re.fullmatch(f"parley {words[0]}: {sentence}", only_line(done.stderr))


UNCLEAR = [
    (["connect", "--save", "", "1"], "--save is empty; it takes a value, --save FILE"),
    (["serve", "echo", "-p", ""], "--port is empty; it takes a value, --port PORT"),
    (["compare", "echo", "--csv="], "--csv is empty; it takes a value, --csv FILE"),
    (["connect", "--source-port", "http", "1"], "--source-port http: a port is a number up to 65535"),
    (["connect", "--source-port", "65536", "1"], "--source-port 65536: a port is a number up to 65535"),
    (["connect", "--source-port", "4000", "--bind", "127.0.0.1", "1"],
     "--bind and --source-port contradict each other; give one"),
    (["connect", "--pin", "sha256:" + 64 * "0", "1"], "--pin goes with --tls; add it"),
    (["load", "--key", "k.pem", "1"], "--key goes with --cert; add it"),
    (["serve", "echo", "--client-ca", "ca.pem", "0"], "--client-ca goes with --tls; add it"),
    (["load", "--tls", "--tls-min", "3", "1"], "--tls-min '3' is none of: 1.2, 1.3")]


@pytest.mark.parametrize("words, sentence", UNCLEAR, ids=[" ".join(words)[:40] for words, _ in UNCLEAR])
def test_a_complaint_names_the_option_and_what_would_be_right(words, sentence):
    done = run(*words)
    assert (done.returncode, done.stdout, only_line(done.stderr)) == (2, "", f"parley {words[0]}: {sentence}")


OPTIONS = [(command, name) for command in ("serve", "listen", "connect", "load", "compare")
           for name in re.findall(r"^ +(?:-\w, )?--([\w-]+) [A-Z]", run("help", command).stdout, re.M)]


def test_no_option_takes_an_empty_value_for_one():
    """But for texts, which may be empty."""
    assert len(OPTIONS) > 100
    for command, name in OPTIONS:
        done = run(command, f"--{name}=", "--help")
        if name in ("send", "prompt", "message"):
            assert done.returncode == 0, name
        else:
            assert done.returncode == 2 and f"--{name} is empty; " in only_line(done.stderr), (command, name)


def test_reasons_are_in_lower_case():
    with open("/dev/full", "wb") as full, peer(echo) as port:
        outcome = subprocess.run([PARLEY, "connect", "127.0.0.1", port, "--send", "hi"], stdout=full,
                                 stderr=subprocess.PIPE, timeout=PATIENCE, check=False)
    assert outcome.returncode == 2
    assert outcome.stderr == b"parley connect: write standard output: no space left on device\n"


@pytest.mark.parametrize("option", ["workers", "backlog", "connections"])
def test_help_says_what_0_means(option):
    text = " ".join(run("help", "serve").stdout.split())
    assert re.search(rf"--{option} N [^-]*0, the default: ", text)


def test_a_port_that_is_no_service_is_named():
    for words in (["serve", "echo", "127.0.0.1:nothing"], ["listen", ":nothing"], ["connect", "localhost:nothing"]):
        done = run(*words)
        assert done.returncode == 2 and re.search('port "nothing" is neither a number nor', only_line(done.stderr))


# ---- a reader that has seen enough ----

def without_reader(words, inherits_ignored=False):
    """Runs it with a standard output that nobody reads any more."""
    reader, writer = os.pipe()
    os.close(reader)
    ignore = "import os, signal, sys; signal.signal(signal.SIGPIPE, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
    before = [sys.executable, "-c", ignore] if inherits_ignored else []
    with open(writer, "wb") as out:
        done = subprocess.run([*before, PARLEY, *map(str, words)], stdin=subprocess.DEVNULL, stdout=out,
                              stderr=subprocess.PIPE, text=True, timeout=PATIENCE, check=False)
    return (128 - done.returncode if done.returncode < 0 else done.returncode), done.stderr


@pytest.mark.parametrize("inherits_ignored", [False, True], ids=["", "SIGPIPE ignored"])
@pytest.mark.parametrize("words", [["help", "serve"], ["version"], ["completion", "bash"]], ids=" ".join)
def test_a_text_that_nobody_reads_ends_quietly(words, inherits_ignored):
    assert without_reader(words, inherits_ignored) == (128 + signal.SIGPIPE, "")


@pytest.mark.parametrize("options, code", [([], 128 + signal.SIGPIPE), (["--fail-if", "requests>0"], 3)])
@pytest.mark.parametrize("form", [[], ["--json", "-"]], ids=["table", "json"])
def test_a_load_that_nobody_reads_writes_its_files_and_ends_quietly(serve, tmp_path, form, options, code):
    """A verdict is worth more than a reader."""
    page = tmp_path / "page.html"
    ended, said = without_reader(["load", f"127.0.0.1:{serve('echo').port}", "-d", "0.1", "--report", page, *form, *options])
    assert (ended, "broken pipe" in said) == (code, False) and bool(said) == bool(options), said
    assert page.read_text().rstrip().endswith("</html>")


def test_a_comparison_that_nobody_reads_writes_its_files_and_ends_quietly(tmp_path):
    page = tmp_path / "page.html"
    assert without_reader(["compare", "echo", "--models", "epoll", "-c", "1", "-d", "0.1", "--rounds", "1", "--report",
                           page]) == (128 + signal.SIGPIPE, "")
    assert page.read_text().rstrip().endswith("</html>")


@pytest.mark.parametrize("form", ["json", "csv", "report"])
def test_a_file_that_is_full_is_said_once(serve, form):
    done = run("load", f"127.0.0.1:{serve('echo').port}", "-d", "0.1", "-q", f"--{form}", "/dev/full")
    assert done.returncode == 2 and only_line(done.stderr) == "parley load: write /dev/full: no space left on device"


# ---- io_uring that is not to be had ----

# Stands in front of io_uring_setup(2), as the rules of a container do.
FORBID_IO_URING = """
import ctypes, os, struct, sys
def instruction(code, if_true, if_false, value):
    return struct.pack("HBBI", code, if_true, if_false, value)
program = (instruction(0x20, 0, 0, 0) + instruction(0x15, 0, 1, 425) + instruction(0x06, 0, 0, 0x00050001)
           + instruction(0x06, 0, 0, 0x7fff0000))
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.byref(Program(4, program))):
    sys.exit(77)
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.parametrize("words", [["serve", "echo", "127.0.0.1:0", "--workers", "4"], ["listen", "127.0.0.1:0"],
                                   ["connect", "127.0.0.1:1"]], ids=lambda words: words[0])
def test_io_uring_that_is_forbidden_is_refused_once_before_anything_is_said(words):
    done = subprocess.run([sys.executable, "-c", FORBID_IO_URING, PARLEY, *words, "--model", "uring"],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False)
    if done.returncode == 77:
        pytest.skip("no seccomp filter may be set here")
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(rf"parley {words[0]}: io_uring_setup: not permitted .*choose another poller.*",
                        only_line(done.stderr))


# ---- the log ----

@pytest.mark.parametrize("options, said", [
    (["--model", "iterative"], "iterative+blocking, one client after another"),
    (["--model", "fork"], "fork+blocking, a process per client"),
    (["--model", "thread+epoll"], "thread+epoll, a thread per client"),
    (["--model", "prefork", "--workers", "2"], "prefork+epoll, 2 workers"),
    (["--model", "poll", "--workers", "1"], "prethread+poll, 1 worker")])
def test_a_line_says_who_serves(options, said):
    """The first but one: what the process gave up, where it had anything to give up, comes before."""
    with subprocess.Popen([PARLEY, "serve", "echo", "127.0.0.1:0", *options], stdin=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True) as process:
        lines = [process.stderr.readline()]
        if " confined: " in lines[0]:
            lines.append(process.stderr.readline())
        process.terminate()
        process.stderr.read()
    assert re.search(rf"Z echo listens on 127.0.0.1:\d+, model {re.escape(said)}\n$", lines[-1]), lines


def test_a_json_line_names_process_and_thread(serve):
    server = serve("echo", options=["--log", "json"])
    server.wait_said('"event":"closed"')
    events = [json.loads(line) for line in server.stderr().splitlines()]
    assert events[0]["event"] == "server" and events[0]["pid"] == events[0]["thread"] == server.pid
    assert all(event["thread"] != event["pid"] for event in events if event["event"] == "opened")


# ---- connect -v ----

def test_a_conversation_is_told_once():
    with peer(echo) as port:
        outcome = parley("connect", "127.0.0.1", port, "--send", "hi", "-v")
    lines = outcome.stderr.decode().splitlines()
    assert [re.sub(r".*Z ", "", line).replace(f"127.0.0.1:{port}", "it") for line in lines] == [
        "trying it", "it reached", "it left: finished; 2 bytes in, 2 bytes out"]


@pytest.mark.parametrize("words, failures", [(["127.0.0.1"], 1), (["localhost"], 2), (["127.0.0.1", "--retry", "1"], 2)])
def test_a_failed_dial_is_told_once(words, failures):
    outcome = parley("connect", words[0], free_port(), *words[1:], "-v")
    text = outcome.stderr.decode()
    assert outcome.returncode == 1 and text.splitlines()[-1].startswith("parley connect: connect ")
    assert text.count("connection refused") == failures == text.count("trying ")


def test_an_interrupted_client_says_nothing_of_servers():
    with peer(read_all) as port, running("connect", "127.0.0.1", port, "-v") as process:
        while b"reached" not in (line := process.stderr.readline()):
            assert line
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130
        said = process.stderr.read().decode()
    assert "clients" not in said and "server" not in said
    assert "left: this side stopped" in only_line(said)


# ---- --explain ----

def test_questions_to_the_machine_are_no_part_of_the_story():
    done = run("serve", "echo", "0", "--explain", "--model", "uring", "--ready-fd", "99")
    calls = [line.split("] ")[1].split("(")[0] for line in done.stderr.splitlines() if line.startswith("[pid")]
    assert done.returncode == 2 and calls[:1] == ["socket"] and calls.count("socket") == 1


def test_io_uring_tells_its_sleep_and_the_bytes(serve):
    server = serve("echo", model="prethread+uring", workers=1, options=["--explain"])
    with server.dial() as sock:
        exchange(sock, b"two  blanks\n")
    server.wait_said(r"io_uring_setup\(\d+\) = \d+  +two queues")
    server.wait_said(r"io_uring_enter\(\d+ queued, for ever\) …  +hands over")
    server.wait_said(r'io_uring: recv on \d+ completed: 12 "two  blanks\\n"  +had arrived')


# ---- told off ----

@pytest.mark.parametrize("words, sentence", [
    (["connect", "127.0.0.1:80", "81"], "one address, please: 127.0.0.1:80 and 81 are two"),
    (["connect", ""], "an address is empty"),
    (["connect", "", ""], "an address is empty"),
    (["connect", "::1:3000"], "::1:3000 names no port; say [::1]:3000"),
    (["connect", "TCP:127.0.0.1:80"], "TCP:127.0.0.1:80 names no port; say .*host:3000 for others"),
    (["connect", "http://127.0.0.1/"], "leave out http://"),
    (["load", "3000", "extra"], "one address, please: 3000 and extra are two"),
    (["serve", "echo", "-p", "nonsense"], '"nonsense" is neither a number nor a service name'),
    (["serve", "echo", "3000", "--", "cat"], "echo runs no program: cat behind -- is for exec"),
    (["serve", "exec", "3000", "--", "/tmp"], "/tmp cannot be run: not a regular file"),
    (["serve", "relay", "3000", "--to", "3001", "--proxy-send", "v3"], "are v1 and v2"),
    (["serve", "echo", "3000", "--log", "xml"], "is none of: text, json, none"),
    (["connect", "3000", "--proxy-source", "192.0.2.1"], "proxy-send v1 or v2"),
    (["load", "3000", "--proxy-source", "192.0.2.1"], "add --proxy-send v1 or v2"),
    (["connect", "-z", "127.0.0.1", "20-10"], "20-10 is no port from 1 to 65535"),
    (["connect", "-z", "127.0.0.1", "22,80"], "say 22, 20-25 or 22 80 443"),
    (["connect", "-z", "127.0.0.1", "22", "--send", "hello"], "-z sends nothing"),
    (["help", "serve", "listen"], "one subcommand, please"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else None)
def test_a_mistake_is_told_with_what_would_be_right(words, sentence):
    done = run(*words)
    assert done.returncode == 2 and done.stdout == ""
    assert re.search(re.sub(r"([\[\]])", r"\\\1", sentence), only_line(done.stderr))


def test_help_tells_how_times_and_sizes_are_written():
    for command in ("serve", "listen", "connect", "load", "compare"):
        assert "A TIME is 250us, 500ms, 30s, 1m or 2h" in run("help", command).stdout
    assert "A TIME" not in run("help", "version").stdout


def test_an_address_named_twice_is_not_blamed_on_another_process():
    address = f"127.0.0.1:{free_port()}"
    done = run("serve", "echo", address, address)
    assert done.returncode == 1
    assert f"bind {address}: address already in use (it is taken; `ss -tanp` shows by whom)" in only_line(done.stderr)


def test_a_socket_file_needs_its_directory():
    done = run("serve", "echo", "unix:/nonexistent/echo")
    assert done.returncode == 1 and "(its directory is not there)" in only_line(done.stderr)
