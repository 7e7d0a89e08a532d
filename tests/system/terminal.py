"""A terminal for the tests: a pty, the command on it, and the screen that its output draws."""

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import time

from client import PATIENCE
from harness import PARLEY, is_readable

ROWS, COLUMNS = 24, 80


class Screen:
    """As much of a terminal as line editing needs: text, CR, LF, BS, and the moves and erasures of ECMA-48."""

    def __init__(self):
        self.columns = COLUMNS
        self.lines = [""]
        self.row = self.column = 0
        self.rest = ""
        self.unknown = []

    def feed(self, text):
        text, self.rest = self.rest + text, ""
        while text:
            match = re.match(r"\x1b(\[[0-9;?]*[@-~]|[^\[])", text)
            if match:
                self.escape(match.group(1))
            elif text[0] == "\x1b":
                self.rest = text
                return
            else:
                self.character(text[0])
            text = text[match.end() if match else 1:]

    def character(self, character):
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self.row += 1
        elif character == "\b":
            self.column = max(0, self.column - 1)
        elif character != "\a":
            if self.column == self.columns:
                self.row, self.column = self.row + 1, 0
            self.put(character)
        while len(self.lines) <= self.row:
            self.lines.append("")

    def put(self, character):
        while len(self.lines) <= self.row:
            self.lines.append("")
        line = self.lines[self.row].ljust(self.column)
        self.lines[self.row] = line[:self.column] + character + line[self.column + 1:]
        self.column += 1

    def escape(self, sequence):
        number = int(re.search(r"\d*", sequence[1:]).group() or 0)
        line = self.lines[self.row]
        kind = sequence[-1]
        if kind == "A":
            self.row = max(0, self.row - max(1, number))
        elif kind == "C":
            self.column += max(1, number)
        elif kind == "D":
            self.column = max(0, self.column - max(1, number))
        elif kind == "K":
            self.lines[self.row] = line[:self.column]
        elif kind == "J":
            self.lines[self.row] = line[:self.column]
            del self.lines[self.row + 1:]
        elif kind == "P":
            self.lines[self.row] = line[:self.column] + line[self.column + max(1, number):]
        elif kind == "@":
            self.lines[self.row] = line[:self.column] + " " * max(1, number) + line[self.column:]
        elif kind not in "hlm=>":
            self.unknown.append(sequence)

    def text(self):
        return "\n".join(line.rstrip() for line in self.lines).rstrip("\n")


class Terminal:
    """The master's end. `said` is every byte that came, `screen` what a person would see."""

    def __init__(self, master, slave, process):
        self.master, self.slave, self.process = master, slave, process
        self.said = b""
        self.screen = Screen()
        self.original = None

    def type(self, text):
        os.write(self.master, text.encode())

    def read(self, patience):
        if not is_readable(self.master, patience):
            return False
        try:
            piece = os.read(self.master, 65536)
        except OSError:  # the other end has gone
            return False
        self.said += piece
        self.screen.feed(piece.decode("utf-8", "replace"))
        return bool(piece)

    def wait_for(self, condition, what):
        """Reads until the condition holds."""
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, f"never: {what}\n{self.screen.text()}\n{self.said!r}"
            self.read(0.05)

    def wait_screen(self, text):
        self.wait_for(lambda: self.screen.text() == text, f"a screen of {text!r}")

    def wait_line(self, text):
        """The last line shown."""
        self.wait_for(lambda: self.screen.text().rpartition("\n")[2] == text.rstrip(), f"a last line {text!r}")

    def wait_end(self):
        """Its exit code, once everything it said has been read."""
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < end, f"it goes on\n{self.screen.text()}"
            self.read(0.05)
        while self.read(0.05):
            pass
        return self.process.returncode

    def modes(self):
        """What a crash must not leave behind: input, output and local modes, and the special characters."""
        attributes = termios.tcgetattr(self.slave)
        return attributes[:4], attributes[6]

    def is_restored(self):
        return self.modes() == self.original


@contextlib.contextmanager
def terminal(*words, environment=(), **more):
    """The command with a terminal of its own as input, output and errors."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))

    def own_it():
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    attributes = termios.tcgetattr(slave)
    pipes = {"stdin": slave, "stdout": slave, "stderr": slave, **more}
    settings = {**os.environ, "TERM": "xterm", "LC_ALL": "C", **dict(environment)}
    with subprocess.Popen([PARLEY, *map(str, words)], env=settings, start_new_session=True, preexec_fn=own_it,
                          **pipes) as process:
        screen = Terminal(master, slave, process)
        screen.original = (attributes[:4], attributes[6])
        try:
            yield screen
        finally:
            if process.poll() is None:
                process.kill()
            os.close(master)
            os.close(slave)
