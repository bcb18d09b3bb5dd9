"""The package in a process that has opened no harness: what needs none works, and the rest says what is missing."""

import subprocess
import sys

import pytest

HEAD = """
import asyncio
from siphon import cache, smpp
from siphon_sdk.smpp import MockBind, MockPdu, MockSession
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own: whatever it does, a harness may have been opened in this one."""
    return subprocess.run([sys.executable, "-c", HEAD + code], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("code", "printed"),
    [
        ("print(MockSession(system_id='acme').system_id)", "acme"),
        ("print(MockBind(system_id='acme').system_id)", "acme"),
        ("print(MockPdu(destination_addr='4670').destination_addr)", "4670"),
        ("print(MockPdu().reply().command_status)", "ESME_ROK"),
        ("print(smpp.binds(), smpp.routing_rules())", "[] ([], [])"),
        ("print(smpp.config()['server']['port'])", "2775"),
    ],
)
def test_what_needs_none(code, printed):
    done = run(code)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, printed, "")


@pytest.mark.parametrize(
    "call",
    [
        "cache.get('key')",
        "smpp.sessions()",
        "smpp.deliver_to(session_id='x', destination_addr='4670', short_message=b'hi')",
    ],
)
def test_what_needs_one(call):
    done = run(f"asyncio.run({call})")
    assert done.returncode == 1, done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith("RuntimeError: no SmppTestHarness is open")
