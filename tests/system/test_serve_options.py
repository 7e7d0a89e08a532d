"""The options of `parley serve`: announcing, listening, framing, logging, and being told off."""

import json
import os
import re
import subprocess

import pytest

from client import PATIENCE, exchange, receive_all, wait_until
from harness import MODELS, WORKERS, Server, only_line, placement_of, run

HOSTILE = b"\x1b]0;evil\x07 \"quoted\" \\ back\r\n\x00\xff\xc2\x9b31m\xe2\x80\xae%n%s\x7f\xe2\x80\xa8end?"


# ---- announcing ----

def test_print_port_prints_each_port():
    command = Server.command_of("echo", "127.0.0.1:0", "127.0.0.1:0", "--print-port")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        ports = [int(process.stdout.readline()) for _ in range(2)]
        process.terminate()
        assert process.wait(PATIENCE) == 0
    assert all(0 < port < 65536 for port in ports) and ports[0] != ports[1]


def test_ready_fd_gets_each_address_and_is_closed(serve, model, tmp_path):
    """The harness reads it to its end before the first client comes."""
    server = serve("echo", "127.0.0.1:0", f"unix:{tmp_path}/socket", model=model)
    assert re.fullmatch(r"127\.0\.0\.1:\d+", server.addresses[0])
    assert server.addresses[1] == f"unix:{tmp_path}/socket"


def test_a_ready_fd_that_is_not_open_is_said():
    done = run("serve", "echo", "127.0.0.1:0", "--ready-fd", "77")
    assert done.returncode == 2
    assert "--ready-fd 77" in only_line(done.stderr)


# ---- listening ----

def test_several_addresses_in_one_server(serve, model, tmp_path):
    server = serve("echo", "127.0.0.1:0", "[::1]:0", f"unix:{tmp_path}/socket", "--listen", "127.0.0.1:0", model=model)
    assert len(server.addresses) == 4
    for _ in range(3):
        for index in range(4):
            with server.dial(index) as sock:
                exchange(sock, b"by address %d" % index)


@pytest.mark.parametrize("operands", [["127.0.0.1", "0"], ["127.0.0.1:0"], ["-p", "0", "-i", "127.0.0.1"],
                                      ["-p", "0", "-d", "localhost", "-4"], ["--port=0", "--ipaddr=127.0.0.1"]],
                         ids=" ".join)
def test_ways_to_write_an_address(serve, operands):
    assert serve("echo", *operands).addresses[0].startswith("127.0.0.1:")


def listening_sockets(port):
    """The columns of ss: state, receive queue, backlog, …"""
    done = subprocess.run(["ss", "-ltnH", "sport", "=", f":{port}"], capture_output=True, text=True,
                          timeout=PATIENCE, check=True)
    return [line.split() for line in done.stdout.splitlines()]


def test_the_backlog_given_is_the_kernels(serve):
    server = serve("hangup", "127.0.0.1", "0", options=["--backlog", "5"])
    assert [columns[2] for columns in listening_sockets(server.port)] == ["5"]


def test_the_backlog_is_the_systems_maximum_by_default(serve):
    with open("/proc/sys/net/core/somaxconn", encoding="ascii") as file:
        most = file.read().strip()
    assert [columns[2] for columns in listening_sockets(serve("echo").port)] == [most]


@pytest.mark.parametrize("model", [model for model in MODELS if placement_of(model).startswith("pre")])
def test_reuseport_gives_each_worker_its_socket(serve, model):
    server = serve("echo", model=model, options=["--reuseport"])
    assert len(listening_sockets(server.port)) == WORKERS
    for _ in range(50):
        server.serve_probe()


# ---- framing ----

FRAMINGS = [
    ("raw", b"any\nbytes", b"any\nbytes"),
    ("line", b"one\ntwo\r\n\n", b"one\ntwo\n\n"),
    ("line max=5", b"12345\n1\n", b"12345\n1\n"),
    ("u16be", b"\0\3abc\0\0\0\1x", b"\0\3abc\0\0\0\1x"),
    ("u32be max=1MiB", b"\0\0\0\3abc", b"\0\0\0\3abc"),
    ("varint", b"\x03abc\xac\x02" + b"y" * 300, b"\x03abc\xac\x02" + b"y" * 300),
    ("fixed=4", b"abcdefgh", b"abcdefgh"),
    (r"delim=\r\n max=4KiB", b"a\nb\r\nc\r\n", b"a\nb\r\nc\r\n"),
]


@pytest.mark.parametrize("framing, sent, wanted", FRAMINGS, ids=[framing for framing, _, _ in FRAMINGS])
def test_framing_is_symmetric_whatever_the_pieces(serve, framing, sent, wanted):
    server = serve("echo", options=["--framing", framing], probe=None)
    with server.dial() as sock:
        exchange(sock, sent, wanted)
        for byte in sent:
            sock.send(bytes([byte]))
        sock.shutdown(1)
        assert receive_all(sock) == wanted


VIOLATIONS = [("line max=5", b"123456\n"), ("u16be max=3", b"\0\4abcd"), ("u32be", b"\xff\xff\xff\xff"),
              ("varint", b"\xff" * 11), (r"delim=;; max=4", b"12345;;")]


@pytest.mark.parametrize("framing, sent", VIOLATIONS, ids=[framing for framing, _ in VIOLATIONS])
def test_a_violation_of_the_framing_ends_the_connection_and_is_said(serve, framing, sent):
    server = serve("echo", options=["--framing", framing], probe=None)
    with server.dial() as sock:
        sock.sendall(sent)
        try:
            assert receive_all(sock) == b""
        except ConnectionResetError:
            pass
    server.wait_said(r"broke the framing: framing, max \d")


@pytest.mark.parametrize("framing, sent", [("u16be", b"\0\5ab"), ("fixed=8", b"abc")])
def test_an_end_within_a_message_is_said(serve, framing, sent):
    server = serve("echo", options=["--framing", framing], probe=None)
    with server.dial() as sock:
        sock.sendall(sent)
        sock.shutdown(1)
        assert receive_all(sock) == b""
    server.wait_said("ended in the middle of a message")


# ---- logging ----

def test_json_log_lines_parse_and_tell_who_what_and_why(serve, model):
    server = serve("echo", model=model, options=["--log", "json"])
    with server.dial() as sock:
        me = f"127.0.0.1:{sock.getsockname()[1]}"
        exchange(sock, HOSTILE)
    mine = wait_until(lambda: finished_story(server, me), "the client's whole story is logged")
    assert [event["event"] for event in mine] == ["opened", "message", "closed"]
    assert mine[1]["size"] == len(HOSTILE)


def finished_story(server, peer):
    events = [json.loads(line) for line in server.stderr().splitlines()]
    assert all({"time", "event", "pid", "text"} <= set(event) for event in events)
    mine = [event for event in events if event.get("peer") == peer]
    return mine if mine and mine[-1]["event"] == "closed" else None


@pytest.mark.parametrize("format_", ["text", "json"])
def test_hostile_bytes_reach_no_log_line_as_they_are(serve, format_):
    server = serve("echo", options=["--log", format_])
    with server.dial() as sock:
        exchange(sock, HOSTILE)
    text = wait_until(lambda: server.stderr() if "31m" in server.stderr() else "", "the message is logged")
    line = next(line for line in text.split("\n") if "31m" in line)
    assert "quoted" in line and "end?" in line, "one line"
    assert line.isprintable(), ascii(line)
    assert "%n%s" in line


def test_quiet_tells_failures_only(serve):
    server = serve("echo", options=["--quiet"])
    server.serve_probe()
    assert "connected" not in server.stderr()


def test_log_none_says_nothing(serve):
    server = serve("echo", options=["--log", "none"])
    server.stop()
    assert server.stderr() == ""


# ---- explaining ----

def test_explain_narrates_the_life_of_a_connection(serve, model):
    server = serve("echo", model=model, options=["--explain"])
    with server.dial() as sock:
        exchange(sock, b"helloworld")
        sock.shutdown(1)
        assert receive_all(sock) == b""
    for call in ("socket", "bind", "listen", "send", "close"):
        server.wait_said(rf"\b{call}\w*\(.*\) = \d+ +\w+")
    # io_uring makes no call for these: it is told before, and tells when they are complete.
    server.wait_said(r"accept(\(.*\) =| on \d+ completed:) \d+ +\w+")
    server.wait_said(r"recv(\(.*\) =| on \d+ completed:) 0 +\w+")


def test_without_explain_nothing_is_narrated(serve, model):
    server = serve("echo", model=model)
    assert "accept(" not in server.stderr()


# ---- being told off ----

WRONG = [
    (["--model", "nonsense", "0"], "nonsense"),
    (["--model", "prefork+nonsense", "0"], "prefork\\+nonsense"),
    (["--model", "prethraed", "0"], "prethread"),
    (["--modle", "fork", "0"], "did you mean --model"),
    (["--workers", "none", "0"], "workers|number"),
    (["--workers", "100000", "0"], "workers"),
    (["--idle", "5 parsecs", "0"], "parsecs"),
    (["--framing", "fixed=0", "0"], "fixed"),
    (["--high-water", "1GiB", "0"], "high-water"),
    (["--message", "hi", "0"], "belongs to the service greet"),
    (["-u", "0"], "not UDP"),
    (["70000"], "70000"),
    (["127.0.0.1:port"], "port"),
    ([f"unix:/{'x' * 200}"], "x|long"),
    ([], "address|port"),
]


@pytest.mark.parametrize("arguments, said", WRONG, ids=[" ".join(arguments)[:30] for arguments, _ in WRONG])
def test_wrong_usage_is_one_line_and_code_2(arguments, said):
    done = run("serve", "echo", *arguments)
    assert done.returncode == 2, done.stderr
    assert re.search(said, only_line(done.stderr))
    assert done.stdout == ""


@pytest.mark.parametrize("service, said", [("ehco", "did you mean echo"), ("nonsense", "echo.*upper")])
def test_an_unknown_service_is_told_what_there_is(service, said):
    done = run("serve", service, "0")
    assert done.returncode == 2
    assert re.search(said, only_line(done.stderr))


def test_a_model_by_half_its_name(serve):
    for half, whole in [("iterative", "iterative+blocking"), ("fork", "fork+blocking"), ("thread", "thread+blocking"),
                        ("prefork", "prefork+epoll"), ("poll", "prethread+poll")]:
        serve("echo", options=["--model", half]).wait_said(re.escape(f"model {whole}"))


def test_the_model_chosen_by_default_is_said(serve):
    serve("echo").wait_said(r"model prethread\+(epoll|uring)")


def test_io_uring_that_is_forbidden_is_refused_by_name(tmp_path):
    """A named model never falls back silently. Without memory to lock there is no ring to be had."""
    if os.geteuid() == 0:
        pytest.skip("root may lock any memory")
    command = ["prlimit", "--memlock=0", *Server.command_of("echo", "127.0.0.1:0", "--model", "prethread+uring")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    if done.returncode == 0:
        pytest.skip("this kernel accounts rings elsewhere")
    assert done.returncode == 2 and "io_uring" in only_line(done.stderr)
