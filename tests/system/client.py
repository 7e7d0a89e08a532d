"""The other side: plain blocking sockets, none of whose waits is without a bound."""

import os
import random
import socket
import struct
import threading
import time

# Seconds until a wait is given up. A guard against hanging, no statement about speed.
PATIENCE = float(os.environ.get("PARLEY_TEST_PATIENCE", "20"))


def wait_until(condition, what, patience=PATIENCE):
    """Returns the first true value of `condition`. `what` is a text or makes one when it is needed."""
    deadline = time.monotonic() + patience
    pause = 0.001
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {patience:g} s: {what() if callable(what) else what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)
    return value


def target_of(address):
    """Family and socket address of a listening address as parley writes it."""
    if address.startswith("unix:"):
        return socket.AF_UNIX, address.removeprefix("unix:")
    if address.startswith("@"):
        return socket.AF_UNIX, "\0" + address[1:]
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    if host in ("", "*", "::", "0.0.0.0"):
        host = "127.0.0.1"
    return (socket.AF_INET6 if ":" in host else socket.AF_INET), (host, int(port))


def dial(address, receive_buffer=0, bind=None):
    family, target = target_of(address)
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.settimeout(PATIENCE)
    if family != socket.AF_UNIX:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    if bind:
        sock.bind(bind)
    sock.connect(target)
    return sock


def receive_exactly(sock, size):
    """Fewer only when the peer finished first."""
    parts, missing = [], size
    while missing > 0 and (part := sock.recv(min(missing, 1 << 18))):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def receive_all(sock):
    """Everything until the peer's FIN; a reset raises."""
    parts = []
    while part := sock.recv(1 << 18):
        parts.append(part)
    return b"".join(parts)


def receive_what_comes(sock):
    """Everything until the end, however the end came."""
    parts = []
    try:
        while part := sock.recv(1 << 18):
            parts.append(part)
    except (ConnectionResetError, BrokenPipeError):
        pass
    return b"".join(parts)


def exchange(sock, message, answer=None):
    """Sends, and waits for the answer, by default the same. Who is turned away before has a ConnectionError,
    whether by an end or by a reset."""
    wanted = message if answer is None else answer
    sock.sendall(message)
    got = receive_exactly(sock, len(wanted))
    if wanted and not got:
        raise ConnectionAbortedError(f"it ended without an answer to {message[:60]!r}")
    assert got == wanted, f"sent {message[:60]!r}, wanted {wanted[:60]!r}, got {got[:60]!r}"


def reset(sock):
    """Closes with RST instead of FIN."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def has_ended(sock):
    """Whether the peer has closed or reset; drops what it sent before."""
    sock.setblocking(False)
    try:
        while sock.recv(1 << 18):
            pass
        return True
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        sock.settimeout(PATIENCE)


def has_bytes(sock):
    """Whether something can be read now."""
    sock.setblocking(False)
    try:
        return bool(sock.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False
    finally:
        sock.settimeout(PATIENCE)


class Stream:
    """An endless sequence of bytes that can be compared at any place. Its period is a prime, so that a
    piece lost, doubled or moved never goes unseen."""

    PERIOD = 1048573
    PIECE = 1 << 18

    def __init__(self, seed=0):
        self.pattern = random.Random(seed).randbytes(self.PERIOD)
        self.pattern += self.pattern[:self.PIECE]

    def at(self, place, size):
        assert size <= self.PIECE
        place %= self.PERIOD
        return memoryview(self.pattern)[place:place + size]


class Writer(threading.Thread):
    """Sends the first `size` bytes of a stream from a thread of its own, then says the end."""

    def __init__(self, sock, stream, size, half_close=True):
        super().__init__(daemon=True)
        self.sock, self.stream, self.size, self.half_close = sock, stream, size, half_close
        self.sent = 0
        self.error = None
        self.start()

    def run(self):
        try:
            while self.sent < self.size:
                piece = self.stream.at(self.sent, min(Stream.PIECE, self.size - self.sent))
                self.sent += self.sock.send(piece)
            if self.half_close:
                self.sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            self.error = error

    def finish(self):
        self.join(PATIENCE)
        assert not self.is_alive(), f"still sending: {self.sent} of {self.size} bytes"


def receive_stream(sock, stream, start=0):
    """Receives until the end and compares as it goes. Returns how many bytes, and the error that ended them."""
    place = start
    try:
        while part := sock.recv(Stream.PIECE):
            if part != stream.at(place, len(part)):
                wanted = bytes(stream.at(place, len(part)))
                wrong = next(i for i in range(len(part)) if part[i] != wanted[i])
                raise AssertionError(f"byte {place + wrong} is not what was sent")
            place += len(part)
    except (ConnectionResetError, BrokenPipeError) as error:
        return place, error
    return place, None


def fill(sock, stream, limit):
    """Sends without reading until nothing more is taken, the peer has gone, or `limit`. Returns how many bytes went."""
    sent, patience = 0, 0.5
    sock.settimeout(patience)
    try:
        while sent < limit:
            sent += sock.send(stream.at(sent, Stream.PIECE))
    except (TimeoutError, ConnectionResetError, BrokenPipeError):
        pass
    finally:
        sock.settimeout(PATIENCE)
    return sent


# ---- a client that may be turned away: None where a RST was faster than its connect ----

def fate(sock):
    """What becomes of a client that waits to hear something."""
    if sock is None:
        return "reset"
    try:
        return receive_all(sock).decode() or "closed"
    except ConnectionResetError:
        return "reset"


def is_served(sock):
    """Whether it is answered, and not turned away."""
    try:
        if sock is None:
            return False
        sock.sendall(b"hello")
        return receive_exactly(sock, 5) == b"hello"
    except (ConnectionResetError, BrokenPipeError):
        return False


def probe_patiently(sock):
    """Who is turned away while others are still leaving may come again."""
    if not is_served(sock):
        raise ConnectionResetError("turned away")
