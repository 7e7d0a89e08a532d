"""What `parley load` reports, against servers whose latency is known: the percentiles must be those of theory
within 2 %, and a stall must show in an open loop. How late the machine itself may be, lateness.py knows."""

import pytest

from lateness import Wrong
from loading import FIRST, Load

pytestmark = pytest.mark.measures

TOLERANCE = 0.02
TOLD_APART = 0.05  # an error of so much fails whatever the machine did, or nothing was learnt
HISTOGRAM = 0.001  # three significant digits
PERCENTILES = ("p50", "p90", "p99")

# known_server's --delay, and what theory says of it, in ms.
DISTRIBUTIONS = {"50": (50, 50, 50),
                 "40-120": (80, 112, 119.2),
                 "85:50,13:100,2:200": (50, 100, 200)}


def in_ms(latency, key):
    return latency[key] / 1000


def measure(address, *options):
    outcome = Load(address, *options, wrapper=FIRST).wait()
    assert outcome.code in (0, 3) and outcome.json["errors"] == 0, str(outcome)
    return outcome


def own_cost(known, *options):
    """What an answer without delay takes here, in ms: of the machine and the generator, loaded like this."""
    outcome = measure(known().address, "-d", "300ms", *options)
    return in_ms(outcome.json["latency_us"], "p50")


def compare(outcome, theory, cost, machine, summary="latency_us"):
    """No answer comes before its time; none later than the tolerance, what it costs here, and what the machine was
    late by, as far as that leaves something to tell."""
    wrong = []
    for key, wanted in zip(PERCENTILES, theory):
        seen, late = in_ms(outcome.json[summary], key), machine.late_in_all(key)
        least, most = wanted * (1 - HISTOGRAM), wanted * (1 + TOLERANCE) + cost + late
        bound = wanted * (1 + TOLD_APART)
        if not least <= seen <= min(most, bound):
            wrong.append(Wrong(f"{summary} {key} is {seen:g} ms, theory says {wanted:g} ms, an answer costs {cost:g} "
                               f"ms, the machine was {late:.3f} ms late",
                               seen >= least and machine.is_later(most, bound)))
    return wrong


# So few clients that it costs little when all ask at once: those of equal delay that a halt has brought together stay
# together. In the open loop there are so many connections that each has its answer before it is asked again.
@pytest.mark.parametrize("loop", [("-c", 40), ("-c", 400, "-R", 1500)], ids=["closed", "open"])
@pytest.mark.parametrize("delay", DISTRIBUTIONS)
def test_percentiles_are_those_of_theory(known, agrees_at_last, loop, delay):
    cost = own_cost(known, *loop)
    server = known("--delay", delay)
    agrees_at_last(lambda: measure(server.address, *loop, "-d", "2s", "--ramp", "300ms"),
                   lambda outcome, machine: compare(outcome, DISTRIBUTIONS[delay], cost, machine))


def test_a_churn_is_timed_from_its_first_step(known, agrees_at_last):
    """Connecting takes next to nothing here, so all of its times are the server's delay."""
    loop = ("-c", 50, "-R", 500, "--churn")
    cost = own_cost(known, *loop)
    server = known("--delay", "50")

    def judge(outcome, machine):
        wrong = [complaint for summary in ("latency_us", "first_byte_us", "service_us")
                 for complaint in compare(outcome, (50, 50, 50), cost, machine, summary)]
        connecting, most = in_ms(outcome.json["connect_us"], "p50"), cost + machine.late_in_all("p50")
        if connecting > most:
            wrong.append(Wrong(f"connecting took {connecting:g} ms, all of an answer {cost:g} ms before",
                               machine.is_later(most, 50 * TOLERANCE)))
        return wrong
    agrees_at_last(lambda: measure(server.address, *loop, "-d", "1s"), judge)


# ---- a server that stalls ----

STALL = ("--stall", "500:500")
STALLED_FOR = 500
# Of 2 s at a steady rate, a quarter of the requests waits evenly 0 to 500 ms.
STALLED = {"p50": 0, "p90": 300, "p99": 480}
ASIDE = 20  # ms: what a machine with two processors adds to an answer when hundreds are due at once


def hides_a_stall(machine):
    """Its own halts are stalls, too."""
    return machine.is_later(machine.late_in_all("p99"), ASIDE / 2)


def stalled(outcome, machine, summary="latency_us"):
    wrong = []
    for key, wanted in {**STALLED, "max": STALLED_FOR}.items():
        seen, least = in_ms(outcome.json[summary], key), wanted * (1 - TOLERANCE)
        if not least <= seen <= wanted * (1 + TOLERANCE) + ASIDE:
            wrong.append(Wrong(f"{summary} {key} is {seen:g} ms, theory says {wanted} ms",
                               seen >= least and hides_a_stall(machine)))
    return wrong


@pytest.mark.parametrize("depth", [128, 1])
def test_an_open_loop_shows_a_stall(known, agrees_at_last, depth):
    """At depth 1 the requests wait in the generator: the response time has it, the service time has not."""
    def judge(outcome, machine):
        if depth > 1:
            return stalled(outcome, machine) + stalled(outcome, machine, "service_us")
        wrong = stalled(outcome, machine)
        if in_ms(outcome.json["service_us"], "p99") >= ASIDE:
            wrong.append(Wrong("the service time shows what waits in the generator", hides_a_stall(machine)))
        return wrong
    agrees_at_last(lambda: measure(known(*STALL).address, "-c", 10, "--depth", depth, "-R", 1000, "-d", "2s"), judge)


def test_a_closed_loop_hides_a_stall(known, agrees_at_last):
    def judge(outcome, machine):
        latency = outcome.json["latency_us"]
        wrong = []
        if in_ms(latency, "p99") >= ASIDE:
            wrong.append(Wrong("p99 shows the stall", hides_a_stall(machine)))
        if not STALLED_FOR * (1 - TOLERANCE) <= in_ms(latency, "max") <= STALLED_FOR * (1 + TOLERANCE) + ASIDE:
            wrong.append(Wrong(f"max is {in_ms(latency, 'max'):g} ms", hides_a_stall(machine)))
        return wrong
    agrees_at_last(lambda: measure(known(*STALL, "--delay", "1").address, "-c", 10, "-d", "2s"), judge)
