"""What handlers see: the fields of Pdu, Bind and Session, and receipts in all the shapes that SMSCs send."""

import itertools
import json

import pytest
from lib import smpp_raw as raw
from lib.daemon import OPEN
from lib.remote import Remote

SHORTCUTS = [
    "message_payload",
    "receipted_message_id",
    "message_state",
    "user_message_reference",
    "sar_msg_ref_num",
    "sar_total_segments",
    "sar_segment_seqnum",
    "more_messages_to_send",
    "network_error_code",
]
SCRIPT = (
    OPEN
    + f"""
SHORTCUTS = {SHORTCUTS!r}
"""
    + """
import json
@smpp.on_session("bound")
def bound(session):
    record("bound", system_id=session.system_id)

def plain(value):
    return value.hex() if isinstance(value, bytes) else value

for command in ("submit_sm", "deliver_sm", "data_sm"):
    @smpp.on_pdu(command)
    async def seen(pdu, session):
        receipt = pdu.receipt
        record("pdu", seq=pdu.sequence_number, is_dlr=pdu.is_dlr, is_tpdu=pdu.is_tpdu,
               is_intermediate=pdu.is_intermediate, body=pdu.body.hex(), short_message=plain(pdu.short_message),
               receipt=None if receipt is None else {k: plain(v) for k, v in receipt.items()},
               shortcuts={n: plain(getattr(pdu, n)) for n in SHORTCUTS}, destinations=pdu.destinations or None,
               absent=[pdu.tlv("source_port"), pdu.tlv(0x1400)], by_name=plain(pdu.tlv("MESSAGE_STATE")),
               message_id=pdu.message_id or None)
        try:
            pdu.tlv("no_such_tlv")
        except ValueError:
            pass
        else:
            record("no error")
"""
)


@pytest.fixture(scope="module")
def gateway(shared_smscd, shared_upstream):
    remote = Remote.__new__(Remote)
    remote.smsc = shared_upstream()
    bind = {"name": "eu", "host": "127.0.0.1", "port": remote.smsc.port, "system_id": "gw", "password": "pw"}
    remote.daemon = shared_smscd(SCRIPT, binds=[bind])
    remote.up = remote.smsc.accept_bind()
    remote.session("eu")
    remote.esme = remote.daemon.bind()
    remote.numbers = itertools.count(1000)
    return remote


def see(gateway, command="deliver_sm", side="up", **fields):
    seq = next(gateway.numbers)
    conn = gateway.up if side == "up" else gateway.esme
    conn.send(command, seq=seq, **fields)
    assert conn.expect(command + "_resp", seq).status == 0
    assert not gateway.daemon.records("no error")
    return next(r for r in gateway.daemon.records("pdu") if r["seq"] == seq)


TEXT = b"id:m1 sub:001 dlvrd:001 submit date:2601010000 done date:2601010001 stat:DELIVRD err:000 text:hello"
WHOLE = {
    "id": "m1",
    "sub": "001",
    "dlvrd": "001",
    "submit_date": "2601010000",
    "done_date": "2601010001",
    "stat": "DELIVRD",
    "err": "000",
    "text": "hello",
}
SHAPES = [
    (TEXT, WHOLE),
    (TEXT.upper().replace(b"HELLO", b"hello").replace(b"M1", b"m1"), WHOLE),
    (b"stat:DELIVRD err:000 id:m1 done date:2601010001", {k: WHOLE[k] for k in ("id", "stat", "err", "done_date")}),
    (b"id:m1 stat:DELIVRD", {"id": "m1", "stat": "DELIVRD"}),
    (b"id:m1 submit_date:2601010000 done_date:2601010001 stat:DELIVRD", None),
    (b"id:m1 submit date:260101000059 done date:260101000159 stat:DELIVRD", {"submit_date": "260101000059"}),
    (b"id:m1 submit date:20260101000059 done date:20260101000159 stat:DELIVRD", {"done_date": "20260101000159"}),
    (b"id:m1 stat:UNDELIV err:abc text:", {"err": "abc", "stat": "UNDELIV"}),
    (b"id:m1 stat:UNDELIV err:-1 text:x", {"err": "-1", "text": "x"}),
    (b"id:m1 stat:UNDELIV err:0x45", {"err": "0x45"}),
    (
        b"id:m1 stat:DELIVRD err:000 text:see http://x.y/ at 10:30 id:no",
        {"id": "m1", "text": "see http://x.y/ at 10:30 id:no"},
    ),
    (b"id:m1 stat:DELIVRD Text:stat:UNDELIV err:9", {"stat": "DELIVRD", "text": "stat:UNDELIV err:9"}),
    (b"id: m1 sub:001 stat:DELIVRD", {"id": "m1", "stat": "DELIVRD"}),
    (b"id:m1  sub:001  stat: DELIVRD  err: 000", {"id": "m1", "sub": "001", "stat": "DELIVRD", "err": "000"}),
    (b" ID : m1 STAT : DELIVRD", {"id": "m1", "stat": "DELIVRD"}),
    (b"id:0a1b-2c3d_4.5 stat:EXPIRED", {"id": "0a1b-2c3d_4.5", "stat": "EXPIRED"}),
    (b"id:m1\nstat:DELIVRD\nerr:000", {"id": "m1", "stat": "DELIVRD", "err": "000"}),
    (
        b"id:m1 sub:001 dlvrd:001 submit date:2601010000 done date:2601010001 stat:DELIVRD err:000 text:\xff\x00\xfe",
        {"err": "000"},
    ),
]


@pytest.mark.parametrize(("text", "fields"), SHAPES, ids=range(len(SHAPES)))
def test_receipt(gateway, text, fields):
    seen = see(gateway, esm_class=0x04, short_message=text)
    assert seen["is_dlr"]
    fields = {k: WHOLE[k] for k in ("id", "submit_date", "done_date", "stat")} if fields is None else fields
    assert seen["receipt"].items() >= fields.items()
    assert seen["receipt"]["raw"] in (text.decode("latin-1"), text.hex(), text.decode(errors="replace"))
    present = {k for k in WHOLE if f"{k.replace('_', ' ')}" in text.decode("latin-1").lower().replace("_", " ")}
    assert set(seen["receipt"]) - {"raw", "message_state"} <= present | {"text"}


@pytest.mark.parametrize("command", ["deliver_sm", "data_sm"])
def test_receipt_in_the_payload(gateway, command):
    seen = see(gateway, command, esm_class=0x04, tlvs=[(raw.MESSAGE_PAYLOAD, TEXT)])
    assert seen["is_dlr"]
    assert seen["receipt"].items() >= WHOLE.items()


@pytest.mark.parametrize("command", ["deliver_sm", "data_sm"])
@pytest.mark.parametrize(
    ("state", "stat", "intermediate"),
    [
        (1, "ENROUTE", True),
        (2, "DELIVRD", False),
        (3, "EXPIRED", False),
        (4, "DELETED", False),
        (5, "UNDELIV", False),
        (6, "ACCEPTD", True),
        (7, "UNKNOWN", False),
        (8, "REJECTD", False),
    ],
)
@pytest.mark.parametrize("esm_class", [0x00, 0x04])
def test_receipt_only_in_tlvs(gateway, command, state, stat, intermediate, esm_class):
    tlvs = [(raw.RECEIPTED_MESSAGE_ID, b"m1\0"), (raw.MESSAGE_STATE, bytes([state]))]
    seen = see(gateway, command, esm_class=esm_class, tlvs=tlvs)
    assert seen["is_dlr"]
    assert seen["receipt"].items() >= {"id": "m1", "stat": stat, "message_state": state}.items()
    assert seen["is_intermediate"] == (intermediate or seen["is_intermediate"] and state == 7)


def test_tlvs_fill_in_what_the_text_lacks(gateway):
    tlvs = [(raw.RECEIPTED_MESSAGE_ID, b"other\0"), (raw.MESSAGE_STATE, b"\5")]
    seen = see(gateway, esm_class=0x04, short_message=b"err:012 text:x", tlvs=tlvs)
    assert seen["receipt"].items() >= {"id": "other", "stat": "UNDELIV", "message_state": 5, "err": "012"}.items()
    seen = see(gateway, esm_class=0x04, short_message=b"id:m1 stat:EXPIRED", tlvs=tlvs)
    assert seen["receipt"].items() >= {"id": "m1", "stat": "EXPIRED"}.items(), "the text goes first"


@pytest.mark.parametrize("command", ["deliver_sm", "data_sm"])
@pytest.mark.parametrize(
    ("esm_class", "tlvs", "is_dlr", "intermediate", "is_tpdu"),
    [
        (0x00, "", False, False, False),
        (0x04, "", True, False, False),
        (0x20, "", True, True, False),
        (0x44, "", True, False, True),
        (0x40, "", False, False, True),
        (0xC3, "", False, False, True),
        (0x03, "", False, False, False),
        (0x08, "", False, False, False),  # SME delivery acknowledgement
        (0x10, "", False, False, False),  # SME manual acknowledgement
        (0x18, "", False, False, False),  # conversation abort
        (0x00, "id", False, False, False),
        (0x00, "state", False, False, False),
        (0x00, "id state", True, False, False),
        (0x40, "id state", True, False, True),
        (0x08, "id state", False, False, False),
    ],
)
def test_message_type(gateway, command, esm_class, tlvs, is_dlr, intermediate, is_tpdu):
    given = [(raw.RECEIPTED_MESSAGE_ID, b"m\0")] if "id" in tlvs else []
    given += [(raw.MESSAGE_STATE, b"\2")] if "state" in tlvs else []
    seen = see(gateway, command, esm_class=esm_class, tlvs=given)
    assert (seen["is_dlr"], seen["is_intermediate"], seen["is_tpdu"]) == (is_dlr, intermediate, is_tpdu)
    assert (seen["receipt"] is not None) == (is_dlr and bool(tlvs)), "there is something to read"


@pytest.mark.parametrize(("text", "intermediate"), [(b"id:1 stat:ENROUTE", True), (b"id:1 stat:DELIVRD", False)])
def test_intermediate_by_the_state_of_the_text(gateway, text, intermediate):
    assert see(gateway, esm_class=0x04, short_message=text)["is_intermediate"] == intermediate


@pytest.mark.parametrize("command", ["deliver_sm", "data_sm"])
@pytest.mark.parametrize("text", [b"", b"hello", b":::", b"msgid:7 state:ok", bytes(range(254))])
def test_receipt_of_nothing_readable(gateway, command, text):
    """None, as in siphon-smpp, whose scripts ask `if pdu.receipt`; the text is still in pdu.body."""
    seen = see(gateway, command, esm_class=0x04, tlvs=[(raw.MESSAGE_PAYLOAD, text)])
    assert (seen["is_dlr"], seen["receipt"], seen["body"]) == (True, None, text.hex())


def test_receipt_with_one_key_is_a_dict(gateway):
    assert see(gateway, esm_class=0x04, short_message=b"id:")["receipt"] == {"id": "", "raw": "id:"}
    assert see(gateway, esm_class=0x04, short_message=b"x err:1")["receipt"] == {"err": "1", "raw": "x err:1"}


@pytest.mark.parametrize(("command", "side"), [("submit_sm", "esme"), ("deliver_sm", "up"), ("data_sm", "esme")])
def test_shortcuts(gateway, command, side):
    seen = see(gateway, command, side)
    assert seen["shortcuts"] == dict.fromkeys(SHORTCUTS)
    assert (seen["absent"], seen["by_name"], seen["destinations"], seen["receipt"]) == ([None, None], None, None, None)
    tlvs = [
        (raw.MESSAGE_PAYLOAD, b"payload"),
        (raw.RECEIPTED_MESSAGE_ID, b"rid\0"),
        (raw.MESSAGE_STATE, b"\2"),
        (raw.USER_MESSAGE_REFERENCE, b"\x12\x34"),
        (0x020C, b"\xff\xfe"),
        (0x020E, b"\3"),
        (0x020F, b"\2"),
        (0x0426, b"\1"),
        (raw.NETWORK_ERROR_CODE, b"\3\x01\x02"),
    ]
    seen = see(gateway, command, side, tlvs=tlvs)
    values = [b"payload".hex(), "rid", 2, 0x1234, 0xFFFE, 3, 2, 1, [3, 0x102]]
    assert seen["shortcuts"] == dict(zip(SHORTCUTS, values, strict=True))
    assert (bytes.fromhex(seen["body"]), seen["by_name"]) == (b"payload", "02")


def test_body(gateway):
    seen = see(gateway, "submit_sm", "esme", short_message=b"short")
    assert (bytes.fromhex(seen["body"]), seen["short_message"]) == (b"short", b"short".hex())
    seen = see(gateway, "submit_sm", "esme", tlvs=[(raw.MESSAGE_PAYLOAD, b"")])
    assert seen["body"] == ""


def test_bind_and_session(smscd):
    names = [
        "system_id",
        "password",
        "client_addr",
        "bind_type",
        "system_type",
        "interface_version",
        "addr_range",
        "tls",
    ]
    session = [
        "kind",
        "session_id",
        "system_id",
        "client_addr",
        "bind_type",
        "worker",
        "node",
        "bind",
        "peer_system_id",
    ]
    daemon = smscd(
        OPEN
        + f"""
@smpp.on_bind
def on_bind(bind):
    record("bind", **{{n: getattr(bind, n) for n in {names!r}}})
    return True

@smpp.on_session("bound")
def bound(session):
    record("session", **{{"is_" + n: getattr(session, n) for n in {session!r}}}, at=session.bound_at)
"""
    )
    fields = {"system_type": "VMA", "interface_version": 0x34, "address_range": "^44"}
    with daemon.bind("esme1", password="pass", kind="receiver", **fields) as esme:
        port = esme.sock.getsockname()[1]
        (bind,) = daemon.wait_records("bind")
        (seen,) = daemon.wait_records("session")
    values = ["esme1", "pass", f"127.0.0.1:{port}", "receiver", "VMA", 0x34, "^44", None]
    assert {n: bind[n] for n in names} == dict(zip(names, values, strict=True))
    assert (seen["is_kind"], seen["is_system_id"], seen["is_client_addr"]) == ("esme", "esme1", f"127.0.0.1:{port}")
    assert (seen["is_bind_type"], seen["is_worker"], seen["is_bind"]) == ("receiver", 0, None)
    assert seen["is_session_id"].startswith(seen["is_node"])
    assert seen["at"], json.dumps(seen)
