"""``siphon.outbox``: not built yet. Every call raises NotImplementedError, which names it."""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = ["deliver", "on_failed", "pending"]


def deliver(*args: Any, **kwargs: Any) -> NoReturn:
    """Not built yet."""
    raise NotImplementedError("siphon.outbox.deliver is not built yet")


def pending(*args: Any, **kwargs: Any) -> NoReturn:
    """Not built yet."""
    raise NotImplementedError("siphon.outbox.pending is not built yet")


def on_failed(*args: Any, **kwargs: Any) -> NoReturn:
    """Not built yet."""
    raise NotImplementedError("siphon.outbox.on_failed is not built yet")
