"""Handlers that await a send or Redis: as if those were asyncio's own futures, whoever awaits or cancels them."""

import pytest
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


# -- one handler -------------------------------------------------------------------


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
    await cache.set(f'n{pdu.sequence_number}', n)
    future = loop.create_future()
    later(0.001, future.set_result, n)
    seen.append(str(await future))
    await asyncio.sleep(0.001)
    seen.append(await cache.get(f'n{pdu.sequence_number}'))
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
    "eager factory": (
        """
if sys.version_info < (3, 12):
    return "['id-0', 'id-1', 'id-2'] id-after"
from siphon import _generation
loop = asyncio.get_running_loop()
loop.set_task_factory(asyncio.eager_task_factory)
try:
    found = [r.message_id for r in await asyncio.gather(*(via(str(n)) for n in range(3)))]
    async with asyncio.timeout(10):
        await via()
finally:
    loop.set_task_factory(_generation.task_factory)
return f"{found} {(await via('after')).message_id}"
""",
        "['id-0', 'id-1', 'id-2'] id-after",
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


def test_cancel_of_one_that_awaits_a_shared_future(it):
    """As asyncio's: the future is cancelled, and so is everybody who awaits it."""
    code = """await cache.get('k')
if not shared.get('f') or shared['f'].done():
    shared['f'] = asyncio.get_running_loop().create_future()
    later(0.05, me().cancel)
try:
    await shared['f']
except asyncio.CancelledError:
    while me().uncancel():
        pass
    return shared['f'].cancelled()"""
    seqs = [it.start(code) for _ in range(10)]
    assert {it.end(seq) for seq in seqs} == {"True"}


ENDS = {"caught": ("me().uncancel()\n    return 'cancelled'", "cancelled"), "raised": ("raise", raw.ESME_RSYSERR)}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("first", FIRST)
def test_cancelled_by_another_handler_when_sent(it, first, end):
    code, expected = ENDS[end]
    victim = it.start(FIRST[first] + "\n" + VICTIM.format("via(bind='manual')", code))
    sent = it.sent()
    assert it.run(CANCEL) == "True"
    assert it.end(victim) == expected
    it.up.answer(sent, message_id="nobody")


@pytest.mark.parametrize("end", ENDS)
def test_cancelled_by_another_handler_when_answered(it, end):
    """Both answers come at once; the first handler that goes on cancels the other, which has its answer already."""
    code, expected = ENDS[end]
    for _ in range(5):
        killer = it.start(f"await via('killer', bind='manual')\n{CANCEL}")
        first = it.sent()
        victim = it.start("await cache.get('k')\n" + VICTIM.format("via('victim', bind='manual')", code))
        second = it.sent()
        it.up.write(b"".join(raw.encode("submit_sm_resp", pdu.seq, message_id="x") for pdu in (first, second)))
        assert it.end(killer) == "True"
        assert it.end(victim) == expected


def test_cancel_and_uncancel_by_another_handler(it):
    """A cancel that was taken back raises all the same, as a future that was cancelled does."""
    victim = it.start(VICTIM.format("via(bind='manual')", "return me().cancelling()"))
    it.sent()
    assert it.run("t = shared.pop('victim')\nt.cancel()\nreturn t.uncancel()") == "0"
    assert it.end(victim) == "0"


def test_cancel_of_one_that_has_ended(it):
    for first in FIRST.values():
        assert it.run(f"{first}\nshared['victim'] = me()\nreturn 1") == "1"
        assert it.run("return shared['victim'].done(), shared['victim'].cancel()") == "(True, False)"
    seqs = [it.start(f"await via()\nshared['victim'] = me()\nreturn {n}") for n in range(10)]
    seqs += [it.start("await via()\nshared['victim'].cancel()\nreturn 10")]
    assert [it.end(seq) for seq in seqs] == [str(n) for n in range(11)]


@pytest.mark.parametrize("first", FIRST)
def test_cancel_itself_and_end(it, first):
    assert it.run(f"{FIRST[first]}\nme().cancel()\nreturn 'ended'") == raw.ESME_RSYSERR
    it.idle()


@pytest.mark.parametrize("first", FIRST)
def test_cancel_itself_once_more_and_end(it, first):
    code = "later(0.01, me().cancel)\ntry:\n    await via(bind='manual')\nexcept asyncio.CancelledError:\n    "
    assert it.run(f"{FIRST[first]}\n{code}me().cancel()\n    return 'ended'") == raw.ESME_RSYSERR
    it.idle()


@pytest.mark.parametrize("first", [first for first in FIRST if first != "now"])
def test_task_of_one_that_was_cancelled(it, first):
    assert it.run(f"shared['t'] = me()\n{FIRST[first]}\nraise asyncio.CancelledError") == raw.ESME_RSYSERR
    assert it.run("await asyncio.wait([shared['t']])\nreturn shared.pop('t').cancelled()") == "True"


def test_all_tasks_cancelled(it):
    """Whoever cancels all tasks cancels idle ones, too; those are no harm to the handlers that follow."""
    seqs = [it.start("await via(bind='manual')") for _ in range(5)]
    for _ in seqs:
        it.sent()
    code = "await via()\nfor task in asyncio.all_tasks() - {me()}:\n    task.cancel()\nreturn 1"
    later = [it.start(code), *(it.start("return 'after'") for _ in range(5))]
    assert [it.end(seq) for seq in later] == ["1"] + 5 * ["after"]
    assert {it.end(seq) for seq in seqs} == {raw.ESME_RSYSERR}


@pytest.mark.parametrize("first", FIRST)
def test_another_awaits_the_handlers_task(it, first):
    code = f"{FIRST[first]}\nshared['t'] = me()\nawait via(bind='manual')\nreturn 'ended'"
    awaited = it.start(code)
    sent = it.sent()
    waiter = it.start("await asyncio.wait([shared['t']])\nreturn shared['t'].done()")
    it.idle()
    it.up.answer(sent)
    assert it.end(awaited) == "ended"
    assert it.end(waiter) == "True"


@pytest.mark.parametrize("first", FIRST)
def test_done_callback(it, first):
    """It is called when its handler has ended, and not for the next one."""
    code = f"{FIRST[first]}\nme().add_done_callback(lambda task: shared['called'].append(task.done()))\nreturn 1"
    it.run("shared['called'] = []")
    for _ in range(3):
        assert it.run(code) == "1"
        assert (
            it.run("while len(shared['called']) < 1:\n    await asyncio.sleep(0)\nreturn shared['called']") == "[True]"
        )
        it.run("shared['called'].clear()")


@pytest.mark.parametrize("first", ["redis", "sent"])
def test_nothing_of_a_task_is_left_to_the_next_message(it, first):
    code = f"before = getattr(me(), 'note', None)\nme().note = 'mine'\n{FIRST[first]}\nreturn before, me().note"
    assert {it.run(code) for _ in range(5)} == {"(None, 'mine')"}


@pytest.mark.parametrize("first", FIRST)
@pytest.mark.parametrize(
    "raised",
    ["KeyboardInterrupt", "SystemExit", "asyncio.CancelledError", "GeneratorExit", "StopIteration", "KeyError"],
)
def test_raised(it, first, raised):
    assert it.run(f"{FIRST[first]}\nraise {raised}") == raw.ESME_RSYSERR
    it.idle()


@pytest.mark.parametrize("first", FIRST)
def test_child_process(it, first):
    """A child that a handler forks must not answer for the worker."""
    code = f"{FIRST[first]}\npid = os.fork()\nif pid == 0:\n    return 'child'\nreturn os.waitpid(pid, 0)[0] == pid"
    assert it.run(code) == "True"


def test_closed_from_elsewhere(it):
    """Nobody should do this: the handler's coroutine ends under its task."""
    victim = it.start("shared['victim'] = me()\nawait via(bind='manual')")
    sent = it.sent()
    it.run("shared['victim'].get_coro().close()\ngc.collect()")
    it.up.answer(sent)
    it.run("shared.pop('victim').cancel()")
    assert it.end(victim) == raw.ESME_RSYSERR


def test_taken_back_from_the_queue(smscd, upstream):
    it = Scripted(smscd, upstream, window=1)
    first = it.start("return (await via('1', bind='manual')).message_id")
    sent = it.sent()
    victim = it.start(VICTIM.format("via('2', bind='manual')", "me().uncancel()\n    return 'cancelled'"))
    last = it.start("await via()\nreturn (await via('3', bind='manual')).message_id")
    it.idle()
    assert it.run(CANCEL) == "True"
    assert it.end(victim) == "cancelled"
    it.run("await via()")  # on the channel behind what takes the victim back; the upstream's socket may be read first
    it.up.answer(sent, message_id="one")
    sent = it.sent()
    assert sent.short_message == b"3"
    it.up.answer(sent, message_id="three")
    assert (it.end(first), it.end(last)) == ("one", "three")


INTRUDER = """
class Intruder:
    left = 300
    def __init__(self):
        self.itself = self
    def __del__(self):
        if Intruder.left:
            Intruder.left -= 1
            Intruder()
            coro = via('an intruder, much longer than its victim')
            coro.send(None)
            coro.close()
Intruder()
thresholds = gc.get_threshold()
gc.set_threshold(1)
try:
    return (await via('victim', bind='manual')).message_id
finally:
    gc.set_threshold(*thresholds)
    Intruder.left = 0
"""


def test_a_finalizer_that_sends_while_a_message_is_made(it):
    """Each allocation of the send may run what the collector finds, which encodes a message of its own."""
    seq = it.start(INTRUDER)
    sent = it.sent()
    assert sent.short_message == b"victim"
    it.up.answer(sent, message_id="m")
    assert it.end(seq) == "m"


def test_optional_parameters_that_exceed_their_buffer(it):
    """The third one fits in part only; the fourth is looked for among those before it."""
    tlvs = "{0x1401: b'x' * 65535, 0x1402: b'x' * 455, 0x1403: b'x', 0x1404: b'x'}"
    code = f"try:\n    await via(tlvs={tlvs})\nexcept ValueError as e:\n    return str(e)"
    assert "more than 66000 octets" in it.run(code)
