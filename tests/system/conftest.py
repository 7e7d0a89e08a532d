"""Fixtures of the system tests: `serve` starts servers and judges them after the test, `model` is each of 25.

The command under test is build/parley, or what PARLEY names. PARLEY_TEST_PATIENCE is how many seconds a wait
may take before it is given up (sanitizers and valgrind need more). PARLEY_TEST_CASES leaves so many cases of
each test, when one of all models would take too long."""

import itertools
import os
import resource
import zlib

import pytest

from certificates import authority, good  # pylint: disable=unused-import  # fixtures
from harness import MODELS, PARLEY, Server
from lateness import agrees_at_last, sleeper_program  # pylint: disable=unused-import  # fixtures
from loading import known, known_program, python_server, servers  # pylint: disable=unused-import  # fixtures
from memory_cgroup import memory_limit  # pylint: disable=unused-import  # a fixture


def pytest_configure(config):
    config.addinivalue_line("markers", "measures: judges times, so it runs apart from all others, one after another")
    # A test holds up to some thousands of sockets; servers are given their own limit.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def cases_left(name, cases, most):
    """So many of them, evenly spread; where they begin depends on the name, so that tests take different ones."""
    most = min(most, len(cases))
    first = zlib.crc32(name.encode())
    return [cases[(first + number * len(cases) // most) % len(cases)] for number in range(most)]


def pytest_collection_modifyitems(config, items):
    if not (most := int(os.environ.get("PARLEY_TEST_CASES") or 0)):
        return
    left = set()
    for name, cases in itertools.groupby(items, lambda item: item.nodeid.partition("[")[0]):
        left.update(cases_left(name, list(cases), most))
    config.hook.pytest_deselected(items=[item for item in items if item not in left])
    items[:] = [item for item in items if item in left]


def pytest_runtest_setup(item):
    if item.get_closest_marker("measures") and "PARLEY_SANITIZER" in os.environ:
        pytest.skip("sanitizers change what time things take")
    if "uring" in item.name and os.environ.get("PARLEY_SANITIZER") == "valgrind":
        pytest.skip("valgrind does not know what a ring writes")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Shows what the servers said beside a failure, and tells `serve` how the test went."""
    report = (yield).get_result()
    setattr(item, f"{report.when}_passed", report.passed)
    if report.failed:
        for server in getattr(item, "servers", []):
            report.sections.append((f"stderr of {server}", server.stderr()[-6000:]))
    if report.when == "teardown":
        item.servers = []  # their files close; pytest keeps items until all tests have run


def judge(servers):
    for server in servers:
        if server.process.poll() is None and server.checked_after:
            server.check_after()
        server.stop()


@pytest.fixture
def serve(request):
    """Starts servers: serve(SERVICE, *ADDRESSES, model=…, options=[…]). After a test that passed each must
    serve a new client, be back at its baseline, be quiet, and end with the expected exit code."""
    assert os.access(PARLEY, os.X_OK), f"there is no {PARLEY}: build it, or name one in PARLEY"
    servers = request.node.servers = []

    def start(*arguments, **options):
        server = Server.__new__(Server)
        servers.append(server)
        server.__init__(*arguments, **options)
        return server
    try:
        yield start
        if getattr(request.node, "call_passed", False):
            judge(servers)
    finally:
        for server in servers:
            if hasattr(server, "process"):
                server.kill()
                server.let_go()


@pytest.fixture(params=MODELS)
def model(request):
    return request.param
