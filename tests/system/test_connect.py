"""The client: what it sends, what it prints, how it ends, and what it says when it cannot."""

import hashlib
import os
import re
import resource
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

from client import PATIENCE, wait_until
from harness import PARLEY, SANITIZERS
from talking import echo, free_port, parley, peer, read_all, running

MODELS = ["iterative+select", "iterative+poll", "iterative+epoll", "iterative+uring", "prethread+epoll",
          "prethread+uring"]


def ended_well(outcome, stdout=None):
    assert outcome.returncode == 0, outcome.stderr
    assert not SANITIZERS.search(outcome.stderr.decode(errors="replace"))
    if stdout is not None:
        assert outcome.stdout == stdout


def complained(outcome, code, pattern):
    """The exit code, and one line that names the cause."""
    text = outcome.stderr.decode()
    assert outcome.returncode == code, text
    assert re.search(pattern, text), text
    assert len(text.splitlines()) == 1, text


# ---- the exchange ----

@pytest.mark.parametrize("model", MODELS)
def test_a_text_there_and_back(model):
    with peer(echo) as port:
        outcome = parley("connect", "127.0.0.1", port, "--send", "helloworld", "--model", model)
    ended_well(outcome, b"helloworld")
    assert outcome.stderr == b""


@pytest.mark.parametrize("words", [
    lambda port: ["127.0.0.1:" + port], lambda port: [port], lambda port: ["-p", port, "-i", "127.0.0.1"],
    lambda port: ["--port", port, "--ipaddr", "127.0.0.1"], lambda port: ["127.0.0.1", "-p", port]])
def test_ways_to_say_where(words):
    with peer(echo) as port:
        ended_well(parley("connect", *words(port), "--send", "x"), b"x")


def test_what_a_name_resolves_to_is_shown():
    with peer(echo) as port:
        outcome = parley("connect", "-p", port, "-d", "localhost", "-4", "--send", "x")
    ended_well(outcome, b"x")
    assert outcome.stderr == b"localhost is 127.0.0.1\n"


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("source", ["pipe", "file"])
def test_eight_mebibytes_both_ways(model, source, tmp_path):
    data = os.urandom(8 << 20)
    with peer(echo) as port:
        if source == "pipe":
            outcome = parley("connect", "127.0.0.1", port, "--model", model, input=data)
        else:
            (tmp_path / "data").write_bytes(data)
            with open(tmp_path / "data", "rb") as file:
                outcome = parley("connect", "127.0.0.1", port, "--model", model, input=None, stdin=file)
    ended_well(outcome)
    assert hashlib.sha256(outcome.stdout).digest() == hashlib.sha256(data).digest()


def test_the_end_of_input_is_a_half_close():
    def serve(connection):
        assert read_all(connection) == b"question"
        connection.sendall(b"answer")
    with peer(serve) as port:
        ended_well(parley("connect", "127.0.0.1", port, input=b"question"), b"answer")


def test_a_late_answer_is_not_lost():
    def serve(connection):
        read_all(connection)
        time.sleep(1)
        connection.sendall(b"late")
    with peer(serve) as port:
        ended_well(parley("connect", "127.0.0.1", port, input=b"x"), b"late")


def test_the_peers_half_close_does_not_cut_what_we_send():
    data = os.urandom(4 << 20)
    got = []

    def serve(connection):
        connection.sendall(b"said")
        connection.shutdown(socket.SHUT_WR)
        got.append(read_all(connection))
    with peer(serve) as port:
        ended_well(parley("connect", "127.0.0.1", port, input=data), b"said")
    assert got[0] == data


def test_the_peers_end_ends_it_though_input_stays_open():
    with peer(lambda connection: connection.sendall(b"bye\n")) as port:
        with running("connect", "127.0.0.1", port) as process:
            assert process.stdout.read() == b"bye\n"
            assert process.wait(PATIENCE) == 0


def test_a_reader_that_is_slow_holds_the_peer_back():
    sent = 0
    data = os.urandom(1 << 20)
    progress = threading.Event()

    def serve(connection):
        nonlocal sent
        for _ in range(64):
            connection.sendall(data)
            sent += 1
            progress.set()
    with peer(serve) as port, running("connect", "127.0.0.1", port) as process:
        assert progress.wait(PATIENCE)
        steady = wait_until(lambda: (before := sent, time.sleep(0.3), sent)[0] == sent and sent, "the peer is held back")
        assert steady < 64
        memory = int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{process.pid}/status").read())[1])
        assert memory < 200 * 1024
        assert hashlib.sha256(process.stdout.read()).digest() == hashlib.sha256(data * 64).digest()
        assert process.wait(PATIENCE) == 0


def test_a_peer_that_is_slow_holds_the_input_back():
    start = threading.Event()
    got = []

    def serve(connection):
        start.wait(PATIENCE)
        got.append(hashlib.sha256(read_all(connection)).digest())
    data = os.urandom(32 << 20)
    with peer(serve) as port, running("connect", "127.0.0.1", port) as process:
        def feed():
            process.stdin.write(data)
            process.stdin.close()
        feeder = threading.Thread(target=feed, daemon=True)
        feeder.start()
        memory = wait_until(lambda: re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{process.pid}/status").read()), "it runs")
        feeder.join(0.5)
        assert feeder.is_alive() and int(memory[1]) < 200 * 1024
        start.set()
        feeder.join(PATIENCE)
        assert process.wait(PATIENCE) == 0
    assert got[0] == hashlib.sha256(data).digest()


def test_a_nonblocking_output_loses_nothing():
    data = os.urandom(4 << 20)
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    with peer(lambda connection: connection.sendall(data)) as port:
        with running("connect", "127.0.0.1", port, stdout=theirs) as process:
            theirs.close()
            time.sleep(0.1)
            assert read_all(ours) == data
            assert process.wait(PATIENCE) == 0
    ours.close()


# ---- what is sent ----

def test_crlf():
    got = []
    with peer(lambda connection: got.append(read_all(connection))) as port:
        ended_well(parley("connect", "-C", "127.0.0.1", port, input=b"a\nb\r\nc"))
    assert got == [b"a\r\nb\r\nc"]


def test_numbered_messages():
    with peer(echo) as port:
        start = time.monotonic()
        outcome = parley("connect", "127.0.0.1", port, "--send", "hello, server... %d %n%s%%\n",
                         "--every", "200ms", "--count", "4")
        passed = time.monotonic() - start
    ended_well(outcome, b"".join(b"hello, server... %d %%n%%s%%\n" % i for i in range(1, 5)))
    assert 0.6 <= passed < 5


def test_the_last_answer_is_waited_for():
    def serve(connection):
        data = read_all(connection)
        time.sleep(0.5)
        connection.sendall(data)
    with peer(serve) as port:
        ended_well(parley("connect", "127.0.0.1", port, "--send", "%d", "--every", "50ms", "--count", "3"), b"123")


def test_many_messages_at_once():
    with peer(echo) as port:
        outcome = parley("connect", "127.0.0.1", port, "--send", "%d\n", "--count", "200000")
    ended_well(outcome, b"".join(b"%d\n" % i for i in range(1, 200001)))


@pytest.mark.parametrize("words, pattern", [
    (["--every", "1s"], r"--send TEXT"), (["--count", "2"], r"--send TEXT"),
    (["--send", "x", "--count", "0"], r"--count 0"),
    (["--model", "thread"], r"standard input"), (["--model", "iterative+blocking"], r"standard input"),
    (["-C", "--framing", "line"], r"-C"), (["--framing", "nonsense"], r"framing")])
def test_what_cannot_be_is_refused(words, pattern):
    outcome = parley("connect", "127.0.0.1", "9", *words)
    complained(outcome, 2, pattern)


def test_framed_messages():
    got = []

    def serve(connection):
        got.append(read_all(connection))
        connection.sendall(struct.pack(">I", 3) + b"one" + struct.pack(">I", 0) + struct.pack(">I", 4) + b"th\0\n")
    with peer(serve) as port:
        outcome = parley("connect", "127.0.0.1", port, "--framing", "u32be", input=b"ab\n\nlast")
    ended_well(outcome, b"one\n\nth\0\n\n")
    assert got == [struct.pack(">I", 2) + b"ab" + struct.pack(">I", 0) + struct.pack(">I", 4) + b"last"]


# ---- --until ----

def end_in_pieces(connection):
    connection.sendall(b"hello\nE")
    time.sleep(0.05)
    connection.sendall(b"N")
    time.sleep(0.05)
    connection.sendall(b"D\n")
    assert read_all(connection) == b""


def test_until_is_seen_across_receives():
    with peer(end_in_pieces) as port, running("connect", "127.0.0.1", port, "--until", "END") as process:
        assert process.stdout.read() == b"hello\nEND\n"
        assert process.wait(PATIENCE) == 0


def test_until_is_seen_without_a_line_end():
    def serve(connection):
        connection.sendall(b"EN")
        time.sleep(0.05)
        connection.sendall(b"D")
        assert read_all(connection) == b""
    with peer(serve) as port, running("connect", "127.0.0.1", port, "--until", "END") as process:
        assert process.wait(PATIENCE) == 0
        assert process.stdout.read() == b"END"


def test_until_is_not_a_part_of_a_line():
    def serve(connection):
        for piece in (b"END", b"ING\nTHE END\n", b"END"):
            connection.sendall(piece)
            time.sleep(0.05)
    with peer(serve) as port:
        ended_well(parley("connect", "127.0.0.1", port, "--until", "END"), b"ENDING\nTHE END\nEND")


def test_until_that_never_came():
    with peer(lambda connection: connection.sendall(b"ENDING\n")) as port:
        complained(parley("connect", "127.0.0.1", port, "--until", "END"), 3, r'"END" never came')


def test_a_prompt_is_for_terminals_alone():
    def serve(connection):
        with connection.makefile("rwb") as lines:
            for line in lines:
                lines.write(line.upper())
                lines.flush()
                if line == b"end\n":
                    return
    with peer(serve) as port:
        outcome = parley("connect", "127.0.0.1", port, "--prompt", "> ", "--until", "END", input=b"hi\nend\n")
    ended_well(outcome, b"HI\nEND\n")


# ---- files ----

def test_save_keeps_every_byte(tmp_path):
    data = os.urandom(3 << 20)
    with peer(lambda connection: connection.sendall(data)) as port:
        ended_well(parley("connect", "127.0.0.1", port, "--save", tmp_path / "got"), data)
    assert (tmp_path / "got").read_bytes() == data
    assert os.listdir(tmp_path) == ["got"]


def test_save_replaces_only_at_the_end_and_keeps_the_mode(tmp_path):
    target = tmp_path / "got"
    target.write_bytes(b"old")
    target.chmod(0o640)
    (tmp_path / "link").symlink_to("got")
    seen = []

    def serve(connection):
        connection.sendall(b"new")
        time.sleep(0.2)
        seen.append(target.read_bytes())
    with peer(serve) as port:
        ended_well(parley("connect", "127.0.0.1", port, "--save", tmp_path / "link"))
    assert seen == [b"old"] and target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == 0o640 and (tmp_path / "link").is_symlink()


def test_save_leaves_nothing_of_a_reset(tmp_path):
    def serve(connection):
        connection.sendall(b"half")
        time.sleep(0.2)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with peer(serve) as port:
        with running("connect", "127.0.0.1", port, "--save", str(tmp_path / "got")) as process:
            assert process.wait(PATIENCE) == 1
            assert process.stdout.read() == b"half"
    assert os.listdir(tmp_path) == []


def test_save_into_a_full_disk(tmp_path):
    left = threading.Event()

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
    with peer(lambda connection: (connection.sendall(bytes(1 << 17)), left.wait(PATIENCE))) as port:
        outcome = parley("connect", "127.0.0.1", port, "--save", tmp_path / "got", preexec_fn=limit)
        left.set()
    complained(outcome, 2, r"write .*got: file too large")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("path, reason", [("no/such/got", "no such file"), ("", "directory"), ("/dev/full", "no space")])
def test_save_that_cannot_be(path, reason, tmp_path):
    with peer(echo) if path == "/dev/full" else peer(echo, clients=0) as port:
        outcome = parley("connect", "127.0.0.1", port, "--save", tmp_path / path, "--send", "x")
    complained(outcome, 2, reason)
    assert os.listdir(tmp_path) == []


def test_save_whose_rename_fails(tmp_path):
    def serve(connection):
        connection.sendall(b"x")
        wait_until(lambda: os.listdir(tmp_path), "the temporary")
        (tmp_path / "got").mkdir()
    with peer(serve) as port:
        complained(parley("connect", "127.0.0.1", port, "--save", tmp_path / "got"), 2, r"rename .*got")
    assert os.listdir(tmp_path) == ["got"]


def test_dump_shows_both_directions():
    with peer(echo) as port:
        outcome = parley("connect", "127.0.0.1", port, "--send", "hi\x1b[m\n", "--dump")
    ended_well(outcome, b"hi\x1b[m\n")
    text = outcome.stderr.decode()
    line = "  00000000  68 69 1b 5b 6d 0a                                 |hi.[m.|\n"
    assert re.search(rf"^\d\d:\d\d:\d\d\.\d{{6}} sent 6 bytes to 127.0.0.1:{port}\n", text, re.M)
    assert re.search(rf"^\d\d:\d\d:\d\d\.\d{{6}} received 6 bytes from 127.0.0.1:{port}\n", text, re.M)
    assert text.count(line) == 2 and "\x1b" not in text


# ---- standard output and input ----

def test_output_that_is_full():
    with open("/dev/full", "wb") as full, peer(echo) as port, \
            running("connect", "127.0.0.1", port, "--send", "x", stdout=full) as process:
        assert process.wait(PATIENCE) == 2
        assert b"no space left" in process.stderr.read()


def test_output_whose_reader_left():
    def serve(connection):
        with pytest.raises(OSError):
            while True:
                connection.sendall(bytes(65536))
    with peer(serve) as port, running("connect", "127.0.0.1", port) as process:
        process.stdout.read(10)
        process.stdout.close()
        assert process.wait(PATIENCE) == 128 + signal.SIGPIPE
        assert process.stderr.read() == b""


def test_input_that_is_closed():
    with peer(lambda connection: connection.sendall(read_all(connection) + b"end")) as port:
        outcome = subprocess.run(["sh", "-c", f'exec "$0" connect 127.0.0.1 {port} <&-', PARLEY],
                                 capture_output=True, timeout=PATIENCE)
    ended_well(outcome, b"end")


# ---- how it ends ----

def test_refused():
    port = free_port()
    complained(parley("connect", "127.0.0.1", port), 1, rf"connect 127.0.0.1:{port}: connection refused")


def test_a_name_that_is_not_there():
    complained(parley("connect", "no-such-host.invalid", "80"), 1, r"no-such-host\.invalid")


def test_reset():
    def serve(connection):
        assert connection.recv(1) == b"x"
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with peer(serve) as port:
        with running("connect", "127.0.0.1", port) as process:
            process.stdin.write(b"x")
            process.stdin.flush()
            assert process.wait(PATIENCE) == 1
            assert b"reset" in process.stderr.read()


def full_listener():
    """A listener whose queue is full: connecting to it stays unanswered."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    waiting = []
    for _ in range(4):
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex(listener.getsockname())
        waiting.append(client)
    return listener, waiting


@pytest.mark.parametrize("words", [["-w", "500ms"], ["--connect-timeout", "0.5"], ["-z", "-w", "500ms"]])
def test_connect_timeout_names_the_phase(words):
    listener, waiting = full_listener()
    port = listener.getsockname()[1]
    complained(parley("connect", "127.0.0.1", port, *words), 4, rf"connect 127.0.0.1:{port}: timed out")
    for held in [listener, *waiting]:
        held.close()


@pytest.mark.parametrize("option", ["idle", "life"])
def test_a_time_that_passed_is_named(option):
    with peer(read_all) as port, running("connect", "127.0.0.1", port, f"--{option}", "300ms") as process:
        assert process.wait(PATIENCE) == 4
        assert re.search(rf"{option} 127.0.0.1:{port}: timed out after 300ms", process.stderr.read().decode())


def test_a_peer_that_takes_nothing_is_given_up():
    def serve(connection):
        assert gone.wait(PATIENCE)
    gone = threading.Event()
    with peer(serve) as port, open("/dev/zero", "rb") as zeros, \
            running("connect", "127.0.0.1", port, "--write-timeout", "500ms", stdin=zeros) as process:
        assert process.wait(PATIENCE) == 4
        assert re.search(r"send 127.0.0.1:\d+: timed out after 500ms", process.stderr.read().decode())
        gone.set()


def test_quit_after_the_end_of_input():
    def serve(connection):
        assert read_all(connection) == b"x"
        connection.sendall(b"more")
        wait_until(lambda: done.is_set(), "the client has left")
    done = threading.Event()
    with peer(serve) as port:
        outcome = parley("connect", "-q", "500ms", "127.0.0.1", port, "--linger", "100ms", input=b"x")
        done.set()
    ended_well(outcome, b"more")


def test_waits_for_a_server():
    port = free_port()
    with running("connect", "127.0.0.1", port, "--wait", "15s", "--send", "x") as process, socket.socket() as late:
        late.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        late.bind(("127.0.0.1", int(port)))
        time.sleep(0.3)
        late.listen()
        late.settimeout(PATIENCE)
        connection, _ = late.accept()
        with connection:
            assert read_all(connection) == b"x"
        assert process.wait(PATIENCE) == 0


def test_waiting_has_an_end():
    complained(parley("connect", "127.0.0.1", free_port(), "--wait", "500ms"), 4, r"connect .*timed out")


def test_bind():
    who = []
    with peer(lambda connection: who.append(connection.getpeername()[0])) as port:
        ended_well(parley("connect", "127.0.0.1", port, "--bind", "127.0.0.9"))
    assert who == ["127.0.0.9"]


def test_unix_sockets(tmp_path):
    for name, words in ((str(tmp_path / "s"), ["-U", tmp_path / "s"]), ("\0parley-test-%d" % os.getpid(),
                                                                      ["@parley-test-%d" % os.getpid()])):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(name)
            listener.listen()
            with running("connect", *words, "--send", "x") as process:
                connection, _ = listener.accept()
                with connection:
                    echo(connection)
                assert process.stdout.read() == b"x" and process.wait(PATIENCE) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_its_number(number):
    def serve(connection):
        connection.sendall(b"part")
        read_all(connection)
    with peer(serve) as port, running("connect", "127.0.0.1", port) as process:
        assert process.stdout.read(4) == b"part"
        process.send_signal(number)
        assert process.wait(PATIENCE) == 128 + number


def test_a_signal_while_connecting():
    listener, waiting = full_listener()
    with running("connect", "127.0.0.1", str(listener.getsockname()[1])) as process:
        wait_until(lambda: b"SigCgt" in open(f"/proc/{process.pid}/status", "rb").read()
              and int(re.search(rb"SigBlk:\s+(\w+)", open(f"/proc/{process.pid}/status", "rb").read())[1], 16) & 2,
              "the signals are taken")
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130
    for held in [listener, *waiting]:
        held.close()


# ---- -z ----

def test_probe():
    with peer(read_all, clients=2) as port:
        ended_well(parley("connect", "-z", "127.0.0.1", port), f"127.0.0.1:{port} open\n".encode())
        outcome = parley("connect", "-z", "127.0.0.1", port, closed := free_port())
    assert outcome.returncode == 1 and outcome.stdout == f"127.0.0.1:{port} open\n".encode()
    assert re.fullmatch(rf"parley connect: connect 127.0.0.1:{closed}: connection refused.*\n", outcome.stderr.decode())


def test_probe_a_range():
    with peer(read_all) as port:
        before, after = int(port) - 1, int(port) + 1
        outcome = parley("connect", "-z", "-i", "127.0.0.1", "-p", f"{before}-{after}")
    assert f"127.0.0.1:{port} open\n".encode() in outcome.stdout
