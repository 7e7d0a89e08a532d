"""Who may come: lists of networks, in the order given, and files of them that are read again on SIGHUP."""

import os
import signal
import socket
import threading

import pytest

from client import PATIENCE, exchange, receive_what_comes, wait_until
from harness import MODELS, SOME_MODELS, only_line, run

HERE, THERE = ("127.0.0.1", 0), ("127.0.0.66", 0)


def is_served(server, source):
    """Whether a client from this address is answered; one that is denied sees the end, or a reset."""
    try:
        with server.dial(bind=source) as sock:
            sock.sendall(b"may I?")
            sock.shutdown(socket.SHUT_WR)
            return receive_what_comes(sock) == b"may I?"
    except TimeoutError:
        raise
    except OSError:
        return False


def replace(path, text):
    """All at once, as an administrator should: a reader sees one whole file or the other."""
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    os.replace(fresh, path)


@pytest.mark.parametrize("model", MODELS)
def test_a_denied_client_is_turned_away_and_told_in_the_log(serve, model):
    server = serve("echo", model=model, options=["--deny", "127.0.0.66,10.0.0.0/8"])
    assert not is_served(server, THERE)
    server.wait_said(r"127\.0\.0\.66:\d+ turned away: denied by 127\.0\.0\.66")
    assert is_served(server, HERE)


def test_the_first_that_holds_the_client_decides(serve):
    server = serve("echo", options=["--allow", "127.0.0.1", "--deny", "127.0.0.0/8", "-v"])
    assert is_served(server, HERE)
    server.wait_said(r"127\.0\.0\.1:\d+ let in: allowed by 127\.0\.0\.1")
    assert not is_served(server, THERE)


def test_who_is_in_no_list_is_denied_behind_an_allow(serve):
    server = serve("echo", options=["--allow", "127.0.0.0/26"])
    assert is_served(server, HERE) and not is_served(server, THERE)
    server.wait_said(r"127\.0\.0\.66:\d+ turned away: in no network that is allowed")


def test_a_unix_peer_is_unix(serve, tmp_path):
    path = f"unix:{tmp_path}/socket"
    assert is_served(serve("echo", path, options=["--allow", "unix"]), None)
    path = f"unix:{tmp_path}/other"
    assert not is_served(serve("echo", path, options=["--deny", "unix"], probe=None), None)


@pytest.mark.parametrize("model", SOME_MODELS)
def test_a_hang_up_reads_the_files_again_and_a_broken_one_is_not_taken(serve, model, tmp_path):
    path = tmp_path / "deny.txt"
    path.write_text("# nobody yet\n")
    server = serve("echo", model=model, options=["--deny", f"@{path}"])
    assert is_served(server, THERE)

    replace(path, "10.0.0.0/8\n127.0.0.66 # too loud\n")
    server.signal(signal.SIGHUP)
    server.wait_said("the access lists have been read again")
    wait_until(lambda: not is_served(server, THERE), lambda: f"it is denied\n{server.stderr()}")
    server.wait_said(r"turned away: denied by 127\.0\.0\.66 \(.*deny\.txt:2\)")

    replace(path, "10.0.0.0/8\nnonsense\n")
    server.signal(signal.SIGHUP)
    server.wait_said(r'deny\.txt:2: network "nonsense": not an address.*; the access lists stay as they were')
    assert not is_served(server, THERE) and is_served(server, HERE)

    os.unlink(path)
    server.signal(signal.SIGHUP)
    assert not is_served(server, THERE) and is_served(server, HERE)

    replace(path, "")
    server.signal(signal.SIGHUP)
    wait_until(lambda: is_served(server, THERE), lambda: f"it is served again\n{server.stderr()}")


@pytest.mark.parametrize("model", ["prethread+epoll", "prefork+epoll", "prefork+blocking", "thread+blocking"])
def test_hang_ups_without_end_harm_nobody(serve, model, tmp_path):
    """M3: a hundred a second and more, while the file is whole, broken and gone by turns."""
    path = tmp_path / "deny.txt"
    path.write_text("127.0.0.66\n")
    server = serve("echo", model=model, options=["--deny", f"@{path}"])
    stop = threading.Event()

    def hang_up():
        for number in range(10**6):
            if stop.is_set():
                break
            replace(path, "127.0.0.66\n" if number % 3 else "nonsense\n")
            server.signal(signal.SIGHUP)
            stop.wait(0.002)
    thread = threading.Thread(target=hang_up, daemon=True)
    thread.start()
    try:
        with server.dial() as sock:
            for number in range(200):
                exchange(sock, b"%d" % number)
                assert number % 20 or not is_served(server, THERE)
    finally:
        stop.set()
        thread.join(PATIENCE)
    assert server.stderr().count("stay as they were") < 20, "one line a second, however many fail"


@pytest.mark.parametrize("model", ["prethread+epoll", "prefork+epoll"])
def test_without_files_a_hang_up_ends_it_as_ever(serve, model):
    # Who runs the tests under nohup(1) ignores it, and a server that is started so does too.
    server = serve("echo", model=model, options=["--deny", "10.0.0.0/8"], wrapper=("env", "--default-signal=HUP"))
    server.checked_after = False
    server.expected_code = -signal.SIGHUP
    server.signal(signal.SIGHUP)
    assert server.wait_ended() == -signal.SIGHUP


@pytest.mark.parametrize("value, complaint", [
    ("10.0.0.0/33", "a prefix of IPv4 is a number, 0 to 32"),
    ("localhost", "not an address"),
    ("@/nowhere/deny.txt", "/nowhere/deny.txt: no such file or directory"),
    ("@/dev", "/dev: not a regular file")])
def test_a_wrong_list_is_refused_at_the_start(value, complaint):
    ended = run("serve", "echo", "127.0.0.1", "0", "--deny", value)
    assert ended.returncode == 2
    assert complaint in only_line(ended.stderr)


def test_listen_asks_too():
    ended = run("listen", "127.0.0.1", "0", "--allow", "nobody")
    assert ended.returncode == 2 and "--allow" in only_line(ended.stderr)
