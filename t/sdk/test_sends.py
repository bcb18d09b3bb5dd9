"""What becomes of sends: recorded, and answered as the test says."""

import pytest
from siphon import smpp as real
from siphon_sdk.smpp import MockQueryResp

SUBMIT = """
from siphon import smpp

@smpp.on_pdu("submit_sm")
async def on_submit(pdu, session):
    try:
        resp = await smpp.submit_via(bind="carrier", short_message=pdu.short_message, timeout=TIMEOUT)
    except smpp.SmppError as exc:
        return pdu.reply(message_id=type(exc).__name__)
    return pdu.reply(message_id=resp.message_id) if resp.ok else pdu.reply(command_status=resp.command_status)
"""


@pytest.fixture
def harness(smpp_harness):
    smpp_harness.load_source(SUBMIT.replace("TIMEOUT", "None"))
    return smpp_harness


def submitted(harness):
    reply = harness.submit_sm(source_addr="1", destination_addr="2", short_message=b"x")
    return reply.message_id if reply.ok else reply.command_status


def test_ids_count_what_is_accepted(harness):
    harness.answer("submit_via", "ESME_RMSGQFUL", times=1)
    assert [submitted(harness) for _ in range(3)] == ["ESME_RMSGQFUL", "msg-1", "msg-2"]


def test_a_vendors_status_and_an_id(harness):
    harness.answer("submit_via", 0x400)
    reply = harness.run(real.submit_via("carrier", short_message=b"x"))
    assert (reply.ok, reply.command_status) == (False, "0x00000400")
    harness.answer("submit_via", message_id="abc")
    assert submitted(harness) == "abc"


@pytest.mark.parametrize(
    ("outcome", "raised"),
    [
        ("timeout", "ResponseTimeout"),
        ("gone", "ResponseTimeout"),
        ("bind_down", "BindDown"),
        ("refused", "BindDown"),
        ("window_full", "WindowFull"),
    ],
)
def test_hard_failures(harness, outcome, raised):
    harness.answer("submit_via", outcome)
    assert submitted(harness) == raised
    assert len(harness.sent) == 1


def test_a_bind_that_is_down(harness):
    harness.bind_down("carrier")
    assert submitted(harness) == "BindDown"
    harness.bind_up("carrier")
    assert submitted(harness) == "msg-1"


def test_an_unknown_bind_is_the_gateways_own_error(harness):
    with pytest.raises(real.UnknownBind):
        harness.run(real.submit_via("nobody"))


def test_a_timeout_takes_its_time_of_the_test_only(smpp_harness):
    smpp_harness.load_source(SUBMIT.replace("TIMEOUT", "7.5"))
    smpp_harness.answer("submit_via", "timeout")
    before = smpp_harness.time
    assert submitted(smpp_harness) == "ResponseTimeout"
    assert smpp_harness.time - before == pytest.approx(7.5)
    assert smpp_harness.sent[0][1]["timeout"] == 7.5


def test_a_late_answer_reaches_receipts(smpp_harness):
    smpp_harness.load_script("examples/gateway.py")
    smpp_harness.answer("submit_via", after=30, times=1)  # response_timer_ms of the bind is 10000
    reply = smpp_harness.submit_sm(source_addr="1", destination_addr="2", short_message=b"x")
    assert reply.command_status == "ESME_RSYSERR"
    smpp_harness.advance(25)
    assert smpp_harness.deliver_sm(esm_class=4, short_message=b"id:msg-1 stat:DELIVRD").ok
    assert [helper for helper, _ in smpp_harness.sent] == ["deliver_to"]


def test_answers_for_one_target(smpp_harness):
    smpp_harness.smpp.set_config({"binds": [{"name": "a"}, {"name": "b"}]})
    smpp_harness.answer("submit_via", "ESME_RSYSERR", bind="a")
    smpp_harness.answer("deliver_to", "no_session", session_id="gone")
    smpp_harness.answer("deliver_to", "ESME_RX_T_APPN", system_id="slow")

    async def script():
        assert not (await real.submit_via("a", short_message=b"x")).ok
        assert (await real.submit_via("b", short_message=b"x")).ok
        assert (await real.deliver_to(system_id="slow")).command_status == "ESME_RX_T_APPN"
        assert (await real.deliver_to("there")).ok
        with pytest.raises(real.SessionGone):
            await real.deliver_to("gone")

    smpp_harness.run(script())
    assert len(smpp_harness.sent) == 5
    smpp_harness.clear_answers()
    assert smpp_harness.run(real.submit_via("a", short_message=b"x")).ok


def test_arguments_are_all_there(smpp_harness):
    smpp_harness.run(
        real.submit_via("carrier", source_addr="1", short_message="hi", tlvs={"SOURCE_PORT": 5, 0x1400: b"v"})
    )
    [(helper, arguments)] = smpp_harness.sent
    assert helper == "submit_via"
    assert arguments == {
        "bind": "carrier",
        "source_addr": "1",
        "destination_addr": "",
        "short_message": b"hi",
        "source_addr_ton": 1,
        "source_addr_npi": 1,
        "dest_addr_ton": 1,
        "dest_addr_npi": 1,
        "service_type": "",
        "esm_class": 0,
        "protocol_id": 0,
        "priority_flag": 0,
        "schedule_delivery_time": "",
        "validity_period": "",
        "registered_delivery": 0,
        "replace_if_present_flag": 0,
        "data_coding": 0,
        "sm_default_msg_id": 0,
        "tlvs": [(0x020A, b"\x00\x05"), (0x1400, b"v")],
        "timeout": None,
    }


def test_the_arguments_are_those_of_the_helpers(smpp_harness):
    """What is recorded has the names that the helper takes, for each of them."""
    calls = {
        "submit_via": real.submit_via("carrier"),
        "submit_multi_via": real.submit_multi_via("carrier", destinations=["1"]),
        "data_via": real.data_via("carrier", short_message=b"x" * 300),
        "cancel_via": real.cancel_via("carrier"),
        "query_via": real.query_via("carrier", message_id="1"),
        "replace_via": real.replace_via("carrier", message_id="1"),
        "deliver_to": real.deliver_to("s"),
        "data_to": real.data_to(system_id="s"),
        "alert_to": real.alert_to("s", ms_availability_status=2),
    }
    for name, call in calls.items():
        smpp_harness.run(call)
        [(helper, arguments)] = smpp_harness.sent
        function = getattr(real, name)
        takes = {*function.__kwdefaults__, *function.__code__.co_varnames[: function.__code__.co_argcount]}
        takes |= set(
            function.__code__.co_varnames[: function.__code__.co_argcount + function.__code__.co_kwonlyargcount]
        )
        targets = {"session_id", "system_id"}
        assert helper == name
        assert set(arguments) - targets == takes - targets, name
        for field, default in (function.__kwdefaults__ or {}).items():
            if type(default) is int:
                assert (field, arguments[field]) == (field, 1 if field.endswith(("_ton", "_npi")) else 0)
    assert smpp_harness.history[2][1]["short_message"] == b"x" * 300
    assert smpp_harness.history[-1][1]["ms_availability_status"] == 2


def test_the_times_of_an_answer(harness):
    harness.answer("submit_via", "ESME_RSYSERR")
    harness.answer("submit_via", "ESME_RMSGQFUL", times=2)
    harness.answer("submit_via", "ESME_RTHROTTLED", times=1)
    told = [submitted(harness) for _ in range(5)]
    assert told == ["ESME_RMSGQFUL", "ESME_RMSGQFUL", "ESME_RTHROTTLED", "ESME_RSYSERR", "ESME_RSYSERR"]


def test_clear(harness):
    harness.bind_down("carrier")
    harness.clear_answers()
    assert submitted(harness) == "msg-1"
    harness.answer("submit_via", "ESME_RSYSERR")
    harness.smpp.set_query_result(MockQueryResp(message_state=8))
    harness.smpp.set_config({"binds": [{"name": "carrier"}, {"name": "other"}]})
    harness.smpp.clear()
    assert (harness.sent, harness.history) == ([], [])
    assert [bind["name"] for bind in real.binds()] == ["carrier"]
    assert submitted(harness) == "msg-2"
    assert harness.run(real.query_via("carrier", message_id="7")).message_state == 1
    harness.smpp.set_query_result(MockQueryResp(message_state=8))
    harness.clear_answers()
    assert harness.run(real.query_via("carrier", message_id="7")).message_state == 1


def test_sent_is_of_the_last_event_and_history_of_all(harness):
    submitted(harness)
    submitted(harness)
    assert len(harness.sent) == 1
    harness.advance(1)
    assert harness.sent == []
    assert len(harness.history) == 2


def test_replies_of_other_commands(smpp_harness):
    smpp_harness.answer("submit_multi_via", message_id="m", unsuccessful=[("2", "ESME_RINVDSTADR")])
    smpp_harness.answer("data_via", tlvs={"NETWORK_ERROR_CODE": b"\x03\x00\x01"})
    smpp_harness.answer("query_via", message_state=2, final_date="261123120000000+", error_code=3)

    async def script():
        multi = await real.submit_multi_via("carrier", destinations=["1", "2"], short_message=b"x")
        assert multi.message_id == "m"
        assert [(str(address), status) for address, status in multi.unsuccessful] == [("2", "ESME_RINVDSTADR")]
        data = await real.data_via("carrier", short_message=b"x")
        assert data.tlvs == {0x0423: b"\x03\x00\x01"} and data.message_id == "msg-1"
        query = await real.query_via("carrier", message_id="7")
        assert (query.message_id, query.message_state, query.error_code) == ("7", 2, 3)
        assert query.final_date == "261123120000000+"

    smpp_harness.run(script())
    smpp_harness.clear_answers()
    assert smpp_harness.run(real.submit_multi_via("carrier", destinations=["1"])).message_id == "msg-2"
    smpp_harness.run(real.data_via("carrier", short_message=b"x", tlvs={0x1400: b"v"}))
    assert smpp_harness.sent[0][1]["tlvs"] == [(0x1400, b"v")]


def test_a_query_result(smpp_harness):
    smpp_harness.smpp.set_query_result(MockQueryResp(message_id="x", message_state=8))
    found = smpp_harness.run(real.query_via("carrier", message_id="7"))
    assert (found.message_id, found.message_state) == ("x", 8)
    smpp_harness.smpp.set_query_result(MockQueryResp(message_state=8))
    assert smpp_harness.run(real.query_via("carrier", message_id="7")).message_id == "7"
    smpp_harness.smpp.set_query_result(None)
    assert smpp_harness.run(real.query_via("carrier", message_id="7")).message_state == 1


def test_what_cannot_be_an_answer(harness):
    with pytest.raises(ValueError, match="no send helper"):
        harness.answer("send_via")
    with pytest.raises(ValueError, match="ESME_RTYPO"):
        harness.answer("submit_via", "ESME_RTYPO")
    with pytest.raises(ValueError, match="no bind"):
        harness.answer("deliver_to", "bind_down")
    harness.answer("submit_via", message_idd="x")
    with pytest.raises(TypeError, match="message_idd"):
        submitted(harness)


def test_a_vendors_status_is_passed_on(harness):
    harness.answer("submit_via", 0x4FF)
    assert submitted(harness) == "0x000004FF"
