"""TLS as a server, in every model: bytes, ends, faults of the wire. The clients are Python's ssl, fed byte by byte
where it matters, and openssl s_client."""

import hashlib
import os
import re
import signal
import socket
import ssl
import subprocess
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

import procfs
from certificates import Authority, Secured, exchange_all, fingerprint, trusting
from client import dial, exchange, has_ended, receive_all, receive_exactly, receive_what_comes, wait_until
from harness import is_concurrent, only_line, run

BULK = 1 << 20
TRUNCATED = "ended without TLS's close_notify"


def probe_tls(sock):
    with Secured(sock).handshake() as secured:
        secured.send(b"are you there?")
        assert secured.recv(100) == b"are you there?"
        secured.say_end()
        assert secured.recv(100) == b""


@pytest.fixture
def serve_tls(serve, good):
    """An echo server with a good certificate."""
    def start(*options, certificate=good, **more):
        return serve("echo", options=["--tls", "--cert", certificate[0], "--key", certificate[1], *options],
                     probe=more.pop("probe", probe_tls), **more)
    return start


# ---- in every model ----

def bytes_of_all_sizes_and_both_ends(client):
    """Messages around a record's size, then more than any buffer holds, both ways at once, and both ends said."""
    for size in (1, 16383, 16384, 16385, 100_000):
        exchange(client, os.urandom(size))
    data = os.urandom(BULK)
    got = exchange_all(client, data)
    assert hashlib.sha256(got).digest() == hashlib.sha256(data).digest(), len(got)
    assert receive_all(client.sock) == b""


def many_records_in_one_segment(client):
    """Nothing of them is left inside the session, to wait for an event that does not come."""
    numbers = [b"%03d;" % number for number in range(300)]
    flight = b""
    for number in numbers:
        client.ssl.write(number)
        flight += client.flight()
    client.sock.sendall(flight)
    assert receive_exactly(client, 1200) == b"".join(numbers)
    part_in_peace(client)


def part_in_peace(client):
    client.say_end()
    assert client.recv(10) == b""


def a_handshake_in_single_bytes(sock):
    client = Secured(sock)
    for byte in client.first_flight():
        sock.send(bytes([byte]))
    exchange(client.handshake(), b"x")
    part_in_peace(client)


def a_wire_that_just_ends(client):
    exchange(client, b"all of it?")
    client.sock.shutdown(socket.SHUT_WR)
    receive_what_comes(client.sock)


def a_damaged_record(client):
    exchange(client, b"before")
    client.ssl.write(b"damaged")
    client.sock.sendall(spoiled(client.flight(), 12))
    with pytest.raises(ssl.SSLError):
        client.recv(100)


def test_bytes_and_ends(serve_tls, authority, model):
    """One server meets a client of each kind after the other. The time is long enough for a host that stalls."""
    server = serve_tls("--handshake-timeout", "2s", model=model)
    context = trusting(authority.path)
    for kind in (bytes_of_all_sizes_and_both_ends, many_records_in_one_segment, a_wire_that_just_ends, a_damaged_record):
        with Secured(server.dial(), context).handshake() as client:
            kind(client)
    with server.dial() as sock:
        a_handshake_in_single_bytes(sock)
    with server.dial() as silent:
        assert receive_what_comes(silent) == b""
    server.wait_said("left: finished")
    server.wait_said(f"left: {TRUNCATED}")
    server.wait_said("turned away: TLS: no handshake within handshake-timeout, 2000 ms")
    assert "damaged\"" not in server.stderr()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
@pytest.mark.parametrize("name", ["iterative+blocking", "prethread+epoll", "prethread+uring"])
def test_a_slow_reader_gets_every_byte(serve_tls, authority, name, version):
    """Its window is small: records go out in parts, and reading pauses in between."""
    server = serve_tls("--high-water", "64KiB", model=name)
    with dial(server.addresses[0], receive_buffer=4096) as sock:
        client = Secured(sock, trusting(authority.path, versions=(version, version))).handshake()
        data = os.urandom(BULK)
        assert exchange_all(client, data) == data
    server.wait_said("left: finished")


def test_openssl_is_served(serve_tls, authority):
    server = serve_tls()
    text = b"hello from s_client\n"
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-CAfile", authority.path,
                           "-verify_return_error", "-verify_hostname", "localhost", "-quiet", "-no_ign_eof"],
                          input=text, capture_output=True, timeout=20, check=False)
    assert done.stdout in (text, b""), done  # it leaves at the end of its input, answered or not
    server.wait_said(r'message: 20 bytes "hello from s_client\\n"')


@pytest.mark.parametrize("name", ["fork+blocking", "prethread+epoll", "prethread+uring"])
def test_the_server_says_its_end(serve, good, name):
    """`greet` answers and closes: close_notify comes before the FIN."""
    def probe(sock):
        with Secured(sock).handshake() as client:
            client.send(b"hello")
            assert client.recv(100) == b"Hello!\n"
            assert client.recv(100) == b""
    serve("greet", model=name, options=["--tls", "--cert", good[0], "--key", good[1]], probe=probe)


# ---- who does not speak TLS ----

def test_a_plain_client_is_turned_away_at_once(serve_tls):
    server = serve_tls("--handshake-timeout", "1h", "--verbose")
    for first in (b"\x1b[2J", b"GET / HTTP/1.0\r\n\r\n", b"hi", b"\0"):
        with server.dial() as sock:
            sock.sendall(first)
            receive_what_comes(sock)
    server.wait_said(r'turned away: TLS: the client speaks no TLS: it began with "\\x1b\[2J"')


def test_a_crowd_of_plain_clients_fills_no_log(serve_tls):
    """A line a second at most, which counts the others."""
    server = serve_tls()
    begun = time.monotonic()
    for _ in range(200):
        with server.dial() as sock:
            sock.sendall(b"hello\n")
            receive_what_comes(sock)
    lines = server.stderr().count("speaks no TLS")
    assert 1 <= lines <= time.monotonic() - begun + 2
    server.stop()
    assert "more suppressed" in server.stderr()


def test_a_thousand_stalled_hellos_keep_nobody_out(serve_tls):
    server = serve_tls("--handshake-timeout", "2s", model="prethread+epoll")
    hello = Secured(None).first_flight()
    socks = [server.dial() for _ in range(1000)]
    try:
        for sock in socks:
            sock.send(hello[:1 + len(hello) // 2])
        server.serve_probe()
        wait_until(lambda: all(has_ended(sock) for sock in socks), "all of them turned away")
    finally:
        for sock in socks:
            sock.close()


# ---- a wire that lies ----

def spoiled(flight, place):
    return flight[:place] + bytes([flight[place] ^ 0x20]) + flight[place + 1:]


def places(length, model):
    """Every byte where it is cheap, some elsewhere."""
    return range(0, length, 1 if model == "prethread+epoll" else 41)


def ends_unheard(sock):
    """The server closes, or at least says nothing that was sent to it, once we have finished."""
    try:
        sock.shutdown(socket.SHUT_WR)
    except OSError:
        pass
    return receive_what_comes(sock)


SECRET = b"this must never be heard"


def hello_of(_sock):
    return Secured(None).first_flight()


def last_flight_of(sock):
    """What the client says last in the handshake, with its first message behind it."""
    client = Secured(sock)
    sock.sendall(client.first_flight())
    while True:
        client.incoming.write(sock.recv(1 << 16))
        try:
            client.ssl.do_handshake()
            break
        except ssl.SSLWantReadError:
            pass
    client.ssl.write(SECRET)
    return client.flight()


def test_a_damaged_record_is_told(serve_tls):
    server = serve_tls()
    with Secured(server.dial()).handshake() as client:
        a_damaged_record(client)
    server.wait_said("left: its TLS broke: TLS: a record was damaged or forged")


@pytest.mark.parametrize("flight_of", [hello_of, last_flight_of])
@pytest.mark.parametrize("name", ["fork+blocking", "thread+select", "prefork+poll", "prethread+epoll", "prethread+uring"])
def test_damage_at_each_byte_is_never_delivered(serve_tls, name, flight_of):
    """Bits flipped, or the wire cut, anywhere in what a client sends up to its first message."""
    server = serve_tls("--verbose", model=name)
    with server.dial() as sock:
        length = len(flight_of(sock))
    for place in places(length, name):
        for damage in (spoiled, lambda flight, place: flight[:place]):
            with server.dial() as sock:
                sock.sendall(damage(flight_of(sock), place))
                ends_unheard(sock)
    assert SECRET.decode() not in server.stderr()


# ---- what the protocol allows and we do not ----

def s_client(server, *options, commands=""):
    return subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", *options], input=commands,
                          capture_output=True, text=True, timeout=20, check=False)


def test_renegotiation_is_refused(serve_tls):
    server = serve_tls()
    done = s_client(server, "-tls1_2", commands="R\n")
    assert "no renegotiation" in done.stderr, done.stderr[-2000:]


def test_early_data_is_refused(serve_tls, tmp_path):
    server = serve_tls()
    early = tmp_path / "early"
    early.write_text("too early")
    s_client(server, "-sess_out", str(tmp_path / "session"), commands="Q\n")
    done = s_client(server, "-sess_in", str(tmp_path / "session"), "-early_data", str(early), commands="Q\n")
    assert "Early data was accepted" not in done.stdout
    assert "too early" not in server.stderr()


def test_old_versions_are_refused(serve_tls):
    server = serve_tls()
    for version in ("-tls1", "-tls1_1"):
        assert s_client(server, version, "-cipher", "ALL:@SECLEVEL=0").returncode != 0
    server.wait_said("turned away: TLS: the peer offers no version of TLS that is allowed here")


def test_a_version_can_be_pinned(serve_tls, authority):
    server = serve_tls("--tls-min", "1.3")
    with server.dial() as sock, pytest.raises(ssl.SSLError):
        Secured(sock, trusting(authority.path, versions=(None, ssl.TLSVersion.TLSv1_2))).handshake()
    with server.dial() as sock:
        assert Secured(sock).handshake().ssl.version() == "TLSv1.3"


def flood_of(secrets, label, count, content, kind):
    """Records of TLS 1.3 as a client that is not OpenSSL would make them, each behind a key update if asked."""
    def expand(secret, name, size):
        info = size.to_bytes(2, "big") + bytes([6 + len(name)]) + b"tls13 " + name + b"\0"
        return HKDFExpand(hashes.SHA384(), size, info).derive(secret)
    secret, flood, sequence = secrets[label], b"", 0
    for _ in range(count):
        nonce = bytes(a ^ b for a, b in zip(expand(secret, b"iv", 12), sequence.to_bytes(12, "big")))
        header = b"\x17\x03\x03" + (len(content) + 17).to_bytes(2, "big")
        flood += header + AESGCM(expand(secret, b"key", 32)).encrypt(nonce, content + bytes([kind]), header)
        sequence += 1
        if kind == 22:
            secret, sequence = expand(secret, b"traffic upd", 48), 0
    return flood


@pytest.mark.parametrize("content, kind", [(b"\x18\0\0\1\0", 22), (b"", 23)], ids=["key updates", "empty records"])
def test_a_flood_that_says_nothing_is_cut(serve_tls, tmp_path, content, kind):
    server = serve_tls()
    context = trusting()
    context.keylog_filename = str(tmp_path / "keys")
    with Secured(server.dial(), context).handshake() as client:
        assert client.ssl.cipher()[0] == "TLS_AES_256_GCM_SHA384"
        secrets = {line.split()[0]: bytes.fromhex(line.split()[2])
                   for line in (tmp_path / "keys").read_text().splitlines() if not line.startswith("#")}
        client.sock.sendall(flood_of(secrets, "CLIENT_TRAFFIC_SECRET_0", 1000, content, kind))
        wait_until(lambda: has_ended(client.sock), "it is cut")
    server.wait_said("left: its TLS broke: TLS: (more than 32 messages|.*record)")


# ---- certificates of the server's ----

def test_what_a_client_asks_for_reads_as_no_fact_of_ours(serve_tls, authority):
    server = serve_tls("-v", "--client-ca", authority.path, probe=None)
    certificate = authority.client('a", verified by us')[:2]
    with Secured(server.dial(), trusting(certificate=certificate), name='x, is "root"').handshake() as secured:
        exchange(secured, b"hello")
    server.wait_said(r'asked for "x, is \\"root\\"", is "a\\", verified by us", verified by its chain\n')


def test_the_longest_name_hides_nothing(serve_tls, authority):
    """Each of its bytes is four in the log."""
    server = serve_tls("-v", "--client-ca", authority.path, probe=None)
    name = ".".join(["\x01" * 60] * 4)
    with Secured(server.dial(), trusting(certificate=authority.client("alice")[:2]), name=name).handshake() as secured:
        exchange(secured, b"hello")
    server.wait_said(r'asked for "(\\x01)+.*…", is "alice", verified by its chain\n')


def test_the_name_that_is_asked_for_chooses_the_certificate(serve_tls, authority):
    one = authority.issue("one", names=["one.test"])
    wild = authority.issue("wild", names=["*.wild.test"])
    server = serve_tls("--cert", one[0], "--key", one[1], "--cert", wild[0], "--key", wild[1])
    names = {"one.test": "one", "a.wild.test": "wild", "localhost": "good"}
    for name, subject in names.items():
        with Secured(server.dial(), trusting(authority.path), name).handshake() as client:
            assert dict(client.ssl.getpeercert()["subject"][0])["commonName"] == subject
    for name in ("a.b.wild.test", "wild.test", "unknown.test"):
        with server.dial() as sock, pytest.raises(ssl.SSLCertVerificationError):
            Secured(sock, trusting(authority.path), name).handshake()


def test_protocols_are_agreed_on(serve_tls):
    server = serve_tls("--alpn", "one,two")
    for offered, wanted in ((["two", "one"], "one"), (["two"], "two"), (None, None)):
        context = trusting()
        if offered:
            context.set_alpn_protocols(offered)
        with Secured(server.dial(), context).handshake() as client:
            assert client.ssl.selected_alpn_protocol() == wanted
    context = trusting()
    context.set_alpn_protocols(["three"])
    with server.dial() as sock, pytest.raises(ssl.SSLError):
        Secured(sock, context).handshake()
    server.wait_said("turned away: TLS: the client speaks none of the protocols offered")


def test_a_throw_away_certificate_tells_its_fingerprint(serve):
    server = serve("echo", options=["--tls", "self-signed"], probe=probe_tls)
    pin = server.wait_said(r"TLS with a throw-away certificate for localhost, 127.0.0.1, ::1.* --pin (sha256:\w+)")[1]
    with Secured(server.dial()).handshake() as client:
        assert "sha256:" + hashlib.sha256(client.ssl.getpeercert(True)).hexdigest() == pin
    done = run("connect", "--tls", "--pin", pin, "--send", "hello", server.addresses[0])
    assert (done.returncode, done.stdout, done.stderr) == (0, "hello", "")


# ---- certificates of clients ----

@pytest.mark.parametrize("name", ["fork+epoll", "prethread+uring"])
def test_clients_must_show_a_certificate_that_is_trusted(serve_tls, authority, tmp_path, name):
    ours, theirs = authority.client()[:2], Authority(tmp_path, "Another Authority").client("a stranger")[:2]

    def probe(sock):
        with Secured(sock, trusting(certificate=ours)).handshake() as client:
            client.send(b"x")
            assert client.recv(10) == b"x"
            client.say_end()
            assert client.recv(10) == b""
    server = serve_tls("--client-ca", authority.path, "--verbose", model=name, probe=probe)
    server.wait_said(r'TLS: TLSv1.3, .*is "a client", verified by its chain')

    def is_refused(certificate, reason):
        with server.dial() as sock, pytest.raises((ssl.SSLError, ConnectionError)):
            client = Secured(sock, trusting(certificate=certificate)).handshake()
            client.send(SECRET)
            client.recv(10)
        return f"turned away: TLS: the client{reason}" in server.stderr()  # one such line a second
    wait_until(lambda: is_refused(None, " showed no certificate"), "one without is refused")
    wait_until(lambda: is_refused(theirs, "'s certificate was issued by \"Another Authority\""), "a stranger is refused")
    assert SECRET.decode() not in server.stderr()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_a_session_is_resumed_where_it_was_made_and_nowhere_else(serve_tls, authority, tmp_path, version):
    """Also by another process; but not under other authorities, which did not let this client in."""
    context = trusting(authority.path, certificate=authority.client()[:2], versions=(version, version))
    other = Authority(tmp_path, "Another Authority")

    def probe(sock):
        talk(sock, None)

    def talk(sock, session):
        with Secured(sock, context, session=session).handshake() as client:
            client.send(b"x")
            assert client.recv(10) == b"x"
            resumed, fresh = client.ssl.session_reused, client.ssl.session
            client.say_end()
            assert client.recv(10) == b""
            return resumed, fresh
    server = serve_tls("--client-ca", authority.path, model="prefork+epoll", probe=probe)
    stranger = serve_tls("--client-ca", other.path, probe=None)
    session = talk(server.dial(), None)[1]
    for _ in range(6):
        resumed, session = talk(server.dial(), session)
        assert resumed
    with pytest.raises((ssl.SSLError, ConnectionError)):
        talk(stranger.dial(), session)
    stranger.wait_said("turned away: TLS: the client's certificate was issued by")


# ---- changed certificates ----

def test_what_came_of_a_hang_up_is_told_whole(serve_tls, authority, tmp_path):
    """One line of a kind a second hides nothing that one signal came to."""
    networks, live = tmp_path / "networks", Authority(tmp_path).issue("live")
    networks.write_text("127.0.0.0/8\n")
    server = serve_tls("--allow", f"@{networks}", "--quiet", certificate=live)
    networks.write_text("nonsense\n")
    Path(live[1]).write_text("nonsense\n")
    server.signal(signal.SIGHUP)
    server.wait_said(r"networks:1: .*; the access lists stay as they were")
    server.wait_said(r"no private key is in it \(PEM is wanted\); the certificates stay as they were")
    server.checked_after = False
    server.stop()
    assert "suppressed" not in server.stderr()


@pytest.mark.parametrize("name", ["fork+epoll", "prethread+epoll"])
def test_a_pipe_in_a_file_s_place_keeps_nobody_waiting(serve_tls, tmp_path, name):
    live = Authority(tmp_path).issue("live")
    server = serve_tls(certificate=live, model=name)
    Path(live[0]).unlink()
    os.mkfifo(live[0])
    server.signal(signal.SIGHUP)
    server.wait_said(r"live-1\.pem: not a regular file; the certificates stay as they were")


@pytest.mark.parametrize("name", ["iterative+blocking", "fork+blocking", "thread+uring", "prefork+epoll", "prethread+poll"])
def test_changed_certificates_are_read_on_hup_and_broken_ones_are_not(serve_tls, authority, tmp_path, name):
    certificate, key = tmp_path / "live.pem", tmp_path / "live.key"

    def install(issued):
        certificate.write_bytes(open(issued[0], "rb").read())
        key.write_bytes(open(issued[1], "rb").read())

    def shown():
        with Secured(server.dial()).handshake() as client:
            der = client.ssl.getpeercert(True)
            client.say_end()
            assert client.recv(10) == b""
            return "sha256:" + hashlib.sha256(der).hexdigest()
    first, second = authority.issue("first"), authority.issue("second")
    install(first)
    server = serve_tls(certificate=(str(certificate), str(key)), model=name)
    assert shown() == fingerprint(first[2])
    under_way = Secured(server.dial()).handshake() if is_concurrent(name) else None
    install(second)
    server.signal(signal.SIGHUP)
    server.wait_said("the certificates have been read again")
    wait_until(lambda: shown() == fingerprint(second[2]), "the second certificate shows")
    # Each worker process reads for itself, when it comes to it.
    wait_until(lambda: procfs.is_asleep(server.pid), "all have read")
    key.write_bytes(open(first[1], "rb").read())
    server.signal(signal.SIGHUP)
    server.wait_said(r"key .*live.key, for cert .*live.pem: the key does not belong to the certificate; the "
                     r"certificates stay as they were")
    assert shown() == fingerprint(second[2])
    if under_way:
        with under_way:
            under_way.send(b"still here")
            assert under_way.recv(100) == b"still here"
            under_way.say_end()
            assert under_way.recv(10) == b""


@pytest.mark.parametrize("spoil, reason", [
    (lambda path: os.unlink(path), "no such file"),
    (lambda path: open(path, "w").close(), "no certificate is in it"),
    (lambda path: open(path, "w").write("-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----\n"), "."),
], ids=["missing", "empty", "garbage"])
def test_a_server_that_cannot_use_its_certificate_says_so(authority, tmp_path, spoil, reason):
    files = [tmp_path / "bad.pem", tmp_path / "bad.key"]
    for made, path in zip(authority.issue("bad"), files):
        path.write_bytes(open(made, "rb").read())
    spoil(files[0])
    done = run("serve", "echo", "127.0.0.1", "0", "--tls", "--cert", str(files[0]), "--key", str(files[1]))
    assert done.returncode == 2
    assert re.search(rf"parley serve: cert .*bad.pem: .*({reason})", only_line(done.stderr)), done.stderr


def test_a_certificate_without_its_key_is_refused(good):
    done = run("serve", "echo", "127.0.0.1", "0", "--tls", "--cert", good[0])
    assert done.returncode == 2
    assert f"cert {good[0]}: no key was named, and of one in the same file: " in only_line(done.stderr)


@pytest.mark.parametrize("options, reason", [
    (["--tls"], "tls needs a certificate"), (["--cert", "x"], "--cert goes with --tls; add it"),
    (["--tls", "self-signed", "--cert", "x"], "leave cert x out"),
    (["--tls", "--cert", "x", "--key", "y", "--key", "z"], "key z belongs to no cert"),
    (["--tls", "self-signed", "--tls-min", "1.3", "--tls-max", "1.2"], "leave no version"),
    (["--tls", "self-signed", "--alpn", "a,,b"], "names of 1 to 255 bytes")])
def test_what_does_not_fit_together_is_said(options, reason):
    done = run("serve", "echo", "127.0.0.1", "0", *options)
    assert done.returncode == 2 and reason in only_line(done.stderr), done.stderr
