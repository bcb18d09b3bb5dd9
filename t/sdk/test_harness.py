"""The harness itself: events, errors, log, cache, and that nothing is left of it."""

import asyncio
import gc
import sys
import weakref

import pytest
from siphon import cache, receipts, smpp
from siphon_sdk.smpp_testing import SmppTestHarness


def submit(harness, **fields):
    return harness.submit_sm(**{"source_addr": "1", "destination_addr": "2", "short_message": b"x", **fields})


# -- one after another -----------------------------------------------------------------


def test_nothing_is_left_of_a_harness(tmp_path):
    (tmp_path / "helper.py").write_text("calls = []\n")
    (tmp_path / "gate.py").write_text("""
import asyncio, helper
from siphon import cache, receipts, smpp

@receipts.on_receipt
async def on_receipt(receipt):
    pass

@smpp.on_pdu("submit_sm")
async def on_submit(pdu, session):
    helper.calls.append(pdu.source_addr)
    await cache.set("k", "v")
    smpp_task = asyncio.create_task(asyncio.sleep(1000))
    return pdu.reply(message_id=str(len(helper.calls)))

@smpp.on_session("bound")
async def bound(session):
    await asyncio.Event().wait()
""")
    SmppTestHarness().close()  # what an earlier test left open
    path = list(sys.path)
    for _ in range(2):
        harness = SmppTestHarness()
        harness.load_script(tmp_path / "gate.py")
        assert submit(harness).message_id == "1"
        assert "helper" in sys.modules
        harness.answer("submit_via", "ESME_RSYSERR")
        harness.bind_down("carrier")
        harness.redis_away = True
        harness.close()
        assert sys.path == path
        assert {"helper", "gate"}.isdisjoint(sys.modules)
    with SmppTestHarness() as harness:
        assert submit(harness) is None
        assert harness.run(cache.get("k")) is None
        assert harness.run(smpp.submit_via("carrier", short_message=b"x")).message_id == "msg-1"
        assert receipts._sweeper is None
        assert harness.counters["handler_errors"] == 0


def test_a_new_harness_ends_the_one_before():
    first = SmppTestHarness()
    first.load_script("examples/gateway.py")
    second = SmppTestHarness()
    assert submit(second) is None
    with pytest.raises(RuntimeError, match="another"):
        submit(first)
    first.close()
    second.close()
    second.close()


def test_a_harness_that_is_closed_is_let_go():
    harness = SmppTestHarness()
    harness.load_script("examples/gateway.py")
    submit(harness)
    gone = weakref.ref(harness)
    harness.close()
    del harness
    gc.collect()
    assert gone() is None


def test_the_timeout_of_handlers_works_in_every_harness():
    for _ in range(2):
        with SmppTestHarness({"handler_timeout_ms": 100}) as harness:
            harness.load_source(
                "import asyncio\nfrom siphon import smpp\n"
                '@smpp.on_pdu("submit_sm")\nasync def f(pdu, session): await asyncio.Event().wait()\n'
            )
            with pytest.raises(TimeoutError):
                submit(harness)


def test_a_thousand_messages(smpp_harness):
    smpp_harness.load_script("examples/gateway.py")
    for number in range(1, 1001):
        assert submit(smpp_harness).ok
        assert smpp_harness.deliver_sm(esm_class=4, short_message=f"id:msg-{number} stat:DELIVRD".encode()).ok
    assert sum(helper == "deliver_to" for helper, _ in smpp_harness.history) == 1000
    assert smpp_harness.counters["receipts_unmatched"] == 0


def test_what_is_closed_does_nothing(tmp_path):
    harness = SmppTestHarness()
    harness.close()
    (tmp_path / "gate.py").write_text("")
    coroutine = cache.get("k")
    for call in (
        lambda: harness.load_script(tmp_path / "gate.py"),
        lambda: harness.load_source(""),
        harness.reload,
        lambda: harness.advance(1),
        lambda: harness.run(coroutine),
        lambda: submit(harness),
    ):
        with pytest.raises(RuntimeError, match="this harness is closed"):
            call()
    coroutine.close()


def test_reset_lets_background_tasks_end(smpp_harness):
    seen = []

    async def background():
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0.5)
            seen.append("cleaned up")

    async def stubborn():
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                seen.append("stubborn")

    async def script():
        tasks.extend([asyncio.create_task(background()), asyncio.create_task(stubborn())])
        await asyncio.sleep(0)
        await cache.set("k", "v")

    tasks = []
    smpp_harness.run(script())
    smpp_harness.reset()
    assert seen[:1] == ["stubborn"] and "cleaned up" in seen
    assert smpp_harness.run(cache.get("k")) is None


# -- loading -------------------------------------------------------------------------------


def test_a_script_that_is_not_there(smpp_harness):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        smpp_harness.load_script("nowhere.py")


def test_a_script_with_an_error_says_where(smpp_harness, tmp_path):
    (tmp_path / "broken.py").write_text("x = 1\n1 / 0\n")
    with pytest.raises(ZeroDivisionError) as caught:
        smpp_harness.load_script(tmp_path / "broken.py")
    assert caught.traceback[-1].path == tmp_path / "broken.py"
    assert caught.traceback[-1].lineno == 1  # counted from 0
    with pytest.raises(SyntaxError):
        smpp_harness.load_source("def")


def test_reload(smpp_harness, tmp_path):
    script = tmp_path / "gate.py"
    text = """
import asyncio
from siphon import log, smpp
VERSION = "one"

@smpp.on_pdu("submit_sm")
def on_submit(pdu, session):
    return pdu.reply(message_id=VERSION)
"""
    script.write_text(text)
    smpp_harness.load_script(script)
    assert smpp.config()["script"] == str(script)
    assert submit(smpp_harness).message_id == "one"
    script.write_text(text.replace("one", "two"))
    assert submit(smpp_harness).message_id == "one"
    smpp_harness.reload()
    assert submit(smpp_harness).message_id == "two"
    script.write_text("raise RuntimeError")
    with pytest.raises(RuntimeError):
        smpp_harness.reload()
    assert submit(smpp_harness).message_id == "two"
    script.write_text("")
    smpp_harness.reload()
    assert submit(smpp_harness) is None


def test_reload_ends_what_the_old_one_started(smpp_harness, tmp_path):
    """As in the gateway: tasks and timers of the load, not those of handlers; a load that fails ends its own."""
    (tmp_path / "beside.py").write_text("NAME = 'one'\n")
    script = tmp_path / "gate.py"
    text = """
import asyncio, beside
from siphon import log, smpp

async def every_second(whose):
    while True:
        await asyncio.sleep(1)
        log.info(whose)

smpp.loop.create_task(every_second(beside.NAME))
smpp.loop.call_later(10, log.info, beside.NAME + "'s timer")

@smpp.on_session("bound")
async def bound(session):
    asyncio.create_task(every_second("a handler's"))
"""
    script.write_text(text)

    def said(seconds):
        smpp_harness.log.clear()
        smpp_harness.advance(seconds)
        return {line for _, line in smpp_harness.log.messages}

    async def loop():
        return asyncio.get_running_loop()

    smpp.loop = smpp_harness.run(loop())
    try:
        smpp_harness.load_script(script)
        smpp_harness.session_event("bound")
        assert said(1.5) == {"one", "a handler's"}
        (tmp_path / "beside.py").write_text("NAME = 'three'\n")
        script.write_text(text + "raise RuntimeError\n")
        with pytest.raises(RuntimeError):
            smpp_harness.reload()
        assert said(1.5) == {"one", "a handler's"}
        script.write_text(text)
        smpp_harness.reload()
        assert said(1.5) == {"three", "a handler's"}
        assert said(20) == {"three", "a handler's", "three's timer"}
        smpp_harness.reload()
        assert said(1.5) == {"three", "a handler's"}
    finally:
        del smpp.loop


def test_reload_of_several(smpp_harness):
    for command in ("cancel_sm", "replace_sm"):
        smpp_harness.load_source(
            f"from siphon import smpp\nsmpp.on_pdu({command!r})(lambda pdu, session: pdu.reply())\n"
        )
    smpp_harness.reload()
    assert smpp_harness.cancel_sm(message_id="1").ok
    assert smpp_harness.replace_sm(message_id="1").ok


def test_a_modules_name_gets_its_earlier_meaning_back(tmp_path):
    import json as earlier

    (tmp_path / "json.py").write_text("mine = 1\n")
    (tmp_path / "gate.py").write_text("import sys\nsys.modules.pop('json')\nimport json\nassert json.mine\n")
    with SmppTestHarness() as harness:
        harness.load_script(tmp_path / "gate.py")
        assert sys.modules["json"] is not earlier
    assert sys.modules["json"] is earlier


# -- events --------------------------------------------------------------------------------


def test_bind(smpp_harness):
    seen = []

    @smpp.on_bind
    def on_bind(bind):
        seen.append((bind.system_id, bind.bind_type, bind.system_type, bind.addr_range, bind.client_addr))
        return bind.password == "yes"

    assert smpp_harness.bind("a", password="yes", bind_type="receiver", system_type="VMS", addr_range="1")
    assert seen == [("a", "receiver", "VMS", "1", "203.0.113.5:5000")]
    rejected = smpp_harness.bind("a", password="no")
    assert (bool(rejected), rejected.status) == (False, "ESME_RBINDFAIL")
    with pytest.raises(ValueError, match="password"):
        smpp_harness.bind("a", password="too long for the protocol")
    with pytest.raises(ValueError, match="transceiver"):
        smpp_harness.bind("a", bind_type="both")


def test_a_vendors_status_for_a_bind(smpp_harness):
    smpp.on_bind(lambda bind: bind.reject(0x401, "why"))
    rejected = smpp_harness.bind("a")
    assert (rejected.status, rejected.reason) == ("0x00000401", "why")


def test_the_pdu_is_the_gateways_own(smpp_harness):
    seen = []

    @smpp.on_pdu("submit_sm")
    async def on_submit(pdu, session):
        await asyncio.sleep(0)
        seen.append((pdu, session))

    reply = submit(
        smpp_harness, tlvs={"USER_MESSAGE_REFERENCE": 7}, session_id="s", system_id="\u00e9", client_addr="192.0.2.1:1"
    )
    [(pdu, session)] = seen
    assert isinstance(pdu, smpp.Pdu)
    assert (pdu.registered_delivery, pdu.user_message_reference, pdu.source_addr_ton) == (1, 7, 1)
    assert (session.kind, session.session_id, session.system_id) == ("esme", "s", "\u00e9")
    assert reply.ok and len(reply.message_id) > 10  # the gateway made one
    submit(smpp_harness, registered_delivery=0)
    assert seen[1][0].registered_delivery == 0
    with pytest.raises(ValueError, match="MESSAGE_PAYLOAD"):
        submit(smpp_harness, short_message=b"x" * 255)
    with pytest.raises(TypeError, match="sourceaddr"):
        submit(smpp_harness, sourceaddr="1")


def test_replies_of_every_command(smpp_harness):
    smpp_harness.load_source("""
from siphon import smpp

@smpp.on_pdu("submit_sm_multi")
def multi(pdu, session):
    return pdu.reply(message_id="m", unsuccessful=[(pdu.destinations[1], "ESME_RINVDSTADR")])

@smpp.on_pdu("data_sm")
def data(pdu, session):
    return pdu.reply(message_id="d", tlvs={"DELIVERY_FAILURE_REASON": 1})

@smpp.on_pdu("query_sm")
def query(pdu, session):
    return pdu.reply_query(message_state=2, final_date="261123120000000+", error_code=9)

@smpp.on_pdu("cancel_sm")
def cancel(pdu, session):
    return pdu.reply(command_status=0x400)

@smpp.on_pdu("replace_sm")
def replace(pdu, session):
    return None

@smpp.on_pdu("deliver_sm")
def deliver(pdu, session):
    assert session.bind == session.system_id == "carrier"
    return pdu.reply()
""")
    multi = smpp_harness.submit_sm_multi(destinations=["1", "2"], short_message=b"x")
    assert multi.message_id == "m"
    assert [(str(address), status) for address, status in multi.unsuccessful] == [("2", "ESME_RINVDSTADR")]
    data = smpp_harness.data_sm(source_addr="1", destination_addr="2", short_message=b"x" * 1000)
    assert (data.message_id, data.tlvs) == ("d", {0x0425: b"\x01"})
    query = smpp_harness.query_sm(message_id="q")
    assert (query.message_id, query.message_state, query.error_code) == ("q", 2, 9)
    assert query.final_date == "261123120000000+"
    cancel = smpp_harness.cancel_sm(message_id="c")
    assert (cancel.ok, cancel.command_status, cancel.message_id) == (False, "0x00000400", None)
    assert smpp_harness.replace_sm(message_id="r", short_message=b"new").ok
    deliver = smpp_harness.deliver_sm(short_message=b"x")
    assert deliver.ok and deliver.message_id is None


ESME = ("esme", "esme-1", "esme1", "203.0.113.5:5000")
BIND = ("bind", "bind-1", "carrier", "198.51.100.7:2775")


@pytest.mark.parametrize(
    ("command", "call", "whose"),
    [
        ("submit_sm", lambda h: h.submit_sm(), ESME),
        ("submit_sm_multi", lambda h: h.submit_sm_multi(destinations=["1"]), ESME),
        ("cancel_sm", lambda h: h.cancel_sm(message_id="1"), ESME),
        ("query_sm", lambda h: h.query_sm(message_id="1"), ESME),
        ("replace_sm", lambda h: h.replace_sm(message_id="1"), ESME),
        ("data_sm", lambda h: h.data_sm(), ESME),
        ("deliver_sm", lambda h: h.deliver_sm(), BIND),
        ("alert_notification", lambda h: h.alert_notification(), BIND),
        ("session", lambda h: h.session_event("unbound"), ESME),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_whose_session_it_is(smpp_harness, command, call, whose):
    seen = []

    def handler(*args):
        session = args[-1]
        seen.append((session.kind, session.session_id, session.system_id, session.client_addr))

    (smpp.on_session("unbound") if command == "session" else smpp.on_pdu(command))(handler)
    call(smpp_harness)
    assert seen == [whose]


def test_session_events_and_sessions(smpp_harness):
    order = []

    @smpp.on_session("bound")
    async def first(session):
        await asyncio.sleep(5)
        order.append(("first", session.session_id))

    @smpp.on_session("bound")
    def second(session):
        order.append(("second", session.session_id))

    smpp_harness.session_event("bound", session_id="s1", system_id="esme1")
    assert order == [("first", "s1"), ("second", "s1")]
    smpp_harness.session_event("bound", session_id="s2", system_id="esme2")
    smpp_harness.session_event("bound", kind="bind", session_id="b1", system_id="carrier")
    found = smpp_harness.run(smpp.sessions())
    assert {session.session_id for session in found} == {"s1", "s2"}
    assert [session.session_id for session in smpp_harness.run(smpp.sessions("esme2"))] == ["s2"]
    smpp_harness.session_event("unbound", session_id="s1", system_id="esme1")
    assert [session.session_id for session in smpp_harness.run(smpp.sessions())] == ["s2"]
    with pytest.raises(ValueError):
        smpp_harness.session_event("closed")


# -- errors, log ---------------------------------------------------------------------------

RAISES = """
from siphon import log, smpp

@smpp.on_pdu("submit_sm")
async def on_submit(pdu, session):
    log.error("before")
    raise LookupError("no such route")

@smpp.on_pdu("deliver_sm")
def on_deliver(pdu, session):
    return "ok"

@smpp.on_session("bound")
async def bound(session):
    raise KeyError(session.session_id)

@smpp.on_bind
async def on_bind(bind):
    raise ValueError("no")
"""


def test_exceptions_come_out(smpp_harness):
    smpp_harness.load_source(RAISES)
    with pytest.raises(LookupError, match="no such route"):
        submit(smpp_harness)
    with pytest.raises(TypeError, match="returned str"):
        smpp_harness.deliver_sm(short_message=b"x")
    with pytest.raises(KeyError):
        smpp_harness.session_event("bound")
    with pytest.raises(ValueError):
        smpp_harness.bind("a")


FAILURES = {"cancel_sm": "ESME_RCANCELFAIL", "query_sm": "ESME_RQUERYFAIL", "replace_sm": "ESME_RREPLACEFAIL"}


def test_or_the_peer_gets_what_it_gets(tmp_path):
    with SmppTestHarness(raise_errors=False) as harness:
        harness.load_source(RAISES, "routes.py")
        assert submit(harness).command_status == "ESME_RSYSERR"
        assert harness.deliver_sm(short_message=b"x").command_status == "ESME_RX_T_APPN"
        assert harness.bind("a").status == "ESME_RSYSERR"
        for command, status in FAILURES.items():
            smpp.on_pdu(command)(lambda pdu, session: 1 / 0)
            assert getattr(harness, command)(message_id="1").command_status == status
        harness.session_event("bound")
        errors = [text for level, text in harness.log.messages if level == "error"]
        assert errors[0] == "before"
        assert errors[1].startswith("handler submit_sm: ") and "LookupError: no such route" in errors[1]
        assert harness.counters["handler_errors"] == 6


def test_a_receipts_handler_that_raises_is_not_the_tests_error(smpp_harness):
    smpp_harness.load_script("examples/gateway.py")
    submit(smpp_harness)
    smpp_harness.answer("deliver_to", "no_session", times=1)
    receipt = {"esm_class": 4, "short_message": b"id:msg-1 stat:DELIVRD err:000"}
    assert smpp_harness.deliver_sm(**receipt).command_status == "ESME_RX_T_APPN"
    assert smpp_harness.deliver_sm(**receipt).ok


def test_log(smpp_harness):
    smpp_harness.load_source("from siphon import log\nlog.debug('a %d', 1)\nlog.warning('b')\nlog.info('\\udc80')")
    assert smpp_harness.log.messages == [("debug", "a 1"), ("warn", "b"), ("info", "\\udc80")]


# -- cache ---------------------------------------------------------------------------------


def test_cache(smpp_harness):
    smpp_harness.cache.put("esme_pw:esme1", "changed", ttl=60)
    smpp_harness.cache.put("n", 5)
    smpp_harness.load_script("examples/gateway.py")
    assert not smpp_harness.bind("esme1", password="s3cret")
    assert smpp_harness.bind("esme1", password="changed")
    smpp_harness.advance(61)
    assert smpp_harness.bind("esme1", password="s3cret")
    assert smpp_harness.run(cache.incr("n", 2)) == 7
    assert smpp_harness.run(cache.list_push("list", "x")) == 1
    assert smpp_harness.cache.data == {"n": "7", "list": ["x"]}
    smpp_harness.cache.clear()
    assert smpp_harness.cache.data == {}


def test_data_of_a_named_cache_is_replaced(smpp_harness):
    smpp_harness.cache.set_data("a", {"k": "1", "l": "2"})
    smpp_harness.cache.set_data("b", {"k": "3"})
    smpp_harness.cache.set_data("a", {"k": "4"})
    assert smpp_harness.cache.data == {"a:k": "4", "b:k": "3"}
    smpp_harness.cache.put("text", b"\xff")
    smpp_harness.run(cache.list_push("list", "\udcff"))
    assert (smpp_harness.cache.data["text"], smpp_harness.cache.data["list"]) == ("\udcff", ["\udcff"])


def test_octets_in_the_cache_come_back_as_they_were(smpp_harness):
    async def script():
        await cache.set("k", b"\xff\x00a")
        value = await cache.get("k")
        await cache.set("k", value)
        return value

    assert smpp_harness.run(script()).encode("utf-8", "surrogateescape") == b"\xff\x00a"


def test_redis_away(smpp_harness):
    smpp_harness.load_script("examples/gateway.py")
    smpp_harness.redis_away = True
    with pytest.raises(cache.CacheError):
        smpp_harness.run(cache.get("k"))
    assert submit(smpp_harness).ok  # the upstream has it: it is remembered in memory
    receipt = {"esm_class": 4, "short_message": b"id:msg-1 stat:DELIVRD err:000"}
    assert smpp_harness.deliver_sm(**receipt).command_status == "ESME_RX_T_APPN"
    smpp_harness.redis_away = False
    smpp_harness.advance(10)
    assert smpp_harness.deliver_sm(**receipt).ok
    assert smpp_harness.sent[0][0] == "deliver_to"


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        (("SET", "k", "v", "NX", "GET", "PX", 1000), None),
        (("SET", "k", "w", "NX", "GET", "PX", 1000), "v"),
        (("SET", "k", "w", "XX", "GET", "KEEPTTL"), "v"),
        (("PEXPIRE", "k", 1000), 1),
        (("INCRBY", "n", 3), 3),
        (("RPUSH", "l", "a"), 1),
        (("LPOP", "l", 1000000000), ["a"]),
        (("LPOP", "l", 1000000000), None),
        (("ZADD", "z", 5, "m"), 1),
        (("ZADD", "z", "NX", 6, "m"), 0),
        (("ZRANGEBYSCORE", "z", "-inf", 5, "LIMIT", 0, 100), ["m"]),
        (("ZREM", "z", "m"), 1),
        (("HSET", "h", "f", "v"), 1),
        (("HVALS", "h"), ["v"]),
        (("DEL", "k"), 1),
        (("EXISTS", "k"), 0),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_commands_of_redis(redis_session, command, reply):
    assert redis_session(*command) == reply


@pytest.fixture(scope="module")
def redis_session():
    """One Redis for all commands, in their order."""
    import _siphon

    with SmppTestHarness() as harness:

        async def call(*command):
            return await _siphon.redis(*command)

        yield lambda *command: harness.run(call(*command))


def test_an_error_of_redis(smpp_harness):
    async def script():
        await cache.set("k", "text")
        await cache.incr("k")

    with pytest.raises(cache.CacheError, match="integer"):
        smpp_harness.run(script())


# -- configuration ---------------------------------------------------------------------------


def test_the_defaults_are_the_files(smpp_harness):
    config = smpp.config()
    assert config["server"]["port"] == 2775
    assert config["handler_timeout_ms"] == 25000
    assert [bind["name"] for bind in smpp.binds()] == ["carrier"]
    assert "password" not in smpp.binds()[0]
    assert smpp.routing_rules() == (["bind:carrier"], [])


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"sever": {}}, "sever: unknown name"),
        ({"server": {"port": "x"}}, "server.port: .*an integer from 1 to 65535"),
        ({"server": {"port": 0}}, "server.port: found .0., expected an integer from 1 to 65535"),
        ({"server": {"port": True}}, "server.port"),
        ({"server": {"system_id": 7}}, "server.system_id: found int, expected a string"),
        ({"server": []}, "server: expected a dict"),
        ({"binds": [{}]}, "binds.0.name: expected a value"),
        ({"binds": [{"name": "a"}, {"name": "b"}, {"name": "a"}]}, 'binds.2: found the name "a" a second time'),
        ({"binds": [{"name": "a", "reconnect_min_ms": 2, "reconnect_max_ms": 1}]}, "binds.0: found reconnect_min_ms 2"),
        ({"binds": [{"name": "a", "bind_type": "both"}]}, "binds.0.bind_type: .*transceiver"),
        ({"routing": {"default_chain": ["bind:b"]}, "binds": []}, "routing.default_chain.0: .*one of the binds"),
        ({"routing": {"default_chain": "bind:b"}}, "routing.default_chain: expected a list"),
        ({"routing": {"rules": [{"prefix": "1"}]}}, "routing.rules.0.chain"),
        ({"http": {}}, "http: not built yet"),
    ],
)
def test_a_configuration_that_is_refused(config, words):
    with pytest.raises(ValueError, match=words):
        SmppTestHarness(config)


def test_rules_and_options():
    config = {
        "binds": [{"name": "a"}, {"name": "b", "id_match": "hex-to-dec"}],
        "routing": {"rules": [{"prefix": "44", "chain": ["bind:b", "bind:a"], "options": {"cost": 5, "x": True}}]},
    }
    with SmppTestHarness(config) as harness:
        assert harness.smpp.routing_rules() == (
            [],
            [{"name": "", "prefix": "44", "chain": ["bind:b", "bind:a"], "options": {"cost": "5", "x": "true"}}],
        )
        harness.load_script("examples/gateway.py")
        assert submit(harness, destination_addr="4420").ok
        assert harness.sent[0][1]["bind"] == "b"
