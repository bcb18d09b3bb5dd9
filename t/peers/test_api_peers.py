"""Every command end to end between libraries that others wrote, through a script that relays each field."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from lib import proc
from lib.daemon import OPEN
from test_peers import node_environment, upstream_bind

HERE = Path(__file__).parent

pytestmark = pytest.mark.slow

RELAY = (
    OPEN
    + """
SOURCE = ("source_addr_ton", "source_addr_npi", "source_addr")
DEST = ("dest_addr_ton", "dest_addr_npi", "destination_addr")

def take(pdu, *names):
    return {name: getattr(pdu, name) for name in names}

@smpp.on_pdu("submit_sm_multi")
async def multi(pdu, session):
    resp = await smpp.submit_multi_via("npm", destinations=pdu.destinations, tlvs=pdu.tlv_list,
                                       **take(pdu, *SOURCE, "service_type", "short_message"))
    return pdu.reply(message_id=resp.message_id, unsuccessful=resp.unsuccessful)

@smpp.on_pdu("data_sm")
async def data(pdu, session):
    fields = take(pdu, *SOURCE, *DEST, "esm_class", "data_coding")
    if session.kind == "bind":
        resp = await smpp.data_to(system_id="esme1", tlvs=pdu.tlv_list, **fields)
    else:
        resp = await smpp.data_via("npm", tlvs=pdu.tlv_list, **fields)
    return pdu.reply(message_id=resp.message_id, tlvs=resp.tlv_list)

@smpp.on_pdu("cancel_sm")
async def cancel(pdu, session):
    resp = await smpp.cancel_via("npm", **take(pdu, *SOURCE, *DEST, "service_type", "message_id"))
    return pdu.reply(command_status=resp.command_status)

@smpp.on_pdu("query_sm")
async def query(pdu, session):
    resp = await smpp.query_via("npm", **take(pdu, *SOURCE, "message_id"))
    return pdu.reply_query(message_state=resp.message_state, final_date=resp.final_date, error_code=resp.error_code)

@smpp.on_pdu("replace_sm")
async def replace(pdu, session):
    resp = await smpp.replace_via("npm", **take(pdu, *SOURCE, "message_id", "short_message", "registered_delivery"))
    return pdu.reply(command_status=resp.command_status)

@smpp.on_pdu("alert_notification")
async def alert(a, session):
    await smpp.alert_to(system_id="esme1", ms_availability_status=a.ms_availability_status,
                        **take(a, *SOURCE, "esme_addr_ton", "esme_addr_npi", "esme_addr"))
"""
)

FROM = {"source_addr_ton": 5, "source_addr_npi": 0, "source_addr": "BANK"}
TO = {"dest_addr_ton": 2, "dest_addr_npi": 8, "destination_addr": "15550101"}
MANY = [{"dest_addr_ton": 2, "dest_addr_npi": 8, "destination_addr": "1555"}, {"dl_name": "friends"}]
EXPECTED = {
    "upstream submit_multi": {**FROM, "dest_address": MANY, "body": "to many", "service_type": "CMT"},
    "esme submit_multi_resp": {
        "message_id": "multi-1",
        "unsuccess_sme": [{**MANY[0], "error_status_code": 11}],
        "command_status": 0,
    },
    "upstream data_sm": {**FROM, **TO, "body": "x" * 300, "user_message_reference": 42},
    "esme data_sm_resp": {"message_id": "data-1", "user_message_reference": 77, "command_status": 0},
    "upstream cancel_sm": {**FROM, **TO, "message_id": "m-1", "service_type": "CMT"},
    "esme cancel_sm_resp": {"command_status": 0x11},
    "upstream query_sm": {**FROM, "message_id": "m-1"},
    "esme query_sm_resp": {"message_id": "m-1", "message_state": 2, "error_code": 9, "command_status": 0},
    "upstream replace_sm": {**FROM, "message_id": "m-1", "body": "another", "registered_delivery": 1},
    "esme replace_sm_resp": {"command_status": 0},
    "esme data_sm": {**FROM, **TO, "body": "back"},
    "upstream data_sm_resp": {"message_id": "data-1", "user_message_reference": 77, "command_status": 0},
    "esme alert_notification": {
        **FROM,
        "esme_addr_ton": 3,
        "esme_addr_npi": 4,
        "esme_addr": "4477",
        "ms_availability_status": 2,
    },
}


@pytest.mark.parametrize("workers", [1, 2])
def test_npm_on_both_sides(smscd, workers):
    environment = node_environment()
    port = proc.free_port()
    daemon = smscd(RELAY, binds=[upstream_bind("npm", port)], workers=workers, start=False)
    peers = subprocess.Popen(
        ["node", HERE / "npm_commands.js", str(port), str(daemon.port)],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert peers.stdout.readline() == "listening\n"
        daemon.start()
        seen = json.loads(peers.communicate(timeout=30)[0])
    finally:
        peers.kill()
        peers.wait()
    for what, fields in EXPECTED.items():
        assert what in seen
        assert {name: seen[what].get(name) for name in fields} == fields, what


SMPPLIB = """
import smpplib.client, smpplib.smpp, sys
client = smpplib.client.Client("127.0.0.1", int(sys.argv[1]), timeout=10)
client.set_message_received_handler(lambda pdu: 0)
client.connect()
client.bind_transceiver(system_id="lib", password="s3cret")
client.query_message(message_id="m-7", source_addr_ton=5, source_addr_npi=0, source_addr="BANK")
pdu = client.read_pdu()
print(pdu.command, pdu.status, pdu.message_id.decode(), pdu.message_state, pdu.error_code)
"""


def test_smpplib_queries(smscd):
    daemon = smscd(
        OPEN
        + """
@smpp.on_pdu("query_sm")
async def query(pdu, session):
    record("query", id=pdu.message_id, source=[pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr])
    return pdu.reply_query(message_state=5, error_code=3)
"""
    )
    done = subprocess.run(
        [sys.executable, "-c", SMPPLIB, str(daemon.port)], capture_output=True, text=True, timeout=30, cwd="/tmp"
    )
    assert done.stdout.split() == ["query_sm_resp", "0", "m-7", "5", "3"], done
    (seen,) = daemon.wait_records("query")
    assert (seen["id"], seen["source"]) == ("m-7", [5, 0, "BANK"])
