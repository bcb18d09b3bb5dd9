"""A gateway whose script does what the test writes: each submit_sm carries Python, and its outcome is read back."""

import itertools

from . import proc
from . import smpp_raw as raw
from .daemon import OPEN

# A record of each outcome: the attributes of a result, or the class names and the text of what was raised.
SCRIPT = (
    OPEN
    + """
NAMES = ("ok", "command_status", "message_id", "tlvs", "tlv_list", "unsuccessful", "message_state", "final_date",
         "error_code")

def plain(value):
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value

def described(value):
    if not hasattr(value, "command_status"):
        return {"value": plain(value)}
    return {"type": type(value).__name__, **{n: plain(getattr(value, n)) for n in NAMES if hasattr(value, n)}}

@smpp.on_session("bound")
async def bound(session):
    record("bound", kind_=session.kind, system_id=session.system_id, id=session.session_id, worker=session.worker)

@smpp.on_pdu("submit_sm")
async def submit(pdu, session):
    try:
        lines = "".join(f"    {line}\\n" for line in pdu.body.decode().split("\\n"))
        space = dict(globals())
        exec("async def run(session):\\n" + lines, space)
        outcome = described(await space["run"](session))
    except Exception as e:
        outcome = {"raised": [c.__name__ for c in type(e).__mro__], "text": str(e)}
    record("outcome", n=pdu.service_type, **outcome)
"""
)


class Call:
    """Code that runs in the script."""

    def __init__(self, remote, number, seq):
        self.remote, self.number, self.seq = remote, number, seq

    def result(self, timeout=10.0):
        """What it came to."""
        self.remote.esme.expect("submit_sm_resp", self.seq, timeout)
        (found,) = [r for r in self.remote.daemon.records("outcome") if r["n"] == str(self.number)]
        return found

    def raised(self, timeout=10.0):
        """The names of the class of what it raised and of that one's bases, and the text."""
        outcome = self.result(timeout)
        assert "raised" in outcome, outcome
        return outcome["raised"], outcome["text"]


class Remote:
    """A daemon with SCRIPT, the ESME that brings the code, and the upstream's end of the bind "eu"."""

    def __init__(self, smscd, upstream, script=SCRIPT, bind=None, **kwargs):
        self.smsc = upstream()
        settings = {"name": "eu", "host": "127.0.0.1", "port": self.smsc.port, "system_id": "gw", "password": "pw"}
        settings |= {"reconnect_min_ms": 50, **(bind or {})}
        self.daemon = smscd(script, binds=[settings], **kwargs)
        self.up = self.smsc.accept_bind()
        self.esme = self.daemon.bind("caller")
        self.numbers = itertools.count(1)
        self.session("eu")
        self.session("caller")

    def session(self, system_id):
        """The record of the session of that name, once it is bound."""
        return proc.wait_until(
            lambda: next((r for r in self.daemon.records("bound") if r["system_id"] == system_id), None),
            what=f"{system_id} bound",
        )

    def run(self, code):
        """Starts lines of Python, in which `session` is the caller's; what they return is the outcome."""
        number = next(self.numbers)
        tlvs = [(raw.MESSAGE_PAYLOAD, code.encode())]
        return Call(self, number, self.esme.send("submit_sm", service_type=str(number), tlvs=tlvs))

    def call(self, expression):
        return self.run(f"return await {expression}")

    def elsewhere(self, **kwargs):
        """An ESME whose session is with another worker than the caller's; the record and the connection."""
        home = self.session("caller")["worker"]
        for n in range(20):
            conn = self.daemon.bind(f"e{n}", **kwargs)
            seen = self.session(f"e{n}")
            if seen["worker"] != home:
                return seen, conn
        raise AssertionError("twenty sessions, all with one worker")
