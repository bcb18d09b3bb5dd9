"""Handlers that await a send or Redis: as if those were asyncio's own futures, whoever awaits or cancels them."""

import pytest
from lib import smpp_raw as raw
from lib.daemon import OPEN

# A submit_sm carries Python code, the body of a coroutine function; what it returns is the message_id of the answer.
# "auto" is an upstream that answers at once; of "manual" the test answers each message, named by its body.
PRELUDE = (
    OPEN
    + """
import contextvars, gc, sys
var = contextvars.ContextVar("var", default="unset")
shared = {}
me = asyncio.current_task

def via(text="x", bind="auto", **kwargs):
    return smpp.submit_via(bind, short_message=text, **kwargs)

def kept(text="x", bind="manual", **kwargs):
    return receipts.submit_via(bind=bind, context={"text": text}, short_message=text, **kwargs)

def later(delay, function, *args):
    return asyncio.get_running_loop().call_later(delay, function, *args)

@smpp.on_session("bound")
async def bound(session):
    record("bound", system_id=session.system_id)

@smpp.on_pdu("submit_sm")
async def submit(pdu, session):
    lines = "".join(f"    {line}\\n" for line in pdu.body.decode().split("\\n"))
    space = {}
    exec("async def run(pdu, session):\\n" + lines, globals(), space)
    return pdu.reply(message_id=str(await space["run"](pdu, session))[:64])

@receipts.on_receipt
async def on_receipt(receipt):
    record("receipt", context=receipt.context)

@smpp.on_pdu("deliver_sm")
async def deliver(pdu, session):
    return await receipts.route(pdu, session)
"""
)


class Scripted:
    def __init__(self, smscd, upstream, script=PRELUDE, **kwargs):
        smscs = {name: upstream() for name in ("auto", "manual")}
        binds = [
            {"name": name, "host": "127.0.0.1", "port": smsc.port, "system_id": "gw", "password": "pw"}
            | {"reconnect_min_ms": 50, "window": 5000}
            for name, smsc in smscs.items()
        ]
        self.daemon = smscd(script, binds=binds, **kwargs)
        ends = {name: smsc.accept_bind() for name, smsc in smscs.items()}
        self.auto = raw.Answering(ends["auto"], self._answer)
        self.up = ends["manual"]
        self.smsc = smscs["manual"]
        self.esme = self.daemon.bind("caller")
        self.daemon.wait_records("bound", 3)

    @staticmethod
    def _answer(conn, pdu):
        if pdu.command == "submit_sm":
            conn.answer(pdu, message_id=f"id-{pdu.short_message.decode()}")

    def start(self, code):
        return self.esme.send("submit_sm", tlvs=[(raw.MESSAGE_PAYLOAD, code.encode())])

    def end(self, seq, timeout=10.0):
        resp = self.esme.expect("submit_sm_resp", seq, timeout)
        return resp.message_id if resp.status == 0 else resp.status

    def run(self, code):
        return self.end(self.start(code))

    def sent(self):
        return self.up.expect("submit_sm")

    def receipt(self, upstream_id):
        """The receipt's way: the gateway's status for it."""
        text = f"id:{upstream_id} sub:001 dlvrd:001 submit date:2601010000 done date:2601010001 stat:DELIVRD err:000"
        seq = self.up.send("deliver_sm", esm_class=0x04, short_message=text.encode())
        return self.up.expect("deliver_sm_resp", seq).status

    def remembered(self, text, count=1):
        return len([r for r in self.daemon.records("receipt") if r["context"] == {"text": text}]) == count

    def idle(self):
        """No handler is under way, and none was forgotten."""
        assert self.run("return 'alive'") == "alive"


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


# -- one handler -------------------------------------------------------------------

FIRST = {"now": "pass", "late": "await asyncio.sleep(0)", "redis": "await cache.get('k')", "sent": "await via()"}

WORKS = {
    "send": (
        """
return (await via('a')).message_id
""",
        "id-a",
    ),
    "sends": (
        """
return ' '.join([(await via(t)).message_id for t in 'abc'])
""",
        "id-a id-b id-c",
    ),
    "mix": (
        """
loop = asyncio.get_running_loop()
seen = []
for n in range(3):
    seen.append((await via(str(n))).message_id)
    await asyncio.sleep(0)
    await cache.set('n', n)
    future = loop.create_future()
    later(0.001, future.set_result, n)
    seen.append(str(await future))
    await asyncio.sleep(0.001)
    seen.append(await cache.get('n'))
return ' '.join(seen)
""",
        "id-0 0 0 id-1 1 1 id-2 2 2",
    ),
    "current task": (
        """
task = me()
seen = []
for n in range(3):
    await via()
    seen.append(me() is task)
    await cache.get('k')
    seen.append(me() is task)
    await asyncio.sleep(0)
    seen.append(me() is task)
seen.append(task in asyncio.all_tasks())
return all(seen) and isinstance(task, asyncio.Task)
""",
        "True",
    ),
    "name": (
        """
me().set_name('mine')
await via()
await asyncio.sleep(0)
await via()
return me().get_name()
""",
        "mine",
    ),
    "context variable": (
        """
seen = [var.get()]
for n in range(4):
    token = var.set(n)
    await (via() if n % 2 else asyncio.sleep(0))
    seen.append(var.get())
    var.reset(token)
return seen
""",
        "['unset', 0, 1, 2, 3]",
    ),
    "context of a task": (
        """
async def child():
    await via()
    before = var.get()
    var.set('child')
    await via()
    return before, var.get()
var.set('mine')
await via()
return await asyncio.create_task(child()), var.get()
""",
        "(('mine', 'child'), 'mine')",
    ),
    "create_task": (
        """
return (await asyncio.create_task(via('t'))).message_id
""",
        "id-t",
    ),
    "gather": (
        """
return ' '.join(r.message_id for r in await asyncio.gather(*(via(str(n)) for n in range(5))))
""",
        "id-0 id-1 id-2 id-3 id-4",
    ),
    "TaskGroup": (
        """
async with asyncio.TaskGroup() as group:
    a = group.create_task(via('a'))
    await via('c')
    b = group.create_task(cache.set('g', 1))
return a.result().message_id, b.result()
""",
        "('id-a', None)",
    ),
    "TaskGroup that fails": (
        """
async def bad():
    await via()
    raise KeyError
try:
    async with asyncio.TaskGroup() as group:
        group.create_task(bad())
        await via(bind='manual')
except* KeyError:
    pass
await via()
return me().cancelling()
""",
        "0",
    ),
    "shield": (
        """
task = asyncio.create_task(via('s'))
return (await asyncio.shield(task)).message_id
""",
        "id-s",
    ),
    "wait_for": (
        """
return (await asyncio.wait_for(via('w'), 10)).message_id
""",
        "id-w",
    ),
    "wait_for that ends": (
        """
try:
    await asyncio.wait_for(via(bind='manual'), 0.01)
except TimeoutError:
    pass
return (await via('w')).message_id, me().cancelling()
""",
        "('id-w', 0)",
    ),
    "timeout": (
        """
async with asyncio.timeout(10):
    return (await via('t')).message_id
""",
        "id-t",
    ),
    "timeout that ends": (
        """
try:
    async with asyncio.timeout(0.01):
        await via(bind='manual')
except TimeoutError:
    pass
return (await via('t')).message_id, me().cancelling()
""",
        "('id-t', 0)",
    ),
    "timeout that is over": (
        """
try:
    async with asyncio.timeout(0):
        await via(bind='manual')
except TimeoutError:
    pass
return (await via('t')).message_id, me().cancelling()
""",
        "('id-t', 0)",
    ),
    "timeouts within": (
        """
seen = []
for n in range(3):
    try:
        async with asyncio.timeout(5):
            async with asyncio.timeout(0.005):
                await via()
                await via(bind='manual')
    except TimeoutError:
        seen.append(n)
    await via()
return seen, me().cancelling()
""",
        "([0, 1, 2], 0)",
    ),
    "cancel itself": (
        """
me().cancel('why')
try:
    await via(bind='manual')
except asyncio.CancelledError:
    me().uncancel()
return (await via('c')).message_id
""",
        "id-c",
    ),
    "cancel itself, then a future": (
        """
me().cancel()
future = asyncio.get_running_loop().create_future()
try:
    await future
except asyncio.CancelledError:
    me().uncancel()
return future.cancelled(), (await via('c')).message_id
""",
        "(True, 'id-c')",
    ),
    "cancel itself, then sleep zero": (
        """
me().cancel()
try:
    await asyncio.sleep(0)
except asyncio.CancelledError:
    me().uncancel()
return (await via('c')).message_id
""",
        "id-c",
    ),
    "cancelled by a timer": (
        """
later(0.01, me().cancel)
try:
    await via(bind='manual')
except asyncio.CancelledError:
    me().uncancel()
return (await via('c')).message_id
""",
        "id-c",
    ),
    "cancelled twice": (
        """
seen = 0
for n in range(2):
    later(0.005, me().cancel)
    try:
        await via(bind='manual')
    except asyncio.CancelledError:
        seen += 1
        await via()
return seen, me().cancelling(), me().uncancel(), me().uncancel(), (await via('c')).message_id
""",
        "(2, 2, 1, 0, 'id-c')",
    ),
    "exception": (
        """
try:
    await via(bind='manual', timeout=0.01)
except smpp.ResponseTimeout:
    pass
try:
    await via()
    raise LookupError('mine')
except LookupError as e:
    await via()
    return e.args[0], sys.exc_info()[1] is e
""",
        "('mine', True)",
    ),
    "finally": (
        """
async def inner():
    try:
        await via(bind='manual')
    finally:
        await via()
        shared['finally'] = (await cache.get('none')) is None
task = asyncio.create_task(inner())
await asyncio.sleep(0.01)
task.cancel()
await asyncio.wait([task])
return shared['finally'], task.cancelled()
""",
        "(True, True)",
    ),
    "async generator": (
        """
seen = []
async def numbers():
    try:
        for n in range(9):
            yield (await via(str(n))).message_id
    finally:
        await via()
        seen.append('closed')
generator = numbers()
async for one in generator:
    seen.append(one)
    if one == 'id-1':
        break
await generator.aclose()
return seen
""",
        "['id-0', 'id-1', 'closed']",
    ),
    "async generator, left to the collector": (
        """
async def numbers():
    try:
        while True:
            yield (await via()).message_id
    finally:
        await via()
        shared['collected'] = True
shared.pop('collected', None)
generator = numbers()
await anext(generator)
del generator
gc.collect()
while 'collected' not in shared:
    await asyncio.sleep(0.001)
return 1
""",
        "1",
    ),
    "async context manager": (
        """
class Manager:
    async def __aenter__(self):
        return (await via('enter')).message_id
    async def __aexit__(self, kind, exc, tb):
        await via()
        self.kind = kind
        return True
manager = Manager()
async with manager as entered:
    await via()
    raise KeyError
return entered, manager.kind.__name__
""",
        "('id-enter', 'KeyError')",
    ),
    "awaited twice": (
        """
import _siphon
wait = _siphon.redis('GET', 'k')
async def one():
    return await wait
found = await asyncio.gather(asyncio.create_task(one()), asyncio.create_task(one()), return_exceptions=True)
return sorted(type(f).__name__ for f in found), await wait
""",
        "(['NoneType', 'RuntimeError'], None)",
    ),
    "never awaited": (
        """
import _siphon
_siphon.redis('GET', 'k')
gc.collect()
return (await via('n')).message_id
""",
        "id-n",
    ),
    "closed coroutine": (
        """
coro = via(bind='manual')
coro.send(None)
coro.close()
return (await via('n')).message_id
""",
        "id-n",
    ),
    "dropped coroutine": (
        """
coro = via(bind='manual')
coro.send(None)
del coro
gc.collect()
return (await via('n')).message_id
""",
        "id-n",
    ),
    "debug": (
        """
loop = asyncio.get_running_loop()
loop.set_debug(True)
try:
    await via()
    text = repr(me())
    await asyncio.create_task(via())
    me().print_stack(file=open('/dev/null', 'w'))
finally:
    loop.set_debug(False)
return 'Task' in text
""",
        "True",
    ),
    "eager": (
        """
if sys.version_info < (3, 12):
    return 'id-e True'
async def child():
    mine = asyncio.current_task()
    found = (await via('e')).message_id
    return f'{found} {mine is asyncio.current_task()}'
return await asyncio.Task(child(), loop=asyncio.get_running_loop(), eager_start=True)
""",
        "id-e True",
    ),
}


@pytest.mark.parametrize("work", WORKS)
def test_in_a_handler(it, work):
    body, expected = WORKS[work]
    for first in FIRST.values():
        assert it.run(f"{first}\n{body}") == expected, first
    seqs = [it.start(f"{first}\n{body}") for first in FIRST.values() for _ in range(4)]
    assert {it.end(seq) for seq in seqs} == {expected}


# -- several handlers ------------------------------------------------------------------


@pytest.mark.parametrize("first", FIRST)
@pytest.mark.parametrize("what", ["future", "task"])
def test_many_await_the_same(it, first, what):
    """The first one makes what all of them await: it is handed to several tasks before any of these has stepped."""
    made = {
        "future": "f = shared['f'] = asyncio.get_running_loop().create_future()\n    later(0.05, f.set_result, 'same')",
        "task": "shared['f'] = asyncio.create_task(asyncio.sleep(0.05, 'same'))",
    }[what]
    code = f"{FIRST[first]}\nif not shared.get('f') or shared['f'].done():\n    {made}\nreturn await shared['f']"
    seqs = [it.start(code) for _ in range(20)]
    assert {it.end(seq) for seq in seqs} == {"same"}
