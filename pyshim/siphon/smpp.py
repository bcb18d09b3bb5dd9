"""The ``smpp`` namespace of a script: decorators, the objects handlers receive, send helpers, and readouts.

Names of fields and statuses are those of SMPP 3.4. Times are in seconds unless a name ends in ``_ms``.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

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

from siphon._types import Destination

__all__ = [
    "AlertNotification",
    "Bind",
    "BindDown",
    "BindResult",
    "Destination",
    "Pdu",
    "PduReply",
    "QueryResp",
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

    ``command``: ``"submit_sm"``, ``"submit_sm_multi"``, ``"deliver_sm"``, ``"data_sm"``, ``"cancel_sm"``,
    ``"query_sm"``, ``"replace_sm"`` or ``"alert_notification"`` (whose handler gets an :class:`AlertNotification`
    first, and whose result counts for nothing); ValueError for any other. The last handler registered wins.
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
    standard's name or number. ``timeout``: seconds from the call to the answer, waiting for the window included;
    without it ``response_timer_ms`` of the bind for either part.

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
    response: SmppResp = await _to_bind("submit_sm", bind, fields, timeout, on_late)
    return response


async def _to_bind(
    command: str,
    bind: str,
    fields: dict[str, Any],
    timeout: float | None,
    on_late: Callable[[SmppResp | None], None] | None = None,
) -> Any:
    future, ticket = _siphon.send_bind(command, bind, fields, timeout, on_late)
    try:
        return await future
    except asyncio.CancelledError:
        _siphon.cancel(ticket)
        raise


async def _to_session(
    command: str, session_id: str | None, system_id: str | None, fields: dict[str, Any], timeout: float | None
) -> SmppResp:
    if (session_id is None) == (system_id is None):
        raise TypeError("either session_id or system_id names the target")
    future, ticket = _siphon.send_session(command, session_id, system_id, fields, timeout)
    try:
        response: SmppResp = await future
    except asyncio.CancelledError:
        _siphon.cancel(ticket)
        raise
    return response


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
    """Sends one message to 1-254 destinations in a submit_multi (section 4.5) over the outbound bind of that name.

    ``destinations``: addresses, or :class:`Destination` where TON and NPI are not 1 or for a distribution list. The
    answer's ``unsuccessful`` has those that were refused. The rest is as for :func:`submit_via`.
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
    response: SmppResp = await _to_bind("submit_multi", bind, fields, timeout)
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
    """Sends a data_sm (section 4.7) over the outbound bind of that name.

    The body always travels as message_payload: ``short_message`` of up to 65,535 octets, or in ``tlvs``, not both
    (ValueError). The rest is as for :func:`submit_via`.
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
    response: SmppResp = await _to_bind("data_sm", bind, fields, timeout)
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
    """Cancels a message (section 4.9) that was sent over the outbound bind of that name.

    ``message_id``: the upstream's, with the message's ``source_addr``; or ``""`` and both addresses for all messages
    between them. Raises as :func:`submit_via`.
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
    response: SmppResp = await _to_bind("cancel_sm", bind, fields, timeout)
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
    """Asks for the state of a message (section 4.8) that was sent over the outbound bind of that name.

    ``message_id``: the upstream's; ``source_addr``: that of the message. Raises as :func:`submit_via`.
    """
    fields = {
        "message_id": message_id,
        "source_addr": source_addr,
        "source_addr_ton": source_addr_ton,
        "source_addr_npi": source_addr_npi,
    }
    response: QueryResp = await _to_bind("query_sm", bind, fields, timeout)
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
    """Replaces a message (section 4.10) that was sent over the outbound bind of that name and is not delivered yet.

    ``message_id``: the upstream's; ``source_addr``: that of the message. Raises as :func:`submit_via`.
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
    response: SmppResp = await _to_bind("replace_sm", bind, fields, timeout)
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
    """Sends a data_sm (section 4.7) to a bound ESME: the target as for :func:`deliver_to`, the body as for
    :func:`data_via`."""
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
    """Tells a bound ESME that the MS ``source_addr`` is available again, in an alert_notification (section 4.12).

    The protocol has no answer to it: the result is ``ok`` as soon as it is on its way. ``ms_availability_status``: 0
    available, 1 denied, 2 unavailable. The target and what is raised as for :func:`deliver_to`.
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
    found = []
    for key in await _siphon.redis("SMEMBERS", index):
        rows = await _siphon.redis("HVALS", key)
        if not rows and not await _siphon.redis("EXISTS", key):
            _siphon.redis_forget("SREM", index, key)  # its worker has been gone for a minute
        found.extend(row for row in map(json.loads, rows) if system_id in (None, row["system_id"]))
    return [_siphon.make_session(**row) for row in found]


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
