"""`connect --tls`: whom it believes, what it says of whom it does not, and how it ends. The servers are Python's."""

import errno
import json
import re
import socket
import ssl
import subprocess
import threading
from contextlib import contextmanager

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from certificates import DAY, NOW, Authority, Secured, fingerprint, pem_of
from client import PATIENCE, receive_what_comes
from harness import PARLEY, only_line, run


def echo(secured):
    """Until the client says its end."""
    while data := secured.recv(1 << 16):
        secured.send(data)
    secured.say_end()


@contextmanager
def listening(serve_one):
    """A server in a thread; its address, and what its one client made it raise."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        raised = []

        def accept():
            try:
                with listener.accept()[0] as sock:
                    sock.settimeout(PATIENCE)
                    serve_one(sock)
            except OSError as error:
                raised.append(error)
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}", raised
        thread.join(PATIENCE)


def context_of(certificate, client_authority=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.load_cert_chain(*certificate[:2])
    if client_authority:
        context.load_verify_locations(client_authority)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def serving(certificate, talk=echo, client_authority=None):
    def serve_one(sock):
        talk(Secured(sock, context_of(certificate, client_authority), server_side=True).handshake())
    return listening(serve_one)


def connect(address, *options, host="localhost"):
    done = run("connect", "--tls", "--handshake-timeout", "10s", *options, "--send", "hello",
               f"{host}:{address.rpartition(':')[2]}")
    done.stderr = re.sub(r"(?m)^localhost is .*\n", "", done.stderr)
    return done


# ---- believed ----

@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_good_certificate_is_believed(authority, good, host):
    with serving(good) as (address, raised):
        done = connect(address, "--ca", authority.path, host=host)
    assert (done.returncode, done.stdout, done.stderr, raised) == (0, "hello", "", [])


def test_verbose_tells_protocol_cipher_and_name(authority, good):
    with serving(good) as (address, _):
        done = connect(address, "--ca", authority.path, "-v")
    assert "TLS: TLSv1.3, TLS_AES_256_GCM_SHA384" in done.stderr and 'verified for localhost' in done.stderr


def test_the_dot_of_the_root_is_no_part_of_a_name(authority, good):
    with serving(good) as (address, _):
        done = connect(address, "--ca", authority.path, "--server-name", "localhost.", host="127.0.0.1")
    assert (done.returncode, done.stdout) == (0, "hello"), done.stderr


@pytest.mark.parametrize("name, complaint", [(".test", "begins with a dot: give the whole name of one host"),
                                             ("a" * 256, "the name of a host has at most 255 bytes")],
                         ids=["a dot", "256 bytes"])
def test_names_that_are_no_host_s(authority, name, complaint):
    done = connect("127.0.0.1:1", "--ca", authority.path, "--server-name", name)
    assert done.returncode == 2 and complaint in only_line(done.stderr)


def test_another_name_may_be_expected(authority):
    with serving(authority.issue("other", names=["other.test"])) as (address, _):
        done = connect(address, "--ca", authority.path, "--server-name", "other.test", host="127.0.0.1")
    assert (done.returncode, done.stdout) == (0, "hello")


def test_a_pin_is_enough(good, authority):
    expired = authority.issue("pinned", names=None, begin=NOW - 2 * DAY, end=NOW - DAY)
    for certificate in (good, expired):
        with serving(certificate) as (address, _):
            done = connect(address, "--pin", fingerprint(certificate[2]))
        assert (done.returncode, done.stdout, done.stderr) == (0, "hello", "")


def test_insecure_says_so_loudly(good):
    with serving(good) as (address, _):
        done = connect(address, "--insecure")
    assert (done.returncode, done.stdout) == (0, "hello")
    assert "the server's certificate is not verified" in only_line(done.stderr)


def test_a_client_shows_its_certificate_when_asked(authority, good):
    ours = authority.client()
    with serving(good, client_authority=authority.path) as (address, raised):
        done = connect(address, "--ca", authority.path, "--cert", ours[0], "--key", ours[1])
    assert (done.returncode, done.stdout, raised) == (0, "hello", [])
    with serving(good, client_authority=authority.path) as (address, raised):
        done = connect(address, "--ca", authority.path)
    assert done.returncode == 1 and "the server wants a client's certificate" in only_line(done.stderr), done.stderr


# ---- not believed: the zoo ----

def when(date):
    return date.replace(microsecond=0).strftime("%Y-%m-%d %H:%M:%S UTC")


def self_signed(_authority, directory):
    own = Authority(directory, "localhost")
    return (own.path, own.write("own.key", pem_of(own.key)), own.certificate)


ZOO = {
    "expired": (lambda a, d: a.issue("expired", begin=NOW - 3 * DAY, end=NOW - DAY), f"expired on {when(NOW - DAY)}"),
    "not yet valid": (lambda a, d: a.issue("early", begin=NOW + DAY, end=NOW + 2 * DAY),
                      f"is not valid before {when(NOW + DAY)}"),
    "wrong name": (lambda a, d: a.issue("wrong", names=["other.test", "10.0.0.1"]),
                   "is for other.test, 10.0.0.1, not for localhost"),
    "address only": (lambda a, d: a.issue("address", names=["127.0.0.1"]), "is for 127.0.0.1, not for localhost"),
    "common name only": (lambda a, d: a.issue("cn", names=None, subject="localhost"), "is for no host, not for localhost"),
    "partial wildcard": (lambda a, d: a.issue("wild", names=["local*"]), r"is for local*, not for localhost"),
    "NUL in the name": (lambda a, d: a.issue("nul", names=["localhost\0.evil.test"]),
                        r"is for localhost\x00.evil.test, not for localhost"),
    "self-signed": (self_signed, "is self-signed: nobody vouches for it (its fingerprint is sha256:"),
    "unknown authority": (lambda a, d: Authority(d, "Nobody Knows").issue("unknown"),
                          'was issued by "Nobody Knows", who is not trusted here'),
    "weak key": (lambda a, d: a.issue("weak", bits=1024), "has a key that is too weak"),
    "wrong usage": (lambda a, d: a.issue("usage", usage=ExtendedKeyUsageOID.CLIENT_AUTH),
                    "is not made for this purpose (extended key usage)"),
}


@pytest.mark.parametrize("kind", ZOO)
def test_a_certificate_that_is_not_good_is_refused_with_its_reason(authority, tmp_path, kind):
    make, reason = ZOO[kind]
    heard = []
    with serving(make(authority, tmp_path), talk=lambda secured: heard.append(secured.recv(100))) as (address, raised):
        done = connect(address, "--ca", authority.path)
    assert done.returncode == 1 and done.stdout == "" and not heard
    assert f"TLS: the server's certificate {reason}" in only_line(done.stderr), done.stderr
    assert raised, "the server was told by an alert"


def test_a_revoked_certificate_is_refused(authority):
    revoked = authority.issue("revoked")
    with serving(revoked) as (address, _):
        done = connect(address, "--ca", authority.revoke(revoked[2]))
    assert done.returncode == 1 and "the server's certificate was revoked" in only_line(done.stderr), done.stderr


def test_the_system_s_authorities_are_asked_by_default(good):
    with serving(good) as (address, _):
        done = connect(address)
    assert done.returncode == 1 and 'was issued by "Test Authority", who is not trusted here' in only_line(done.stderr)


def test_another_than_the_pinned_one_is_refused(authority, good):
    with serving(good) as (address, _):
        done = connect(address, "--pin", "sha256:" + "00" * 32)
    assert done.returncode == 1
    assert f"is not the pinned one: its fingerprint is {fingerprint(good[2])}" in only_line(done.stderr)


def test_an_authority_that_is_not_to_be_read_is_said(tmp_path):
    for options, reason in ((["--ca", str(tmp_path / "none.pem")], "ca .*none.pem: no such file"),
                            (["--pin", "sha256:12"], "pin 'sha256:12' is not sha256: and the 64 hexadecimal digits"),
                            (["--insecure", "--pin", "sha256:" + "00" * 32], "choose one")):
        done = run("connect", "--tls", *options, "127.0.0.1:1")
        assert done.returncode == 2 and re.search(reason, only_line(done.stderr)), done.stderr


# ---- ends ----

def test_an_end_without_close_notify_is_a_failure_and_its_file_is_discarded(authority, good, tmp_path):
    def cut(secured):
        secured.send(b"all of it?")
        while secured.recv(100):
            pass
    with serving(good, talk=cut) as (address, _):
        done = connect(address, "--ca", authority.path, "--save", str(tmp_path / "saved"))
    assert (done.returncode, done.stdout) == (3, "all of it?")
    assert "ended without TLS's close_notify: there may have been more" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_plain_echo_is_told_what_it_may_be():
    """What it says looks like TLS: it is what we said."""
    with listening(lambda sock: sock.sendall(sock.recv(65536))) as (address, _):
        done = connect(address, "--insecure")
    assert done.returncode == 1 and "TLS: the peer said what has no place here: perhaps it speaks no TLS" in done.stderr


def test_a_plain_server_is_told_at_once():
    with listening(lambda sock: (sock.sendall(b"220 welcome\r\n"), receive_what_comes(sock))) as (address, _):
        done = connect(address, "--insecure")
    assert done.returncode == 1
    assert r'TLS: the server speaks no TLS: it began with "220 welcome\r\n"' in done.stderr


def test_a_server_that_says_nothing_is_given_up_in_time():
    """And nobody waits for its end."""
    given_up = threading.Event()
    with listening(lambda sock: given_up.wait(2 * PATIENCE)) as (address, _):
        try:
            done = connect(address, "--insecure", "--handshake-timeout", "300ms", "--linger", "1h")
        finally:
            given_up.set()
    assert done.returncode == 4 and "TLS: no handshake within handshake-timeout, 300 ms" in done.stderr


def test_a_plain_echo_server_is_told(serve):
    done = connect(serve("echo").addresses[0], "--insecure")
    assert done.returncode == 1 and "TLS: " in done.stderr


# ---- both ends ours ----

@pytest.mark.parametrize("model", ["iterative+select", "iterative+poll", "iterative+epoll", "iterative+uring"])
def test_parley_talks_to_parley(serve, authority, good, tmp_path, model):
    server = serve("echo", options=["--tls", "--cert", good[0], "--key", good[1], "--quiet"], probe=None)
    sent = tmp_path / "sent"
    sent.write_bytes(bytes(range(256)) * 8192)
    with open(sent, "rb") as data:
        done = subprocess.run([PARLEY, "connect", "--tls", "--ca", authority.path, "--model", model,
                               f"localhost:{server.port}"], stdin=data, capture_output=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0 and done.stdout == sent.read_bytes(), done.stderr


@pytest.mark.parametrize("poller", ["select", "poll", "epoll", "uring"])
def test_a_load_speaks_tls(serve, authority, good, poller):
    """Every byte is compared; each connection of a churn is a handshake, resumed or whole."""
    server = serve("echo", options=["--tls", "--cert", good[0], "--key", good[1], "--quiet"], probe=None)
    target = ["--tls", "--ca", authority.path, "--poller", poller, "-d", "300ms", f"localhost:{server.port}"]
    done = run("load", "-c", "4", "--depth", "4", "--size", "20KiB", "--verify", *target)
    assert "closed loop" in done.stdout and re.search(r"errors\s+0", done.stdout), done
    done = run("load", "-c", "4", "--churn", *target)
    assert "churn of TLS handshakes" in done.stdout and re.search(r"errors\s+0", done.stdout), done
    done = run("load", "-c", "4", "--churn", "--resume", *target)
    assert "churn of resumed TLS handshakes" in done.stdout and re.search(r"errors\s+0", done.stdout), done


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_load_resumes_when_told_and_tells_how_often(serve, authority, good, tmp_path, version):
    server = serve("echo", options=["--tls", "--cert", good[0], "--key", good[1], "-v"], probe=None)
    files = [str(tmp_path / "result.json"), str(tmp_path / "result.html")]

    def load(*options):
        done = run("load", "-c", "8", "--churn", "-d", "300ms", "--tls", "--tls-max", version, "--ca", authority.path,
                   "--json", files[0], "--report", files[1], *options, f"localhost:{server.port}")
        assert done.returncode == 0, done
        with open(files[0], encoding="utf-8") as file:
            return done.stdout, json.load(file)
    table, result = load("--resume")
    server.wait_said(f"TLS: TLSv{version}.*resumed: yes")
    assert result["resumed"] == result["connects"] > 0
    assert f"resumed     {result['resumed']} of {result['connects']} TLS handshakes, 100 %" in table, table
    with open(files[1], encoding="utf-8") as file:
        assert "Sessions resumed</dt><dd>100 %</dd>" in file.read()
    table, result = load()
    assert result["resumed"] is None and "resumed" not in table


def test_a_load_that_resumes_nothing_says_so(good):
    """The server gives no tickets."""
    context = context_of(good)
    context.num_tickets = 0
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def accept():
            while True:
                try:
                    with listener.accept()[0] as sock:
                        echo(Secured(sock, context, server_side=True).handshake())
                except OSError as error:
                    if error.errno == errno.EBADF:
                        return
        threading.Thread(target=accept, daemon=True).start()
        done = run("load", "-c", "1", "--churn", "--resume", "-d", "300ms", "--tls", "--insecure",
                   f"127.0.0.1:{listener.getsockname()[1]}")
    assert re.search(r"resumed     NONE of \d+ TLS handshakes: all were whole ones", done.stdout), done


def test_a_load_of_strangers_is_refused(serve, good):
    server = serve("echo", options=["--tls", "--cert", good[0], "--key", good[1], "--quiet"], probe=None)
    done = run("load", "-d", "300ms", "--tls", f"localhost:{server.port}")
    assert done.returncode == 1 and 'was issued by "Test Authority"' in done.stderr, done


def test_listen_speaks_tls_too(tmp_path):
    with open(tmp_path / "log", "w") as log, subprocess.Popen(
            [PARLEY, "listen", "--tls", "self-signed", "--print-port", "127.0.0.1", "0", "-v"], stderr=log,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        port = process.stdout.readline().decode().strip()
        with Secured(socket.create_connection(("127.0.0.1", port), PATIENCE)).handshake() as client:
            client.send(b"hello, operator\n")
            assert process.stdout.readline() == b"hello, operator\n"
            process.stdin.write(b"hello, client\n")
            process.stdin.close()
            assert client.recv(100) == b"hello, client\n"
            assert client.recv(100) == b""
            client.say_end()
        assert process.wait(PATIENCE) == 0
