"""receipts: a message sent upstream and its receipt find each other, whichever comes first, exactly once."""

import json
import subprocess
from threading import Thread

import pytest
from lib import proc
from lib import smpp_raw as raw
from lib.daemon import OPEN

SCRIPT = (
    OPEN
    + """
@smpp.on_session("bound")
async def bound(session):
    record("bound", kind_=session.kind)
    if session.kind == "esme":
        await cache.set("session:" + session.system_id, session.session_id)

@smpp.on_pdu("submit_sm")
async def submit(pdu, session):
    mine = f"m-{pdu.body.decode()}"
    try:
        resp = await receipts.submit_via(bind=pdu.destination_addr, ttl=60, source_addr=pdu.source_addr,
                                         destination_addr="2000", short_message=pdu.body, registered_delivery=1,
                                         context={"system_id": session.system_id, "message_id": mine})
    except smpp.ResponseTimeout:
        record("timeout")
        return pdu.reply(message_id=mine)
    except smpp.SmppError as e:
        record("failed", what=type(e).__name__)
        return pdu.reply(command_status="ESME_RSYSERR")
    if not resp.ok:
        return pdu.reply(command_status=resp.command_status)
    return pdu.reply(message_id=mine)

@receipts.on_receipt
async def on_receipt(receipt):
    record("receipt", context=receipt.context, bind=receipt.bind, id=receipt.message_id, state=receipt.state,
           stat=receipt.stat, err=receipt.err, final=receipt.final, fields=receipt.fields)
    mine = receipt.context["message_id"]
    resp = await smpp.deliver_to(session_id=await cache.get("session:" + receipt.context["system_id"]),
                                 source_addr="2000", destination_addr="1000", esm_class=0x04,
                                 short_message=receipt.body(mine), tlvs=receipt.tlvs(mine))
    if not resp.ok:
        raise RuntimeError(resp.command_status)

@smpp.on_pdu("deliver_sm")
async def deliver(pdu, session):
    record("dlr", is_dlr=pdu.is_dlr, intermediate=pdu.is_intermediate)
    if pdu.is_dlr:
        return await receipts.route(pdu, session)
"""
)


def counter(daemon, name):
    """Of all workers, as smscctl has it."""
    command = [proc.build_dir() / "smscctl", "-c", daemon.conf_path, "--json", "workers"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    return sum(row[name] for row in json.loads(done.stdout)["workers"])


class Gateway:
    """A daemon with its upstreams bound and one application."""

    def __init__(self, smscd, upstream, names=("eu",), bind=None, **kwargs):
        self.smscs = {name: upstream() for name in names}
        binds = [
            {
                "name": name,
                "host": "127.0.0.1",
                "port": smsc.port,
                "system_id": "gw",
                "password": "pw",
                "reconnect_min_ms": 50,
                **(bind or {}),
            }
            for name, smsc in self.smscs.items()
        ]
        self.daemon = smscd(SCRIPT, binds=binds, **kwargs)
        self.up = {name: smsc.accept_bind() for name, smsc in self.smscs.items()}
        self.wait_bound("bind", len(names))
        self.esme = self.bind()

    def wait_bound(self, kind, count):
        def enough():
            return len([r for r in self.daemon.records("bound") if r["kind_"] == kind]) >= count

        proc.wait_until(enough, what=f"{count} of {kind} bound")

    def bind(self, system_id="esme1"):
        before = len([r for r in self.daemon.records("bound") if r["kind_"] == "esme"])
        esme = self.daemon.bind(system_id)
        self.wait_bound("esme", before + 1)
        return esme

    def submit(self, text=b"1", upstream_id="up-1", name="eu"):
        """One message all the way: the application's message_id."""
        seq = self.esme.send("submit_sm", destination_addr=name, short_message=text)
        self.up[name].answer(self.up[name].expect("submit_sm"), message_id=upstream_id)
        return self.esme.expect("submit_sm_resp", seq).message_id

    def send_receipt(self, upstream_id="up-1", stat="DELIVRD", name="eu", **kwargs):
        dates = "submit date:2601010000 done date:2601010001"
        text = f"id:{upstream_id} sub:001 dlvrd:001 {dates} stat:{stat} err:000 text:hi"
        fields = {"esm_class": 0x04, "short_message": text.encode(), **kwargs}
        return self.up[name].send("deliver_sm", **fields)

    def receive(self):
        """The receipt as the application gets it, acknowledged."""
        deliver = self.esme.expect("deliver_sm")
        self.esme.answer(deliver)
        return deliver

    def status(self, seq, name="eu"):
        return self.up[name].expect("deliver_sm_resp", seq).status


def test_there_and_back(smscd, upstream):
    gw = Gateway(smscd, upstream)
    mine = gw.submit()
    assert mine == "m-1"
    seq = gw.send_receipt()
    deliver = gw.receive()
    assert gw.status(seq) == raw.ESME_ROK
    assert deliver.esm_class == 0x04
    text = deliver.short_message.decode()
    assert text.startswith("id:m-1 ")
    for part in ("submit date:2601010000", "done date:2601010001", "stat:DELIVRD", "err:000", "text:hi"):
        assert part in text
    assert deliver.tlv(raw.RECEIPTED_MESSAGE_ID) in (None, b"m-1\0")
    (seen,) = gw.daemon.records("receipt")
    assert seen["context"] == {"system_id": "esme1", "message_id": "m-1"}
    assert (seen["bind"], seen["id"], seen["state"], seen["stat"]) == ("eu", "up-1", 2, "DELIVRD")
    assert (seen["err"], seen["final"]) == ("000", True)
    assert seen["fields"]["text"] == "hi"
    assert seen["fields"]["submit_date"] == "2601010000"


def test_receipt_before_its_response(smscd, upstream):
    """Handed out when the handler that sent the message has ended, which here goes on for a while after its send."""
    gw = Gateway(smscd, upstream)
    refused = "    if not resp.ok:\n        return pdu.reply(command_status"
    assert refused in SCRIPT
    gw.daemon.write_script(SCRIPT.replace(refused, "    await asyncio.sleep(0.3)\n" + refused))
    gw.daemon.reload()
    seq = gw.esme.send("submit_sm", destination_addr="eu", short_message=b"1")
    sent = gw.up["eu"].expect("submit_sm")
    receipt = gw.send_receipt()
    assert gw.status(receipt) == raw.ESME_ROK  # kept
    assert not gw.daemon.records("receipt")
    gw.up["eu"].answer(sent, message_id="up-1")
    first = gw.esme.recv()
    assert (first.command, first.seq) == ("submit_sm_resp", seq), "the answer comes before the receipt"
    assert gw.receive().short_message.startswith(b"id:m-1 ")
    assert len(gw.daemon.records("receipt")) == 1


def test_response_after_the_timeout(smscd, upstream):
    gw = Gateway(smscd, upstream, bind={"response_timer_ms": 200})
    seq = gw.esme.send("submit_sm", destination_addr="eu", short_message=b"1")
    sent = gw.up["eu"].expect("submit_sm")
    gw.daemon.wait_records("timeout")
    gw.esme.expect("submit_sm_resp", seq)
    gw.up["eu"].answer(sent, message_id="up-1")
    receipt = gw.send_receipt()
    assert gw.receive().short_message.startswith(b"id:m-1 ")
    assert gw.status(receipt) == raw.ESME_ROK


def test_receipt_before_a_response_after_the_timeout(smscd, upstream):
    gw = Gateway(smscd, upstream, bind={"response_timer_ms": 200})
    gw.esme.send("submit_sm", destination_addr="eu", short_message=b"1")
    sent = gw.up["eu"].expect("submit_sm")
    receipt = gw.send_receipt()
    assert gw.status(receipt) == raw.ESME_ROK
    gw.daemon.wait_records("timeout")
    gw.up["eu"].answer(sent, message_id="up-1")
    assert gw.receive().short_message.startswith(b"id:m-1 ")


def test_two_upstreams_with_the_same_ids(smscd, upstream):
    gw = Gateway(smscd, upstream, names=("eu", "us"))
    assert gw.submit(b"1", "same", "eu") == "m-1"
    assert gw.submit(b"2", "same", "us") == "m-2"
    for name, mine, stat in (("us", b"id:m-2 ", "UNDELIV"), ("eu", b"id:m-1 ", "DELIVRD")):
        seq = gw.send_receipt("same", stat, name)
        deliver = gw.receive()
        assert deliver.short_message.startswith(mine)
        assert stat.encode() in deliver.short_message
        assert gw.status(seq, name) == raw.ESME_ROK


def test_intermediate_keeps_the_entry(smscd, upstream):
    gw = Gateway(smscd, upstream)
    gw.submit()
    for kwargs in ({"stat": "ENROUTE"}, {"stat": "ACCEPTD"}, {"stat": "DELIVRD"}):
        seq = gw.send_receipt(**kwargs)
        assert kwargs["stat"].encode() in gw.receive().short_message
        assert gw.status(seq) == raw.ESME_ROK
    assert [r["final"] for r in gw.daemon.records("receipt")] == [False, False, True]


def test_intermediate_notification_by_its_type(smscd, upstream):
    gw = Gateway(smscd, upstream)
    gw.submit()
    seq = gw.send_receipt(stat="ENROUTE", esm_class=0x20)
    gw.receive()
    assert gw.status(seq) == raw.ESME_ROK
    seq = gw.send_receipt()
    gw.receive()
    assert gw.status(seq) == raw.ESME_ROK
    assert gw.daemon.records("dlr")[0]["intermediate"] is True


def test_duplicate_of_a_final_one(smscd, upstream):
    gw = Gateway(smscd, upstream)
    gw.submit()
    seq = gw.send_receipt()
    gw.receive()
    assert gw.status(seq) == raw.ESME_ROK
    for _ in range(3):
        assert gw.status(gw.send_receipt()) == raw.ESME_ROK
    gw.esme.enquire()
    assert not gw.esme.kept
    assert len(gw.daemon.records("receipt")) == 1
    proc.wait_until(lambda: counter(gw.daemon, "receipts_duplicate") == 3, what="three duplicates counted")


@pytest.mark.parametrize("esm_class", [0x04, 0x00])
def test_tlvs_only(smscd, upstream, esm_class):
    """Some SMSCs mark receipts by their TLVs alone."""
    gw = Gateway(smscd, upstream)
    gw.submit()
    tlvs = [(raw.RECEIPTED_MESSAGE_ID, b"up-1\0"), (raw.MESSAGE_STATE, b"\x05"), (raw.NETWORK_ERROR_CODE, b"\3\0\x0b")]
    seq = gw.up["eu"].send("deliver_sm", esm_class=esm_class, tlvs=tlvs)
    deliver = gw.receive()
    assert gw.status(seq) == raw.ESME_ROK
    assert b"id:m-1" in deliver.short_message
    assert b"stat:UNDELIV" in deliver.short_message
    (seen,) = gw.daemon.records("receipt")
    assert (seen["state"], seen["stat"], seen["final"], seen["id"]) == (5, "UNDELIV", True, "up-1")


@pytest.mark.parametrize(
    ("text", "state", "err"),
    [
        (b"ID:up-1 STAT:delivrd ERR:000", 2, "000"),
        (b"stat:EXPIRED id:up-1", 3, "000"),
        (b"id: up-1  submit date:20260101000000 done date:260101000000 stat:REJECTD err:A1F Text:a:b c", 8, "A1F"),
        (b"id:up-1 submitdate:2601010000 donedate:2601010000 stat:UNDELIVERABLE err:69", 5, "69"),
    ],
)
def test_shapes_of_text(smscd, upstream, text, state, err):
    gw = Gateway(smscd, upstream)
    gw.submit()
    seq = gw.up["eu"].send("deliver_sm", esm_class=4, short_message=text)
    gw.receive()
    assert gw.status(seq) == raw.ESME_ROK
    (seen,) = gw.daemon.records("receipt")
    assert (seen["state"], seen["err"]) == (state, err)


@pytest.mark.parametrize(
    ("rule", "in_response", "in_receipt"),
    [
        ("exact", "00aBc", "ABC"),
        ("dec-to-hex", "3735928559", "DEADBEEF"),
        ("dec-to-hex", "3735928559", "00deadbeef"),
        ("hex-to-dec", "DEADBEEF", "3735928559"),
    ],
)
def test_id_match(smscd, upstream, rule, in_response, in_receipt):
    gw = Gateway(smscd, upstream, bind={"id_match": rule})
    gw.submit(upstream_id=in_response)
    seq = gw.send_receipt(in_receipt)
    gw.receive()
    assert gw.status(seq) == raw.ESME_ROK


def test_receipt_of_nothing(smscd, upstream):
    """No message of that id: kept in case it comes later, ESME_ROK, no handler run."""
    gw = Gateway(smscd, upstream)
    assert gw.status(gw.send_receipt("unheard-of")) == raw.ESME_ROK
    assert not gw.daemon.records("receipt")


def test_application_away(smscd, upstream):
    gw = Gateway(smscd, upstream)
    gw.submit()
    gw.esme.call("unbind")
    gw.esme.close()
    for _ in range(2):
        assert gw.status(gw.send_receipt()) == raw.ESME_RX_T_APPN
    gw.esme = gw.bind()
    seq = gw.send_receipt()
    assert gw.receive().short_message.startswith(b"id:m-1 ")
    assert gw.status(seq) == raw.ESME_ROK
    assert gw.status(gw.send_receipt()) == raw.ESME_ROK  # a duplicate now
    gw.esme.enquire()
    assert not gw.esme.kept


def test_application_bound_again(smscd, upstream):
    gw = Gateway(smscd, upstream, workers=2)
    gw.submit()
    gw.esme.call("unbind")
    gw.esme.close()
    gw.esme = gw.bind()
    seq = gw.send_receipt()
    gw.receive()
    assert gw.status(seq) == raw.ESME_ROK


def test_application_refuses(smscd, upstream):
    gw = Gateway(smscd, upstream)
    gw.submit()
    seq = gw.send_receipt()
    gw.esme.answer(gw.esme.expect("deliver_sm"), raw.ESME_RMSGQFUL)
    assert gw.status(seq) == raw.ESME_RX_T_APPN
    seq = gw.send_receipt()
    gw.receive()
    assert gw.status(seq) == raw.ESME_ROK


def test_early_receipt_whose_application_is_away_comes_again(smscd, upstream):
    """Already acknowledged, so it is handed out again with backoff until it is taken."""
    gw = Gateway(smscd, upstream)
    gw.esme.send("submit_sm", destination_addr="eu", short_message=b"1")
    sent = gw.up["eu"].expect("submit_sm")
    assert gw.status(gw.send_receipt()) == raw.ESME_ROK
    gw.up["eu"].answer(sent, message_id="up-1")
    gw.esme.expect("submit_sm_resp")
    gw.esme.answer(gw.esme.expect("deliver_sm"), raw.ESME_RX_T_APPN)
    deliver = gw.receive()
    assert deliver.short_message.startswith(b"id:m-1 ")


def test_redis_away_when_a_receipt_comes(smscd, upstream, redis_server):
    redis = redis_server()
    gw = Gateway(smscd, upstream, redis={"url": redis.url, "timeout_ms": 300})
    gw.submit()
    redis.process.send_signal(19)  # SIGSTOP: it keeps its data
    assert gw.status(gw.send_receipt()) == raw.ESME_RX_T_APPN
    redis.process.send_signal(18)

    def delivered():
        seq = gw.send_receipt()
        if gw.status(seq) == raw.ESME_RX_T_APPN:
            return False
        return True

    taker = Thread(target=gw.receive)
    taker.start()
    proc.wait_until(delivered, what="the receipt after Redis is back")
    taker.join(10)
    assert not taker.is_alive()


def test_redis_away_when_the_response_comes(smscd, upstream, redis_server):
    """The application gets ESME_ROK, no second submit; the entry waits for Redis."""
    redis = redis_server()
    gw = Gateway(smscd, upstream, redis={"url": redis.url, "timeout_ms": 300})
    seq = gw.esme.send("submit_sm", destination_addr="eu", short_message=b"1")
    sent = gw.up["eu"].expect("submit_sm")
    redis.process.send_signal(19)
    gw.up["eu"].answer(sent, message_id="up-1")
    resp = gw.esme.expect("submit_sm_resp", seq)
    assert (resp.status, resp.message_id) == (raw.ESME_ROK, "m-1")
    gw.up["eu"].enquire()
    assert not gw.up["eu"].kept, "submitted once"
    redis.process.send_signal(18)

    def joined():
        status = gw.status(gw.send_receipt())
        return status == raw.ESME_ROK and gw.daemon.records("receipt")

    taker = Thread(target=gw.receive)
    taker.start()
    proc.wait_until(joined, what="the receipt after Redis is back")
    taker.join(10)


def test_redis_refuses_when_the_response_comes(smscd, upstream, redis_server):
    """The same with nothing that would hold the command for it: what is remembered comes from the worker's memory."""
    redis = redis_server()
    gw = Gateway(smscd, upstream, redis={"url": redis.url, "timeout_ms": 300})
    seq = gw.esme.send("submit_sm", destination_addr="eu", short_message=b"1")
    sent = gw.up["eu"].expect("submit_sm")
    redis.kill()
    gw.up["eu"].answer(sent, message_id="up-1")
    resp = gw.esme.expect("submit_sm_resp", seq)
    assert (resp.status, resp.message_id) == (raw.ESME_ROK, "m-1")
    gw.daemon.log.wait("accepted messages are remembered in memory")
    redis.start()
    gw.daemon.log.wait("Redis is back, 1 messages remembered")
    assert redis.client().exists("siphon:receipt:eu:up-1")
    with gw.bind("esme2") as other:  # that of before is forgotten with the first Redis
        redis.client().set("siphon:session:esme1", redis.client().get("siphon:session:esme2"))
        receipt = gw.send_receipt()
        deliver = other.expect("deliver_sm")
        other.answer(deliver)
        assert deliver.short_message.startswith(b"id:m-1 ")
        assert gw.status(receipt) == raw.ESME_ROK


def test_some_of_several_early_receipts_are_handed_out(smscd, upstream):
    """What the application has taken does not come to it again with what it has not."""
    gw = Gateway(smscd, upstream)
    gw.esme.send("submit_sm", destination_addr="eu", short_message=b"1")
    sent = gw.up["eu"].expect("submit_sm")
    for stat in ("ENROUTE", "ACCEPTD", "DELIVRD"):
        assert gw.status(gw.send_receipt(stat=stat)) == raw.ESME_ROK
    gw.up["eu"].answer(sent, message_id="up-1")
    gw.esme.expect("submit_sm_resp")
    assert b"stat:ENROUTE" in gw.receive().short_message
    refused = gw.esme.expect("deliver_sm")
    gw.esme.answer(refused, raw.ESME_RX_T_APPN)
    assert [b"stat:ACCEPTD" in pdu.short_message for pdu in (refused, gw.receive())] == [True, True]
    assert b"stat:DELIVRD" in gw.receive().short_message
    seen = [record["stat"] for record in gw.daemon.records("receipt")]
    assert seen == ["ENROUTE", "ACCEPTD", "ACCEPTD", "DELIVRD"]


def test_remember(smscd, upstream):
    """For scripts that call smpp.submit_via themselves."""
    smsc = upstream()
    script = SCRIPT.replace(
        "resp = await receipts.submit_via(bind=pdu.destination_addr, ttl=60, source_addr",
        "resp = await my_submit(bind=pdu.destination_addr, source_addr",
    )
    script += """
async def my_submit(bind, context, **fields):
    resp = await smpp.submit_via(bind=bind, **fields)
    await receipts.remember(bind, resp.message_id, context, ttl=60)
    return resp
"""
    daemon = smscd(
        script, binds=[{"name": "eu", "host": "127.0.0.1", "port": smsc.port, "system_id": "g", "password": "p"}]
    )
    gw = Gateway.__new__(Gateway)
    gw.daemon, gw.up = daemon, {"eu": smsc.accept_bind()}
    gw.wait_bound("bind", 1)
    gw.esme = gw.bind()
    gw.submit()
    seq = gw.send_receipt()
    gw.receive()
    assert gw.status(seq) == raw.ESME_ROK


@pytest.mark.parametrize("early", [False, True])
def test_five_hundred_over_two_workers(smscd, upstream, early):
    """Every receipt once, in either order, although the worker that remembers is not the one that gets it."""
    gw = Gateway(smscd, upstream, workers=2, bind={"window": 50, "deliver_window": 1000})
    up = gw.up["eu"]
    got = []
    answering = raw.Answering(gw.esme, lambda c, p: (got.append(p), raw.acknowledge(c, p)))
    count = 500
    for n in range(count):
        gw.esme.send("submit_sm", destination_addr="eu", short_message=b"%d" % n)
    waiting = {}
    for n in range(count):
        sent = up.expect("submit_sm")
        waiting[f"u{n}"] = sent
        if early:
            gw.send_receipt(f"u{n}")
            up.answer(sent, message_id=f"u{n}")
        else:
            up.answer(sent, message_id=f"u{n}")
            gw.send_receipt(f"u{n}")
    assert {up.expect("deliver_sm_resp").status for _ in range(count)} == {raw.ESME_ROK}
    answering.wait(2 * count)
    receipts = [p.short_message.split()[0] for p in got if p.command == "deliver_sm"]
    assert sorted(receipts) == sorted(b"id:m-%d" % n for n in range(count))
    assert len([p for p in got if p.command == "submit_sm_resp"]) == count
    answered = set()
    for pdu in got:
        if pdu.command == "submit_sm_resp":
            answered.add(pdu.message_id.encode())
        else:
            assert pdu.short_message.split()[0][3:] in answered, "a receipt before the answer to its message"


def test_remembered_twice_while_its_receipt_waits(smscd, upstream):
    """A script that repeats a `remember` whose answer Redis did not give in time: the parked receipt stays."""
    gw = Gateway(smscd, upstream)
    refused = "    if not resp.ok:\n        return pdu.reply(command_status"
    assert refused in SCRIPT
    gw.daemon.write_script(SCRIPT.replace(refused, AGAIN + refused))
    gw.daemon.reload()
    gw.esme.send("submit_sm", destination_addr="eu", short_message=b"1")
    sent = gw.up["eu"].expect("submit_sm")
    assert gw.status(gw.send_receipt()) == raw.ESME_ROK  # kept
    gw.up["eu"].answer(sent, message_id="up-1")
    assert gw.esme.expect("submit_sm_resp").message_id == "m-1"
    assert gw.receive().short_message.startswith(b"id:m-1 ")


AGAIN = """
    await receipts.remember(pdu.destination_addr, resp.message_id,
                            {"system_id": session.system_id, "message_id": mine}, ttl=60)
"""


def test_id_used_again_while_a_receipt_waits(smscd, upstream):
    """The acknowledged receipt of the earlier message is still handed out, the later message gets its own."""
    gw = Gateway(smscd, upstream)
    gw.esme.send("submit_sm", destination_addr="eu", short_message=b"1")
    sent = gw.up["eu"].expect("submit_sm")
    assert gw.status(gw.send_receipt()) == raw.ESME_ROK  # kept
    gw.up["eu"].answer(sent, message_id="up-1")
    gw.esme.expect("submit_sm_resp")
    first = gw.esme.expect("deliver_sm")
    gw.esme.answer(first, raw.ESME_RX_T_APPN)
    gw.esme.send("submit_sm", destination_addr="eu", short_message=b"2")
    gw.up["eu"].answer(gw.up["eu"].expect("submit_sm"), message_id="up-1")
    gw.esme.expect("submit_sm_resp")
    assert gw.receive().short_message.startswith(b"id:m-1 ")
    seq = gw.send_receipt()
    assert gw.receive().short_message.startswith(b"id:m-2 ")
    assert gw.status(seq) == raw.ESME_ROK


def test_upstream_without_ids(smscd, upstream):
    """Messages accepted without an id are not taken for one another, nor for the message of id 0."""
    gw = Gateway(smscd, upstream)
    assert gw.submit(upstream_id="") == "m-1"
    assert gw.status(gw.send_receipt("0")) == raw.ESME_ROK
    gw.esme.enquire()
    assert not gw.esme.kept
    assert not gw.daemon.records("receipt")


def test_cancelled_in_the_turn_of_its_answer(smscd, upstream):
    """The upstream has accepted and the cancel comes before the handler runs on: its receipt is known all the same."""
    script = SCRIPT.replace(
        "resp = await receipts.submit_via(",
        """
        sending = asyncio.create_task(cancelled_by_its_answer(""",
    ).replace(
        '"message_id": mine})\n',
        '"message_id": mine}))\n        await asyncio.wait([sending])\n        return pdu.reply(message_id=mine)\n',
        1,
    )
    script += """
from siphon import _runtime
import _siphon

async def cancelled_by_its_answer(**kwargs):
    me, send = asyncio.current_task(), _siphon.send_bind
    def watched(*args):
        future, ticket = send(*args)
        future.add_done_callback(lambda _: me.cancel())
        return future, ticket
    _siphon.send_bind = watched
    try:
        return await receipts.submit_via(**kwargs)
    finally:
        _siphon.send_bind = send
        record("cancelled")
"""
    gw = Gateway.__new__(Gateway)
    smsc = upstream()
    gw.daemon = smscd(
        script, binds=[{"name": "eu", "host": "127.0.0.1", "port": smsc.port, "system_id": "g", "password": "p"}]
    )
    gw.up = {"eu": smsc.accept_bind()}
    gw.wait_bound("bind", 1)
    gw.esme = gw.bind()
    gw.submit()
    assert gw.daemon.records("cancelled")
    seq = gw.send_receipt()
    assert gw.receive().short_message.startswith(b"id:m-1 ")
    assert gw.status(seq) == raw.ESME_ROK


def test_many_that_raise_are_few_lines(smscd, upstream):
    """Not a line for each receipt that is not taken: the first, then how many more."""
    gw = Gateway(smscd, upstream)
    gw.submit()
    gw.esme.call("unbind")
    gw.esme.close()
    for _ in range(200):
        gw.send_receipt()
    assert {gw.up["eu"].expect("deliver_sm_resp").status for _ in range(200)} == {raw.ESME_RX_T_APPN}
    lines = [line for line in gw.daemon.log.lines if "SessionGone" in line.raw]
    assert len(lines) == 1, lines


def test_three_commands_to_redis_for_each_message(smscd, upstream, redis_server):
    redis = redis_server()
    gw = Gateway(smscd, upstream, redis={"url": redis.url})
    client = redis.client()

    def calls(command):
        return client.info("commandstats").get(f"cmdstat_{command}", {"calls": 0})["calls"]

    gw.submit(b"0", "up-0")
    before = {command: calls(command) for command in ("set", "get")}
    for n in range(1, 51):
        gw.submit(b"%d" % n, f"up-{n}")
        seq = gw.send_receipt(f"up-{n}")
        gw.receive()
        assert gw.status(seq) == raw.ESME_ROK
    proc.wait_until(lambda: client.strlen("siphon:receipt:eu:up-50") == 1, what="the last mark")
    # The script itself asks once for each receipt.
    assert {command: calls(command) - before[command] for command in before} == {"set": 100, "get": 50 + 50}


def test_handler_that_never_returns_is_tried_again(smscd, upstream):
    """For a receipt that is acknowledged already no upstream's patience ends it."""
    gw = Gateway(smscd, upstream)
    head = "async def on_receipt(receipt):\n"
    hang = "    if not hung:\n        hung.append(1)\n        await asyncio.Event().wait()\n"
    script = SCRIPT.replace(head, head + hang) + "\nhung, receipts.LEASE_SECONDS = [], 5.2\n"
    gw.daemon.write_script(script)
    gw.daemon.reload()
    gw.esme.send("submit_sm", destination_addr="eu", short_message=b"1")
    sent = gw.up["eu"].expect("submit_sm")
    assert gw.status(gw.send_receipt()) == raw.ESME_ROK
    gw.up["eu"].answer(sent, message_id="up-1")
    assert gw.receive().short_message.startswith(b"id:m-1 ")
