"""smppload and smppsim: what they count must be so, or every test that believes them is void."""

import collections
import json
import subprocess

import pytest
from lib import proc
from lib import smpp_raw as raw
from lib.tools import load

APPN = 0x64


@pytest.fixture
def sim(smppsim):
    """Factory: an smppsim that listens."""

    def make(*args):
        one = smppsim("--quiet", *args)
        proc.wait_until(lambda: proc.listens(one.port), what="smppsim to listen")
        return one

    return make


def loaded(port, *args, status=0):
    """smppload's result; its exit status is checked."""
    done = load(port, "--json", "--quiet", *args)
    assert done.returncode == status, done.stdout + done.stderr
    return json.loads(done.stdout)


def events(path, event, column="message_id"):
    """How often each value of a column is in the lines of an event."""
    lines = [line.rstrip("\n").split("\t") for line in path.open()]
    names = lines[0]
    return collections.Counter(row[names.index(column)] for row in lines[1:] if row[2] == event)


def test_every_answer_and_receipt_once(sim, tmp_path):
    one = sim(
        *("--log", tmp_path / "sim", "--receipt-before-rate", 10, "--receipt-tlv-rate", 10, "--intermediate-rate", 20),
        *("--receipt-delay-ms", 20, "--id-format", "hex", "--id-start", 250),
    )
    options = ["--count", 2000, "--receipts", "--connections", 3, "--rebind-every", 200, "--log", tmp_path / "load"]
    result = loaded(one.port, *options)
    assert (result["sent"], result["accepted"], result["receipts"]) == (2000, 2000, 2000)
    assert (result["lost"], result["duplicates"], result["unknown_receipts"]) == (0, 0, 0)
    assert result["intermediate"] > 0 and result["binds"] > 3
    one.stop()
    ids = {f"{n:x}": 1 for n in range(250, 2250)}
    assert events(tmp_path / "sim", "submit") == ids
    assert events(tmp_path / "load", "submit_resp") == ids
    assert events(tmp_path / "load", "receipt") == ids
    bodies = {f"{n:010}".encode().hex(): 1 for n in range(1, 2001)}
    assert events(tmp_path / "load", "submit", "body") == bodies


def test_pairs_of_sessions_and_long_messages(sim):
    result = loaded(
        sim().port, "--bind-type", "tx+rx", "--connections", 2, "--count", 100, "--receipts", "--length", 999
    )
    assert (result["receipts"], result["binds"], result["lost"]) == (100, 4, 0)


def test_errors_are_counted_and_not_lost(sim):
    one = sim("--error-rate", 100, "--error-status", "ESME_RTHROTTLED")
    result = loaded(one.port, "--count", 50, "--receipts")
    assert (result["errors"], result["accepted"], result["lost"]) == ({"ESME_RTHROTTLED": 50}, 0, 0)


def test_no_answer_is_a_loss(sim):
    one = sim("--drop-rate", 100)
    result = loaded(one.port, "--count", 5, "--response-timeout-ms", 200, status=1)
    assert (result["lost_answers"], result["lost"]) == (5, 5)


def test_lateness_is_told_where_there_is_a_rate(sim):
    one = sim("--delay-rate", 100, "--delay-ms", 100)  # a window of 1: each waits for the answer to the one before
    late = loaded(one.port, "--count", 5, "--rate", 1000, "--window", 1)["late_us"]
    assert late["count"] == 5
    assert late["max"] > 300_000
    assert loaded(one.port, "--count", 1)["late_us"]["count"] == 0


def test_lost_connections(sim):
    one = sim("--disconnect-rate", 100)
    result = loaded(one.port, "--count", 1, status=1)
    assert (result["disconnects"], result["lost_answers"]) == (1, 1)


def test_a_failed_message(sim):
    assert loaded(sim("--stat", "UNDELIV").port, "--count", 10, "--receipts")["failed_receipts"] == 10


def serve_receipts(conn, ids):
    """Answers each submit_sm with "id-N" and sends the receipts that `ids` names for it."""

    def handler(conn, pdu):
        if pdu.command == "submit_sm":
            n = pdu.short_message[:10].decode().lstrip("0")
            conn.answer(pdu, message_id=f"id-{n}")
            for one in ids(n):
                conn.send("deliver_sm", esm_class=4, short_message=f"id:{one} stat:DELIVRD err:000".encode())
        elif pdu.command == "unbind":
            conn.answer(pdu)

    return raw.Answering(conn, handler)


def against(smsc, ids, *args):
    """smppload against an SMSC that sends such receipts: its result and exit status."""
    command = [proc.build_dir() / "smppload", "--port", str(smsc.port), "--json", "--quiet", "--receipts", *args]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    serve_receipts(smsc.accept_bind(), ids)
    out, _ = process.communicate(timeout=60)
    return json.loads(out), process.returncode


def test_a_receipt_that_comes_twice_is_seen(upstream):
    result, status = against(upstream(), lambda n: ["id-" + n] * (2 if n == "1" else 1), "--count", "3")
    assert (result["receipts"], result["duplicates"], status) == (4, 1, 0)


def test_a_missing_and_an_unknown_receipt(upstream):
    ids = lambda n: ["stranger"] if n == "2" else ["id-" + n]  # noqa: E731
    result, status = against(upstream(), ids, "--count", "3", "--receipt-timeout", "0.2")
    assert (result["lost_receipts"], result["unknown_receipts"], status) == (1, 1, 1)


def test_a_receipt_refused_for_now_is_sent_again(sim, tmp_path):
    one = sim("--log", tmp_path / "sim", "--retry-min-ms", 10)
    with raw.bind(one.port) as esme:
        esme.send("submit_sm", registered_delivery=1, source_addr="1", destination_addr="2")
        esme.expect("submit_sm_resp")
        first = esme.expect("deliver_sm")
        esme.answer(first, APPN)
        again = esme.expect("deliver_sm")
        assert again.short_message == first.short_message
        esme.answer(again)
        assert esme.call("query_sm", message_id="1").message_state == 2
        assert esme.call("query_sm", message_id="77").status == 0x0C
    one.stop()
    assert events(tmp_path / "sim", "receipt") == {"1": 2}
    assert events(tmp_path / "sim", "receipt_resp", "command_status") == {"ESME_RX_T_APPN": 1, "ESME_ROK": 1}


def test_a_receipt_waits_for_a_receiver(sim):
    one = sim()
    with raw.bind(one.port, kind="transmitter") as esme:
        esme.send("submit_sm", registered_delivery=1, source_addr="1", destination_addr="2")
        esme.expect("submit_sm_resp")
    with raw.bind(one.port, system_id="other", kind="receiver") as other, raw.bind(one.port, kind="receiver") as esme:
        esme.answer(esme.expect("deliver_sm"))
        other.expect_nothing(0.2)


@pytest.mark.parametrize(("asked", "stat", "come"), [(0, "UNDELIV", 0), (2, "DELIVRD", 0), (2, "UNDELIV", 1)])
def test_registered_delivery(sim, asked, stat, come):
    with raw.bind(sim("--stat", stat).port) as esme:
        esme.send("submit_sm", registered_delivery=asked, source_addr="1", destination_addr="2")
        esme.expect("submit_sm_resp")
        if come:
            esme.answer(esme.expect("deliver_sm"))
        else:
            esme.expect_nothing(0.3)


def test_mo_messages(sim):
    one = sim("--mo-rate", 200, "--mo-count", 3)
    with raw.bind(one.port) as esme:
        texts = []
        for _ in range(3):
            pdu = esme.expect("deliver_sm")
            esme.answer(pdu)
            texts.append(pdu.short_message)
        assert texts == [f"MO {n:010}".encode() for n in (1, 2, 3)]
        esme.expect_nothing(0.2)


@pytest.mark.parametrize("tool", ["smppload", "smppsim"])
@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--window", "none"], '--window: found "none", expected a whole number from 1'),
        (["--window", "0"], "--window"),
        (["--nothing"], "unknown option --nothing"),
        (["more"], 'unexpected argument "more"'),
        (["--count"], "--count needs an argument"),
    ],
)
def test_wrong_options(tool, args, said):
    done = subprocess.run([proc.build_dir() / tool, *args], capture_output=True, text=True, timeout=10)
    assert done.returncode == 2
    assert said in done.stderr and done.stderr.count("\n") == 1


def test_nobody_there():
    done = load(proc.free_port(), "--count", "1")
    assert done.returncode == 1
    assert "Connection refused" in done.stderr


def test_wrong_password(sim):
    done = load(sim("--password", "other").port, "--count", "1")
    assert done.returncode == 1
    assert "ESME_RINVPASWD" in done.stderr
