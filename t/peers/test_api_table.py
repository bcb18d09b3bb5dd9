"""Each field, reply and send helper through smscd to the npm package smpp, in tables, which are held against what the
running script sees: a new name without a row fails. What smpplib has of a message goes through that too.

REQUESTS: what the package sends, what the handler reads. REPLIES: what the handler answers, what the package reads.
SENDS: what a script sends, what the package reads, how it answers, what the script reads of that. BIND and ALERT
likewise.
"""

import itertools
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from api_rows import (
    ACCEPTED,
    ALERT,
    ANSWER_TLVS,
    BIND,
    DEST,
    ESME_ADDR,
    ID,
    IN_DELIVER_SM,
    MANY,
    MESSAGE,
    NOT_BUILT,
    PAYLOAD,
    READ,
    RECEIPT_TLVS,
    REPLIES,
    REQUESTS,
    SENDS,
    SMPPLIB_FIELDS,
    SMPPLIB_SEEN,
    SMPPLIB_TLVS,
    SOURCE,
    TEXT,
    TIMES,
    TIMES_READ,
    TLVS,
    UDH,
    WHOLE,
    first_ones,
    from_package,
    given,
    hexed,
    seen_by_package,
    seen_by_script,
)
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


def test_smpplib_there_and_back(table):
    """What smpplib writes is what the handler reads, and what deliver_to writes is what smpplib reads."""
    table.reply("submit_sm", "reply", {"message_id": "for-smpplib"})
    told = {"port": table.daemon.port, "fields": SMPPLIB_FIELDS | SMPPLIB_TLVS, "body": TEXT.hex()}
    told["names"] = [*SMPPLIB_FIELDS, *IN_DELIVER_SM]
    tlvs = {name: SMPPLIB_TLVS[name] for name in IN_DELIVER_SM}
    process = subprocess.Popen(
        [sys.executable, HERE / "smpplib_fields.py"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd="/tmp",
    )
    try:
        seen, _ = table.after("seen", lambda: print(json.dumps(told), file=process.stdin, flush=True))
        assert subset(seen["fields"], SMPPLIB_FIELDS) == SMPPLIB_FIELDS
        assert seen["fields"]["short_message"] == TEXT.hex()
        assert sorted(seen["fields"]["tlv_list"]) == sorted(SMPPLIB_SEEN)
        resp = json.loads(process.stdout.readline())
        assert resp == {"message_id": "for-smpplib", "status": 0}
        call = table.run(
            expression("deliver_to", {"system_id": "smpplib", **WHOLE}, [], None)[:-1] + f", tlvs={tlvs!r})"
        )
        got = json.loads(process.communicate(timeout=20)[0])
        assert subset(call.result()["value"], ACCEPTED) == ACCEPTED
    finally:
        process.kill()
        process.wait()
    assert got == SMPPLIB_FIELDS | tlvs | {"short_message": TEXT.hex()}


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
