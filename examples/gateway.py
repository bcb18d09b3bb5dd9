"""A gateway between applications (ESMEs) and upstream SMSCs.

An application binds and submits; the message goes to the first bind of the route of its destination that takes it; the
upstream's receipts find their way back to any session of the application, on any worker, with the message_id that
the application knows. Change the credentials, put your binds and `routing` into the configuration, and it is yours.
"""

import hmac
import secrets
from typing import Any

from siphon import cache, log, receipts, smpp

# system_id → password. A password in the cache under "esme_pw:<system_id>" comes first, so that it can be changed
# without touching this file: redis-cli SET siphon:esme_pw:esme1 ...
CREDENTIALS = {
    "esme1": "s3cret",
    "esme2": "pa55word",
    "esme3": "hunter22",
}

RECEIPT_TTL = 3 * 86400  # seconds for which a message waits for its receipts

# Answers of an upstream that say "not here, not now" and not "not this message": the next bind of the chain is tried.
TRY_NEXT = {"ESME_RTHROTTLED", "ESME_RMSGQFUL", "ESME_RSYSERR", "ESME_RX_T_APPN", "ESME_RINVBNDSTS"}
# Answers of an application that ask for the same receipt later; ESME_RINVBNDSTS: it is just unbinding.
TRY_AGAIN = {"ESME_RTHROTTLED", "ESME_RMSGQFUL", "ESME_RSYSERR", "ESME_RX_T_APPN", "ESME_RINVBNDSTS"}


@smpp.on_bind
async def authorise(bind: smpp.Bind) -> smpp.BindResult:
    try:
        expected = await cache.get(f"esme_pw:{bind.system_id}")
    except cache.CacheError:
        expected = None  # Redis is away: the table above still lets known applications in
    expected = expected or CREDENTIALS.get(bind.system_id)
    if expected is None:
        return bind.reject("ESME_RINVSYSID", f"unknown system_id {bind.system_id!r}")
    if not hmac.compare_digest(bind.password.encode(), expected.encode()):
        return bind.reject("ESME_RINVPASWD", "bad password")
    return bind.accept()


def binds_of(chain: list[str]) -> list[str]:
    return [entry.removeprefix("bind:") for entry in chain]


default_chain, rules = smpp.routing_rules()
DEFAULT_CHAIN = binds_of(default_chain)
CHAINS = {rule["prefix"]: binds_of(rule["chain"]) for rule in reversed(rules)}  # of the same prefix the first counts
LENGTHS = sorted({len(prefix) for prefix in CHAINS}, reverse=True)


def chain_for(destination: str) -> list[str]:
    """The binds for a destination in the order they are tried: those of the longest prefix that fits."""
    number = destination.lstrip("+")
    for length in LENGTHS:
        chain = CHAINS.get(number[:length])
        if chain is not None:
            return chain
    return DEFAULT_CHAIN


def relayed(pdu: smpp.Pdu) -> dict[str, Any]:
    """All of a message that goes on as it came, long messages too: in parts (UDH, sar_*) or as message_payload."""
    return {
        "source_addr": pdu.source_addr,
        "source_addr_ton": pdu.source_addr_ton,
        "source_addr_npi": pdu.source_addr_npi,
        "destination_addr": pdu.destination_addr,
        "dest_addr_ton": pdu.dest_addr_ton,
        "dest_addr_npi": pdu.dest_addr_npi,
        "service_type": pdu.service_type,
        "esm_class": pdu.esm_class,
        "protocol_id": pdu.protocol_id,
        "priority_flag": pdu.priority_flag,
        "schedule_delivery_time": pdu.schedule_delivery_time,
        "validity_period": pdu.validity_period,
        "registered_delivery": pdu.registered_delivery,
        "replace_if_present_flag": pdu.replace_if_present_flag,
        "data_coding": pdu.data_coding,
        "sm_default_msg_id": pdu.sm_default_msg_id,
        "short_message": pdu.short_message,
        "tlvs": pdu.tlv_list,
    }


@smpp.on_pdu("submit_sm")
async def on_submit(pdu: smpp.Pdu, session: smpp.Session) -> smpp.PduReply:
    message_id = secrets.token_hex(16)
    context = {
        "system_id": session.system_id,
        "message_id": message_id,
        "source": [pdu.source_addr, pdu.source_addr_ton, pdu.source_addr_npi],
        "destination": [pdu.destination_addr, pdu.dest_addr_ton, pdu.dest_addr_npi],
    }
    fields = relayed(pdu)
    status = "ESME_RSUBMITFAIL"  # when no bind of the chain is up
    for bind in chain_for(pdu.destination_addr):
        try:
            resp = await receipts.submit_via(bind=bind, context=context, ttl=RECEIPT_TTL, **fields)
        except smpp.BindDown:
            continue
        except smpp.WindowFull:
            status = "ESME_RTHROTTLED"  # not sent, and the application may try again
            continue
        except smpp.ResponseTimeout:
            # It may have arrived: another bind could make it arrive twice. The application decides.
            log.warn(f"{bind}: no answer for {message_id}; told {session.system_id} ESME_RSYSERR")
            return pdu.reply(command_status="ESME_RSYSERR")
        if resp.ok:
            return pdu.reply(message_id=message_id)
        status = resp.command_status if resp.command_status.startswith("ESME_") else "ESME_RSUBMITFAIL"
        if status not in TRY_NEXT:
            break
    log.warn(f"{session.system_id}: message to {pdu.destination_addr} refused with {status}")
    return pdu.reply(command_status=status)


@smpp.on_pdu("deliver_sm")
async def on_deliver(pdu: smpp.Pdu, session: smpp.Session) -> smpp.PduReply:
    if pdu.is_dlr:
        return await receipts.route(pdu, session)
    # A message from a phone: hand it to the application that owns the number, here one per cache entry
    # "mo:<number>" -> system_id.
    owner = await cache.get(f"mo:{pdu.destination_addr}")
    if owner is None:
        log.warn(f"{session.bind}: nobody owns {pdu.destination_addr}")
        return pdu.reply(command_status="ESME_RX_P_APPN")
    resp = await smpp.deliver_to(system_id=owner, **relayed(pdu))
    if resp.command_status in TRY_AGAIN:
        return pdu.reply(command_status="ESME_RX_T_APPN")
    named = resp.command_status.startswith("ESME_")  # else a vendor's number, which means nothing to the upstream
    return pdu.reply(command_status=resp.command_status if named else "ESME_RX_P_APPN")


@receipts.on_receipt
async def on_receipt(receipt: receipts.Receipt) -> None:
    """Raising asks for the receipt again later: from the upstream, or, when it is acknowledged already, from smscd."""
    context = receipt.context
    source, source_ton, source_npi = context["source"]
    destination, dest_ton, dest_npi = context["destination"]
    message_id = context["message_id"]
    resp = await smpp.deliver_to(
        system_id=context["system_id"],
        source_addr=destination,
        source_addr_ton=dest_ton,
        source_addr_npi=dest_npi,
        destination_addr=source,
        dest_addr_ton=source_ton,
        dest_addr_npi=source_npi,
        esm_class=0x04 if receipt.final else 0x20,
        short_message=receipt.body(message_id),
        tlvs=receipt.tlvs(message_id),
    )
    if resp.command_status in TRY_AGAIN:
        raise smpp.SmppError(f"{context['system_id']} answered {resp.command_status}")
    if not resp.ok:
        log.warn(f"{context['system_id']} refused the receipt for {message_id}: {resp.command_status}")
