"""Messages that never end, claim too much, or are of zeros: FAULTS B16, for each framing."""

from collections import namedtuple

import pytest

from certificates import trusting
from client import Stream, exchange, receive_exactly, receive_what_comes
from harness import only_line, run

MIB = 1 << 20
FLOOD = 64 * MIB

# A byte that without end never becomes a message; the beginning of one that is not finished; whole ones of no
# bytes and of zeros; and lengths that are refused: -1 of 16, 32 and 64 bits, 2^31, 2^64 - 1 and beyond.
Case = namedtuple("Case", "endless unfinished taken refused")
CASES = {
    "line": Case(b"x", b"abc", [b"\n", b"\0" * 100 + b"\n"], []),
    "line max=1MiB": Case(b"\0", b"\0", [b"\0" * MIB + b"\n"], [b"\0" * MIB + b"x\n"]),
    "delim=;": Case(b"\0", b"abc", [b";", b"\0" * 100 + b";"], []),
    r"delim=\r\n max=1MiB": Case(b"\r", b"\r", [b"\r\n", b"\n\r\r\n"], []),
    r"delim=\0": Case(b"x", b"x", [b"\0", b"x" * 100 + b"\0"], []),
    "u16be max=1000": Case(b"\xff", b"\0", [b"\0\0", b"\0\x64" + b"\0" * 100], [b"\x80\0", b"\xff\xff", b"\x03\xe9"]),
    "u32be": Case(b"\xff", b"\0\0\0\x03ab", [b"\0\0\0\0", b"\0\0\0\x64" + b"\0" * 100],
                  [b"\x80\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff"]),
    "varint": Case(b"\xff", b"\x80", [b"\0", b"\x64" + b"\0" * 100],
                   [b"\x80\x80\x80\x80\x08", b"\xff\xff\xff\xff\x0f", b"\xff" * 9 + b"\x01", b"\xff" * 9 + b"\x02",
                    b"\x80" * 9 + b"\x01", b"\x80\0"]),
    "fixed=100": Case(None, b"abc", [b"\0" * 100], []),
}


@pytest.mark.parametrize("framing", [framing for framing, case in CASES.items() if case.endless])
def test_what_never_becomes_a_message_is_cut_and_costs_little(serve, framing):
    server = serve("echo", options=["--framing", framing], probe=None)
    before, piece, sent = server.memory(), CASES[framing].endless * Stream.PIECE, 0
    with server.dial() as sock:
        try:
            while sent < FLOOD:
                sent += sock.send(piece)
        except (ConnectionResetError, BrokenPipeError):
            pass
        assert receive_what_comes(sock) == b""
    server.wait_said("left: broke the framing")
    assert sent < FLOOD, "nobody cut it"
    assert server.memory() - before < 8 * MIB


@pytest.mark.parametrize("framing", CASES)
def test_lengths_zeros_and_beginnings(serve, framing):
    server = serve("echo", options=["--framing", framing, "--idle", "500ms"], probe=None)
    case = CASES[framing]
    for sent in case.taken:
        with server.dial() as sock:
            for _ in range(2):
                exchange(sock, sent)
    for sent in case.refused:
        with server.dial() as sock:
            sock.sendall(sent)
            assert receive_what_comes(sock) == b"", sent[:20]
    if case.refused:
        server.wait_said("left: broke the framing")
        assert "left: idle" not in server.stderr(), "a length was believed"
    with server.dial() as sock:
        sock.sendall(case.unfinished)
        assert receive_what_comes(sock) == b""
    server.wait_said("left: idle")


@pytest.mark.parametrize("model", ["iterative+blocking", "fork+poll", "thread+uring", "prefork+select", "prethread+epoll"])
def test_lengths_that_cannot_be_meant_within_tls(serve, model, good):
    """What is decrypted is cut as what comes plain, in every placement and by every poller."""
    server = serve("echo", model=model, probe=None,
                   options=["--framing", "u32be", "--tls", "--cert", good[0], "--key", good[1]])
    for sent in CASES["u32be"].refused:
        with server.dial() as sock, trusting().wrap_socket(sock) as secured:
            secured.sendall(CASES["u32be"].taken[1])
            assert receive_exactly(secured, 104) == CASES["u32be"].taken[1]
            secured.sendall(sent)
            assert receive_what_comes(secured) == b"", sent
    server.wait_said("left: broke the framing")


@pytest.mark.parametrize("framing", ["fixed=0", "fixed=-1", "fixed=18446744073709551615", "u16be max=64KiB",
                                     "u32be max=4GiB", "line max=0", "line max=-1"])
def test_a_framing_that_cannot_be_meant_is_refused(framing):
    done = run("serve", "echo", "0", "--framing", framing)
    assert done.returncode == 2 and only_line(done.stderr).startswith("parley serve: --framing ")
