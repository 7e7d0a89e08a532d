"""Conversations on a terminal: typed lines, arriving text, and a terminal that is given back as it was."""

import queue
import signal
import socket
import subprocess

import pytest

from client import PATIENCE, wait_until
from talking import echo, peer, read_all
from terminal import COLUMNS, terminal


def upper(connection):
    with connection.makefile("rwb") as lines:
        for line in lines:
            lines.write(line.upper())
            lines.flush()
            if line == b"end\n":
                return


class Puppet:
    """A peer that says what the test tells it, and keeps what it hears."""

    def __init__(self):
        self.orders = queue.Queue()
        self.heard = b""

    def __call__(self, connection):
        connection.settimeout(0.01)
        while True:
            try:
                order = self.orders.get_nowait()
                if order is None:
                    return
                connection.sendall(order)
            except queue.Empty:
                pass
            try:
                piece = connection.recv(65536)
                self.heard += piece
                if not piece:
                    return
            except TimeoutError:
                pass

    def say(self, text):
        self.orders.put(text)

    def leave(self):
        self.orders.put(None)

    def wait_heard(self, text):
        wait_until(lambda: self.heard == text, lambda: f"it hears {text!r}; it heard {self.heard!r}")


def test_prompt_answer_and_end():
    with peer(upper) as port, terminal("connect", "127.0.0.1", port, "--prompt", "> ", "--until", "END") as user:
        user.wait_screen(">")
        user.type("hello\r")
        user.wait_screen("> hello\nHELLO\n>")
        user.type("end\r")
        assert user.wait_end() == 0
        assert user.screen.text() == "> hello\nHELLO\n> end\nEND"
        assert user.is_restored() and not user.screen.unknown


def test_arriving_text_leaves_the_typed_line_whole():
    puppet = Puppet()
    with peer(puppet) as port, terminal("connect", "127.0.0.1", port, "--prompt", "> ") as user:
        user.wait_screen(">")
        user.type("half a li")
        user.wait_screen("> half a li")
        puppet.say(b"news\nmore news\n")
        user.wait_screen("news\nmore news\n> half a li")
        user.type("ne\r")
        puppet.wait_heard(b"half a line\n")
        user.wait_screen("news\nmore news\n> half a line\n>")
        puppet.leave()
        assert user.wait_end() == 0


def test_arriving_text_while_the_typed_line_is_longer_than_the_screen_is_wide():
    puppet = Puppet()
    line = "x" * (2 * COLUMNS + 10)
    with peer(puppet) as port, terminal("connect", "127.0.0.1", port, "--prompt", "> ") as user:
        user.wait_screen(">")
        user.type(line)
        wrapped = "\n".join(("> " + line)[i:i + COLUMNS] for i in range(0, len(line) + 2, COLUMNS))
        user.wait_screen(wrapped)
        puppet.say(b"news\n")
        user.wait_screen("news\n" + wrapped)
        user.type("\r")
        puppet.wait_heard(line.encode() + b"\n")
        puppet.leave()
        assert user.wait_end() == 0


def test_an_unfinished_line_of_the_peer_stands_before_the_prompt():
    puppet = Puppet()
    with peer(puppet) as port, terminal("connect", "127.0.0.1", port) as user:
        puppet.say(b"welcome\nlog")
        user.wait_screen("welcome\nlog")
        puppet.say(b"in: ")
        user.wait_screen("welcome\nlogin:")
        user.type("bob\r")
        puppet.wait_heard(b"bob\n")
        puppet.say(b"hello bob")
        user.wait_screen("welcome\nlogin: bob\nhello bob")
        puppet.leave()
        assert user.wait_end() == 0
        assert user.said.endswith(b"\n")


def test_editing_and_history():
    puppet = Puppet()
    with peer(puppet) as port, terminal("connect", "127.0.0.1", port, "--prompt", "> ") as user:
        user.wait_screen(">")
        user.type("helo\x1b[Dl\r")
        puppet.wait_heard(b"hello\n")
        user.type("\x1b[A\r")
        puppet.wait_heard(b"hello\nhello\n")
        user.type("x\x7fGrüße 世界\x7f\r")
        puppet.wait_heard("hello\nhello\nGrüße 世\n".encode())
        puppet.leave()
        assert user.wait_end() == 0


def test_a_pasted_text_is_sent_line_by_line():
    puppet = Puppet()
    lines = "".join(f"line {i}\r" for i in range(50))
    with peer(puppet) as port, terminal("connect", "127.0.0.1", port, "--prompt", "> ") as user:
        user.wait_screen(">")
        user.type(lines)
        puppet.wait_heard(lines.replace("\r", "\n").encode())
        puppet.leave()
        assert user.wait_end() == 0


def test_end_of_input_is_a_half_close():
    def serve(connection):
        assert read_all(connection) == b"question\n"
        connection.sendall(b"answer")
    with peer(serve) as port, terminal("connect", "127.0.0.1", port, "--prompt", "> ") as user:
        user.wait_screen(">")
        user.type("question\r\x04")
        assert user.wait_end() == 0
        assert user.screen.text() == "> question\nanswer" and user.said.endswith(b"\n")
        assert user.is_restored()


@pytest.mark.parametrize("key, code", [("\x03", 128 + signal.SIGINT), ("\x1c", 128 + signal.SIGQUIT)])
def test_interrupt_gives_the_terminal_back(key, code):
    with peer(read_all) as port, terminal("connect", "127.0.0.1", port, "--prompt", "> ") as user:
        user.wait_screen(">")
        assert not user.is_restored()
        user.type("half" + key)
        assert user.wait_end() == code
        assert user.is_restored()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGSEGV, signal.SIGABRT])
def test_a_signal_gives_the_terminal_back(number):
    with peer(lambda connection: connection.recv(1)) as port, \
            terminal("connect", "127.0.0.1", port, "--prompt", "> ", environment={"ASAN_OPTIONS": "handle_segv=0:handle_abort=0"}) as user:
        user.wait_screen(">")
        user.process.send_signal(number)
        assert user.wait_end() in (128 + number, -number)
        assert user.is_restored()


def test_stop_and_continue():
    puppet = Puppet()
    with peer(puppet) as port, terminal("connect", "127.0.0.1", port, "--prompt", "> ") as user:
        user.wait_screen(">")
        user.type("half")
        user.wait_screen("> half")
        user.type("\x1a")
        wait_until(lambda: open(f"/proc/{user.process.pid}/stat").read().rpartition(")")[2].split()[0] == "T",
                   lambda: "it stops")
        assert user.is_restored()
        puppet.say(b"meanwhile\n")
        user.process.send_signal(signal.SIGCONT)
        user.wait_screen("meanwhile\n> half")
        user.type(" a line\r")
        puppet.wait_heard(b"half a line\n")
        puppet.leave()
        assert user.wait_end() == 0


def test_a_peer_cannot_command_the_terminal():
    def serve(connection):
        connection.recv(1)
        for byte in b"\x1b]52;c;aGk=\x07\xc2\x9b2J\xe2\x80\xae\xff\r\n":
            connection.sendall(bytes([byte]))
        connection.sendall("世".encode()[:1])
        connection.sendall("世".encode()[1:] + b"\n")
    with peer(serve) as port, terminal("connect", "127.0.0.1", port, "--send", "x") as user:
        assert user.wait_end() == 0
    assert user.said == "\\x1b]52;c;aGk=\\x07\\xc2\\x9b2J\\xe2\\x80\\xae\\xff\r\r\n世\r\n".encode()


def test_raw_passes_everything_on():
    with peer(lambda connection: (connection.recv(1), connection.sendall(b"\x1b[1mbold\x1b[m\n"))) as port, \
            terminal("connect", "127.0.0.1", port, "--send", "x", "--raw") as user:
        assert user.wait_end() == 0
    assert user.said == b"\x1b[1mbold\x1b[m\r\n"


def test_answers_to_a_repeated_message_stand_on_lines_of_their_own():
    with peer(echo) as port, \
            terminal("connect", "127.0.0.1", port, "--send", "no %d", "--every", "200ms", "--count", "3") as user:
        assert user.wait_end() == 0
    assert user.said == b"no 1\r\nno 2\r\nno 3\r\n"


def test_a_dumb_terminal_is_spoken_to_plainly():
    with peer(upper) as port, \
            terminal("connect", "127.0.0.1", port, "--until", "END", environment={"TERM": "dumb"}) as user:
        user.type("end\n")
        assert user.wait_end() == 0
    assert b"\x1b" not in user.said and user.said.endswith(b"END\r\n")


def test_typed_input_with_piped_output():
    with peer(upper) as port, terminal("connect", "127.0.0.1", port, "--prompt", "> ", "--until", "END",
                                       stdout=subprocess.PIPE) as user:
        user.type("\x1b[Aend\nend\n")
        assert user.process.stdout.read().endswith(b"END\n")
        assert user.wait_end() == 0


# ---- listen ----

def test_the_operator_talks_to_a_client():
    with terminal("listen", "127.0.0.1", "0", "--prompt", "> ") as user:
        user.wait_for(lambda: b"listening on 127.0.0.1:" in user.said, "it listens")
        port = int(user.said.split(b"listening on 127.0.0.1:")[1].split()[0])
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
            own = f"127.0.0.1:{client.getsockname()[1]}"
            user.wait_screen(f"listening on 127.0.0.1:{port}\n{own} connected\n>")
            user.type("who is there?\r")
            assert client.recv(100) == b"who is there?\n"
            client.sendall(b"me\n")
            user.wait_line(">")
        assert user.wait_end() == 0
        assert user.screen.text() == (f"listening on 127.0.0.1:{port}\n{own} connected\n> who is there?\nme\n"
                                      f"{own} left: finished")
        assert user.is_restored()


def test_what_was_typed_waits_for_the_next_client():
    with terminal("listen", "-k", "127.0.0.1", "0", "--prompt", "> ") as user:
        user.wait_for(lambda: b"listening on 127.0.0.1:" in user.said, "it listens")
        port = int(user.said.split(b"listening on 127.0.0.1:")[1].split()[0])
        with socket.create_connection(("127.0.0.1", port), PATIENCE):
            user.wait_line(">")
            user.type("for the n")
            user.wait_line("> for the n")
        user.wait_for(lambda: "left:" in user.screen.text(), "it leaves")
        assert user.is_restored()
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
            user.wait_line("> for the n")
            user.type("ext\r")
            assert client.recv(100) == b"for the next\n"
            user.type("\x03")
            assert user.wait_end() == 130
            assert user.is_restored()
