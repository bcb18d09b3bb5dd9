"""The echo of scripts/bench: reads what any policy reads, and accepts."""

from siphon import smpp


@smpp.on_bind
async def on_bind(bind):
    return bind.accept()


@smpp.on_pdu("submit_sm")
async def on_submit(pdu, session):
    _ = pdu.source_addr, pdu.destination_addr, pdu.short_message
    return pdu.reply()
