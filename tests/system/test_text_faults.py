"""Text that is hostile or broken, logs that go away, terminals that end: the faults J1 to J6.

What the parts do with it, cut at every place, tests/unit knows (test_escape.c, test_neutralise.c); conversations on a
terminal are in test_terminal.py, its crash, ^Z and SIGHUP too (J4)."""

import fcntl
import json
import os
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import termios
import threading

import pytest

from client import PATIENCE, wait_until
from harness import PARLEY, only_line, run
from loading import Load, natively
from talking import peer, running
from terminal import terminal

# What came, and what a log or a terminal may show of it. J1: no UTF-8; J2: commands of terminals and of direction.
HOSTILE = {
    "colour": (b"\x1b[31mred", r"\x1b[31mred"),
    "clipboard": (b"\x1b]52;c;aGk=\x07", r"\x1b]52;c;aGk=\x07"),
    "c1": ("\u009b2J\u0085".encode(), r"\xc2\x9b2J\xc2\x85"),
    "c1 alone": (b"\x9b2J", r"\x9b2J"),
    "direction": ("a\u202egpj.exe\u2066".encode(), r"a\xe2\x80\xaegpj.exe\xe2\x81\xa6"),
    "mark": ("\ufeffa\u200f".encode(), r"\xef\xbb\xbfa\xe2\x80\x8f"),
    "overlong": (b"\xc0\xaf\xe0\x80\xaf", r"\xc0\xaf\xe0\x80\xaf"),
    "surrogate": (b"\xed\xa0\x80", r"\xed\xa0\x80"),
    "beyond": (b"\xf4\x90\x80\x80\xff", r"\xf4\x90\x80\x80\xff"),
    "half": ("世".encode()[:2] + b"!", r"\xe4\xb8!"),
    "controls": (b"a\0b\x08\x7fc", r"a\x00b\x08\x7fc"),
    "format": (b"%n%s%1000000d", "%n%s%1000000d"),
    "text": ("Grüße, 世界 🙂".encode(), "Grüße, 世界 🙂"),
}
hostile = pytest.mark.parametrize("kind", HOSTILE)
# Nothing of it may reach a terminal.
HARMFUL = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ufeff\ufffd]")
FORGED = b"x\r\n2026-01-01 00:00:00.000Z 1.2.3.4:5 connected\nx\r"


def is_harmless(data):
    """A text of lines: UTF-8 throughout, and nothing in it that commands."""
    return not HARMFUL.search(data.decode("utf-8", "replace"))


def lines_after(server, what):
    """Sends `what` to an echo, and gives the lines that are told of it."""
    with server.dial() as sock:
        sock.sendall(what)
        assert sock.recv(len(what), socket.MSG_WAITALL) == what
        own = f"127.0.0.1:{sock.getsockname()[1]}"
    server.wait_said(rf"{own}\D.*left: finished")
    return [line for line in server.stderr().splitlines() if own in line]


# ---- J1, J2, J3: the log ----

@hostile
def test_a_message_in_the_log(serve, kind):
    sent, shown = HOSTILE[kind]
    lines = lines_after(serve("echo"), sent)
    assert [line.partition(" message: ")[2] for line in lines if "message" in line] == [
        f'{len(sent)} byte{"s" * (len(sent) > 1)} "{shown}"'], lines
    assert is_harmless("\n".join(lines).encode())


def test_no_message_makes_a_line_of_its_own(serve):
    server = serve("echo")
    before = len(server.stderr().splitlines())
    lines = lines_after(server, FORGED)
    assert len(lines) == 3 and len(server.stderr().splitlines()) == before + 3, lines
    assert r'"x\r\n2026-01-01 00:00:00.000Z 1.2.3.4:5 connected\nx\r"' in lines[1]


@hostile
def test_a_message_in_json(serve, kind):
    sent, shown = HOSTILE[kind]
    server = serve("echo", options=["--log", "json"])
    with server.dial() as sock:
        sock.sendall(sent)
        assert sock.recv(len(sent), socket.MSG_WAITALL) == sent
        own = f"127.0.0.1:{sock.getsockname()[1]}"
    server.wait_said(rf'"closed","peer":"{own}"')
    events = [json.loads(line) for line in server.stderr().splitlines()]
    told = [event for event in events if event["event"] == "message" and event["peer"] == own]
    assert [(event["size"], event["bytes"]) for event in told] == [(len(sent), shown)], told


def test_the_name_of_a_peer_in_the_log(serve):
    """A unix socket's client chooses its name itself."""
    server = serve("echo", f"@text-faults-{os.getpid()}")
    name = b"\0\x1b[2J\n2026-01-01 fake %n \xe2\x80\xae" + str(os.getpid()).encode()
    before = len(server.stderr().splitlines())
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(name)
        sock.connect(f"\0text-faults-{os.getpid()}")
        sock.sendall(b"x")
        assert sock.recv(1) == b"x"
    server.wait_said(r"fake %n .*left: finished")
    said = server.stderr()
    assert len(said.splitlines()) == before + 3 and is_harmless(said.encode()), said


# ---- J2, J3: complaints ----

@pytest.mark.parametrize("words", [["serve", "{}"], ["serve", "echo", "127.0.0.1:{}"], ["connect", "{}:1"], ["{}"],
                                   ["serve", "echo", "0", "--model", "{}"], ["serve", "echo", "0", "--{}"],
                                   ["connect", "-U", "/nonexistent/{}"], ["load", "127.0.0.1:1", "--fail-if", "{}>1"],
                                   ["compare", "{}"], ["help", "{}"]], ids=lambda words: " ".join(words))
def test_words_that_command_in_a_complaint(words):
    hostile_word = "\x1b[2Ja\nb\rc\x07\u009b2J\u202ed"
    done = run(*(word.format(hostile_word) for word in words))
    assert done.returncode != 0 and not done.stdout
    assert is_harmless(only_line(done.stderr).encode()), repr(done.stderr)


def test_the_last_words_of_a_server_that_is_compared():
    command = r"""--peer=bad=sh -c 'printf "\033]52;c;x\007\302\2332J\342\200\256 last words\n" >&2; exit 7' {port}"""
    done = subprocess.run([PARLEY, "compare", "echo", "--models", "iterative", "-c", "1", "-d", "100ms", "--rounds",
                           "1", command], stdin=subprocess.DEVNULL, capture_output=True, timeout=4 * PATIENCE, check=False)
    assert rb"\x1b]52;c;x\x07\xc2\x9b2J\xe2\x80\xae last words" in done.stdout and is_harmless(done.stdout), done


# ---- J1, J2: conversations ----

def saying(what):
    """A peer that says it byte by byte, once it has heard something."""
    def serve(connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.recv(1)
        for byte in what:
            connection.sendall(bytes([byte]))
    return serve


@hostile
def test_what_connect_shows_on_a_terminal(kind):
    sent, shown = HOSTILE[kind]
    with peer(saying(sent + b"\n")) as port, terminal("connect", "127.0.0.1", port, "--send", "x") as user:
        assert user.wait_end() == 0
    assert user.said == shown.encode() + b"\r\n"


@hostile
def test_what_listen_shows_on_a_terminal(kind):
    sent, shown = HOSTILE[kind]
    with terminal("listen", "127.0.0.1", "0", environment={"TERM": "dumb"}) as user:
        user.wait_for(lambda: re.search(rb"listening on 127.0.0.1:\d+\r\n", user.said), "it listens")
        port = int(re.search(rb"listening on 127.0.0.1:(\d+)", user.said)[1])
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as sock:
            for byte in sent + b"\n":
                sock.sendall(bytes([byte]))
        assert user.wait_end() == 0
    assert shown.encode() + b"\r\n" in user.said and is_harmless(user.said.replace(b"\r\n", b"\n")), user.said


@pytest.mark.parametrize("raw", [True, False])
def test_a_terminal_gets_all_of_it_with_raw_and_a_pipe_always(raw):
    sent = b"".join(sent for sent, _ in HOSTILE.values())
    if raw:
        with peer(saying(sent)) as port, terminal("connect", "127.0.0.1", port, "--send", "x", "--raw") as user:
            assert user.wait_end() == 0
        assert user.said.startswith(sent), user.said
    else:
        with peer(saying(sent)) as port, running("connect", "127.0.0.1", port, "--send", "x") as process:
            assert process.communicate(timeout=PATIENCE)[0] == sent


# ---- J4: terminals ----

def test_a_terminal_that_is_gone_ends_the_conversation():
    """Its window was closed."""
    with peer(lambda connection: connection.recv(1)) as port, terminal("connect", "127.0.0.1", port) as user:
        user.wait_for(lambda: not user.is_restored(), "it reads keys")
        os.close(user.slave)
        os.close(user.master)
        try:
            code = user.process.wait(PATIENCE)
            assert code in (128 + signal.SIGHUP, -signal.SIGHUP), code
        finally:
            user.master, user.slave = os.openpty()  # for the fixture to close
            os.close(os.dup(user.master))


@pytest.mark.parametrize("closed", ["<&-", "<&- 2>&-"])
def test_a_closed_standard_input_is_its_end(closed):
    def serve(connection):
        assert connection.recv(1) == b"", "nothing was typed"
        connection.sendall(b"so long\n")
    with peer(serve) as port:
        done = subprocess.run(["sh", "-c", f'exec "$0" connect 127.0.0.1 {port} {closed}', PARLEY],
                              stdout=subprocess.PIPE, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stdout) == (0, b"so long\n")


def test_a_narrower_terminal_is_drawn_on_as_such():
    """What was typed takes two rows there: what arrives takes both off, and puts them back below."""
    typed, heard = threading.Event(), []

    def serve(connection):
        assert typed.wait(PATIENCE)
        connection.sendall(b"news\n")
        heard.append(connection.recv(100))
    with peer(serve) as port, terminal("connect", "127.0.0.1", port, "--prompt", "> ") as user:
        user.wait_screen(">")
        fcntl.ioctl(user.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
        user.process.send_signal(signal.SIGWINCH)
        user.screen.columns = 40
        user.type("x" * 50)
        user.wait_screen("> " + "x" * 38 + "\n" + "x" * 12)
        typed.set()
        user.wait_screen("news\n> " + "x" * 38 + "\n" + "x" * 12)
        user.type("\r")
        assert user.wait_end() == 0
        assert user.is_restored()
    assert heard == [b"x" * 50 + b"\n"]


# ---- J5: a locale with rules of its own ----

@pytest.fixture(name="turkish", scope="module")
def turkish_locale(tmp_path_factory):
    """Its small I has no dot, its large i has one, and it writes 0,5."""
    if not shutil.which("localedef") or not os.path.exists("/usr/share/i18n/locales/tr_TR"):
        pytest.skip("there is no source of a Turkish locale")
    directory = tmp_path_factory.mktemp("locales")
    subprocess.run(["localedef", "-i", "tr_TR", "-f", "UTF-8", "--no-archive", directory / "tr_TR.UTF-8"], check=False,
                   capture_output=True, timeout=2 * PATIENCE)
    environment = {**os.environ, "LOCPATH": str(directory), "LC_ALL": "tr_TR.UTF-8"}
    told = subprocess.run(["locale", "decimal_point"], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout == ",\n", "the locale is in force"
    return environment


@natively
def test_turkish_letters_and_numbers_have_no_effect(serve, turkish):
    server = serve("upper", env=turkish)
    with server.dial() as sock:
        sock.sendall(b"title iI\n")
        assert sock.recv(9, socket.MSG_WAITALL) == b"TITLE II\n"
    outcome = Load(server.addresses[0], "-d", "0.25s", "-c", 1, "--message", "TITLE I\n", "--verify",
                   env=turkish).wait()
    assert outcome.code == 0 and outcome.json["elapsed_s"] == 0.25 and outcome.json["requests"] > 0, str(outcome)


def test_turkish_typing_has_no_effect(turkish):
    heard = []
    with peer(lambda connection: heard.append(connection.recv(100))) as port, \
            terminal("connect", "127.0.0.1", port, "--prompt", "> ", environment=turkish) as user:
        user.wait_screen(">")
        user.type("ıİiI\r")
        assert user.wait_end() == 0
    assert heard == ["ıİiI\n".encode()]


# ---- J6: logs ----

@pytest.fixture(name="log")
def log_file(tmp_path):
    """As a shell's >> opens it."""
    with open(tmp_path / "log", "a+b", buffering=0) as file:
        yield file


def text_of(file):
    return os.pread(file.fileno(), 1 << 20, 0).decode()


def ask(server):
    with server.dial() as sock:
        sock.sendall(b"x")
        assert sock.recv(1) == b"x"


WHOLE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z .*")


@pytest.mark.parametrize("how", ["deleted", "renamed", "emptied"])
def test_a_log_that_is_rotated(serve, log, how):
    server = serve("echo", stderr=log)
    if how == "deleted":
        os.unlink(log.name)
    elif how == "renamed":
        os.rename(log.name, f"{log.name}.1")
    else:
        os.truncate(log.name, 0)
    before = text_of(log)
    ask(server)
    wait_until(lambda: text_of(log)[len(before):].count("\n") == 3, lambda: f"three lines more: {text_of(log)}")
    assert all(WHOLE.fullmatch(line) for line in text_of(log).splitlines()), text_of(log)


@pytest.mark.parametrize("model", ["iterative+epoll", "fork+blocking", "prethread+epoll"])
def test_a_log_on_a_full_disk(serve, model):
    with open("/dev/full", "wb", buffering=0) as full:
        server = serve("echo", model=model, stderr=full)
        for _ in range(3):
            ask(server)


@pytest.mark.parametrize("model", ["iterative+epoll", "thread+blocking", "prethread+epoll"])
def test_a_log_that_may_not_grow(serve, log, model):
    """Lines are lost, are counted, and the first after them begins on a line of its own."""
    server = serve("echo", model=model, stderr=log, workers=1)
    limit = os.path.getsize(log.name) + 100
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    for _ in range(5):
        ask(server)
    wait_until(lambda: os.path.getsize(log.name) == limit, "the log is full")
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    wait_until(lambda: ask(server) or "lines lost: stderr was full)" in text_of(log), lambda: text_of(log))
    broken = [line for line in text_of(log).splitlines() if not WHOLE.fullmatch(line)]
    assert len(broken) <= 1, broken
