"""What becomes of a script's sends: recorded, and answered as the test says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from siphon_sdk._clock import VirtualLoop
from siphon_sdk._native import native

Sent = tuple[str, dict[str, Any]]

HELPERS = {
    ("submit_sm", "via"): "submit_via",
    ("submit_multi", "via"): "submit_multi_via",
    ("data_sm", "via"): "data_via",
    ("cancel_sm", "via"): "cancel_via",
    ("query_sm", "via"): "query_via",
    ("replace_sm", "via"): "replace_via",
    ("deliver_sm", "to"): "deliver_to",
    ("data_sm", "to"): "data_to",
    ("alert_notification", "to"): "alert_to",
}

AT_ONCE = {
    "window_full": native.WINDOW_FULL,
    "refused": native.REFUSED,
    "bind_down": native.BIND_DOWN,
    "no_session": native.NO_SESSION,
}
"""Outcomes of a send that never goes out."""

OUTCOMES = (*AT_ONCE, "timeout", "gone")


@dataclass
class Answer:
    """How sends of one helper are answered from now on."""

    helper: str
    outcome: str | int
    target: dict[str, str]
    times: int | None
    after: float
    reply: dict[str, Any] = field(default_factory=dict)

    def fits(self, helper: str, arguments: dict[str, Any]) -> bool:
        return self.helper == helper and all(arguments.get(name) == value for name, value in self.target.items())


class Sends:
    """Stands where a worker has the channel to the master and its sessions."""

    def __init__(self, loop: VirtualLoop, response_seconds: Callable[[str | None], float]) -> None:
        self._loop = loop
        self._response_seconds = response_seconds
        self._ids = 0
        self._answers: list[Answer] = []
        self.down: set[str] = set()
        self.sent: list[Sent] = []
        self.history: list[Sent] = []
        self.query_result: Any = None

    def add(self, answer: Answer) -> None:
        self._answers.append(answer)

    def clear_answers(self) -> None:
        self._answers.clear()
        self.down.clear()
        self.query_result = None

    def event(self) -> None:
        """What is sent from here on belongs to another event."""
        self.sent = []

    def take(self, identifier: int, side: str, target: str, raw: bytes, timeout_ms: int) -> int | None:
        """One send: None when it is on its way, else why there is nothing to wait for (RESPONSE: no answer)."""
        decoded = native.decode(raw)
        helper = HELPERS[decoded["command"], "via" if side == "bind" else "to"]
        arguments = _arguments(decoded, side, target, timeout_ms)
        self.sent.append((helper, arguments))
        self.history.append((helper, arguments))
        answer = self._find(helper, arguments)
        if side == "bind" and target in self.down:
            return int(native.BIND_DOWN)
        if answer.outcome in AT_ONCE:
            return int(AT_ONCE[str(answer.outcome)])
        if helper == "alert_to":
            return int(native.RESPONSE)
        seconds = timeout_ms / 1000 or self._response_seconds(target if side == "bind" else None)
        self._promise(identifier, raw, answer, seconds)
        return None

    def _find(self, helper: str, arguments: dict[str, Any]) -> Answer:
        """The first that is for so many sends, else the last that is for all, else ESME_ROK."""
        fitting = [answer for answer in self._answers if answer.fits(helper, arguments)]
        for answer in fitting:
            if answer.times is not None:
                answer.times -= 1
                if answer.times == 0:
                    self._answers.remove(answer)
                return answer
        return fitting[-1] if fitting else Answer(helper, "ESME_ROK", {}, None, 0.0)

    def _promise(self, identifier: int, raw: bytes, answer: Answer, seconds: float) -> None:
        """The outcome comes later, never from within the call that sent."""
        later = self._loop.call_later
        if answer.outcome == "timeout" or answer.after > seconds:
            later(seconds, native.outcome, identifier, native.TIMEOUT, True, None)
        if answer.outcome == "gone":
            later(answer.after, native.outcome, identifier, native.GONE, True, None)
        elif answer.outcome != "timeout":
            later(answer.after, native.outcome, identifier, native.RESPONSE, True, self._response(raw, answer))

    def _response(self, raw: bytes, answer: Answer) -> bytes:
        """The peer's response, with an id of its own for what it accepts."""
        pdu = native.pdu(raw)
        reply = dict(answer.reply)
        if answer.outcome != "ESME_ROK":
            made = pdu.reply(command_status=answer.outcome)
        elif pdu.command == "query_sm":
            made = pdu.reply_query(**(self._query(pdu) | reply))
        else:
            if pdu.command in ("submit_sm", "submit_sm_multi", "data_sm") and "message_id" not in reply:
                self._ids += 1
                reply["message_id"] = f"msg-{self._ids}"
            made = pdu.reply(**reply)
        response: bytes = native.encode_reply(raw, made)
        return response

    def _query(self, pdu: Any) -> dict[str, Any]:
        result = self.query_result
        if result is None:
            return {"message_state": 1}
        return {
            "message_id": result.message_id or pdu.message_id,
            "message_state": result.message_state,
            "final_date": result.final_date,
            "error_code": result.error_code,
        }


def _arguments(decoded: dict[str, Any], side: str, target: str, timeout_ms: int) -> dict[str, Any]:
    """The helper's keyword arguments, every one: those that were left out with what was sent for them."""
    command = decoded["command"]
    arguments: dict[str, Any] = {side: target}
    arguments |= {name: value for name, value in decoded.items() if name not in _HEADER}
    tlvs = arguments["tlvs"]
    if command == "data_sm":
        arguments["short_message"] = next((value for tag, value in tlvs if tag == _MESSAGE_PAYLOAD), b"")
        arguments["tlvs"] = [(tag, value) for tag, value in tlvs if tag != _MESSAGE_PAYLOAD]
    elif command == "alert_notification":
        status = dict(tlvs).get(_MS_AVAILABILITY_STATUS)
        arguments["ms_availability_status"] = None if status is None else int.from_bytes(status, "big")
        del arguments["tlvs"]
    elif command in ("cancel_sm", "query_sm", "replace_sm"):
        del arguments["tlvs"]
    arguments["timeout"] = timeout_ms / 1000 or None
    return arguments


_HEADER = ("command", "command_status", "sequence_number")
_MESSAGE_PAYLOAD = 0x0424
_MS_AVAILABILITY_STATUS = 0x0422
