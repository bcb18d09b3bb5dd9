"""Scripts and values at the worker's edges: what would bring it down, lose what it has, or hide what it says."""

import subprocess

import pytest
from lib import smpp_raw as raw
from lib.daemon import OPEN

HANDLER = '\n@smpp.on_pdu("submit_sm")\nasync def submit(pdu, session):\n'


def script(body, before=""):
    return OPEN + before + HANDLER + "".join(f"    {line}\n" for line in body.strip().splitlines())


def result_of(smscd, body, before="", **kwargs):
    """What `value` is when the body of a handler has run, and the daemon."""
    daemon = smscd(script(body + "\nrecord('result', value=value)", before), **kwargs)
    with daemon.bind() as esme:
        assert esme.submit().status == raw.ESME_ROK, daemon.log.text()
    return daemon.wait_records("result")[0]["value"]


# -- a child that a handler forks -------------------------------------------------


FORKS = {
    "first step": "if os.fork() == 0:\n    return pdu.reply(message_id='child')",
    "after an await": "await asyncio.sleep(0.01)\nif os.fork() == 0:\n    return pdu.reply(message_id='child')",
    "sys.exit": "if os.fork() == 0:\n    raise SystemExit(0)",
    "awaits": "if os.fork() == 0:\n    await asyncio.sleep(0.01)\n    return pdu.reply(message_id='child')",
}


@pytest.mark.parametrize("body", FORKS.values(), ids=FORKS)
def test_a_forked_child_never_answers(smscd, body):
    daemon = smscd(script(body + "\nos.wait()\nreturn pdu.reply(message_id='parent')"), handler_timeout_ms=5000)
    with daemon.bind() as esme:
        for _ in range(3):
            assert esme.submit().message_id == "parent"
        esme.expect_nothing(0.2)
    assert len(daemon.worker_pids()) == 1


def test_a_process_of_multiprocessing_can_be_terminated(smscd):
    body = """
child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
child.start()
child.terminate()
await asyncio.to_thread(child.join, 5)
value = child.exitcode
if value is None:
    child.kill()
"""
    assert result_of(smscd, body, "import multiprocessing, time\n") == -15


# -- scripts that end or enter the loop ----------------------------------------------


LOOP_ENDS = {
    "sys.exit in a task": "asyncio.create_task(leave())\nawait asyncio.sleep(0.05)",
    "sys.exit in a callback": "asyncio.get_running_loop().call_soon(sys.exit, 1)\nawait asyncio.sleep(0.05)",
    "loop.stop": "asyncio.get_running_loop().stop()\nawait asyncio.sleep(0.05)",
}


@pytest.mark.parametrize("body", LOOP_ENDS.values(), ids=LOOP_ENDS)
def test_a_script_does_not_end_the_worker(smscd, body):
    daemon = smscd(script(body, "import sys\nasync def leave():\n    sys.exit(3)\n"))
    pids = daemon.worker_pids()
    with daemon.bind() as esme:
        assert esme.submit().status == raw.ESME_ROK
        assert esme.submit().status == raw.ESME_ROK
    assert daemon.worker_pids() == pids


def test_the_loop_is_not_entered_twice(smscd):
    body = """
import _siphon
try:
    _siphon.loop_select(0)
    value = "entered"
except RuntimeError as e:
    value = str(e)
"""
    assert "within itself" in result_of(smscd, body)


def test_a_reader_on_what_is_no_descriptor(smscd):
    body = """
value = []
for fd in (987654321, 2**32 + 1):
    try:
        asyncio.get_running_loop().add_reader(fd, print)
        value.append("watched")
    except (OSError, ValueError, OverflowError) as e:
        value.append(type(e).__name__)
"""
    assert result_of(smscd, body) == ["OSError", "OSError"]


def test_check_of_a_script_that_uses_the_cache_while_it_loads(smscd):
    use = """
try:
    asyncio.get_event_loop().run_until_complete(cache.get("k"))
except cache.CacheError as e:
    print("no cache:", e)
"""
    daemon = smscd(OPEN + use, start=False)
    done = daemon.run("-t", "-c", daemon.conf_path)
    assert done.returncode == 0, done.stderr


# -- errors that must be told ----------------------------------------------------------


ERRORS = {
    "no str": ("class Odd(Exception):\n    def __str__(self):\n        raise ValueError\n", "raise Odd", "Odd"),
    "surrogate": ("", "raise ValueError(f'bad {chr(0xdcff)} end')", "bad .*udcff end"),
    "nul": ("", "raise ValueError(f'before{chr(0)}after')", r"before.{1,4}after"),
}


@pytest.mark.parametrize(("before", "body", "shown"), ERRORS.values(), ids=ERRORS)
def test_every_exception_is_told(smscd, before, body, shown):
    daemon = smscd(script(body, before))
    with daemon.bind() as esme:
        assert esme.submit().status == raw.ESME_RSYSERR
    daemon.log.wait(f"error .*handler submit_sm: .*{shown}")


def test_a_log_line_shows_what_is_behind_a_nul(smscd):
    daemon = smscd(script("log.info('from %s end', pdu.body.decode())"))
    with daemon.bind() as esme:
        assert esme.submit(b"a\0b").status == raw.ESME_ROK
    daemon.log.wait("script: from a.*b end")


# -- values ------------------------------------------------------------------------------


def test_a_system_id_that_is_not_ascii_is_found(smscd):
    daemon = smscd(
        script(
            "value = (await smpp.deliver_to(system_id=session.system_id, short_message=b'x')).ok\nrecord('ok', v=value)"
        )
    )
    with daemon.bind("caf\xe9") as esme:
        esme.send("submit_sm", short_message=b"x")
        deliver = esme.expect("deliver_sm")
        esme.answer(deliver)
        assert esme.expect("submit_sm_resp").status == raw.ESME_ROK


TLVS = {
    "lists of an odd mapping": "type('M', (), {'items': lambda self: [['MESSAGE_PAYLOAD', b'x']], 'keys': None})()",
    "items that are no pairs": "type('M', (dict,), {'items': lambda self: [1, 'ab']})(a=1)",
}


@pytest.mark.parametrize("tlvs", TLVS.values(), ids=TLVS)
def test_a_mapping_whose_items_are_no_pairs(smscd, tlvs):
    body = f"""
try:
    await smpp.deliver_to(session.session_id, tlvs={tlvs})
    value = "sent"
except TypeError as e:
    value = str(e)
"""
    assert "pair" in result_of(smscd, body)


def test_tlvs_from_a_generator(smscd):
    body = "await smpp.deliver_to(session.session_id, tlvs=((t, b'x') for t in ('message_payload', 0x1400)))"
    daemon = smscd(script(body))
    with daemon.bind() as esme:
        esme.send("submit_sm", short_message=b"x")
        deliver = esme.expect("deliver_sm")
        assert (deliver.tlv(0x0424), deliver.tlv(0x1400)) == (b"x", b"x")
        esme.answer(deliver)
        assert esme.expect("submit_sm_resp").status == raw.ESME_ROK


# -- a worker that was busy -----------------------------------------------------------------


@pytest.mark.parametrize("busy", ["before", "while it waits"])
def test_redis_is_not_blamed_for_a_busy_script(smscd, busy):
    """Longer than redis.timeout_ms allows, and than the three times of it that mean a dead server."""
    wait = "time.sleep(1)"
    start = "reply = asyncio.ensure_future(cache.get('k'))\nawait asyncio.sleep(0)"
    body = f"""
await cache.set("k", "v")
{wait if busy == "before" else start}
{"reply = cache.get('k')" if busy == "before" else wait}
value = await reply
"""
    assert result_of(smscd, body, "import time\n", redis={"timeout_ms": 200}) == "v"


def test_an_application_is_not_blamed_for_a_busy_script(smscd):
    """Its enquire_link_resp comes in time, and is read late."""
    daemon = smscd(
        script("import time\nrecord('busy')\ntime.sleep(2.5)"),
        server={"enquire_link_timer_ms": 1000, "response_timer_ms": 1000},
    )
    with daemon.bind("esme1") as esme, daemon.bind("esme2") as other:
        esme.answer_enquire = other.answer_enquire = False
        enquiry = esme.expect("enquire_link")
        other.answer(other.expect("enquire_link"))
        other.send("submit_sm", short_message=b"x")
        daemon.wait_records("busy")
        esme.answer(enquiry)
        other.expect("submit_sm_resp")
        esme.answer_enquire = True
        assert esme.enquire().command == "enquire_link_resp"


def test_an_error_of_redis_that_is_no_text(smscd):
    body = """
import _siphon
try:
    async with asyncio.timeout(5):
        value = await _siphon.redis(b"\\xff\\xfe")
except cache.CacheError as e:
    value = str(e)
"""
    assert "unknown command" in result_of(smscd, body)


# -- tasks that nobody holds ------------------------------------------------------------------


def test_a_drain_does_not_wait_for_a_handler_that_is_lost(smscd):
    body = """
import gc
try:
    await asyncio.get_running_loop().create_future()
except asyncio.CancelledError:
    record("cancelled")
    asyncio.get_running_loop().call_later(0.05, lambda: record("collected", n=gc.collect()))
    await asyncio.get_running_loop().create_future()
"""
    daemon = smscd(script(body), handler_timeout_ms=100, drain_timeout_ms=15000)
    with daemon.bind() as esme:
        assert esme.submit().status == raw.ESME_RSYSERR
    daemon.wait_records("collected")
    try:
        daemon.process.terminate()
        daemon.process.wait(8)
    except subprocess.TimeoutExpired:
        pytest.fail("it waits for a handler that is gone")
