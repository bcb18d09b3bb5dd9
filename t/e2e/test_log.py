"""The log: levels, formats, files, and what never stands in it."""

import json
import re
import signal

import pytest
from lib import proc
from lib.daemon import OPEN

SCRIPT = (
    OPEN
    + """
@smpp.on_pdu("submit_sm")
async def submit(pdu, session):
    log.debug("level-debug")
    log.info("level-info")
    log.warn("level-warn")
    log.warning("level-warning")
    log.error("level-error")
    log.info("two\\nlines \\x1b[31m and " + pdu.source_addr)
"""
)
LEVELS = ["debug", "info", "warn", "error"]


@pytest.mark.parametrize("level", LEVELS)
def test_levels(smscd, level):
    daemon = smscd(SCRIPT, start=False, log={"level": level})
    daemon.start(wait=level in ("debug", "info"))
    if level in ("warn", "error"):  # no `ready` to wait for
        proc.wait_until(lambda: can_bind(daemon), what="smscd")
    with daemon.bind() as esme:
        esme.submit()
    daemon.log.wait("level-error")
    shown = {line.level for line in daemon.log.find("level-")}
    assert shown == set(LEVELS[LEVELS.index(level) :])
    if level != "error":
        assert len(daemon.log.find("level-warn")) == 2


def can_bind(daemon):
    try:
        daemon.bind().close()
        return True
    except OSError:
        return False


def test_json(smscd):
    daemon = smscd(SCRIPT, log={"format": "json"})
    with daemon.bind() as esme:
        esme.submit(source_addr=b'"\\\xe9\x01')
    daemon.log.wait("two")
    for line in daemon.log.lines:
        fields = json.loads(line.raw)
        assert {"time", "level", "process", "message"} <= set(fields)
    (line,) = [json.loads(entry.raw) for entry in daemon.log.find(r"two\\nlines")]
    assert line["message"].startswith("two\nlines \x1b[31m and ")


def test_text_is_one_line_whatever_comes(smscd):
    daemon = smscd(SCRIPT)
    with daemon.bind("bad\n\x1b[2Jid") as esme:
        esme.submit(source_addr=b"\n\r\x1b[31m")
    daemon.log.wait("two")
    daemon.stop()
    for line in daemon.log.lines:
        assert line.level, f"not a line of its own: {line.raw!r}"
        assert not re.search(r"[\x00-\x1f\x7f]", line.raw)


def test_says_whose_it_is(smscd):
    daemon = smscd(
        OPEN
        + """
@smpp.on_pdu("submit_sm")
async def submit(pdu, session):
    raise RuntimeError("whose is this")
"""
    )
    with daemon.bind("acme") as esme:
        esme.submit()
    daemon.log.wait("whose is this")
    lines = daemon.log.lines
    at = next(n for n, line in enumerate(lines) if "whose is this" in line.raw)
    assert any("acme" in line.raw for line in lines[max(0, at - 20) : at + 1])
    assert lines[at].process.startswith("worker 0")


def test_file_and_reopen(smscd):
    daemon = smscd(SCRIPT, start=False, log={"file": "smscd.log"})
    daemon.start(wait=False)
    path, moved = daemon.dir / "smscd.log", daemon.dir / "smscd.log.1"
    proc.wait_until(lambda: path.exists() and re.search("master: ready", path.read_text()), what="ready")
    path.rename(moved)
    daemon.signal(signal.SIGUSR1)
    proc.wait_until(path.exists, what="the new file")
    with daemon.bind() as esme:

        def worker_writes_there():
            esme.submit()
            return "level-error" in path.read_text()

        proc.wait_until(worker_writes_there, what="a worker's line in the new file")


def test_print_in_a_script_does_no_harm(smscd):
    daemon = smscd(
        OPEN
        + """
import sys
print("printed at import")

@smpp.on_pdu("submit_sm")
async def submit(pdu, session):
    print("printed")
    print("to stderr", file=sys.stderr)
"""
    )
    with daemon.bind() as esme:
        assert esme.submit().status == 0


def test_log_from_a_thread(smscd):
    daemon = smscd(
        OPEN
        + """
@smpp.on_pdu("submit_sm")
async def submit(pdu, session):
    await asyncio.to_thread(log.info, "from a thread")
"""
    )
    with daemon.bind() as esme:
        assert esme.submit().status == 0
    daemon.log.wait("info worker 0: .*from a thread")


def test_no_secret(smscd, upstream):
    """Passwords of applications, binds and Redis never appear, at the most talkative level either."""
    smsc = upstream()
    daemon = smscd(
        SCRIPT,
        log={"level": "debug"},
        binds=[{"name": "eu", "host": "127.0.0.1", "port": smsc.port, "system_id": "gw", "password": "hush-up"}],
    )
    smsc.accept_bind().close()
    with daemon.bind(password="hush-me") as esme:
        esme.submit()
    with daemon.connect() as esme:
        esme.send("bind_transceiver", system_id="x" * 16, password="hush-me")
        esme.recv()
    daemon.stop()
    assert not daemon.log.find("hush")
