"""Libraries that others wrote, as applications and as an upstream of the gateway example.

Each application binds, submits 1,000 messages with a window of 10, gets every answer and every receipt."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from kannel import ACCEPTED, DELIVERED, FAILED, Kannel
from lib import proc

HERE = Path(__file__).parent
EXAMPLE = HERE.parents[1] / "examples" / "gateway.py"
COUNT, WINDOW = 1000, 10

pytestmark = pytest.mark.slow


def node_environment():
    """NODE_PATH as scripts/check sets it, else where it would be."""
    path = os.environ.get("NODE_PATH", proc.build_dir() / "npm" / "node_modules")
    if not (Path(path) / "smpp").is_dir():
        pytest.skip(f"the npm package smpp is not in {path}")
    return {**os.environ, "NODE_PATH": str(path)}


CLIENTS = {
    "npm": (["node", HERE / "npm_client.js"], node_environment),
    "net-smpp": (["/usr/bin/perl", HERE / "net_smpp.pl"], lambda: None),
    "smpplib": ([sys.executable, HERE / "smpplib_client.py"], lambda: None),
}


def upstream_bind(name, port, password="pw"):
    return {
        "name": name,
        "host": "127.0.0.1",
        "port": port,
        "system_id": "gateway",
        "password": password,
        "window": 50,
        "reconnect_min_ms": 100,
    }


@pytest.fixture
def gateway(smscd, smppsim):
    """The gateway example with one upstream, which sends one receipt in ten before its answer."""

    def make(*options, workers=2):
        sim = smppsim("--receipt-before-rate", "10", "--receipt-delay-ms", "5", *options)
        return start_gateway(smscd, [upstream_bind("carrier", sim.port)], workers)

    return make


def answers_to_receipts(events):
    """Of smppsim's event log: (message_id, event, command_status) of whatever became of a receipt."""
    rows = [line.split("\t") for line in events.read_text().splitlines()]
    return [(row[3], row[2], row[6]) for row in rows if row[2].startswith("receipt_")]


def start_gateway(smscd, binds, workers=2):
    chain = [f"bind:{b['name']}" for b in binds]
    daemon = smscd(EXAMPLE.read_text(), workers=workers, binds=binds, routing={"default_chain": chain})
    for bind in binds:
        daemon.log.wait(rf"\b{bind['name']}\b.*bound")
    return daemon


@pytest.mark.parametrize("client", CLIENTS)
def test_application(gateway, client):
    command, environment = CLIENTS[client]
    daemon = gateway()
    arguments = [*command, "127.0.0.1", daemon.port, "esme1", "s3cret", COUNT, WINDOW]
    done = subprocess.run(
        list(map(str, arguments)), env=environment(), capture_output=True, text=True, timeout=90, cwd="/tmp"
    )
    assert done.returncode == 0, done.stderr
    events = json.loads(done.stdout)
    answers = [message_id for kind, message_id, status in events if kind == "answer" and status == 0]
    receipts = [message_id for kind, message_id, stat in events if kind == "receipt" and stat == "DELIVRD"]
    assert len(answers) == len(set(answers)) == COUNT
    assert sorted(receipts) == sorted(answers)
    first = {message_id: kind for kind, message_id, _ in reversed(events)}
    assert set(first.values()) == {"answer"}, "a receipt before the answer to its message"


@pytest.mark.parametrize(("stat", "reported", "count"), [("DELIVRD", DELIVERED, COUNT), ("UNDELIV", FAILED, 1)])
def test_kannel(gateway, tmp_path, stat, reported, count):
    if not shutil.which("bearerbox", path="/usr/sbin:/usr/bin"):
        pytest.skip("bearerbox is not installed")
    events = tmp_path / "events"
    daemon = gateway("--stat", stat, "--log", events)
    kannel = Kannel(daemon.port, "esme1", "s3cret", WINDOW)
    try:
        kannel.send(count)
        kannel.reports.wait(2 * count, timeout=90)
        seen = kannel.reports.seen
        odd = {n: seen[n] for n in range(count) if sorted(seen[n]) != sorted([reported, ACCEPTED])}
        assert not odd, (odd, kannel.log())
        texts = [kannel.reports.texts[n, reported] for n in range(count)]
        assert not [text for text in texts if f" stat:{stat} " not in text]
        # Kannel takes a receipt for the first of its answers; only the upstream knows whether it was taken at once.
        proc.wait_until(lambda: len(answers_to_receipts(events)) >= count, what="the answers to all receipts")
        answers = answers_to_receipts(events)
        assert len({message_id for message_id, _, _ in answers}) == len(answers) == count
        assert {(event, status) for _, event, status in answers} == {("receipt_resp", "ESME_ROK")}
    finally:
        kannel.stop()


class NpmServer:
    """The npm package as an SMSC; its events as they come."""

    def __init__(self, port, password):
        arguments = ["node", HERE / "npm_server.js", str(port), password]
        self.process = subprocess.Popen(
            arguments, env=node_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        )
        assert json.loads(self.process.stdout.readline())["event"] == "listening"

    def events(self):
        """Ends the server and returns everything it said."""
        self.process.terminate()
        return [json.loads(line) for line in self.process.communicate(timeout=10)[0].splitlines()]


def test_npm_as_upstream(smscd):
    port = proc.free_port()
    server = NpmServer(port, "pw")
    try:
        daemon = start_gateway(smscd, [upstream_bind("npm", port)])
        done = subprocess.run(
            [
                proc.build_dir() / "smppload",
                *f"--port {daemon.port} --system-id esme1 --password s3cret --count {COUNT} --window {WINDOW}".split(),
                *"--receipts --json --quiet".split(),
            ],
            capture_output=True,
            text=True,
            timeout=90,
        )
        assert done.returncode == 0, (done.stdout, done.stderr)
        daemon.stop()
    finally:
        events = server.events()
    submitted = [e["id"] for e in events if e["event"] == "submit"]
    receipts = {e["id"]: e["status"] for e in events if e["event"] == "receipt"}
    assert len(submitted) == COUNT
    assert receipts == dict.fromkeys(submitted, 0)
    assert events[0] == {"event": "bind", "system_id": "gateway", "status": 0}
    assert events[-1] == {"event": "unbind"}


def test_npm_refuses_the_bind(smscd):
    """The log says why. It is tried again, each bind after its own time: while one tries often, the other waits."""
    port = proc.free_port()
    server = NpmServer(port, "another")
    patient = upstream_bind("patient", port) | {"system_id": "patient", "reconnect_min_ms": 60000}
    try:
        daemon = smscd(EXAMPLE.read_text(), binds=[patient, upstream_bind("npm", port)])
        daemon.log.wait(r"npm.*rejected.*ESME_RINVPASWD")
        daemon.log.wait(r"patient.*rejected.*ESME_RINVPASWD.*next try")
        for _ in range(3):
            daemon.log.wait(r"npm.*rejected.*ESME_RINVPASWD", since=daemon.log.mark())
        daemon.stop()
    finally:
        events = server.events()
    binds = [e for e in events if e["event"] == "bind"]
    assert {e["status"] for e in binds} == {0x0E}
    assert len([e for e in binds if e["system_id"] == "gateway"]) >= 4
    assert len([e for e in binds if e["system_id"] == "patient"]) == 1
