"""The names of the siphon SDK's ``mock_module``: the harness that is in force, in parts."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any

import siphon
from siphon import cache, log, metrics, timer

from siphon_sdk._native import native
from siphon_sdk.smpp import MockSmpp

if TYPE_CHECKING:
    from siphon_sdk.smpp_testing import SmppTestHarness

_active: SmppTestHarness | None = None


def _harness() -> SmppTestHarness:
    from siphon_sdk import smpp_testing

    return _active or smpp_testing.SmppTestHarness()


class MockLog:
    """What was logged, as ``(level, message)`` in :attr:`messages`. The functions are those of ``siphon.log``.

    A line of smscd's own begins with whose it is: ``"handler submit_sm: ..."``.
    """

    def __init__(self) -> None:
        self.messages: list[tuple[str, str]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(log, name)

    def clear(self) -> None:
        """Forgets them."""
        self.messages.clear()


class MockCache:
    """``siphon.cache`` with the test's helpers beside it. Await its functions with :meth:`SmppTestHarness.run`."""

    def __init__(self, harness: SmppTestHarness) -> None:
        self._harness = harness

    def __getattr__(self, name: str) -> Any:
        return getattr(cache, name)

    def set_data(self, name: str, data: dict[str, str] | None = None) -> None:
        """Replaces the cache ``name`` (siphon's form, ``cache.fetch(name, key)``) by ``data``."""
        prefix = f"{name}:"
        for key in self.data:
            if key.startswith(prefix):
                self._harness._redis.execute("DEL", native.prefix() + key)
        for key, value in (data or {}).items():
            self.put(prefix + key, value)

    def put(self, key: str, value: str | bytes | int, ttl: float | None = None) -> None:
        """Sets ``key`` as ``cache.set(key, value, ttl)`` does, at once."""
        expiry = () if ttl is None else ("PX", max(1, int(ttl * 1000)))
        self._harness._redis.execute("SET", native.prefix() + key, value, *expiry)

    @property
    def data(self) -> dict[str, str | list[str]]:
        """Everything in the cache that is text or a list; a copy."""
        execute = self._harness._redis.execute
        found: dict[str, str | list[str]] = {}
        for raw in execute("KEYS", native.prefix() + "*") or []:
            kind = execute("TYPE", raw)
            key = raw.decode().removeprefix(native.prefix())
            if kind == b"string":
                found[key] = execute("GET", raw).decode("utf-8", "surrogateescape")
            elif kind == b"list":
                items = execute("LRANGE", raw, 0, -1)
                found[key] = [item.decode("utf-8", "surrogateescape") for item in items]
        return found

    def clear(self) -> None:
        """Empties it, and all else that is in Redis."""
        self._harness._redis.execute("FLUSHALL")


class MockRegistry:
    """The handlers in force."""

    def register(self, event: str, method_filter: str | None, fn: Any, is_async: bool, metadata: Any = None) -> None:
        """Registers ``fn`` for ``"smpp.on_bind"``; ``"smpp.on_pdu"`` with ``{"command": ...}`` as metadata;
        ``"smpp.on_session"`` with ``{"event": ...}``."""
        details = metadata or {}
        name = details.get("command") or details.get("event") or method_filter or ""
        native.register(event.removeprefix("smpp.on_"), name, fn)

    def clear(self) -> None:
        """Forgets them all."""
        native.begin_load()
        native.end_load(True)


def install() -> types.ModuleType:
    """The module ``siphon``, with a harness in force."""
    _harness()
    return siphon


def reset() -> None:
    """:meth:`SmppTestHarness.reset` of the harness in force."""
    _harness().reset()


def get_registry() -> MockRegistry:
    return MockRegistry()


def get_smpp() -> MockSmpp:
    return _harness().smpp


def get_log() -> MockLog:
    return _harness().log


def get_cache() -> MockCache:
    return _harness().cache


def get_timer() -> types.ModuleType:
    return timer


def get_metrics() -> types.ModuleType:
    return metrics
