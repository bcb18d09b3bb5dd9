"""Each field, reply and send helper through smscd to the npm package smpp, in tables; the last test holds the tables
against what the running script sees, so that a new name without a row fails.

REQUESTS: what the package sends, what the handler reads. REPLIES: what the handler answers, what the package reads.
SENDS: what a script sends, what the package reads, how it answers, what the script reads of that. BIND, SESSIONS and
ALERT likewise. Every value is another than the default. Not here, as they are not built: Bind.tls.
"""

import itertools
import json
import re
import subprocess
from pathlib import Path

import pytest
from lib import proc
from lib import remote as remote_lib
from lib.logs import Output
from test_peers import node_environment, upstream_bind

HERE = Path(__file__).parent
HEADER = (HERE.parents[1] / "src" / "common" / "smpp.h").read_text()  # every name of a status and of a parameter

pytestmark = pytest.mark.slow

SCRIPT = (
    remote_lib.SCRIPT
    + """
import inspect

REPLY = {}

def show(value):
    if isinstance(value, smpp.Destination):
        return [str(value), value.ton, value.npi, value.is_distribution_list]
    if isinstance(value, (list, tuple)):
        return [show(one) for one in value]
    return plain(value)

def names(kind):
    return [n for n in dir(kind) if not n.startswith("_") and not callable(getattr(kind, n))]

def attributes(value):
    return {n: show(getattr(value, n)) for n in names(type(value))}

def described(value):
    return {"value": attributes(value) if type(value).__module__ == "siphon.smpp" else plain(value)}

async def seen(pdu, session):
    record("seen", fields=attributes(pdu), session=attributes(session), by_name=show(pdu.tlv("USER_MESSAGE_REFERENCE"))
           if pdu.command != "alert_notification" else None)
    method, arguments = REPLY.get(pdu.command, ("reply", {}))
    if pdu.command == "alert_notification":
        return None
    reply = getattr(pdu, method)(**arguments)
    record("reply", fields=attributes(reply))
    return reply

for command in ("deliver_sm", "submit_sm_multi", "data_sm", "cancel_sm", "query_sm", "replace_sm",
                "alert_notification"):
    smpp.on_pdu(command)(seen)

@smpp.on_pdu("submit_sm")
async def either(pdu, session):
    return await (submit if session.system_id == "caller" else seen)(pdu, session)

@smpp.on_session("unbound")
async def unbound(session):
    record("unbound", session=attributes(session))

@smpp.on_session("bound")
async def bound_too(session):
    record("session", system_id=session.system_id, session=attributes(session))

@smpp.on_bind
async def on_bind(bind):
    result = bind.accept()
    if bind.system_id.startswith("no"):
        status = bind.password if bind.password[0] != "4" else int(bind.password, 16)
        result = bind.reject(REPLY[bind.password], "reason") if bind.password in REPLY else bind.reject(status, "why")
    if bind.system_id != "caller":
        record("bind", fields=attributes(bind), result=attributes(result))
    return result
"""
)


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


class Package:
    """The npm package at both ends."""

    def __init__(self, upstream_port, gateway_port):
        command = ["node", HERE / "npm_table.js", str(upstream_port), str(gateway_port)]
        self.process = subprocess.Popen(
            command, env=node_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=False
        )
        self.said, self.at = Output(self.process.stdout), 0
        self.errors = self.expect(listening=True)["errors"]

    def expect(self, **wanted):
        """The next line that has these; those before it are passed over."""

        def found():
            for n in range(self.at, len(self.said.lines)):
                line = json.loads(self.said.lines[n].raw)
                if wanted.items() <= line.items():
                    return n, line
            return None

        n, line = proc.wait_until(found, what=f"{wanted} of {[x.raw for x in self.said.lines[self.at :]]}")
        self.at = n + 1
        return line

    def tell(self, **what):
        self.process.stdin.write(json.dumps(what).encode() + b"\n")
        self.process.stdin.flush()

    def ask(self, who, command, fields):
        """Sends a request: its response."""
        self.tell(who=who, send=command, fields=fields)
        return self.expect(who=who, response=f"{command}_resp")["fields"]

    def answer(self, who, command, fields):
        self.tell(who=who, answer=command, fields=fields)
        self.expect(who=who, agreed=command)

    def bind(self, name, kind="transceiver", **fields):
        self.tell(connect=name)
        self.expect(who=name, connected=True)
        return self.ask(name, f"bind_{kind}", fields)

    def end(self):
        self.process.stdin.close()
        self.process.wait(10)


class Table(remote_lib.Remote):
    """smscd with the package on both sides, and one hand-made ESME that brings the script its code."""

    def __init__(self, smscd):
        port = proc.free_port()
        self.daemon = smscd(SCRIPT, binds=[upstream_bind("npm", port)], start=False)
        self.package = Package(port, self.daemon.port)
        self.package.answer("upstream", "bind_transceiver", {"system_id": "npm-smsc"})
        self.daemon.start()
        self.esme = self.daemon.bind("caller")
        self.numbers = itertools.count(1)
        self.session("npm")
        assert self.package.bind("esme", system_id="esme", password="s3cret")["command_status"] == 0
        self.target = self.session("esme")["id"]

    def do(self, code):
        outcome = self.run(code).result()
        assert "raised" not in outcome, outcome
        return outcome["value"]

    def reply(self, command, method, arguments):
        name = "submit_sm_multi" if command == "submit_multi" else command
        self.do(f"REPLY[{name!r}] = ({method!r}, {arguments!r})")

    def after(self, kind, act):
        """The record that `act` brings about, and what it returns."""
        before = len(self.daemon.records(kind))
        result = act()
        return self.daemon.wait_records(kind, before + 1)[before], result


@pytest.fixture(scope="module")
def table(shared_smscd):
    table = Table(shared_smscd)
    yield table
    table.package.end()


def subset(whole, names):
    return {name: whole.get(name, "ABSENT") for name in names}


def ids(rows):
    return [f"{n}-{row[1] if row[0] in ('esme', 'upstream') else row[0]}" for n, row in enumerate(rows)]


@pytest.mark.parametrize(("who", "command", "fields", "tlvs", "more"), REQUESTS, ids=ids(REQUESTS))
def test_request(table, who, command, fields, tlvs, more):
    table.reply(command, "reply", {})
    sent = {**fields, "tlvs": from_package(tlvs)}
    seen, resp = table.after("seen", lambda: table.package.ask(who, command, sent))
    assert resp["command_status"] == 0
    plain = {n: v for n, v in fields.items() if n not in ("short_message", "dest_address")}
    expected = {"command": command, "sequence_number": resp["sequence_number"], **plain, **more}
    assert subset(seen["fields"], expected) == expected
    assert seen["fields"]["tlv_list"] == seen_by_script(tlvs)
    assert seen["fields"]["tlvs"] == first_ones(tlvs)
    assert seen["by_name"] == first_ones(tlvs).get(str(0x0204))
    kind = {"esme": ("esme", "esme", None, None), "upstream": ("bind", "npm", "npm", "npm-smsc")}[who]
    assert tuple(seen["session"][n] for n in ("kind", "system_id", "bind", "peer_system_id")) == kind


@pytest.mark.parametrize(("who", "command", "method", "arguments", "read", "of_itself"), REPLIES, ids=ids(REPLIES))
def test_reply(table, who, command, method, arguments, read, of_itself):
    table.reply(command, method, arguments)
    request = {"destination_addr": "1"} if command != "submit_multi" else {"dest_address": MANY}
    reply, resp = table.after("reply", lambda: table.package.ask(who, command, request))
    assert subset(resp, read) == read
    assert subset(reply["fields"], of_itself) == of_itself


@pytest.mark.parametrize(("who", "command"), [("esme", "cancel_sm"), ("upstream", "deliver_sm")])
def test_every_status_by_its_name(table, who, command):
    """The package's own table of names says the same numbers, where it has the name."""
    statuses = {name: int(value, 16) for name, value in re.findall(r"X\((ESME_\w+), (0x\w+)\)", HEADER)}
    assert len(statuses) == 48
    for name, number in statuses.items():
        table.reply(command, "reply", {"command_status": name})
        assert table.package.ask(who, command, {})["command_status"] == number == table.package.errors.get(name, number)
    assert len(statuses.keys() & table.package.errors.keys()) > 40


def expression(helper, arguments, tlvs, target):
    texts = {n: v if n == "destinations" else repr(v) for n, v in arguments.items()}
    if "session_id" in arguments:
        texts["session_id"] = repr(target)
    if tlvs:
        texts["tlvs"] = repr(given(tlvs))
    return f"return await smpp.{helper}({', '.join(f'{n}={v}' for n, v in texts.items())})"


def read_by_package(arguments, tlvs):
    plain = {n: v for n, v in arguments.items() if n in {**SOURCE, **DEST, **MESSAGE, **ID, **ESME_ADDR}}
    plain |= {n: TIMES_READ[n] for n in TIMES if n in arguments}
    if "destinations" in arguments:
        plain["dest_address"] = MANY
    if "ms_availability_status" in arguments:
        plain["tlvs"] = [[0x0422, arguments["ms_availability_status"]]]
    elif "short_message" in arguments and "priority_flag" not in arguments and "data_coding" in arguments:
        plain["tlvs"] = seen_by_package([PAYLOAD])  # data_sm has no short_message
    else:
        plain["tlvs"] = seen_by_package(tlvs)
    return plain


@pytest.mark.parametrize(("helper", "arguments", "tlvs", "command", "answer", "read"), SENDS, ids=ids(SENDS))
def test_send(table, helper, arguments, tlvs, command, answer, read):
    who = "upstream" if "bind" in arguments else "esme"
    if answer is not None:
        table.package.answer(who, command, answer)
    call = table.run(expression(helper, arguments, tlvs, table.target))
    request = table.package.expect(who=who, request=command)["fields"]
    expected = read_by_package(arguments, tlvs)
    assert subset(request, expected) == expected
    if arguments.get("short_message") == TEXT and command not in ("data_sm", "replace_sm"):
        body = request["short_message"]
        assert (body["message"], body["udh"]) == (READ["message"], [hexed(UDH[1:])]), "the package takes the header off"
    outcome = call.result()
    assert "raised" not in outcome, outcome
    assert subset(outcome["value"], read) == read


def test_alert_notification(table):
    fields = {**ALERT, "tlvs": [[0x0422, 2]]}
    sent = {"who": "upstream", "send": "alert_notification", "fields": fields}
    seen, _ = table.after("seen", lambda: table.package.tell(**sent))
    assert seen["fields"] == {**ALERT, "command": "alert_notification", "ms_availability_status": 2}


@pytest.mark.parametrize("kind", ["transceiver", "transmitter", "receiver"])
def test_bind_and_session(table, kind):
    fields = {("address_range" if n == "addr_range" else n): v for n, v in BIND.items()}
    bind, resp = table.after("bind", lambda: table.package.bind(kind, kind, **{**fields, "system_id": kind[:12]}))
    assert (resp["command_status"], resp["system_id"]) == (0, "smscd")
    expected = {**BIND, "system_id": kind[:12], "bind_type": kind, "tls": None}
    assert subset(bind["fields"], expected) == expected
    assert bind["fields"]["client_addr"].startswith("127.0.0.1:")
    assert bind["result"] == {"accept": True, "status": "ESME_ROK", "reason": ""}
    is_it = lambda r: r["system_id"] == kind  # noqa: E731
    session = proc.wait_until(lambda: next(filter(is_it, table.daemon.records("session")), None))["session"]
    assert session["client_addr"] == bind["fields"]["client_addr"]
    said = {"kind": "esme", "system_id": kind, "bind_type": kind, "worker": 0, "bind": None, "peer_system_id": None}
    assert subset(session, said) == said
    assert session["session_id"] == table.session(kind)["id"] and session["session_id"].startswith(session["node"])
    assert session["bound_at"] > 1.7e9
    gone, _ = table.after("unbound", lambda: table.package.ask(kind, "unbind", {}))
    assert gone["session"] == session


@pytest.mark.parametrize(("number", "status"), [(0x0F, "ESME_RINVSYSID"), (0x401, 0x401), (0x4FF, "0x000004FF")])
def test_bind_refused(table, number, status):
    name = f"no{number}"
    table.do(f"REPLY['pw'] = {status!r}")
    bind, resp = table.after("bind", lambda: table.package.bind(name, system_id=name, password="pw"))
    assert resp["command_status"] == number
    text = status if isinstance(status, str) else f"0x{status:08X}"
    assert bind["result"] == {"accept": False, "status": text, "reason": "reason"}


def test_no_table_lacks_a_name(table):
    """What the running script sees of the API, against the rows above."""
    runtime = table.do(
        """
helpers = {n: {k: repr(p.default) for k, p in inspect.signature(getattr(smpp, n)).parameters.items()}
           for n in dir(smpp) if n.endswith(("_via", "_to"))}
methods = {n: list(inspect.signature(getattr(smpp.Pdu, n)).parameters)[1:] for n in ("reply", "reply_query", "tlv")}
kinds = ("Pdu", "PduReply", "Bind", "BindResult", "Session", "AlertNotification", "SmppResp", "QueryResp")
calls = sorted(n for n in dir(smpp.Pdu) if not n.startswith("_") and callable(getattr(smpp.Pdu, n)))
return {"helpers": helpers, "methods": methods, "calls": calls, "kinds": {k: names(getattr(smpp, k)) for k in kinds},
        "destination": [n for n in smpp.Destination.__annotations__]}
""".strip()
    )
    missing = [
        (helper, name)
        for helper, parameters in runtime["helpers"].items()
        for name, default in parameters.items()
        if not any(
            row[0] == helper and (name in row[1] and repr(row[1][name]) != default or name == "tlvs" and row[2])
            for row in SENDS
        )
    ]
    assert runtime["calls"] == ["reply", "reply_query", "tlv"]
    for method in ("reply", "reply_query"):
        used = {name for row in REPLIES if row[2] == method for name in row[3]}
        missing += [(method, name) for name in runtime["methods"][method] if name not in used]
    missing += [(kind, name) for kind, names in runtime["kinds"].items() for name in set(names) - covered(kind)]
    assert set(missing) == NOT_BUILT, "nothing in the tables checks these"
    assert runtime["destination"] == ["ton", "npi", "is_distribution_list"]


def test_no_optional_parameter_is_missing():
    known = {
        name: int(tag, 16) for name, tag in re.findall(r"X\((\w+), (0x\w+), (?:INT|CSTRING|OCTETS|EMPTY),", HEADER)
    }
    rows = {tag for _, tag, *_ in [*TLVS, *RECEIPT_TLVS, *ANSWER_TLVS, PAYLOAD]} | {0x0422}  # alert_notification's
    assert len(known) == 44
    assert set(known.values()) - rows == set()


def covered(kind):
    """The attributes that some row expects to have another value than none at all."""
    everywhere = {"command", "sequence_number", "tlvs", "tlv_list"}
    pdu = everywhere | {n for row in REQUESTS for n in {**row[2], **row[4]} if {**row[2], **row[4]}[n]}
    replies = {n for row in REPLIES for n in row[5]}
    answers = {n for row in SENDS if row[0] != "query_via" for n, v in row[5].items() if v}
    return {
        "Pdu": pdu,
        "PduReply": replies,
        "SmppResp": answers,
        "QueryResp": {n for row in SENDS if row[0] == "query_via" for n in row[5]},
        "Bind": set(BIND) | {"bind_type", "client_addr"},
        "BindResult": {"accept", "status", "reason"},
        "AlertNotification": {*ALERT, "command", "ms_availability_status"},
        "Session": set(
            "kind session_id system_id client_addr bind_type bind peer_system_id worker node bound_at".split()
        ),
    }[kind]
