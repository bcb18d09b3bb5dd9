"""SIGHUP: the new script in force, or the old one and a word about why."""

import pytest
from lib import proc
from lib import smpp_raw as raw
from lib.daemon import OPEN

SIGHUP = 1


def version(n, extra=""):
    return (
        OPEN
        + f"""
{extra}
@smpp.on_pdu("submit_sm")
async def submit(pdu, session):
    return pdu.reply(message_id="v{n}")
"""
    )


def answers(daemon, esme, expected):
    proc.wait_until(lambda: esme.submit().message_id == expected, what=f"the answer {expected}")


@pytest.mark.parametrize("workers", [1, 2])
def test_new_script(smscd, workers):
    daemon = smscd(version(1), workers=workers)
    pids = sorted(daemon.worker_pids())
    sessions = [daemon.bind() for _ in range(4)]
    assert {esme.submit().message_id for esme in sessions} == {"v1"}
    daemon.write_script(version(2))
    assert {esme.submit().message_id for esme in sessions} == {"v1"}, "not without being told"
    daemon.signal(SIGHUP)
    for esme in sessions:
        answers(daemon, esme, "v2")
    assert sorted(daemon.worker_pids()) == pids


def test_one_worker(smscd):
    daemon = smscd(
        OPEN
        + """
@smpp.on_pdu("submit_sm")
async def submit(pdu, session):
    return pdu.reply(message_id=f"v1-{os.getpid()}")
""",
        workers=2,
    )
    sessions = {}
    for _ in range(20):
        esme = daemon.bind()
        sessions.setdefault(int(esme.submit().message_id.split("-")[1]), esme)
    (told, asked), (other, left) = sessions.items()
    daemon.write_script(version(2))
    daemon.signal(SIGHUP, told)
    answers(daemon, asked, "v2")
    assert left.submit().message_id == f"v1-{other}"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (OPEN + "\ndef broken(:\n    pass\n", ["SyntaxError", r"script\.py"]),
        (OPEN + "\nimport no_such_module_here\n", ["ModuleNotFoundError", "no_such_module_here"]),
        (OPEN + "\n1 / 0\n", ["ZeroDivisionError", r"script\.py"]),
        (OPEN + "\nraise SystemExit(1)\n", ["SystemExit"]),
        (OPEN + '\n@smpp.on_pdu("no_such_sm")\nasync def x(pdu, session): pass\n', ["ValueError", "no_such_sm"]),
    ],
    ids=["syntax", "import", "exception", "exit", "command"],
)
def test_broken_script_keeps_the_old_one(smscd, script, words):
    daemon = smscd(version(1))
    pids = daemon.worker_pids()
    with daemon.bind() as esme:
        daemon.write_script(script)
        daemon.signal(SIGHUP)
        for word in words:
            daemon.log.wait(word)
        assert esme.submit().message_id == "v1"
        assert daemon.worker_pids() == pids
        daemon.write_script(version(3))
        daemon.signal(SIGHUP)
        answers(daemon, esme, "v3")


def test_missing_script_keeps_the_old_one(smscd):
    daemon = smscd(version(1))
    with daemon.bind() as esme:
        daemon.script_path.unlink()
        mark = daemon.log.mark()
        daemon.signal(SIGHUP)
        daemon.log.wait(r"(error|warn).*script\.py", since=mark)
        assert esme.submit().message_id == "v1"


def test_broken_configuration_keeps_the_old_one(smscd):
    daemon = smscd(version(1))
    with daemon.bind() as esme:
        daemon.write_conf("nonsense = 1;\n")
        mark = daemon.log.mark()
        daemon.signal(SIGHUP)
        daemon.log.wait("nonsense", since=mark)
        assert esme.submit().message_id == "v1"


def test_removed_handler_is_gone(smscd):
    """A reload is a fresh namespace: what the new script does not register is not there."""
    daemon = smscd(version(1))
    with daemon.bind() as esme:
        daemon.write_script("from siphon import smpp\n")
        daemon.signal(SIGHUP)
        proc.wait_until(lambda: esme.submit().message_id != "v1", what="the default answer")
        with daemon.connect() as other:
            assert other.call("bind_transceiver", system_id="esme1").status == raw.ESME_RBINDFAIL


def test_module_beside_the_script(smscd):
    daemon = smscd(start=False)
    daemon.write_script("ANSWER = 'v1'\n", "helper_module.py")
    daemon.write_script(
        OPEN
        + """
import helper_module

@smpp.on_pdu("submit_sm")
async def submit(pdu, session):
    return pdu.reply(message_id=helper_module.ANSWER)
"""
    )
    daemon.start()
    with daemon.bind() as esme:
        assert esme.submit().message_id == "v1"
        daemon.write_script("ANSWER = 'v2 longer'\n", "helper_module.py")
        daemon.signal(SIGHUP)
        answers(daemon, esme, "v2 longer")


def test_calls_under_way_end_on_the_old_code(smscd):
    slow = """
@smpp.on_pdu("submit_sm")
async def submit(pdu, session):
    record("start")
    while not os.path.exists(__file__ + ".go"):
        await asyncio.sleep(0.01)
    return pdu.reply(message_id=WHO)
"""
    daemon = smscd(OPEN + "WHO = 'old'\n" + slow)
    with daemon.bind() as esme, daemon.bind("other") as other:
        seq = esme.send("submit_sm")
        daemon.wait_records("start")
        daemon.write_script(version(2))
        daemon.reload()
        assert other.submit().message_id == "v2"
        (daemon.dir / "script.py.go").touch()
        assert esme.expect("submit_sm_resp", seq).message_id == "old"


@pytest.mark.slow
def test_reloads_under_load(smscd):
    """A hundred reloads while messages flow: each is answered once, by a script that was in force."""
    daemon = smscd(version(0), workers=2)
    with daemon.bind() as esme:
        sent = 0
        for n in range(1, 101):
            daemon.write_script(version(n))
            daemon.signal(SIGHUP)
            for _ in range(20):
                esme.send("submit_sm")
                sent += 1
        resp = [esme.expect("submit_sm_resp") for _ in range(sent)]
        assert {p.status for p in resp} == {raw.ESME_ROK}
        assert len({p.seq for p in resp}) == sent
        versions = [int(p.message_id[1:]) for p in resp]
        assert versions == sorted(versions)
        answers(daemon, esme, "v100")


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_thousand_reloads(smscd):
    """Of a script with a module beside it, a timer, a pending task and a count of its own: no message is lost, each is
    answered by a script in force, what a load started ends with it, and memory does not grow."""

    def script(n):
        return OPEN + (
            f"""
import beside

assert beside.N == {n}
PADDING = bytes(range(256)) * 400
TICKS = []

async def pending():
    record("started", n={n})
    try:
        await asyncio.Event().wait()
    finally:
        record("ended", n={n})

loop = asyncio.get_event_loop()
task = loop.create_task(pending())

def tick():
    TICKS.append(1)
    loop.call_later(0.01, tick)

loop.call_later(0.01, tick)

@smpp.on_pdu("submit_sm")
async def submit(pdu, session):
    await asyncio.sleep(0)
    await cache.incr("handled")
    if pdu.short_message == b"state":
        tasks = [t for t in asyncio.all_tasks() if "coro=<pending()" in repr(t)]
        timers = [h for h in loop._scheduled if not h.cancelled() and "tick" in repr(h)]
        record("state", tasks=len(tasks), timers=len(timers), handled=await cache.get("handled"))
    return pdu.reply(message_id="v{n}")
"""
        )

    def reload(n):
        daemon.write_script(f"N = {n}\n", "beside.py")
        daemon.write_script(script(n))
        daemon.signal(SIGHUP)

    daemon = smscd(script(0), workers=1, start=False)
    daemon.write_script("N = 0\n", "beside.py")
    daemon.start()
    with daemon.bind() as esme:
        sent, versions, memory = 0, [], []
        for n in range(1, 1001):
            mark = daemon.log.mark()
            reload(n)
            seqs = [esme.send("submit_sm") for _ in range(5)]
            sent += len(seqs)
            versions += [int(esme.expect("submit_sm_resp", seq).message_id[1:]) for seq in seqs]
            daemon.log.wait(r"worker 0: script .* loaded", since=mark)
            assert esme.submit().message_id == f"v{n}"
            sent += 1
            if n in (100, 1000):
                memory.append(proc.resident_kb(daemon.worker_pids()[0]))
        assert versions == sorted(versions)
        esme.submit(b"state")
        sent += 1
    state = daemon.wait_records("state")[0]
    assert (state["tasks"], state["timers"], int(state["handled"])) == (1, 1, sent)
    assert proc.sanitized(daemon.binary) or memory[1] < memory[0] * 1.1, memory
