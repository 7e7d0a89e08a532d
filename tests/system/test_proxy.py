"""PROXY headers in front of connections (FAULTS G): who may send them, what they say, what breaks their rules."""

import fcntl
import socket
import struct
import termios

import pytest

import proxying
from client import dial, exchange, has_bytes, receive_all, receive_exactly, receive_what_comes, wait_until
from harness import SOME_MODELS, only_line, run
from proxying import IPV4, LOCAL, PROXY, SIGNATURE, tlv, v1, v2, v2_unix, with_sum

# On the loopback every address of 127.0.0.0/8 is ours: this one is the proxy's, 127.0.0.1 is anybody's.
PROXY_ADDRESS = "127.0.0.2"


def dial_as_proxy(server, index=0):
    return server.dial(index, bind=(PROXY_ADDRESS, 0))


def serve_behind_proxy(serve, service="echo", *addresses, model=None, options=(), **more):
    return serve(service, *addresses, model=model, options=["--proxy-from", PROXY_ADDRESS, *options], **more)


def name_of(sock):
    return f"{PROXY_ADDRESS}:{sock.getsockname()[1]}"


TLS = tlv(0x20, b"\7\0\0\0\0" + tlv(0x21, b"TLSv1.3") + tlv(0x22, b"alice"))
GIVEN = {
    v1(): "10.0.0.1:40000",
    v1(("2001:db8::1", 1), ("2001:db8::2", 65535)): "[2001:db8::1]:1",
    v2(): "10.0.0.1:40000",
    v2(("2001:db8::1", 40000), ("::1", 80)): "[2001:db8::1]:40000",
    v2(facts=tlv(2, b"example.org") + TLS + tlv(0xE0, bytes(500))): "10.0.0.1:40000",
    with_sum(v2()): "10.0.0.1:40000",
    v2_unix(b"/run/client"): "unix:/run/client",
    v2_unix(b"\0name"): "@name",
}
OWN = [b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN ::1 ::1 1 2\r\n", proxying.header(LOCAL, 0, b""),
       proxying.header(LOCAL, 0xFF, b"x" * 300), proxying.header(PROXY, 0, b"not to be looked at")]


# ---- what is let in ----

def test_the_client_is_whom_the_header_names(serve, model):
    """Bytes behind the header are the client's, though they came with it; a second header is some of them."""
    server = serve_behind_proxy(serve, model=model)
    for made, client in GIVEN.items():
        with dial_as_proxy(server) as sock:
            me = name_of(sock)
            exchange(sock, made + v1() + b"hello", v1() + b"hello")
            exchange(sock, made)
        server.wait_said(rf"{client.replace('[', '.').replace(']', '.')} connected via {me}\b")
        server.wait_said(rf"{client.replace('[', '.').replace(']', '.')} left: finished")
    for made in OWN:
        with dial_as_proxy(server) as sock:
            me = name_of(sock)
            exchange(sock, made + b"hello", b"hello")
        server.wait_said(rf"{me} connected(?! via)")


def wait_read(sock):
    """Of a unix socket the kernel says how much of what was sent the other side has not read."""
    def unread():
        return struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)))[0]
    wait_until(lambda: unread() == 0, lambda: f"all is read; {unread()} are not")


@pytest.mark.parametrize("model", ["iterative+blocking", "prethread+epoll", "prethread+uring"])
def test_a_header_split_at_each_byte(serve, tmp_path, model):
    """Each piece was read before the next one is sent; the last brings the client's first bytes."""
    path = f"unix:{tmp_path}/socket"
    serve("echo", path, model=model, options=["--proxy-from", "unix"], probe=None)
    for made in (v1(), with_sum(v2())):
        for cut in range(1, len(made)):
            with dial(path) as sock:
                sock.sendall(made[:cut])
                wait_read(sock)
                exchange(sock, made[cut:] + b"hello", b"hello")


@pytest.mark.parametrize("model", ["fork+blocking", "prethread+epoll", "prethread+uring"])
def test_nothing_is_said_to_a_proxy_before_its_header(serve, tmp_path, model):
    """chargen speaks first, and has to wait."""
    path = f"unix:{tmp_path}/socket"
    serve("chargen", path, model=model, options=["--proxy-from", "unix"], probe=None)
    with dial(path) as sock:
        sock.sendall(v2()[:-1])
        wait_read(sock)
        assert not has_bytes(sock)
        sock.sendall(v2()[-1:])
        assert receive_exactly(sock, 74).endswith(b"\r\n")


@pytest.mark.parametrize("model", ["fork+blocking", "prethread+epoll", "prethread+uring"])
def test_a_header_alone_and_the_end(serve, model):
    """Its client came, said nothing, and left."""
    server = serve_behind_proxy(serve, model=model)
    with dial_as_proxy(server) as sock:
        sock.sendall(v2())
        sock.shutdown(socket.SHUT_WR)
        assert receive_all(sock) == b""
    server.wait_said(r"10\.0\.0\.1:40000 left: finished; 28 bytes in, 0 bytes out")


def test_a_unix_socket_is_a_proxy_like_any_other(serve, tmp_path):
    path = f"unix:{tmp_path}/socket"
    server = serve("echo", path, options=["--proxy-from", "unix"], probe=None)
    with dial(path) as sock:
        exchange(sock, v2() + b"hello", b"hello")
    server.wait_said(r"10\.0\.0\.1:40000 connected via unix$|10\.0\.0\.1:40000 connected via unix\s")
    with dial(path) as sock:
        sock.sendall(b"hello")
        assert receive_what_comes(sock) == b""


# ---- what is turned away ----

REFUSED = {
    "no header": b"hello\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00",
    "v1 too long": b"PROXY UNKNOWN " + b"x" * 92 + b"\r\n",
    "v1 bare LF": b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\n",
    "v1 bare CR": b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\rx",
    "v1 leading zero": b"PROXY TCP4 10.0.0.1 10.0.0.2 01 2\r\n",
    "v1 leading zero in an address": b"PROXY TCP4 10.0.0.01 10.0.0.2 1 2\r\n",
    "v1 port 65536": b"PROXY TCP4 10.0.0.1 10.0.0.2 65536 2\r\n",
    "v1 wrong family": b"PROXY TCP4 ::1 ::1 1 2\r\n",
    "v1 TAB": b"PROXY TCP4 10.0.0.1\t10.0.0.2 1 2\r\n",
    "v1 two spaces": b"PROXY TCP4  10.0.0.1 10.0.0.2 1 2\r\n",
    "v1 lower case": b"proxy TCP4 10.0.0.1 10.0.0.2 1 2\r\n",
    "v2 version": proxying.header(0x11, IPV4, proxying.addresses()),
    "v2 command": proxying.header(0x22, IPV4, proxying.addresses()),
    "v2 family": proxying.header(PROXY, 0x41, bytes(300)),
    "v2 transport": proxying.header(PROXY, 0x13, proxying.addresses()),
    "v2 length 11": proxying.header(PROXY, IPV4, bytes(11)),
    "v2 length 35": proxying.header(PROXY, proxying.IPV6, bytes(35)),
    "v2 length 215": proxying.header(PROXY, proxying.UNIX, bytes(215)),
    "v2 length 65535": SIGNATURE + b"\x21\x11\xff\xff",
    "v2 TLV overrun": v2(facts=b"\x04\x00\x05abcd"),
    "v2 TLV overrun inside": v2(facts=tlv(0x20, b"\1\0\0\0\0" + b"\x21\0\x09TLSv1.3")),
    "v2 CRC32C": with_sum(v2(), wrong=1),
}


def test_refused_headers(serve, model):
    server = serve_behind_proxy(serve, model=model)
    for what, made in REFUSED.items():
        with dial_as_proxy(server) as sock:
            sock.sendall(made)
            assert receive_what_comes(sock) == b"", what
    server.wait_said(rf"{PROXY_ADDRESS}:\d+ turned away: PROXY header: ")
    assert f"{PROXY_ADDRESS}:" not in "".join(line for line in server.stderr().splitlines() if "connected" in line)


@pytest.mark.parametrize("model", SOME_MODELS)
def test_nobody_else_may_send_a_header(serve, model):
    """Though one that does not is served: that is the probe."""
    server = serve_behind_proxy(serve, model=model)
    for made in (v1(), v2()):
        with server.dial() as sock:
            sock.sendall(made + b"hello")
            assert receive_what_comes(sock) == b""
    server.wait_said(r"127\.0\.0\.1:\d+ left: turned away: it sent a PROXY header, and proxy-from does not name it")


def test_what_only_begins_like_a_header_is_data(serve):
    """Nothing is held back to see what comes of it."""
    server = serve_behind_proxy(serve)
    for start in (b"PROXY", b"PRO", SIGNATURE[:-1], b"\r\n"):
        with server.dial() as sock:
            for byte in start:
                exchange(sock, bytes([byte]))
            exchange(sock, b"?")
            exchange(sock, v1())


@pytest.mark.parametrize("model", SOME_MODELS)
def test_a_header_has_its_time(serve, model):
    server = serve_behind_proxy(serve, model=model, options=["--handshake-timeout", "150ms"])
    for start in (b"", v2()[:-1]):
        with dial_as_proxy(server) as sock:
            sock.sendall(start)
            assert receive_what_comes(sock) == b""
    server.wait_said(rf"{PROXY_ADDRESS}:\d+ turned away: no whole PROXY header within handshake-timeout, 150 ms")


@pytest.mark.parametrize("start", [b"", v2()[:-1]], ids=["before", "in the middle of"])
def test_the_end_before_the_header_is_whole(serve, request, start):
    server = serve_behind_proxy(serve)
    with dial_as_proxy(server) as sock:
        sock.sendall(start)
        sock.shutdown(socket.SHUT_WR)
        assert receive_what_comes(sock) == b""
    where = request.node.callspec.id
    server.wait_said(rf"{PROXY_ADDRESS}:\d+ turned away: it ended {where} its PROXY header")


# ---- whom lists and limits are about ----

@pytest.mark.parametrize("model", ["iterative+poll", "fork+blocking", "prefork+epoll", "prethread+uring"])
def test_access_lists_see_the_client_and_the_log_both(serve, model):
    server = serve_behind_proxy(serve, model=model, options=["--deny", "10.0.0.0/8,127.0.0.2"])
    with dial_as_proxy(server) as sock:
        me = name_of(sock)
        sock.sendall(v1() + b"hello")
        assert receive_what_comes(sock) == b""
    server.wait_said(rf"10\.0\.0\.1:40000 turned away, via {me}: denied by 10\.0\.0\.0/8")
    with dial_as_proxy(server) as sock:
        exchange(sock, v1(("192.0.2.1", 1)) + b"hello", b"hello")


@pytest.mark.parametrize("model", ["thread+blocking", "prefork+epoll", "prethread+uring"])
def test_limits_count_clients_and_not_proxies(serve, model):
    server = serve_behind_proxy(serve, model=model, options=["--per-address", "1", "--when-full", "close"])
    with dial_as_proxy(server) as one, dial_as_proxy(server) as other, dial_as_proxy(server) as again:
        exchange(one, v1() + b"hello", b"hello")
        exchange(other, v2(("192.0.2.1", 40000)) + b"hello", b"hello")
        again.sendall(v2(("10.0.0.1", 1)))
        assert receive_what_comes(again) == b""
        me = name_of(one)
    server.wait_said(rf"10\.0\.0\.1:1 turned away, via {PROXY_ADDRESS}:\d+: ")
    server.wait_said(rf"10\.0\.0\.1:40000 connected via {me}\b")


@pytest.mark.parametrize("model", ["fork+poll", "prethread+epoll"])
def test_a_program_is_told_of_the_client(serve, model):
    """And of its TLS, which the proxy has ended."""
    server = serve_behind_proxy(serve, "exec", model=model, options=["--shell", "env"], probe=None)
    with dial_as_proxy(server) as sock:
        sock.sendall(v2(facts=tlv(2, b"example.org") + TLS))
        told = receive_all(sock).decode().splitlines()
    assert {"TCPREMOTEIP=10.0.0.1", "TCPREMOTEPORT=40000", "TCPLOCALIP=10.0.0.2", "TCPLOCALPORT=80",
            "SSL_PROTOCOL=TLSv1.3", "SSL_PEER_CERT_CN=alice", "SSL_TLS_SNI_SERVERNAME=example.org"} <= set(told), told


@pytest.mark.parametrize("size, told", [(255, r"\x01" * 255), (2000, None)])
def test_a_name_is_told_whole_or_not_at_all(serve, size, told):
    """What is left of one that was cut could be another's."""
    server = serve_behind_proxy(serve, "exec", options=["--shell", "env"], probe=None)
    tls = tlv(0x20, b"\7\0\0\0\0" + tlv(0x22, b"\1" * size))
    with dial_as_proxy(server) as sock:
        sock.sendall(v2(facts=tls))
        names = dict(line.split("=", 1) for line in receive_all(sock).decode().splitlines())
    assert names["TCPREMOTEIP"] == "10.0.0.1" and names.get("SSL_PEER_CERT_CN") == told


# ---- as a user ----

@pytest.mark.parametrize("networks, reason", [
    ("10.0.0.1/8", "write 10.0.0.0/8, or 10.0.0.1 alone"),
    ("localhost", "not an address"),
    ("10.0.0.0/8,,::1", "not an address"),
])
def test_networks_that_are_none(networks, reason):
    done = run("serve", "echo", "127.0.0.1:0", "--proxy-from", networks)
    assert done.returncode == 2
    assert reason in only_line(done.stderr)


def test_several_networks_may_be_named(serve):
    server = serve("echo", options=["--proxy-from", "192.0.2.0/24,::1", "--proxy-from", PROXY_ADDRESS])
    with dial_as_proxy(server) as sock:
        exchange(sock, v1() + b"hello", b"hello")
