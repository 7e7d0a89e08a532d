"""The operator's side through pipes: one client, the next one, and what is said about them."""

import hashlib
import os
import re
import signal
import socket
import threading

import pytest

from client import PATIENCE, wait_until
from talking import parley, read_all, running


def dial(port):
    return socket.create_connection(("127.0.0.1", port), PATIENCE)


def port_of(process):
    return int(process.stdout.readline())


def test_one_client_then_the_end():
    with running("listen", "127.0.0.1", "0", "--print-port") as process:
        port = port_of(process)
        with dial(port) as client:
            own = f"127.0.0.1:{client.getsockname()[1]}"
            client.sendall(b"hello\n")
            assert process.stdout.readline() == b"hello\n"
            process.stdin.write(b"welcome\n")
            process.stdin.flush()
            assert client.recv(100) == b"welcome\n"
        assert process.wait(PATIENCE) == 0
        assert process.stderr.read().decode() == (f"listening on 127.0.0.1:{port}\n{own} connected\n"
                                                  f"{own} left: finished\n")


@pytest.mark.parametrize("model", ["iterative+select", "iterative+poll", "iterative+epoll", "iterative+uring"])
def test_eight_mebibytes_each_way(model):
    data, answer = os.urandom(8 << 20), os.urandom(8 << 20)
    with running("listen", "127.0.0.1", "0", "--print-port", "--model", model) as process:
        with dial(port_of(process)) as client:
            got = []

            def send():
                client.sendall(data)
                client.shutdown(socket.SHUT_WR)

            def feed():
                process.stdin.write(answer)
                process.stdin.close()
            threads = [threading.Thread(target=send), threading.Thread(target=feed),
                       threading.Thread(target=lambda: got.append(read_all(client)))]
            for thread in threads:
                thread.start()
            output = process.stdout.read()
            for thread in threads:
                thread.join(PATIENCE)
        assert process.wait(PATIENCE) == 0
        assert hashlib.sha256(output).digest() == hashlib.sha256(data).digest()
        assert hashlib.sha256(got[0]).digest() == hashlib.sha256(answer).digest()


def test_the_next_client_waits_its_turn():
    with running("listen", "-k", "127.0.0.1", "0", "--print-port") as process:
        port = port_of(process)
        with dial(port) as first, dial(port) as second:
            second.sendall(b"second\n")
            first.sendall(b"first\n")
            assert process.stdout.readline() == b"first\n"
            process.stdin.write(b"to the first\n")
            process.stdin.flush()
            assert first.recv(100) == b"to the first\n"
            first.close()
            assert process.stdout.readline() == b"second\n"
            process.stdin.write(b"to the second\n")
            process.stdin.flush()
            assert second.recv(100) == b"to the second\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130


def test_only_one_client_is_served_without_k():
    with running("listen", "127.0.0.1", "0", "--print-port") as process:
        port = port_of(process)
        with dial(port) as first, dial(port) as second:
            second.sendall(b"not for you\n")
            first.sendall(b"first\n")
            assert process.stdout.readline() == b"first\n"
            first.close()
            assert process.wait(PATIENCE) == 0
        assert process.stdout.read() == b""
        assert process.stderr.read().count(b"connected") == 1


def test_save_keeps_what_the_client_sent(tmp_path):
    data = os.urandom(1 << 20)
    with running("listen", "127.0.0.1", "0", "--print-port", "--save", str(tmp_path / "got")) as process:
        with dial(port_of(process)) as client:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            assert process.stdout.read() == data
        assert process.wait(PATIENCE) == 0
    assert (tmp_path / "got").read_bytes() == data and os.listdir(tmp_path) == ["got"]


def test_idle_names_the_phase():
    with running("listen", "127.0.0.1", "0", "--print-port", "--idle", "300ms") as process:
        with dial(port_of(process)):
            assert process.wait(PATIENCE) == 4
        assert re.search(rb"idle 127.0.0.1:\d+: timed out after 300ms", process.stderr.read())


def test_an_address_in_use():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        outcome = parley("listen", "127.0.0.1", port)
    assert outcome.returncode == 1
    assert re.fullmatch(rf"parley listen: bind 127.0.0.1:{port}: .*in use.*\n", outcome.stderr.decode())


def test_save_and_keep_are_refused():
    outcome = parley("listen", "-k", "127.0.0.1", "0", "--save", "x")
    assert outcome.returncode == 2 and b"-k" in outcome.stderr


def test_two_of_ours_talk_to_each_other():
    with running("listen", "127.0.0.1", "0", "--print-port") as one:
        port = port_of(one)
        with running("connect", "127.0.0.1", port) as other:
            for said in (b"hello\n", b"how are you?\n"):
                for speaker, hearer in ((one, other), (other, one)):
                    speaker.stdin.write(said)
                    speaker.stdin.flush()
                    assert hearer.stdout.readline() == said
            other.stdin.close()
            wait_until(lambda: one.stdout.readline() == b"", lambda: "the end arrives")
            one.stdin.close()
            assert one.wait(PATIENCE) == 0 and other.wait(PATIENCE) == 0
