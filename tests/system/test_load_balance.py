"""Every request that the schedule wanted has an end: answered, or counted as an error. None is forgotten, and none is
counted twice."""

import contextlib
import socket
import time

import pytest

from client import PATIENCE
from loading import Service, load

SIZE = 64


class Leaving(Service):
    """Answers `answers` requests of each connection; when the next one comes it says `last` and its end, and reads on."""

    def __init__(self, answers, reply=b"", last=b""):
        self.answers, self.reply, self.last = answers, reply, last
        self.left = set()

    def received(self, server, client, data):
        if client in self.left:
            return
        before = min(len(client.received) // SIZE, self.answers)
        client.received += data
        asked = len(client.received) // SIZE
        for number in range(before, min(asked, self.answers)):
            server.send(client, self.reply or bytes(client.received[number * SIZE:(number + 1) * SIZE]))
        if asked > self.answers:
            self.left.add(client)
            server.send(client, self.last)
            client.sock.shutdown(socket.SHUT_WR)


def test_requests_due_while_a_connection_ends_are_not_lost(python_server):
    """What becomes due between the server's end and ours waits for the next connection."""
    service = Leaving(20)
    outcome = load(python_server(service).address, "-d", "1s", "-c", 1, "--depth", 64, "-R", 30000)
    result = outcome.json
    assert len(service.left) > 10, str(outcome)
    assert result["intended"] == outcome.answered() + result["errors"], str(outcome)


def test_a_reply_that_is_cut_off_is_one_error(python_server):
    service = Leaving(3, reply=b"\0\0\0\5hello", last=b"\0\0\0\5he")
    outcome = load(python_server(service).address, "-d", "300ms", "-c", 1, "--expect-framing", "u32be")
    assert outcome.errors() == {"closed": len(service.left)}, str(outcome)


class Slow(Service):
    """Answers after a third of a second."""

    def received(self, server, client, data):
        time.sleep(0.3)
        server.send(client, data)


def test_a_reply_counts_with_its_bytes_from_the_beginning_of_the_window(python_server):
    """Nothing happens on the connection when the warm-up ends: the generator has to look by itself."""
    outcome = load(python_server(Slow()).address, "-c", 1, "--warmup", "100ms", "-d", "1s")
    assert outcome.json["bytes_in"] == SIZE * outcome.answered() > 0, str(outcome)


@pytest.fixture
def full():
    """The address of a server that nobody accepts for: a few connections are established, the others hang."""
    with contextlib.closing(socket.socket()) as listener:
        listener.settimeout(PATIENCE)
        listener.bind(("127.0.0.1", 0))
        listener.listen(4)
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("churn", [(), ("--churn",)], ids=["kept", "churn"])
def test_a_ramp_that_does_not_come_about_forgives_nothing(full, churn):
    """Clients that could not even begin to connect when the window opens owe their requests all the same."""
    outcome = load(full, "-d", "1s", "-c", 200, "-R", 1000, "--ramp", "200ms", "--grace", "500ms", *churn, code=1)
    assert outcome.json["intended"] == 1000 and outcome.json["requests"] == 0, str(outcome)
    assert outcome.errors()["unanswered"] >= 1000, str(outcome)
