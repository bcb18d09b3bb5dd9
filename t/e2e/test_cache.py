"""siphon.cache: on the embedded Redis and on one that goes away and comes back."""

import pytest
from lib import proc
from lib import smpp_raw as raw
from lib.daemon import OPEN


def run(smscd, body, **kwargs):
    """Runs the body in a handler and returns what it returns."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    daemon = smscd(
        OPEN
        + '\n@smpp.on_pdu("submit_sm")\nasync def submit(pdu, session):\n    record("result", value=await work())\n'
        + "\nasync def work():\n"
        + lines,
        **kwargs,
    )
    with daemon.bind() as esme:
        assert esme.submit().status == raw.ESME_ROK, daemon.log.text()
    return daemon.wait_records("result")[0]["value"]


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ("return await cache.get('missing')", None),
        ("await cache.set('k', 'v')\nreturn await cache.get('k')", "v"),
        ("await cache.set('k', 'v')\nawait cache.set('k', 'w')\nreturn await cache.get('k')", "w"),
        ("await cache.set('k', 'Grüße ☺ \\n\\r\\n')\nreturn await cache.get('k')", "Grüße ☺ \n\r\n"),
        ("await cache.set('with space: and\\n', '')\nreturn await cache.get('with space: and\\n')", ""),
        ("await cache.set('k', 'v' * 100000)\nreturn len(await cache.get('k'))", 100000),
        (
            "await cache.set('k', 'v')\n"
            "return [await cache.delete('k'), await cache.delete('k'), await cache.get('k')]",
            [True, False, None],
        ),
        ("await cache.set('k', 'v', ttl=100)\nreturn await cache.get('k')", "v"),
        ("await cache.set('k', 'v')\nreturn [await cache.exists('k'), await cache.exists('n')]", [True, False]),
        ("return [await cache.incr('n'), await cache.incr('n')]", [1, 2]),
        (
            "await cache.list_push('l', 'a')\nawait cache.list_push('l', 'b')\n"
            "return [await cache.list_len('l'), await cache.list_pop_all('l'), await cache.list_len('l')]",
            [2, ["a", "b"], 0],
        ),
        ("return await asyncio.gather(*(cache.incr('n') for _ in range(100)))", list(range(1, 101))),
    ],
)
def test_commands(smscd, body, value):
    assert run(smscd, body) == value


def test_ttl_and_prefix_in_redis(smscd, redis_server):
    redis = redis_server()
    body = """
await cache.set('k', 'v', ttl=100)
await cache.set('e', 'v')
await cache.expire('e', 50)
await cache.set('for ever', 'v')
"""
    run(smscd, body, redis={"url": redis.url, "prefix": "mine:"})
    client = redis.client()
    names = {k for k in client.keys("*") if k.split(":")[-1] in ("k", "e", "for ever")}
    assert len(names) == 3 and all(k.startswith("mine:") for k in names)
    ttl = {k.split(":")[-1]: client.ttl(k) for k in names}
    assert 0 < ttl["k"] <= 100 and 0 < ttl["e"] <= 50 and ttl["for ever"] == -1


def test_unix_socket_and_password(smscd, redis_server):
    redis = redis_server()
    url = f"unix://{redis.socket}"
    assert run(smscd, "await cache.set('k', 'v')\nreturn await cache.get('k')", redis={"url": url}) == "v"
    secret = redis_server(requirepass="redispw")
    body = "await cache.set('k', 'v')\nreturn await cache.get('k')"
    assert run(smscd, body, redis={"url": f"redis://:redispw@127.0.0.1:{secret.port}"}) == "v"


def test_database_number(smscd, redis_server):
    redis = redis_server()
    run(smscd, "await cache.set('k', 'v')", redis={"url": redis.url + "/3"})
    assert redis.client().dbsize() == 0
    from lib.redis import client

    assert client(port=redis.port, db=3).dbsize() > 0


def test_shared_by_workers(smscd):
    daemon = smscd(
        OPEN
        + """
@smpp.on_pdu("submit_sm")
async def submit(pdu, session):
    record("n", n=await cache.incr("n"))
""",
        workers=2,
    )
    sessions = [daemon.bind() for _ in range(4)]
    for esme in sessions:
        for _ in range(25):
            esme.send("submit_sm")
    for esme in sessions:
        for _ in range(25):
            esme.expect("submit_sm_resp")
    found = daemon.records("n")
    assert sorted(r["n"] for r in found) == list(range(1, 101))
    assert len({r["pid"] for r in found}) == 2


AWAY = (
    OPEN
    + """
@smpp.on_pdu("submit_sm")
async def submit(pdu, session):
    try:
        await cache.set("k", pdu.body.decode())
        return pdu.reply(message_id="ok")
    except cache.CacheError as e:
        return pdu.reply(message_id="CacheError")
"""
)


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_redis_away(smscd, redis_server, how):
    """Killed: an error at once. Stopped: after timeout_ms. Sessions and SMPP go on either way."""
    redis = redis_server()
    daemon = smscd(AWAY, redis={"url": redis.url, "timeout_ms": 200})
    with daemon.bind() as esme:
        assert esme.submit().message_id == "ok"
        if how == "kill":
            redis.kill()
        else:
            redis.process.send_signal(19)
        for _ in range(5):
            esme.send("submit_sm", short_message=b"x")
        esme.enquire()
        assert {esme.expect("submit_sm_resp").message_id for _ in range(5)} == {"CacheError"}
        with daemon.bind("other") as other:
            assert other.submit().message_id == "CacheError"
        if how == "kill":
            redis.start()
        else:
            redis.process.send_signal(18)
        proc.wait_until(lambda: esme.submit().message_id == "ok", what="Redis to be used again")


def test_redis_that_is_not_there_at_the_start(smscd, redis_server):
    redis = redis_server()
    redis.kill()
    daemon = smscd(AWAY, redis={"url": redis.url, "timeout_ms": 200})
    with daemon.bind() as esme:
        assert esme.submit().message_id == "CacheError"
        redis.start()
        proc.wait_until(lambda: esme.submit().message_id == "ok", what="Redis to be used")


def test_eviction_policy_is_warned_of(smscd, redis_server):
    redis = redis_server(**{"maxmemory-policy": "allkeys-lru"})
    daemon = smscd(AWAY, redis={"url": redis.url})
    daemon.log.wait("(warn|error) .*(allkeys-lru|noeviction)")


def test_error_of_redis_is_an_error(smscd):
    body = """
await cache.list_push('l', 'a')
try:
    await cache.incr('l')
except cache.CacheError as e:
    return 'WRONGTYPE' in str(e)
"""
    assert run(smscd, body) is True


@pytest.mark.parametrize("body", ["cache.set(5, 'v')", "cache.get(None)"])
def test_wrong_types(smscd, body):
    assert run(smscd, f"try:\n    await {body}\nexcept TypeError:\n    return 'TypeError'") == "TypeError"


def test_named_form(smscd):
    body = """
await cache.store('routes', 'k', 'v')
return [await cache.fetch('routes', 'k'), await cache.fetch('other', 'k'), cache.has_cache('routes')]
"""
    assert run(smscd, body)[:2] == ["v", None]
