"""Sends and Redis commands that handlers await while a peer goes: none waits for ever, nothing is forgotten."""

import signal

import pytest
from lib import proc
from lib import smpp_raw as raw
from lib.scripted import CANCEL, FIRST, VICTIM, Scripted


@pytest.fixture(scope="module")
def module(shared_smscd, shared_upstream):
    return Scripted(shared_smscd, shared_upstream)


@pytest.fixture
def it(module):
    yield module
    module.idle()
    module.up.enquire()
    module.up.kept.clear()
    module.esme.kept.clear()


# -- what goes away meanwhile ----------------------------------------------------------


def test_upstream_goes(smscd, upstream):
    it = Scripted(smscd, upstream)
    code = "try:\n    await {}via(bind='manual'{})\nexcept smpp.SmppError as e:\n    return type(e).__name__"
    seqs = [it.start(first + "\n" + code.format("", "")) for first in FIRST.values()]
    seqs += [it.start(code.format("asyncio.wait_for(", ", timeout=9), 9"))]
    for _ in seqs:
        it.sent()
    it.up.reset()
    assert {it.end(seq) for seq in seqs} == {"ResponseTimeout"}


def test_application_goes(smscd, upstream):
    it = Scripted(smscd, upstream)
    other = it.daemon.bind("other")
    it.daemon.wait_records("bound", 4)
    found = "to = next(s.session_id for s in await smpp.sessions('other'))\n"
    code = found + "try:\n    await smpp.deliver_to(to)\nexcept smpp.SmppError as e:\n    return type(e).__name__"
    deliver = it.start(code)
    other.expect("deliver_sm")
    for _ in range(5):
        other.send("submit_sm", short_message=b"await via(bind='manual')\nrecord('went on')")
    sent = [it.sent() for _ in range(5)]
    other.reset()
    assert it.end(deliver) in ("ResponseTimeout", "SessionGone")
    for pdu in sent:
        it.up.answer(pdu)
    it.daemon.wait_records("went on", 5)
    it.idle()


@pytest.mark.parametrize("how", ["answered", "away"])
def test_redis_goes(smscd, upstream, redis_server, how):
    redis = redis_server()
    it = Scripted(smscd, upstream, redis={"url": redis.url, "timeout_ms": 5000})
    redis.process.send_signal(signal.SIGSTOP)
    code = "try:\n    return await {}cache.get('k'){}\nexcept cache.CacheError:\n    return 'CacheError'"
    seqs = [it.start(code.format("", "")) for _ in range(5)]
    seqs += [it.start(code.format("asyncio.wait_for(", ", 60)"))]
    seqs += [it.start(code.format("asyncio.shield(asyncio.create_task(", "))"))]
    it.idle()
    if how == "away":
        redis.kill()
    else:
        redis.process.send_signal(signal.SIGCONT)
    assert {it.end(seq) for seq in seqs} == {"CacheError" if how == "away" else "None"}


def test_reload(it):
    seqs = [it.start(f"{first}\nreturn (await via(bind='manual')).message_id") for first in FIRST.values()]
    sent = [it.sent() for _ in seqs]
    it.daemon.reload()
    for pdu in sent:
        it.up.answer(pdu, message_id="after")
    assert {it.end(seq) for seq in seqs} == {"after"}


def test_drain(smscd, upstream):
    it = Scripted(smscd, upstream, drain_timeout_ms=10000)
    seqs = [it.start(f"{first}\nreturn (await via(bind='manual')).message_id") for first in FIRST.values()]
    sent = [it.sent() for _ in seqs]
    it.daemon.process.terminate()
    it.daemon.log.wait("draining")
    for pdu in sent:
        it.up.answer(pdu, message_id="drained")
    assert {it.end(seq) for seq in seqs} == {"drained"}


def test_drain_that_is_over(smscd, upstream):
    it = Scripted(smscd, upstream, drain_timeout_ms=200)
    end = "record('end')\n    await cache.get('k')\n    record('end')"
    code = "{}\ntry:\n    await via(bind='manual')\nfinally:\n    " + end
    for first in FIRST.values():
        it.start(code.format(first))
        it.sent()
    it.daemon.stop()
    assert len(it.daemon.records("end")) == 2 * len(FIRST)


def test_handler_timeout(smscd, upstream):
    it = Scripted(smscd, upstream, handler_timeout_ms=300)
    code = "{}\ntry:\n    await via(bind='manual')\nfinally:\n    await via()\n    record('late')"
    seqs = [it.start(code.format(first)) for first in FIRST.values()]
    sent = [it.sent() for _ in seqs]
    assert {it.end(seq) for seq in seqs} == {raw.ESME_RSYSERR}
    it.daemon.wait_records("late", len(FIRST))
    for pdu in sent:
        it.up.answer(pdu)
    it.idle()


@pytest.mark.parametrize("first", FIRST)
def test_loop_stopped(smscd, upstream, first):
    it = Scripted(smscd, upstream)
    assert it.run(f"{FIRST[first]}\nasyncio.get_running_loop().stop()\nreturn 1") == "1"
    it.daemon.log.wait("the script has stopped the loop; it goes on")
    assert it.run("return (await via('on')).message_id") == "id-on"


# -- what an upstream has accepted is remembered -----------------------------------------------


@pytest.fixture
def slow(smscd, upstream, redis_server):
    """A gateway whose Redis stands still and goes on as the test says."""
    redis = redis_server()
    it = Scripted(smscd, upstream, redis={"url": redis.url, "timeout_ms": 2000})
    it.redis = redis
    return it


def pause(it):
    it.redis.process.send_signal(signal.SIGSTOP)


def go_on(it):
    it.redis.process.send_signal(signal.SIGCONT)


def knows(it, upstream_id):
    """The message is in Redis with its context."""
    key = f"siphon:receipt:manual:{upstream_id}"
    return proc.wait_until(lambda: '"c"' in (it.redis.client().get(key) or ""), what=f"{upstream_id} remembered")


# How the handler that sends goes on before Redis has answered.
LEAVES = {
    "cancelled": "later(0.2, me().cancel)\ntry:\n    await {}\nexcept asyncio.CancelledError:\n"
    "    me().uncancel()\n    return 'left'",
    "timeout": "try:\n    async with asyncio.timeout(0.2):\n        await {}\nexcept TimeoutError:\n    return 'left'",
    "wait_for": "try:\n    await asyncio.wait_for({}, 0.2)\nexcept TimeoutError:\n    return 'left'",
    "a task": "task = asyncio.create_task({})\nawait asyncio.wait([task], timeout=0.2)\ntask.cancel()\n"
    "await asyncio.wait([task])\nreturn 'left'",
    "closed": "coro = {}\nwait = coro.send(None)\nawait asyncio.sleep(0.2)\ncoro.close()\nreturn 'left'",
}


@pytest.mark.parametrize("known", ["new", "early receipt", "the id was used before", "Redis gone"])
@pytest.mark.parametrize("leave", LEAVES)
def test_cancelled_between_the_answer_and_redis(slow, leave, known):
    if known == "early receipt":
        assert slow.receipt("up-1") == raw.ESME_ROK
    elif known == "the id was used before":
        slow.redis.client().set("siphon:receipt:manual:up-1", '{"c":{"text":"older"}}')
    pause(slow)
    seq = slow.start(LEAVES[leave].format("kept('mine')"))
    slow.up.answer(slow.sent(), message_id="up-1")
    assert slow.end(seq) == "left"
    if known == "Redis gone":
        slow.redis.kill()
        slow.redis.start()
    else:
        go_on(slow)
    if known != "early receipt":
        knows(slow, "up-1")
        proc.wait_until(lambda: "mine" in slow.redis.client().get("siphon:receipt:manual:up-1"), what="the newer one")
        assert slow.receipt("up-1") == raw.ESME_ROK
    slow.daemon.wait_records("receipt", 1)
    assert slow.remembered("mine")


@pytest.mark.parametrize("leave", LEAVES)
def test_cancelled_before_the_answer(it, leave):
    """The upstream accepts what nobody waits for any longer."""
    name = leave.replace(" ", "-")
    seq = it.start(LEAVES[leave].format(f"kept({name!r})"))
    sent = it.sent()
    assert it.end(seq) == "left"
    it.up.answer(sent, message_id=f"before-{name}")
    proc.wait_until(lambda: it.receipt(f"before-{name}") == raw.ESME_ROK and it.remembered(name), what="the receipt")


def test_cancelled_when_redis_has_answered(it):
    """Both answers of Redis come at once, and the first handler cancels the other; an early receipt waits for that."""
    assert it.receipt("both-2") == raw.ESME_ROK
    for n in range(20):
        killer = it.start(f"await kept('k{n}')\n{CANCEL}")
        first = it.sent()
        victim = it.start(
            "await cache.get('k')\n" + VICTIM.format(f"kept('v{n}')", "me().uncancel()\n    return 'cancelled'")
        )
        second = it.sent()
        if n:
            assert it.receipt(f"both-v{n}") == raw.ESME_ROK  # early
        answers = [(first, f"both-k{n}"), (second, f"both-v{n}")]
        it.up.write(b"".join(raw.encode("submit_sm_resp", pdu.seq, message_id=id_) for pdu, id_ in answers))
        assert it.end(killer) == "True"
        assert it.end(victim) == "cancelled"
    proc.wait_until(lambda: all(it.remembered(f"v{n}") for n in range(1, 20)), what="19 early receipts")


def test_handler_timeout_between_the_answer_and_redis(smscd, upstream, redis_server):
    redis = redis_server()
    it = Scripted(smscd, upstream, redis={"url": redis.url}, handler_timeout_ms=300)
    it.redis = redis
    pause(it)
    seq = it.start("await kept('mine')")
    it.up.answer(it.sent(), message_id="up-1")
    assert it.end(seq) == raw.ESME_RSYSERR
    go_on(it)
    knows(it, "up-1")


def test_drain_between_the_answer_and_redis(slow):
    """The command is with Redis already when the worker ends."""
    pause(slow)
    slow.start("await kept('mine')")
    slow.up.answer(slow.sent(), message_id="up-1")
    slow.idle()
    slow.daemon.process.terminate()
    slow.daemon.log.wait("draining")
    go_on(slow)
    knows(slow, "up-1")


def test_upstream_goes_between_the_answer_and_redis(slow):
    pause(slow)
    seq = slow.start("return (await kept('mine')).message_id")
    slow.up.answer(slow.sent(), message_id="up-1")
    slow.idle()
    slow.up.reset()
    slow.daemon.log.wait("bind manual: down")
    go_on(slow)
    assert slow.end(seq) == "up-1"
    knows(slow, "up-1")


def test_late_answers_and_an_upstream_that_goes(it):
    """Timed out, cancelled; one is answered late, the other never."""
    timed = it.start("try:\n    await kept('late', timeout=0.05)\nexcept smpp.ResponseTimeout:\n    return 'timeout'")
    sent = it.sent()
    assert it.end(timed) == "timeout"
    cancelled = it.start(VICTIM.format("kept('never')", "me().uncancel()\n    return 'cancelled'"))
    it.sent()
    it.run(CANCEL)
    assert it.end(cancelled) == "cancelled"
    it.up.answer(sent, message_id="late-1")
    proc.wait_until(lambda: it.receipt("late-1") == raw.ESME_ROK and it.remembered("late"), what="the receipt")
