"""The types of _siphon, which smscd itself brings: the objects that handlers see, and what the siphon package calls.

Scripts import the classes from siphon.smpp. The docstrings here are those of the running objects, word for word.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Literal, final

from siphon._types import Destination, ReceiptFields, Tlvs

# -- exceptions ---------------------------------------------------------------------

class SmppError(RuntimeError):
    """A send that failed for another reason than the peer's answer: the base of those below."""

class UnknownBind(SmppError, KeyError):
    """The configuration has no outbound bind of that name. Nothing was sent."""

class BindDown(SmppError):
    """The outbound bind is not up, or went down while the message waited: not sent, for certain."""

class SessionGone(SmppError):
    """There is no such ESME session, or it ended before its answer came: the message may have arrived."""

class WindowFull(SmppError):
    """No place in the window or its queue in time: not sent, for certain."""

class ResponseTimeout(SmppError):
    """Sent, and no answer came in time or before the connection ended: the outcome is unknown, not failed."""

class CacheError(RuntimeError):
    """Redis is away, did not answer within redis.timeout_ms, or refused the command."""

# -- what handlers get ----------------------------------------------------------------

@final
class Bind:
    """An ESME that asks to be let in (SMPP 3.4 section 4.1), as @smpp.on_bind gets it. Made by smscd, not scripts."""

    @property
    def system_id(self) -> str:
        """Whom the ESME claims to be, up to 15 characters (section 5.2.1)."""
    @property
    def password(self) -> str:
        """The password to check, up to 8 characters (section 5.2.2). smscd never logs it."""
    @property
    def client_addr(self) -> str:
        """The peer's address and port: "192.0.2.1:40000" or "[2001:db8::1]:40000"."""
    @property
    def bind_type(self) -> str:
        """One of "transceiver", "transmitter" and "receiver" (section 2.2)."""
    @property
    def system_type(self) -> str:
        """The kind of system the ESME says it is, often "" (section 5.2.3)."""
    @property
    def addr_range(self) -> str:
        """The addresses the ESME serves, a pattern: address_range (section 5.2.7)."""
    @property
    def interface_version(self) -> int:
        """The version of SMPP the ESME speaks: 0x34 is 3.4 (section 5.2.4)."""
    @property
    def tls(self) -> dict[str, str] | None:
        """version and cipher of the connection, and the client certificate's subject; None when it is not encrypted."""
    def accept(self) -> BindResult:
        """Lets the ESME in: for the handler to return."""
    def reject(self, status: str | int = "ESME_RBINDFAIL", reason: str = "") -> BindResult:
        """Keeps the ESME out: for the handler to return.

        status: a name of section 5.1.3, or one in the vendor range 0x400-0x4FF, as an int or as a response's
        command_status ("0x000004FF"). reason: text for the log, which the ESME does not see. Raises ValueError for an
        unknown status and for ESME_ROK, TypeError for another type.
        """

@final
class BindResult:
    """What bind.accept() and bind.reject() return. True when accepted."""

    @property
    def accept(self) -> bool:
        """Whether the ESME is let in."""
    @property
    def status(self) -> str:
        """The name of the status that the bind response has (section 5.1.3)."""
    @property
    def reason(self) -> str:
        """What is logged; "" for nothing."""
    def __bool__(self) -> bool: ...

@final
class Session:
    """Who sent a PDU: an ESME's session, or one of our outbound binds. Made by smscd, not by scripts."""

    @property
    def kind(self) -> Literal["esme", "bind"]:
        """Either "esme", for an application that is bound to us, or "bind", for one of our binds to an upstream."""
    @property
    def session_id(self) -> str:
        """Names the session for as long as it lasts, on all workers and nodes: the target of deliver_to, data_to and
        alert_to."""
    @property
    def system_id(self) -> str:
        """The ESME's system_id (section 5.2.1); of a bind its configured name."""
    @property
    def client_addr(self) -> str:
        """The peer's address and port: "192.0.2.1:40000" or "[2001:db8::1]:40000"."""
    @property
    def bind_type(self) -> str:
        """One of "transceiver", "transmitter" and "receiver" (section 2.2)."""
    @property
    def bind(self) -> str | None:
        """The configured name of the bind; None for an ESME."""
    @property
    def peer_system_id(self) -> str | None:
        """What the upstream called itself in its bind response (section 5.2.1); None for an ESME."""
    @property
    def bound_at(self) -> float:
        """When it was bound: seconds since 1970, UTC."""
    @property
    def worker(self) -> int:
        """The number of the worker process, from 0, that has the session; for a bind the one that runs the handler."""
    @property
    def node(self) -> str:
        """Names the running smscd among those that share a Redis."""

@final
class Pdu:
    """A request as it came from a peer (SMPP 3.4 section 4). Made by smscd, not by scripts.

    A field that the command does not have reads as "", b"", 0, or None where the type says so. Texts are the octets of
    the wire as latin-1. A Pdu may be kept after its handler has ended.
    """

    @property
    def command(self) -> str:
        """Which request it is, as @smpp.on_pdu names it: "submit_sm", "submit_sm_multi", "deliver_sm" (section
        5.1.2.1)."""
    @property
    def sequence_number(self) -> int:
        """The number that joins the request with its response, 1 to 0x7FFFFFFF (section 5.1.4)."""
    @property
    def service_type(self) -> str:
        """The service the message belongs to, "" for the default (section 5.2.11)."""
    @property
    def source_addr_ton(self) -> int:
        """Type of number of source_addr: 1 international, 2 national, 5 alphanumeric (section 5.2.5)."""
    @property
    def source_addr_npi(self) -> int:
        """Numbering plan of source_addr: 1 is E.164 (section 5.2.6)."""
    @property
    def source_addr(self) -> str:
        """Address of the sender (section 5.2.8)."""
    @property
    def dest_addr_ton(self) -> int:
        """Type of number of destination_addr (section 5.2.5)."""
    @property
    def dest_addr_npi(self) -> int:
        """Numbering plan of destination_addr (section 5.2.6)."""
    @property
    def destination_addr(self) -> str:
        """Address of the recipient (section 5.2.9)."""
    @property
    def esm_class(self) -> int:
        """Bits for the message's mode, type (0x04: delivery receipt) and features (0x40: UDHI) (section 5.2.12)."""
    @property
    def protocol_id(self) -> int:
        """The network's own; in GSM TP-PID (section 5.2.13)."""
    @property
    def priority_flag(self) -> int:
        """0 lowest to 3 highest (section 5.2.14)."""
    @property
    def schedule_delivery_time(self) -> str:
        """When to deliver, in SMPP's time format (section 7.1.1); "" for at once (section 5.2.15)."""
    @property
    def validity_period(self) -> str:
        """Until when to try, in SMPP's time format (section 7.1.1); "" for the SMSC's default (section 5.2.16)."""
    @property
    def registered_delivery(self) -> int:
        """Which receipts the sender asks for: bits 0-1 are 1 for any outcome, 2 for failures only; bit 4 (0x10) asks
        for intermediate ones (section 5.2.17)."""
    @property
    def replace_if_present_flag(self) -> int:
        """1: replace a waiting message with the same addresses and service_type (section 5.2.18)."""
    @property
    def data_coding(self) -> int:
        """How the text is encoded: 0 the SMSC's default alphabet, 1 ASCII, 3 latin-1, 8 UCS-2 (section 5.2.19)."""
    @property
    def sm_default_msg_id(self) -> int:
        """The number of a message that the SMSC holds (section 5.2.20)."""
    @property
    def sm_length(self) -> int:
        """Octets of short_message, 0 to 254 (section 5.2.21)."""
    @property
    def short_message(self) -> bytes:
        """The text as it came, with its user data header if there is one; not decoded (section 5.2.22)."""
    @property
    def message_id(self) -> str:
        """The message that cancel_sm, query_sm or replace_sm is about (section 5.2.23)."""
    @property
    def body(self) -> bytes:
        """message_payload when the peer used it, else short_message."""
    @property
    def destinations(self) -> list[Destination]:
        """The addresses and distribution lists of a submit_sm_multi (section 4.5.1.1); [] for every other command."""
    @property
    def tlvs(self) -> dict[int, bytes]:
        """The optional parameters by tag, in wire order, the first of a repeated one (section 5.3)."""
    @property
    def tlv_list(self) -> list[tuple[int, bytes]]:
        """Every optional parameter as (tag, value) in wire order, with repeats: for relays to pass on (section 5.3)."""
    @property
    def message_payload(self) -> bytes | None:
        """The optional parameter that a long text comes in (section 5.3.2.32)."""
    @property
    def receipted_message_id(self) -> str | None:
        """The SMSC's id of the message that a receipt is about (section 5.3.2.12)."""
    @property
    def message_state(self) -> int | None:
        """The state that a receipt reports, 1-8 (section 5.2.28, 5.3.2.35)."""
    @property
    def user_message_reference(self) -> int | None:
        """The ESME's own number of the message (section 5.3.2.17)."""
    @property
    def sar_msg_ref_num(self) -> int | None:
        """Joins the parts of a long message (section 5.3.2.22)."""
    @property
    def sar_total_segments(self) -> int | None:
        """How many parts the long message has (section 5.3.2.23)."""
    @property
    def sar_segment_seqnum(self) -> int | None:
        """Which part this is, from 1 (section 5.3.2.24)."""
    @property
    def more_messages_to_send(self) -> int | None:
        """1 when more messages to the same recipient follow (section 5.3.2.34)."""
    @property
    def network_error_code(self) -> tuple[int, int] | None:
        """Network type (3: GSM) and error code of a failed delivery (section 5.3.2.31)."""
    @property
    def is_dlr(self) -> bool:
        """Whether a deliver_sm or data_sm is a delivery receipt or an intermediate notification: by esm_class, or,
        where that says nothing, by receipted_message_id and message_state both being there (section 5.2.12)."""
    @property
    def is_intermediate(self) -> bool:
        """Whether it is a receipt after which another comes: by esm_class (0x20) or by a state that is not final."""
    @property
    def is_tpdu(self) -> bool:
        """Whether the text begins with a user data header: the UDHI bit (0x40) of esm_class (section 5.2.12)."""
    @property
    def receipt(self) -> ReceiptFields | None:
        """The parsed receipt (Appendix B), from the text and, where that lacks them, the optional parameters; None when
        is_dlr is false or neither says anything. A new dict each time."""
    def reply(
        self,
        *,
        command_status: str | int | None = "ESME_ROK",
        message_id: str | None = None,
        tlvs: Tlvs | None = None,
        unsuccessful: Iterable[tuple[str, str | int]] | None = None,
    ) -> PduReply:
        """Makes the answer, for the handler to return.

        command_status: a name of section 5.1.3, or one in the vendor range 0x400-0x4FF, as an int or as a response's
        command_status ("0x000004FF"). message_id: up to 64 characters (section 5.2.23); without one, smscd gives an
        accepted submit_sm one that is unique. tlvs: optional parameters, for data_sm only. unsuccessful: (address,
        status) of each destination that is refused, each status written alike, for submit_sm_multi only (section
        4.5.2.1).

        Raises ValueError for an unknown status, for what the command's response does not have and for a value that
        cannot be sent, TypeError for a wrong type.
        """
    def reply_query(
        self, *, message_state: int, message_id: str | None = None, final_date: str = "", error_code: int = 0
    ) -> PduReply:
        """Makes the answer to a query_sm (section 4.8.2), for the handler to return.

        message_state: 1-8 (section 5.2.28). message_id: that of the query unless given. final_date: when it reached its
        final state, in SMPP's time format (section 7.1.1), 16 characters, or "" when it has not. error_code: the
        network's, 0-255.

        Raises ValueError for another command and for a value out of its range, TypeError for a wrong type.
        """
    def tlv(self, name_or_tag: str | int, /) -> bytes | None:
        """The value of an optional parameter, the first of a repeated one; None when it is not there (section 5.3).

        name_or_tag: the standard's name in either case ("MESSAGE_PAYLOAD"), or the tag's number. Raises ValueError for
        an unknown name.
        """

@final
class PduReply:
    """What a handler returns to answer a Pdu: made by pdu.reply(...) or pdu.reply_query(...)."""

    @property
    def command_status(self) -> str:
        """The name of the status, or its number as "0x00000400" (section 5.1.3)."""
    @property
    def ok(self) -> bool:
        """Whether command_status is ESME_ROK."""
    @property
    def message_id(self) -> str | None:
        """The id given to the message (section 5.2.23)."""
    @property
    def message_state(self) -> int | None:
        """Of reply_query: the state, 1-8 (section 5.2.28)."""
    @property
    def final_date(self) -> str:
        """Of reply_query: when that was reached, in SMPP's time format (section 7.1.1), or ""."""
    @property
    def error_code(self) -> int:
        """Of reply_query: the network's error code, 0-255."""

@final
class AlertNotification:
    """An upstream says that a mobile station is available again (SMPP 3.4 section 4.12). There is nothing to reply."""

    @property
    def command(self) -> str:
        """Always "alert_notification"."""
    @property
    def source_addr(self) -> str:
        """Address of the station that is available (section 5.2.8)."""
    @property
    def source_addr_ton(self) -> int:
        """Type of number of source_addr (section 5.2.5)."""
    @property
    def source_addr_npi(self) -> int:
        """Numbering plan of source_addr (section 5.2.6)."""
    @property
    def esme_addr(self) -> str:
        """Address of the ESME that asked to be told (section 5.2.10)."""
    @property
    def esme_addr_ton(self) -> int:
        """Type of number of esme_addr (section 5.2.5)."""
    @property
    def esme_addr_npi(self) -> int:
        """Numbering plan of esme_addr (section 5.2.6)."""
    @property
    def ms_availability_status(self) -> int | None:
        """0 available, 1 denied, 2 unavailable; None when it is not said (section 5.3.2.30)."""

# -- what send helpers return ---------------------------------------------------------------

@final
class SmppResp:
    """A peer's answer to something we sent. A negative one is a value, not an exception."""

    @property
    def ok(self) -> bool:
        """Whether command_status is ESME_ROK."""
    @property
    def command_status(self) -> str:
        """The name of the status, or its number as "0x00000400" when it has none (section 5.1.3)."""
    @property
    def message_id(self) -> str:
        """The peer's id of the message, or "" (section 5.2.23)."""
    @property
    def tlvs(self) -> dict[int, bytes]:
        """The optional parameters by tag, in wire order, the first of a repeated one (section 5.3)."""
    @property
    def tlv_list(self) -> list[tuple[int, bytes]]:
        """Every optional parameter as (tag, value) in wire order, with repeats (section 5.3)."""
    @property
    def unsuccessful(self) -> list[tuple[Destination, str]]:
        """Of submit_multi_via: the destinations that were refused, each with its status' name (section 4.5.2.1)."""

@final
class QueryResp:
    """An upstream's answer to query_via (SMPP 3.4 section 4.8.2). A negative one is a value, not an exception."""

    @property
    def ok(self) -> bool:
        """Whether command_status is ESME_ROK."""
    @property
    def command_status(self) -> str:
        """The name of the status, or its number as "0x00000400" when it has none (section 5.1.3)."""
    @property
    def message_id(self) -> str:
        """The message that was asked about (section 5.2.23)."""
    @property
    def message_state(self) -> int:
        """1-8 (section 5.2.28); 0 with an error."""
    @property
    def final_date(self) -> str:
        """When the message reached its final state, in SMPP's time format (section 7.1.1), or ""."""
    @property
    def error_code(self) -> int:
        """The network's error code, 0-255; 0 when there is none."""

# -- for the siphon package only ---------------------------------------------------------------

def register(kind: str, name: str, handler: Callable[..., object], /) -> None: ...
def registered(kind: str, /) -> Any: ...
def begin_load() -> None: ...
def end_load(ok: bool, /) -> None: ...
def send_bind(
    command: str,
    bind: str,
    fields: dict[str, Any] | tuple[Any, ...],
    timeout: float | None,
    /,
) -> Awaitable[Any]: ...
def send_session(
    command: str,
    session_id: str | None,
    system_id: str | None,
    fields: dict[str, Any] | tuple[Any, ...],
    timeout: float | None,
    /,
) -> Awaitable[SmppResp]: ...
def submit_remembered(
    fields: dict[str, Any] | tuple[Any, ...],
    timeout: float | None,
    bind: str,
    text: str,
    ttl_ms: int,
    on_late: Callable[[SmppResp, str, str, int], None],
    /,
) -> Awaitable[tuple[SmppResp, str | CacheError | None]]: ...
def receipt_key(bind: str, message_id: str, of_receipt: bool, /) -> str: ...
def make_session(
    *, session_id: str, system_id: str, client_addr: str, bind_type: str, bound_at: float, node: str, worker: int
) -> Session: ...
def redis(*args: object) -> Awaitable[Any]: ...
def redis_forget(*args: object) -> None: ...
def config() -> dict[str, Any]: ...
def prefix() -> str: ...
def script() -> str: ...
def log_fd() -> int: ...
def log(level: int, text: str, /) -> None: ...
def count(name: str, n: int = 1, /) -> None: ...
def loop_watch(fd: int, events: int, /) -> None: ...
def loop_unwatch(fd: int, /) -> None: ...
def loop_select(timeout: float | None, /) -> list[tuple[int, int]]: ...
