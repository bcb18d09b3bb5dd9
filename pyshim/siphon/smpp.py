"""The ``smpp`` namespace of a script: decorators, the objects handlers receive, send helpers, and readouts.

Names of fields and statuses are those of SMPP 3.4. Times are in seconds unless a name ends in ``_ms``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn, TypeVar

import _siphon
from _siphon import (
    Bind,
    BindDown,
    BindResult,
    Pdu,
    PduReply,
    ResponseTimeout,
    Session,
    SessionGone,
    SmppError,
    SmppResp,
    UnknownBind,
    WindowFull,
)

__all__ = [
    "Bind",
    "BindDown",
    "BindResult",
    "Pdu",
    "PduReply",
    "ResponseTimeout",
    "Session",
    "SessionGone",
    "SmppError",
    "SmppResp",
    "UnknownBind",
    "WindowFull",
    "alert_to",
    "bind_address",
    "binds",
    "cancel_via",
    "config",
    "data_to",
    "data_via",
    "deliver_to",
    "on_bind",
    "on_pdu",
    "on_session",
    "query_via",
    "replace_via",
    "routing_rules",
    "sessions",
    "submit_multi_via",
    "submit_via",
]

Handler = TypeVar("Handler", bound=Callable[..., Any])
Tlvs = Mapping[str | int, bytes | str | int] | Iterable[tuple[str | int, bytes | str | int]]

# -- decorators ------------------------------------------------------------------


def on_bind(handler: Handler) -> Handler:
    """Registers who decides whether an ESME may bind (section 4.1).

    The handler gets a :class:`Bind` and returns ``bind.accept()``, ``bind.reject(status, reason)``, or anything that is
    true or false. Without one every bind is rejected.
    """
    _siphon.register("bind", "", handler)
    return handler


def on_pdu(command: str) -> Callable[[Handler], Handler]:
    """Registers the handler of a command; it gets ``(pdu, session)`` and returns ``pdu.reply(...)`` or None.

    ``command``: ``"submit_sm"`` or ``"deliver_sm"``; the other commands raise NotImplementedError so far, and what is
    no command ValueError. The last handler registered wins.
    """

    def decorator(handler: Handler) -> Handler:
        _siphon.register("pdu", command, handler)
        return handler

    return decorator


def on_session(event: str) -> Callable[[Handler], Handler]:
    """Registers a handler for ``"bound"`` or ``"unbound"``; it gets the :class:`Session`.

    All handlers of an event run, in the order of their registration, one after the other. Raises ValueError for
    another event.
    """

    def decorator(handler: Handler) -> Handler:
        _siphon.register("session", event, handler)
        return handler

    return decorator


# -- send helpers -----------------------------------------------------------------


async def submit_via(
    bind: str,
    *,
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
    tlvs: Tlvs | None = None,
    timeout: float | None = None,
) -> SmppResp:
    """Sends a submit_sm (section 4.4) over the outbound bind of that name and returns the upstream's answer.

    ``short_message``: at most 254 octets; a str is encoded as UTF-8. ``tlvs``: a mapping or pairs, tags by the
    standard's name or number. ``timeout``: seconds from the call to the answer, waiting for the window included; without
    it ``response_timer_ms`` of the bind for either part.

    A negative answer is a value. Raises UnknownBind; BindDown and WindowFull: not sent, for certain; ResponseTimeout:
    the outcome is unknown; ValueError or TypeError for a field that cannot be sent.
    """
    fields = {
        "source_addr": source_addr,
        "destination_addr": destination_addr,
        "short_message": short_message,
        "source_addr_ton": source_addr_ton,
        "source_addr_npi": source_addr_npi,
        "dest_addr_ton": dest_addr_ton,
        "dest_addr_npi": dest_addr_npi,
        "service_type": service_type,
        "esm_class": esm_class,
        "protocol_id": protocol_id,
        "priority_flag": priority_flag,
        "schedule_delivery_time": schedule_delivery_time,
        "validity_period": validity_period,
        "registered_delivery": registered_delivery,
        "replace_if_present_flag": replace_if_present_flag,
        "data_coding": data_coding,
        "sm_default_msg_id": sm_default_msg_id,
        "tlvs": tlvs,
    }
    return await _submit(bind, fields, timeout, None)


async def _submit(
    bind: str, fields: dict[str, Any], timeout: float | None, on_late: Callable[[SmppResp | None], None] | None
) -> SmppResp:
    """submit_via for receipts too: on_late gets an answer that comes after a timeout or a cancel (None: none ever)."""
    future, ticket = _siphon.submit(bind, fields, timeout, on_late)
    try:
        response: SmppResp = await future
    except asyncio.CancelledError:
        _siphon.cancel(ticket)
        raise
    return response


async def deliver_to(
    session_id: str | None = None,
    *,
    system_id: str | None = None,
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
    tlvs: Tlvs | None = None,
    timeout: float | None = None,
) -> SmppResp:
    """Sends a deliver_sm (section 4.6) to a bound ESME, on whatever worker its session is, and returns its answer.

    The target is ``session_id``, or ``system_id``: a receiving session of that ESME with little in hand. The other
    arguments are those of :func:`submit_via`; without ``timeout``, ``server.response_timer_ms`` for either part.

    Raises SessionGone when there is no such session or it ended before the answer, WindowFull when it has too much
    unanswered (not sent), ResponseTimeout, ValueError or TypeError.
    """
    fields = {
        "source_addr": source_addr,
        "destination_addr": destination_addr,
        "short_message": short_message,
        "source_addr_ton": source_addr_ton,
        "source_addr_npi": source_addr_npi,
        "dest_addr_ton": dest_addr_ton,
        "dest_addr_npi": dest_addr_npi,
        "service_type": service_type,
        "esm_class": esm_class,
        "protocol_id": protocol_id,
        "priority_flag": priority_flag,
        "schedule_delivery_time": schedule_delivery_time,
        "validity_period": validity_period,
        "registered_delivery": registered_delivery,
        "replace_if_present_flag": replace_if_present_flag,
        "data_coding": data_coding,
        "sm_default_msg_id": sm_default_msg_id,
        "tlvs": tlvs,
    }
    if (session_id is None) == (system_id is None):
        raise TypeError("deliver_to: either session_id or system_id")
    future, ticket = _siphon.deliver(session_id, system_id, fields, timeout)
    try:
        response: SmppResp = await future
    except asyncio.CancelledError:
        _siphon.cancel(ticket)
        raise
    return response


def _not_built(name: str) -> NoReturn:
    raise NotImplementedError(f"smpp.{name} is not built yet")


async def submit_multi_via(bind: str, **fields: Any) -> SmppResp:
    """submit_sm_multi (section 4.5). Not built yet: raises NotImplementedError."""
    _not_built("submit_multi_via")


async def data_via(bind: str, **fields: Any) -> SmppResp:
    """data_sm (section 4.7). Not built yet: raises NotImplementedError."""
    _not_built("data_via")


async def cancel_via(bind: str, **fields: Any) -> SmppResp:
    """cancel_sm (section 4.9). Not built yet: raises NotImplementedError."""
    _not_built("cancel_via")


async def query_via(bind: str, **fields: Any) -> Any:
    """query_sm (section 4.8). Not built yet: raises NotImplementedError."""
    _not_built("query_via")


async def replace_via(bind: str, **fields: Any) -> SmppResp:
    """replace_sm (section 4.10). Not built yet: raises NotImplementedError."""
    _not_built("replace_via")


async def data_to(session_id: str | None = None, **fields: Any) -> SmppResp:
    """data_sm to an ESME (section 4.7). Not built yet: raises NotImplementedError."""
    _not_built("data_to")


async def alert_to(session_id: str | None = None, **fields: Any) -> None:
    """alert_notification (section 4.12). Not built yet: raises NotImplementedError."""
    _not_built("alert_to")


async def sessions(system_id: str | None = None) -> list[Session]:
    """The bound sessions, across workers and nodes. Not built yet: raises NotImplementedError."""
    _not_built("sessions")


# -- readouts ------------------------------------------------------------------------


def config() -> dict[str, Any]:
    """The whole configuration with its defaults filled in, without any password. A copy."""
    configuration: dict[str, Any] = _siphon.config()
    return configuration


def bind_address() -> str:
    """Where ESMEs bind: ``"0.0.0.0:2775"``."""
    server = config()["server"]
    host = server["bind_address"]
    return f"[{host}]:{server['port']}" if ":" in host else f"{host}:{server['port']}"


def binds() -> list[dict[str, Any]]:
    """The configured outbound binds, ``[{name, host, port, ...}]``, without passwords."""
    configured: list[dict[str, Any]] = config()["binds"]
    return configured


def routing_rules() -> tuple[list[str], list[dict[str, Any]]]:
    """``(default_chain, rules)``: ``["bind:NAME", ...]`` and ``[{prefix, chain, name, options}, ...]``."""
    routing = config()["routing"]
    return routing["default_chain"], routing["rules"]
