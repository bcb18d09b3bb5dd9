"""CPython's own tests of asyncio, on the loop that handlers run on.

Left out: what tests other loops and other systems, asyncio.run's handling of SIGINT (a worker has none), and SSL.
"""

import json
import subprocess
import sys

import pytest
from lib.daemon import OPEN

GROUPS = {
    "tasks": ["test_tasks", "test_context", "test_pep492", "test_waitfor"],
    "primitives": ["test_futures", "test_futures2", "test_locks", "test_queues", "test_timeouts", "test_taskgroups"],
    "io": ["test_streams", "test_sock_lowlevel", "test_server", "test_transports", "test_sendfile", "test_threads"],
    "loop": ["test_base_events", "test_selector_events", "test_unix_events", "test_buffered_proto", "test_protocols"],
    "subprocess": ["test_subprocess"],
}

# The first puts the old handler of SIGHUP back, which is the worker's own, in C, and so None to Python; the second runs
# a loop of the same policy in another thread, and ours is one for the process.
EXCEPT = {"test_send_signal", "test_create_subprocess_with_pidfd"}

SCRIPT = """
import asyncio, io, unittest
from siphon import _loop
from e2e_record import record

class Policy(asyncio.DefaultEventLoopPolicy):
    def new_event_loop(self):
        return _loop.new_event_loop()

def run(name):
    suite = unittest.defaultTestLoader.loadTestsFromName("test.test_asyncio." + name)
    result = unittest.TextTestRunner(stream=io.StringIO()).run(suite)
    bad = {test.id(): text for test, text in result.failures + result.errors}
    record(name, run=result.testsRun, bad=bad)

before = asyncio.get_event_loop_policy()
asyncio.set_event_loop_policy(Policy())
for name in MODULES:
    run(name)
asyncio.set_event_loop_policy(before)
"""


def embedded_has_tests():
    """The interpreter that is embedded is Debian's; its tests are a package of their own."""
    python = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    return subprocess.run([python, "-c", "import test.test_asyncio"], capture_output=True).returncode == 0


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("group", GROUPS)
def test_on_our_loop(smscd, group):
    assert embedded_has_tests(), "apt-get install libpython3-testsuite"
    daemon = smscd(OPEN + f"MODULES = {GROUPS[group]!r}\n" + SCRIPT, start=False)
    done = daemon.run("-t", "-c", daemon.conf_path, timeout=280)
    assert done.returncode == 0, done.stderr
    results = [json.loads(line) for line in daemon.records_path.read_text().splitlines()]
    assert [result["kind"] for result in results] == GROUPS[group]
    bad = {
        test: text for result in results for test, text in result["bad"].items() if test.split(".")[-1] not in EXCEPT
    }
    assert not bad, "\n".join(bad.values())
    assert all(result["run"] > 0 for result in results)
