"""Types that are simplest in Python."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypedDict

Tlvs = (
    Mapping[str, bytes | str | int]
    | Mapping[int, bytes | str | int]
    | Mapping[str | int, bytes | str | int]
    | Iterable[tuple[str | int, bytes | str | int]]
)
"""Optional parameters to send (SMPP 3.4 section 5.3): a mapping, or pairs, which may repeat a tag and go out as given.

A key is the standard's name in either case (``"MESSAGE_PAYLOAD"``) or the tag's number. A value is bytes, sent as they
are; a str, sent with a NUL behind it; or an int, sent at the width that the standard gives that tag.
"""


class Destination(str):
    """A destination of submit_sm_multi (SMPP 3.4 section 4.5.1.1): the address, or the name of a distribution list.

    An ordinary str, 1-20 characters, with three attributes. ``ton`` and ``npi`` are 0-255.
    """

    ton: int
    """Type of number: 1 international, 2 national, 5 alphanumeric (section 5.2.5)."""
    npi: int
    """Numbering plan: 1 is E.164 (section 5.2.6)."""
    is_distribution_list: bool
    """Whether this is the name of a distribution list (section 5.2.27), for which ``ton`` and ``npi`` are not sent."""

    def __new__(cls, address: str, ton: int = 1, npi: int = 1, is_distribution_list: bool = False) -> Destination:
        self = super().__new__(cls, address)
        self.ton = ton
        self.npi = npi
        self.is_distribution_list = is_distribution_list
        return self


class ReceiptFields(TypedDict, total=False):
    """What ``pdu.receipt`` has of a delivery receipt (SMPP 3.4 Appendix B): a plain dict, only with the keys that came.

    Whatever the order and the letters' case in the text, the keys are those below.
    """

    id: str
    """The SMSC's id of the message."""
    sub: str
    """How many short messages were submitted, as text: ``"001"``."""
    dlvrd: str
    """How many of them were delivered, as text."""
    submit_date: str
    """When it was submitted, as the SMSC wrote it: 10, 12 or 14 digits, mostly ``YYMMDDhhmm``, the SMSC's time."""
    done_date: str
    """When it reached its final state, written alike."""
    stat: str
    """The state as the text has it: ``DELIVRD``, ``EXPIRED``, ``DELETED``, ``UNDELIV``, ``ACCEPTD``, ``UNKNOWN``,
    ``REJECTD``, ``ENROUTE``, or an SMSC's own."""
    err: str
    """The network's or the SMSC's error code, not always a number."""
    text: str
    """The first characters of the message."""
    message_state: int
    """The state as a number, 1-8 (section 5.2.28), from the optional parameter or else from ``stat``."""
    raw: str
    """The whole text, octets that are no UTF-8 replaced."""
