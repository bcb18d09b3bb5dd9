"""Many requests in hand: the window, what waits beyond it, and what must not wait."""

import time

import pytest
from lib import proc
from lib import smpp_raw as raw
from lib.daemon import OPEN

# Handlers wait until somebody says "open".
GATE = (
    OPEN
    + """
gate = asyncio.Event()

@smpp.on_pdu("submit_sm")
async def submit(pdu, session):
    if pdu.body == b"open":
        gate.set()
    elif pdu.body == b"fast":
        pass
    else:
        record("start")
        await gate.wait()
    return pdu.reply(message_id=pdu.body.decode()[:60])
"""
)


def flood(esme, count, size=0):
    texts = [b"%d" % n + b" " * size for n in range(count)]
    esme.write(b"".join(raw.encode("submit_sm", n + 1, short_message=t) for n, t in enumerate(texts)))


def test_enquire_link_passes_a_thousand_requests(smscd, record_property):
    daemon = smscd(GATE)
    with daemon.bind() as esme, daemon.bind("other") as other:
        flood(esme, 1000)
        began = time.monotonic()
        esme.enquire()
        took = time.monotonic() - began
        record_property("enquire_link_ms", round(1000 * took, 1))
        print(f"enquire_link was answered in {1000 * took:.1f} ms")
        assert not esme.kept, "answered before any handler ended"
        assert other.submit(b"fast").status == raw.ESME_ROK  # another session does not wait either
        assert not esme.kept
        assert len(daemon.wait_records("start", 100)) == 100, "the window is 100"
        other.submit(b"open")
        answers = [esme.expect("submit_sm_resp") for _ in range(1000)]
    assert sorted(a.seq for a in answers) == list(range(1, 1001))
    assert all(a.status == raw.ESME_ROK and a.message_id == str(a.seq - 1) for a in answers)


def test_throttled_beyond_park_bytes(smscd):
    daemon = smscd(GATE, server={"window": 10, "park_bytes": 4096})
    one = len(raw.encode("submit_sm", 1, short_message=b"00" + b" " * 60))
    with daemon.bind() as esme, daemon.bind("other") as other:
        flood(esme, 200, size=60)
        esme.enquire()
        early = esme.kept
        esme.kept = []
        assert {p.status for p in early} == {raw.ESME_RTHROTTLED}
        other.submit(b"open")
        late = [esme.expect("submit_sm_resp") for _ in range(200 - len(early))]
    taken = sum(p.status == raw.ESME_ROK for p in early + late)
    assert sorted(p.seq for p in early + late) == list(range(1, 201))
    # What was taken is the window and what fits into park_bytes, give or take its own headers.
    assert 10 + 4096 // (one + 64) <= taken <= 10 + 4096 // one + 1, taken
    assert sorted(p.seq for p in late) == list(range(1, taken + 1)), "the first ones were taken"


def test_window_of_one(smscd):
    daemon = smscd(GATE, server={"window": 1})
    with daemon.bind() as esme, daemon.bind("other") as other:
        flood(esme, 50)
        daemon.wait_records("start", 1)
        esme.enquire()
        assert len(daemon.records("start")) == 1
        other.submit(b"open")
        assert [esme.expect("submit_sm_resp").seq for _ in range(50)] == list(range(1, 51))


def test_deliver_to_own_session_with_full_window(smscd):
    daemon = smscd(
        OPEN
        + """
@smpp.on_pdu("submit_sm")
async def submit(pdu, session):
    resp = await smpp.deliver_to(session_id=session.session_id, short_message=pdu.body)
    return pdu.reply(message_id=f"{resp.command_status}:{pdu.body.decode()}")
""",
        server={"window": 2},
    )
    with daemon.bind() as esme:
        flood(esme, 20)
        delivered = []
        for _ in range(20):
            deliver = esme.expect("deliver_sm")
            delivered.append(deliver.short_message)
            esme.answer(deliver)
        answers = [esme.expect("submit_sm_resp") for _ in range(20)]
    assert sorted(delivered) == sorted(b"%d" % n for n in range(20))
    assert {a.message_id for a in answers} == {f"ESME_ROK:{n}" for n in range(20)}


def test_unbind_while_requests_wait(smscd):
    """What is in hand is answered before the unbind."""
    daemon = smscd(GATE, server={"window": 5})
    with daemon.bind() as esme, daemon.bind("other") as other:
        flood(esme, 5)
        daemon.wait_records("start", 5)
        esme.send("unbind")
        esme.enquire()
        assert not esme.kept
        other.submit(b"open")
        seen = esme.expect_closed()
    assert [p.command for p in seen] == ["submit_sm_resp"] * 5 + ["unbind_resp"]
    assert {p.seq for p in seen[:5]} == set(range(1, 6))


def test_unbind_does_not_wait_for_ever(smscd):
    daemon = smscd(GATE, server={"window": 5, "response_timer_ms": 300})
    with daemon.bind() as esme:
        flood(esme, 50)
        daemon.wait_records("start", 5)
        esme.send("unbind")
        assert [p.command for p in esme.expect_closed()][-1] == "unbind_resp"
    with daemon.bind("other") as other:
        assert other.submit(b"fast").status == raw.ESME_ROK


def test_closing_while_requests_wait(smscd):
    daemon = smscd(GATE, server={"window": 5})
    for _ in range(5):
        esme = daemon.bind()
        flood(esme, 100)
        daemon.wait_records("start", 1)
        esme.reset()
    with daemon.bind("other") as other:
        assert other.submit(b"fast").status == raw.ESME_ROK
        assert other.submit(b"open").status == raw.ESME_ROK


@pytest.mark.slow
def test_peer_that_does_not_read(smscd):
    """It is not read from any longer, and memory does not grow with what it sends."""
    daemon = smscd(GATE)
    (worker,) = daemon.worker_pids()
    with daemon.bind() as deaf, daemon.bind("other") as other:
        before = proc.resident_kb(worker)
        deaf.sock.settimeout(2)
        chunk = b"".join(raw.encode("submit_sm", n + 1, short_message=b"fast") for n in range(10_000))
        sent = 0
        try:
            while sent < 300 * len(chunk):
                sent += deaf.sock.send(chunk)
        except (TimeoutError, OSError):
            pass
        else:
            pytest.fail("everything was read although no answer was")
        assert other.submit(b"fast").status == raw.ESME_ROK
        assert proc.resident_kb(worker) - before < 64 * 1024
