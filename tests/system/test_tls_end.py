"""How a TLS connection ends when the client goes on sending: the alert that says why, and the last bytes, arrive all the
same. And what came whole ahead of a bad record is delivered, wherever the wire is cut."""

import fcntl
import os
import re
import ssl
import subprocess
import termios

import pytest

from certificates import Secured, read_what_is_there, trusting
from client import PATIENCE, exchange, receive_all, receive_what_comes, reset, wait_until
from harness import PARLEY
from test_tls import spoiled
from test_tls_client import serving

MODELS = ["iterative+blocking", "fork+select", "thread+poll", "thread+blocking", "prefork+epoll", "prethread+uring"]
FLOOD = os.urandom(1 << 20)
ALERT, FATAL = 21, 2


@pytest.fixture
def serve_tls(serve, good):
    def start(service, model, *options):
        return serve(service, model=model, options=["--tls", "--cert", good[0], "--key", good[1], *options], probe=None)
    return start


# ---- alerts ----

def flood(sock):
    """More than any buffer between the two holds, so that the server is behind when it refuses."""
    for _ in range(8):
        sock.sendall(FLOOD)


def a_hello_of_nothing(sock, _certificate):
    sock.sendall(b"\x16\x03\x01\0\5\1\0\0\1\0")
    flood(sock)
    alert = receive_all(sock)
    assert len(alert) == 7 and alert[0] == ALERT and alert[5] == FATAL, alert


def a_client_without_certificate(sock, _certificate):
    """Under TLS 1.3 it takes the handshake for done, and talks."""
    client = Secured(sock, trusting()).handshake()
    for _ in range(8):
        client.send(FLOOD)
    with pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"):
        client.recv(10)
    assert receive_all(sock) == b""


def a_damaged_record(sock, certificate):
    client = Secured(sock, trusting(certificate=certificate)).handshake()
    client.ssl.write(b"damaged")
    sock.sendall(spoiled(client.flight(), 12))
    flood(sock)
    with pytest.raises(ssl.SSLError, match="BAD_RECORD_MAC"):
        client.recv(10)
    assert receive_all(sock) == b""


@pytest.mark.parametrize("name", MODELS)
def test_who_is_refused_reads_why_however_much_it_sends(serve_tls, authority, name):
    server = serve_tls("discard", name, "--client-ca", authority.path)
    for kind in (a_hello_of_nothing, a_client_without_certificate, a_damaged_record):
        with server.dial() as sock:
            kind(sock, authority.client()[:2])
    server.wait_said("left: its TLS broke: TLS: a record was damaged or forged")
    wait_until(lambda: "turned away: TLS:" in server.stderr(), server.stderr)


@pytest.mark.parametrize("name", ["thread+blocking", "prethread+epoll", "prethread+uring"])
def test_who_never_stops_is_not_listened_to_for_ever(serve_tls, name):
    """The reset that ends it comes when `linger` is over, not when the client has had enough."""
    server = serve_tls("discard", name, "--linger", "200ms")
    with server.dial() as sock:
        sock.sendall(b"\x16\x03\x01\0\5\1\0\0\1\0")
        with pytest.raises(OSError):
            while True:
                sock.sendall(FLOOD)
    server.wait_said("turned away: TLS:")


# ---- the end ----

@pytest.mark.parametrize("name", MODELS)
def test_the_last_bytes_arrive_whatever_follows_the_client_s_end(serve_tls, name):
    """What stands behind close_notify is nobody's, and destroys nothing."""
    server = serve_tls("echo", name)
    data = os.urandom(300_000)
    with server.dial() as sock:
        client = Secured(sock).handshake()
        client.ssl.write(data)
        client.say_end()
        sock.sendall(FLOOD)
        client.incoming.write(receive_all(sock))
        got = []
        assert read_what_is_there(client, got), "close_notify"
        assert b"".join(got) == data
    server.wait_said("left: finished")


@pytest.mark.parametrize("name", MODELS)
def test_who_leaves_without_our_end_has_lost_nothing(serve_tls, name):
    """It says its end and closes at once: our close_notify meets nobody."""
    server = serve_tls("echo", name)
    for _ in range(10):
        client = Secured(server.dial()).handshake()
        client.send(b"x")
        assert client.recv(1) == b"x"
        client.say_end()
        client.close()
    wait_until(lambda: server.stderr().count("left: ") == 10, server.stderr)
    assert server.stderr().count("left: finished") == 10


# ---- ahead of a bad record ----

def heard(server):
    return "".join(re.findall(r'message: \d+ bytes "(.*)"', server.stderr()))


def flight_with_a_bad_record(client, mark):
    """Five small records, a damaged one, and one more behind it."""
    flight = b""
    for number in range(5):
        client.ssl.write(b"%d-%d;" % (mark, number))
        flight += client.flight()
    client.ssl.write(b"damaged")
    flight += spoiled(client.flight(), 15)
    client.ssl.write(b"behind")
    return flight + client.flight()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
@pytest.mark.parametrize("name", ["thread+blocking", "iterative+select", "prethread+poll", "prefork+epoll",
                                  "prethread+uring"])
def test_what_came_whole_ahead_of_a_bad_record_is_delivered(serve_tls, name, version):
    """In one receive or in several: an exact prefix, and the reason."""
    server = serve_tls("echo", name, "--verbose")
    wanted = ""
    for cut in (0, 1, 30, 61, 200):
        with Secured(server.dial(), trusting(versions=(version, version))).handshake() as client:
            flight = flight_with_a_bad_record(client, cut)
            for piece in (flight[:cut], flight[cut:]):
                client.sock.sendall(piece)
            with pytest.raises(ssl.SSLError, match="BAD_RECORD_MAC"):
                while client.recv(100):
                    pass
        wanted += "".join(f"{cut}-{number};" for number in range(5))
        wait_until(lambda wanted=wanted: heard(server) == wanted, server.stderr)
    server.wait_said("left: its TLS broke: TLS: a record was damaged or forged")


def is_full(pipe):
    """So much waits in it that its writer does."""
    waiting = fcntl.ioctl(pipe, termios.FIONREAD, bytes(4))
    return int.from_bytes(waiting, "little") >= fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ) - 4096


def test_what_is_kept_for_a_reader_that_takes_its_time_is_delivered_too(good):
    """Its output is full while the bad record comes: what was held back goes first, and then the reason."""
    data = os.urandom(1 << 20)

    def talk(client):
        client.ssl.write(data)
        flight = client.flight()
        client.ssl.write(b"damaged")
        client.sock.sendall(flight + spoiled(client.flight(), 12))
        receive_what_comes(client.sock)
    with serving(good, talk=talk) as (address, raised):
        process = subprocess.Popen([PARLEY, "connect", "--tls", "--insecure", address], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        wait_until(lambda: is_full(process.stdout), "its output is full")
        got, said = process.communicate(timeout=PATIENCE)
    assert raised == [] and got == data, len(got)
    assert b"a record was damaged or forged" in said and process.returncode == 1, (said, process.returncode)


# ---- peers that end otherwise, or not at all: FAULTS B4, B8 ----

def begin_a_transfer(sock):
    """As much of it as is taken at once; nothing is read."""
    client = Secured(sock).handshake()
    client.ssl.write(bytes(1 << 20))
    sock.setblocking(False)
    try:
        sock.send(client.flight())
    except BlockingIOError:
        pass


@pytest.mark.parametrize("model", [*MODELS[1:], "prethread+epoll"])
def test_a_reset_within_tls_hurts_nobody_else(serve_tls, model):
    server = serve_tls("echo", model)
    with server.dial() as sock:
        bystander = Secured(sock).handshake()
        for turn in range(10):
            victim = server.dial()
            begin_a_transfer(victim)
            reset(victim)
            exchange(bystander, b"turn %d" % turn)
        bystander.say_end()
        assert bystander.recv(10) == b""


@pytest.mark.parametrize("model", MODELS)
def test_who_reads_nothing_within_tls_is_cut_at_the_write_deadline(serve_tls, model):
    server = serve_tls("chargen", model, "--write-timeout", "500ms")
    with server.dial(receive_buffer=4096) as sock:
        Secured(sock).handshake()
        server.wait_said("left: stalled: .*write-timeout 500ms")
