"""What `parley load` says when something goes wrong: with the server, with the machine, with itself."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import time

import pytest

from client import PATIENCE, wait_until
from harness import run
from loading import Load, Requests, Service, load, natively

pytestmark = natively

BRIEFLY = ("-d", "300ms")
AT_ONCE = ("--grace", "200ms")


def echoing():
    return Requests(lambda request: request)


@pytest.fixture
def start_load():
    """Starts loads that are ended with the test."""
    loads = []

    def start(*arguments, **options):
        loads.append(Load(*arguments, **options))
        return loads[-1]
    yield start
    for started in loads:
        started.kill()


def wait_count(service, count):
    wait_until(lambda: service.count >= count, lambda: f"{count} requests; there were {service.count}")


# ---- it distrusts itself ----

@pytest.mark.measures
def test_a_generator_that_was_stopped_says_so_first(python_server, start_load, tmp_path):
    """For one of three seconds: a third of the requests is late by its own fault."""
    service = echoing()
    server = python_server(service)
    running = start_load(server.address, "-R", 1000, "-c", 10, "-d", "3s", "--json", tmp_path / "json", output=())
    wait_count(service, 500)
    running.signal(signal.SIGSTOP)
    time.sleep(1)
    running.signal(signal.SIGCONT)
    outcome = running.wait()
    assert outcome.code == 3 and outcome.stdout.startswith("INVALID: "), str(outcome)
    # A busy machine makes half of them late, too, and may let it go on later than it is told.
    assert re.search(r"INVALID: requests were sent late by the generator itself: at p(50|99) ",
                     outcome.stderr), str(outcome)
    outcome.stdout = (tmp_path / "json").read_text()
    assert outcome.json["valid"] is False and "sent late" in outcome.json["invalid"], str(outcome)
    assert outcome.json["intended"] == 3000 and outcome.json["lag_us"]["p99"] > 900e3, str(outcome)


def test_a_closed_loop_that_was_stopped_says_so(python_server, start_load):
    """Its longest time is then its own, and no server's."""
    service = echoing()
    running = start_load(python_server(service).address, "-c", 2, "-d", "2s")
    wait_count(service, 100)
    running.signal(signal.SIGSTOP)
    time.sleep(0.7)
    running.signal(signal.SIGCONT)
    outcome = running.wait()
    assert outcome.code == 0 and outcome.json["latency_us"]["max"] > 600e3, str(outcome)
    assert "the generator itself stood still for " in outcome.json["limits"]["sentence"], str(outcome)


def test_what_was_due_while_it_was_stopped_is_known_when_it_is_interrupted(python_server, start_load):
    """A stop takes more of the schedule than is handed out in one go when it goes on, which is to end it."""
    rate = 50000
    service = echoing()
    running = start_load(python_server(service).address, "-R", rate, "-c", 10, "-d", "1h")
    wait_count(service, 500)
    running.signal(signal.SIGSTOP)
    time.sleep(0.5)
    running.signal(signal.SIGINT)
    running.signal(signal.SIGCONT)
    outcome = running.wait()
    result = outcome.json
    assert outcome.code == 130 and result["valid"] is False, str(outcome)
    assert abs(result["intended"] - rate * result["elapsed_s"]) <= 2, str(outcome)
    assert result["lag_us"]["count"] == result["intended"], str(outcome)


def test_a_rate_that_nobody_can_keep(serve):
    server = serve("echo")
    outcome = load(server.addresses[0], *BRIEFLY, *AT_ONCE, "-c", 4, "--depth", 16, "-R", "1G", code=3)
    assert outcome.json["valid"] is False, str(outcome)
    assert re.search(r"INVALID: the generator kept [\d.]+ % of its schedule: .*/s instead of 1.00 G/s",
                     outcome.stderr), str(outcome)


def test_a_closed_loop_says_which_side_was_the_limit(serve):
    """Whatever it is on this machine: the words go with the numbers, and a busy generator is no fault."""
    server = serve("discard")
    outcome = load(server.addresses[0], "-d", "1s", "-c", 4, "--depth", 64, "--reply-size", 0)
    limits = outcome.json["limits"]
    sentence = limits["sentence"]
    wanted = ("the generator was the limit" if limits["generator_busy"] > 0.95 else
              "the server was the limit" if limits["server_busy"] > 0.85 > limits["generator_busy"] else None)
    assert wanted is None or sentence.startswith(wanted), str(outcome)
    assert f"{round(100 * limits['generator_busy'])}% busy" in sentence, str(outcome)
    assert limits["server_processes"] == 1 and limits["server_busy"] > 0, str(outcome)
    assert f"the server used {limits['server_busy']:.2f} processors" in sentence, str(outcome)


def without_privilege(*limits):
    """What may not raise its own limits, whoever runs the test."""
    drop = ("setpriv", "--bounding-set", "-sys_resource", "--inh-caps", "-sys_resource") if os.geteuid() == 0 else ()
    return ("prlimit", *limits, *drop)


def test_too_few_descriptors_are_named(python_server):
    server = python_server()
    outcome = run_with(without_privilege("--nofile=100:100"), server.address, "-c", 500)
    assert outcome.code == 2 and not server.clients, str(outcome)
    assert re.fullmatch(r"parley load: 500 connections need \d+ open files, and this process may have 100 .*\n",
                        outcome.stderr), str(outcome)


def run_with(wrapper, address, *options):
    return Load(address, *BRIEFLY, *options, output=(), wrapper=wrapper).wait()


def test_its_own_descriptor_limit_is_raised(python_server):
    server = python_server()
    outcome = load(server.address, *BRIEFLY, "-c", 300, wrapper=without_privilege("--nofile=100:1000"))
    assert outcome.json["open"] == {"least": 300, "most": 300} and not outcome.errors(), str(outcome)


def test_more_connections_than_select_takes_are_refused(python_server):
    server = python_server()
    outcome = load(server.address, *BRIEFLY, "-c", 1017, "--poller", "select", code=2)
    assert "-t 2, or another --poller" in outcome.stderr and not server.clients, str(outcome)


@pytest.fixture
def namespace():
    """A network of its own: what to put before a command that shall run there."""
    holder = subprocess.Popen(["unshare", "--net", "sleep", "60"], stderr=subprocess.DEVNULL)
    try:
        here = os.readlink("/proc/self/ns/net")

        def is_apart():
            return holder.poll() is not None or os.readlink(f"/proc/{holder.pid}/ns/net") != here
        wait_until(is_apart, "unshare has made a network")
        wrapper = ("nsenter", "--target", str(holder.pid), "--net")
        setup = "ip link set lo up && echo 40000 40009 >/proc/sys/net/ipv4/ip_local_port_range"
        made = subprocess.run([*wrapper, "sh", "-c", setup], check=False, capture_output=True, text=True)
        if holder.poll() is not None or made.returncode != 0:
            pytest.skip(f"no right to make a network: {made.stderr}")
        yield wrapper
    finally:
        holder.kill()
        holder.wait(PATIENCE)


def test_too_few_local_ports_are_named(serve, namespace):
    server = serve("echo", "127.0.0.1", "3000", wrapper=namespace, probe=None)
    outcome = load(server.addresses[0], *BRIEFLY, "-c", 20, wrapper=namespace)
    assert outcome.json["open"] == {"least": 10, "most": 10}, str(outcome)
    assert set(outcome.errors()) == {"local"}, str(outcome)
    assert re.match(f"connect {server.addresses[0]}: .*local (address|port)", outcome.first("local")), str(outcome)


def test_another_source_has_ports_of_its_own(serve, namespace):
    server = serve("echo", "127.0.0.1", "3000", wrapper=namespace, probe=None)
    outcome = load(server.addresses[0], *BRIEFLY, "-c", 20, "--source", "127.0.0.1-127.0.0.2", wrapper=namespace)
    assert outcome.json["open"] == {"least": 20, "most": 20} and not outcome.errors(), str(outcome)


# ---- wrong bytes ----

class Corrupting(Requests):
    """Changes one byte of one reply."""

    def __init__(self, which=50, how=None):
        super().__init__(self.reply)
        self.which = which
        self.how = how or (lambda request: request[:30] + b"#" + request[31:])

    def reply(self, request):
        return self.how(request) if self.count == self.which else request


@pytest.mark.parametrize("depth", [1, 32])
def test_a_wrong_byte_is_found(python_server, depth):
    service = Corrupting()
    server = python_server(service)
    outcome = load(server.address, *BRIEFLY, "-c", 2, "--depth", depth, "--verify", code=3)
    assert set(outcome.errors()) == {"mismatch"} and 1 <= outcome.errors()["mismatch"] <= depth, str(outcome)
    assert outcome.first("mismatch") == "the reply is not what was sent" and outcome.json["valid"], str(outcome)
    assert len(server.clients) == 3, "the connection is given up, and made anew"
    assert outcome.json["requests"] > 100, str(outcome)


def test_a_wrong_byte_goes_unseen_when_nobody_looks(python_server):
    assert not load(python_server(Corrupting()).address, *BRIEFLY).errors()


class Swapping(Requests):
    """Answers two clients, once, each with what the other has sent."""

    def __init__(self):
        super().__init__(None)
        self.waiting = None
        self.swapped = False

    def received(self, server, client, data):
        self.count += 1
        if self.swapped or self.count < 50 or self.waiting == (client, data):
            server.send(client, data)
        elif self.waiting is None:
            self.waiting = client, data
        else:
            other, its_data = self.waiting
            self.swapped = True
            server.send(client, its_data)
            server.send(other, data)


def test_replies_to_the_wrong_client_are_found(python_server):
    server = python_server(Swapping())
    outcome = load(server.address, *BRIEFLY, "-c", 2, "--verify", code=3)
    assert outcome.errors() == {"mismatch": 2}, str(outcome)


@pytest.mark.parametrize("options, code", [((), 0), (("--verify",), 3), (("--fail-if", "errors>0"), 3)])
def test_a_byte_too_many_is_found(python_server, options, code):
    server = python_server(Corrupting(how=lambda request: request + b"#"))
    outcome = load(server.address, *BRIEFLY, *options, code=code)
    assert outcome.errors() == {"mismatch": 1} and outcome.json["requests"] > 60, str(outcome)


class Greeting(Service):
    def opened(self, server, client):
        server.send(client, b"hello\n")


@pytest.mark.parametrize("options", [("--reply-size", 0), ("--expect-framing", "line", "-R", 10), ("-R", 10)],
                         ids=["none", "framed", "bytes"])
def test_bytes_that_nobody_asked_for_are_found(python_server, options):
    server = python_server(Greeting())
    outcome = load(server.address, *BRIEFLY, *AT_ONCE, "-c", 2, *options)
    assert set(outcome.errors()) == {"mismatch"}, str(outcome)
    assert "more bytes came than were asked for" in outcome.first("mismatch"), str(outcome)


def test_a_broken_framing_is_an_error(python_server):
    server = python_server(Requests(lambda request: b"\xff\xff\xff\xffxx"))
    outcome = load(server.address, *BRIEFLY, "--expect-framing", "u32be", code=1)
    assert set(outcome.errors()) == {"mismatch"} and outcome.json["requests"] == 0, str(outcome)


# ---- servers that fail ----

@pytest.mark.parametrize("options", [(), ("-R", 200)], ids=["closed", "open"])
def test_a_server_that_comes_back(python_server, servers, start_load, options):
    before, after = echoing(), echoing()
    server = python_server(before)
    running = start_load(server.address, "-d", "2s", "-c", 4, *options)
    wait_count(before, 100)
    server.stop()
    servers.remove(server)
    with contextlib.suppress(AssertionError):
        wait_until(lambda: running.process.poll() is not None, "nobody listens for a while", patience=0.2)
    server = python_server(after, port=server.port)
    wait_count(after, 50)
    outcome = running.wait()
    assert outcome.code == (0 if outcome.json["valid"] else 3), str(outcome)
    assert outcome.errors().get("connect", 0) > 0 and "refused" in outcome.first("connect"), str(outcome)
    assert set(outcome.errors()) <= {"connect", "closed", "reset"}, str(outcome)
    seen = before.count + after.count
    assert outcome.answered() <= seen <= outcome.answered() + 4, f"{seen} {outcome}"
    assert not options or outcome.json["intended"] == 400, str(outcome)
    assert outcome.json["open"] == {"least": 0, "most": 4} and outcome.json["elapsed_s"] == 2, str(outcome)


class Silent(Service):
    def received(self, server, client, data):
        pass


@pytest.mark.parametrize("options, unanswered", [(("-c", 3, "--depth", 2), 6), (("-c", 3, "-R", 1000), 300),
                                                 (("-c", 2, "--churn"), 2)], ids=["closed", "open", "churn"])
def test_what_is_not_answered_is_counted(python_server, options, unanswered):
    server = python_server(Silent())
    outcome = load(server.address, *BRIEFLY, *AT_ONCE, *options, code=1)
    assert "not one request was answered: " in outcome.stderr, str(outcome)
    assert outcome.errors() == {"unanswered": unanswered} and outcome.answered() == 0, str(outcome)
    assert outcome.json["latency_us"] is None and outcome.json["elapsed_s"] == 0.3, str(outcome)


@pytest.mark.parametrize("options, came", [(("--reply-size", 128), 64),
                                           (("--message", "hi", "--expect-framing", "line"), 2)],
                         ids=["size", "framing"])
def test_bytes_that_make_no_reply_are_told(python_server, options, came):
    """The commonest mistake: the reply is not what the options say."""
    outcome = load(python_server().address, *BRIEFLY, *AT_ONCE, *options, code=1)
    assert outcome.json["bytes_in"] == came, str(outcome)
    assert f"{came} bytes came, and made no reply: --reply-size, --expect-framing" in outcome.stderr, str(outcome)


def test_a_service_of_one_answer_is_told_from_one_that_answers_nothing(serve):
    """Bytes came, and then the end: --churn --expect-end would fit."""
    outcome = load(serve("greet").addresses[0], *BRIEFLY, "-c", 1, code=1)
    assert "bytes came, and made no reply: " in outcome.stderr and "--expect-end" in outcome.stderr, str(outcome)


def test_what_a_server_is_not_trusted_for_is_told_whole(serve):
    """The fingerprint that would be pinned, to its last digit."""
    server = serve("echo", options=["--tls", "self-signed", "--quiet"], probe=None)
    outcome = run("load", server.addresses[0], "--tls", "-d", "100ms")
    assert outcome.returncode == 1, outcome.stderr
    assert re.search(r"sha256:[0-9a-f]{64}; --pin trusts exactly that one\)$", outcome.stderr.strip()), outcome.stderr


def test_a_late_reply_is_waited_for(python_server):
    """It counts among the latencies, not in the rate."""
    class Late(Service):
        def received(self, server, client, data):
            time.sleep(0.5)
            server.send(client, data)
    outcome = load(python_server(Late()).address, *BRIEFLY)
    assert (outcome.json["requests"], outcome.json["replies_late"]) == (0, 1) and not outcome.errors(), str(outcome)
    assert outcome.json["latency_us"]["count"] == 1 and outcome.json["latency_us"]["max"] >= 500e3, str(outcome)


class Unreading(Service):
    """Lets the client in, and never reads: its selector is not told."""

    def opened(self, server, client):
        server.selector.unregister(client.sock)
        client.closed = True  # for the server; its socket stays open until the test's end


@pytest.mark.parametrize("options, code", [(("--size", "64MiB"), 1), (("--size", "1MiB", "--reply-size", 0), 0),
                                           (("--churn",), 1)])
def test_a_server_that_never_reads_cannot_hold_it(python_server, options, code):
    """What fits into the kernel's buffers has been taken: where no reply is waited for, that is done."""
    outcome = load(python_server(Unreading()).address, *BRIEFLY, *AT_ONCE, "-c", 2, *options, code=code)
    assert set(outcome.errors()) == {"unanswered"}, str(outcome)


class Ending(Service):
    """Ends each connection instead of its fifth reply."""

    def __init__(self, how):
        self.how = how

    def received(self, server, client, data):
        client.received += b"."
        if len(client.received) < 5:
            server.send(client, data)
        else:
            if self.how == "half":
                server.send(client, data[:10])
            if self.how == "both":
                client.sock.shutdown(socket.SHUT_WR)
            server.close(client, reset=self.how in ("reset", "both"))


@pytest.mark.parametrize("how, kind", [("reset", "reset"), ("close", "closed"), ("half", "closed"), ("both", None)])
def test_a_server_that_ends_connections(python_server, how, kind):
    server = python_server(Ending(how))
    outcome = load(server.address, *BRIEFLY, "-c", 2)
    assert set(outcome.errors()) == {kind} if kind else set(outcome.errors()) <= {"reset", "closed"}, str(outcome)
    assert len(server.clients) - 2 <= outcome.json["errors"] <= len(server.clients), str(outcome)
    assert 4 * (len(server.clients) - 2) <= outcome.answered() <= 4 * len(server.clients), str(outcome)


@pytest.fixture
def black_hole():
    """The address of a listener whose queue is full: who connects hears nothing."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(8):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def test_a_black_hole_is_named(black_hole):
    outcome = run("load", black_hole, *BRIEFLY, "--timeout", "300ms", "-c", "3")
    assert outcome.returncode == 4 and outcome.stdout == "", outcome.stderr
    assert outcome.stderr == f"parley load: connect {black_hole}: connection timed out (nobody answered)\n"


def test_a_connection_under_way_does_not_hold_it(python_server, start_load):
    """The server is gone in the middle, and in its place nobody answers at all."""
    service = echoing()
    server = python_server(service)
    running = start_load(server.address, "-d", "1s", "-c", 2, "--timeout", "1h", *AT_ONCE)
    wait_count(service, 10)
    server.listener.listen(0)  # the queue shrinks to one, which we take ourselves
    server.selector.unregister(server.listener)
    with contextlib.ExitStack() as stack:
        for _ in range(8):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(server.listener.getsockname())
        for client in server.clients:
            client.sock.shutdown(socket.SHUT_RDWR)
        outcome = running.wait()
    assert outcome.code == 0 and outcome.errors() == {"closed": 2}, str(outcome)
    assert outcome.json["elapsed_s"] == 1, str(outcome)


def test_a_refusal_is_said(tmp_path):
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{bound.getsockname()[1]}"
        outcome = run("load", address, *BRIEFLY, "-c", "200", "-t", "2", "--json", str(tmp_path / "json"))
    assert outcome.returncode == 1 and outcome.stdout == "", outcome.stderr
    assert outcome.stderr == f"parley load: connect {address}: connection refused (nothing listens there)\n"


def test_no_socket_there(tmp_path):
    outcome = run("load", "-U", str(tmp_path / "none"), *BRIEFLY)
    assert outcome.returncode == 1 and "no such file" in outcome.stderr.lower(), outcome.stderr


def test_a_full_queue_of_a_unix_socket_is_waited_for(python_server, tmp_path):
    server = python_server(path=str(tmp_path / "socket"), backlog=2)
    outcome = load(None, *BRIEFLY, "-U", tmp_path / "socket", "-c", 50)
    assert outcome.json["open"] == {"least": 50, "most": 50} and not outcome.errors(), str(outcome)
    assert len(server.clients) == 50


def test_a_full_queue_of_a_unix_socket_is_not_waited_for_for_ever(tmp_path):
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind(str(tmp_path / "socket"))
        listener.listen(0)
        client.connect(str(tmp_path / "socket"))
        outcome = run("load", "-U", str(tmp_path / "socket"), *BRIEFLY, "--timeout", "300ms")
    assert outcome.returncode in (1, 2, 4) and f"connect unix:{tmp_path}/socket: " in outcome.stderr, outcome.stderr


# ---- signals ----

@pytest.mark.parametrize("number, name, code", [(signal.SIGINT, "SIGINT", 130), (signal.SIGTERM, "SIGTERM", 143)])
@pytest.mark.parametrize("options", [("-c", 3, "-t", 2), ("-c", 3, "-R", 1000)], ids=["closed", "open"])
def test_an_interrupted_run_reports_first(python_server, start_load, tmp_path, number, name, code, options):
    service = echoing()
    server = python_server(service)
    running = start_load(server.address, "-d", "1h", *options, "--intervals", tmp_path / "seconds")
    wait_until(lambda: (tmp_path / "seconds").exists() and (tmp_path / "seconds").read_text(), "a second has passed")
    running.signal(number)
    outcome = running.wait()
    result = outcome.json
    assert outcome.code == code and result["interrupted"] == name, str(outcome)
    assert 1 <= result["elapsed_s"] < PATIENCE and result["requests"] > 0 and not outcome.errors(), str(outcome)
    assert result["requests"] <= service.count <= result["requests"] + 3, str(outcome)
    for key in ("requests", "bytes_in", "bytes_out"):
        assert sum(second[key] for second in result["intervals"]) == result[key], f"{key}: {outcome}"
    assert sum(second["length"] for second in result["intervals"]) == pytest.approx(result["elapsed_s"]), str(outcome)
    assert result["limits"]["generator_cpu_s"] > 0 and result["limits"]["generator_busy"] > 0, str(outcome)


def test_a_second_interrupt_ends_it_at_once(python_server, start_load):
    """Where a server holds up the end; the report comes all the same."""
    service = Silent()
    server = python_server(service)
    running = start_load(server.address, "-d", "1h", "-c", 3, "--size", "1MiB")
    wait_until(lambda: server.bytes_in > 0, "it has begun")
    running.signal(signal.SIGINT)
    running.signal(signal.SIGINT)
    outcome = running.wait()
    assert outcome.code == 130 and outcome.json["interrupted"] == "SIGINT", str(outcome)


def test_a_reader_that_leaves_ends_the_run_and_costs_no_file(python_server, start_load, tmp_path):
    """`--intervals - | head -1`, of an hour."""
    result = tmp_path / "load.json"
    running = start_load(python_server().address, "-d", "1h", output=("--intervals", "-", "--json", result))
    running.process.stdout.readline()
    running.process.stdout.close()
    assert running.process.wait(PATIENCE) == 128 + signal.SIGPIPE
    assert running.process.stderr.read() == ""
    told = json.loads(result.read_text())
    assert told["interrupted"] == "SIGPIPE" and told["requests"] > 0, told


def test_an_interrupt_before_anybody_was_reached(black_hole, start_load):
    attempts = connecting_to(black_hole)
    running = start_load(black_hole, *BRIEFLY, "--timeout", "1h")
    wait_until(lambda: connecting_to(black_hole) > attempts, "it tries to connect")
    running.signal(signal.SIGINT)
    outcome = running.wait()
    assert outcome.code == 130 and outcome.json["interrupted"] == "SIGINT", str(outcome)
    assert outcome.json["requests"] == 0 and outcome.json["intervals"] == [], str(outcome)
    assert abs(wall_clock(outcome.json["since"]) - time.time()) < 10 * PATIENCE, str(outcome)


def connecting_to(address):
    """How many sockets there are in the state SYN-SENT."""
    port = int(address.rpartition(":")[2])
    with open("/proc/net/tcp", encoding="ascii") as table:
        return sum(line.split()[2].endswith(f":{port:04X}") and line.split()[3] == "02" for line in table)


def wall_clock(text):
    return time.mktime(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
