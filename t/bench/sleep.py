"""A handler that suspends once, for nothing."""

import asyncio

from siphon import smpp


@smpp.on_bind
async def on_bind(bind):
    return bind.accept()


@smpp.on_pdu("submit_sm")
async def on_submit(pdu, session):
    await asyncio.sleep(0)
    return pdu.reply()
