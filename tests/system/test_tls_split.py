"""Messages of TLS's own that come in two halves. What is said to the peer between them waits: within the limits of
every queue, not for ever, and no byte is lost. And times that begin when a handshake is done."""

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from certificates import Secured, trusting
from client import has_ended, wait_until

MODELS = ["thread+blocking", "prethread+epoll", "prethread+uring"]
HANDSHAKE, DATA = 22, 23
HALF, OTHER_HALF = b"\x18\0\0\1", b"\0"  # a key update


class ByHand:
    """A client whose records are made here once OpenSSL has done the handshake: it never sends half a message."""

    def __init__(self, sock, path):
        context = trusting()
        context.keylog_filename = str(path)
        self.client = Secured(sock, context).handshake()
        assert self.client.ssl.cipher()[0] == "TLS_AES_256_GCM_SHA384"
        secrets = [line.split() for line in path.read_text().splitlines()]
        self.secret = bytes.fromhex(next(words[2] for words in secrets if words[0] == "CLIENT_TRAFFIC_SECRET_0"))
        self.sequence = 0

    def expand(self, name, size):
        info = size.to_bytes(2, "big") + bytes([6 + len(name)]) + b"tls13 " + name + b"\0"
        return HKDFExpand(hashes.SHA384(), size, info).derive(self.secret)

    def record(self, content, kind):
        nonce = bytes(a ^ b for a, b in zip(self.expand(b"iv", 12), self.sequence.to_bytes(12, "big")))
        header = b"\x17\x03\x03" + (len(content) + 17).to_bytes(2, "big")
        self.sequence += 1
        return header + AESGCM(self.expand(b"key", 32)).encrypt(nonce, content + bytes([kind]), header)

    def renew(self):
        self.secret, self.sequence = self.expand(b"traffic upd", 48), 0

    def send(self, *records):
        self.client.sock.sendall(b"".join(records))

    def receive(self, size):
        got = b""
        while len(got) < size and (more := self.client.recv(size - len(got))):
            got += more
        return got


@pytest.fixture
def serve_tls(serve):
    def start(service, model, *options):
        return serve(service, model=model, options=["--tls", "self-signed", *options], probe=None)
    return start


@pytest.mark.parametrize("name", MODELS)
def test_what_waits_for_the_other_half_is_said(serve_tls, tmp_path, name):
    server = serve_tls("echo", name)
    with server.dial() as sock:
        peer = ByHand(sock, tmp_path / "keys")
        for _ in range(3):
            peer.send(peer.record(b"before", DATA), peer.record(HALF, HANDSHAKE))
            rest = peer.record(OTHER_HALF, HANDSHAKE)
            peer.renew()
            peer.send(rest, peer.record(b"behind", DATA))
            assert peer.receive(12) == b"beforebehind"


@pytest.mark.parametrize("name", MODELS)
def test_who_keeps_the_other_half_is_cut(serve_tls, tmp_path, name):
    """It takes nothing: chargen produces no more, and the write deadline holds."""
    server = serve_tls("chargen", name, "--write-timeout", "1s")
    with server.dial() as sock:
        peer = ByHand(sock, tmp_path / "keys")
        peer.send(peer.record(HALF, HANDSHAKE))
        wait_until(lambda: has_ended(sock), "it is cut")
    server.wait_said("left: stalled")


@pytest.mark.parametrize("name", MODELS)
def test_who_ends_within_a_message_is_let_go(serve_tls, tmp_path, name):
    """Nothing will come that lets go what waits."""
    server = serve_tls("echo", name)
    with server.dial() as sock:
        peer = ByHand(sock, tmp_path / "keys")
        peer.send(peer.record(b"before", DATA), peer.record(HALF, HANDSHAKE))
        sock.shutdown(1)
        wait_until(lambda: has_ended(sock), "it ends")
    server.wait_said("left: ended without TLS's close_notify")


def test_pieces_that_a_framing_does_not_have_are_no_bytes(serve_tls):
    """Longer than what is gathered, shorter than what is sent piece by piece."""
    server = serve_tls("echo", "prethread+epoll", "--framing", "u32be")
    message = (2000).to_bytes(4, "big") + bytes(2000)
    with Secured(server.dial()).handshake() as client:
        client.send(message)
        got = b""
        while len(got) < len(message):
            got += client.recv(len(message) - len(got))
        assert got == message


@pytest.mark.parametrize("option, said", [("--first-byte=1s", "nothing"), ("--min-rate=1/1s", "slow")])
def test_times_begin_with_the_end_of_the_handshake(serve_tls, option, said):
    """And are not found out when the time for the handshake is over, which is far away."""
    server = serve_tls("echo", "prethread+epoll", "--handshake-timeout", "10m", option)
    with Secured(server.dial()).handshake() as client:
        wait_until(lambda: has_ended(client.sock), "it is cut")
    server.wait_said(f"left: .*{said}")
