"""Handlers that do what no handler should: the ESME gets an answer, the log says why, the next message is served."""

import pytest
from lib import proc
from lib import smpp_raw as raw
from lib.daemon import OPEN

# The body names what to do; anything else is answered well.
SCRIPT = (
    OPEN
    + """
import multiprocessing, sys, threading, time

async def leak():
    await asyncio.sleep(3600)

def exit_status(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def child(path):
    open(path, "w").close()

@smpp.on_pdu("submit_sm")
async def submit(pdu, session):
    what = pdu.body.decode()
    if what.startswith("late "):
        await asyncio.sleep(0)
        what = what[5:]
    match what:
        case "raise": raise LookupError("of the test")
        case "group": raise ExceptionGroup("of the test", [ValueError("one")])
        case "text": return "a str"
        case "coroutine": return leak()
        case "other reply": return smpp.on_pdu
        case "sys.exit": sys.exit(3)
        case "interrupt": raise KeyboardInterrupt
        case "generator": raise GeneratorExit
        case "recursion":
            def f(): return f()
            f()
        case "memory": [0] * (1 << 62)
        case "never": await asyncio.Event().wait()
        case "stubborn":
            while True:
                try:
                    await asyncio.sleep(3600)
                except asyncio.CancelledError:
                    record("cancelled")
                    break
            return pdu.reply(message_id="stubborn")
        case "dead bind": await smpp.submit_via("down", destination_addr="1")
        case "leak":
            asyncio.create_task(leak())
            asyncio.get_running_loop().create_task(raising())
        case "thread":
            thread = threading.Thread(target=time.sleep, args=(0.05,))
            thread.start()
            return pdu.reply(message_id=await asyncio.to_thread(lambda: "from a thread"))
        case "daemon thread":
            threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
        case "bad thread":
            threading.Thread(target=lambda: 1 / 0).start()
        case "fork":
            pid = os.fork()
            if pid == 0:
                os._exit(7)
            return pdu.reply(message_id=str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])))
        case "fork that raises":
            pid = os.fork()
            if pid == 0:
                raise SystemExit(9)
            record("child", child=pid)
            waiter = threading.Thread(target=lambda: record("child ended", status=exit_status(pid)))
            waiter.start()
            return pdu.reply(message_id="parent")
        case "multiprocessing":
            process = multiprocessing.get_context("fork").Process(target=child, args=("/dev/null",))
            process.start()
            await asyncio.to_thread(process.join)
            return pdu.reply(message_id=str(process.exitcode))
        case "block":
            record("blocks")
            time.sleep(3600)
        case "spin":
            record("blocks")
            while True: pass

async def raising():
    raise LookupError("in a leaked task")
"""
)


@pytest.fixture(scope="module")
def shared(shared_smscd):
    down = {"name": "down", "host": "127.0.0.1", "port": 1, "system_id": "gw", "password": "pw"}
    return shared_smscd(SCRIPT, binds=[down], handler_timeout_ms=300)


def then_served(daemon, esme):
    assert esme.submit(b"good").status == raw.ESME_ROK
    esme.enquire()
    assert not esme.kept, "something was answered twice"
    with daemon.bind("another") as another:
        assert another.submit(b"good").status == raw.ESME_ROK


@pytest.mark.parametrize("late", ["", "late "])
@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("raise", "LookupError.*of the test"),
        ("group", "ExceptionGroup.*of the test"),
        ("text", "TypeError.*str"),
        ("coroutine", "TypeError.*coroutine"),
        ("other reply", "TypeError.*function"),
        ("sys.exit", "SystemExit"),
        ("interrupt", "KeyboardInterrupt"),
        ("generator", "GeneratorExit"),
        ("recursion", "RecursionError"),
        ("memory", "MemoryError|OverflowError"),
        ("never", "imeout|timed out|handler_timeout_ms"),
        ("dead bind", "BindDown"),
    ],
)
def test_answered_as_a_failure(shared, what, said, late):
    mark = shared.log.mark()
    pids = shared.worker_pids()
    with shared.bind() as esme:
        assert esme.submit((late + what).encode()).status == raw.ESME_RSYSERR
        shared.log.wait("(error|warn) worker.*(" + said + ")", since=mark)
        then_served(shared, esme)
    assert shared.worker_pids() == pids


def test_swallows_its_cancel(shared):
    """What it returns after its time is over is of no effect: it is answered once."""
    with shared.bind() as esme:
        assert esme.submit(b"stubborn").status == raw.ESME_RSYSERR
        shared.wait_records("cancelled")
        then_served(shared, esme)


def test_leaks_tasks(shared):
    with shared.bind() as esme:
        for _ in range(100):
            assert esme.submit(b"leak").status == raw.ESME_ROK
        shared.log.wait("in a leaked task")
        then_served(shared, esme)


@pytest.mark.parametrize(
    ("what", "answer"),
    [("thread", "from a thread"), ("fork", "7"), ("multiprocessing", "0"), ("daemon thread", ""), ("bad thread", "")],
)
@pytest.mark.parametrize("late", ["", "late "])
def test_threads_and_processes(smscd, what, answer, late):
    """Each is served, and smscd still ends as it should."""
    daemon = smscd(SCRIPT)
    with daemon.bind() as esme:
        resp = esme.submit((late + what).encode())
        assert resp.status == raw.ESME_ROK
        assert resp.message_id.startswith(answer)
        then_served(daemon, esme)
        if what == "bad thread":
            daemon.log.wait("ZeroDivisionError")


@pytest.mark.parametrize("late", ["", "late "])
def test_forked_child_that_raises(smscd, late):
    """The child ends; it answers nobody, and neither touches the worker's session nor its channel to the master."""
    daemon = smscd(SCRIPT)
    with daemon.bind() as esme:
        resp = esme.submit((late + "fork that raises").encode())
        (record,) = daemon.wait_records("child")
        proc.wait_until(lambda: not proc.alive(record["child"]), what="the end of the child")
        assert (resp.status, resp.message_id) == (raw.ESME_ROK, "parent")
        then_served(daemon, esme)
        daemon.log.wait(f"{record['child']}, forked by the script")
        (ended,) = daemon.wait_records("child ended")
        assert ended["status"] == 1, "as a program ends that raises"


@pytest.mark.parametrize("what", ["block", "spin"])
def test_blocks_the_loop(smscd, what):
    """The stack is in the log, the worker is replaced, and the others of the gateway go on."""
    daemon = smscd(SCRIPT, stall_timeout_ms=300)
    esme = daemon.bind()
    (before,) = daemon.worker_pids()
    esme.send("submit_sm", short_message=what.encode())
    esme.expect_closed()
    daemon.log.wait(r"script\.py.*in submit|in submit.*script\.py")
    proc.wait_until(lambda: daemon.worker_pids() not in ([], [before]), what="another worker")
    with daemon.bind() as again:
        assert again.submit(b"good").status == raw.ESME_ROK
