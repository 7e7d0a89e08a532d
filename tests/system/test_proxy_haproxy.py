"""Behind a real HAProxy, which speaks for its clients in version 1, in version 2, and in front of TLS; and in front of
one, which reads what `connect --proxy-send` says."""

import contextlib
import re
import socket
import subprocess
from pathlib import Path

import pytest

from certificates import trusting
from client import PATIENCE, exchange, receive_all
from talking import parley

# HAProxy connects from here, so that clients from elsewhere may come by themselves.
PROXY_ADDRESS = "127.0.0.2"
CONFIGURATION = """
global
    maxconn 100
defaults
    mode tcp
    timeout connect 10s
    timeout client 30s
    timeout server 30s
listen it
    bind fd@{front} {accepts}
    server behind {back} source {source} {speaks}
"""


@contextlib.contextmanager
def haproxy(tmp_path, back, speaks, accepts=""):
    """One that runs, by the address its clients come to. It is given a socket that listens already."""
    with socket.create_server(("127.0.0.1", 0)) as front:
        address = front.getsockname()
        path = tmp_path / "haproxy.cfg"
        path.write_text(CONFIGURATION.format(front=front.fileno(), accepts=accepts, back=back, source=PROXY_ADDRESS,
                                             speaks=speaks), encoding="ascii")
        process = subprocess.Popen(["haproxy", "-db", "-f", str(path)], pass_fds=[front.fileno()],
                                   stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        yield address
        assert process.poll() is None, process.stderr.read().decode()
    finally:
        process.kill()
        process.communicate()


def serve_behind(serve, *options, **more):
    return serve("echo", options=["--proxy-from", PROXY_ADDRESS, *options], **more)


def dial(address):
    sock = socket.create_connection(address, PATIENCE)
    return sock, f"127.0.0.1:{sock.getsockname()[1]}"


# ---- behind it ----

@pytest.mark.parametrize("speaks", ["send-proxy", "send-proxy-v2",
                                    "send-proxy-v2 proxy-v2-options crc32c,unique-id,authority"])
@pytest.mark.parametrize("model", ["iterative+blocking", "fork+blocking", "prefork+epoll", "prethread+uring"])
def test_the_client_in_front_is_the_client(serve, tmp_path, model, speaks):
    server = serve_behind(serve, model=model)
    with haproxy(tmp_path, server.addresses[0], speaks) as address:
        for message in (b"hello", b"x" * 200_000):
            sock, me = dial(address)
            with sock:
                exchange(sock, message)
                sock.shutdown(socket.SHUT_WR)
                assert receive_all(sock) == b""
            server.wait_said(rf"{me} connected via {PROXY_ADDRESS}:\d+\b")
            server.wait_said(rf"{me} left: finished")


def test_tls_behind_the_header(serve, tmp_path, authority):
    """HAProxy passes on what it does not understand: the handshake is between its client and us."""
    certificate, key, _ = authority.issue("good")
    server = serve_behind(serve, "--tls", "--cert", certificate, "--key", key, probe=None)
    with haproxy(tmp_path, server.addresses[0], "send-proxy-v2 proxy-v2-options crc32c") as address:
        sock, me = dial(address)
        with trusting(authority.path).wrap_socket(sock, server_hostname="localhost") as secured:
            exchange(secured, b"hello")
        server.wait_said(rf"{me} connected via {PROXY_ADDRESS}:\d+\b")


def test_tls_that_ends_at_the_proxy(serve, tmp_path, authority):
    """Its header brings the facts of the session, the client's certificate among them."""
    certificate, key, _ = authority.issue("front")
    both = authority.write("both.pem", Path(certificate).read_bytes(), Path(key).read_bytes())
    own, own_key, _ = authority.client("alice")
    server = serve_behind(serve, "-v")
    speaks = "send-proxy-v2-ssl-cn proxy-v2-options ssl,cert-cn,ssl-cipher,authority,crc32c"
    with haproxy(tmp_path, server.addresses[0], speaks,
                 accepts=f"ssl crt {both} ca-file {authority.path} verify optional") as address:
        context = trusting(authority.path, (own, own_key))
        sock, me = dial(address)
        with context.wrap_socket(sock, server_hostname="localhost") as secured:
            exchange(secured, b"hello")
        server.wait_said(rf"{me} connected via {PROXY_ADDRESS}:\d+\b")
    server.wait_said(rf'{me} TLS at the proxy: TLSv1\.3, TLS_\w+, asked for "localhost", is "alice", verified by the proxy')


def test_health_checks_speak_for_the_proxy_itself(serve, tmp_path):
    server = serve_behind(serve)
    with haproxy(tmp_path, server.addresses[0], "send-proxy-v2 check-send-proxy check inter 100ms"):
        server.wait_said(rf"{PROXY_ADDRESS}:\d+ connected(?! via)")
    assert "turned away" not in server.stderr()


def test_a_proxy_that_says_nothing_is_turned_away(serve, tmp_path):
    server = serve_behind(serve)
    with haproxy(tmp_path, server.addresses[0], "") as address:
        sock, _ = dial(address)
        with sock:
            sock.sendall(b"hello")
            with contextlib.suppress(ConnectionResetError):
                assert sock.recv(100) == b""
    server.wait_said(rf"{PROXY_ADDRESS}:\d+ turned away: PROXY header")


# ---- in front of it ----

@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("source", ["192.0.2.1:1234", "[2001:db8::1]:1234"])
def test_it_reads_what_we_say(serve, tmp_path, version, source):
    """And says it again, to a server of ours."""
    server = serve_behind(serve)
    with haproxy(tmp_path, server.addresses[0], "send-proxy-v2", accepts="accept-proxy") as address:
        done = parley("connect", "127.0.0.1", address[1], "--send", "hello", "--proxy-send", version,
                      "--proxy-source", source)
    assert (done.returncode, done.stdout) == (0, b"hello"), done.stderr
    server.wait_said(rf"{re.escape(source)} connected via {PROXY_ADDRESS}:\d+\b")
