"""submit_sm: what a script sees of it, what it may answer, and what the ESME gets when it does not."""

import pytest
from lib import smpp_raw as raw
from lib.daemon import OPEN


def reply_script(body):
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return OPEN + '\n@smpp.on_pdu("submit_sm")\nasync def submit(pdu, session):\n' + lines


def answer_of(smscd, body, **fields):
    daemon = smscd(reply_script(body))
    with daemon.bind() as esme:
        return esme.submit(**fields)


def test_without_a_handler(smscd):
    daemon = smscd(OPEN)
    with daemon.bind() as esme:
        first, second = esme.submit(), esme.submit()
    assert first.status == second.status == raw.ESME_ROK
    assert first.message_id and first.message_id != second.message_id
    daemon.log.wait("(warn|error) worker.*submit_sm")


FIELDS = {
    "service_type": "CMT",
    "source_addr_ton": 5,
    "source_addr_npi": 0,
    "source_addr": "BANK",
    "dest_addr_ton": 2,
    "dest_addr_npi": 8,
    "destination_addr": "15550101",
    "esm_class": 0x40,
    "protocol_id": 0x41,
    "priority_flag": 2,
    "schedule_delivery_time": "261231235959000+",
    "validity_period": "000001000000000R",
    "registered_delivery": 0x11,
    "replace_if_present_flag": 1,
    "data_coding": 8,
    "sm_default_msg_id": 7,
}


def test_every_field(smscd):
    names = [*FIELDS, "command", "sequence_number", "sm_length", "message_id"]
    daemon = smscd(
        reply_script(f"""
record("pdu", short_message=list(pdu.short_message), body=list(pdu.body), is_dlr=pdu.is_dlr, is_tpdu=pdu.is_tpdu,
       **{{name: getattr(pdu, name) for name in {names!r}}})
record("types", short_message=type(pdu.short_message).__name__, source_addr=type(pdu.source_addr).__name__)
""")
    )
    text = bytes(range(254))
    with daemon.bind() as esme:
        assert esme.submit(text, seq=77, **FIELDS).status == raw.ESME_ROK
    (seen,) = daemon.wait_records("pdu")
    assert {name: seen[name] for name in FIELDS} == FIELDS
    assert (seen["command"], seen["sequence_number"], seen["sm_length"]) == ("submit_sm", 77, 254)
    assert bytes(seen["short_message"]) == bytes(seen["body"]) == text
    assert (seen["is_dlr"], seen["is_tpdu"]) == (False, True)
    (types,) = daemon.wait_records("types")
    assert (types["short_message"], types["source_addr"]) == ("bytes", "str")


def test_tlvs(smscd):
    daemon = smscd(
        reply_script("""
record("tlvs", tlvs={str(t): v.hex() for t, v in pdu.tlvs.items()}, order=list(pdu.tlvs),
       all=[(t, v.hex()) for t, v in pdu.tlv_list], by_name=pdu.tlv("user_message_reference").hex(),
       by_tag=pdu.tlv(0x1400).hex(), absent=pdu.tlv("callback_num_atag"),
       reference=pdu.user_message_reference, payload=pdu.message_payload, body=pdu.body.decode(),
       sar=pdu.sar_msg_ref_num)
""")
    )
    tlvs = [
        (0x1400, b"vendor"),
        (raw.CALLBACK_NUM, b"\x01\x00\x011111"),
        (raw.USER_MESSAGE_REFERENCE, b"\x12\x34"),
        (raw.CALLBACK_NUM, b"\x01\x00\x012222"),
    ]
    with daemon.bind() as esme:
        assert esme.submit(b"text", tlvs=tlvs).status == raw.ESME_ROK
    (seen,) = daemon.wait_records("tlvs")
    assert [(tag, bytes.fromhex(value)) for tag, value in seen["all"]] == tlvs
    assert seen["order"] == [0x1400, raw.CALLBACK_NUM, raw.USER_MESSAGE_REFERENCE]
    assert bytes.fromhex(seen["tlvs"][str(raw.CALLBACK_NUM)]) == tlvs[1][1]  # the first of a repeated one
    assert bytes.fromhex(seen["by_name"]) == b"\x12\x34"
    assert bytes.fromhex(seen["by_tag"]) == b"vendor"
    assert (seen["absent"], seen["reference"], seen["payload"], seen["sar"]) == (None, 0x1234, None, None)
    assert seen["body"] == "text"


def test_message_payload(smscd):
    daemon = smscd(
        reply_script('record("body", n=len(pdu.body), same=pdu.body == pdu.message_payload, sm=pdu.sm_length)')
    )
    with daemon.bind() as esme:
        assert esme.submit(b"", tlvs=[(raw.MESSAGE_PAYLOAD, b"x" * 60000)]).status == raw.ESME_ROK
    (seen,) = daemon.wait_records("body")
    assert (seen["n"], seen["same"], seen["sm"]) == (60000, True, 0)


def test_session(smscd):
    daemon = smscd(
        reply_script("""
record("session", kind_=session.kind, system_id=session.system_id, addr=session.client_addr,
       bind_type=session.bind_type, worker=session.worker, node=session.node, id=session.session_id,
       bound_at=str(session.bound_at), type=type(session.session_id).__name__)
""")
    )
    with daemon.bind(kind="transmitter") as esme, daemon.bind("other") as other:
        esme.submit()
        other.submit()
    first, second = daemon.wait_records("session", 2)
    assert (first["kind_"], first["system_id"], first["bind_type"]) == ("esme", "esme1", "transmitter")
    assert second["system_id"] == "other"
    assert first["id"] != second["id"]
    assert (first["type"], first["worker"], first["node"]) == ("str", 0, second["node"])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("return pdu.reply()", raw.ESME_ROK),
        ("return None", raw.ESME_ROK),
        ('return pdu.reply(message_id="abc")', raw.ESME_ROK),
        ('return pdu.reply(command_status="ESME_RSUBMITFAIL")', raw.ESME_RSUBMITFAIL),
        ('return pdu.reply(command_status="ESME_RTHROTTLED")', raw.ESME_RTHROTTLED),
        ("return pdu.reply(command_status=0x4FF)", 0x4FF),
        ('await asyncio.sleep(0)\nreturn pdu.reply(command_status="ESME_RINVDSTADR")', raw.ESME_RINVDSTADR),
        ("raise KeyError('unexpected')", raw.ESME_RSYSERR),
        ("await asyncio.sleep(0)\nraise KeyError('unexpected')", raw.ESME_RSYSERR),
        ('return pdu.reply(command_status="ESME_RTYPO")', raw.ESME_RSYSERR),
        ("return pdu.reply(command_status=0x500)", raw.ESME_RSYSERR),
        ("return pdu.reply(tlvs={0x1400: b'x'})", raw.ESME_RSYSERR),
        ("return pdu.reply(unsuccessful=[])", raw.ESME_RSYSERR),
        ("return 'a string'", raw.ESME_RSYSERR),
    ],
)
def test_answer(smscd, body, status):
    resp = answer_of(smscd, body)
    assert resp.status == status
    if status == raw.ESME_ROK:
        assert resp.message_id == "abc" if "abc" in body else resp.message_id


def test_unknown_status_names_its_line(smscd):
    daemon = smscd(reply_script('\n\nreturn pdu.reply(command_status="ESME_RTYPO")'))
    line = 1 + daemon.script_path.read_text().splitlines().index('    return pdu.reply(command_status="ESME_RTYPO")')
    with daemon.bind() as esme:
        esme.submit()
    daemon.log.wait("ValueError")
    assert daemon.log.find("ESME_RTYPO")
    assert daemon.log.find(rf"script\.py.*\b{line}\b")


def test_next_message_is_served(smscd):
    daemon = smscd(
        reply_script("""
match pdu.body:
    case b"raise": raise RuntimeError("first")
    case b"raise late":
        await asyncio.sleep(0)
        raise RuntimeError("second")
    case b"exit": raise SystemExit(3)
    case b"interrupt": raise KeyboardInterrupt
    case b"cancel": raise asyncio.CancelledError
    case b"type": return object()
""")
    )
    with daemon.bind() as esme:
        for text in (b"raise", b"raise late", b"exit", b"interrupt", b"cancel", b"type"):
            assert esme.submit(text).status == raw.ESME_RSYSERR, text
            assert esme.submit(b"good").status == raw.ESME_ROK, text


@pytest.mark.parametrize("wait", ["await asyncio.sleep(3600)", "await asyncio.Event().wait()"])
def test_handler_timeout(smscd, wait):
    daemon = smscd(
        reply_script(f"""
if pdu.body == b"hang":
    try:
        {wait}
    except asyncio.CancelledError:
        record("cancelled")
        raise
"""),
        handler_timeout_ms=200,
    )
    with daemon.bind() as esme:
        assert esme.submit(b"hang").status == raw.ESME_RSYSERR
        assert esme.submit(b"good").status == raw.ESME_ROK
    daemon.wait_records("cancelled")
    daemon.log.wait("handler_timeout_ms|timed out|timeout|overran")


def test_message_ids_are_unique_across_workers(smscd):
    daemon = smscd(OPEN, workers=2)
    ids = []
    sessions = [daemon.bind() for _ in range(4)]
    for esme in sessions:
        for _ in range(250):
            esme.send("submit_sm", short_message=b"x")
    for esme in sessions:
        ids += [esme.expect("submit_sm_resp").message_id for _ in range(250)]
        esme.close()
    assert len(set(ids)) == 1000
    assert all(0 < len(i) <= 64 for i in ids)


def test_answers_carry_their_own_sequence_number(smscd):
    """Handlers that end in another order than they began: each answer goes to its request, once."""
    daemon = smscd(
        reply_script(
            "n = int(pdu.body)\nawait asyncio.sleep(0.001 * (n * 7 % 13))\nreturn pdu.reply(message_id=str(n))"
        )
    )
    with daemon.bind() as esme:
        for n in range(300):
            esme.send("submit_sm", seq=1000 + n, short_message=str(n).encode())
        answers = [esme.expect("submit_sm_resp") for _ in range(300)]
        esme.enquire()
        assert not esme.kept
    assert sorted(a.seq for a in answers) == list(range(1000, 1300))
    assert all(a.message_id == str(a.seq - 1000) for a in answers)


def test_handlers_start_in_the_order_of_the_wire(smscd):
    daemon = smscd(reply_script('record("start", n=int(pdu.body))\nawait asyncio.sleep(0)'))
    with daemon.bind() as esme:
        esme.write(b"".join(raw.encode("submit_sm", n + 1, short_message=str(n).encode()) for n in range(300)))
        for _ in range(300):
            esme.expect("submit_sm_resp")
    assert [r["n"] for r in daemon.records("start")] == list(range(300))


def test_last_handler_wins(smscd):
    daemon = smscd(
        OPEN
        + """
@smpp.on_pdu("submit_sm")
async def first(pdu, session):
    return pdu.reply(message_id="first")

@smpp.on_pdu("submit_sm")
def second(pdu, session):
    return pdu.reply(message_id="second")
"""
    )
    with daemon.bind() as esme:
        assert esme.submit().message_id == "second"


def test_handler_ends_when_its_session_is_gone(smscd):
    daemon = smscd(reply_script('record("start")\nawait asyncio.sleep(0.2)\nrecord("end")'))
    esme = daemon.bind()
    esme.send("submit_sm", short_message=b"x")
    daemon.wait_records("start")
    esme.reset()
    daemon.wait_records("end")
    with daemon.bind() as other:
        assert other.submit().status == raw.ESME_ROK


def test_commands_without_a_handler(smscd):
    """The defaults of the commands that are not built yet are the protocol's own refusals."""
    daemon = smscd(OPEN)
    with daemon.bind() as esme:
        assert esme.call("data_sm").status == raw.ESME_RSYSERR
        assert esme.call("query_sm", message_id="1").status == 0x67
        assert esme.call("cancel_sm", message_id="1").status == 0x11
        assert esme.call("replace_sm", message_id="1").status == 0x13
        assert esme.submit().status == raw.ESME_ROK


def test_addresses_with_strange_octets(smscd):
    daemon = smscd(reply_script('record("addr", s=pdu.source_addr)\nreturn pdu.reply(message_id=pdu.source_addr[:3])'))
    with daemon.bind() as esme:
        assert esme.submit(source_addr=b"\xe9\x01\xff x").status in (raw.ESME_ROK, raw.ESME_RSYSERR)
        assert esme.submit(source_addr="abc").message_id == "abc"
