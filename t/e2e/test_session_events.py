"""on_session: each event once in the whole gateway, in the worker that owns the session, for a bind in one worker."""

import pytest
from lib import proc
from lib.daemon import OPEN

EVENTS = """
for event in ("bound", "unbound"):
    @smpp.on_session(event)
    async def asynchronous(session, event=event):
        await asyncio.sleep(0)
        record("event", by="async", event=event, session=session.session_id, of=session.kind, worker=session.worker,
               system_id=session.system_id, bind_type=session.bind_type, node=session.node,
               addr=session.client_addr, bind=session.bind, peer=session.peer_system_id, at=str(session.bound_at))

    @smpp.on_session(event)
    def plain(session, event=event):
        record("event", by="def", event=event, session=session.session_id, of=session.kind, worker=session.worker,
               system_id=session.system_id)

@smpp.on_pdu("submit_sm")
async def submit(pdu, session):
    return pdu.reply(message_id=f"{session.worker} {os.getpid()}")
"""


def events(daemon, of, by="async", **wanted):
    found = [r for r in daemon.records("event") if r["of"] == of and r["by"] == by]
    return [r for r in found if wanted.items() <= r.items()]


def test_sessions_of_esmes(smscd):
    daemon = smscd(OPEN + EVENTS, workers=3)
    kinds = ["transceiver", "transmitter", "receiver"] * 3
    conns = [daemon.bind(f"e{n}", kind=kind) for n, kind in enumerate(kinds)]
    daemon.wait_records("event", 2 * len(conns))
    home = {}
    for n, conn in enumerate(conns):
        if kinds[n] != "receiver":
            home[f"e{n}"] = conn.submit().message_id
    for conn in conns[::2]:
        conn.call("unbind")
    for conn in conns[1::2]:
        conn.reset()
    daemon.wait_records("event", 4 * len(conns))
    with daemon.bind("last"):
        daemon.wait_records("event", 4 * len(conns) + 2)
    daemon.wait_records("event", 4 * len(conns) + 4)
    for n, kind in enumerate(kinds):
        seen = [r for r in daemon.records("event") if r["system_id"] == f"e{n}"]
        assert [(r["event"], r["by"]) for r in seen] == [
            ("bound", "async"),
            ("bound", "def"),
            ("unbound", "async"),
            ("unbound", "def"),
        ], "one after the other, in the order of their registration"
        assert len({(r["session"], r["worker"], r["pid"]) for r in seen}) == 1
        assert (seen[0]["bind_type"], seen[0]["bind"]) == (kind, None)
        assert seen[0]["addr"].startswith("127.0.0.1")
        if f"e{n}" in home:
            assert home[f"e{n}"] == f"{seen[0]['worker']} {seen[0]['pid']}"
    assert len({r["worker"] for r in daemon.records("event")}) == 3
    assert len({r["session"] for r in daemon.records("event")}) == len(conns) + 1


def test_refused_bind_has_no_event(smscd):
    text = OPEN.replace("return bind.accept()", "return bind.system_id == 'good'")
    daemon = smscd(text + EVENTS)
    with daemon.connect() as conn:
        assert conn.call("bind_transceiver", system_id="bad").status != 0
    with daemon.bind("good"):
        daemon.wait_records("event", 2)
    daemon.wait_records("event", 4)
    assert {r["system_id"] for r in daemon.records("event")} == {"good"}


@pytest.mark.parametrize("how", ["unbind", "close"])
def test_binds(smscd, upstream, how):
    """Of every connection of a bind: bound and unbound, each in one of three workers, and again after a reconnect."""
    smsc = upstream()
    bind = {"name": "eu", "host": "127.0.0.1", "port": smsc.port, "system_id": "gw", "password": "pw"}
    daemon = smscd(OPEN + EVENTS, workers=3, binds=[{**bind, "reconnect_min_ms": 50}])
    for n in range(1, 4):
        conn = smsc.accept_bind(system_id="PEER")
        daemon.wait_records("event", 4 * n - 2)
        if how == "unbind":
            conn.call("unbind")
        conn.close()
        daemon.wait_records("event", 4 * n)
    smsc.accept_bind()
    daemon.wait_records("event", 14)
    seen = events(daemon, "bind")
    assert [r["event"] for r in seen] == ["bound", "unbound"] * 3 + ["bound"]
    assert {(r["system_id"], r["bind"], r["bind_type"]) for r in seen} == {("eu", "eu", "transceiver")}
    assert seen[0]["peer"] == "PEER"
    assert len(events(daemon, "bind", by="def")) == 7
    for bound, unbound in zip(seen[:6:2], seen[1:6:2], strict=True):
        assert bound["session"] == unbound["session"]
    assert len({r["session"] for r in seen}) == 4, "each connection is a session of its own"


def test_worker_that_is_told_of_a_bind_dies(smscd, upstream):
    """Another worker hears of the end; nothing is told twice."""
    smsc = upstream()
    bind = {"name": "eu", "host": "127.0.0.1", "port": smsc.port, "system_id": "gw", "password": "pw"}
    daemon = smscd(OPEN + EVENTS, workers=2, binds=[{**bind, "reconnect_min_ms": 50}])
    conn = smsc.accept_bind()
    first = daemon.wait_records("event", 2)[0]
    daemon.signal(9, first["pid"])
    proc.wait_until(lambda: first["pid"] not in (p := daemon.worker_pids()) and len(p) == 2, what="a new worker")
    conn.close()
    smsc.accept_bind()
    proc.wait_until(lambda: len(events(daemon, "bind", event="bound")) >= 2, what="the second bind")
    proc.wait_until(lambda: events(daemon, "bind", event="unbound"), what="the end of the first")
    assert len(events(daemon, "bind", event="unbound")) == 1


def test_handler_that_raises_does_not_stop_the_next(smscd):
    daemon = smscd(
        OPEN + '\n@smpp.on_session("bound")\ndef bad(session):\n    raise KeyError("of the test")\n' + EVENTS
    )
    with daemon.bind("e"):
        daemon.wait_records("event", 2)
    daemon.log.wait("KeyError.*of the test")


@pytest.mark.parametrize(
    ("answer", "accepted"),
    [
        ("True", True),
        ("1", True),
        ("'yes'", True),
        ("object()", True),
        ("False", False),
        ("None", False),
        ("0", False),
        ("''", False),
        ("[]", False),
    ],
)
@pytest.mark.parametrize("form", ["async def", "def"])
def test_truth_value_of_on_bind(smscd, form, answer, accepted):
    text = OPEN.replace("async def on_bind", f"{form} on_bind").replace("return bind.accept()", f"return {answer}")
    daemon = smscd(text)
    with daemon.connect() as conn:
        assert (conn.call("bind_transceiver", system_id="e", password="p").status == 0) == accepted
