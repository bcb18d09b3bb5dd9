"""The rows of the sessions in Redis: there while a session is bound, gone with it, with its worker, with smscd."""

import signal

import pytest
from lib import proc
from lib.daemon import OPEN
from lib.remote import Remote

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


# -- smpp.sessions(), which reads them ------------------------------------------------------------


LISTED = """
found = await smpp.sessions()
return [[s.session_id, s.system_id, s.node, s.worker] for s in found]
"""


def listed(remote):
    """What a script sees: {session_id: (system_id, node, worker)}."""
    return {row[0]: tuple(row[1:]) for row in remote.run(LISTED.strip()).result()["value"]}


def lists(remote, *system_ids):
    def as_expected():
        found = sorted(row[0] for row in listed(remote).values())
        return found == sorted(system_ids)

    proc.wait_until(as_expected, what=f"the sessions {system_ids} listed")
    return {row[0]: (session_id, *row[1:]) for session_id, row in listed(remote).items()}


def test_sessions_with_redis_away(smscd, upstream, redis_server):
    redis = redis_server()
    remote = Remote(smscd, upstream, redis={"url": redis.url, "timeout_ms": 300})
    lists(remote, "caller")
    redis.kill()
    for arguments in ("", "'caller'"):
        names, text = remote.call(f"smpp.sessions({arguments})").raised()
        assert names[:2] == ["CacheError", "RuntimeError"]
        assert text
    redis.start()

    def back():
        outcome = remote.call("smpp.sessions()").result()
        return "raised" not in outcome and outcome["value"]

    proc.wait_until(back, what="the session listed again")


def test_sessions_of_two_nodes(smscd, upstream, redis_server):
    """Two smscd on one Redis: each has a node name of its own, with nothing to configure."""
    redis = redis_server()
    here = Remote(smscd, upstream, redis={"url": redis.url})
    there = Remote(smscd, upstream, redis={"url": redis.url})
    other = there.daemon.bind("other")
    found = lists(here, "caller", "caller", "other")
    assert listed(there) == listed(here)
    session_id, node, worker = found["other"]
    assert session_id == there.session("other")["id"]
    mine = listed(here)[here.session("caller")["id"]]
    assert (mine[1] != node, worker) == (True, 0)
    assert here.call(f"smpp.deliver_to({session_id!r}, short_message=b'x')").raised()[0][0] == "SessionGone"
    other.enquire()
    assert not other.kept
    there.daemon.stop()
    assert lists(here, "caller")["caller"][1] == mine[1]


def test_sessions_after_a_worker_died(smscd, upstream):
    remote = Remote(smscd, upstream, workers=2)
    there, conn = remote.elsewhere()
    names = [r["system_id"] for r in remote.daemon.records("bound") if r["kind_"] == "esme"]
    gone = [r["system_id"] for r in remote.daemon.records("bound") if r["pid"] == there["pid"] and r["kind_"] == "esme"]
    lists(remote, *names)
    remote.daemon.signal(signal.SIGKILL, there["pid"])
    conn.expect_closed()
    left = lists(remote, *(n for n in names if n not in gone))
    assert "caller" in left and there["system_id"] not in left
    again = remote.daemon.bind("again")
    lists(remote, *left, "again")
    again.close()


def test_sessions_forget_a_node_that_is_gone(smscd, upstream, redis_server):
    """One that was killed has no time to take its rows away: they expire, and whoever lists cleans the index."""
    redis = redis_server()
    remote = Remote(smscd, upstream, redis={"url": redis.url})
    lists(remote, "caller")
    client = redis.client()
    index = "siphon:sessions"
    before = client.smembers(index)
    client.sadd(index, "siphon:sessions:0badc0de:0")
    lists(remote, "caller")
    proc.wait_until(lambda: client.smembers(index) == before, what="the index without the node that is gone")
