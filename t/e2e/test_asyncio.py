"""asyncio inside handlers: as under asyncio.run, whether the handler suspends first or not."""

import sys

import pytest
from lib import smpp_raw as raw
from lib.daemon import OPEN

PRELUDE = (
    OPEN
    + """
import asyncio, contextvars, sys
var = contextvars.ContextVar("var", default="unset")

@smpp.on_pdu("submit_sm")
async def submit(pdu, session):
    if pdu.body.startswith(b"late"):
        await asyncio.sleep(0)
    result = await work(pdu, session)
    return pdu.reply(message_id=str(result))
"""
)

# What `work` is, and what it comes to. Each runs in a handler that has suspended before and in one that has not.
WORKS = {
    "nothing": ("return 1", "1"),
    "sleep zero": ("await asyncio.sleep(0)\nreturn 1", "1"),
    "sleep": ("return await asyncio.sleep(0.01, 'slept')", "slept"),
    "current task": (
        "task = asyncio.current_task()\n"
        "await asyncio.sleep(0)\n"
        "return isinstance(task, asyncio.Task) and task is asyncio.current_task() and task in asyncio.all_tasks()",
        "True",
    ),
    "running loop": ("return asyncio.get_running_loop() is asyncio.get_event_loop()", "True"),
    "timeout that ends": (
        "try:\n    async with asyncio.timeout(0.01):\n        await asyncio.sleep(3600)\n"
        "except TimeoutError:\n    return f'timeout {asyncio.current_task().cancelling()}'",
        "timeout 0",
    ),
    "timeout that does not end": (
        "async with asyncio.timeout(10):\n    pass\n"
        "async with asyncio.timeout(10):\n    await asyncio.sleep(0)\nreturn 1",
        "1",
    ),
    "timeout of zero": (
        "try:\n    async with asyncio.timeout(0):\n        await asyncio.sleep(0)\n        await asyncio.sleep(0)\n"
        "        await asyncio.sleep(3600)\nexcept TimeoutError:\n    return 'timeout'",
        "timeout",
    ),
    "wait_for": (
        "try:\n    await asyncio.wait_for(asyncio.Event().wait(), 0.01)\n"
        "except asyncio.TimeoutError:\n    return 'timeout'",
        "timeout",
    ),
    "wait_for that is ready": (
        "async def ready():\n    return 'r'\nreturn await asyncio.wait_for(ready(), 10)",
        "r",
    ),
    "create_task": (
        "async def child():\n    await asyncio.sleep(0)\n    return 'child'\nreturn await asyncio.create_task(child())",
        "child",
    ),
    "gather": (
        "async def child(n):\n    await asyncio.sleep(0.001 * n)\n    return n\n"
        "return sum(await asyncio.gather(*(child(n) for n in range(10))))",
        "45",
    ),
    "TaskGroup": (
        "async def child(n):\n    await asyncio.sleep(0)\n    return n\n"
        "async with asyncio.TaskGroup() as group:\n    tasks = [group.create_task(child(n)) for n in range(4)]\n"
        "return sum(t.result() for t in tasks)",
        "6",
    ),
    "TaskGroup that fails": (
        "async def bad():\n    raise KeyError('bad')\nasync def other():\n    await asyncio.sleep(3600)\n"
        "try:\n    async with asyncio.TaskGroup() as group:\n        group.create_task(other())\n"
        "        group.create_task(bad())\n"
        "except* KeyError:\n    pass\nreturn 'failed'",
        "failed",
    ),
    "to_thread": (
        "import threading\nme = threading.get_ident()\nreturn await asyncio.to_thread(threading.get_ident) != me",
        "True",
    ),
    "context into a thread": ("var.set('seen')\nreturn await asyncio.to_thread(var.get)", "seen"),
    "executor": ("return await asyncio.get_running_loop().run_in_executor(None, sum, [1, 2])", "3"),
    "call_later": (
        "done = asyncio.get_running_loop().create_future()\n"
        "asyncio.get_running_loop().call_later(0.01, done.set_result, 'called')\nreturn await done",
        "called",
    ),
    "call_soon_threadsafe": (
        "import threading\nloop = asyncio.get_running_loop()\ndone = loop.create_future()\n"
        "threading.Timer(0.01, lambda: loop.call_soon_threadsafe(done.set_result, 'woken')).start()\nreturn await done",
        "woken",
    ),
    "subprocess": (
        "p = await asyncio.create_subprocess_exec('sh', '-c', 'echo out; exit 3', stdout=asyncio.subprocess.PIPE)\n"
        "out, _ = await p.communicate()\nreturn f'{out.decode().strip()} {p.returncode}'",
        "out 3",
    ),
    "blocking subprocess": (
        "import subprocess\nreturn subprocess.run(['sh', '-c', 'exit 4']).returncode",
        "4",
    ),
    "streams": (
        "async def serve(reader, writer):\n    writer.write((await reader.readline()).upper())\n"
        "    await writer.drain()\n"
        "    writer.close()\n"
        "server = await asyncio.start_server(serve, '127.0.0.1', 0)\n"
        "async with server:\n"
        "    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())\n"
        "    writer.write(b'hello\\n')\n    line = await reader.readline()\n    writer.close()\n"
        "    await writer.wait_closed()\nreturn line.decode().strip()",
        "HELLO",
    ),
    "name resolution": (
        "found = await asyncio.get_running_loop().getaddrinfo('localhost', 80)\nreturn bool(found)",
        "True",
    ),
    "lock and queue": (
        "lock, queue = asyncio.Lock(), asyncio.Queue()\n"
        "async with lock:\n    await queue.put(5)\nreturn await queue.get()",
        "5",
    ),
    "async generator": (
        "async def numbers():\n    for n in range(3):\n        await asyncio.sleep(0)\n        yield n\n"
        "return [n async for n in numbers()]",
        "[0, 1, 2]",
    ),
    "cancel itself": (
        "asyncio.current_task().cancel()\ntry:\n    await asyncio.sleep(0)\nexcept asyncio.CancelledError:\n"
        "    asyncio.current_task().uncancel()\n    return 'cancelled'",
        "cancelled",
    ),
    "cancelled by another task": (
        "me = asyncio.current_task()\nasync def other():\n    me.cancel()\nasyncio.create_task(other()).get_name()\n"
        "try:\n    await asyncio.sleep(3600)\n"
        "except asyncio.CancelledError:\n    me.uncancel()\n    return 'cancelled'",
        "cancelled",
    ),
    "shield": (
        "async def child():\n    await asyncio.sleep(0.01)\n    return 'kept'\ntask = asyncio.create_task(child())\n"
        "try:\n    await asyncio.wait_for(asyncio.shield(task), 0.001)\nexcept asyncio.TimeoutError:\n    pass\n"
        "return await task",
        "kept",
    ),
    "done callback on the own task": (
        "asyncio.current_task().add_done_callback(lambda t: None)\nawait asyncio.sleep(0)\nreturn 1",
        "1",
    ),
    "task name": (
        "asyncio.current_task().set_name('mine')\nawait asyncio.sleep(0)\nreturn asyncio.current_task().get_name()",
        "mine",
    ),
    "cache": ("await cache.set('k', 'v')\nreturn await cache.get('k')", "v"),
}


def with_work(body):
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return PRELUDE + "\nasync def work(pdu, session):\n" + lines


@pytest.mark.parametrize("work", WORKS)
def test_in_a_handler(smscd, work):
    body, expected = WORKS[work]
    daemon = smscd(with_work(body))
    with daemon.bind() as esme:
        for text in (b"now", b"late", b"now", b"late"):
            assert esme.submit(text).message_id == expected, text
        # Many at once, so that parked tasks are used again.
        for n in range(20):
            esme.send("submit_sm", short_message=b"late" if n % 2 else b"now")
        assert {esme.expect("submit_sm_resp").message_id for _ in range(20)} == {expected}
        assert esme.submit(b"now").message_id == expected


@pytest.mark.parametrize("suspend", ["", "await asyncio.sleep(0)"])
def test_no_context_leaks_into_the_next_message(smscd, suspend):
    daemon = smscd(
        with_work(f"before = var.get()\nvar.set('leaked')\n{suspend or 'pass'}\nreturn f'{{before}} {{var.get()}}'")
    )
    with daemon.bind() as esme:
        for _ in range(20):
            assert esme.submit(b"now").message_id == "unset leaked"
            assert esme.submit(b"late").message_id == "unset leaked"


def test_context_of_each_message_is_its_own(smscd):
    daemon = smscd(with_work("var.set(pdu.body.decode())\nawait asyncio.sleep(0.01)\nreturn var.get()"))
    with daemon.bind() as esme:
        for n in range(50):
            esme.send("submit_sm", seq=100 + n, short_message=b"%d" % n)
        for _ in range(50):
            resp = esme.expect("submit_sm_resp")
            assert resp.message_id == str(resp.seq - 100)


def test_current_task_is_not_shared_between_handlers_under_way(smscd):
    daemon = smscd(
        PRELUDE
        + """
tasks = {}
async def work(pdu, session):
    mine = asyncio.current_task()
    await asyncio.sleep(0.01)
    shared = mine in tasks.values()
    tasks[pdu.sequence_number] = mine
    await asyncio.sleep(0.01)
    return shared or mine is not asyncio.current_task()
"""
    )
    with daemon.bind() as esme:
        for _ in range(50):
            esme.send("submit_sm", short_message=b"x")
        assert {esme.expect("submit_sm_resp").message_id for _ in range(50)} == {"False"}


@pytest.mark.parametrize("text", [b"now", b"late"])
def test_cancel_itself_and_end(smscd, text):
    """A task that ends with a cancel pending is cancelled: its result does not count."""
    daemon = smscd(with_work("if pdu.body != b'fine':\n    asyncio.current_task().cancel()\nreturn 'ended'"))
    with daemon.bind() as esme:
        for _ in range(3):
            assert esme.submit(text).status == raw.ESME_RSYSERR
            assert esme.submit(b"fine").message_id == "ended"


def test_task_that_outlives_its_handler(smscd):
    daemon = smscd(
        with_work("""
async def later():
    await asyncio.sleep(0.05)
    record("later")
work.task = asyncio.create_task(later())
return 1
""")
    )
    with daemon.bind() as esme:
        esme.submit(b"now")
    daemon.wait_records("later")


def test_unhandled_exception_of_a_task_is_in_the_log(smscd):
    daemon = smscd(
        with_work("""
async def bad():
    raise LookupError("nobody awaited this")
task = asyncio.create_task(bad())
await asyncio.sleep(0)
del task
import gc; gc.collect()
return 1
""")
    )
    with daemon.bind() as esme:
        esme.submit(b"now")
    daemon.log.wait("nobody awaited this")


def test_timers_set_from_a_handler_are_not_late(smscd):
    """A timer that a handler sets while nothing else happens: it fires without any other event."""
    daemon = smscd(
        with_work("""
loop = asyncio.get_running_loop()
loop.call_later(0.02, record, "fired")
return 1
""")
    )
    with daemon.bind() as esme:
        esme.submit(b"now")
        daemon.wait_records("fired", timeout=5)


def test_aiohttp(smscd):
    """A handler asks an HTTP server that the script itself runs."""
    pytest.importorskip("aiohttp")
    daemon = smscd(
        PRELUDE
        + """
import aiohttp
from aiohttp import web

async def answer(request):
    return web.json_response({"to": request.query["to"]})

async def work(pdu, session):
    if not hasattr(work, "url"):
        app = web.Application()
        app.router.add_get("/route", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        work.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}/route"
    async with aiohttp.ClientSession() as http:
        async with http.get(work.url, params={"to": pdu.destination_addr}) as resp:
            return (await resp.json())["to"]
""",
        venv=sys.prefix,
    )
    with daemon.bind() as esme:
        assert esme.submit(b"now", destination_addr="4711").message_id == "4711"
        for _ in range(20):
            esme.send("submit_sm", destination_addr="4712")
        assert {esme.expect("submit_sm_resp").message_id for _ in range(20)} == {"4712"}


def test_module_level_objects(smscd):
    """What scripts make at import (a lock, a queue, a client) works in the handlers."""
    daemon = smscd(
        PRELUDE
        + """
lock, event, limit = asyncio.Lock(), asyncio.Event(), asyncio.Semaphore(2)
async def work(pdu, session):
    async with lock, limit:
        await asyncio.sleep(0.001)
        return 1
"""
    )
    with daemon.bind() as esme:
        for _ in range(20):
            esme.send("submit_sm", short_message=b"now")
        assert {esme.expect("submit_sm_resp").message_id for _ in range(20)} == {"1"}
