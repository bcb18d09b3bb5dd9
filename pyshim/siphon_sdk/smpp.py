"""The names of the siphon SDK's ``smpp`` mock, for the real objects.

``MockPdu(...)`` and the others make what a handler gets in the gateway, from the octets that a peer would have sent;
``isinstance(x, MockPdu)`` holds for every Pdu.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from _siphon import AlertNotification, Bind, BindResult, Pdu, PduReply, QueryResp, Session, SmppResp
from siphon import smpp

from siphon_sdk._native import native

if TYPE_CHECKING:
    from siphon_sdk.smpp_testing import SmppTestHarness

SMPP_STATUSES: frozenset[str] = frozenset(native.statuses())
"""Every name of a command_status (SMPP 3.4 section 5.1.3)."""

BIND_COMMANDS = {
    "transceiver": "bind_transceiver",
    "transmitter": "bind_transmitter",
    "receiver": "bind_receiver",
}


def encode(command: str, fields: dict[str, Any], sequence_number: int = 1) -> bytes:
    """The octets of a request. TON and NPI are 1 unless given; a field that the command does not have may be empty.

    Raises ValueError or TypeError for what cannot be sent.
    """
    has = native.fields(command)
    fields = dict(fields)
    fields.pop("sm_length", None)  # siphon's mock takes it; it follows from short_message
    status = fields.pop("ms_availability_status", None)
    if status is not None:
        fields["tlvs"] = {**dict(fields.get("tlvs") or {}), "ms_availability_status": status}
    named = (
        *has,
        "tlvs",
        "destinations" if "dest_address" in has else "",
        "short_message" if command == "data_sm" else "",
    )
    kept = {name: value for name, value in fields.items() if name in named or value not in (None, "", b"", 0, [], {})}
    defaults = {name: 1 for name in has if name.endswith(("_ton", "_npi"))}
    octets: bytes = native.encode(command, "ESME_ROK", sequence_number, {**defaults, **kept})
    return octets


class _Real(type):
    """A class that stands for one of C: it makes its objects, and they count as instances."""

    real: tuple[type, ...]

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, cls.real) or super().__instancecheck__(instance)


class MockPdu(metaclass=_Real):
    """Makes a :class:`siphon.smpp.Pdu` of ``command`` with these fields, by encoding and decoding them."""

    real = (Pdu,)

    def __new__(cls, *, command: str = "submit_sm", **fields: Any) -> Pdu:  # type: ignore[misc]
        pdu: Pdu = native.pdu(encode(command, fields))
        return pdu


class MockAlertNotification(metaclass=_Real):
    """Makes a :class:`siphon.smpp.AlertNotification`."""

    real = (AlertNotification,)

    def __new__(  # type: ignore[misc]
        cls, *, source_addr: str = "", esme_addr: str = "", ms_availability_status: int | None = None, **fields: Any
    ) -> AlertNotification:
        given = {"source_addr": source_addr, "esme_addr": esme_addr, "ms_availability_status": ms_availability_status}
        alert: AlertNotification = native.pdu(encode("alert_notification", given | fields))
        return alert


class MockBind(metaclass=_Real):
    """Makes a :class:`siphon.smpp.Bind`."""

    real = (Bind,)

    def __new__(  # type: ignore[misc]
        cls,
        *,
        system_id: str = "",
        password: str = "",
        client_addr: str = "",
        bind_type: str = "transceiver",
        system_type: str = "",
        addr_range: str = "",
        interface_version: int = 0x34,
    ) -> Bind:
        raw = encode_bind(bind_type, system_id, password, system_type, addr_range, interface_version)
        bind: Bind = native.bind(raw, client_addr)
        return bind


def encode_bind(
    bind_type: str, system_id: str, password: str, system_type: str, addr_range: str, interface_version: int
) -> bytes:
    """The octets of a bind request (section 4.1)."""
    if bind_type not in BIND_COMMANDS:
        raise ValueError(f"bind_type is one of {', '.join(BIND_COMMANDS)}, not {bind_type!r}")
    fields = {
        "system_id": system_id,
        "password": password,
        "system_type": system_type,
        "address_range": addr_range,
        "interface_version": interface_version,
        "addr_ton": 0,
        "addr_npi": 0,
    }
    return encode(BIND_COMMANDS[bind_type], fields)


class MockBindResult(metaclass=_Real):
    """Makes what ``bind.accept()`` and ``bind.reject()`` return."""

    real = (BindResult,)

    def __new__(cls, *, accept: bool, status: str = "ESME_ROK", reason: str = "") -> BindResult:  # type: ignore[misc]
        bind = MockBind()
        return bind.accept() if accept else bind.reject("ESME_RBINDFAIL" if status == "ESME_ROK" else status, reason)


class MockSession(metaclass=_Real):
    """Makes a :class:`siphon.smpp.Session`; of kind "bind" the ``system_id`` is the bind's name."""

    real = (Session,)

    def __new__(  # type: ignore[misc]
        cls,
        *,
        kind: str = "esme",
        session_id: str = "",
        system_id: str = "",
        client_addr: str = "",
        bind_type: str = "transceiver",
    ) -> Session:
        if bind_type not in BIND_COMMANDS:
            raise ValueError(f"bind_type is one of {', '.join(BIND_COMMANDS)}, not {bind_type!r}")
        session: Session = native.session(
            kind=kind,
            session_id=session_id,
            system_id=system_id.encode("latin-1"),
            client_addr=client_addr,
            bind_type=bind_type,
            bound_at=time.time(),
        )
        return session


class MockPduReply(metaclass=_Real):
    """Makes what ``pdu.reply()``, or with ``message_state`` ``pdu.reply_query()``, returns."""

    real = (PduReply,)

    def __new__(  # type: ignore[misc]
        cls,
        *,
        command_status: str = "ESME_ROK",
        message_id: str | None = None,
        message_state: int | None = None,
        final_date: str = "",
        error_code: int = 0,
    ) -> PduReply:
        if message_state is None:
            return MockPdu().reply(command_status=command_status, message_id=message_id)
        query = MockPdu(command="query_sm", message_id=message_id or "")
        return query.reply_query(message_state=message_state, final_date=final_date, error_code=error_code)


class MockSmppResp(metaclass=_Real):
    """Makes what a send helper returns."""

    real = (SmppResp,)

    def __new__(cls, *, command_status: str = "ESME_ROK", message_id: str = "") -> SmppResp:  # type: ignore[misc]
        raw = native.encode("submit_sm_resp", command_status, 1, {"message_id": message_id})
        response: SmppResp = native.resp("submit_sm", raw)
        return response


class MockQueryResp(metaclass=_Real):
    """Makes what :func:`siphon.smpp.query_via` returns."""

    real = (QueryResp,)

    def __new__(  # type: ignore[misc]
        cls,
        *,
        command_status: str = "ESME_ROK",
        message_id: str = "",
        message_state: int = 1,
        final_date: str = "",
        error_code: int = 0,
    ) -> QueryResp:
        fields = {
            "message_id": message_id,
            "message_state": message_state,
            "final_date": final_date,
            "error_code": error_code,
        }
        response: QueryResp = native.resp("query_sm", native.encode("query_sm_resp", command_status, 1, fields))
        return response


class Reply:
    """The response that the peer gets to a request: the handler's reply as the gateway sends it.

    ``message_id`` is None in a response without one; an accepted submit_sm always has one.
    """

    def __init__(self, response: bytes) -> None:
        fields = native.decode(response)
        self.command_status: str = fields["command_status"]
        self.message_id: str | None = fields.get("message_id") or None
        self.message_state: int | None = fields.get("message_state")
        self.final_date: str = fields.get("final_date", "")
        self.error_code: int = fields.get("error_code", 0)
        self.unsuccessful: list[tuple[str, str]] = fields.get("unsuccessful", [])
        self.tlv_list: list[tuple[int, bytes]] = fields["tlvs"]

    @property
    def ok(self) -> bool:
        """Whether command_status is ESME_ROK."""
        return self.command_status == "ESME_ROK"

    @property
    def tlvs(self) -> dict[int, bytes]:
        """The optional parameters, the first of a repeated tag."""
        return dict(reversed(self.tlv_list))

    def __repr__(self) -> str:
        return f"Reply(command_status={self.command_status!r}, message_id={self.message_id!r})"


MockPduReply.real = (PduReply, Reply)


class MockSmpp:
    """``siphon.smpp`` with the test's helpers beside it. Every other name is the real one."""

    def __init__(self, harness: SmppTestHarness) -> None:
        self._harness = harness

    def __getattr__(self, name: str) -> Any:
        return getattr(smpp, name)

    @property
    def sent(self) -> list[tuple[str, dict[str, Any]]]:
        """What the last event sent, as :attr:`SmppTestHarness.sent`."""
        return self._harness.sent

    def clear(self) -> None:
        """Forgets what was sent, what is answered, and the configuration given to :meth:`set_config`."""
        self._harness._clear_sends()

    def set_config(self, config: dict[str, Any]) -> None:
        """Replaces the configuration; as the harness' own ``config``."""
        self._harness._configure(config)

    def set_query_result(self, resp: QueryResp | None) -> None:
        """What ``query_via`` answers from now on; None: ENROUTE."""
        self._harness._sends.query_result = resp
