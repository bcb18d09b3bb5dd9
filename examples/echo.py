"""The smallest script: every ESME may bind, every message is accepted and goes nowhere. For trying things out."""

from siphon import log, smpp


@smpp.on_bind
async def authorise(bind: smpp.Bind) -> smpp.BindResult:
    log.info(f"{bind.system_id} binds from {bind.client_addr}")
    return bind.accept()


@smpp.on_pdu("submit_sm")
async def on_submit(pdu: smpp.Pdu, session: smpp.Session) -> smpp.PduReply:
    log.debug(f"{session.system_id}: {pdu.source_addr} -> {pdu.destination_addr}, {len(pdu.body)} octets")
    return pdu.reply()
