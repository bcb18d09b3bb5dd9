"""Ten thousand messages through the gateway example, judged from what the peers themselves wrote down.

Four ESME sessions over two workers, two upstreams that give the same ids, one receipt in ten before the answer to its
message, applications that unbind and bind again in the middle: every answer and every receipt arrives exactly once,
at a session of its system_id."""

import subprocess
import threading
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from lib import proc

EXAMPLE = Path(__file__).parents[2] / "examples" / "gateway.py"
CREDENTIALS = {"esme1": "s3cret", "esme2": "pa55word"}
EACH, SESSIONS = 5000, 2

pytestmark = pytest.mark.slow

FIELDS = ("time", "connection", "event", "message_id", "source", "destination", "status", "body", "system_id")


def events(path):
    """The lines of an event log of smppload or smppsim."""
    for line in path.read_text().splitlines()[1:]:
        yield dict(zip(FIELDS, line.split("\t"), strict=True))


def start(smscd, smppsim, tmp_path, *sim_options):
    """The gateway on two workers and two simulators, which both begin their ids with the same number."""
    sims, binds = [], []
    for name in ("eu", "us"):
        sim = smppsim(
            *"--id-start 1000 --receipt-before-rate 10 --receipt-before-ms 200 --receipt-delay-ms 5".split(),
            *"--deliver-window 1000 --quiet".split(),
            *sim_options,
            "--log",
            tmp_path / f"{name}.tsv",
        )
        sims.append(sim)
        binds.append({"name": name, "host": "127.0.0.1", "port": sim.port, "system_id": "gw", "password": "pw"})
        binds[-1] |= {"window": 100, "queue": 20000, "deliver_window": 1000, "reconnect_min_ms": 100}
    routing = {
        "default_chain": ["bind:eu", "bind:us"],
        "rules": [{"name": "us", "prefix": "1", "chain": ["bind:us", "bind:eu"]}],
    }
    daemon = smscd(EXAMPLE.read_text(), workers=2, binds=binds, routing=routing)
    for bind in binds:
        daemon.log.wait(rf"\b{bind['name']}\b.*bound")
    return daemon, sims


def load(daemon, tmp_path, system_id, number, *options):
    """smppload as one application on two sessions. The number is what its destinations begin with."""
    return subprocess.Popen(
        [
            proc.build_dir() / "smppload",
            *f"--port {daemon.port} --system-id {system_id} --password {CREDENTIALS[system_id]}".split(),
            *f"--connections {SESSIONS} --count {EACH} --window 20 --receipts --quiet --receipt-timeout 20".split(),
            *f"--source {number} --destination {number}######## --text {system_id}-########".split(),
            *options,
            *("--log", tmp_path / f"{system_id}.tsv"),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(loads):
    for system_id, process in loads.items():
        output = process.communicate(timeout=100)[0]
        assert process.returncode == 0, (system_id, output)


def judge_application(tmp_path, system_id):
    """Every message answered once with an id of its own, every id with one receipt, nobody else's."""
    by_event = defaultdict(list)
    for event in events(tmp_path / f"{system_id}.tsv"):
        by_event[event["event"]].append(event)
    answers = Counter(e["message_id"] for e in by_event["submit_resp"])
    receipts = Counter(e["message_id"] for e in by_event["receipt"])
    assert len(by_event["submit"]) == EACH
    assert {e["status"] for e in by_event["submit_resp"]} == {"ESME_ROK"}
    assert sum(answers.values()) == len(answers) == EACH
    assert receipts == answers
    assert len(by_event["bind"]) > 2 * SESSIONS, "the test is void: nobody bound again"
    return answers


def test_every_answer_and_receipt_once(smscd, smppsim, tmp_path):
    daemon, sims = start(smscd, smppsim, tmp_path)
    loads = {
        "esme1": load(daemon, tmp_path, "esme1", "44", "--rebind-every", "800"),
        "esme2": load(daemon, tmp_path, "esme2", "1", "--rebind-every", "700"),
    }
    finish(loads)
    assert daemon.stop() == 0
    for sim in sims:
        sim.stop()
    ids = [set(judge_application(tmp_path, system_id)) for system_id in loads]
    assert not ids[0] & ids[1]
    judge_upstreams(tmp_path)


def judge_upstreams(tmp_path):
    """The upstreams saw each message once, both gave the same ids, and every receipt was taken."""
    bodies, given, early = Counter(), [], 0
    for name in ("eu", "us"):
        by_event, answered = defaultdict(list), set()
        for event in events(tmp_path / f"{name}.tsv"):
            by_event[event["event"]].append(event)
            if event["event"] == "submit_resp":
                answered.add(event["message_id"])
            early += event["event"] == "receipt" and event["message_id"] not in answered
        bodies.update(e["body"] for e in by_event["submit"])
        given.append({e["message_id"] for e in by_event["submit_resp"]})
    assert len(bodies) == sum(bodies.values()) == 2 * EACH
    assert len(given[0] & given[1]) == EACH, "the test is void: the upstreams gave different ids"
    assert early > EACH // 10, "the test is void: no receipts came before their answers"


def test_with_a_worker_killed_in_the_middle(smscd, smppsim, tmp_path):
    """Sessions of the dead worker are lost with it; no receipt is lost, and none arrives twice with ESME_ROK."""
    daemon, sims = start(smscd, smppsim, tmp_path, "--receipt-delay-ms", "200")
    process = load(daemon, tmp_path, "esme1", "44", "--rate", "2500")
    timer = threading.Timer(1.0, lambda: daemon.signal(9, daemon.worker_pids()[0]))
    timer.start()
    process.communicate(timeout=100)  # it may have lost messages: those of the sessions that were cut
    timer.join()
    seen = [e for e in events(tmp_path / "esme1.tsv") if e["event"] == "receipt"]
    assert seen
    assert max(Counter(e["message_id"] for e in seen).values()) <= 2  # twice only where an answer was lost
