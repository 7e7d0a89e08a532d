"""Every request that the schedule wanted has an end: answered, or counted as an error. None is forgotten, and none is
counted twice."""

import socket

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
