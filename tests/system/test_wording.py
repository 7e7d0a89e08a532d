"""What the command says: once, in one line, and true."""

import re
import signal
import subprocess
import time

import pytest

from client import PATIENCE
from harness import PARLEY, only_line, run
from talking import echo, parley, peer, read_all


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
