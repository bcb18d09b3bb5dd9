"""A gateway whose handlers run what the test sends, with an upstream that answers at once and one that the test is."""

from . import smpp_raw as raw
from .daemon import OPEN

# A submit_sm carries Python code, the body of a coroutine function; what it returns is the message_id of the answer.
# "auto" is an upstream that answers at once; of "manual" the test answers each message, named by its body.
PRELUDE = (
    OPEN
    + """
import contextvars, gc, sys
var = contextvars.ContextVar("var", default="unset")
shared = {}
me = asyncio.current_task

def via(text="x", bind="auto", **kwargs):
    return smpp.submit_via(bind, short_message=text, **kwargs)

def kept(text="x", bind="manual", **kwargs):
    return receipts.submit_via(bind=bind, context={"text": text}, short_message=text, **kwargs)

def later(delay, function, *args):
    return asyncio.get_running_loop().call_later(delay, function, *args)

@smpp.on_session("bound")
async def bound(session):
    record("bound", system_id=session.system_id)

@smpp.on_pdu("submit_sm")
async def submit(pdu, session):
    lines = "".join(f"    {line}\\n" for line in pdu.body.decode().split("\\n"))
    space = {}
    exec("async def run(pdu, session):\\n" + lines, globals(), space)
    return pdu.reply(message_id=str(await space["run"](pdu, session))[:64])

@receipts.on_receipt
async def on_receipt(receipt):
    record("receipt", context=receipt.context)

@smpp.on_pdu("deliver_sm")
async def deliver(pdu, session):
    return await receipts.route(pdu, session)
"""
)


class Scripted:
    def __init__(self, smscd, upstream, script=PRELUDE, window=5000, **kwargs):
        smscs = {name: upstream() for name in ("auto", "manual")}
        binds = [
            {"name": name, "host": "127.0.0.1", "port": smsc.port, "system_id": "gw", "password": "pw"}
            | {"reconnect_min_ms": 50, "window": window}
            for name, smsc in smscs.items()
        ]
        self.daemon = smscd(script, binds=binds, **kwargs)
        ends = {name: smsc.accept_bind() for name, smsc in smscs.items()}
        self.auto = raw.Answering(ends["auto"], self._answer)
        self.up = ends["manual"]
        self.smsc = smscs["manual"]
        self.esme = self.daemon.bind("caller")
        self.daemon.wait_records("bound", 3)

    @staticmethod
    def _answer(conn, pdu):
        if pdu.command == "submit_sm":
            conn.answer(pdu, message_id=f"id-{pdu.short_message.decode()}")

    def start(self, code):
        return self.esme.send("submit_sm", tlvs=[(raw.MESSAGE_PAYLOAD, code.encode())])

    def end(self, seq, timeout=10.0):
        resp = self.esme.expect("submit_sm_resp", seq, timeout)
        return resp.message_id if resp.status == 0 else resp.status

    def run(self, code):
        return self.end(self.start(code))

    def sent(self):
        return self.up.expect("submit_sm")

    def receipt(self, upstream_id):
        """The receipt's way: the gateway's status for it."""
        text = f"id:{upstream_id} sub:001 dlvrd:001 submit date:2601010000 done date:2601010001 stat:DELIVRD err:000"
        seq = self.up.send("deliver_sm", esm_class=0x04, short_message=text.encode())
        return self.up.expect("deliver_sm_resp", seq).status

    def remembered(self, text, count=1):
        return len([r for r in self.daemon.records("receipt") if r["context"] == {"text": text}]) == count

    def idle(self):
        """No handler is under way, and none was forgotten."""
        assert self.run("return 'alive'") == "alive"


# What a handler does first.
FIRST = {"now": "pass", "late": "await asyncio.sleep(0)", "redis": "await cache.get('k')", "sent": "await via()"}

# One that another handler cancels: (what it awaits), and what it does then.
VICTIM = "shared['victim'] = me()\ntry:\n    return (await {}).message_id\nexcept asyncio.CancelledError:\n    {}"
CANCEL = "return shared.pop('victim').cancel()"
