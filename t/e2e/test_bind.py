"""How an application binds: who may, what the answer is, and what the standard's states allow."""

import pytest
from lib import proc
from lib import smpp_raw as raw
from lib.daemon import OPEN

KINDS = ["transceiver", "transmitter", "receiver"]


def bind_resp(daemon, kind="transceiver", **fields):
    with daemon.connect() as esme:
        return esme.call("bind_" + kind, **{"system_id": "esme1", "password": "s3cret", **fields})


def test_closed_by_default(smscd):
    daemon = smscd("from siphon import smpp\n")
    with daemon.connect() as esme:
        resp = esme.call("bind_transceiver", system_id="esme1", password="s3cret")
        assert resp.status == raw.ESME_RBINDFAIL
        assert esme.expect_closed() == []


@pytest.mark.parametrize("kind", KINDS)
def test_accepted(smscd, kind):
    resp = bind_resp(smscd(OPEN), kind)
    assert (resp.command, resp.status, resp.system_id) == (f"bind_{kind}_resp", 0, "smscd")
    assert resp.tlv(raw.SC_INTERFACE_VERSION) == b"\x34"


def test_own_system_id(smscd):
    assert bind_resp(smscd(OPEN, server={"system_id": "SMSC-7"})).system_id == "SMSC-7"


def test_peer_of_version_3_3_gets_no_tlv(smscd):
    assert bind_resp(smscd(OPEN), interface_version=0x33).tlvs == []


def test_handler_decides(smscd):
    daemon = smscd("""
        from siphon import smpp

        @smpp.on_bind
        async def authorise(bind):
            if bind.system_id != "esme1":
                return bind.reject("ESME_RINVSYSID", f"who is {bind.system_id}?")
            if bind.password != "s3cret":
                return bind.reject("ESME_RINVPASWD", "bad password")
            return bind.accept()
    """)
    assert bind_resp(daemon).status == raw.ESME_ROK
    assert bind_resp(daemon, password="wrongpw").status == raw.ESME_RINVPASWD
    assert bind_resp(daemon, system_id="other").status == raw.ESME_RINVSYSID
    daemon.log.wait("who is other")
    daemon.log.wait("bad password")
    daemon.stop()
    assert not daemon.log.find("wrongpw|s3cret")


@pytest.mark.parametrize(("answer", "accepted"), [("True", True), ("False", False), ("None", False), ("1", True)])
def test_truth_value(smscd, answer, accepted):
    daemon = smscd(f"from siphon import smpp\n@smpp.on_bind\nasync def on_bind(bind):\n    return {answer}\n")
    assert (bind_resp(daemon).status == raw.ESME_ROK) is accepted


def test_plain_function(smscd):
    daemon = smscd("from siphon import smpp\n@smpp.on_bind\ndef on_bind(bind):\n    return bind.accept()\n")
    assert bind_resp(daemon).status == raw.ESME_ROK


def test_handler_that_raises(smscd):
    daemon = smscd("""
        from siphon import smpp

        @smpp.on_bind
        async def on_bind(bind):
            return 1 // len(bind.system_type)
    """)
    assert bind_resp(daemon).status in (raw.ESME_RSYSERR, raw.ESME_RBINDFAIL)
    daemon.log.wait("ZeroDivisionError")
    assert bind_resp(daemon, system_type="x").status == raw.ESME_ROK


def test_handler_that_takes_too_long(smscd):
    daemon = smscd(
        """
        import asyncio
        from siphon import smpp

        @smpp.on_bind
        async def on_bind(bind):
            await asyncio.sleep(3600)
        """,
        handler_timeout_ms=200,
    )
    assert bind_resp(daemon).status in (raw.ESME_RSYSERR, raw.ESME_RBINDFAIL)


def test_fields(smscd):
    daemon = smscd("""
        from siphon import smpp
        from e2e_record import record

        @smpp.on_bind
        async def on_bind(bind):
            record("bind", **{name: getattr(bind, name) for name in ("system_id", "password", "system_type",
                   "interface_version", "addr_range", "bind_type", "client_addr", "tls")})
            return bind.accept()
    """)
    bind_resp(daemon, "transmitter", system_type="VMA", address_range="^44")
    (seen,) = daemon.wait_records("bind")
    assert seen["client_addr"].startswith("127.0.0.1")
    del seen["client_addr"], seen["kind"], seen["pid"]
    assert seen == {
        "system_id": "esme1",
        "password": "s3cret",
        "system_type": "VMA",
        "interface_version": 0x34,
        "addr_range": "^44",
        "bind_type": "transmitter",
        "tls": None,
    }


def test_nothing_but_bind_before_bind(smscd):
    daemon = smscd(OPEN)
    with daemon.connect() as esme:
        assert esme.submit().status == raw.ESME_RINVBNDSTS


def test_receiver_may_not_submit(smscd):
    daemon = smscd(OPEN)
    with daemon.bind(kind="receiver") as esme:
        assert esme.submit().status == raw.ESME_RINVBNDSTS
        assert esme.enquire().status == raw.ESME_ROK


def test_esme_may_not_deliver(smscd):
    daemon = smscd(OPEN)
    with daemon.bind() as esme:
        esme.send("deliver_sm")
        resp = esme.recv()
        assert resp.command in ("deliver_sm_resp", "generic_nack")
        assert resp.status in (raw.ESME_RINVBNDSTS, raw.ESME_RINVCMDID)
        assert esme.submit().status == raw.ESME_ROK


def test_second_bind(smscd):
    daemon = smscd(OPEN)
    with daemon.bind() as esme:
        assert esme.call("bind_transceiver", system_id="esme1").status == raw.ESME_RALYBND
        assert esme.submit().status == raw.ESME_ROK


def test_requests_behind_the_bind_wait_for_its_answer(smscd):
    daemon = smscd("""
        import asyncio
        from siphon import smpp

        @smpp.on_bind
        async def on_bind(bind):
            await asyncio.sleep(0.05)
            return bind.accept()
    """)
    with daemon.connect() as esme:
        esme.write(
            raw.encode("bind_transceiver", 1, system_id="esme1") + raw.encode("submit_sm", 2, short_message=b"early")
        )
        assert esme.expect("bind_transceiver_resp", 1).status == raw.ESME_ROK
        # Either taken after the bind or refused because it came before the answer; never lost.
        assert esme.expect("submit_sm_resp", 2).status in (raw.ESME_ROK, raw.ESME_RINVBNDSTS)


def test_session_init_timer(smscd):
    daemon = smscd(OPEN, server={"session_init_timer_ms": 200})
    with daemon.connect() as silent:
        silent.write(raw.encode("bind_transceiver", 1)[:20])  # a bind that never ends
        assert silent.expect_closed() == []


def test_unbind(smscd):
    daemon = smscd(
        OPEN
        + """
@smpp.on_session("bound")
async def bound(session):
    record("bound", session=session.session_id, kind_=session.kind, system_id=session.system_id,
           bind_type=session.bind_type, addr=session.client_addr, worker=session.worker, node=session.node)

@smpp.on_session("unbound")
async def unbound(session):
    record("unbound", session=session.session_id)
"""
    )
    with daemon.bind(kind="receiver") as esme:
        (bound,) = daemon.wait_records("bound")
        assert (bound["kind_"], bound["system_id"], bound["bind_type"]) == ("esme", "esme1", "receiver")
        assert bound["addr"].startswith("127.0.0.1")
        assert bound["worker"] == 0
        assert bound["node"]
        assert esme.call("unbind").status == raw.ESME_ROK
        esme.expect_closed()
    (unbound,) = daemon.wait_records("unbound")
    assert unbound["session"] == bound["session"]


def test_session_handlers_run_in_order_and_all(smscd):
    daemon = smscd(
        OPEN
        + """
@smpp.on_session("bound")
async def first(session):
    record("bound", n=1)

@smpp.on_session("bound")
def broken(session):
    raise RuntimeError("no matter")

@smpp.on_session("bound")
async def third(session):
    record("bound", n=3)
"""
    )
    with daemon.bind():
        assert [r["n"] for r in daemon.wait_records("bound", 2)] == [1, 3]
    daemon.log.wait("no matter")


def test_max_sessions_per_system_id(smscd):
    daemon = smscd(OPEN, workers=2, server={"max_sessions_per_system_id": 2})
    with daemon.bind(), daemon.bind():
        assert bind_resp(daemon).status != raw.ESME_ROK
        assert bind_resp(daemon, system_id="other").status == raw.ESME_ROK
    # Those two are gone: there is room again.
    proc.wait_until(lambda: bind_resp(daemon).status == raw.ESME_ROK, what="room for esme1")


@pytest.mark.parametrize("name", ["max_sessions", "max_connections_per_address"])
def test_max_connections(smscd, name):
    daemon = smscd(OPEN, server={name: 1})
    with daemon.bind() as first:
        with daemon.connect() as second:
            try:
                second.send("bind_transceiver", system_id="esme2")
                resp = second.recv()
                assert resp.status != raw.ESME_ROK
            except (raw.Closed, BrokenPipeError):
                pass
        assert first.submit().status == raw.ESME_ROK


def test_ipv6(smscd):
    daemon = smscd(OPEN, server={"bind_address": "::"})
    for host in ("::1", "127.0.0.1"):
        with daemon.bind(host=host) as esme:
            assert esme.submit().status == raw.ESME_ROK


def test_descriptors_come_back(smscd):
    """A hundred sessions of every way to end leave no descriptor in master or worker."""
    daemon = smscd(OPEN)
    pids = [daemon.pid, *daemon.worker_pids()]
    with daemon.bind() as esme:
        esme.submit()
        while_bound = counts(pids)
    proc.wait_until(lambda: sum(counts(pids)) < sum(while_bound), what="the end of the first session")
    before = counts(pids)
    for i in range(100):
        esme = daemon.connect()
        if i % 4:
            esme.send("bind_transceiver", system_id="esme1")
            esme.recv()
        if i % 4 == 2:
            esme.reset()
        elif i % 4 == 3:
            esme.call("unbind")
            esme.expect_closed()
        esme.close()
    proc.wait_until(lambda: counts(pids) == before, what=f"as many descriptors as before ({before})")


def counts(pids):
    return [len(proc.descriptors(p)) for p in pids]
