"""The send helpers: what is on the wire, what comes back, what is raised."""

import pytest
from lib import proc
from lib import smpp_raw as raw
from lib.remote import SCRIPT, Remote

SOURCE = {"source_addr_ton": 5, "source_addr_npi": 0, "source_addr": "BANK"}
DEST = {"dest_addr_ton": 2, "dest_addr_npi": 8, "destination_addr": "15550101"}
TIMES = {"schedule_delivery_time": "261231235959000+", "validity_period": "000001000000000R"}
REST = {"registered_delivery": 0x11, "replace_if_present_flag": 1, "data_coding": 8, "sm_default_msg_id": 7}
MESSAGE = {
    "service_type": "CMT",
    "esm_class": 0x43,
    "protocol_id": 0x41,
    "priority_flag": 3,
    **TIMES,
    **REST,
    "short_message": bytes(range(254)),
}
DATA = {"service_type": "CMT", **SOURCE, **DEST, "esm_class": 0x43, "registered_delivery": 0x11, "data_coding": 8}
# Of each helper: the command, its least arguments, and every field it takes.
VIA = {
    "submit_via": ("submit_sm", {}, {**SOURCE, **DEST, **MESSAGE}),
    "submit_multi_via": ("submit_multi", {"destinations": ["15550101"]}, {**SOURCE, **MESSAGE}),
    "data_via": ("data_sm", {}, DATA),
    "cancel_via": ("cancel_sm", {}, {"service_type": "CMT", "message_id": "m" * 64, **SOURCE, **DEST}),
    "query_via": ("query_sm", {"message_id": "m"}, {"message_id": "m" * 64, **SOURCE}),
    "replace_via": (
        "replace_sm",
        {"message_id": "m"},
        {
            "message_id": "m" * 64,
            **SOURCE,
            **TIMES,
            "registered_delivery": 0x11,
            "sm_default_msg_id": 7,
            "short_message": bytes(254),
        },
    ),
}
ALERT = {**SOURCE, "esme_addr_ton": 2, "esme_addr_npi": 8, "esme_addr": "4477"}
TO = {
    "deliver_to": ("deliver_sm", {}, {**SOURCE, **DEST, **MESSAGE}),
    "data_to": ("data_sm", {}, DATA),
    "alert_to": ("alert_notification", {}, ALERT),
}
TAGGED = ["submit_via", "submit_multi_via", "data_via", "deliver_to", "data_to"]


@pytest.fixture(scope="module")
def shared(shared_smscd, shared_upstream):
    remote = Remote(
        lambda *a, binds, **k: shared_smscd(*a, binds=[*binds, {**binds[0], "name": "down", "port": 1}], **k),
        shared_upstream,
        workers=2,
    )
    remote.there_id, remote.there = remote.elsewhere()
    return remote


@pytest.fixture
def remote(shared):
    yield shared
    for conn in (shared.esme, shared.up, shared.there):
        conn.enquire()
        conn.kept.clear()


def target(remote, helper, by="session_id", where="here"):
    """The first argument of a helper, and the connection at which its PDU arrives."""
    if helper in VIA:
        return "bind='eu'", remote.up
    to, conn = (remote.session("caller"), remote.esme) if where == "here" else (remote.there_id, remote.there)
    return (f"session_id={to['id']!r}" if by == "session_id" else f"system_id={to['system_id']!r}"), conn


def start(remote, helper, arguments, **how):
    """The running call and the PDU that it sent, and the connection of that."""
    to, conn = target(remote, helper, **how)
    call = remote.call(f"smpp.{helper}({to}, {arguments})")
    return call, conn.expect({**VIA, **TO}[helper][0]), conn


def finish(call, pdu, conn, **answer):
    if pdu.command != "alert_notification":
        conn.answer(pdu, **answer)
    return call.result()


def arguments_of(fields):
    return ", ".join(f"{name}={value!r}" for name, value in fields.items())


def defaults(command):
    def one(name, kind):
        if name.endswith(("_ton", "_npi")):
            return 1
        return {"B": 0, "z": "", "s": b"", "dests": []}[kind]

    return {name: one(name, kind) for name, kind in raw.LAYOUT[command]}


# -- fields ----------------------------------------------------------------------


@pytest.mark.parametrize("helper", [*VIA, *TO])
def test_defaults(remote, helper):
    command, least, _ = {**VIA, **TO}[helper]
    call, pdu, conn = start(remote, helper, arguments_of(least))
    expected = defaults(command) | {k: v for k, v in least.items() if k != "destinations"}
    if "destinations" in least:
        expected["dest_address"] = [(1, 1, 1, "15550101")]
    assert pdu.fields == expected
    assert pdu.tlvs == []
    assert finish(call, pdu, conn)["ok"]


@pytest.mark.parametrize("helper", [*VIA, *TO])
def test_every_field(remote, helper):
    command, least, fields = {**VIA, **TO}[helper]
    call, pdu, conn = start(remote, helper, arguments_of({**least, **fields}))
    assert {name: value for name, value in pdu.fields.items() if name != "dest_address"} == fields
    assert finish(call, pdu, conn)["ok"]


@pytest.mark.parametrize(("by", "where"), [(b, w) for b in ("session_id", "system_id") for w in ("here", "there")])
@pytest.mark.parametrize("helper", TO)
def test_sessions_everywhere(remote, helper, by, where):
    body = "" if helper == "alert_to" else ", short_message=b'hello'"
    call, pdu, conn = start(remote, helper, f"source_addr='4477'{body}", by=by, where=where)
    assert pdu.source_addr == "4477"
    answer = {} if helper == "alert_to" else {"message_id": ""}
    outcome = finish(call, pdu, conn, **answer)
    assert (outcome["type"], outcome["ok"], outcome["command_status"]) == ("SmppResp", True, "ESME_ROK")


def test_session_id_may_be_positional(remote):
    call = remote.call("smpp.data_to(session.session_id, short_message=b'x')")
    pdu = remote.esme.expect("data_sm")
    assert finish(call, pdu, remote.esme)["ok"]


def test_bind_may_be_positional(remote):
    call = remote.call("smpp.cancel_via('eu', message_id='x')")
    assert finish(call, remote.up.expect("cancel_sm"), remote.up)["ok"]


def test_destinations(remote):
    code = """
from siphon.smpp import Destination
to = ["15550101", Destination("BANK", ton=5, npi=0), Destination("list", is_distribution_list=True), "2"]
return await smpp.submit_multi_via("eu", destinations=to, short_message=b"hi")
""".strip()
    call = remote.run(code)
    pdu = remote.up.expect("submit_multi")
    assert pdu.dest_address == [(1, 1, 1, "15550101"), (1, 5, 0, "BANK"), (2, "list"), (1, 1, 1, "2")]
    remote.up.answer(pdu, message_id="x")
    assert call.result()["unsuccessful"] == []


def test_as_many_destinations_as_the_standard_lets(remote):
    call = remote.call("smpp.submit_multi_via('eu', destinations=[str(10**19 + n) for n in range(254)])")
    pdu = remote.up.expect("submit_multi")
    assert pdu.dest_address == [(1, 1, 1, str(10**19 + n)) for n in range(254)]
    failed = [(1, 1, str(10**19 + n), 0x0B) for n in range(254)]
    remote.up.answer(pdu, message_id="x", unsuccess_sme=failed)
    assert call.result()["unsuccessful"] == [[str(10**19 + n), "ESME_RINVDSTADR"] for n in range(254)]


def test_relayed_destinations_are_the_same(smscd, upstream):
    """What submit_sm_multi brought is what submit_multi_via takes."""
    script = """
@smpp.on_pdu("submit_sm_multi")
async def multi(pdu, session):
    resp = await smpp.submit_multi_via("eu", destinations=pdu.destinations, short_message=pdu.body,
                                       tlvs=[t for t in pdu.tlv_list])
    return pdu.reply(message_id=resp.message_id, unsuccessful=resp.unsuccessful)
"""
    remote = Remote(smscd, upstream, script=SCRIPT + script)
    to = [(1, 5, 0, "BANK"), (2, "list"), (1, 2, 8, "1555")]
    tlvs = [(0x1400, b"\0\xff"), (raw.CALLBACK_NUM, b"1111"), (0x3FFF, b""), (raw.CALLBACK_NUM, b"2222")]
    seq = remote.esme.send("submit_multi", dest_address=to, short_message=b"hi", tlvs=tlvs)
    sent = remote.up.expect("submit_multi")
    assert sent.dest_address == to
    assert sent.tlvs == tlvs
    remote.up.answer(sent, message_id="up", unsuccess_sme=[(5, 0, "BANK", 0x0B), (2, 8, "1555", 0x45)])
    resp = remote.esme.expect("submit_multi_resp", seq)
    assert (resp.status, resp.message_id) == (0, "up")
    assert resp.unsuccess_sme == [(5, 0, "BANK", 0x0B), (2, 8, "1555", 0x45)]


# -- bodies and optional parameters -------------------------------------------------


@pytest.mark.parametrize("helper", ["data_via", "data_to"])
@pytest.mark.parametrize("size", [1, 254, 255, 60000])
def test_body_of_data_sm(remote, helper, size):
    call, pdu, conn = start(remote, helper, f"short_message=b'x' * {size}")
    assert pdu.tlvs == [(raw.MESSAGE_PAYLOAD, b"x" * size)]
    finish(call, pdu, conn)


@pytest.mark.parametrize("helper", ["data_via", "data_to"])
def test_explicit_payload(remote, helper):
    call, pdu, conn = start(remote, helper, "tlvs=[('message_payload', b'p' * 300), (0x1400, b'v')]")
    assert pdu.tlvs == [(raw.MESSAGE_PAYLOAD, b"p" * 300), (0x1400, b"v")]
    finish(call, pdu, conn)


@pytest.mark.parametrize("helper", TAGGED)
def test_tlvs(remote, helper):
    """By name and by number, in order, repeats, unknown and vendor ones to the byte."""
    least = arguments_of({**VIA, **TO}[helper][1])
    tlvs = (
        "[(0x3FFF, bytes(range(256))), ('callback_num', b'1111'), (0x1400, b''), ('user_message_reference', 513),"
        " ('callback_num', b'2222'), (0x7777, 'text'), ('receipted_message_id', 'abc'), (0x0427, 2)]"
    )
    call, pdu, conn = start(remote, helper, f"{least}{', ' if least else ''}tlvs={tlvs}")
    assert pdu.tlvs == [
        (0x3FFF, bytes(range(256))),
        (raw.CALLBACK_NUM, b"1111"),
        (0x1400, b""),
        (raw.USER_MESSAGE_REFERENCE, b"\x02\x01"),
        (raw.CALLBACK_NUM, b"2222"),
        (0x7777, b"text\0"),
        (raw.RECEIPTED_MESSAGE_ID, b"abc\0"),
        (raw.MESSAGE_STATE, b"\x02"),
    ]
    finish(call, pdu, conn)
    call, pdu, conn = start(
        remote, helper, f"{least}{', ' if least else ''}tlvs={{'source_port': 9200, 0x1400: b'v', 'set_dpf': 1}}"
    )
    assert pdu.tlvs == [(0x020A, b"\x23\xf0"), (0x1400, b"v"), (0x0421, b"\x01")]
    finish(call, pdu, conn)


# SMPP 3.4, section 5.3.2: tag and octets of every integer.
WIDTHS = {
    "dest_addr_subunit": (0x0005, 1),
    "dest_network_type": (0x0006, 1),
    "dest_bearer_type": (0x0007, 1),
    "dest_telematics_id": (0x0008, 2),
    "source_addr_subunit": (0x000D, 1),
    "source_network_type": (0x000E, 1),
    "source_bearer_type": (0x000F, 1),
    "source_telematics_id": (0x0010, 1),
    "qos_time_to_live": (0x0017, 4),
    "payload_type": (0x0019, 1),
    "ms_msg_wait_facilities": (0x0030, 1),
    "privacy_indicator": (0x0201, 1),
    "user_message_reference": (0x0204, 2),
    "user_response_code": (0x0205, 1),
    "source_port": (0x020A, 2),
    "destination_port": (0x020B, 2),
    "sar_msg_ref_num": (0x020C, 2),
    "language_indicator": (0x020D, 1),
    "sar_total_segments": (0x020E, 1),
    "sar_segment_seqnum": (0x020F, 1),
    "sc_interface_version": (0x0210, 1),
    "callback_num_pres_ind": (0x0302, 1),
    "number_of_messages": (0x0304, 1),
    "dpf_result": (0x0420, 1),
    "set_dpf": (0x0421, 1),
    "ms_availability_status": (0x0422, 1),
    "delivery_failure_reason": (0x0425, 1),
    "more_messages_to_send": (0x0426, 1),
    "message_state": (0x0427, 1),
    "display_time": (0x1201, 1),
    "sms_signal": (0x1203, 2),
    "ms_validity": (0x1204, 1),
    "its_reply_type": (0x1380, 1),
}


def test_integers_have_the_standards_width(remote):
    given = [(name, 1) for name in WIDTHS] + [(name, 256**width - 1) for name, (_, width) in WIDTHS.items()]
    call, pdu, conn = start(remote, "data_via", f"tlvs={given!r}")
    low = [(tag, (1).to_bytes(width, "big")) for tag, width in WIDTHS.values()]
    assert pdu.tlvs == low + [(tag, b"\xff" * width) for tag, width in WIDTHS.values()]
    finish(call, pdu, conn)


def test_integer_too_large_for_its_width(remote):
    for name, (_, width) in WIDTHS.items():
        raised, text = remote.call(f"smpp.data_via('eu', tlvs={{{name!r}: {256**width}}})").raised()
        assert raised[0] == "ValueError", name
        assert name in text


def test_tlvs_beyond_the_names(remote):
    """Octet strings of the standard by name, octets as they are."""
    names = {
        "additional_status_info_text": 0x001D,
        "receipted_message_id": 0x001E,
        "source_subaddress": 0x0202,
        "dest_subaddress": 0x0203,
        "callback_num_atag": 0x0303,
        "callback_num": 0x0381,
        "network_error_code": 0x0423,
        "ussd_service_op": 0x0501,
        "alert_on_message_delivery": 0x130C,
        "its_session_info": 0x1383,
    }
    call, pdu, conn = start(remote, "data_to", f"tlvs={[(name, b'abc') for name in names]!r}")
    assert pdu.tlvs == [(tag, b"abc") for tag in names.values()]
    finish(call, pdu, conn)


def test_relay_of_parameters(smscd, upstream):
    """tlvs=pdu.tlv_list: to the byte, in order, with repeats, over data_sm in both directions."""
    script = """
@smpp.on_pdu("data_sm")
async def data(pdu, session):
    fields = {n: getattr(pdu, n) for n in ("source_addr", "destination_addr", "esm_class", "data_coding")}
    if session.kind == "esme":
        resp = await smpp.data_via("eu", tlvs=pdu.tlv_list, **fields)
    else:
        resp = await smpp.data_to(system_id="caller", tlvs=pdu.tlv_list, **fields)
    return pdu.reply(message_id=resp.message_id, command_status=resp.command_status, tlvs=resp.tlv_list)
"""
    remote = Remote(smscd, upstream, script=SCRIPT + script)
    tlvs = [
        (0x3FFF, b"\0\xff"),
        (raw.CALLBACK_NUM, b"1111"),
        (0x0001, b""),
        (raw.MESSAGE_PAYLOAD, bytes(300)),
        (raw.CALLBACK_NUM, b"2222"),
        (0xFFFF, b"x" * 1000),
    ]
    back = [(0x0425, b"\x01"), (0x1400, b"vendor")]
    for one, other in ((remote.esme, remote.up), (remote.up, remote.esme)):
        seq = one.send("data_sm", esm_class=0x40, data_coding=4, tlvs=tlvs)
        sent = other.expect("data_sm")
        assert sent.tlvs == tlvs
        assert (sent.esm_class, sent.data_coding) == (0x40, 4)
        other.answer(sent, message_id="there", tlvs=back)
        resp = one.expect("data_sm_resp", seq)
        assert (resp.status, resp.message_id, resp.tlvs) == (0, "there", back)


# -- answers ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (0x08, "ESME_RSYSERR"),
        (0x11, "ESME_RCANCELFAIL"),
        (0x67, "ESME_RQUERYFAIL"),
        (0x400, "0x00000400"),
        (0x4FF, "0x000004FF"),
        (0x09, "0x00000009"),
        (0xDEADBEEF, "0xDEADBEEF"),
    ],
)
@pytest.mark.parametrize("helper", [*VIA, "data_to", "deliver_to"])
def test_negative_answer_is_a_value(remote, helper, status, name):
    call, pdu, conn = start(remote, helper, arguments_of({**VIA, **TO}[helper][1]))
    conn.write(raw.header(raw.COMMANDS[pdu.command] | 0x80000000, pdu.seq, status))
    outcome = call.result()
    assert (outcome["ok"], outcome["command_status"]) == (False, name)


@pytest.mark.parametrize("helper", VIA)
def test_generic_nack(remote, helper):
    call, pdu, conn = start(remote, helper, arguments_of(VIA[helper][1]))
    conn.write(raw.header(raw.COMMANDS["generic_nack"], pdu.seq, raw.ESME_RINVCMDID))
    outcome = call.result()
    assert (outcome["ok"], outcome["command_status"]) == (False, "ESME_RINVCMDID")


@pytest.mark.parametrize("helper", [*VIA, "data_to", "deliver_to"])
def test_generic_nack_without_an_error_accepts_nothing(remote, helper):
    call, pdu, conn = start(remote, helper, arguments_of({**VIA, **TO}[helper][1]))
    conn.write(raw.header(raw.COMMANDS["generic_nack"], pdu.seq, raw.ESME_ROK))
    outcome = call.result()
    assert (outcome["ok"], outcome["command_status"]) == (False, "ESME_RUNKNOWNERR")


def test_query_resp(remote):
    call, pdu, conn = start(remote, "query_via", "message_id='m-1', source_addr='1000'")
    conn.answer(pdu, message_id="m-1", final_date="261231235959000+", message_state=2, error_code=200)
    outcome = call.result()
    assert (
        outcome.items()
        >= {
            "type": "QueryResp",
            "ok": True,
            "command_status": "ESME_ROK",
            "message_id": "m-1",
            "message_state": 2,
            "final_date": "261231235959000+",
            "error_code": 200,
        }.items()
    )
    call, pdu, conn = start(remote, "query_via", "message_id='m-1'")
    conn.answer(pdu, message_id="m-1", message_state=1)
    outcome = call.result()
    assert (outcome["message_state"], outcome["final_date"], outcome["error_code"]) == (1, "", 0)


def test_unsuccessful(remote):
    call, pdu, conn = start(remote, "submit_multi_via", "destinations=['1', '2', '3']")
    conn.answer(pdu, message_id="m", unsuccess_sme=[(1, 1, "1", 0x0B), (1, 1, "3", 0x40F)])
    outcome = call.result()
    assert (outcome["ok"], outcome["message_id"]) == (True, "m")
    assert outcome["unsuccessful"] == [["1", "ESME_RINVDSTADR"], ["3", "0x0000040F"]]


def test_parameters_of_the_answer(remote):
    call, pdu, conn = start(remote, "data_via", "short_message=b'x'")
    conn.answer(pdu, message_id="m" * 64, tlvs=[(0x1400, b"a"), (0x0425, b"\2"), (0x1400, b"b")])
    outcome = call.result()
    assert (outcome["type"], outcome["message_id"]) == ("SmppResp", "m" * 64)
    assert outcome["tlvs"] == {str(0x1400): "61", str(0x0425): "02"}


def test_parameters_of_a_negative_answer(remote):
    call, pdu, conn = start(remote, "data_via", "short_message=b'x'")
    conn.answer(pdu, 0xFE, message_id="", tlvs=[(0x0425, b"\2")])
    outcome = call.result()
    assert (outcome["command_status"], outcome["tlvs"]) == ("ESME_RDELIVERYFAILURE", {str(0x0425): "02"})


# -- what is raised ---------------------------------------------------------------------


@pytest.mark.parametrize("helper", VIA)
def test_bind_unknown_or_down(remote, helper):
    least = arguments_of(VIA[helper][1])
    raised, text = remote.call(f"smpp.{helper}(bind='nowhere', {least})").raised()
    assert raised[0] == "UnknownBind"
    assert {"SmppError", "RuntimeError", "KeyError"} <= set(raised)
    assert "nowhere" in text
    raised, _ = remote.call(f"smpp.{helper}(bind='down', {least})").raised()
    assert raised[0] == "BindDown"
    assert {"SmppError", "RuntimeError"} <= set(raised)


@pytest.mark.parametrize("helper", TO)
def test_no_such_session(remote, helper):
    for to in ("session_id='nonsense'", "session_id=''", "system_id='nobody'", "system_id=''"):
        raised, _ = remote.call(f"smpp.{helper}({to})").raised()
        assert raised[0] == "SessionGone", to
        assert {"SmppError", "RuntimeError"} <= set(raised)


@pytest.mark.parametrize("helper", TO)
def test_no_target_or_two(remote, helper):
    assert remote.call(f"smpp.{helper}(source_addr='1')").raised()[0][0] == "TypeError"
    assert remote.call(f"smpp.{helper}(session_id='a', system_id='b')").raised()[0][0] == "TypeError"


@pytest.mark.parametrize("helper", TO)
def test_transmitter_receives_nothing(remote, helper):
    with remote.daemon.bind(f"tx-{helper}", kind="transmitter") as tx:
        to = remote.session(f"tx-{helper}")
        for name in (f"session_id={to['id']!r}", f"system_id={to['system_id']!r}"):
            raised, _ = remote.call(f"smpp.{helper}({name})").raised()
            assert raised[0] == "SessionGone", name
        tx.enquire()
        assert not tx.kept


@pytest.mark.parametrize("helper", ["submit_via", "submit_multi_via", "replace_via", "deliver_to"])
def test_body_too_long(remote, helper):
    to, conn = target(remote, helper)
    least = arguments_of({**VIA, **TO}[helper][1])
    raised, text = remote.call(f"smpp.{helper}({to}, {least}{', ' if least else ''}short_message=b'x' * 255)").raised()
    assert raised[0] == "ValueError"
    assert "MESSAGE_PAYLOAD" in text


@pytest.mark.parametrize("helper", ["data_via", "data_to"])
@pytest.mark.parametrize("payload", ["{'message_payload': b'y'}", "{0x0424: b'y'}", "[('MESSAGE_PAYLOAD', b'')]"])
def test_two_bodies(remote, helper, payload):
    to, _ = target(remote, helper)
    raised, text = remote.call(f"smpp.{helper}({to}, short_message=b'x', tlvs={payload})").raised()
    assert raised[0] == "ValueError"
    assert "MESSAGE_PAYLOAD" in text.upper()


WRONG = [
    ("data_via", "short_message=b'x' * 65536", "ValueError", "short_message"),
    ("data_via", "protocol_id=1", "TypeError", "protocol_id"),
    ("submit_multi_via", "destinations=[]", "ValueError", "destination"),
    ("submit_multi_via", "destinations=['1'] * 255", "ValueError", "destination"),
    ("submit_multi_via", "destinations='15550101'", "TypeError", "destination"),
    ("submit_multi_via", "destinations=['1' * 21]", "ValueError", "destination"),
    ("submit_multi_via", "destinations=[15550101]", "TypeError", "destination"),
    ("submit_multi_via", "short_message=b'x'", "TypeError", "destinations"),
    ("submit_multi_via", "destinations=['1'], destination_addr='2'", "TypeError", "destination_addr"),
    ("query_via", "source_addr='1'", "TypeError", "message_id"),
    ("query_via", "message_id='m' * 65", "ValueError", "message_id"),
    ("query_via", "message_id='m', tlvs={}", "TypeError", "tlvs"),
    ("replace_via", "source_addr='1'", "TypeError", "message_id"),
    ("replace_via", "message_id='m', tlvs={0x1400: b''}", "TypeError", "tlvs"),
    ("cancel_via", "message_id=5", "TypeError", "message_id"),
    ("cancel_via", "message_id='m', tlvs={0x1400: b''}", "TypeError", "tlvs"),
    ("cancel_via", "message_id='m', dest_addr_ton=256", "ValueError", "dest_addr_ton"),
    ("replace_via", "message_id='m', validity_period='1' * 17", "ValueError", "validity_period"),
    ("alert_to", "esme_addr='1' * 66", "ValueError", "esme_addr"),
    ("alert_to", "destination_addr='1'", "TypeError", "destination_addr"),
    ("alert_to", "short_message=b'1'", "TypeError", "short_message"),
    ("alert_to", "esme_addr_npi=-1", "ValueError", "esme_addr_npi"),
    ("deliver_to", "message_id='m'", "TypeError", "message_id"),
    *(
        (helper, arguments, kind, text)
        for helper in ("data_via", "data_to", "deliver_to")
        for arguments, kind, text in [
            ("tlvs={'no_such_tlv': 1}", "ValueError", "no_such_tlv"),
            ("tlvs={'callback_num': 5}", "ValueError", "callback_num"),
            ("tlvs={0x1400: 5}", "ValueError", "1400"),
            ("tlvs={'network_error_code': 5}", "ValueError", "network_error_code"),
            ("tlvs={'message_state': -1}", "ValueError", "message_state"),
            ("tlvs={'source_port': 1, 0x020A: 1}", "ValueError", "source_port|020a"),
            ("tlvs={0x10000: b''}", "ValueError", "65536|10000"),
            ("tlvs={-1: b''}", "ValueError", "-1"),
            ("tlvs={0x1400: None}", "TypeError", ""),
            ("tlvs=5", "TypeError", "tlvs"),
            ("tlvs=['message_state']", "TypeError", "tlvs"),
            ("tlvs={0x1400: b'x' * 65536}", "ValueError", "1400|65536"),
            ("tlvs=[(0x1400, b'x' * 40000), (0x1401, b'x' * 40000)]", "ValueError", ""),
            ("timeout=0", "ValueError", "timeout"),
            ("timeout=-1", "ValueError", "timeout"),
            ("timeout='soon'", "TypeError", ""),
            ("source_addr='1' * 66", "ValueError", "source_addr"),
            ("source_addr='\\u20ac'", "ValueError", "source_addr"),
            ("source_addr='a\\0b'", "ValueError", "source_addr"),
        ]
    ),
]


@pytest.mark.parametrize(("helper", "arguments", "kind", "text"), WRONG)
def test_wrong_arguments(remote, helper, arguments, kind, text):
    to, conn = target(remote, helper)
    raised, said = remote.call(f"smpp.{helper}({to}, {arguments})").raised()
    assert raised[0] == kind, said
    assert any(word in said for word in text.split("|")), said
    conn.enquire()
    assert not [p for p in conn.kept if not p.command.endswith("_resp")], "and something was sent"


# -- time, cancelling, windows -------------------------------------------------------------


@pytest.fixture(scope="module")
def shared_narrow(shared_smscd, shared_upstream):
    """One unanswered request at a time on every way, and one that waits."""
    narrow = {"deliver_window": 1, "deliver_queue": 1}
    remote = Remote(shared_smscd, shared_upstream, bind={"window": 1, "queue": 1}, workers=2, server=narrow)
    remote.there_id, remote.there = remote.elsewhere()
    return remote


@pytest.fixture
def narrow(shared_narrow):
    yield shared_narrow
    for conn in (shared_narrow.esme, shared_narrow.up, shared_narrow.there):
        conn.enquire()
        conn.kept.clear()


WAYS = [
    *((helper, "here") for helper in VIA),
    ("deliver_to", "here"),
    ("deliver_to", "there"),
    ("data_to", "here"),
    ("data_to", "there"),
]


def sender(remote, helper, where):
    """Lines that define send(text, **more), and the connection and the command that it uses."""
    to, conn = target(remote, helper, where=where)
    least = {k: v for k, v in {**VIA, **TO}[helper][1].items() if k != "message_id"}
    mark = "message_id" if helper in ("cancel_via", "query_via", "replace_via") else "source_addr"
    lines = f"""
def send(text, **more):
    return asyncio.create_task(smpp.{helper}({to}, {arguments_of(least | {"source_addr_ton": 1})}, {mark}=text, **more))
async def name(task):
    try:
        return (await task).command_status
    except asyncio.CancelledError:
        return "cancelled"
    except smpp.SmppError as e:
        return type(e).__name__
""".strip()
    return lines, conn, {**VIA, **TO}[helper][0], mark


@pytest.mark.parametrize(("helper", "where"), WAYS)
def test_timeout(narrow, helper, where):
    """On the wire: ResponseTimeout; still waiting: WindowFull, never sent; the place is free again afterwards."""
    lines, conn, command, mark = sender(narrow, helper, where)
    call = narrow.run(
        lines
        + """
first, second = send("first", timeout=0.2), send("second", timeout=0.2)
outcome = [await name(first), await name(second)]
third = send("third")
return outcome + [await name(third)]"""
    )
    first, third = conn.expect(command), conn.expect(command)
    assert [getattr(p, mark) for p in (first, third)] == ["first", "third"]
    conn.answer(first)  # too late: of no effect
    conn.answer(third)
    assert call.result()["value"] == ["ResponseTimeout", "WindowFull", "ESME_ROK"]
    conn.enquire()
    assert not [p for p in conn.kept if p.command == command]


@pytest.mark.parametrize(("helper", "where"), WAYS)
def test_window_full(narrow, helper, where):
    lines, conn, command, mark = sender(narrow, helper, where)
    before = len(narrow.daemon.records("refused"))
    call = narrow.run(
        lines
        + """
tasks = [send(f"{n}") for n in range(3)]
third = await name(tasks[2])
record("refused", third=third)
return [await name(tasks[0]), await name(tasks[1]), third]"""
    )
    first = conn.expect(command)
    narrow.daemon.wait_records("refused", before + 1)
    conn.enquire()
    assert not [p for p in conn.kept if p.command == command], "the window is 1"
    conn.answer(first)
    second = conn.expect(command)
    conn.answer(second)
    assert [getattr(p, mark) for p in (first, second)] == ["0", "1"]
    assert call.result()["value"] == ["ESME_ROK", "ESME_ROK", "WindowFull"]


@pytest.mark.parametrize(("helper", "where"), WAYS)
def test_cancelled(narrow, helper, where):
    """What waits is taken back and gives its place free; what is on the wire holds the window until its answer."""
    lines, conn, command, mark = sender(narrow, helper, where)
    before = len(narrow.daemon.records("cancelled"))
    call = narrow.run(
        lines
        + """
first = send("first")
while not await cache.delete("on the wire"):
    await asyncio.sleep(0.01)
for n in range(5):
    waiting = send(f"waits {n}")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting.cancel()
    assert await name(waiting) == "cancelled", n
first.cancel()
assert await name(first) == "cancelled"
record("cancelled", then=await name(send("waits too", timeout=0.05)))
return await name(send("last"))"""
    )
    first = conn.expect(command)
    narrow.call("cache.set('on the wire', '1')").result()
    assert narrow.daemon.wait_records("cancelled", before + 1)[-1]["then"] == "WindowFull"
    conn.answer(first)
    last = conn.expect(command)
    conn.answer(last)
    assert [getattr(p, mark) for p in (first, last)] == ["first", "last"]
    assert call.result()["value"] == "ESME_ROK"
    conn.enquire()
    assert not [p for p in conn.kept if p.command == command]


def test_cancelled_by_asyncio_timeout(narrow):
    code = """
try:
    async with asyncio.timeout(0.1):
        await smpp.query_via("eu", message_id="first")
except TimeoutError:
    pass
return await smpp.query_via("eu", message_id="second")
""".strip()
    call = narrow.run(code)
    narrow.up.answer(narrow.up.expect("query_sm"), message_id="first", message_state=3)
    second = narrow.up.expect("query_sm")
    narrow.up.answer(second, message_id="second", message_state=2)
    outcome = call.result()
    assert (outcome["message_id"], outcome["message_state"]) == ("second", 2), "the late answer is not taken for it"


def test_connection_ends_before_the_answer(smscd, upstream):
    """Sent, and nobody knows what came of it: ResponseTimeout; of an ESME: SessionGone."""
    remote = Remote(smscd, upstream)
    call = remote.call("smpp.data_via('eu', short_message=b'x')")
    remote.up.expect("data_sm")
    remote.up.reset()
    assert call.raised()[0][0] == "ResponseTimeout"
    other = remote.daemon.bind("other")
    call = remote.call(f"smpp.data_to({remote.session('other')['id']!r}, short_message=b'x')")
    other.expect("data_sm")
    other.reset()
    assert call.raised()[0][0] == "SessionGone"


def test_system_id_takes_a_receiving_session_with_less_in_hand(smscd, upstream):
    remote = Remote(smscd, upstream)
    conns = [remote.daemon.bind("app", kind=kind) for kind in ("transmitter", "receiver", "transceiver")]
    remote.daemon.wait_records("bound", 5)
    calls = [remote.call("smpp.deliver_to(system_id='app', short_message=b'x')") for _ in range(6)]
    # An answer makes room for one more: none before all are there.
    asked = [(conn, conn.expect("deliver_sm")) for conn in conns[1:] for _ in range(3)]
    for conn, pdu in asked:
        conn.answer(pdu)
    assert all(call.result()["ok"] for call in calls)
    conns[0].enquire()
    assert not conns[0].kept


# -- smpp.sessions ----------------------------------------------------------------------------


SESSIONS = """
found = await smpp.sessions({arguments})
return sorted([s.kind, s.system_id, s.session_id, s.worker, s.bind_type] for s in found)
"""


def sessions(remote, arguments=""):
    return remote.run(SESSIONS.format(arguments=arguments).strip()).result()["value"]


def test_sessions(smscd, upstream):
    remote = Remote(smscd, upstream, workers=2)
    there, _ = remote.elsewhere(kind="receiver")
    twice = [remote.daemon.bind("twice", kind="transmitter") for _ in range(2)]
    remote.daemon.wait_records("bound", len(remote.daemon.records("bound")))

    def settled():
        expected = {r["id"] for r in remote.daemon.records("bound") if r["kind_"] == "esme"}
        return {s[2] for s in sessions(remote)} == expected and expected

    proc.wait_until(settled, what="all sessions listed")
    found = {s[2]: s for s in sessions(remote)}
    seen = remote.session("caller")
    assert found[seen["id"]] == ["esme", "caller", seen["id"], seen["worker"], "transceiver"]
    assert found[there["id"]] == ["esme", there["system_id"], there["id"], there["worker"], "receiver"]
    assert there["worker"] != seen["worker"]
    for arguments in ("system_id='twice'", "'twice'"):
        assert [s[1] for s in sessions(remote, arguments)] == ["twice", "twice"]
    assert sessions(remote, "system_id='nobody'") == []
    twice[0].close()
    proc.wait_until(lambda: len(sessions(remote, "'twice'")) == 1, what="the closed one gone")


def test_session_of_the_list_is_a_target(smscd, upstream):
    remote = Remote(smscd, upstream, workers=2)
    there, conn = remote.elsewhere()
    code = f"""
(found,) = await smpp.sessions({there["system_id"]!r})
return await smpp.deliver_to(found.session_id, short_message=b"hello")""".strip()
    proc.wait_until(lambda: sessions(remote, repr(there["system_id"])), what="it in the list")
    call = remote.run(code)
    pdu = conn.expect("deliver_sm")
    assert pdu.short_message == b"hello"
    conn.answer(pdu)
    assert call.result()["ok"]
