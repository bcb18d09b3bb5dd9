"""Tests of scripts without a gateway.

    from siphon_sdk.smpp_testing import SmppTestHarness

    def test_gateway():
        harness = SmppTestHarness()
        harness.load_script("examples/gateway.py")
        assert harness.bind("esme1", password="s3cret")
        reply = harness.submit_sm(source_addr="15550100", destination_addr="15550101", short_message=b"hi")
        assert reply.ok
        assert harness.sent[0][0] == "submit_via"

The script runs on the objects of the gateway itself: PDUs are encoded and decoded, handlers are called as a worker
calls them, and a reply is what the peer would get. Sends end at the harness, which answers them; Redis is fakeredis.
Time stands still but for :meth:`SmppTestHarness.advance` and for what a handler itself waits for.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import contextvars
import json
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from _siphon import BindResult, Session
from siphon import _runtime

from siphon_sdk import mock_module
from siphon_sdk._clock import Stuck, VirtualLoop
from siphon_sdk._native import native
from siphon_sdk._redis import Error as RedisError
from siphon_sdk._redis import FakeRedis
from siphon_sdk._script import Scripts
from siphon_sdk._sends import HELPERS, OUTCOMES, Answer, Sends
from siphon_sdk._state import State
from siphon_sdk.smpp import MockPdu, MockSession, MockSmpp, Reply, encode, encode_bind

__all__ = ["Reply", "SmppTestHarness", "Stuck"]

Result = TypeVar("Result")

_BIND = {"host": "198.51.100.7", "system_id": "smscd"}
DEFAULT_BIND = {"name": "carrier", "response_timer_ms": 10000}
"""The one bind without a configuration, in the default chain. It gives up before the handler's time is over."""

_pristine = State()


class _Hooks:
    """What the gateway's C side calls in the place of its channel, its Redis and its log."""

    def __init__(self, harness: SmppTestHarness) -> None:
        self._harness = harness

    def send(self, identifier: int, side: str, target: str, raw: bytes, timeout_ms: int) -> int | None:
        try:
            return self._harness._sends.take(identifier, side, target, raw, timeout_ms)
        except Exception as exc:  # what the test gave to answer() does not fit
            self._harness._broken = exc
            return int(native.GONE)

    def redis(self, identifier: int, command: list[bytes]) -> None:
        harness = self._harness
        if harness.redis_away:
            native.redis_reply(identifier, None, "Redis is away", True)
            return
        try:
            value, error = harness._redis.execute(*command), None
        except RedisError as exc:
            value, error = None, str(exc)
        harness._loop.call_soon(native.redis_reply, identifier, value, error, False, context=contextvars.Context())

    def log(self, level: str, who: str | None, text: str) -> None:
        self._harness._log_line(level, who, text)


class SmppTestHarness:
    """A gateway of one script, without a network.

    One harness is in force at a time: making another ends it. ``raise_errors``: an exception of a handler comes out of
    the call that ran it, as with siphon's SDK; without it the reply has the status that the peer gets, and the log the
    traceback.
    """

    redis_away: bool
    """Set it to True, and the cache raises CacheError as when Redis is away."""

    def __init__(self, config: dict[str, Any] | None = None, *, raise_errors: bool = True) -> None:
        """``config``: the configuration as a dict, with the names of smscd.conf; the defaults are the file's, but that
        without ``binds`` there is one, ``carrier``, in the default chain. Raises ValueError for what a file is refused
        for."""
        if mock_module._active is not None:
            mock_module._active.close()
        self._config = config
        self._raise_errors = raise_errors
        self._open()

    def _open(self) -> None:
        _pristine.restore()
        self._script = "script.py"
        self._configure(self._config)
        self._closed = False
        self.redis_away = False
        self._loop = VirtualLoop()
        self._redis = FakeRedis(self._loop)
        self._sends = Sends(self._loop, self._response_seconds)
        self._smpp = MockSmpp(self)
        self._log = mock_module.MockLog()
        self._cache = mock_module.MockCache(self)
        self._scripts = Scripts(self._loop)
        self._raised: BaseException | None = None
        self._failure: BaseException | None = None
        self._broken: BaseException | None = None
        self._traceback_lines = _runtime.traceback_lines
        _runtime.traceback_lines = self._seen  # every exception that is logged passes there
        _runtime.adopt(self._loop)
        native.start(self._loop, _Hooks(self))
        mock_module._active = self

    def close(self) -> None:
        """Ends it: background tasks are cancelled, the script and what it imported from beside it are unloaded."""
        if self._closed:
            return
        try:
            _cancel_all(self._loop)
        finally:
            self._closed = True
            self._scripts.unload()
            native.stop()
            _runtime.traceback_lines = self._traceback_lines
            self._redis.close()
            self._loop.close()
            _pristine.restore()
            mock_module._active = None

    def reset(self) -> None:
        """As if it were new: no script, nothing sent, nothing in Redis."""
        self.close()
        self._open()

    def __enter__(self) -> SmppTestHarness:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- what a test looks at --------------------------------------------------

    @property
    def smpp(self) -> MockSmpp:
        """``siphon.smpp``, with ``set_query_result`` and ``set_config`` beside it."""
        return self._smpp

    @property
    def sent(self) -> list[tuple[str, dict[str, Any]]]:
        """``(helper, arguments)`` of each send that the last event caused, whoever called it.

        An event is one call of the harness. The arguments are all of the helper's, with what was sent for those left
        out: ``short_message`` is bytes, ``tlvs`` a list of ``(tag, bytes)``.
        """
        return self._sends.sent

    @property
    def history(self) -> list[tuple[str, dict[str, Any]]]:
        """The same since the start."""
        return self._sends.history

    @property
    def log(self) -> mock_module.MockLog:
        """What was logged: ``harness.log.messages`` has ``(level, text)``."""
        return self._log

    @property
    def cache(self) -> mock_module.MockCache:
        """``siphon.cache``, with ``put``, ``set_data`` and ``data`` beside it."""
        return self._cache

    @property
    def counters(self) -> dict[str, int]:
        """What smscd counts: ``receipts_duplicate``, ``handler_errors`` and so on."""
        counters: dict[str, int] = native.counters()
        return counters

    @property
    def time(self) -> float:
        """The UNIX time that the script sees, in seconds."""
        return self._loop.wall()

    # -- the script --------------------------------------------------------------

    def load_script(self, path: str | os.PathLike[str]) -> None:
        """Loads a script; its handlers join those already registered.

        The packages beside it are importable. Raises FileNotFoundError, and what the script itself raises.
        """
        self._check_open()
        self._scripts.load_file(path)
        self._script = str(Path(path).resolve())
        self._configure(self._config)

    def load_source(self, source: str, name: str = "<test>") -> None:
        """Loads a script from a str; ``name`` is that of its file in tracebacks."""
        self._check_open()
        self._scripts.load(name, source.encode())

    def reload(self) -> None:
        """Loads everything again, as the gateway does at SIGHUP: all new handlers are in force at once.

        What was loaded from a file is read again. Raises what a script raises; the old handlers are then in force.
        """
        self._check_open()
        self._scripts.reload()

    # -- configuration and answers -------------------------------------------------

    def _configure(self, config: dict[str, Any] | None) -> None:
        whole = dict(config or {})
        if "binds" not in whole:
            whole["binds"] = [DEFAULT_BIND]
            whole.setdefault("routing", {"default_chain": ["bind:carrier"]})
        whole["binds"] = [{**_BIND, **bind} for bind in whole["binds"]]
        whole.setdefault("script", self._script)
        native.configure(whole)
        self._config = config

    def _response_seconds(self, bind: str | None) -> float:
        configuration = native.config()
        groups = [configuration["server"]] if bind is None else configuration["binds"]
        group = next(group for group in groups if bind is None or group["name"] == bind)
        return float(group["response_timer_ms"] / 1000)

    def answer(
        self,
        helper: str,
        outcome: str | int = "ESME_ROK",
        *,
        bind: str | None = None,
        session_id: str | None = None,
        system_id: str | None = None,
        times: int | None = None,
        after: float = 0.0,
        **reply: Any,
    ) -> None:
        """Says how sends of ``helper`` (``"submit_via"``, ``"deliver_to"``, ...) are answered from now on.

        ``outcome``: a status' name, or a vendor's as int; or ``"timeout"`` (never answered), ``"gone"`` (the connection
        ends before the answer), ``"bind_down"``, ``"no_session"``, ``"window_full"``, ``"refused"`` (not sent).
        ``bind``, ``session_id``, ``system_id``: only for that target. ``times``: for so many sends, before any answer
        that is for all. ``after``: seconds until the answer comes; after the helper's timeout it is a late one.
        ``reply``: ``message_id``; ``unsuccessful`` of submit_multi_via; ``tlvs`` of data_via and data_to;
        ``message_state``, ``final_date`` and ``error_code`` of query_via.

        Without an answer set, every send is accepted: an upstream's ids are ``msg-1``, ``msg-2``, ..., and a query says
        ENROUTE.
        """
        if helper not in HELPERS.values():
            raise ValueError(f"no send helper is called {helper!r}")
        if outcome not in OUTCOMES:
            MockPdu().reply(command_status=outcome)  # ValueError for an unknown status
        if outcome == "bind_down" and not helper.endswith("_via"):
            raise ValueError(f"{helper} has no bind that could be down")
        target = {"bind": bind, "session_id": session_id, "system_id": system_id}
        given = {name: value for name, value in target.items() if value is not None}
        self._sends.add(Answer(helper, outcome, given, times, after, reply))

    def bind_down(self, bind: str) -> None:
        """Every send over that bind raises BindDown from now on."""
        self._sends.down.add(bind)

    def bind_up(self, bind: str) -> None:
        """The end of :meth:`bind_down`."""
        self._sends.down.discard(bind)

    def clear_answers(self) -> None:
        """Forgets what :meth:`answer` and :meth:`bind_down` have set."""
        self._sends.clear_answers()

    def _clear_sends(self) -> None:
        self._sends.event()
        self._sends.history.clear()
        self._sends.clear_answers()
        self._configure(None)

    # -- running ---------------------------------------------------------------------

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("this harness is closed, or another one was made since")

    def _event(self, start: Callable[[], None], done: Callable[[], bool]) -> None:
        """One event: starts it within the loop, and runs until nothing can run and `done()` holds."""
        self._check_open()
        self._sends.event()
        self._raised = self._failure = self._broken = None
        self._loop.call_soon(start, context=contextvars.Context())
        self._loop.run(done, self._handler_seconds() + 1)
        if self._broken is not None:
            raise self._broken
        if self._failure is not None and self._raise_errors:
            raise self._failure

    def _handler_seconds(self) -> float:
        return float(native.config()["handler_timeout_ms"] / 1000)

    def _ask(self, call: Callable[[Callable[[Any], None]], object]) -> list[Any]:
        """Runs a call that answers through its argument. The answer in a list, empty when there is no handler."""
        answers: list[Any] = []
        state: dict[str, Any] = {}

        def start() -> None:
            try:
                state["called"] = call(answers.append)
            except BaseException as exc:
                state["error"] = exc

        self._event(start, lambda: bool(answers) or "error" in state or state.get("called") is False)
        if "error" in state:
            raise state["error"]
        return answers

    def run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """Runs a coroutine where the script runs, for example ``harness.run(harness.cache.get("key"))``."""
        self._check_open()
        self._sends.event()
        task = self._loop.create_task(coroutine)
        self._loop.run(task.done, float("inf"))
        return task.result()

    def advance(self, seconds: float) -> None:
        """Moves time on, through every timer on the way: sleeps and timeouts end, ttls are over."""
        self._check_open()
        self._sends.event()
        self._loop.run(None, seconds)

    # -- log and exceptions -------------------------------------------------------------

    def _seen(self, exc: BaseException) -> list[str]:
        self._raised = exc
        return self._traceback_lines(exc)

    def _log_line(self, level: str, who: str | None, text: str) -> None:
        self._log.messages.append((level, text if who in (None, "script") else f"{who}: {text}"))
        of_handler = who is not None and who.startswith("handler ")
        if level == "error" and (of_handler or text.startswith("on_session(")) and self._failure is None:
            self._failure = self._raised

    # -- events ------------------------------------------------------------------------------

    def bind(
        self,
        system_id: str,
        *,
        password: str = "",
        client_addr: str = "203.0.113.5:5000",
        bind_type: str = "transceiver",
        system_type: str = "",
        addr_range: str = "",
        interface_version: int = 0x34,
    ) -> BindResult:
        """An ESME asks to bind: what ``on_bind`` says to it, true when accepted.

        Rejected with ESME_RBINDFAIL without a handler. ``on_session`` handlers are run by :meth:`session_event`.
        """
        raw = encode_bind(bind_type, system_id, password, system_type, addr_range, interface_version)
        [(status, reason)] = self._ask(lambda answer: native.call_bind(raw, client_addr, answer))
        bind = native.bind(raw, client_addr)
        result: BindResult = bind.accept() if status == "ESME_ROK" else bind.reject(status, reason)
        return result

    def _dispatch(self, command: str, session: Session, fields: dict[str, Any]) -> Reply | None:
        raw = encode(command, fields)
        answers = self._ask(lambda answer: native.call_pdu(raw, session, answer))
        return Reply(answers[0]) if answers else None

    def submit_sm(
        self,
        *,
        session_id: str = "esme-1",
        system_id: str = "esme1",
        client_addr: str = "203.0.113.5:5000",
        **fields: Any,
    ) -> Reply | None:
        """A submit_sm of an ESME (section 4.4): its response, or None without a handler.

        ``fields``: those of the standard, and ``tlvs`` as for the send helpers; ``registered_delivery`` is 1 unless
        given.
        """
        session = _session("esme", session_id, system_id, client_addr)
        return self._dispatch("submit_sm", session, {"registered_delivery": 1, **fields})

    def submit_sm_multi(
        self,
        *,
        session_id: str = "esme-1",
        system_id: str = "esme1",
        client_addr: str = "203.0.113.5:5000",
        **fields: Any,
    ) -> Reply | None:
        """A submit_multi of an ESME (section 4.5), with ``destinations``."""
        session = _session("esme", session_id, system_id, client_addr)
        return self._dispatch("submit_sm_multi", session, fields)

    def deliver_sm(
        self,
        *,
        session_id: str = "bind-1",
        system_id: str = "carrier",
        client_addr: str = "198.51.100.7:2775",
        **fields: Any,
    ) -> Reply | None:
        """A deliver_sm of an upstream (section 4.6): a message from a phone, or a receipt with ``esm_class=0x04``.

        ``system_id``: the bind's name.
        """
        return self._dispatch("deliver_sm", _session("bind", session_id, system_id, client_addr), fields)

    def data_sm(
        self,
        *,
        kind: str = "esme",
        session_id: str = "esme-1",
        system_id: str = "esme1",
        client_addr: str = "203.0.113.5:5000",
        **fields: Any,
    ) -> Reply | None:
        """A data_sm (section 4.7), from an ESME or, with ``kind="bind"``, from an upstream.

        ``short_message`` travels as message_payload.
        """
        return self._dispatch("data_sm", _session(kind, session_id, system_id, client_addr), fields)

    def cancel_sm(
        self,
        *,
        message_id: str,
        session_id: str = "esme-1",
        system_id: str = "esme1",
        client_addr: str = "203.0.113.5:5000",
        **fields: Any,
    ) -> Reply | None:
        """A cancel_sm of an ESME (section 4.9)."""
        session = _session("esme", session_id, system_id, client_addr)
        return self._dispatch("cancel_sm", session, {"message_id": message_id, **fields})

    def query_sm(
        self,
        *,
        message_id: str,
        session_id: str = "esme-1",
        system_id: str = "esme1",
        client_addr: str = "203.0.113.5:5000",
        **fields: Any,
    ) -> Reply | None:
        """A query_sm of an ESME (section 4.8)."""
        session = _session("esme", session_id, system_id, client_addr)
        return self._dispatch("query_sm", session, {"message_id": message_id, **fields})

    def replace_sm(
        self,
        *,
        message_id: str,
        session_id: str = "esme-1",
        system_id: str = "esme1",
        client_addr: str = "203.0.113.5:5000",
        **fields: Any,
    ) -> Reply | None:
        """A replace_sm of an ESME (section 4.10)."""
        session = _session("esme", session_id, system_id, client_addr)
        return self._dispatch("replace_sm", session, {"message_id": message_id, **fields})

    def alert_notification(
        self,
        *,
        session_id: str = "bind-1",
        system_id: str = "carrier",
        client_addr: str = "198.51.100.7:2775",
        **fields: Any,
    ) -> None:
        """An alert_notification of an upstream (section 4.12); nothing answers it.

        ``fields``: ``source_addr``, ``esme_addr``, their TON and NPI, ``ms_availability_status``.
        """
        session = _session("bind", session_id, system_id, client_addr)
        raw = encode("alert_notification", fields)
        self._until_idle(lambda: native.call_pdu(raw, session, lambda _: None))

    def session_event(
        self,
        event: str,
        *,
        kind: str = "esme",
        session_id: str = "esme-1",
        system_id: str = "esme1",
        client_addr: str = "203.0.113.5:5000",
    ) -> None:
        """Runs the ``on_session`` handlers of ``"bound"`` or ``"unbound"``.

        A session that is bound shows in ``smpp.sessions()`` until it is unbound. Raises ValueError for another event.
        """
        session = _session(kind, session_id, system_id, client_addr)
        if event not in ("bound", "unbound"):
            raise ValueError(f'a session\'s event is "bound" or "unbound", not {event!r}')
        if kind == "esme":
            self._register(event, session)
        self._until_idle(lambda: native.call_session(event, session))

    def _until_idle(self, start: Callable[[], object]) -> None:
        """Runs what has no answer until its handlers have ended, at most as long as a handler may take."""
        state: dict[str, bool] = {}

        def begin() -> None:
            start()
            state["begun"] = True

        self._event(begin, lambda: "begun" in state and not native.busy() and not _runtime.busy())

    def _register(self, event: str, session: Session) -> None:
        """The session's row in Redis, as the worker that owns it writes it."""
        key = f"{native.prefix()}sessions:{session.node}:{session.worker}"
        if event == "unbound":
            self._redis.execute("HDEL", key, session.session_id)
            return
        names = ("session_id", "system_id", "bind_type", "client_addr", "bound_at", "node", "worker")
        row = json.dumps({name: getattr(session, name) for name in names})
        self._redis.execute("HSET", key, session.session_id, row)
        self._redis.execute("SADD", f"{native.prefix()}sessions", key)


def _session(kind: str, session_id: str, system_id: str, client_addr: str) -> Session:
    session: Session = MockSession(kind=kind, session_id=session_id, system_id=system_id, client_addr=client_addr)
    return session


def _cancel_all(loop: VirtualLoop) -> None:
    """Cancels what is still under way and lets it clean up for a second."""
    with contextlib.suppress(Stuck):  # a task that takes no cancel is left alone
        while tasks := asyncio.all_tasks(loop):
            for task in tasks:
                task.cancel()
            loop.run(lambda: not asyncio.all_tasks(loop), 1.0)
            if not any(task.done() for task in tasks):
                break
        generators = loop.create_task(loop.shutdown_asyncgens())
        loop.run(generators.done, 1.0)


@atexit.register
def _close_last() -> None:
    if mock_module._active is not None:
        mock_module._active.close()
