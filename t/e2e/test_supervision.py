"""Workers that die, stop or drain, and what the others and the peers notice."""

import itertools
import signal

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
    match pdu.body.split():
        case [b"who"]:
            return pdu.reply(message_id=str(os.getpid()))
        case [b"via"]:
            try:
                resp = await smpp.submit_via(bind="eu", destination_addr="1", short_message=b"via")
                return pdu.reply(message_id=resp.message_id)
            except smpp.SmppError as e:
                return pdu.reply(message_id=type(e).__name__)
        case [b"to", system_id]:
            try:
                to = await cache.get("session:" + system_id.decode())
                record("to")
                resp = await smpp.deliver_to(session_id=to, short_message=b"to")
                return pdu.reply(message_id=resp.command_status)
            except smpp.SmppError as e:
                return pdu.reply(message_id=type(e).__name__)
        case [b"slow"]:
            record("slow")
            await asyncio.sleep(0.5)
            return pdu.reply(message_id="slow")
        case [b"hang"]:
            record("hang")
            await asyncio.sleep(3600)

@smpp.on_pdu("deliver_sm")
async def deliver(pdu, session):
    record("mo")
    if pdu.body == b"hang":
        await asyncio.sleep(3600)
"""
)


def settings(smsc, **kwargs):
    return [
        {
            "name": "eu",
            "host": "127.0.0.1",
            "port": smsc.port,
            "system_id": "gw",
            "password": "pw",
            "reconnect_min_ms": 50,
            **kwargs,
        }
    ]


def with_upstream(smscd, upstream, workers=2, bind=None, **kwargs):
    smsc = upstream()
    daemon = smscd(SCRIPT, workers=workers, binds=settings(smsc, **(bind or {})), **kwargs)
    conn = smsc.accept_bind()
    proc.wait_until(lambda: [r for r in daemon.records("bound") if r["kind_"] == "bind"], what="the bind")
    return daemon, conn


def one_on_each(daemon):
    """{worker's pid: (system_id, connection)}, one for both workers."""
    found, numbers = {}, itertools.count()

    def both():
        system_id = f"e{next(numbers)}"
        esme = daemon.bind(system_id)
        found.setdefault(int(esme.submit(b"who").message_id), (system_id, esme))
        return len(found) == 2

    proc.wait_until(both, what="a session with each worker")
    return found


def test_sessions_are_spread(smscd):
    daemon = smscd(SCRIPT, workers=2)
    sessions = [daemon.bind(f"e{n}") for n in range(10)]
    pids = [esme.submit(b"who").message_id for esme in sessions]
    assert sorted(pids.count(p) for p in set(pids)) == [5, 5]


def test_killed_worker_comes_back(smscd):
    daemon = smscd(SCRIPT, workers=2)
    (victim, (_, gone)), (survivor, (_, stays)) = one_on_each(daemon).items()
    daemon.signal(signal.SIGKILL, victim)
    gone.expect_closed()
    assert stays.submit(b"who").message_id == str(survivor)
    daemon.log.wait(rf"(warn|error) master: .*\b{victim}\b|(warn|error) master: .*worker")
    proc.wait_until(lambda: len(daemon.worker_pids()) == 2, what="the second worker")

    def both():
        with daemon.bind("again") as esme:
            return esme.submit(b"who").message_id != str(survivor)

    proc.wait_until(both, what="a session in the new worker")


def test_only_worker_killed(smscd):
    """Connections that arrive while there is no worker are not lost for good."""
    daemon = smscd(SCRIPT, workers=1)
    for _ in range(3):
        esme = daemon.bind()
        daemon.signal(signal.SIGKILL, int(esme.submit(b"who").message_id))
        esme.expect_closed()

        def again():
            try:
                with daemon.bind("again") as other:
                    return other.submit(b"who").status == raw.ESME_ROK
            except (OSError, raw.Closed, TimeoutError):
                return False

        proc.wait_until(again, what="the next worker")


def test_descriptors_of_the_master_after_kills(smscd):
    daemon = smscd(SCRIPT, workers=2)
    before = None
    for _ in range(4):
        found = one_on_each(daemon)
        for pid in found:
            daemon.signal(signal.SIGKILL, pid)
        for _, esme in found.values():
            esme.expect_closed()
        proc.wait_until(lambda: len(daemon.worker_pids()) == 2 and not set(found) & set(daemon.worker_pids()))
        with daemon.bind() as esme:
            esme.submit()
        count = proc.wait_until(lambda: len(proc.descriptors(daemon.pid)))
        before = before or count
    proc.wait_until(lambda: len(proc.descriptors(daemon.pid)) <= before, what="no more descriptors than at first")


def test_pending_requests_fail_when_the_worker_dies(smscd):
    daemon = smscd(SCRIPT, workers=2)
    (_, (_, asks)), (victim, (target, _)) = one_on_each(daemon).items()
    seq = asks.send("submit_sm", short_message=b"to " + target.encode())
    daemon.wait_records("to")
    daemon.signal(signal.SIGKILL, victim)
    assert asks.expect("submit_sm_resp", seq).message_id == "SessionGone"


def test_upstream_hears_of_a_dead_worker(smscd, upstream):
    daemon, conn = with_upstream(smscd, upstream, workers=1)
    seq = conn.send("deliver_sm", short_message=b"hang")
    (mo,) = daemon.wait_records("mo")
    daemon.signal(signal.SIGKILL, mo["pid"])
    assert conn.expect("deliver_sm_resp", seq).status == raw.ESME_RX_T_APPN
    conn.enquire()  # the bind has not moved

    def taken():
        return conn.call("deliver_sm", short_message=b"again").status == raw.ESME_ROK

    proc.wait_until(taken, what="the next worker")


def test_answer_for_a_dead_worker_does_no_harm(smscd, upstream):
    daemon, conn = with_upstream(smscd, upstream, workers=1)
    esme = daemon.bind()
    pid = int(esme.submit(b"who").message_id)
    esme.send("submit_sm", short_message=b"via")
    late = conn.expect("submit_sm")
    daemon.signal(signal.SIGKILL, pid)
    esme.expect_closed()
    proc.wait_until(lambda: daemon.worker_pids() and daemon.worker_pids() != [pid], what="the next worker")
    esme = daemon.bind()
    seq = esme.send("submit_sm", short_message=b"via")
    mine = conn.expect("submit_sm")
    conn.answer(late, message_id="late")
    conn.answer(mine, message_id="mine")
    assert esme.expect("submit_sm_resp", seq).message_id == "mine"


def test_stopped_worker_does_not_stop_an_upstream(smscd, upstream):
    daemon, conn = with_upstream(smscd, upstream, stall_timeout_ms=60000, bind={"deliver_window": 1000})
    (stopped, _), (_, (_, runs)) = one_on_each(daemon).items()
    daemon.signal(signal.SIGSTOP, stopped)
    try:
        for n in range(50):
            seq = runs.send("submit_sm", short_message=b"via")
            conn.answer(conn.expect("submit_sm"), message_id=f"m{n}")
            assert runs.expect("submit_sm_resp", seq).message_id == f"m{n}"
        # Some deliver_sm may have gone to the stopped one before it was noticed; the others are answered.
        for n in range(200):
            conn.send("deliver_sm", seq=1000 + n, source_addr=str(n), short_message=b"mo")
        conn.enquire()
        early = [p for p in conn.kept if p.command == "deliver_sm_resp"]
        conn.kept = []
        answered = early + [conn.expect("deliver_sm_resp") for _ in range(20 - min(20, len(early)))]
        assert {p.status for p in answered} <= {raw.ESME_ROK, raw.ESME_RX_T_APPN}
    finally:
        daemon.signal(signal.SIGCONT, stopped)


def test_stalled_worker_is_replaced(smscd):
    daemon = smscd(
        OPEN
        + """
import time

@smpp.on_pdu("submit_sm")
async def submit(pdu, session):
    if pdu.body == b"block":
        time.sleep(3600)
""",
        stall_timeout_ms=500,
    )
    esme = daemon.bind()
    esme.send("submit_sm", short_message=b"block")
    esme.expect_closed()
    daemon.log.wait(r"script\.py")  # the Python stack says where it hung

    def again():
        with daemon.bind() as other:
            return other.submit(b"good").status == raw.ESME_ROK

    proc.wait_until(again, what="the next worker")


@pytest.mark.parametrize("workers", [1, 2])
def test_drain(smscd, workers):
    daemon = smscd(SCRIPT, workers=workers, drain_timeout_ms=5000)
    sessions = [daemon.bind(f"e{n}") for n in range(2)]
    seqs = [esme.send("submit_sm", short_message=b"slow") for esme in sessions]
    daemon.wait_records("slow", 2)
    daemon.signal(signal.SIGTERM)
    for esme, seq in zip(sessions, seqs):
        assert esme.expect("submit_sm_resp", seq).message_id == "slow"
        esme.answer(esme.expect("unbind"))
        esme.expect_closed()
    assert daemon.stop() == 0


def test_drain_does_not_wait_for_ever(smscd):
    daemon = smscd(SCRIPT, drain_timeout_ms=300)
    esme = daemon.bind()
    esme.send("submit_sm", short_message=b"hang")
    daemon.wait_records("hang")
    daemon.signal(signal.SIGTERM)
    esme.expect_closed()  # without an answer to its unbind either
    assert daemon.stop() == 0


def test_drain_of_a_way_through_the_upstream(smscd, upstream):
    """What is in hand when SIGTERM comes still gets its answer from the upstream."""
    daemon, conn = with_upstream(smscd, upstream, drain_timeout_ms=5000)
    esme = daemon.bind()
    seq = esme.send("submit_sm", short_message=b"via")
    sent = conn.expect("submit_sm")
    daemon.signal(signal.SIGTERM)
    conn.expect_nothing(0.1)  # no unbind while an answer is awaited
    conn.answer(sent, message_id="last")
    assert esme.expect("submit_sm_resp", seq).message_id == "last"
    esme.answer(esme.expect("unbind"))
    conn.answer(conn.expect("unbind"))
    assert daemon.stop() == 0


def test_stops_accepting(smscd):
    daemon = smscd(SCRIPT)
    esme = daemon.bind()
    esme.send("submit_sm", short_message=b"slow")
    daemon.wait_records("slow")
    daemon.signal(signal.SIGTERM)
    esme.expect("unbind")
    with pytest.raises((ConnectionRefusedError, raw.Closed, ConnectionResetError)):
        other = daemon.connect()
        other.send("bind_transceiver", system_id="late")
        assert other.recv().status != raw.ESME_ROK
        raise raw.Closed
    esme.close()


def test_second_sigterm_and_sigint(smscd):
    daemon = smscd(SCRIPT)
    daemon.signal(signal.SIGINT)
    assert daemon.process.wait(20) in (0, 130, -2)


def test_killed_master_takes_everything_along(smscd):
    daemon = smscd(SCRIPT, workers=2)
    esme = daemon.bind()
    daemon.expect_status = -9
    daemon.signal(signal.SIGKILL)
    esme.expect_closed()
    proc.wait_until(lambda: not daemon.leftovers(), what="the end of workers and redis")


def test_worker_that_cannot_start_again(smscd):
    """Backoff, not a storm, when the script breaks between two starts of a worker."""
    daemon = smscd(SCRIPT)
    (pid,) = daemon.worker_pids()
    daemon.write_script("raise RuntimeError('broken meanwhile')\n")
    daemon.signal(signal.SIGKILL, pid)
    daemon.log.wait("broken meanwhile")
    daemon.write_script(SCRIPT)

    def again():
        try:
            with daemon.bind() as other:
                return other.submit(b"who").status == raw.ESME_ROK
        except (OSError, raw.Closed, TimeoutError):
            return False

    proc.wait_until(again, timeout=30, what="a worker with the mended script")
    assert len(daemon.log.find("broken meanwhile")) < 50
