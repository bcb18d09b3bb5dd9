"""Outbound binds: how smscd binds to upstreams, keeps the bind, and what submit_via comes to."""

import pytest
from lib import proc
from lib import smpp_raw as raw
from lib.daemon import OPEN

# submit_sm's body says how often to send; the answer names each outcome.
VIA = (
    OPEN
    + """
async def one(bind, n, **kwargs):
    try:
        resp = await smpp.submit_via(bind=bind, destination_addr="2000", short_message=b"%d" % n, **kwargs)
        return f"{resp.command_status}={resp.message_id}"
    except smpp.SmppError as e:
        record("failed", n=n, what=type(e).__name__)
        return type(e).__name__

@smpp.on_pdu("submit_sm")
async def submit(pdu, session):
    tasks = [asyncio.create_task(one(pdu.destination_addr, n)) for n in range(int(pdu.body))]
    record("outcome", all=await asyncio.gather(*tasks))

@smpp.on_session("bound")
async def bound(session):
    record("bound", kind_=session.kind, system_id=session.system_id, id=session.session_id,
           bind=getattr(session, "bind", None), peer=getattr(session, "peer_system_id", None),
           bind_type=session.bind_type, addr=session.client_addr)

@smpp.on_session("unbound")
async def unbound(session):
    record("unbound", kind_=session.kind, system_id=session.system_id, id=session.session_id)
"""
)


def bind_settings(port, name="eu", **kwargs):
    return {
        "name": name,
        "host": "127.0.0.1",
        "port": port,
        "system_id": "gw",
        "password": "pw-up",
        "reconnect_min_ms": 50,
        "reconnect_max_ms": 200,
        **kwargs,
    }


def bound_records(daemon, count=1):
    proc.wait_until(lambda: len([r for r in daemon.records("bound") if r["kind_"] == "bind"]) >= count, what="bound")
    return [r for r in daemon.records("bound") if r["kind_"] == "bind"]


def start(smscd, upstream, script=VIA, settings=None, **kwargs):
    """A daemon whose bind "eu" is up, and the upstream's end of it."""
    smsc = upstream()
    daemon = smscd(script, binds=[bind_settings(smsc.port, **(settings or {}))], **kwargs)
    conn = smsc.accept_bind()
    bound_records(daemon)
    return daemon, smsc, conn


def outcome(daemon, count=1):
    return daemon.wait_records("outcome", count)[-1]["all"]


@pytest.mark.parametrize("kind", ["transceiver", "transmitter", "receiver"])
def test_binds(smscd, upstream, kind):
    daemon, _, conn = start(smscd, upstream, settings={"bind_type": kind, "system_type": "VMA", "addr_range": "^44"})
    assert conn.bind.command == "bind_" + kind
    assert conn.bind.fields == {
        "system_id": "gw",
        "password": "pw-up",
        "system_type": "VMA",
        "interface_version": 0x34,
        "addr_ton": conn.bind.addr_ton,
        "addr_npi": conn.bind.addr_npi,
        "address_range": "^44",
    }
    (seen,) = bound_records(daemon)
    assert (seen["system_id"], seen["bind"], seen["peer"]) == ("eu", "eu", "UPSTREAM")
    assert seen["bind_type"] == kind
    assert seen["addr"].startswith("127.0.0.1")
    with daemon.bind() as esme:
        seq = esme.send("submit_sm", destination_addr="eu", short_message=b"1")
        if kind != "receiver":
            conn.answer(conn.expect("submit_sm"), message_id="up-1")
        esme.expect("submit_sm_resp", seq)
    assert outcome(daemon) == (["ESME_ROK=up-1"] if kind != "receiver" else ["BindDown"])


def test_every_field(smscd, upstream):
    fields = {
        "service_type": "CMT",
        "source_addr_ton": 5,
        "source_addr_npi": 0,
        "source_addr": "BANK",
        "dest_addr_ton": 2,
        "dest_addr_npi": 8,
        "destination_addr": "15550101",
        "esm_class": 0x40,
        "protocol_id": 0x41,
        "priority_flag": 2,
        "schedule_delivery_time": "261231235959000+",
        "validity_period": "000001000000000R",
        "registered_delivery": 0x11,
        "replace_if_present_flag": 1,
        "data_coding": 8,
        "sm_default_msg_id": 7,
        "short_message": bytes(range(254)),
    }
    daemon, _, conn = start(
        smscd,
        upstream,
        OPEN
        + f"""
@smpp.on_session("bound")
async def bound(session):
    record("bound", kind_=session.kind)

@smpp.on_pdu("submit_sm")
async def submit(pdu, session):
    resp = await smpp.submit_via(bind="eu", tlvs=[("callback_num", b"1111"), ("callback_num", b"2222"), (0x1400, b"v"),
                                 ("user_message_reference", 5)], **{fields!r})
    record("resp", ok=resp.ok, status=resp.command_status, id=resp.message_id,
           tlvs={{str(k): v.hex() for k, v in resp.tlvs.items()}})
""",
    )
    with daemon.bind() as esme:
        seq = esme.send("submit_sm")
        sent = conn.expect("submit_sm")
        conn.answer(sent, message_id="x" * 64, tlvs=[(0x1401, b"up")])
        esme.expect("submit_sm_resp", seq)
    assert sent.fields == fields
    assert sent.tlvs == [(raw.CALLBACK_NUM, b"1111"), (raw.CALLBACK_NUM, b"2222"), (0x1400, b"v"), (0x0204, b"\0\5")]
    (resp,) = daemon.wait_records("resp")
    assert (resp["ok"], resp["status"], resp["id"]) == (True, "ESME_ROK", "x" * 64)
    assert resp["tlvs"] == {str(0x1401): b"up".hex()}


def test_defaults(smscd, upstream):
    daemon, _, conn = start(smscd, upstream)
    with daemon.bind() as esme:
        esme.send("submit_sm", destination_addr="eu", short_message=b"1")
        sent = conn.expect("submit_sm")
        conn.answer(sent, message_id="1")
        expected = {n: 1 for n in ("source_addr_ton", "source_addr_npi", "dest_addr_ton", "dest_addr_npi")}
        expected |= {"destination_addr": "2000", "short_message": b"0"}
        zeros = {n: "" if isinstance(v, str) else 0 for n, v in sent.fields.items()}
        assert sent.fields == zeros | expected
        esme.expect("submit_sm_resp")


@pytest.mark.parametrize(
    ("status", "name"), [(raw.ESME_RTHROTTLED, "ESME_RTHROTTLED"), (0x45, "ESME_RSUBMITFAIL"), (0x999, "0x00000999")]
)
def test_negative_answer_is_a_value(smscd, upstream, status, name):
    daemon, _, conn = start(smscd, upstream)
    with daemon.bind() as esme:
        esme.send("submit_sm", destination_addr="eu", short_message=b"1")
        conn.answer(conn.expect("submit_sm"), status)
        esme.expect("submit_sm_resp")
    assert outcome(daemon)[0].split("=")[0] == name


def test_generic_nack_is_an_answer(smscd, upstream):
    daemon, _, conn = start(smscd, upstream)
    with daemon.bind() as esme:
        esme.send("submit_sm", destination_addr="eu", short_message=b"1")
        conn.send("generic_nack", conn.expect("submit_sm").seq, raw.ESME_RINVCMDID)
        esme.expect("submit_sm_resp")
    assert outcome(daemon)[0].split("=")[0] == "ESME_RINVCMDID"


def test_answers_in_another_order(smscd, upstream):
    daemon, _, conn = start(smscd, upstream)
    with daemon.bind() as esme:
        esme.send("submit_sm", destination_addr="eu", short_message=b"10")
        sent = [conn.expect("submit_sm") for _ in range(10)]
        for pdu in reversed(sent):
            conn.answer(pdu, message_id="id" + pdu.short_message.decode())
        esme.expect("submit_sm_resp")
    assert outcome(daemon) == [f"ESME_ROK=id{n}" for n in range(10)]


def test_window_and_queue(smscd, upstream):
    daemon, _, conn = start(smscd, upstream, settings={"window": 2, "queue": 3})
    with daemon.bind() as esme:
        esme.send("submit_sm", destination_addr="eu", short_message=b"7")
        refused = daemon.wait_records("failed", 2)
        assert [(r["n"], r["what"]) for r in refused] == [(5, "WindowFull"), (6, "WindowFull")]
        for n in range(0, 4, 2):
            pair = [conn.expect("submit_sm"), conn.expect("submit_sm")]
            conn.enquire()
            assert not conn.kept, "the window is 2"
            assert [p.short_message for p in pair] == [b"%d" % n, b"%d" % (n + 1)]
            for pdu in pair:
                conn.answer(pdu, message_id="m")
        conn.answer(conn.expect("submit_sm"), message_id="m")
        esme.expect("submit_sm_resp")
    assert outcome(daemon) == ["ESME_ROK=m"] * 5 + ["WindowFull"] * 2


def test_response_timeout(smscd, upstream):
    daemon, _, conn = start(smscd, upstream, settings={"response_timer_ms": 200})
    with daemon.bind() as esme:
        esme.send("submit_sm", destination_addr="eu", short_message=b"1")
        late = conn.expect("submit_sm")
        assert outcome(daemon) == ["ResponseTimeout"]
        conn.answer(late, message_id="late")
        esme.expect("submit_sm_resp")
        # The bind is as good as before.
        esme.send("submit_sm", destination_addr="eu", short_message=b"1")
        conn.answer(conn.expect("submit_sm"), message_id="next")
        esme.expect("submit_sm_resp")
    assert outcome(daemon, 2) == ["ESME_ROK=next"]


def test_bind_down_and_unknown(smscd):
    daemon = smscd(VIA, binds=[bind_settings(proc.free_port())])
    with daemon.bind() as esme:
        esme.submit(b"1", destination_addr="eu")
        assert outcome(daemon) == ["BindDown"]
        esme.submit(b"1", destination_addr="nowhere")
        assert outcome(daemon, 2) == ["UnknownBind"]


def test_exceptions_family(smscd):
    daemon = smscd(
        OPEN
        + """
@smpp.on_pdu("submit_sm")
async def submit(pdu, session):
    family = [smpp.UnknownBind, smpp.BindDown, smpp.SessionGone, smpp.WindowFull, smpp.ResponseTimeout]
    try:
        await smpp.submit_via(bind="nowhere", short_message=b"x")
    except KeyError as e:
        record("family", errors=all(issubclass(c, smpp.SmppError) for c in family),
               runtime=issubclass(smpp.SmppError, RuntimeError), named="nowhere" in str(e))
"""
    )
    with daemon.bind() as esme:
        esme.submit()
    (seen,) = daemon.wait_records("family")
    assert seen["errors"] and seen["runtime"] and seen["named"]


def test_reconnects(smscd, upstream):
    daemon, smsc, conn = start(smscd, upstream)
    conn.reset()
    again = smsc.accept_bind()
    first, second = bound_records(daemon, 2)
    (unbound,) = [r for r in daemon.wait_records("unbound") if r["kind_"] == "bind"]
    assert unbound["system_id"] == "eu"
    with daemon.bind() as esme:
        esme.send("submit_sm", destination_addr="eu", short_message=b"1")
        again.answer(again.expect("submit_sm"), message_id="again")
        esme.expect("submit_sm_resp")
    assert outcome(daemon) == ["ESME_ROK=again"]


def test_connection_lost_with_requests_on_the_wire(smscd, upstream):
    """Each awaiting coroutine hears of it once: what was not sent is BindDown, what was sent is not called failed."""
    daemon, smsc, conn = start(smscd, upstream, settings={"window": 2})
    with daemon.bind() as esme:
        esme.send("submit_sm", destination_addr="eu", short_message=b"4")
        conn.expect("submit_sm")
        conn.expect("submit_sm")
        conn.reset()
        outcomes = outcome(daemon)
        esme.expect("submit_sm_resp")
    assert set(outcomes[:2]) <= {"ResponseTimeout", "BindDown"}
    assert outcomes[2:] == ["BindDown", "BindDown"]


def test_rejected_bind_is_tried_again(smscd, upstream):
    smsc = upstream()
    daemon = smscd(VIA, binds=[bind_settings(smsc.port)])
    smsc.accept_bind(raw.ESME_RINVPASWD).expect_closed()
    daemon.log.wait(r"(warn|error) master: .*\beu\b.*ESME_RINVPASWD")
    with daemon.bind() as esme:
        esme.submit(b"1", destination_addr="eu")
    assert outcome(daemon) == ["BindDown"]
    smsc.accept_bind()
    bound_records(daemon)


def test_upstream_that_never_answers_the_bind(smscd, upstream):
    smsc = upstream()
    smscd(VIA, binds=[bind_settings(smsc.port, response_timer_ms=200, connect_timeout_ms=200)])
    for _ in range(2):  # it gives up and comes again
        conn = smsc.accept()
        assert conn.recv().command == "bind_transceiver"


def test_host_that_does_not_resolve(smscd, upstream):
    smsc = upstream()
    daemon = smscd(VIA, binds=[bind_settings(2775, "bad", host="no-such-host.invalid"), bind_settings(smsc.port)])
    smsc.accept_bind()
    bound_records(daemon)
    daemon.log.wait(r"bad\b.*no-such-host\.invalid|no-such-host\.invalid.*bad\b")


def test_host_name(smscd, upstream):
    start(smscd, upstream, settings={"host": "localhost"})


def test_enquire_link(smscd, upstream):
    _, smsc, conn = start(smscd, upstream, settings={"enquire_link_timer_ms": 100, "response_timer_ms": 200})
    conn.answer_enquire = False
    for _ in range(3):
        conn.answer(conn.expect("enquire_link"))
    conn.enquire()
    conn.expect_closed()  # no answer any more
    smsc.accept_bind()


def test_upstream_unbinds(smscd, upstream):
    _, smsc, conn = start(smscd, upstream)
    assert conn.call("unbind").status == raw.ESME_ROK
    conn.expect_closed()
    smsc.accept_bind()


def test_unbinds_at_the_end(smscd, upstream):
    daemon, _, conn = start(smscd, upstream)
    daemon.signal(15)
    conn.answer(conn.expect("unbind"))
    conn.expect_closed()
    assert daemon.stop() == 0


def test_several_connections(smscd, upstream):
    smsc = upstream()
    daemon = smscd(VIA, binds=[bind_settings(smsc.port, sessions=3, window=1)])
    conns = [smsc.accept_bind() for _ in range(3)]
    proc.wait_until(lambda: len(daemon.log.find(r"\beu\b.*bound")) >= 3, what="three connections")
    with daemon.bind() as esme:
        esme.send("submit_sm", destination_addr="eu", short_message=b"3")
        for conn in conns:  # a window of 1 each: every connection gets one
            conn.answer(conn.expect("submit_sm"), message_id="m")
        esme.expect("submit_sm_resp")
    assert outcome(daemon) == ["ESME_ROK=m"] * 3


def test_two_workers_share_a_bind(smscd, upstream):
    daemon, _, conn = start(smscd, upstream, workers=2)
    serve = raw.Answering(conn, lambda c, p: c.answer(p, message_id="s" + p.short_message.decode()))
    sessions = [daemon.bind(f"e{n}") for n in range(4)]
    for esme in sessions:
        esme.send("submit_sm", destination_addr="eu", short_message=b"50")
    for esme in sessions:
        assert esme.expect("submit_sm_resp").status == raw.ESME_ROK
    outcomes = [r["all"] for r in daemon.wait_records("outcome", 4)]
    assert all(o == [f"ESME_ROK=s{n}" for n in range(50)] for o in outcomes)
    assert len({r["pid"] for r in daemon.records("outcome")}) == 2
    proc.wait_until(lambda: len(serve.log) == 200, what="the log of the last answer")
    assert len([r for r in daemon.records("bound") if r["kind_"] == "bind"]) == 1, (
        "on_session for a bind: in one worker"
    )


def test_cancel_takes_a_queued_message_back(smscd, upstream):
    daemon, _, conn = start(
        smscd,
        upstream,
        OPEN
        + """
@smpp.on_session("bound")
async def bound(session):
    record("bound", kind_=session.kind)

@smpp.on_pdu("submit_sm")
async def submit(pdu, session):
    def send(text):
        return asyncio.create_task(smpp.submit_via(bind="eu", destination_addr="2", short_message=text))
    first, second, third = send(b"first"), send(b"second"), send(b"third")
    await asyncio.sleep(0.05)
    second.cancel()
    await asyncio.wait([second])
    record("cancelled")
    await asyncio.gather(first, third)
""",
        settings={"window": 1},
    )
    with daemon.bind() as esme:
        esme.send("submit_sm")
        daemon.wait_records("cancelled")
        seen = []
        for _ in range(2):
            pdu = conn.expect("submit_sm")
            seen.append(pdu.short_message)
            conn.answer(pdu, message_id="m")
        assert esme.expect("submit_sm_resp").status == raw.ESME_ROK
        conn.enquire()
        assert not conn.kept
    assert seen == [b"first", b"third"]


# from the upstream

MO = (
    OPEN
    + """
@smpp.on_session("bound")
async def bound(session):
    record("bound", kind_=session.kind)

@smpp.on_pdu("deliver_sm")
async def deliver(pdu, session):
    record("mo", text=pdu.body.decode(), source=pdu.source_addr, kind_=session.kind, bind=session.bind,
           system_id=session.system_id, is_dlr=pdu.is_dlr)
    match pdu.body:
        case b"raise": raise RuntimeError("broken")
        case b"reject": return pdu.reply(command_status="ESME_RX_P_APPN")
        case b"hang": await asyncio.sleep(3600)
        case b"none": return None
    return pdu.reply()
"""
)


def deliver(conn, text, **kwargs):
    return conn.call("deliver_sm", short_message=text, **kwargs)


def test_deliver_sm_without_a_handler(smscd, upstream):
    daemon, _, conn = start(smscd, upstream)
    assert deliver(conn, b"x").status == raw.ESME_ROK
    daemon.log.wait("(warn|error) .*deliver_sm")


@pytest.mark.parametrize("workers", [1, 2])
def test_deliver_sm(smscd, upstream, workers):
    daemon, _, conn = start(smscd, upstream, MO, workers=workers)
    assert deliver(conn, b"hello", seq=0x1234, source_addr="491701").seq == 0x1234
    (seen,) = daemon.wait_records("mo")
    assert (seen["text"], seen["source"], seen["is_dlr"]) == ("hello", "491701", False)
    assert (seen["kind_"], seen["bind"], seen["system_id"]) == ("bind", "eu", "eu")
    assert deliver(conn, b"none").status == raw.ESME_ROK
    assert deliver(conn, b"reject").status == raw.ESME_RX_P_APPN
    assert deliver(conn, b"raise").status == raw.ESME_RX_T_APPN
    assert deliver(conn, b"hello").status == raw.ESME_ROK


def test_deliver_sm_on_a_receiver(smscd, upstream):
    _, _, conn = start(smscd, upstream, MO, settings={"bind_type": "receiver"})
    assert deliver(conn, b"hello").status == raw.ESME_ROK


def test_deliver_sm_handler_that_hangs(smscd, upstream):
    _, _, conn = start(smscd, upstream, MO, handler_timeout_ms=200)
    assert deliver(conn, b"hang").status == raw.ESME_RX_T_APPN
    assert deliver(conn, b"hello").status == raw.ESME_ROK


def test_deliver_window(smscd, upstream):
    """Beyond deliver_window in hand the upstream gets ESME_RX_T_APPN and its connection stays."""
    _, _, conn = start(smscd, upstream, MO, settings={"deliver_window": 5}, handler_timeout_ms=1000)
    for n in range(8):
        conn.send("deliver_sm", seq=100 + n, short_message=b"hang")
    answers = {conn.expect("deliver_sm_resp").seq for _ in range(3)}
    assert answers == {105, 106, 107}
    assert conn.enquire().status == raw.ESME_ROK
    assert {conn.expect("deliver_sm_resp").status for _ in range(5)} == {raw.ESME_RX_T_APPN}
    assert deliver(conn, b"hello").status == raw.ESME_ROK


def test_bad_octets_from_an_upstream(smscd, upstream):
    daemon, smsc, conn = start(smscd, upstream, MO)
    conn.write(raw.header(0x05, 7, body=b"A" * 100))
    resp = conn.recv()
    assert resp.seq == 7
    assert resp.status != raw.ESME_ROK
    conn.write(raw.header(0x05, 8, length=0x7FFFFFFF))
    conn.expect_closed()
    again = smsc.accept_bind()
    assert deliver(again, b"hello").status == raw.ESME_ROK


def test_order_per_pair_of_addresses(smscd, upstream):
    daemon, _, conn = start(smscd, upstream, MO, workers=2, settings={"deliver_window": 1000})
    conn.write(
        b"".join(raw.encode("deliver_sm", n + 1, source_addr=f"49{n % 5}", short_message=b"%d" % n) for n in range(500))
    )
    assert {conn.expect("deliver_sm_resp").status for _ in range(500)} == {raw.ESME_ROK}
    for source in range(5):
        order = [int(r["text"]) for r in daemon.records("mo") if r["source"] == f"49{source}"]
        assert order == list(range(source, 500, 5))


def test_bind_given_by_the_environment(smscd, upstream):
    smsc = upstream()
    smscd(
        VIA,
        binds=[{"name": "aggregator-eu"}],
        environ={
            "SMPP_BIND_AGGREGATOR_EU_HOST": "127.0.0.1",
            "SMPP_BIND_AGGREGATOR_EU_PORT": str(smsc.port),
            "SMPP_BIND_AGGREGATOR_EU_SYSTEM_ID": "env-gw",
            "SMPP_BIND_AGGREGATOR_EU_PASSWORD": "env-pw",
        },
    )
    bind = smsc.accept_bind().bind
    assert (bind.system_id, bind.password) == ("env-gw", "env-pw")
