"""`parley load --find-rate`: the highest rate that keeps a promise."""

import os
import re
import select
import signal

import pytest

from client import PATIENCE, wait_until
from harness import run
from lateness import Wrong
from loading import FIRST, Load, Requests, load, natively

pytestmark = natively

CAPACITY, SECONDS, BOUND = 1000, 0.5, 20


def trials_of(outcome):
    return [(trial["rate"], trial["kept"]) for trial in outcome.json["search"]["trials"]]


def search(known, promise, seconds=SECONDS):
    server = known("--capacity", str(CAPACITY))
    options = ("-c", 50, "-d", f"{seconds:g}s", "--find-rate", promise)
    return Load(server.address, *options, wrapper=FIRST).wait()


@pytest.mark.measures
def test_it_finds_the_capacity_of_a_server_and_tells_its_uncertainty(known, agrees_at_last):
    """Of R requests a second R - 1000 stay behind each second: those at the end of a trial wait the longest."""
    limit = CAPACITY + BOUND / SECONDS

    def judge(outcome, machine):
        result = outcome.json["search"]
        found, broken = result["found"], result["broken"]
        wrong = []
        if not 0.95 * CAPACITY <= found <= 1.02 * limit or result["by_generator"]:
            # A single halt can break a rate that the server keeps.
            wrong.append(Wrong(f"found {found}, theory says {limit}",
                               found <= 1.02 * limit and machine.is_later(machine.late(100), BOUND / 2)))
        if not found < broken <= 1.03 * found:
            wrong.append(Wrong(f"{broken} was broken: more than 2 % and rounding away from {found}", False))
        return wrong

    outcome = agrees_at_last(lambda: search(known, f"p99<{BOUND}ms"), judge)
    found, trials = outcome.json["search"], trials_of(outcome)
    assert found["promise"] == "p99<20ms", str(outcome)
    assert trials.count((found["found"], True)) >= 2, f"what is told was kept twice: {trials}"
    assert trials.count((found["broken"], False)) >= 2, f"what is called broken was broken twice: {trials}"
    assert found["sentence"].startswith("p99<20ms is kept up to ") and " and is not at " in found["sentence"]
    assert outcome.json["requests"] == pytest.approx(found["found"] * SECONDS, rel=0.05), "it is the best trial's"


def test_a_promise_that_nothing_keeps(known):
    outcome = search(known, "p50<1us", 0.05)
    assert outcome.code == 3 and "no rate kept p50<1us" in outcome.stderr, str(outcome)
    assert outcome.json["search"]["found"] in (0, None), str(outcome)
    assert not any(kept for _, kept in trials_of(outcome)), str(outcome)


def test_all_of_several_promises_are_to_be_kept(known):
    outcome = Load(known().address, "-d", "50ms", "--find-rate", "p50<1us", "--find-rate", "p99<1h").wait()
    assert outcome.code == 3 and "no rate kept p50<1us and p99<1h" in outcome.stderr, str(outcome)
    assert {trial["what"][:7] for trial in outcome.json["search"]["trials"]} <= {"p50 is ", "the gen"}, str(outcome)


def test_errors_that_are_permitted_break_no_rate(python_server):
    """Each fourth request ends its connection."""
    class Fourth(Requests):
        def received(self, server, client, data):
            super().received(server, client, data)
            if self.count % 4 == 3:
                self.count += 1
                server.close(client)

    server = python_server(Fourth(lambda request: request))
    outcome = Load(server.address, "-c", 4, "-d", "100ms", "--grace", "200ms", "--find-rate", "p99<1h", "--find-rate",
                   "errors<60%").wait()
    assert outcome.code == 0 and outcome.json["search"]["found"] and outcome.errors(), str(outcome)
    kept = [trial["what"] for trial in outcome.json["search"]["trials"] if trial["kept"]]
    assert all(re.fullmatch(r"p99 is .+, errors are .+ %", what) for what in kept), kept


def test_it_ends_where_no_whole_request_is_between(known):
    """25 a second: the next rate is 4 % more, which is further than a search of high rates goes."""
    server = known("--delay", "40")
    outcome = Load(server.address, "-d", "200ms", "--find-rate", "p99<1h", wrapper=FIRST).wait()
    rates = [rate for rate, _ in trials_of(outcome)]
    assert outcome.code == 0, str(outcome)
    # How many trials there are depends on how often this machine held one up.
    assert max(map(rates.count, rates)) < 10, f"a rate was tried again and again: {rates}"


def test_a_server_that_answers_nothing_has_no_rate(python_server):
    server = python_server(Requests(lambda request: None))
    outcome = run("load", server.address, "-d", "100ms", "--grace", "100ms", "--find-rate", "p99<1h")
    assert outcome.returncode == 1 and "not one request was answered: no reply" in outcome.stderr, outcome.stderr


def test_the_table_tells_it(python_server):
    outcome = load(python_server().address, "-d", "100ms", "--find-rate", "p99<1h", output=())
    assert "p99<1h is kept up to " in outcome.stdout, str(outcome)


def test_a_trial_takes_the_place_of_the_live_line(known):
    ours, theirs = os.openpty()
    running = Load(known().address, "-d", "100ms", "--find-rate", "p99<1h", stderr=theirs)
    os.close(theirs)
    try:
        seen = b""
        while b"kept: " not in seen and select.select([ours], [], [], PATIENCE)[0]:
            seen += os.read(ours, 4096)
        running.signal(signal.SIGINT)
        running.wait()
    finally:
        running.kill()
        os.close(ours)
    assert re.search(rb"\r\x1b\[K[\d.]+( k)?/s +kept: p99 is ", seen), seen


@pytest.mark.parametrize("clients", [1, 2])
def test_an_interrupted_search_reports_first(python_server, clients):
    """In the probe, a closed loop of at most a second; in the first trial, whose connection is another."""
    server = python_server()
    running = Load(server.address, "-d", "1h", "--find-rate", "p99<1h")
    try:
        wait_until(lambda: len(server.clients) == clients, f"connection {clients}")
        running.signal(signal.SIGINT)
        outcome = running.wait()
    finally:
        running.kill()
    assert outcome.code == 130 and outcome.json["interrupted"] == "SIGINT", str(outcome)
    assert trials_of(outcome) == [], str(outcome)
    assert outcome.json["search"]["sentence"] == "interrupted before a rate was found that keeps p99<1h", str(outcome)
    assert outcome.json["conditions"]["target"] == server.address, str(outcome)
    assert outcome.json["conditions"]["mode"] == "open loop" and outcome.json["since"] > "2020", str(outcome)


@pytest.mark.parametrize("options, sentence", [
    (("--find-rate", "fast"), "fast"), (("--find-rate", "p99>=5ms"), "such as p99<5ms"),
    (("--find-rate", "p99<5ms", "-R", "5"), "leave out -R"), (("--find-rate", "p99<5ms") * 5, "4 promises at most"),
    (("--find-rate", "fast", "--find-rate", "p99<5ms"), "fast")])
def test_what_makes_no_sense_is_said(python_server, options, sentence):
    server = python_server()
    outcome = run("load", server.address, *options)
    assert outcome.returncode == 2 and sentence in outcome.stderr and not server.clients, outcome.stderr


def test_nobody_is_there():
    outcome = run("load", "127.0.0.1:1", "--find-rate", "p99<5ms")
    assert outcome.returncode == 1 and "connection refused" in outcome.stderr, outcome.stderr
