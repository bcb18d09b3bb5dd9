"""deliver_to: to a session of this worker, of another, and to those that cannot take it."""

import re

import pytest
from lib import smpp_raw as raw
from lib.daemon import OPEN

# destination_addr is the system_id of the session that gets the text.
RELAY = (
    OPEN
    + """
async def target(system_id):
    return await cache.get("session:" + system_id)

@smpp.on_session("bound")
async def bound(session):
    await cache.set("session:" + session.system_id, session.session_id)
    record("bound", system_id=session.system_id, worker=session.worker, id=session.session_id)

@smpp.on_pdu("submit_sm")
async def submit(pdu, session):
    try:
        resp = await smpp.deliver_to(session_id=await target(pdu.destination_addr), source_addr=pdu.source_addr,
                                     destination_addr="me", short_message=pdu.body)
    except smpp.SmppError as e:
        return pdu.reply(message_id=type(e).__name__)
    return pdu.reply(message_id=f"{resp.ok}:{resp.command_status}")
"""
)

ALERT = """
async def send(session_id, source_addr, **_):
    return await smpp.alert_to(session_id=session_id, source_addr=source_addr, esme_addr="1")
"""


def bound(daemon, count):
    return {r["system_id"]: r for r in daemon.wait_records("bound", count)}


def relay(sender, to, receiver, status=0):
    seq = sender.send("submit_sm", destination_addr=to, short_message=b"hi " + to.encode())
    deliver = receiver.expect("deliver_sm")
    assert deliver.short_message == b"hi " + to.encode()
    receiver.answer(deliver, status, **({} if status else {"message_id": ""}))
    return sender.expect("submit_sm_resp", seq).message_id


def test_same_worker(smscd):
    daemon = smscd(RELAY)
    with daemon.bind("a") as a, daemon.bind("b", kind="receiver") as b:
        bound(daemon, 2)
        assert relay(a, "b", b) == "True:ESME_ROK"
        assert relay(a, "a", a) == "True:ESME_ROK"
        assert relay(a, "b", b, raw.ESME_RX_P_APPN) == "False:ESME_RX_P_APPN"
        assert relay(a, "b", b, 0x40F) == "False:0x0000040F"


def one_on_each(daemon):
    """Binds until both workers own one: {worker: (system_id, connection)}."""
    found = {}
    for n in range(20):
        esme = daemon.bind(f"e{n}")
        worker = bound(daemon, n + 1)[f"e{n}"]["worker"]
        if worker in found:
            continue
        found[worker] = (f"e{n}", esme)
        if len(found) == 2:
            return found
    raise AssertionError("twenty sessions, all with one worker")


def test_another_worker(smscd):
    daemon = smscd(RELAY, workers=2)
    (id0, esme0), (id1, esme1) = one_on_each(daemon).values()
    assert relay(esme0, id1, esme1) == "True:ESME_ROK"
    assert relay(esme1, id0, esme0) == "True:ESME_ROK"
    assert relay(esme1, id0, esme0, raw.ESME_RMSGQFUL) == "False:ESME_RMSGQFUL"
    for _ in range(200):
        assert relay(esme0, id1, esme1) == "True:ESME_ROK"
    esme1.reset()
    assert esme0.submit(destination_addr=id1).message_id == "SessionGone"


def test_alert_to_another_worker(smscd):
    """Nothing answers an alert_notification: it is done when it is written, there too."""
    daemon = smscd(RELAY.replace("smpp.deliver_to(", "send(") + ALERT, workers=2)
    (_, esme0), (id1, esme1) = one_on_each(daemon).values()
    assert esme0.submit(destination_addr=id1, source_addr="4711").message_id == "True:ESME_ROK"
    assert esme1.expect("alert_notification").source_addr == "4711"


def test_session_gone(smscd):
    daemon = smscd(RELAY)
    with daemon.bind("a") as a:
        b = daemon.bind("b")
        bound(daemon, 2)
        seq = a.send("submit_sm", destination_addr="b")
        b.expect("deliver_sm")
        b.reset()  # while it is unanswered
        assert a.expect("submit_sm_resp", seq).message_id == "SessionGone"
        assert a.submit(destination_addr="b").message_id == "SessionGone"


@pytest.mark.parametrize("session_id", ["nonsense", "", "0", "ffffffff-1-1", "é" * 100])
def test_unknown_session(smscd, session_id):
    daemon = smscd(
        OPEN
        + f"""
@smpp.on_pdu("submit_sm")
async def submit(pdu, session):
    try:
        await smpp.deliver_to(session_id={session_id!r}, short_message=b"x")
    except smpp.SessionGone as e:
        return pdu.reply(message_id="SessionGone")
"""
    )
    with daemon.bind() as esme:
        assert esme.submit().message_id == "SessionGone"


def test_transmitter_gets_nothing(smscd):
    daemon = smscd(RELAY)
    with daemon.bind("a") as a, daemon.bind("t", kind="transmitter") as t:
        bound(daemon, 2)
        resp = a.submit(destination_addr="t")
        assert resp.status == raw.ESME_ROK
        assert resp.message_id in ("SessionGone", "SmppError")
        t.enquire()
        assert not t.kept


@pytest.mark.parametrize("workers", [1, 2])
def test_window_full(smscd, workers):
    """deliver_window 1 and deliver_queue 1: one on the wire, one waits, the third is refused at once."""
    daemon = smscd(
        OPEN
        + """
@smpp.on_session("bound")
async def bound(session):
    await cache.set("session:" + session.system_id, session.session_id)
    record("bound", system_id=session.system_id, worker=session.worker)

@smpp.on_pdu("submit_sm")
async def submit(pdu, session):
    to = await cache.get("session:" + pdu.destination_addr)
    async def one(n):
        try:
            return (await smpp.deliver_to(session_id=to, short_message=b"%d" % n)).command_status
        except smpp.SmppError as e:
            record("refused", n=n, what=type(e).__name__)
            return type(e).__name__
    tasks = [asyncio.create_task(one(n)) for n in range(3)]
    return pdu.reply(message_id=" ".join(await asyncio.gather(*tasks)))
""",
        workers=workers,
        server={"deliver_window": 1, "deliver_queue": 1},
    )
    if workers == 1:
        a, b = daemon.bind("a"), daemon.bind("b")
        bound(daemon, 2)
        to = "b"
    else:
        (_, a), (to, b) = one_on_each(daemon).values()
    seq = a.send("submit_sm", destination_addr=to)
    (refused,) = daemon.wait_records("refused")
    assert (refused["n"], refused["what"]) == (2, "WindowFull")
    first = b.expect("deliver_sm")
    b.enquire()
    assert not b.kept, "the window is 1"
    b.answer(first)
    b.answer(b.expect("deliver_sm"))
    assert a.expect("submit_sm_resp", seq).message_id == "ESME_ROK ESME_ROK WindowFull"


def test_timeouts(smscd):
    """The timeout ends what waits as WindowFull, what is on the wire as ResponseTimeout."""
    daemon = smscd(
        OPEN
        + """
@smpp.on_pdu("submit_sm")
async def submit(pdu, session):
    async def one(n):
        try:
            await smpp.deliver_to(session_id=session.session_id, short_message=b"%d" % n, timeout=0.2)
        except smpp.SmppError as e:
            return type(e).__name__
    return pdu.reply(message_id=" ".join(await asyncio.gather(one(0), one(1))))
""",
        server={"deliver_window": 1},
    )
    with daemon.bind() as esme:
        assert esme.submit().message_id == "ResponseTimeout WindowFull"
        assert [p.short_message for p in esme.kept] == [b"0"], "what waited was never sent"


def test_cancelled_while_it_waits(smscd):
    daemon = smscd(
        OPEN
        + """
@smpp.on_pdu("submit_sm")
async def submit(pdu, session):
    first = asyncio.create_task(smpp.deliver_to(session_id=session.session_id, short_message=b"first"))
    second = asyncio.create_task(smpp.deliver_to(session_id=session.session_id, short_message=b"second"))
    await asyncio.sleep(0.05)
    second.cancel()
    await asyncio.wait([second])
    resp = await first
    third = await smpp.deliver_to(session_id=session.session_id, short_message=b"third")
    return pdu.reply(message_id=f"{second.cancelled()} {resp.ok} {third.ok}")
""",
        server={"deliver_window": 1},
    )
    with daemon.bind() as esme:
        seq = esme.send("submit_sm")
        seen = []
        # First, then third: second was taken back while first was unanswered.
        for pause in (0.2, 0):
            deliver = esme.expect("deliver_sm")
            seen.append(deliver.short_message)
            if pause:
                esme.expect_nothing(pause)
            esme.answer(deliver)
        assert esme.expect("submit_sm_resp", seq).message_id == "True True True"
        assert seen == [b"first", b"third"]


def deliver_with(smscd, arguments):
    """The deliver_sm that deliver_to(session, <arguments>) sends, or the name and text of what it raises."""
    daemon = smscd(
        OPEN
        + f"""
@smpp.on_pdu("submit_sm")
async def submit(pdu, session):
    try:
        await smpp.deliver_to(session_id=session.session_id, {arguments})
    except Exception as e:
        record("raised", type=type(e).__name__, text=str(e))
"""
    )
    with daemon.bind() as esme:
        esme.send("submit_sm", seq=9)
        pdu = esme.recv()
        if pdu.command == "submit_sm_resp":
            (raised,) = daemon.wait_records("raised")
            return raised["type"], raised["text"]
        esme.answer(pdu)
        esme.expect("submit_sm_resp", 9)
        assert not daemon.records("raised")
        return pdu


def test_defaults(smscd):
    pdu = deliver_with(smscd, "short_message=b'x'")
    assert pdu.command == "deliver_sm"
    fields = {"service_type": "", "source_addr": "", "destination_addr": "", "short_message": b"x"}
    fields |= {name: 1 for name in ("source_addr_ton", "source_addr_npi", "dest_addr_ton", "dest_addr_npi")}
    assert pdu.fields == {name: fields.get(name, 0) for name in pdu.fields} | {
        "schedule_delivery_time": "",
        "validity_period": "",
    }
    assert pdu.tlvs == []


def test_every_field(smscd):
    fields = {
        "service_type": "CMT",
        "source_addr_ton": 5,
        "source_addr_npi": 0,
        "source_addr": "BANK",
        "dest_addr_ton": 2,
        "dest_addr_npi": 8,
        "destination_addr": "15550101",
        "esm_class": 0x04,
        "protocol_id": 0x41,
        "priority_flag": 2,
        "registered_delivery": 1,
        "data_coding": 8,
        "short_message": bytes(range(254)),
    }
    pdu = deliver_with(smscd, ", ".join(f"{name}={value!r}" for name, value in fields.items()))
    assert {name: pdu.fields[name] for name in fields} == fields


def test_text_is_utf_8(smscd):
    assert deliver_with(smscd, "short_message='Grüße'").short_message == "Grüße".encode()


def test_tlvs_by_name_and_number(smscd):
    pdu = deliver_with(
        smscd,
        "tlvs=[('user_message_reference', 513), ('receipted_message_id', 'abc'), (0x1400, b'v'), (0x0427, 2),"
        " ('callback_num', b'1111'), ('callback_num', b'2222'), ('MESSAGE_PAYLOAD', b'p' * 300)]",
    )
    assert pdu.tlvs == [
        (raw.USER_MESSAGE_REFERENCE, b"\x02\x01"),
        (raw.RECEIPTED_MESSAGE_ID, b"abc\0"),
        (0x1400, b"v"),
        (raw.MESSAGE_STATE, b"\x02"),
        (raw.CALLBACK_NUM, b"1111"),
        (raw.CALLBACK_NUM, b"2222"),
        (raw.MESSAGE_PAYLOAD, b"p" * 300),
    ]
    assert deliver_with(smscd, "tlvs={0x0204: 1}").tlvs == [(raw.USER_MESSAGE_REFERENCE, b"\0\1")]


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ("short_message=b'x' * 255", "ValueError", "(?i)message_payload"),
        ("nonsense=1", "TypeError", "nonsense"),
        ("short_message=5", "TypeError", "short_message"),
        ("source_addr='1' * 21", "ValueError", "source_addr"),
        ("source_addr=b'1'", "TypeError", "source_addr"),
        ("data_coding=256", "ValueError", "data_coding"),
        ("data_coding=-1", "ValueError", "data_coding"),
        ("data_coding='8'", "(Type|Value)Error", "data_coding"),
        ("tlvs={'no_such_tlv': 1}", "ValueError", "no_such_tlv"),
        ("tlvs={'callback_num': 5}", "ValueError", "callback_num"),
        ("tlvs={'message_state': 300}", "ValueError", "message_state"),
        ("tlvs={'message_state': 2, 0x0427: 2}", "ValueError", "message_state|0427"),
        ("tlvs={0x10000: b''}", "ValueError", ""),
    ],
)
def test_wrong_arguments(smscd, arguments, error, text):
    kind, message = deliver_with(smscd, arguments)
    assert re.fullmatch(error, kind)
    assert re.search(text, message), message


def test_from_outside_any_handler_of_the_session(smscd):
    """A task of the script's own delivers, long after the handler that made it has ended."""
    daemon = smscd(
        OPEN
        + """
@smpp.on_pdu("submit_sm")
async def submit(pdu, session):
    async def later():
        await asyncio.sleep(0.05)
        resp = await smpp.deliver_to(session_id=session.session_id, short_message=b"later")
        record("later", ok=resp.ok)
    submit.task = asyncio.create_task(later())
"""
    )
    with daemon.bind() as esme:
        assert esme.submit().status == raw.ESME_ROK
        esme.answer(esme.expect("deliver_sm"))
        assert daemon.wait_records("later")[0]["ok"]
