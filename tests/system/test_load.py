"""What `parley load` sends, what it takes for a reply, and that what it counts is what a server saw."""

import itertools
import json
import shlex
import socket

import pytest

from client import wait_until
from harness import run
from loading import Load, Requests, Service, load, natively, on_pollers

pytestmark = natively

BRIEFLY = ("-d", "300ms")


def echoing(size=64):
    return Requests(lambda request: request, size)


# ---- sums ----

def check_sums(outcome, server, service, size=64, reply_size=64):
    """Every request has an end, and the seconds add up to the whole."""
    result = outcome.json
    assert service.count == outcome.answered() > 0, str(outcome)
    assert result["bytes_out"] == server.bytes_in == service.count * size, str(outcome)
    assert result["bytes_in"] == server.bytes_out == service.count * reply_size, str(outcome)
    assert result["latency_us"]["count"] == outcome.answered(), str(outcome)
    for key in ("requests", "errors", "bytes_in", "bytes_out"):
        assert sum(second[key] for second in result["intervals"]) == result[key], f"{key}: {outcome}"
    assert result["errors"] == 0 and result["schema"] == "parley-load/1", str(outcome)


@pytest.mark.parametrize("options", [("-c", 1), ("-c", 3, "-t", 2), ("-c", 20, "--depth", 8), ("-c", 10, "-R", 2000)],
                         ids=["one", "threads", "depth", "open"])
def test_what_it_counts_is_what_the_server_saw(python_server, options):
    service = echoing()
    server = python_server(service)
    outcome = load(server.address, *BRIEFLY, *options)
    check_sums(outcome, server, service)
    wait_until(lambda: server.open == 0, "every connection is closed")
    result, connections = outcome.json, dict(zip(options[::2], options[1::2]))["-c"]
    assert len(server.clients) == connections
    assert result["open"] == {"least": connections, "most": connections}, str(outcome)
    if "-R" in options:
        assert result["intended"] == outcome.answered() == 600, str(outcome)


def test_it_goes_on_for_as_long_as_it_is_told(python_server):
    result = load(python_server().address, "-d", "1500ms", "-c", 2).json
    assert result["elapsed_s"] == 1.5
    assert [(second["start"], second["length"]) for second in result["intervals"]] == [(0, 1), (1, 0.5)]
    assert result["rate"] == pytest.approx(result["requests"] / 1.5)


@on_pollers
def test_each_poller(serve, poller):
    server = serve("echo")
    outcome = load(server.addresses[0], *BRIEFLY, "-c", 50, "-t", 2, "--depth", 32, "--verify", "--poller", poller)
    assert outcome.json["requests"] > 1000 and not outcome.errors(), str(outcome)


@on_pollers
def test_each_poller_in_an_open_loop(python_server, poller):
    service = echoing()
    server = python_server(service)
    check_sums(load(server.address, *BRIEFLY, "-c", 5, "-R", 500, "--poller", poller), server, service)


def test_two_thousand_connections(serve):
    server = serve("echo", model="prethread+epoll")
    outcome = load(server.addresses[0], "-d", "1s", "-c", 2000, "--verify", wrapper=("prlimit", "--nofile=1024:8192"))
    assert outcome.json["open"] == {"least": 2000, "most": 2000} and not outcome.errors(), str(outcome)


def test_a_unix_socket(python_server, tmp_path):
    service = echoing()
    server = python_server(service, path=str(tmp_path / "socket"))
    check_sums(load(None, *BRIEFLY, "-U", tmp_path / "socket", "-c", 3, "--verify"), server, service)


@pytest.mark.parametrize("how", ["address", "options"])
def test_ipv6(python_server, how):
    service = echoing()
    server = python_server(service, host="::1")
    address = (server.address,) if how == "address" else (None, "-i", "::1", "-p", server.port)
    check_sums(load(*address, *BRIEFLY, "-c", 2), server, service)


def test_a_name_is_tried_in_both_families(python_server):
    """Where only one of localhost's addresses is listened on."""
    service = echoing()
    server = python_server(service)
    check_sums(load(f"localhost:{server.port}", *BRIEFLY), server, service)


# ---- messages ----

@pytest.mark.parametrize("text, message", [
    (r"GET\n", b"GET\n"), (r"a\r\n\t\0\\\x41\xff", b"a\r\n\t\0\\A\xff"), ("plain", b"plain"), ("ü", "ü".encode())])
def test_a_message_with_escapes(python_server, text, message):
    service = Requests(lambda request: request, len(message))
    server = python_server(service)
    seen = set()
    service.answer = lambda request: seen.add(request) or request
    check_sums(load(server.address, *BRIEFLY, "--message", text), server, service, len(message), len(message))
    assert seen == {message}


def test_a_message_from_a_file(python_server, tmp_path):
    message = bytes(range(256)) * 40
    (tmp_path / "message").write_bytes(message)
    seen = set()
    service = Requests(lambda request: seen.add(request) or request, len(message))
    server = python_server(service)
    outcome = load(server.address, *BRIEFLY, "--file", tmp_path / "message", "--verify", "--depth", 2)
    check_sums(outcome, server, service, len(message), len(message))
    assert seen == {message}


@pytest.mark.parametrize("size, bytes_", [("1", 1), ("100", 100), ("1KiB", 1024), ("1MiB", 1 << 20)])
def test_generated_messages(python_server, size, bytes_):
    """Printable, and the last byte is LF; neighbours differ where there is room."""
    seen = []
    service = Requests(lambda request: seen.append(request) or request, bytes_)
    server = python_server(service)
    outcome = load(server.address, *BRIEFLY, "--size", size, "--verify")
    check_sums(outcome, server, service, bytes_, bytes_)
    assert all(message.endswith(b"\n") and message[:-1].isalnum() for message in seen if bytes_ > 1)
    assert not 1 < bytes_ <= 1024 or all(one != other for one, other in itertools.pairwise(seen[:50]))


@pytest.mark.parametrize("reply_size", [1, 200, 100000])
def test_a_reply_of_another_size(python_server, reply_size):
    service = Requests(lambda request: b"r" * reply_size)
    server = python_server(service)
    check_sums(load(server.address, *BRIEFLY, "-c", 3, "--depth", 3, "--reply-size", reply_size), server, service, 64,
               reply_size)


@on_pollers
def test_no_reply(serve, poller):
    """A request is done when the kernel has taken it."""
    server = serve("discard")
    outcome = load(server.addresses[0], *BRIEFLY, "-c", 4, "--reply-size", 0, "--poller", poller)
    result = outcome.json
    assert result["bytes_in"] == 0 and result["errors"] == 0, str(outcome)
    assert result["bytes_out"] == 64 * outcome.answered() > 0, str(outcome)


def test_no_reply_at_a_rate(python_server):
    service = Requests(lambda request: None)
    server = python_server(service)
    outcome = load(server.address, *BRIEFLY, "-c", 4, "-R", 1000, "--reply-size", 0)
    wait_until(lambda: server.open == 0, "every connection is closed")
    check_sums(outcome, server, service, 64, 0)
    assert outcome.json["intended"] == outcome.answered() == 300, str(outcome)


class Lines(Service):
    """A line for each line; of three, one comes byte by byte and two at once."""

    def __init__(self):
        self.asked = 0

    def received(self, server, client, data):
        client.received += data
        lines = client.received.count(b"\n")
        self.asked += lines
        del client.received[:client.received.rfind(b"\n") + 1]
        for number in range(lines):
            reply = b"line %d\n" % number
            for piece in [reply] if number % 3 else [reply[i:i + 1] for i in range(len(reply))]:
                server.send(client, piece)


@pytest.mark.parametrize("depth", [1, 16])
def test_replies_by_line(python_server, depth):
    service = Lines()
    server = python_server(service)
    outcome = load(server.address, *BRIEFLY, "-c", 3, "--depth", depth, "--expect-framing", "line")
    assert outcome.answered() == service.asked > 0 and not outcome.errors(), str(outcome)
    assert outcome.json["bytes_in"] == server.bytes_out and outcome.json["bytes_out"] == server.bytes_in, str(outcome)


def test_replies_of_a_framing(python_server):
    service = Requests(lambda request: b"\0\0\0\5hello")
    server = python_server(service)
    outcome = load(server.address, *BRIEFLY, "-c", 3, "--expect-framing", "u32be")
    check_sums(outcome, server, service, 64, 9)


# ---- churn ----

def check_churn(outcome, server, clients, size=64):
    """A connection for each exchange. The first of each client is made before anything is measured, and waits
    until all are there; the last may find that it is over."""
    result, count = outcome.json, outcome.answered()
    wait_until(lambda: server.open == 0, "every connection is closed")
    assert 0 < count <= len(server.clients) <= count + clients and not outcome.errors(), str(outcome)
    assert result["bytes_out"] == server.bytes_in == count * size, str(outcome)
    assert result["bytes_in"] == server.bytes_out, str(outcome)
    assert result["connects"] == result["connect_us"]["count"] == len(server.clients) - clients, str(outcome)
    assert result["first_byte_us"]["count"] == count - clients, str(outcome)
    assert result["latency_us"]["count"] == result["service_us"]["count"], str(outcome)


@pytest.mark.parametrize("options", [(), ("-R", 300)], ids=["closed", "open"])
def test_a_connection_for_each_exchange(python_server, options):
    service = echoing()
    server = python_server(service)
    outcome = load(server.address, *BRIEFLY, "-c", 4, "-t", 2, "--churn", "--verify", *options)
    check_churn(outcome, server, clients=4)
    assert service.count == outcome.answered()
    result = outcome.json
    assert result["latency_us"]["count"] == (result["intended"] if options else service.count - 4), str(outcome)
    assert result["intended"] == (90 if options else None), str(outcome)


@on_pollers
def test_churn_until_the_server_closes(serve, poller):
    server = serve("greet")
    outcome = load(server.addresses[0], *BRIEFLY, "-c", 4, "--churn", "--expect-end", "--poller", poller)
    assert outcome.json["requests"] > 10 and not outcome.errors() and outcome.json["bytes_in"] > 0, str(outcome)


@pytest.mark.parametrize("options", [("--size", 0), ("--size", 0, "--expect-end")])
def test_churn_that_says_nothing(serve, options):
    server = serve("hangup")
    outcome = load(server.addresses[0], *BRIEFLY, "-c", 4, "--churn", *options)
    result = outcome.json
    assert result["requests"] > 10 and not outcome.errors(), str(outcome)
    assert result["bytes_in"] == result["bytes_out"] == 0, str(outcome)


class Farewell(Service):
    """Answers and closes at once."""

    def received(self, server, client, data):
        server.send(client, data)
        server.close(client)


def test_churn_with_a_server_that_closes_first(python_server):
    server = python_server(Farewell())
    outcome = load(server.address, *BRIEFLY, "-c", 4, "--churn", "--verify")
    check_churn(outcome, server, clients=4)


class Greeting(Service):
    """Speaks first, and closes when it is answered."""

    def opened(self, server, client):
        server.send(client, b"220 ready\n")

    def received(self, server, client, data):
        server.close(client)


def test_the_first_byte_of_a_churn_is_that_of_its_exchanges(python_server):
    """Not of what was connected before the start, nor of the many that are held idle and take their time to come."""
    outcome = load(python_server(Greeting()).address, *BRIEFLY, "-c", 3, "--idle", 500, "--churn", "--expect-end")
    assert 0 < outcome.json["first_byte_us"]["count"] <= outcome.answered(), str(outcome)


def test_nothing_is_sent_after_the_end(serve):
    """However late it comes to see that the end has passed."""
    server = serve("echo")
    for _ in range(5):
        outcome = load(server.addresses[0], "-d", "1ms", "-c", 20)
        assert outcome.json["replies_late"] <= 20, str(outcome)


# ---- connections ----

def test_a_ramp_spreads_connections(python_server):
    """Order, not times: the later ones come when the earlier ones have long been asking."""
    service = echoing()
    asked = {}

    def opened(server, client):
        asked[client.number] = service.count
    service.opened = opened
    server = python_server(service)
    outcome = load(server.address, *BRIEFLY, "-c", 5, "--ramp", "500ms")
    assert len(asked) == 5 and not outcome.errors(), str(outcome)
    counts = [asked[number] for number in range(5)]
    assert all(earlier < later for earlier, later in itertools.pairwise(counts)), counts
    assert service.count > outcome.answered(), "the ramp is measured too"
    assert outcome.json["elapsed_s"] == 0.3, str(outcome)


def test_a_ramp_at_a_rate(python_server):
    service = echoing()
    server = python_server(service)
    outcome = load(server.address, *BRIEFLY, "-c", 5, "--ramp", "500ms", "-R", 1000)
    assert outcome.json["intended"] == 300 and not outcome.errors(), str(outcome)
    assert 300 + 150 <= service.count <= 300 + 450, service.count


@pytest.mark.parametrize("options", [(), ("-R", 1000)], ids=["closed", "open"])
def test_the_warm_up_is_discarded(python_server, options):
    service = echoing()
    server = python_server(service)
    outcome = load(server.address, *BRIEFLY, "-c", 2, "--warmup", "300ms", *options)
    result = outcome.json
    assert service.count > outcome.answered() > 0 and not outcome.errors(), str(outcome)
    assert result["latency_us"]["count"] <= outcome.answered() and result["elapsed_s"] == 0.3, str(outcome)
    early, measured = result["intervals"]
    assert [early["start"], early["length"], measured["start"]] == [-0.3, 0.3, 0], str(outcome)
    assert measured["requests"] == result["requests"], str(outcome)
    assert early["requests"] == early["latency_us"]["count"] == service.count - outcome.answered(), str(outcome)
    assert options == () or (result["intended"], service.count) == (300, 600), str(outcome)


def test_idle_connections_are_held(python_server):
    service = echoing()
    server = python_server(service)
    outcome = load(server.address, *BRIEFLY, "-c", 2, "-t", 2, "--idle", 21)
    assert server.open_most == len(server.clients) == 23 and outcome.json["idle_held"] == 21, str(outcome)
    check_sums(outcome, server, service)


class ClosesThird(Service):
    """Leaves the third that comes."""

    def opened(self, server, client):
        if client.number == 2:
            server.close(client)


def test_an_idle_connection_that_is_closed_is_an_error(python_server):
    server = python_server(ClosesThird())
    outcome = load(server.address, *BRIEFLY, "-c", 1, "--idle", 5)
    assert outcome.errors() == {"closed": 1}, str(outcome)


@pytest.mark.parametrize("options, sources", [
    (["--source", "127.0.0.2"], [2]), (["--source", "127.0.0.2", "--source", "127.0.0.9"], [2, 9]),
    (["--source", "127.0.0.3-127.0.0.6"], [3, 4, 5, 6])])
def test_connections_come_from_all_sources(python_server, options, sources):
    server = python_server()
    outcome = load(server.address, *BRIEFLY, "-c", 12, *options)
    seen = [client.peer[0] for client in server.clients]
    assert {f"127.0.0.{last}": 12 // len(sources) for last in sources} == {host: seen.count(host) for host in seen}
    assert not outcome.errors(), str(outcome)


def test_a_source_of_ipv6(python_server):
    server = python_server(host="::1")
    assert not load(server.address, *BRIEFLY, "--source", "::1").errors()


@pytest.mark.parametrize("source, seen_as", [("127.0.0.9", "::ffff:127.0.0.9"), ("::1", "::1")])
def test_a_source_says_which_address_of_a_name(python_server, source, seen_as):
    server = python_server(host="::")
    assert not load(f"localhost:{server.port}", *BRIEFLY, "--source", source).errors()
    assert {client.peer[0] for client in server.clients[-1:]} == {seen_as}, server.clients


# ---- outputs ----

def test_json_on_stdout_is_alone_there(python_server):
    outcome = load(python_server().address, *BRIEFLY)
    assert outcome.json["valid"] and outcome.stderr == ""


def test_every_second_is_told_as_it_passes(python_server):
    server = python_server()
    with Load(server.address, "-d", "3s", "-c", 2, output=("--intervals", "-", "--quiet")).process as process:
        seconds = [json.loads(line) for line in process.stdout]
        assert process.wait() == 0, process.stderr.read()
    assert [second["start"] for second in seconds] == [0, 1, 2] and all(second["requests"] for second in seconds)


def test_outputs_to_files(python_server, tmp_path):
    names = ["json", "intervals", "csv", "hgrm", "hdr-log", "report"]
    options = list(itertools.chain(*((f"--{name}", tmp_path / name) for name in names)))
    outcome = load(python_server().address, "-d", "1s", *options, output=())
    assert all((tmp_path / name).stat().st_size > 0 for name in names), str(outcome)
    result = json.loads((tmp_path / "json").read_text())
    assert str(result["requests"]) in outcome.stdout.replace(",", ""), str(outcome)
    assert len((tmp_path / "intervals").read_text().splitlines()) == len(result["intervals"]) == 1


def test_the_command_line_can_be_typed_again(python_server):
    options = ["-d", "100ms", "--message", "it's \"$HOME\" *\\n", "--fail-if", "p99>1h", "--reply-size", "1"]
    outcome = load(python_server().address, *options)
    words = shlex.split(outcome.json["conditions"]["command_line"])
    assert words[:2] == ["parley", "load"] and set(options) <= set(words), words


def test_quiet_says_nothing(python_server):
    outcome = load(python_server().address, *BRIEFLY, output=("--quiet",))
    assert outcome.stdout == outcome.stderr == ""


@pytest.mark.parametrize("conditions, code", [
    (["p99<1h"], 3), (["p99>1h"], 0), (["errors>0"], 0), (["rate<1"], 0), (["rate>1", "requests>0"], 3)])
def test_a_condition_decides_the_exit_code(python_server, conditions, code):
    options = list(itertools.chain(*(("--fail-if", condition) for condition in conditions)))
    outcome = load(python_server().address, *BRIEFLY, *options, code=code)
    assert outcome.json["valid"]
    assert len(outcome.stderr.splitlines()) == (len(conditions) if code else 0), str(outcome)


# ---- what does not fit together ----

@pytest.mark.parametrize("options, sentence", [
    ("-c 0", "-c takes 1 to 1000000 connections"),
    ("-c 1000001", "-c takes 1 to 1000000 connections"),
    ("-c x", "-c"),
    ("-t 0", "-t takes 1 to 256 threads"),
    ("-t 5 -c 2", "no more than there are connections (2)"),
    ("-d 0", "-d takes a time above 0"),
    ("-d never", "never"),
    ("-d 1001h", "at most 1000h"),
    ("--warmup 3000000h", "at most 1000h"),
    ("--ramp 3000000h", "at most 1000h"),
    ("--grace 3000000h", "at most 1000h"),
    ("-R 0", "at least 1 request a second"),
    ("-R -1", "-1"),
    ("--idle 2M", "--idle takes up to 1000000"),
    ("--depth 0", "--depth takes 1 to 65536"),
    ("--depth 65537", "--depth takes 1 to 65536"),
    ("--churn --depth 2", "leave out --depth"),
    ("--size 2GiB", "more than 1GiB"),
    ("--size x", "x"),
    ("--reply-size 2GiB", "more than 1GiB"),
    ("--size 0", "an empty message is no request"),
    ("--size 1 --message x", "one of --message, --file and --size"),
    ("--message a\\q", "there is no \\q"),
    ("--message a\\", "there is no \\"),
    ("--message \\x4", "there is no \\x"),
    ("--file /nowhere", "/nowhere: no such file"),
    ("--file /dev/zero", "no plain file"),
    ("--expect-end", "it goes with --churn"),
    ("--expect-framing raw", "--reply-size says how long"),
    ("--expect-framing nonsense", "nonsense"),
    ("--expect-framing line --reply-size 3", "one of --reply-size, --expect-framing and --expect-end"),
    ("--verify --reply-size 3", "--verify wants replies that are what was sent"),
    ("--verify --expect-framing line", "--verify wants replies that are what was sent"),
    ("--source nowhere", "no numeric address"),
    ("--source 127.0.0.9-127.0.0.2", "a range goes up"),
    ("--source 127.0.0.1-x", "no range of IPv4 addresses"),
    ("--source 10.0.0.0-11.0.0.0", "at most 65536"),
    ("--source ::1", "another family"),
    ("--poller kqueue", "kqueue"),
    ("--poller blocking", "blocking"),
    ("--fail-if p99", "p99"),
    ("--fail-if p99>x", "x"),
    ("--json - --csv -", "only one output can be -"),
    ("--json - --intervals -", "only one output can be -"),
    ("--json /nowhere/result", "/nowhere/result"),
    ("--json /tmp", "open /tmp: is a directory"),
    ("--intervals /nowhere/seconds", "/nowhere/seconds"),
    ("--nonsense", "--nonsense"),
])
def test_what_makes_no_sense_is_said_and_nothing_is_sent(python_server, options, sentence):
    server = python_server()
    outcome = run("load", server.address, *options.split())
    assert outcome.returncode == 2 and outcome.stdout == "", f"{outcome.returncode} {outcome.stdout}{outcome.stderr}"
    assert sentence.lower() in outcome.stderr.lower() and len(outcome.stderr.splitlines()) <= 2, outcome.stderr
    assert not server.clients


@pytest.mark.parametrize("before", [None, "of the run before"])
def test_a_run_that_could_not_be_leaves_files_as_they_were(tmp_path, before):
    path = tmp_path / "result.json"
    if before:
        path.write_text(before)
    outcome = run("load", "127.0.0.1:1", "--json", path)
    assert outcome.returncode == 1, outcome.stderr
    assert (path.read_text() if path.exists() else None) == before


@pytest.mark.parametrize("options, sentence", [([], "address"), (["localhost"], "port"), (["localhost:99999"], "99999"),
                                               (["no.such.host.invalid:1"], "no.such.host.invalid")])
def test_an_address_that_is_none(options, sentence):
    outcome = run("load", *options)
    assert outcome.returncode in (1, 2) and sentence in outcome.stderr, outcome.stderr


def test_a_source_that_is_not_here(python_server):
    outcome = run("load", python_server().address, "--source", "192.0.2.1")
    assert outcome.returncode == 2 and "bind 192.0.2.1" in outcome.stderr, outcome.stderr
    assert outcome.stdout == ""


def test_a_socket_does_not_meet_itself():
    """Nobody listens there, and the port is one that a local socket may be given."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    outcome = run("load", f"127.0.0.1:{port}", "-d", "300ms", "-c", "50")
    assert outcome.returncode == 1 and f"connect 127.0.0.1:{port}: connection refused" in outcome.stderr.lower()


def test_a_load_that_reached_nobody_leaves_an_earlier_result(tmp_path):
    result = tmp_path / "result.json"
    result.write_text("earlier")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens there
        outcome = run("load", f"127.0.0.1:{taken.getsockname()[1]}", "-d", "300ms", "--json", str(result))
    assert outcome.returncode == 1 and outcome.stdout == "" and outcome.stderr.count("\n") == 1, str(outcome)
    assert result.read_text() == "earlier"
