"""The Redis that smscd brings along: on a socket in run_dir, its data in state_dir, supervised."""

import os
import signal
from pathlib import Path

from lib import proc
from lib.daemon import OPEN
from lib.redis import client
from test_cache import AWAY


def test_where_it_lies(smscd):
    daemon = smscd(AWAY)
    (pid,) = daemon.redis_pids()
    with daemon.bind() as esme:
        assert esme.submit().message_id == "ok"
    sockets = [p for p in (daemon.dir / "run").iterdir() if p.is_socket() and "redis" in p.name]
    assert len(sockets) == 1
    assert client(unix_socket_path=str(sockets[0])).ping()
    assert (daemon.dir / "state").is_dir()
    assert os.stat(sockets[0]).st_mode & 0o007 == 0, "not for everybody"
    listening = [t for t in proc.descriptors(pid).values() if t.startswith("socket:")]
    assert client(unix_socket_path=str(sockets[0])).config_get("port")["port"] == "0", listening
    assert client(unix_socket_path=str(sockets[0])).config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"


def test_killed_and_back(smscd):
    daemon = smscd(AWAY)
    with daemon.bind() as esme:
        assert esme.submit().message_id == "ok"
        (pid,) = daemon.redis_pids()
        daemon.signal(signal.SIGKILL, pid)
        proc.wait_until(lambda: daemon.redis_pids() and daemon.redis_pids() != [pid], what="another redis-server")
        proc.wait_until(lambda: esme.submit().message_id == "ok", what="the cache")


def test_data_outlives_smscd(smscd):
    script = (
        OPEN
        + """
@smpp.on_pdu("submit_sm")
async def submit(pdu, session):
    before = await cache.get("k")
    await cache.set("k", pdu.body.decode())
    return pdu.reply(message_id=f"before-{before}")
"""
    )
    daemon = smscd(script)
    with daemon.bind() as esme:
        assert esme.submit(b"first").message_id == "before-None"
    assert daemon.stop() == 0
    daemon.start()
    with daemon.bind() as esme:
        assert esme.submit(b"second").message_id == "before-first"


def test_data_outlives_a_kill(smscd):
    """What Redis has written out is there when it was killed. It holds writes back for up to two seconds while the disk
    is busy with the last fsync (appendfsync everysec), so the kill waits until it holds none."""
    script = (
        OPEN
        + """
@smpp.on_pdu("submit_sm")
async def submit(pdu, session):
    try:
        return pdu.reply(message_id=str(await cache.incr("n")))
    except cache.CacheError:
        return pdu.reply(message_id="CacheError")
"""
    )
    daemon = smscd(script)
    with daemon.bind() as esme:
        for n in range(1, 51):
            assert esme.submit().message_id == str(n)
        (pid,) = daemon.redis_pids()
        (socket,) = Path(daemon.dir).rglob("redis.sock")
        redis = client(unix_socket_path=str(socket))
        proc.wait_until(lambda: redis.info("persistence")["aof_buffer_length"] == 0, what="all to be written")
        redis.close()
        daemon.signal(signal.SIGKILL, pid)
        found = proc.wait_until(lambda: (m := esme.submit().message_id) != "CacheError" and m, what="the cache")
        assert found == "51"


def test_ends_with_smscd(smscd):
    daemon = smscd(AWAY)
    (pid,) = daemon.redis_pids()
    assert daemon.stop() == 0
    proc.wait_until(lambda: not proc.alive(pid), what="the end of redis-server")


def test_none_when_one_is_configured(smscd, redis_server):
    daemon = smscd(AWAY, redis={"url": redis_server().url})
    assert daemon.redis_pids() == []
