"""Joins a message sent upstream with its delivery receipt, whichever comes first, across workers and nodes.

What is known of a message is one value in Redis, under its bind and the upstream's id: the context that the script
gave, and the receipts that have come but are not handed out yet. Either side writes with ``SET ... NX GET``, so that
exactly one of the two finds the other there. A value is only ever replaced by one that contains it, and who replaced
something unexpected merges and writes again.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import _siphon
from _siphon import CacheError, Pdu, PduReply, ResponseTimeout, Session, SmppResp

from siphon import _runtime, smpp

__all__ = ["Receipt", "on_receipt", "remember", "route", "submit_via"]

DEFAULT_TTL = 3 * 86400
"""Seconds for which a message waits for its receipt, and a receipt for its message."""

UNSAVED_MAX = 100_000
LEASE_SECONDS = 30.0
"""How long a hand-out may take without a sign of life; its handler has five seconds less."""
RETRY_MIN, RETRY_MAX = 0.5, 60.0
SWEEP_SECONDS = 15.0
SWEEP_MAX = 1000
QUIET_SECONDS = 10.0
_DUE = "receipts:due"  # sorted set: keys with receipts that are acknowledged and not handed out, by when to look again
_DONE = "D"

_STATES = {
    "ENROUTE": 1,
    "DELIVRD": 2,
    "EXPIRED": 3,
    "DELETED": 4,
    "UNDELIV": 5,
    "ACCEPTD": 6,
    "UNKNOWN": 7,
    "REJECTD": 8,
}
_STATS = {state: stat for stat, state in _STATES.items()}
_NOT_FINAL = (1, 6)


class Receipt:
    """A delivery receipt together with the context of the message it reports on."""

    __slots__ = ("_network_error_code", "bind", "context", "err", "fields", "final", "message_id", "stat", "state")

    context: dict[str, Any]
    """What the script gave to :func:`submit_via` or :func:`remember`."""
    bind: str
    """The name of the bind it came over."""
    message_id: str
    """The upstream's id of the message, as the receipt has it."""
    state: int
    """message_state, 1-8 (section 5.2.28); 7 (UNKNOWN) when the receipt does not say."""
    stat: str
    """The state as Appendix B writes it: ``DELIVRD``."""
    err: str
    """The ``err`` field of the text, or ``"000"``."""
    final: bool
    """Whether no further receipt follows."""
    fields: smpp.ReceiptFields
    """The parsed receipt, as ``pdu.receipt`` has it (Appendix B)."""

    def __init__(
        self, bind: str, fields: smpp.ReceiptFields, final: bool, error_code: bytes | None, context: dict[str, Any]
    ) -> None:
        self.bind = bind
        self.context = context
        self.fields = fields
        self.message_id = str(fields.get("id", ""))
        self.state = int(fields.get("message_state") or 7)
        self.stat = str(fields.get("stat") or _STATS.get(self.state, "UNKNOWN"))
        self.err = str(fields.get("err", "000"))
        self.final = final
        self._network_error_code = error_code

    def body(self, message_id: str) -> bytes:
        """The text of Appendix B about ``message_id``, for the ``short_message`` of a deliver_sm."""
        fields = self.fields
        text = (
            f"id:{message_id} sub:{fields.get('sub', '001')} dlvrd:{fields.get('dlvrd') or self._delivered()} "
            f"submit date:{fields.get('submit_date') or _now()} done date:{fields.get('done_date') or _now()} "
            f"stat:{self.stat} err:{self.err} text:{fields.get('text', '')}"
        )
        return text.encode("latin-1", "replace")[:254]

    def _delivered(self) -> str:
        return "001" if self.state == 2 else "000"

    def tlvs(self, message_id: str) -> dict[str | int, bytes | str | int]:
        """The optional parameters about ``message_id``: receipted_message_id, message_state, network_error_code."""
        tlvs: dict[str | int, bytes | str | int] = {
            "receipted_message_id": message_id,
            "message_state": self.state,
        }
        if self._network_error_code:
            tlvs["network_error_code"] = self._network_error_code
        return tlvs

    def __repr__(self) -> str:
        return f"Receipt(bind={self.bind!r}, message_id={self.message_id!r}, stat={self.stat!r}, final={self.final})"


def _now() -> str:
    return time.strftime("%y%m%d%H%M")


Handler = Callable[[Receipt], Awaitable[None]]


def on_receipt(handler: Handler) -> Handler:
    """Registers the handler that takes a receipt to its application: ``async def (receipt: Receipt) -> None``.

    It runs before the upstream is answered. When it raises, the upstream gets ESME_RX_T_APPN and sends again; a receipt
    that came before its message, and so is acknowledged already, is tried again with backoff until its ttl.
    """
    global _sweeper
    _siphon.register("on_receipt", "", handler)
    if _sweeper is None:
        _sweeper = _runtime.spawn(_sweep_for_ever(), "receipts")
    return handler


# -- the log --------------------------------------------------------------------------


class _Quiet:
    """Says the first of a kind, and then every ten seconds how many more there were: they come by the thousand."""

    __slots__ = ("_level", "_more", "_open", "_what")

    def __init__(self, level: int, what: str) -> None:
        self._level = level
        self._what = what
        self._more = 0
        self._open = True

    def first(self) -> bool:
        """Whether the caller is to say it; the others are counted."""
        if not self._open:
            self._more += 1
            return False
        self._open = False
        asyncio.get_running_loop().call_later(QUIET_SECONDS, self._again)
        return True

    def say(self, text: str) -> None:
        if self.first():
            _siphon.log(self._level, f"receipts: {text}")

    def _again(self) -> None:
        self._open = self._more == 0
        if self._more:
            _siphon.log(self._level, f"receipts: {self._more} more {self._what} in the last {QUIET_SECONDS:.0f} s")
            self._more = 0
            asyncio.get_running_loop().call_later(QUIET_SECONDS, self._again)


_quiet_not_taken = _Quiet(2, "not handed over")
_quiet_raised = _Quiet(3, "exceptions of on_receipt")
_quiet_away = _Quiet(2, "to be sent again for Redis is away")
_quiet_no_id = _Quiet(2, "without an id")
_quiet_no_handler = _Quiet(3, "without an on_receipt handler")
_quiet_lost = _Quiet(3, "messages not remembered")

# -- the value in Redis ---------------------------------------------------------------


_compact = json.JSONEncoder(separators=(",", ":"))
_encode = _compact.encode
# What encode() makes anew for each call, and what decode() does where no blanks are around.
_chunks: Callable[[object, int], Iterable[str]] = json.encoder.c_make_encoder(  # type: ignore[attr-defined]
    None, _compact.default, json.encoder.encode_basestring_ascii, None, ":", ",", False, False, True
)
_scan: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder().scan_once  # type: ignore[attr-defined]


def _value_of(context: dict[str, Any]) -> str:
    """The value that says this of a message, and nothing of a receipt."""
    try:
        return f'{{"c":{"".join(_chunks(context, 0))}}}'
    except RecursionError:
        raise ValueError("the context contains itself") from None


class _Entry:
    """What is known of one message: its context, the receipts not handed out, or that it is over."""

    __slots__ = ("context", "done", "receipts")

    def __init__(self, context: dict[str, Any] | None, receipts: list[dict[str, Any]], done: bool = False) -> None:
        self.context = context
        self.receipts = receipts
        self.done = done

    @classmethod
    def read(cls, text: str) -> _Entry:
        if text == _DONE:
            return cls(None, [], True)
        value, _ = _scan(text, 0)
        return cls(value.get("c"), value.get("r", []))

    def write(self) -> str:
        if self.done:
            return _DONE
        value: dict[str, Any] = {}
        if self.context is not None:
            value["c"] = self.context
        if self.receipts:
            value["r"] = self.receipts
        return _encode(value)

    def merge(self, other: _Entry) -> None:
        """Takes over what `other` has and this has not."""
        if self.context is None:
            self.context = other.context
        known = {receipt["n"] for receipt in self.receipts}
        self.receipts.extend(receipt for receipt in other.receipts if receipt["n"] not in known)
        self.done = self.done or other.done


def _px(ttl: float) -> int:
    if not ttl > 0:
        raise ValueError(f"ttl is in seconds, above 0, not {ttl!r}")
    return max(1, int(ttl * 1000))


async def _write(key: str, entry: _Entry, expected: str | None, *options: object) -> None:
    """Replaces `expected` by `entry`; whatever else was there is merged into `entry`, and written again."""
    while True:
        text = entry.write()
        previous = await _siphon.redis("SET", key, text, "GET", *options)
        if previous is None or previous == expected or previous == text:
            return
        entry.merge(_Entry.read(previous))
        expected = text


# -- the message's side ------------------------------------------------------------------


async def submit_via(
    bind: str,
    *,
    context: dict[str, Any],
    ttl: float = DEFAULT_TTL,
    source_addr: str = "",
    destination_addr: str = "",
    short_message: bytes | str = b"",
    source_addr_ton: int = 1,
    source_addr_npi: int = 1,
    dest_addr_ton: int = 1,
    dest_addr_npi: int = 1,
    service_type: str = "",
    esm_class: int = 0,
    protocol_id: int = 0,
    priority_flag: int = 0,
    schedule_delivery_time: str = "",
    validity_period: str = "",
    registered_delivery: int = 0,
    replace_if_present_flag: int = 0,
    data_coding: int = 0,
    sm_default_msg_id: int = 0,
    tlvs: smpp.Tlvs | None = None,
    timeout: float | None = None,
) -> SmppResp:
    """Sends as :func:`siphon.smpp.submit_via` does, and remembers ``context`` under the upstream's message_id.

    ``context``: a dict of JSON values, which the :class:`Receipt` brings back. ``ttl``: seconds. Remembered whenever
    the answer comes, also after a timeout or a cancel. An upstream that has accepted is never asked again: when Redis
    is away the entry waits in the worker's memory until it is back. Raises what ``smpp.submit_via`` raises; TypeError
    or ValueError when the context is not JSON, before anything is sent.
    """
    text = _value_of(context)
    ttl_ms = _px(ttl)
    fields = (  # in the order that _siphon knows
        source_addr,
        destination_addr,
        short_message,
        source_addr_ton,
        source_addr_npi,
        dest_addr_ton,
        dest_addr_npi,
        service_type,
        esm_class,
        protocol_id,
        priority_flag,
        schedule_delivery_time,
        validity_period,
        registered_delivery,
        replace_if_present_flag,
        data_coding,
        sm_default_msg_id,
        tlvs,
    )
    response, found = await _siphon.submit_remembered(fields, timeout, bind, text, ttl_ms, _late)
    if found is not None:
        await _found(response, found, bind, text, ttl_ms)
    elif response.ok and not response.message_id:
        _quiet_no_id.say(f"bind {bind}: an upstream accepts without giving an id; its receipt cannot be known")
    return response


def _late(response: SmppResp, bind: str, text: str, ttl_ms: int) -> None:
    """An answer that nobody awaits any longer, after a timeout or a cancel."""
    if response.ok:
        _runtime.spawn(_remember_or_keep(bind, response.message_id, text, ttl_ms, None), "receipts", hold=True)


async def _found(response: SmppResp, found: str | CacheError, bind: str, text: str, ttl_ms: int) -> None:
    """The upstream has accepted, and Redis is away or knows something of that id already."""
    message_id = response.message_id
    if isinstance(found, CacheError):
        _keep(found, bind, message_id, text, ttl_ms)
        return
    task = asyncio.current_task()
    try:
        await _remember_or_keep(bind, message_id, text, ttl_ms, task, found)
    except asyncio.CancelledError:
        _runtime.spawn(_remember_or_keep(bind, message_id, text, ttl_ms, None), "receipts", hold=True)
        raise


async def remember(bind: str, message_id: str, context: dict[str, Any], ttl: float = DEFAULT_TTL) -> None:
    """Remembers ``context`` under the bind and the upstream's message_id, for who sends with ``smpp.submit_via``.

    A receipt that has come already is handed out when the calling task has ended. Raises CacheError.
    """
    await _remember(bind, message_id, _value_of(context), _px(ttl), asyncio.current_task())


async def _remember(
    bind: str, message_id: str, text: str, ttl_ms: int, answered: asyncio.Task[Any] | None, found: str | None = None
) -> None:
    """`found`: what the caller's own SET has found there."""
    if not message_id:
        _quiet_no_id.say(f"bind {bind}: an upstream accepts without giving an id; its receipt cannot be known")
        return
    key = _siphon.receipt_key(bind, message_id, False)
    previous = found or await _siphon.redis("SET", key, text, "NX", "GET", "PX", ttl_ms)
    if previous is None or previous == text:
        return
    await _join(bind, key, text, ttl_ms, previous, answered)


async def _join(bind: str, key: str, text: str, ttl_ms: int, previous: str, answered: asyncio.Task[Any] | None) -> None:
    """A message whose receipt has come before it, or whose id the upstream has used before."""
    entry = _Entry.read(text)
    found = _Entry.read(previous)
    if found.receipts and found.context in (None, entry.context):
        entry.merge(found)
        await _due(key)  # first: whoever dies after the write leaves it to the sweep
        await _write(key, entry, previous, "PX", ttl_ms)
        _hand_out_after(answered, bind, key)
        return
    # The upstream has used this id before: its earlier message is over, but for receipts that nobody has taken yet.
    if found.receipts:
        await _set_aside(bind, key, previous, ttl_ms)
    await _siphon.redis("SET", key, text, "PX", ttl_ms)


async def _set_aside(bind: str, key: str, text: str, ttl_ms: int) -> None:
    """What is still to be handed out of an earlier message gets a key that no message has."""
    aside = f"{key} {uuid.uuid4().hex}"
    await _due(aside)
    await _siphon.redis("SET", aside, text, "PX", ttl_ms)
    _runtime.spawn(_hand_out(bind, aside), "receipts")


async def _due(key: str, *options: object, delay: float = 0.0) -> None:
    """The sweep looks at the key when a lease from now, or from `delay` on, would be over."""
    await _siphon.redis("ZADD", _siphon.prefix() + _DUE, *options, int(time.time() + delay + LEASE_SECONDS), key)


def _hand_out_after(answered: asyncio.Task[Any] | None, bind: str, key: str) -> None:
    """Hands out once the application has had its answer: when the handler that sent the message has ended."""
    if answered is None or answered.done():
        _runtime.spawn(_hand_out(bind, key), "receipts")
    else:
        answered.add_done_callback(lambda _: _runtime.spawn(_hand_out(bind, key), "receipts"))


# -- Redis away while the upstream has accepted -----------------------------------------------

_unsaved: deque[tuple[str, str, str, float]] = deque()
_saver: asyncio.Task[Any] | None = None


async def _remember_or_keep(
    bind: str, message_id: str, text: str, ttl_ms: int, answered: asyncio.Task[Any] | None, found: str | None = None
) -> None:
    try:
        await _remember(bind, message_id, text, ttl_ms, answered, found)
    except CacheError as exc:
        _keep(exc, bind, message_id, text, ttl_ms)


def _keep(why: CacheError, bind: str, message_id: str, text: str, ttl_ms: int) -> None:
    global _saver
    if len(_unsaved) >= UNSAVED_MAX:
        _quiet_lost.say(f"{UNSAVED_MAX} messages wait for Redis; {bind} {message_id} is not remembered")
        return
    if not _unsaved:
        _siphon.log(2, f"receipts: {why}; accepted messages are remembered in memory until Redis is back")
    _unsaved.append((bind, message_id, text, time.time() + ttl_ms / 1000))
    if _saver is None or _saver.done():
        _saver = _runtime.spawn(_save(), "receipts", hold=True)


async def _save() -> None:
    delay = RETRY_MIN
    saved = 0
    while _unsaved:
        bind, message_id, text, until = _unsaved[0]
        try:
            if until > time.time():
                await _remember(bind, message_id, text, _px(until - time.time()), None)
            _unsaved.popleft()
            saved += 1
            delay = RETRY_MIN
        except CacheError:
            await asyncio.sleep(delay)
            delay = min(2 * delay, 5.0)
    _siphon.log(1, f"receipts: Redis is back, {saved} messages remembered")


# -- the receipt's side --------------------------------------------------------------------------


_process = uuid.uuid4().hex[:12]
_numbers = itertools.count()


def _error_code(pdu: Pdu) -> bytes | None:
    code = pdu.tlv("network_error_code")
    return code if code is not None and len(code) == 3 else None


def _wire(pdu: Pdu, fields: smpp.ReceiptFields) -> dict[str, Any]:
    """A receipt as it is kept in Redis: n tells two of them apart, x is whether it is final."""
    wire: dict[str, Any] = {"n": f"{_process}{next(_numbers):x}", "f": fields, "x": not pdu.is_intermediate}
    code = _error_code(pdu)
    if code is not None:
        wire["e"] = code.hex()
    return wire


def _receipt_of(bind: str, wire: dict[str, Any], context: dict[str, Any]) -> Receipt:
    code = wire.get("e")
    return Receipt(bind, wire["f"], bool(wire["x"]), bytes.fromhex(code) if code else None, context)


async def route(pdu: Pdu, session: Session, *, ttl: float = DEFAULT_TTL) -> PduReply:
    """Takes a receipt that came over a bind to the :func:`on_receipt` handler; returns the answer for the upstream.

    ESME_ROK when the handler has returned, when the receipt is kept until its message is remembered (for ``ttl``
    seconds), or for a duplicate of one that is over. ESME_RX_T_APPN when the handler raised or Redis is away: the
    upstream sends it again. Raises ValueError for a PDU that is no receipt or does not come from a bind.
    """
    if not pdu.is_dlr or session.bind is None:
        raise ValueError("receipts.route takes a receipt (pdu.is_dlr) from a bind")
    fields = pdu.receipt
    if not fields or not fields.get("id"):
        _quiet_no_id.say(f"bind {session.bind}: a receipt without an id is answered ESME_RX_P_APPN: {pdu!r}")
        return pdu.reply(command_status="ESME_RX_P_APPN")
    bind = session.bind
    key = _siphon.receipt_key(bind, fields["id"], True)
    try:
        found = await _siphon.redis("GET", key)  # mostly its message is there, and nothing has to be written
        if found is None or found == _DONE or '"r":' in found:
            context = await _context_of(key, found, _wire(pdu, fields), _px(ttl))
        else:
            context = _scan(found, 0)[0]["c"]
    except CacheError as exc:
        _quiet_away.say(f"bind {bind}: {exc}; receipt {fields['id']} is to be sent again")
        return pdu.reply(command_status="ESME_RX_T_APPN")
    if context is None:
        return pdu.reply()
    final = not pdu.is_intermediate
    if not await _handle(Receipt(bind, fields, final, _error_code(pdu), context)):
        return pdu.reply(command_status="ESME_RX_T_APPN")
    if final:
        # The application has it. Were this mark lost with Redis, a duplicate would come through: at least once.
        _siphon.redis_forget("SET", key, _DONE, "XX", "KEEPTTL")
    return pdu.reply()


async def _context_of(key: str, previous: str | None, wire: dict[str, Any], ttl_ms: int) -> dict[str, Any] | None:
    """The context of the message that the receipt is about. None: it is over, or the receipt waits in Redis now."""
    if previous is None:
        previous = await _siphon.redis("SET", key, _Entry(None, [wire]).write(), "NX", "GET", "PX", ttl_ms)
        if previous is None:
            _siphon.count("receipts_unmatched")
            return None
    found = _Entry.read(previous)
    if found.done:
        _siphon.count("receipts_duplicate")
        return None
    if found.context is not None and not found.receipts:
        return found.context
    # Others came before it and are not handed out yet: it waits behind them.
    found.receipts.append(wire)
    await _write(key, found, previous, "XX", "KEEPTTL")
    if found.context is not None:
        await _due(key, "NX")  # after the write: see _ended
    return None


async def _handle(receipt: Receipt) -> bool:
    """Runs the handler; False when it raised."""
    handler = _siphon.registered("on_receipt")
    if handler is None:
        _quiet_no_handler.say("no on_receipt handler is registered")
        return False
    try:
        await handler(receipt)
    except asyncio.CancelledError:
        raise
    except (smpp.SmppError, ResponseTimeout, CacheError) as exc:
        _quiet_not_taken.say(f"{receipt!r}: {type(exc).__name__}: {exc}")
        return False
    except BaseException as exc:
        _siphon.count("handler_errors")
        if _quiet_raised.first():
            _runtime.log_exception(f"on_receipt {receipt!r}", exc)
        return False
    return True


# -- receipts that came before their message ------------------------------------------------------


async def _hand_out(bind: str, key: str) -> None:
    """Hands out what waits under `key`, again with backoff until it worked or its ttl is over."""
    lease = f"{key}:lease"
    owner = uuid.uuid4().hex
    delay = RETRY_MIN
    while True:
        try:
            if not await _siphon.redis("SET", lease, owner, "NX", "PX", _px(LEASE_SECONDS)):
                return  # another worker has it
            over = await _hand_out_once(bind, key, lease)
            await _siphon.redis("DEL", lease)
            if over and await _ended(key):
                return
            await _due(key, delay=delay)
        except CacheError:
            pass
        await asyncio.sleep(delay * random.uniform(0.8, 1.2))
        delay = min(2 * delay, RETRY_MAX)


async def _ended(key: str) -> bool:
    """Takes the key out of what is due. False: a receipt was added while the last one was handed out."""
    await _siphon.redis("ZREM", _siphon.prefix() + _DUE, key)
    text = await _siphon.redis("GET", key)
    if text is None:
        return True
    entry = _Entry.read(text)
    return entry.context is None or not entry.receipts


async def _hand_out_once(bind: str, key: str, lease: str) -> bool:
    """True when nothing is left to hand out under `key`."""
    text = await _siphon.redis("GET", key)
    if text is None:
        return True
    entry = _Entry.read(text)
    if entry.done or entry.context is None:
        return True
    final = False
    while entry.receipts:
        wire = entry.receipts[0]
        if final:
            _siphon.count("receipts_duplicate")
        elif not await _handle_in_time(_receipt_of(bind, wire, entry.context), lease):
            await _keep_rest(key, entry, text)
            return False
        final = final or bool(wire["x"])
        entry.receipts.pop(0)
    await _finish(key, entry, text, final)
    return not entry.receipts


async def _handle_in_time(receipt: Receipt, lease: str) -> bool:
    """No upstream waits here: a handler that never returns must not outlast the lease."""
    await _siphon.redis("PEXPIRE", lease, _px(LEASE_SECONDS))
    try:
        async with asyncio.timeout(LEASE_SECONDS - 5):
            return await _handle(receipt)
    except TimeoutError:
        _quiet_not_taken.say(f"{receipt!r}: on_receipt takes longer than {LEASE_SECONDS - 5:.0f} s")
        return False


async def _keep_rest(key: str, entry: _Entry, text: str) -> None:
    """Some were handed out, the first of the rest was not: those that were go out of the value."""
    handed = {wire["n"] for wire in _Entry.read(text).receipts} - {wire["n"] for wire in entry.receipts}
    if handed:
        await _replace(key, entry, text, handed)


async def _finish(key: str, entry: _Entry, text: str, final: bool) -> None:
    handed = {wire["n"] for wire in _Entry.read(text).receipts}
    if final:
        await _siphon.redis("SET", key, _DONE, "XX", "KEEPTTL")
    else:
        await _replace(key, entry, text, handed)


async def _replace(key: str, entry: _Entry, expected: str, handed: set[str]) -> None:
    """Writes `entry` over `expected`, keeping what others have added meanwhile but not what was handed out."""
    while True:
        text = entry.write()
        previous = await _siphon.redis("SET", key, text, "XX", "GET", "KEEPTTL")
        if previous is None or previous in (expected, text):
            return
        other = _Entry.read(previous)
        other.receipts = [wire for wire in other.receipts if wire["n"] not in handed]
        entry.merge(other)
        expected = text


_sweeper: asyncio.Task[Any] | None = None


async def _sweep_for_ever() -> None:
    while True:
        await asyncio.sleep(SWEEP_SECONDS * random.uniform(0.5, 1.5))
        try:
            await _sweep()
        except CacheError:
            pass  # logged by the worker itself


async def _sweep() -> None:
    """Takes up what a worker that has died was to hand out."""
    due = _siphon.prefix() + _DUE
    keys = await _siphon.redis("ZRANGEBYSCORE", due, "-inf", int(time.time()), "LIMIT", 0, SWEEP_MAX)
    for key in keys or []:
        bind = str(key)[len(_siphon.prefix()) + len("receipt:") :].split(":", 1)[0]
        await _due(str(key))
        _runtime.spawn(_hand_out(bind, str(key)), "receipts")
