"""A handler that suspends once, to write into Redis."""

from siphon import cache, smpp


@smpp.on_bind
async def on_bind(bind):
    return bind.accept()


@smpp.on_pdu("submit_sm")
async def on_submit(pdu, session):
    await cache.set("bench:something", "a value of forty octets, or nearly so...", ttl=60)
    return pdu.reply()
