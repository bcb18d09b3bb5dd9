"""A handler that suspends once, for a look into Redis."""

from siphon import cache, smpp


@smpp.on_bind
async def on_bind(bind):
    return bind.accept()


@smpp.on_pdu("submit_sm")
async def on_submit(pdu, session):
    await cache.get("bench:nothing")
    return pdu.reply()
