"""The rows of test_api_table.py: what the packages send and read, and what a script sends and reads.

Every value is another than the default. Not here, as they are not built: Bind.tls.
"""


def hexed(octets):
    return {"hex": octets.hex()}


SOURCE = {"source_addr_ton": 5, "source_addr_npi": 9, "source_addr": "BANK"}
DEST = {"dest_addr_ton": 2, "dest_addr_npi": 8, "destination_addr": "15550101"}
TIMES = {"schedule_delivery_time": "261231235959000+", "validity_period": "270102030405000+"}
TIMES_READ = {"schedule_delivery_time": "2026-12-31T23:59:59.000Z", "validity_period": "2027-01-02T03:04:05.000Z"}
UDH = bytes.fromhex("050003070201")
TEXT = UDH + "h\u00e9 \u20ac".encode("utf-16-be")
MESSAGE = {
    "service_type": "CMT",
    "esm_class": 0x43,
    "protocol_id": 0x41,
    "priority_flag": 3,
    "registered_delivery": 0x11,
    "replace_if_present_flag": 1,
    "data_coding": 8,
    "sm_default_msg_id": 7,
}
DATA = {name: MESSAGE[name] for name in ("service_type", "esm_class", "registered_delivery", "data_coding")}
READ = {"message": "h\u00e9 \u20ac"}
ID = {"message_id": "m" * 64}

# (name, tag, what a script gives, the octets of it, how the package reads it). In the order of the wire, which is not
# that of the tags; callback_num and its companions are there twice; two are a vendor's.
TLVS = [
    ("sms_signal", 0x1203, 0x1234, "1234", 0x1234),
    ("dest_addr_subunit", 0x0005, 3, "03", 3),
    ("dest_network_type", 0x0006, 1, "01", 1),
    ("dest_bearer_type", 0x0007, 4, "04", 4),
    ("dest_telematics_id", 0x0008, 0x102, "0102", 0x102),
    ("source_addr_subunit", 0x000D, 2, "02", 2),
    ("source_network_type", 0x000E, 5, "05", 5),
    ("source_bearer_type", 0x000F, 6, "06", 6),
    ("source_telematics_id", 0x0010, 7, "07", hexed(b"\7")),
    ("alert_on_message_delivery", 0x130C, b"", "", hexed(b"")),
    ("sc_interface_version", 0x0210, 0x34, "34", 0x34),
    ("qos_time_to_live", 0x0017, 0x01020304, "01020304", 0x01020304),
    ("payload_type", 0x0019, 1, "01", 1),
    ("ms_msg_wait_facilities", 0x0030, 0x83, "83", 0x83),
    ("privacy_indicator", 0x0201, 3, "03", 3),
    ("source_subaddress", 0x0202, b"\xa0source", "a0" + b"source".hex(), hexed(b"\xa0source")),
    ("dest_subaddress", 0x0203, b"\xa0dest", "a0" + b"dest".hex(), hexed(b"\xa0dest")),
    ("user_message_reference", 0x0204, 0xFFFE, "fffe", 0xFFFE),
    ("user_response_code", 0x0205, 255, "ff", 255),
    ("source_port", 0x020A, 65535, "ffff", 65535),
    ("destination_port", 0x020B, 1, "0001", 1),
    (0x1400, 0x1400, b"vendor\0\xff", (b"vendor\0\xff").hex(), hexed(b"vendor\0\xff")),
    ("sar_msg_ref_num", 0x020C, 0x0102, "0102", 0x0102),
    ("language_indicator", 0x020D, 3, "03", 3),
    ("sar_total_segments", 0x020E, 9, "09", 9),
    ("sar_segment_seqnum", 0x020F, 4, "04", 4),
    ("CALLBACK_NUM_PRES_IND", 0x0302, 5, "05", 5),
    ("callback_num_pres_ind", 0x0302, 6, "06", 6),
    (0x0303, 0x0303, b"\3tag", "03746167", {"encoding": 3, "display": hexed(b"tag")}),
    ("number_of_messages", 0x0304, 99, "63", 99),
    (
        "callback_num",
        0x0381,
        b"\1\1\x01555",
        "010101353535",
        {"digit_mode": 1, "ton": 1, "npi": 1, "number": "555"},
    ),
    (0x0381, 0x0381, b"\0\2\x08444", "000208343434", {"digit_mode": 0, "ton": 2, "npi": 8, "number": "444"}),
    ("set_dpf", 0x0421, 1, "01", 1),
    ("more_messages_to_send", 0x0426, 1, "01", 1),
    ("ussd_service_op", 0x0501, b"\x10", "10", 0x10),
    ("display_time", 0x1201, 2, "02", 2),
    ("ms_validity", 0x1204, 3, "03", hexed(b"\3")),
    ("its_reply_type", 0x1380, 8, "08", 8),
    ("its_session_info", 0x1383, b"\x01\x02", "0102", hexed(b"\x01\x02")),
    (0x3FFF, 0x3FFF, b"", "", hexed(b"")),
]
RECEIPT_TLVS = [
    ("network_error_code", 0x0423, b"\3\x01\x02", "030102", hexed(b"\3\x01\x02")),
    ("receipted_message_id", 0x001E, "up-1", b"up-1\0".hex(), "up-1"),
    ("message_state", 0x0427, 2, "02", 2),
]
ANSWER_TLVS = [
    ("delivery_failure_reason", 0x0425, 2, "02", 2),
    ("additional_status_info_text", 0x001D, "why", b"why\0".hex(), "why"),
    ("dpf_result", 0x0420, 1, "01", 1),
    (0x1400, 0x1400, b"v", "76", hexed(b"v")),
]
PAYLOAD = ("MESSAGE_PAYLOAD", 0x0424, TEXT, TEXT.hex(), READ | {"udh": [hexed(UDH[1:])]})


def given(tlvs):
    return [(name, value) for name, _, value, _, _ in tlvs]


def seen_by_script(tlvs):
    return [[tag, octets] for _, tag, _, octets, _ in tlvs]


def seen_by_package(tlvs):
    return [[tag, value] for _, tag, _, _, value in tlvs]


def from_package(tlvs):
    """Callers write the package's own form; octets where it takes them as they are."""
    return [[tag, value if tag != 0x0424 else hexed(TEXT)] for _, tag, _, _, value in tlvs]


def first_ones(tlvs):
    return {str(tag): octets for _, tag, _, octets, _ in reversed(tlvs)}


def text_to_send(body=TEXT):
    return {"short_message": hexed(body)}


TEXT_SEEN = {"short_message": TEXT.hex(), "body": TEXT.hex(), "sm_length": len(TEXT)}
SHORTCUTS = {
    "user_message_reference": 0xFFFE,
    "sar_msg_ref_num": 0x0102,
    "sar_total_segments": 9,
    "sar_segment_seqnum": 4,
    "more_messages_to_send": 1,
    "is_tpdu": True,
}
RECEIPT_TEXT = b"id:up-1 sub:001 dlvrd:001 submit date:2601010000 done date:2601010001 stat:DELIVRD err:000 text:hi"
RECEIPT = {
    "id": "up-1",
    "sub": "001",
    "dlvrd": "001",
    "submit_date": "2601010000",
    "done_date": "2601010001",
    "stat": "DELIVRD",
    "err": "000",
    "text": "hi",
    "message_state": 2,
    "raw": RECEIPT_TEXT.decode(),
}
MANY = [{"dest_addr_ton": 2, "dest_addr_npi": 8, "destination_addr": "1555"}, {"dl_name": "friends"}]
MANY_SEEN = [["1555", 2, 8, False], ["friends", 0, 0, True]]

# (who sends, command, fields, optional parameters, what the handler reads beside them)
REQUESTS = [
    ("esme", "submit_sm", {**SOURCE, **DEST, **TIMES, **MESSAGE, **text_to_send()}, TLVS, {**SHORTCUTS, **TEXT_SEEN}),
    (
        "esme",
        "submit_multi",
        {**SOURCE, **TIMES, **MESSAGE, "dest_address": MANY, **text_to_send()},
        TLVS,
        {**SHORTCUTS, **TEXT_SEEN, "command": "submit_sm_multi", "destinations": MANY_SEEN},
    ),
    (
        "esme",
        "data_sm",
        {**SOURCE, **DEST, **DATA},
        [*TLVS, PAYLOAD],
        {**SHORTCUTS, "body": TEXT.hex(), "message_payload": TEXT.hex()},
    ),
    ("esme", "cancel_sm", {**SOURCE, **DEST, **ID, "service_type": "CMT"}, [], {}),
    ("esme", "query_sm", {**SOURCE, **ID}, [], {}),
    (
        "esme",
        "replace_sm",
        {**SOURCE, **ID, **TIMES, "registered_delivery": 0x11, "sm_default_msg_id": 7, **text_to_send()},
        [],
        TEXT_SEEN,
    ),
    (
        "upstream",
        "deliver_sm",
        {**SOURCE, **DEST, **MESSAGE, "esm_class": 0x20, "data_coding": 3, **text_to_send(RECEIPT_TEXT)},
        RECEIPT_TLVS,
        {
            "short_message": RECEIPT_TEXT.hex(),
            "is_dlr": True,
            "is_intermediate": True,
            "receipt": RECEIPT,
            "receipted_message_id": "up-1",
            "message_state": 2,
            "network_error_code": [3, 0x102],
        },
    ),
    ("upstream", "deliver_sm", {**SOURCE, **DEST, **TIMES, **MESSAGE, **text_to_send()}, TLVS, SHORTCUTS | TEXT_SEEN),
    (
        "upstream",
        "data_sm",
        {**SOURCE, **DEST, **DATA, "esm_class": 0x04},
        [*TLVS[:5], *RECEIPT_TLVS],
        {"is_dlr": True, "receipt": {"id": "up-1", "stat": "DELIVRD", "message_state": 2, "raw": ""}},
    ),
]

UNSUCCESSFUL = [("1555", "ESME_RINVDSTADR"), ("1666", 0x4FF), ("1777", "0x00000400")]
UNSUCCESS_READ = [
    {"dest_addr_ton": 1, "dest_addr_npi": 1, "destination_addr": a, "error_status_code": n}
    for a, n in (("1555", 0x0B), ("1666", 0x4FF), ("1777", 0x400))
]
# (who asks, command, method, arguments, what the package reads, what the PduReply says of itself)
REPLIES = [
    *(
        ("esme", c, "reply", {"message_id": "id-1"}, {"message_id": "id-1"}, {"message_id": "id-1"})
        for c in ("submit_sm", "submit_multi", "data_sm")
    ),
    ("upstream", "data_sm", "reply", {"message_id": "id-1"}, {"message_id": "id-1"}, {"message_id": "id-1"}),
    *(
        (
            "esme",
            c,
            "reply",
            {"command_status": "ESME_RINVMSGLEN"},
            {"command_status": 1},
            {"command_status": "ESME_RINVMSGLEN", "ok": False},
        )
        for c in ("submit_sm", "submit_multi", "data_sm", "cancel_sm", "query_sm", "replace_sm")
    ),
    *(
        ("upstream", c, "reply", {"command_status": s}, {"command_status": n}, {"ok": False})
        for c in ("deliver_sm", "data_sm")
        for s, n in (("ESME_RX_R_APPN", 0x66), (0x4FF, 0x4FF), ("0x00000400", 0x400))
    ),
    *(
        (who, "data_sm", "reply", {"tlvs": given(ANSWER_TLVS)}, {"tlvs": seen_by_package(ANSWER_TLVS)}, {})
        for who in ("esme", "upstream")
    ),
    ("esme", "submit_multi", "reply", {"unsuccessful": UNSUCCESSFUL}, {"unsuccess_sme": UNSUCCESS_READ}, {}),
    (
        "esme",
        "query_sm",
        "reply_query",
        {"message_state": 5, "message_id": "q-1", "final_date": TIMES["validity_period"], "error_code": 200},
        {"message_state": 5, "message_id": "q-1", "final_date": TIMES_READ["validity_period"], "error_code": 200},
        {"message_state": 5, "message_id": "q-1", "final_date": TIMES["validity_period"], "error_code": 200},
    ),
]

TO_MANY = "[smpp.Destination('1555', ton=2, npi=8), smpp.Destination('friends', is_distribution_list=True)]"
ACCEPTED = {"ok": True, "command_status": "ESME_ROK"}
ANSWER = {"message_id": "up-1", "tlvs": from_package(ANSWER_TLVS)}
ANSWERED = {
    **ACCEPTED,
    "message_id": "up-1",
    "tlvs": first_ones(ANSWER_TLVS),
    "tlv_list": seen_by_script(ANSWER_TLVS),
}
REFUSED = ({"command_status": 0x4FF}, {"ok": False, "command_status": "0x000004FF"})
UNSUCCESS_SEEN = [[["1555", 1, 1, False], "ESME_RINVDSTADR"], [["1666", 1, 1, False], "0x000004FF"]]
QUERIED = {"message_id": "m-1", "message_state": 3, "error_code": 77}
VIA, TO = {"bind": "npm", "timeout": 9.5}, {"system_id": "esme", "timeout": 9.5}
ESME_ADDR = {"esme_addr_ton": 3, "esme_addr_npi": 4, "esme_addr": "4477"}
WHOLE = {**SOURCE, **DEST, **TIMES, **MESSAGE, "short_message": TEXT}
# (helper, arguments, optional parameters, command that the package gets, its answer, what the script reads of that)
SENDS = [
    ("submit_via", VIA | WHOLE, TLVS, "submit_sm", ANSWER, ANSWERED),
    ("submit_via", VIA | {"short_message": b"x"}, [], "submit_sm", *REFUSED),
    (
        "submit_multi_via",
        VIA | SOURCE | TIMES | MESSAGE | {"destinations": TO_MANY, "short_message": TEXT},
        TLVS,
        "submit_multi",
        {"message_id": "up-1", "unsuccess_sme": UNSUCCESS_READ[:2]},
        {**ACCEPTED, "message_id": "up-1", "unsuccessful": UNSUCCESS_SEEN},
    ),
    ("data_via", VIA | SOURCE | DEST | DATA, [*TLVS, PAYLOAD], "data_sm", ANSWER, ANSWERED),
    ("data_via", VIA | SOURCE | DEST | DATA | {"short_message": TEXT}, [], "data_sm", *REFUSED),
    ("cancel_via", VIA | SOURCE | DEST | ID | {"service_type": "CMT"}, [], "cancel_sm", {}, ACCEPTED),
    ("cancel_via", VIA | SOURCE | ID, [], "cancel_sm", *REFUSED),
    (
        "query_via",
        VIA | SOURCE | ID,
        [],
        "query_sm",
        {**QUERIED, "final_date": TIMES["validity_period"]},
        {**ACCEPTED, **QUERIED, "final_date": TIMES["validity_period"]},
    ),
    ("query_via", VIA | ID, [], "query_sm", *REFUSED),
    (
        "replace_via",
        VIA | SOURCE | ID | TIMES | {"registered_delivery": 0x11, "sm_default_msg_id": 7, "short_message": TEXT},
        [],
        "replace_sm",
        {},
        ACCEPTED,
    ),
    ("deliver_to", TO | WHOLE, TLVS, "deliver_sm", {}, ACCEPTED),
    ("deliver_to", {"session_id": "esme", "short_message": b"x"}, RECEIPT_TLVS, "deliver_sm", *REFUSED),
    ("data_to", TO | SOURCE | DEST | DATA, [*TLVS, PAYLOAD], "data_sm", ANSWER, ANSWERED),
    ("data_to", {"session_id": "esme"} | DATA | {"short_message": TEXT}, [], "data_sm", *REFUSED),
    ("alert_to", TO | SOURCE | ESME_ADDR | {"ms_availability_status": 2}, [], "alert_notification", None, ACCEPTED),
    ("alert_to", {"session_id": "esme"} | SOURCE, [], "alert_notification", None, ACCEPTED),
]
ALERT = {**SOURCE, **ESME_ADDR}
BIND = {
    "system_id": "app",
    "password": "s3cret",
    "system_type": "VMS",
    "addr_range": "^4477",
    "interface_version": 0x34,
}
NOT_BUILT = {("Bind", "tls")}

SMPPLIB_FIELDS = {**SOURCE, **DEST, **TIMES, **MESSAGE}
SMPPLIB_TLVS = {
    "user_message_reference": 0x0102,
    "source_port": 0x0304,
    "destination_port": 0x0506,
    "dest_addr_subunit": 2,
    "sar_msg_ref_num": 0x0708,
    "sar_total_segments": 9,
    "sar_segment_seqnum": 4,
    "language_indicator": 3,
    "its_reply_type": 8,
    "display_time": 1,
    "sms_signal": 0x090A,
    "ms_validity": 3,
    "number_of_messages": 99,
    "user_response_code": 255,
}
IN_DELIVER_SM = (  # what 3.4 names for it, beyond which smpplib refuses to read
    "user_message_reference source_port destination_port sar_msg_ref_num sar_total_segments sar_segment_seqnum "
    "user_response_code language_indicator"
).split()
SMPPLIB_SEEN = [
    [0x0204, "0102"],
    [0x020A, "0304"],
    [0x020B, "0506"],
    [0x0005, "02"],
    [0x020C, "0708"],
    [0x020E, "09"],
    [0x020F, "04"],
    [0x020D, "03"],
    [0x1380, "08"],
    [0x1201, "01"],
    [0x1203, "090a"],
    [0x1204, "03"],
    [0x0304, "63"],
    [0x0205, "ff"],
]
