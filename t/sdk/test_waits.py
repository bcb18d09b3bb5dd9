"""Handlers that await sends and the cache, in a harness: whatever they do, the next call finds nothing of them."""

import gc

import pytest
from siphon_sdk.smpp_testing import SmppTestHarness, Stuck

SCRIPT = """
import asyncio
from siphon import cache, receipts, smpp

shared = {}

@smpp.on_pdu("submit_sm")
async def on_submit(pdu, session):
    space = {}
    lines = "".join(f"    {line}\\n" for line in pdu.body.decode().split("\\n"))
    exec("async def run(pdu, session):\\n" + lines, globals(), space)
    return pdu.reply(message_id=str(await space["run"](pdu, session))[:64])

@receipts.on_receipt
async def on_receipt(receipt):
    shared.setdefault("receipts", []).append(receipt.context)

@smpp.on_pdu("deliver_sm")
async def on_deliver(pdu, session):
    return await receipts.route(pdu, session)
"""
SEND = "smpp.submit_via('carrier', short_message='x')"
REMEMBER = "receipts.submit_via(bind='carrier', context={'n': 1}, short_message='x')"


@pytest.fixture
def harness(smpp_harness):
    smpp_harness.load_source(SCRIPT)
    return smpp_harness


def run(harness, code):
    return harness.submit_sm(tlvs={"message_payload": code.encode()}).message_id


WORKS = {
    "three": (f"return ' '.join([(await {SEND}).message_id for _ in range(3)])", "msg-1 msg-2 msg-3"),
    "mix": (
        f"await cache.set('k', 'v')\nawait asyncio.sleep(1)\nawait {SEND}\nawait asyncio.sleep(0)\n"
        "return await cache.get('k')",
        "v",
    ),
    "timeout": (
        f"try:\n    async with asyncio.timeout(3):\n        await asyncio.sleep(2)\n        await {SEND}\n"
        "        await asyncio.sleep(2)\nexcept TimeoutError:\n    return asyncio.current_task().cancelling()",
        "0",
    ),
    "gather": (f"return [r.ok for r in await asyncio.gather({SEND}, {SEND})]", "[True, True]"),
    "current task": (
        f"task = asyncio.current_task()\nawait {SEND}\nawait cache.get('k')\nreturn task is asyncio.current_task()",
        "True",
    ),
    "the same future": (
        "loop = asyncio.get_running_loop()\nf = loop.create_future()\nloop.call_later(1, f.set_result, 7)\n"
        f"async def one():\n    await {SEND}\n    return await f\n"
        "return await asyncio.gather(one(), one(), one())",
        "[7, 7, 7]",
    ),
}


@pytest.mark.parametrize("work", WORKS)
def test_in_a_handler(harness, work):
    code, expected = WORKS[work]
    assert run(harness, code) == expected


@pytest.mark.parametrize("away", [False, True])
@pytest.mark.parametrize("send", [SEND, REMEMBER])
def test_cancelled_before_the_answer(harness, send, away):
    harness.redis_away = away
    harness.answer("submit_via", after=5)
    code = f"try:\n    await asyncio.wait_for({send}, 1)\nexcept TimeoutError:\n    return 'left'"
    assert run(harness, code) == "left"
    harness.advance(10)
    assert run(harness, "return 'next'") == "next"


def test_cancelled_and_accepted_is_remembered(harness):
    harness.answer("submit_via", after=5)
    assert run(harness, f"try:\n    await asyncio.wait_for({REMEMBER}, 1)\nexcept TimeoutError:\n    return 1") == "1"
    harness.advance(10)
    receipt = b"id:msg-1 sub:001 dlvrd:001 submit date:2601010000 done date:2601010001 stat:DELIVRD err:000"
    assert harness.deliver_sm(esm_class=4, short_message=receipt).ok
    assert run(harness, "return shared['receipts']") == "[{'n': 1}]"


def test_accepted_while_redis_is_away_is_remembered(harness):
    harness.redis_away = True
    assert run(harness, f"return (await {REMEMBER}).message_id") == "msg-1"
    harness.redis_away = False
    harness.advance(10)
    receipt = b"id:msg-1 sub:001 dlvrd:001 submit date:2601010000 done date:2601010001 stat:DELIVRD err:000"
    assert harness.deliver_sm(esm_class=4, short_message=receipt).ok
    assert run(harness, "return shared['receipts']") == "[{'n': 1}]"


@pytest.mark.parametrize(
    "code",
    [
        f"shared['t'] = asyncio.create_task({SEND})\nreturn 1",
        f"shared['t'] = asyncio.create_task({REMEMBER})\nreturn 1",
        f"shared['c'] = {SEND}\nshared['c'].send(None)\nreturn 1",
        f"async def kept():\n    try:\n        await {SEND}\n    finally:\n        await cache.get('k')\n"
        "shared['t'] = asyncio.create_task(kept())\nreturn 1",
    ],
)
def test_closed_while_something_waits(code):
    """What is open when a harness ends is no harm to the next one."""
    for _ in range(3):
        with SmppTestHarness() as one:
            one.load_source(SCRIPT)
            one.answer("submit_via", after=20)
            assert run(one, code) == "1"
        gc.collect()
        with SmppTestHarness() as next_one:
            next_one.load_source(SCRIPT)
            assert run(next_one, f"await cache.get('k')\nreturn (await {SEND}).message_id") == "msg-1"


def test_stuck_while_something_waits():
    with SmppTestHarness() as one:
        one.load_source(SCRIPT)
        with pytest.raises((Stuck, TimeoutError)):
            run(one, f"await {SEND}\nawait asyncio.Event().wait()")
    with SmppTestHarness() as next_one:
        next_one.load_source(SCRIPT)
        assert run(next_one, f"await cache.get('k')\nreturn (await {SEND}).message_id") == "msg-1"


@pytest.mark.parametrize("raised", ["KeyError", "KeyboardInterrupt", "SystemExit", "asyncio.CancelledError"])
def test_raised_after_an_await(raised):
    with SmppTestHarness(raise_errors=False) as one:
        one.load_source(SCRIPT)
        reply = one.submit_sm(tlvs={"message_payload": f"await {SEND}\nraise {raised}".encode()})
        assert reply.command_status == "ESME_RSYSERR"
        assert run(one, f"return (await {SEND}).ok") == "True"
