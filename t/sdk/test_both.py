"""What siphon's own SDK and this one have in common. Run with either: with siphon-sip installed, it is theirs."""

import pytest
from siphon_sdk import mock_module
from siphon_sdk.smpp import (
    SMPP_STATUSES,
    MockAlertNotification,
    MockBind,
    MockBindResult,
    MockPdu,
    MockPduReply,
    MockQueryResp,
    MockSession,
    MockSmppResp,
)
from siphon_sdk.smpp_testing import SmppTestHarness

SCRIPT = """
from siphon import log, smpp

seen = []

@smpp.on_bind
def authorise(bind):
    log.info(f"bind {bind.system_id} from {bind.client_addr}")
    if bind.password == "s3cret":
        return bind.accept()
    return bind.reject("ESME_RINVPASWD", "bad password")

@smpp.on_pdu("submit_sm")
async def on_submit(pdu, session):
    if pdu.short_message == b"typo":
        return pdu.reply(command_status="ESME_RTYPO")
    if pdu.short_message == b"nothing":
        return None
    resp = await smpp.submit_via(bind="carrier", source_addr=pdu.source_addr,
                                 destination_addr=pdu.destination_addr, short_message=pdu.short_message,
                                 data_coding=pdu.data_coding)
    if not resp.ok:
        return pdu.reply(command_status=resp.command_status)
    return pdu.reply(message_id=resp.message_id)

@smpp.on_pdu("submit_sm_multi")
async def on_multi(pdu, session):
    resp = await smpp.submit_multi_via(bind="carrier", source_addr=pdu.source_addr, destinations=pdu.destinations,
                                       short_message=pdu.short_message)
    return pdu.reply(message_id=resp.message_id)

@smpp.on_pdu("deliver_sm")
async def on_deliver(pdu, session):
    receipt = pdu.receipt
    text = receipt["stat"].encode() if pdu.is_dlr else pdu.short_message
    await smpp.deliver_to(session_id="esme-1", source_addr=pdu.source_addr,
                          destination_addr=pdu.destination_addr, short_message=text, esm_class=pdu.esm_class)
    return pdu.reply()

@smpp.on_pdu("data_sm")
async def on_data(pdu, session):
    if session.kind == "bind":
        await smpp.data_to(session_id="esme-1", source_addr=pdu.source_addr, destination_addr=pdu.destination_addr)
    else:
        await smpp.data_via(bind="carrier", source_addr=pdu.source_addr, destination_addr=pdu.destination_addr)
    return pdu.reply(message_id="data-1")

@smpp.on_pdu("cancel_sm")
async def on_cancel(pdu, session):
    await smpp.cancel_via(bind="carrier", message_id=pdu.message_id)
    return pdu.reply(command_status="ESME_RCANCELFAIL")

@smpp.on_pdu("query_sm")
async def on_query(pdu, session):
    state = await smpp.query_via(bind="carrier", message_id=pdu.message_id)
    return pdu.reply_query(message_state=state.message_state, final_date=state.final_date,
                           error_code=state.error_code)

@smpp.on_pdu("replace_sm")
async def on_replace(pdu, session):
    await smpp.replace_via(bind="carrier", message_id=pdu.message_id, short_message=pdu.short_message)
    return pdu.reply()

@smpp.on_pdu("alert_notification")
async def on_alert(alert, session):
    await smpp.alert_to(session_id="esme-1", source_addr=alert.source_addr, esme_addr=alert.esme_addr)

@smpp.on_session("bound")
async def bound(session):
    log.info(f"{session.kind} {session.session_id} bound")

@smpp.on_session("unbound")
def unbound(session):
    log.warning(f"{session.kind} {session.session_id} unbound")
"""


@pytest.fixture
def harness():
    harness = SmppTestHarness()
    harness.load_source(SCRIPT)
    yield harness
    harness.close()


def test_bind(harness):
    accepted = harness.bind("esme1", password="s3cret", client_addr="192.0.2.1:4000")
    assert accepted and isinstance(accepted, MockBindResult) and accepted.accept
    rejected = harness.bind("esme1", password="wrong")
    assert not rejected
    assert (rejected.status, rejected.reason) == ("ESME_RINVPASWD", "bad password")
    assert ("info", "bind esme1 from 192.0.2.1:4000") in harness.log.messages


def test_no_handlers():
    harness = SmppTestHarness()
    rejected = harness.bind("esme1")
    assert not rejected and rejected.status == "ESME_RBINDFAIL"
    assert harness.submit_sm(source_addr="1", destination_addr="2", short_message=b"x") is None
    assert harness.alert_notification(source_addr="1", esme_addr="2") is None
    harness.session_event("bound")
    assert harness.sent == []
    harness.close()


def test_submit(harness):
    reply = harness.submit_sm(source_addr="15550100", destination_addr="15550101", short_message=b"hi", data_coding=8)
    assert reply.ok and reply.command_status == "ESME_ROK" and reply.message_id
    assert isinstance(reply, MockPduReply)
    [(helper, arguments)] = harness.sent
    assert helper == "submit_via"
    assert arguments["bind"] == "carrier"
    assert arguments["short_message"] == b"hi"
    assert arguments["data_coding"] == 8
    assert harness.smpp.sent == harness.sent


def test_none_is_ok_and_a_typo_raises(harness):
    assert harness.submit_sm(short_message=b"nothing").ok
    with pytest.raises(ValueError, match="ESME_RTYPO"):
        harness.submit_sm(short_message=b"typo")


def test_multi(harness):
    reply = harness.submit_sm_multi(source_addr="1", destinations=["2", "3"], short_message=b"x")
    assert reply.ok
    assert harness.sent[-1][0] == "submit_multi_via"
    assert list(harness.sent[-1][1]["destinations"]) == ["2", "3"]


def test_deliver(harness):
    assert harness.deliver_sm(source_addr="1", destination_addr="2", short_message=b"mo").ok
    assert harness.sent[-1][1]["short_message"] == b"mo"
    harness.deliver_sm(esm_class=0x04, short_message=b"id:1 stat:DELIVRD err:000")
    assert harness.sent[-1][1]["short_message"] == b"DELIVRD"
    assert harness.sent[-1][1]["session_id"] == "esme-1"


def test_data(harness):
    assert harness.data_sm(source_addr="1", destination_addr="2").message_id == "data-1"
    assert harness.sent[-1][0] == "data_via"
    assert harness.data_sm(kind="bind", system_id="carrier", source_addr="1", destination_addr="2").ok
    assert harness.sent[-1][0] == "data_to"


def test_cancel_and_replace(harness):
    assert harness.cancel_sm(message_id="m1").command_status == "ESME_RCANCELFAIL"
    assert harness.sent[-1][0] == "cancel_via" and harness.sent[-1][1]["message_id"] == "m1"
    assert harness.replace_sm(message_id="m2", short_message=b"new").ok
    assert harness.sent[-1][0] == "replace_via" and harness.sent[-1][1]["short_message"] == b"new"


def test_query(harness):
    reply = harness.query_sm(message_id="m1")
    assert (reply.message_id, reply.message_state) == ("m1", 1)
    harness.smpp.set_query_result(MockQueryResp(message_id="m1", message_state=5, error_code=7))
    reply = harness.query_sm(message_id="m1")
    assert (reply.ok, reply.message_state, reply.error_code) == (True, 5, 7)


def test_alert(harness):
    harness.alert_notification(source_addr="15550100", esme_addr="99")
    assert harness.sent[-1][0] == "alert_to"
    assert harness.sent[-1][1]["esme_addr"] == "99"


def test_sessions(harness):
    harness.session_event("bound", session_id="s1")
    harness.session_event("unbound", kind="bind", session_id="b1", system_id="carrier")
    assert ("info", "esme s1 bound") in harness.log.messages
    assert ("warn", "bind b1 unbound") in harness.log.messages
    harness.log.clear()
    assert harness.log.messages == []


def test_config():
    config = {
        "server": {"bind_address": "127.0.0.1", "port": 12775},
        "binds": [{"name": "eu", "host": "eu.example", "port": 2776, "system_id": "us"}],
        "routing": {"default_chain": ["bind:eu"], "rules": [{"prefix": "44", "chain": ["bind:eu"]}]},
    }
    harness = SmppTestHarness(config)
    smpp = harness.smpp
    assert smpp.bind_address() == "127.0.0.1:12775"
    assert [(bind["name"], bind["host"], bind["port"]) for bind in smpp.binds()] == [("eu", "eu.example", 2776)]
    chain, rules = smpp.routing_rules()
    assert chain == ["bind:eu"]
    assert [(rule["prefix"], rule["chain"]) for rule in rules] == [("44", ["bind:eu"])]
    assert smpp.config()["server"]["port"] == 12775
    smpp.set_config({"server": {"bind_address": "::1", "port": 1}, "binds": []})
    assert smpp.config()["server"]["port"] == 1
    harness.close()


def test_reset(harness):
    harness.submit_sm(short_message=b"x")
    harness.cache.set_data("cnam", {"1": "Sales"})
    harness.reset()
    assert harness.sent == [] and harness.log.messages == []
    assert harness.submit_sm(short_message=b"x") is None


def test_cache():
    harness = SmppTestHarness()
    harness.cache.set_data("cnam", {"15550100": "Sales"})
    harness.load_source("""
from siphon import cache, smpp

@smpp.on_pdu("submit_sm")
async def on_submit(pdu, session):
    assert cache.has_cache("cnam")
    await cache.store("cnam", "other", "x", ttl=60)
    assert await cache.exists("cnam", "other")
    assert await cache.list_push("cnam", "list", "one") == 1
    assert await cache.list_push("cnam", "list", "two") == 2
    assert await cache.list_len("cnam", "list") == 2
    assert await cache.list_pop_all("cnam", "list") == ["one", "two"]
    await cache.delete("cnam", "other")
    assert not await cache.exists("cnam", "other")
    return pdu.reply(message_id=await cache.fetch("cnam", pdu.source_addr))
""")
    assert harness.submit_sm(source_addr="15550100", short_message=b"x").message_id == "Sales"
    harness.close()


def test_objects():
    pdu = MockPdu(command="deliver_sm", source_addr="1", esm_class=0x04, short_message="id:7 stat:UNDELIV err:001")
    assert isinstance(pdu, MockPdu) and pdu.is_dlr and not pdu.is_tpdu
    assert (pdu.receipt["id"], pdu.receipt["stat"], pdu.receipt["err"]) == ("7", "UNDELIV", "001")
    assert (pdu.command, pdu.source_addr, pdu.source_addr_ton, pdu.dest_addr_npi) == ("deliver_sm", "1", 1, 1)
    assert pdu.reply(command_status="ESME_RX_T_APPN").command_status == "ESME_RX_T_APPN"
    with pytest.raises(ValueError):
        pdu.reply(command_status="ESME_NONE")
    assert MockPdu(command="submit_sm_multi", destinations=["1", "2"]).destinations == ["1", "2"]
    assert MockPdu(command="query_sm", message_id="9").reply_query(message_state=2).message_id == "9"
    bind = MockBind(system_id="a", password="b", client_addr="c")
    assert (bind.system_id, bind.password, bind.client_addr) == ("a", "b", "c")
    assert bind.accept() and not bind.reject()
    assert not MockBindResult(accept=False, status="ESME_RINVSYSID", reason="who")
    session = MockSession(kind="bind", session_id="1", system_id="carrier")
    assert (session.kind, session.system_id) == ("bind", "carrier")
    with pytest.raises(ValueError):
        MockSession(kind="other")
    alert = MockAlertNotification(source_addr="1", esme_addr="2", ms_availability_status=0)
    assert (alert.source_addr, alert.ms_availability_status) == ("1", 0)
    assert MockSmppResp(message_id="7").ok and not MockSmppResp(command_status="ESME_RSYSERR").ok
    assert MockQueryResp(message_state=2, message_id="7").message_state == 2
    assert MockPduReply(message_id="7").ok
    assert "ESME_RTHROTTLED" in SMPP_STATUSES


def test_mock_module():
    mock_module.install()
    harness = SmppTestHarness()
    harness.load_source(SCRIPT)
    assert mock_module.get_log().messages == harness.log.messages
    mock_module.get_cache().set_data("a", {"k": "v"})
    mock_module.get_registry().clear()
    assert harness.submit_sm(short_message=b"x") is None
    mock_module.get_smpp().clear()
    mock_module.get_registry().register("smpp.on_bind", None, lambda bind: True, False)
    assert harness.bind("esme1")
    harness.load_source(SCRIPT)
    mock_module.reset()
    assert harness.submit_sm(short_message=b"x") is None
    harness.close()
