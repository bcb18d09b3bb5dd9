"""Time that the test moves, with and without a loop of the test's own."""

import asyncio
import contextvars
import socket
import threading
import time

import pytest
from siphon import cache, receipts, smpp
from siphon_sdk.smpp_testing import SmppTestHarness, Stuck

SLEEPER = """
import asyncio, time
from siphon import smpp

@smpp.on_pdu("submit_sm")
async def on_submit(pdu, session):
    began = time.time()
    await asyncio.sleep(float(pdu.short_message))
    return pdu.reply(message_id=f"{time.time() - began:.0f}")
"""


def submit(harness, body=b"x"):
    return harness.submit_sm(source_addr="1", destination_addr="2", short_message=body)


def test_a_handler_that_sleeps_takes_no_real_time(smpp_harness):
    smpp_harness.load_source(SLEEPER)
    began = time.monotonic()
    assert submit(smpp_harness, b"20").message_id == "20"
    assert time.monotonic() - began < 20


def test_a_handler_that_overruns(smpp_harness):
    smpp_harness.load_source(SLEEPER)
    with pytest.raises(TimeoutError):
        submit(smpp_harness, b"26")
    with SmppTestHarness({"handler_timeout_ms": 1000}, raise_errors=False) as harness:
        harness.load_source(SLEEPER)
        before = harness.time
        assert submit(harness, b"2").command_status == "ESME_RSYSERR"
        assert harness.time - before == pytest.approx(1)
        assert harness.counters["handler_errors"] == 1


def test_time_stands_still_otherwise(smpp_harness):
    smpp_harness.load_source("""
import asyncio
from siphon import log, smpp

async def background():
    await asyncio.sleep(1)
    log.info("later")

@smpp.on_pdu("submit_sm")
async def on_submit(pdu, session):
    smpp.task = asyncio.create_task(background())
    await asyncio.sleep(0)
    return pdu.reply()
""")
    assert submit(smpp_harness).ok
    assert smpp_harness.log.messages == []
    smpp_harness.advance(0.5)
    assert smpp_harness.log.messages == []
    smpp_harness.advance(0.5)
    assert smpp_harness.log.messages == [("info", "later")]


def test_advance_goes_through_every_timer(smpp_harness):
    smpp_harness.load_source("""
import asyncio
from siphon import log, smpp

@smpp.on_session("bound")
async def bound(session):
    asyncio.current_task().get_loop().call_later(10, log.info, "one")
    asyncio.current_task().get_loop().call_later(20, log.info, "two")
""")
    smpp_harness.session_event("bound")
    smpp_harness.advance(15)
    assert smpp_harness.log.messages == [("info", "one")]
    smpp_harness.advance(100_000)
    assert smpp_harness.log.messages == [("info", "one"), ("info", "two")]


def test_a_ttl(smpp_harness):
    async def script():
        await cache.set("k", "v", ttl=60)

    smpp_harness.run(script())
    smpp_harness.advance(59)
    assert smpp_harness.run(cache.get("k")) == "v"
    smpp_harness.advance(2)
    assert smpp_harness.run(cache.get("k")) is None


def test_timeouts_of_asyncio(smpp_harness):
    async def script():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(300):
                await asyncio.sleep(1000)
        return asyncio.get_running_loop().time()

    began = time.monotonic()
    smpp_harness.run(script())
    assert time.monotonic() - began < 300


def test_threads_take_no_time_of_the_test(smpp_harness):
    async def script():
        async with asyncio.timeout(0.001):
            return await asyncio.to_thread(lambda: time.sleep(0.05) or "done")

    assert smpp_harness.run(script()) == "done"


def test_sockets_work(smpp_harness):
    async def script():
        async def echo(reader, writer):
            writer.write(await reader.readline())
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"hello\n")
        line = await reader.readline()
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()
        return line

    assert smpp_harness.run(script()) == b"hello\n"


def test_waiting_for_what_never_happens(smpp_harness):
    async def script():
        await asyncio.get_running_loop().create_future()

    with pytest.raises(Stuck, match="never happen"):
        smpp_harness.run(script())


def test_a_handler_that_spins(smpp_harness):
    smpp_harness.load_source("""
import asyncio
from siphon import smpp

@smpp.on_pdu("submit_sm")
async def on_submit(pdu, session):
    while True:
        await asyncio.sleep(0)
""")
    with pytest.raises(Stuck, match="without waiting"):
        submit(smpp_harness)


async def test_within_a_running_loop(smpp_harness):
    """With pytest-asyncio the test is a task of another loop, which goes on undisturbed."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    smpp_harness.load_script("examples/gateway.py")
    assert smpp_harness.bind("esme1", password="s3cret")
    smpp_harness.load_source(SLEEPER)
    assert submit(smpp_harness, b"20").ok
    smpp_harness.advance(100)
    assert asyncio.current_task() is task and asyncio.get_running_loop() is loop
    async with asyncio.timeout(5):
        await asyncio.sleep(0.001)
    await asyncio.to_thread(lambda: None)


async def test_an_error_within_a_running_loop(smpp_harness):
    smpp_harness.load_source(SLEEPER)
    task = asyncio.current_task()
    with pytest.raises(ValueError):
        submit(smpp_harness, b"no number")
    assert asyncio.current_task() is task


def test_context_variables_of_the_test_are_not_the_handlers(smpp_harness):
    variable = contextvars.ContextVar("variable", default="none")
    variable.set("the test's")
    seen = []

    @smpp.on_pdu("submit_sm")
    async def on_submit(pdu, session):
        seen.append(variable.get())
        variable.set("the handler's")

    submit(smpp_harness)
    submit(smpp_harness)
    assert seen == ["none", "none"]
    assert variable.get() == "the test's"


def test_the_clock_is_the_real_one_between_events(smpp_harness):
    real = time.time
    smpp_harness.advance(1e6)
    assert time.time is real
    assert smpp_harness.time - time.time() > 9e5


def test_every_clock_of_a_script(smpp_harness):
    async def script():
        clocks = (time.time, lambda: time.time_ns() / 1e9, time.monotonic, lambda: time.monotonic_ns() / 1e9)
        before = [clock() for clock in clocks]
        await asyncio.sleep(3600)
        return [clock() - since for clock, since in zip(clocks, before)]

    assert smpp_harness.run(script()) == pytest.approx([3600] * 4)


def test_a_socket_is_waited_for_before_time_jumps(smpp_harness):
    """An answer that takes a little real time is no timeout in the test's."""

    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)

        async def script():
            threading.Timer(0.02, theirs.send, (b"hello",)).start()
            async with asyncio.timeout(5):
                return await asyncio.get_running_loop().sock_recv(ours, 100)

        assert smpp_harness.run(script()) == b"hello"


def test_receipts_that_come_first_are_handed_out_later(smpp_harness):
    smpp_harness.load_script("examples/gateway.py")
    smpp_harness.answer("deliver_to", "no_session", times=1)
    assert smpp_harness.deliver_sm(esm_class=4, short_message=b"id:msg-1 stat:DELIVRD err:000").ok
    assert smpp_harness.sent == []
    assert submit(smpp_harness).ok
    assert [helper for helper, _ in smpp_harness.sent] == ["submit_via", "deliver_to"]  # refused, and tried again later
    smpp_harness.advance(5)
    assert [helper for helper, _ in smpp_harness.sent] == ["deliver_to"]
    smpp_harness.advance(3600)
    assert smpp_harness.sent == []
    assert smpp_harness.deliver_sm(esm_class=4, short_message=b"id:msg-1 stat:DELIVRD err:000").ok
    assert smpp_harness.counters["receipts_duplicate"] == 1


def test_a_receipt_waits_no_longer_than_its_ttl(smpp_harness):
    handed = []

    async def on_receipt(receipt):
        handed.append(receipt.message_id)

    smpp_harness.load_source("""
from siphon import receipts, smpp

@smpp.on_pdu("deliver_sm")
async def on_deliver(pdu, session):
    return await receipts.route(pdu, session, ttl=60)
""")
    receipts.on_receipt(on_receipt)
    smpp_harness.deliver_sm(esm_class=4, short_message=b"id:1 stat:DELIVRD")
    smpp_harness.advance(61)
    smpp_harness.run(receipts.remember("carrier", "1", {}))
    smpp_harness.deliver_sm(esm_class=4, short_message=b"id:1 stat:DELIVRD")
    assert handed == ["1"]
