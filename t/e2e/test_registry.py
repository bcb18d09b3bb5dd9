"""The rows of the sessions in Redis: there while a session is bound, gone with it, with its worker, with smscd."""

import signal

import pytest
from lib import proc
from lib.daemon import OPEN

SCRIPT = (
    OPEN
    + """
@smpp.on_session("bound")
async def bound(session):
    record("bound", system_id=session.system_id, id=session.session_id, worker=session.worker)

@smpp.on_pdu("submit_sm")
async def submit(pdu, session):
    return pdu.reply(message_id=str(os.getpid()))
"""
)


def dump(redis):
    """Everything that is in Redis, as one text."""
    client, found = redis.client(), []
    for key in client.keys("*"):
        kind = client.type(key)
        value = {
            "string": client.get,
            "hash": client.hgetall,
            "set": client.smembers,
            "list": lambda k: client.lrange(k, 0, -1),
            "zset": lambda k: client.zrange(k, 0, -1, withscores=True),
        }.get(kind, lambda k: "")(key)
        found.append(f"{key} = {value}")
    return "\n".join(found)


@pytest.fixture
def registered(smscd, redis_server):
    redis = redis_server()
    return redis, smscd(SCRIPT, workers=2, redis={"url": redis.url, "timeout_ms": 300})


def session_ids(daemon, count):
    return [r["id"] for r in daemon.wait_records("bound", count)]


def shows(redis, session_id, there=True):
    proc.wait_until(
        lambda: (session_id in dump(redis)) is there, what=f"{session_id} {'in' if there else 'out of'} {dump(redis)}"
    )


def test_rows_come_and_go(registered):
    redis, daemon = registered
    first, second = daemon.bind("esme1"), daemon.bind("esme2")
    ids = session_ids(daemon, 2)
    for one in ids:
        shows(redis, one)
    assert "esme1" in dump(redis) and "esme2" in dump(redis)
    first.call("unbind")
    shows(redis, ids[0], there=False)
    shows(redis, ids[1])
    second.reset()
    shows(redis, ids[1], there=False)


def test_refused_bind_leaves_no_row(registered):
    redis, daemon = registered
    with daemon.connect() as esme:
        esme.write(b"\0" * 16)
        esme.expect_closed()
    after = daemon.bind("after")
    shows(redis, session_ids(daemon, 1)[0])
    after.close()


def test_rows_of_a_dead_worker(registered):
    redis, daemon = registered
    sessions = [daemon.bind(f"e{n}") for n in range(4)]
    ids = session_ids(daemon, 4)
    for one in ids:
        shows(redis, one)
    pids = [int(esme.submit().message_id) for esme in sessions]
    by_id = {r["id"]: r["pid"] for r in daemon.records("bound")}
    daemon.signal(signal.SIGKILL, pids[0])
    for one in ids:
        shows(redis, one, there=by_id[one] != pids[0])


def test_rows_come_back_with_redis(registered):
    redis, daemon = registered
    esme = daemon.bind()
    (one,) = session_ids(daemon, 1)
    shows(redis, one)
    redis.kill()
    gone = daemon.bind("leaves")
    ids = session_ids(daemon, 2)
    gone.reset()
    redis.start()  # empty
    shows(redis, one)
    shows(redis, ids[1], there=False)
    assert esme.submit().status == 0


def test_nothing_left_at_the_end(registered):
    redis, daemon = registered
    esme = daemon.bind()
    (one,) = session_ids(daemon, 1)
    shows(redis, one)
    assert daemon.stop() == 0
    shows(redis, one, there=False)
    esme.close()
