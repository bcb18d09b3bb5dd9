"""Every command beside submit_sm and deliver_sm: what its handler sees, what it may answer, and the defaults."""

import pytest
from lib import smpp_raw as raw
from lib.daemon import OPEN
from lib.remote import Remote

SOURCE = {"source_addr_ton": 5, "source_addr_npi": 0, "source_addr": "BANK"}
DEST = {"dest_addr_ton": 2, "dest_addr_npi": 8, "destination_addr": "15550101"}
TIMES = {"schedule_delivery_time": "261231235959000+", "validity_period": "000001000000000R"}
ID = {"message_id": "m" * 64}
FIELDS = {
    "submit_multi": {
        "service_type": "CMT",
        **SOURCE,
        "esm_class": 0x43,
        "protocol_id": 0x41,
        "priority_flag": 2,
        **TIMES,
        "registered_delivery": 0x11,
        "replace_if_present_flag": 1,
        "data_coding": 8,
        "sm_default_msg_id": 7,
    },
    "data_sm": {
        "service_type": "CMT",
        **SOURCE,
        **DEST,
        "esm_class": 0x43,
        "registered_delivery": 0x11,
        "data_coding": 8,
    },
    "cancel_sm": {"service_type": "CMT", **ID, **SOURCE, **DEST},
    "query_sm": {**ID, **SOURCE},
    "replace_sm": {**ID, **SOURCE, **TIMES, "registered_delivery": 0x11, "sm_default_msg_id": 7},
}
NAMES = {"submit_multi": "submit_sm_multi"}  # as scripts write it
COMMANDS = list(FIELDS)
TO = [(1, 5, 0, "BANK"), (2, "list"), (1, 2, 8, "1555")]

# The handler evaluates the expression that `source_addr` names; `async def` for one half, `def` for the other.
HANDLERS = """
@smpp.on_session("bound")
async def bound(session):
    record("bound", kind_=session.kind, system_id=session.system_id, id=session.session_id, worker=session.worker)

def answer(pdu, session):
    if not pdu.source_addr.startswith("r"):
        fields = {n: getattr(pdu, n) for n in FIELDS[WIRE.get(pdu.command, pdu.command)]}
        record("pdu", command=pdu.command, seq=pdu.sequence_number, fields=fields, who=session.kind,
               tlvs=[(t, v.hex()) for t, v in pdu.tlv_list], body=pdu.body.hex(),
               to=[(str(d), d.ton, d.npi, d.is_distribution_list) for d in pdu.destinations or []])
        return None
    return eval(REPLIES[int(pdu.source_addr[1:])])

for name in ("data_sm", "query_sm"):
    @smpp.on_pdu(name)
    async def first(pdu, session):
        raise RuntimeError("the last one registered wins")
    @smpp.on_pdu(name)
    async def asynchronous(pdu, session):
        if pdu.source_addr.endswith("0"):
            await asyncio.sleep(0)
        return answer(pdu, session)

for name in ("submit_sm_multi", "cancel_sm", "replace_sm"):
    @smpp.on_pdu(name)
    def plain(pdu, session):
        return answer(pdu, session)
"""

STATUSES = {
    "ESME_RINVMSGLEN": 0x01,
    "ESME_RCANCELFAIL": 0x11,
    "ESME_RREPLACEFAIL": 0x13,
    "ESME_RTHROTTLED": 0x58,
    "ESME_RQUERYFAIL": 0x67,
    "ESME_RDELIVERYFAILURE": 0xFE,
    "ESME_RUNKNOWNERR": 0xFF,
}
# (commands, expression, what the response is to be)
CASES = [
    *((COMMANDS, f"pdu.reply(command_status={name!r})", {"status": n}) for name, n in STATUSES.items()),
    (COMMANDS, "pdu.reply(command_status=0x400)", {"status": 0x400}),
    (COMMANDS, "pdu.reply(command_status=0x4FF)", {"status": 0x4FF}),
    (COMMANDS, "pdu.reply(command_status='0x00000400')", {"status": 0x400}),
    (COMMANDS, "pdu.reply(command_status='0x000004FF')", {"status": 0x4FF}),
    (["query_sm"], "pdu.reply(command_status='0x000004ff')", {"status": 0x4FF}),
    (["query_sm"], "pdu.reply(command_status=pdu.reply(command_status=0x450).command_status)", {"status": 0x450}),
    *(
        (["query_sm"], f"pdu.reply(command_status={text!r})", "ValueError")
        for text in ("0x000003FF", "0x00000500", "0x00000000", "0x0000000B", "0x100000400", "0x400", "0X00000400")
        + ("0x0000040G", "0x0000040", "00x00000400", " 0x00000400", "0x00000400 ", "0x-0000400", "1024", "0x", "")
        + ("0x00000400\0", "ESME_RSYSERR\0")
    ),
    (COMMANDS, "pdu.reply()", {"status": 0}),
    (COMMANDS, "pdu.reply(command_status='ESME_RTYPO')", "ValueError"),
    (COMMANDS, "pdu.reply(command_status=0x3FF)", "ValueError"),
    (COMMANDS, "pdu.reply(command_status=0x500)", "ValueError"),
    (COMMANDS, "pdu.reply(command_status=-1)", "ValueError"),
    (COMMANDS, "pdu.reply(message_id='x' * 65)", "ValueError"),
    (COMMANDS, "pdu.reply(nonsense=1)", "TypeError"),
    (COMMANDS, "object()", "TypeError"),
    (COMMANDS, "1 / 0", "ZeroDivisionError"),
    (["data_sm", "submit_multi"], "pdu.reply(message_id='abc')", {"status": 0, "message_id": "abc"}),
    (
        ["data_sm"],
        "pdu.reply(tlvs=[(0x1400, b'a'), ('dpf_result', 1), (0x1400, b'b')])",
        {"status": 0, "tlvs": [(0x1400, b"a"), (0x0420, b"\1"), (0x1400, b"b")]},
    ),
    (
        ["data_sm"],
        "pdu.reply(command_status='ESME_RDELIVERYFAILURE', tlvs={'delivery_failure_reason': 2})",
        {"status": 0xFE, "tlvs": [(0x0425, b"\2")]},
    ),
    ([c for c in COMMANDS if c != "data_sm"], "pdu.reply(tlvs={0x1400: b'x'})", "ValueError"),
    (
        ["submit_multi"],
        "pdu.reply(message_id='m', unsuccessful=[('1555', 'ESME_RINVDSTADR'), (pdu.destinations[0], 0x4FF)])",
        {"status": 0, "message_id": "m", "unsuccess_sme": [(1, 1, "1555", 0x0B), (5, 0, "BANK", 0x4FF)]},
    ),
    (
        ["submit_multi"],
        "pdu.reply(unsuccessful=[('1555', '0x00000401')])",
        {"status": 0, "unsuccess_sme": [(1, 1, "1555", 0x401)]},
    ),
    (["submit_multi"], "pdu.reply(unsuccessful=[('1555', '0x00000501')])", "ValueError"),
    (["submit_multi"], "pdu.reply(unsuccessful=[])", {"status": 0, "unsuccess_sme": []}),
    (["submit_multi"], "pdu.reply(unsuccessful=[('1555', 'ESME_RTYPO')])", "ValueError"),
    ([c for c in COMMANDS if c != "submit_multi"], "pdu.reply(unsuccessful=[('1', 'ESME_RSYSERR')])", "ValueError"),
    (
        ["query_sm"],
        "pdu.reply_query(message_state=2, final_date='261231235959000+', error_code=200)",
        {"status": 0, "message_id": "", "message_state": 2, "final_date": "261231235959000+", "error_code": 200},
    ),
    (["query_sm"], "pdu.reply_query(message_state=1)", {"message_state": 1, "final_date": "", "error_code": 0}),
    (["query_sm"], "pdu.reply_query(message_state=256)", "ValueError"),
    (["query_sm"], "pdu.reply_query(message_state=2, error_code=-1)", "ValueError"),
    (["query_sm"], "pdu.reply_query(message_state=2, final_date='yesterday')", "ValueError"),
    (["query_sm"], "pdu.reply_query()", "TypeError"),
    ([c for c in COMMANDS if c != "query_sm"], "pdu.reply_query(message_state=2)", "ValueError"),
]
ALL = [(command, n) for n, case in enumerate(CASES) for command in case[0]]


@pytest.fixture(scope="module")
def shared(shared_smscd, shared_upstream):
    fields = {c: list(f) for c, f in FIELDS.items()}
    head = f"\nFIELDS = {fields!r}\nWIRE = {{'submit_sm_multi': 'submit_multi'}}\nREPLIES = {[c[1] for c in CASES]!r}\n"
    return Remote(shared_smscd, shared_upstream, script=OPEN + head + HANDLERS)


@pytest.fixture
def gateway(shared):
    yield shared
    for conn in (shared.esme, shared.up):
        conn.enquire()
        conn.kept.clear()


@pytest.mark.parametrize(("command", "side"), [*((c, "esme") for c in COMMANDS), ("data_sm", "up")])
def test_handler_sees_every_field(gateway, command, side):
    conn, before = getattr(gateway, side), len(gateway.daemon.records("pdu"))
    more = {"dest_address": TO} if command == "submit_multi" else {}
    if command in ("submit_multi", "replace_sm"):
        more["short_message"] = bytes(range(254))
    tlvs = [(0x3FFF, b"v"), (raw.CALLBACK_NUM, b"1111"), (raw.CALLBACK_NUM, b"2222"), (raw.MESSAGE_PAYLOAD, b"p" * 300)]
    tlvs = tlvs if command == "data_sm" else tlvs[:3] if command == "submit_multi" else []
    resp = conn.call(command, tlvs=tlvs, **FIELDS[command], **more)
    assert resp.status == 0
    seen = gateway.daemon.wait_records("pdu", before + 1)[-1]
    assert seen["fields"] == FIELDS[command]
    assert (seen["command"], seen["seq"]) == (NAMES.get(command, command), resp.seq)
    assert seen["who"] == {"esme": "esme", "up": "bind"}[side]
    assert [(t, bytes.fromhex(v)) for t, v in seen["tlvs"]] == tlvs
    assert bytes.fromhex(seen["body"]) == more.get("short_message", b"p" * 300 if command == "data_sm" else b"")
    if command == "submit_multi":
        first, a_list, last = seen["to"]
        assert (first, last) == (["BANK", 5, 0, False], ["1555", 2, 8, False])
        assert (a_list[0], a_list[3]) == ("list", True)
        assert resp.unsuccess_sme == []
    if command in ("submit_multi", "data_sm"):
        assert resp.message_id or side == "up"


FAILURES = {"cancel_sm": 0x11, "query_sm": 0x67, "replace_sm": 0x13}


@pytest.mark.parametrize(("command", "n"), ALL)
def test_reply(gateway, command, n):
    _, expression, expected = CASES[n]
    more = {"dest_address": TO} if command == "submit_multi" else {}
    mark = gateway.daemon.log.mark()
    resp = gateway.esme.call(command, source_addr=f"r{n}", **more)
    if isinstance(expected, str):
        assert resp.status in (raw.ESME_RSYSERR, FAILURES.get(command))
        gateway.daemon.log.wait(expected, since=mark)
        gateway.daemon.log.wait(r"script\.py", since=mark)
        return
    found = {"status": resp.status, "tlvs": resp.tlvs, **resp.fields}
    assert {name: found[name] for name in expected} == expected
    if not resp.status and command in ("data_sm", "submit_multi"):
        assert resp.message_id


def test_error_status_of_an_upstreams_data_sm(gateway):
    n = next(n for n, c in enumerate(CASES) if "delivery_failure_reason" in c[1])
    resp = gateway.up.call("data_sm", source_addr=f"r{n}")
    assert (resp.status, resp.tlvs) == (0xFE, [(0x0425, b"\2")])
    n = next(n for n, c in enumerate(CASES) if c[1] == "1 / 0")
    assert gateway.up.call("data_sm", source_addr=f"r{n}").status == raw.ESME_RX_T_APPN, "to be sent again"


def test_reply_of_another_command(smscd):
    daemon = smscd(
        OPEN
        + """
kept = []
@smpp.on_pdu("query_sm")
async def query(pdu, session):
    kept.append(pdu.reply_query(message_state=2))
    return kept[0]

@smpp.on_pdu("cancel_sm")
async def cancel(pdu, session):
    return kept[0]
"""
    )
    with daemon.bind() as esme:
        assert esme.call("query_sm", message_id="1").message_state == 2
        assert esme.call("cancel_sm", message_id="1").status in (raw.ESME_RSYSERR, 0x11)
        daemon.log.wait("TypeError.*query_sm")
        assert esme.call("query_sm", message_id="1").status == 0


def test_unknown_status_names_its_line(smscd):
    text = (
        OPEN + '\n@smpp.on_pdu("cancel_sm")\ndef cancel(pdu, session):\n    return pdu.reply(command_status="ESME_X")\n'
    )
    daemon = smscd(text)
    with daemon.bind() as esme:
        esme.call("cancel_sm", message_id="1")
    daemon.log.wait(rf"script\.py:{len(text.rstrip().splitlines())}.*ValueError.*ESME_X")


def test_defaults(smscd, upstream):
    script = OPEN + '@smpp.on_session("bound")\ndef bound(s):\n    record("bound", system_id=s.system_id)\n'
    remote = Remote(smscd, upstream, script=script)
    statuses = {"submit_multi": 0x08, "data_sm": 0x08, "cancel_sm": 0x11, "query_sm": 0x67, "replace_sm": 0x13}
    for command, status in statuses.items():
        more = {"dest_address": TO} if command == "submit_multi" else {}
        assert remote.esme.call(command, **more).status == status, command
    assert remote.up.call("data_sm").status == raw.ESME_RSYSERR
    remote.up.send("alert_notification", source_addr="1")
    remote.up.enquire()
    assert not remote.up.kept, "nothing answers an alert_notification"


def test_alert_notification(smscd, upstream):
    remote = Remote(
        smscd,
        upstream,
        script=OPEN
        + """
@smpp.on_session("bound")
def bound(s):
    record("bound", system_id=s.system_id)

@smpp.on_pdu("alert_notification")
async def alert(a, session):
    record("alert", type=type(a).__name__, source=[a.source_addr_ton, a.source_addr_npi, a.source_addr],
           esme=[a.esme_addr_ton, a.esme_addr_npi, a.esme_addr], who=[session.kind, session.system_id, session.bind],
           status=a.ms_availability_status)
    if a.source_addr == "raise":
        raise RuntimeError("in an alert")
""",
    )
    fields = {**SOURCE, "esme_addr_ton": 3, "esme_addr_npi": 4, "esme_addr": "4477"}
    remote.up.send("alert_notification", tlvs=[(0x0422, b"\2")], **fields)
    remote.up.send("alert_notification", source_addr="raise")
    remote.up.send("alert_notification", source_addr="1")
    first, _, last = remote.daemon.wait_records("alert", 3)
    assert (first["type"], first["source"], first["esme"]) == ("AlertNotification", [5, 0, "BANK"], [3, 4, "4477"])
    assert (first["who"], first["status"], last["status"]) == (["bind", "eu", "eu"], 2, None)
    remote.daemon.log.wait("in an alert")
    remote.up.enquire()
    assert not remote.up.kept, "nothing answers it"


@pytest.mark.parametrize("command", ["submit_sm", "cancel_sm", "query_sm", "replace_sm", "submit_multi"])
def test_not_from_an_upstream(gateway, command):
    seq = gateway.up.send(command)
    resp = gateway.up.recv()
    assert (resp.seq, resp.status in (raw.ESME_RINVBNDSTS, raw.ESME_RINVCMDID)) == (seq, True)


def test_no_such_command(smscd):
    daemon = smscd(OPEN + '\n@smpp.on_pdu("submit_multi_sm")\ndef x(pdu, session): pass\n', start=False)
    done = daemon.run("-t", "-c", daemon.conf_path)
    assert done.returncode == 1
    assert "submit_multi_sm" in done.stderr + done.stdout


def test_a_vendors_status_is_passed_on(smscd, upstream):
    """What a send helper gives as command_status is what reply() and bind.reject() take."""
    remote = Remote(
        smscd,
        upstream,
        script="""
from siphon import smpp
from e2e_record import record

@smpp.on_session("bound")
def bound(s):
    record("bound", system_id=s.system_id)

@smpp.on_bind
async def on_bind(bind):
    if bind.system_id == "caller":
        return bind.accept()
    resp = await smpp.cancel_via("eu", message_id=bind.system_id)
    return bind.reject(resp.command_status, "as the upstream says")

@smpp.on_pdu("submit_sm")
async def submit(pdu, session):
    resp = await smpp.submit_via("eu", short_message=pdu.short_message)
    record("resp", status=resp.command_status)
    return pdu.reply(command_status=resp.command_status)
""",
    )
    seq = remote.esme.send("submit_sm", short_message=b"x")
    remote.up.answer(remote.up.expect("submit_sm"), 0x4FF)
    assert remote.esme.expect("submit_sm_resp", seq).status == 0x4FF
    assert remote.daemon.records("resp")[0]["status"] == "0x000004FF"
    with remote.daemon.connect() as other:
        seq = other.send("bind_transceiver", system_id="other", password="pw", interface_version=0x34)
        remote.up.answer(remote.up.expect("cancel_sm"), 0x42A)
        assert other.expect("bind_transceiver_resp", seq).status == 0x42A
    remote.daemon.log.wait("rejected with 0x0000042A: as the upstream says")
