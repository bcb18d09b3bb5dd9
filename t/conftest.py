"""Fixtures of the tests that drive programs: the real daemon, a real Redis, upstreams and applications made by hand."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "e2e"))

from lib import proc, smpp_raw  # noqa: E402
from lib.daemon import OPEN, Daemon  # noqa: E402
from lib.redis import Redis  # noqa: E402
from lib.tools import Sim  # noqa: E402


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    setattr(item, "report_" + call.when, outcome.get_result())


def _failed(request):
    report = getattr(request.node, "report_call", None)
    return report is None or report.failed


def _smscd(request):
    daemons = []

    def make(text=OPEN, start=True, **kwargs):
        daemon = Daemon(text, **kwargs)
        daemons.append(daemon)
        return daemon.start() if start else daemon

    yield make
    problems = []
    try:
        for daemon in daemons:
            if daemon.process is None:
                continue
            try:
                status = daemon.stop()
                if status != getattr(daemon, "expect_status", 0):
                    problems.append(f"exit status {status}")
            except AssertionError as e:
                problems.append(str(e))
            problems += daemon.problems()
            if problems or _failed(request):
                print(f"--- log of smscd on port {daemon.port}\n{daemon.log.text()}")
    finally:
        for daemon in daemons:
            daemon.destroy()
    assert not problems, problems


@pytest.fixture
def smscd(request):
    """Factory: smscd(script, workers=2, server={...}, binds=[...], ...) starts a daemon; start=False only writes it.

    At the end each one must stop with status 0, without an alert, a sanitizer's report or a process left behind."""
    yield from _smscd(request)


@pytest.fixture(scope="module")
def shared_smscd(request):
    """As smscd, for a daemon that serves all tests of a module."""
    yield from _smscd(request)


def _upstream():
    made = []

    def make(port=None):
        made.append(smpp_raw.Upstream(port or proc.free_port()))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def upstream():
    """Factory: upstream(port=None) is a listening SMSC that the test answers for."""
    yield from _upstream()


@pytest.fixture(scope="module")
def shared_upstream():
    """As upstream, for the tests of a module."""
    yield from _upstream()


@pytest.fixture
def redis_server():
    """Factory: redis_server() starts a redis-server of the test's own."""
    made = []

    def make(**kwargs):
        made.append(Redis(**kwargs).start())
        return made[-1]

    yield make
    for one in made:
        one.destroy()


@pytest.fixture
def smppsim():
    """Factory: smppsim("--option", …) starts an upstream simulator; `port` says where."""
    made = []

    def make(*args, **kwargs):
        made.append(Sim(*args, **kwargs))
        return made[-1]

    yield make
    for one in made:
        one.stop()
