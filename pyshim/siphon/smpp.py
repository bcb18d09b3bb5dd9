"""The ``smpp`` namespace of a script: decorators, the objects handlers receive, send helpers, and readouts.

Names of fields and statuses are those of SMPP 3.4. Times are in seconds unless a name ends in ``_ms``.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Literal, TypeVar, overload

import _siphon
from _siphon import (
    AlertNotification,
    Bind,
    BindDown,
    BindResult,
    Pdu,
    PduReply,
    QueryResp,
    ResponseTimeout,
    Session,
    SessionGone,
    SmppError,
    SmppResp,
    UnknownBind,
    WindowFull,
)

from siphon._types import Destination, ReceiptFields, Tlvs

__all__ = [
    "AlertNotification",
    "Bind",
    "BindDown",
    "BindResult",
    "Destination",
    "Pdu",
    "PduReply",
    "QueryResp",
    "ReceiptFields",
    "ResponseTimeout",
    "Session",
    "SessionGone",
    "SmppError",
    "SmppResp",
    "Tlvs",
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

BindHandler = TypeVar("BindHandler", bound=Callable[[Bind], object])
PduHandler = TypeVar("PduHandler", bound=Callable[[Pdu, Session], Awaitable[PduReply | None] | PduReply | None])
AlertHandler = TypeVar("AlertHandler", bound=Callable[[AlertNotification, Session], object])
SessionHandler = TypeVar("SessionHandler", bound=Callable[[Session], object])

# -- decorators ------------------------------------------------------------------


def on_bind(handler: BindHandler) -> BindHandler:
    """Registers who decides whether an ESME may bind (SMPP 3.4 section 4.1): ``@smpp.on_bind``.

    The handler, ``async def (bind: Bind)`` or a plain ``def``, returns ``bind.accept()``, ``bind.reject(status,
    reason)``, or anything that is true (accept) or false (reject with ESME_RBINDFAIL). One that raises, or takes longer
    than ``handler_timeout_ms``, rejects with ESME_RSYSERR. Without one every bind is rejected. The last one registered
    wins. Raises TypeError for what cannot be called.
    """
    _siphon.register("bind", "", handler)
    return handler


@overload
def on_pdu(command: Literal["alert_notification"]) -> Callable[[AlertHandler], AlertHandler]: ...
@overload
def on_pdu(
    command: Literal["submit_sm", "submit_sm_multi", "deliver_sm", "data_sm", "cancel_sm", "query_sm", "replace_sm"],
) -> Callable[[PduHandler], PduHandler]: ...
def on_pdu(command: str) -> Callable[[Any], Any]:
    """Registers the handler of a command (SMPP 3.4 sections 4.4 to 4.10 and 4.12): ``@smpp.on_pdu("submit_sm")``.

    ``command``: ``"submit_sm"``, ``"submit_sm_multi"``, ``"cancel_sm"``, ``"query_sm"``, ``"replace_sm"`` from ESMEs,
    ``"deliver_sm"`` and ``"alert_notification"`` from upstreams, ``"data_sm"`` from both.

    The handler, ``async def (pdu: Pdu, session: Session)`` or a plain ``def``, returns ``pdu.reply(...)``,
    ``pdu.reply_query(...)``, or None for ESME_ROK. For ``"alert_notification"`` it gets an :class:`AlertNotification`
    first, and its result counts for nothing. A handler that raises, returns anything else, or takes longer than
    ``handler_timeout_ms`` answers ESME_RX_T_APPN to an upstream; to an ESME ESME_RCANCELFAIL, ESME_RQUERYFAIL or
    ESME_RREPLACEFAIL, and ESME_RSYSERR to its other commands. The last one registered wins.

    Raises ValueError for another command, TypeError for what cannot be called.
    """

    def decorator(handler: Callable[..., Any]) -> Callable[..., Any]:
        _siphon.register("pdu", command, handler)
        return handler

    return decorator


def on_session(event: Literal["bound", "unbound"]) -> Callable[[SessionHandler], SessionHandler]:
    """Registers a handler for the beginning or the end of sessions: ``@smpp.on_session("bound")``.

    ``event``: ``"bound"`` or ``"unbound"``, of ESMEs and of outbound binds. The handler, ``async def (session:
    Session)`` or a plain ``def``, runs once for each event in the whole gateway; what it returns counts for nothing,
    what it raises is logged. All handlers of an event run, in the order of their registration, one after the other;
    those of ``"unbound"`` after those of the same session's ``"bound"``.

    Raises ValueError for another event, TypeError for what cannot be called.
    """

    def decorator(handler: SessionHandler) -> SessionHandler:
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
    """Sends a submit_sm (SMPP 3.4 section 4.4) over the outbound bind of that name and returns the upstream's answer.

    The fields are those of the standard: a str has only characters up to U+00FF, one octet each; an int is 0-255.
    ``short_message``: the text as it goes on the wire, at most 254 octets, a longer one goes into ``tlvs`` as
    MESSAGE_PAYLOAD; a str is encoded as UTF-8. ``schedule_delivery_time`` and ``validity_period``: SMPP's time format
    (section 7.1.1), ``""`` or 16 characters. ``tlvs``: :data:`Tlvs`. ``timeout``: seconds from the call to the answer,
    waiting for the window included; without it the bind's ``response_timer_ms`` for either part.

    A negative answer is a value: ``ok`` of the result is False. Cancelling the awaiting task takes a message back that
    is still queued; one that is on the wire stays there.

    Raises UnknownBind; BindDown and WindowFull, not sent, for certain; ResponseTimeout, the outcome is unknown;
    ValueError or TypeError for a field that cannot be sent.
    """
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
    response: SmppResp = await _siphon.send_bind("submit_sm", bind, fields, timeout)
    return response


_Fields = dict[str, Any] | tuple[Any, ...]


def _to_session(
    command: str, session_id: str | None, system_id: str | None, fields: _Fields, timeout: float | None
) -> Awaitable[SmppResp]:
    if (session_id is None) == (system_id is None):
        raise TypeError("either session_id or system_id names the target")
    return _siphon.send_session(command, session_id, system_id, fields, timeout)


async def submit_multi_via(
    bind: str,
    *,
    destinations: Iterable[str],
    source_addr: str = "",
    short_message: bytes | str = b"",
    source_addr_ton: int = 1,
    source_addr_npi: int = 1,
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
    """Sends one message to many in a submit_multi (SMPP 3.4 section 4.5) over the outbound bind of that name.

    ``destinations``: 1-254 addresses, or :class:`Destination` where TON and NPI are not 1 or for a distribution list.
    The result's ``unsuccessful`` has those that were refused. The other arguments, their units and what is raised are
    those of :func:`submit_via`.
    """
    fields = {
        "destinations": list(destinations) if not isinstance(destinations, str) else destinations,
        "source_addr": source_addr,
        "short_message": short_message,
        "source_addr_ton": source_addr_ton,
        "source_addr_npi": source_addr_npi,
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
    response: SmppResp = await _siphon.send_bind("submit_multi", bind, fields, timeout)
    return response


async def data_via(
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
    registered_delivery: int = 0,
    data_coding: int = 0,
    tlvs: Tlvs | None = None,
    timeout: float | None = None,
) -> SmppResp:
    """Sends a data_sm (SMPP 3.4 section 4.7) over the outbound bind of that name.

    The body always travels as message_payload (section 5.3.2.32): ``short_message`` of up to 65,535 octets, or in
    ``tlvs``; ValueError for both. The other arguments, their units and what is raised are those of :func:`submit_via`.
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
        "registered_delivery": registered_delivery,
        "data_coding": data_coding,
        "tlvs": tlvs,
    }
    response: SmppResp = await _siphon.send_bind("data_sm", bind, fields, timeout)
    return response


async def cancel_via(
    bind: str,
    *,
    message_id: str = "",
    source_addr: str = "",
    destination_addr: str = "",
    source_addr_ton: int = 1,
    source_addr_npi: int = 1,
    dest_addr_ton: int = 1,
    dest_addr_npi: int = 1,
    service_type: str = "",
    timeout: float | None = None,
) -> SmppResp:
    """Cancels a message (SMPP 3.4 section 4.9) that was sent over the outbound bind of that name.

    ``message_id``: the upstream's, with the message's ``source_addr``; or ``""`` and both addresses for all messages
    between them. ``timeout``: seconds. The other arguments and what is raised are those of :func:`submit_via`.
    """
    fields = {
        "message_id": message_id,
        "source_addr": source_addr,
        "destination_addr": destination_addr,
        "source_addr_ton": source_addr_ton,
        "source_addr_npi": source_addr_npi,
        "dest_addr_ton": dest_addr_ton,
        "dest_addr_npi": dest_addr_npi,
        "service_type": service_type,
    }
    response: SmppResp = await _siphon.send_bind("cancel_sm", bind, fields, timeout)
    return response


async def query_via(
    bind: str,
    *,
    message_id: str,
    source_addr: str = "",
    source_addr_ton: int = 1,
    source_addr_npi: int = 1,
    timeout: float | None = None,
) -> QueryResp:
    """Asks for the state of a message (SMPP 3.4 section 4.8) that was sent over the outbound bind of that name.

    ``message_id``: the upstream's; ``source_addr``: that of the message. ``timeout``: seconds. The other arguments and
    what is raised are those of :func:`submit_via`.
    """
    fields = {
        "message_id": message_id,
        "source_addr": source_addr,
        "source_addr_ton": source_addr_ton,
        "source_addr_npi": source_addr_npi,
    }
    response: QueryResp = await _siphon.send_bind("query_sm", bind, fields, timeout)
    return response


async def replace_via(
    bind: str,
    *,
    message_id: str,
    source_addr: str = "",
    short_message: bytes | str = b"",
    source_addr_ton: int = 1,
    source_addr_npi: int = 1,
    schedule_delivery_time: str = "",
    validity_period: str = "",
    registered_delivery: int = 0,
    sm_default_msg_id: int = 0,
    timeout: float | None = None,
) -> SmppResp:
    """Replaces a message (SMPP 3.4 section 4.10) that was sent over the outbound bind of that name and still waits.

    ``message_id``: the upstream's; ``source_addr``: that of the message. The other arguments, their units and what is
    raised are those of :func:`submit_via`.
    """
    fields = {
        "message_id": message_id,
        "source_addr": source_addr,
        "short_message": short_message,
        "source_addr_ton": source_addr_ton,
        "source_addr_npi": source_addr_npi,
        "schedule_delivery_time": schedule_delivery_time,
        "validity_period": validity_period,
        "registered_delivery": registered_delivery,
        "sm_default_msg_id": sm_default_msg_id,
    }
    response: SmppResp = await _siphon.send_bind("replace_sm", bind, fields, timeout)
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
    """Sends a deliver_sm (SMPP 3.4 section 4.6) to a bound ESME, wherever its session is, and returns its answer.

    The target is ``session_id``, or ``system_id``: a receiving session of that ESME with little in hand. The other
    arguments are those of :func:`submit_via`; without ``timeout`` (seconds), ``server.response_timer_ms`` for either
    part.

    Raises SessionGone when there is no such session or it ended before the answer; WindowFull when it has too much
    unanswered, not sent, for certain; ResponseTimeout, the outcome is unknown; TypeError unless exactly one of
    ``session_id`` and ``system_id`` is given; ValueError or TypeError for a field that cannot be sent.
    """
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
    return await _to_session("deliver_sm", session_id, system_id, fields, timeout)


async def data_to(
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
    registered_delivery: int = 0,
    data_coding: int = 0,
    tlvs: Tlvs | None = None,
    timeout: float | None = None,
) -> SmppResp:
    """Sends a data_sm (SMPP 3.4 section 4.7) to a bound ESME and returns its answer.

    The target, ``timeout`` (seconds) and what is raised as for :func:`deliver_to`, the body as for :func:`data_via`.
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
        "registered_delivery": registered_delivery,
        "data_coding": data_coding,
        "tlvs": tlvs,
    }
    return await _to_session("data_sm", session_id, system_id, fields, timeout)


async def alert_to(
    session_id: str | None = None,
    *,
    system_id: str | None = None,
    source_addr: str = "",
    esme_addr: str = "",
    source_addr_ton: int = 1,
    source_addr_npi: int = 1,
    esme_addr_ton: int = 1,
    esme_addr_npi: int = 1,
    ms_availability_status: int | None = None,
    timeout: float | None = None,
) -> SmppResp:
    """Tells a bound ESME that the station ``source_addr`` is available again (SMPP 3.4 section 4.12).

    The protocol has no answer to an alert_notification: the result is ``ok`` as soon as it is on its way.
    ``ms_availability_status``: 0 available, 1 denied, 2 unavailable (section 5.3.2.30); None leaves it away. The
    target, ``timeout`` (seconds) and what is raised as for :func:`deliver_to`.
    """
    fields = {
        "source_addr": source_addr,
        "esme_addr": esme_addr,
        "source_addr_ton": source_addr_ton,
        "source_addr_npi": source_addr_npi,
        "esme_addr_ton": esme_addr_ton,
        "esme_addr_npi": esme_addr_npi,
        "tlvs": None if ms_availability_status is None else {"ms_availability_status": ms_availability_status},
    }
    return await _to_session("alert_notification", session_id, system_id, fields, timeout)


async def sessions(system_id: str | None = None) -> list[Session]:
    """The bound ESME sessions, across workers and nodes, of one ESME when ``system_id`` is given.

    Taken from the registry in Redis: a session that has just bound or gone may not show yet. Raises
    :class:`siphon.cache.CacheError` when Redis is away.
    """
    index = _siphon.prefix() + "sessions"
    found: list[dict[str, Any]] = []
    for key in await _siphon.redis("SMEMBERS", index):
        rows = await _siphon.redis("HVALS", key)
        if not rows and not await _siphon.redis("EXISTS", key):
            _siphon.redis_forget("SREM", index, key)  # its worker has been gone for a minute
        found.extend(row for row in map(json.loads, rows) if system_id in (None, row["system_id"]))
    return [_siphon.make_session(**row) for row in found]


# -- readouts ------------------------------------------------------------------------


def config() -> dict[str, Any]:
    """The whole configuration with the file's names and the defaults filled in, without any password. A new dict."""
    configuration: dict[str, Any] = _siphon.config()
    return configuration


def bind_address() -> str:
    """Where ESMEs bind: ``"0.0.0.0:2775"``, ``"[::]:2775"``."""
    server = config()["server"]
    host = server["bind_address"]
    return f"[{host}]:{server['port']}" if ":" in host else f"{host}:{server['port']}"


def binds() -> list[dict[str, Any]]:
    """The configured outbound binds, ``[{"name": ..., "host": ..., "port": ..., ...}]``, without passwords.

    All names of the configuration's ``binds`` are there, with the defaults filled in; times end in ``_ms``.
    """
    configured: list[dict[str, Any]] = config()["binds"]
    return configured


def routing_rules() -> tuple[list[str], list[dict[str, Any]]]:
    """``(default_chain, rules)`` of the configuration's ``routing``, for the script to route by.

    ``["bind:NAME", ...]`` and ``[{"prefix": str, "chain": ["bind:NAME", ...], "name": str, "options": dict}, ...]``.
    """
    routing = config()["routing"]
    return routing["default_chain"], routing["rules"]
