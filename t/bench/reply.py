"""The least that a script does: accepts every bind and every message, and reads nothing of it."""

from siphon import smpp


@smpp.on_bind
async def on_bind(bind):
    return bind.accept()


@smpp.on_pdu("submit_sm")
async def on_submit(pdu, session):
    return pdu.reply()
