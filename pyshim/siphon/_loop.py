"""asyncio on the worker's libev loop: an ordinary SelectorEventLoop over a selector whose ``select()`` runs libev."""

from __future__ import annotations

import asyncio
import selectors
from typing import Any

import _siphon


class LibevSelector(selectors._BaseSelectorImpl):
    """Descriptors are watched by the worker's own loop, beside its SMPP sockets."""

    _fd_to_key: dict[int, selectors.SelectorKey]

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = super().register(fileobj, events, data)
        try:
            _siphon.loop_watch(key.fd, key.events)
        except BaseException:
            super().unregister(fileobj)
            raise
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        key = super().unregister(fileobj)
        _siphon.loop_unwatch(key.fd)
        return key

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = self.get_key(fileobj)
        if events == key.events and data == key.data:
            return key
        if events == key.events:
            key = key._replace(data=data)
            self._fd_to_key[key.fd] = key
            return key
        self.unregister(fileobj)
        return self.register(fileobj, events, data)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = _siphon.loop_select(timeout)
        if not ready:
            return []
        keys = self._fd_to_key
        return [(keys[fd], events & keys[fd].events) for fd, events in ready if fd in keys]


def new_event_loop() -> asyncio.SelectorEventLoop:
    """The loop every handler runs on."""
    return asyncio.SelectorEventLoop(LibevSelector())
