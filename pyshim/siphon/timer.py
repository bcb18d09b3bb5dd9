"""``siphon.timer``: not built yet. Every call raises NotImplementedError, which names it."""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = ["cancel", "every", "set"]


def every(*args: Any, **kwargs: Any) -> NoReturn:
    """Not built yet."""
    raise NotImplementedError("siphon.timer.every is not built yet")


def set(*args: Any, **kwargs: Any) -> NoReturn:
    """Not built yet."""
    raise NotImplementedError("siphon.timer.set is not built yet")


def cancel(*args: Any, **kwargs: Any) -> NoReturn:
    """Not built yet."""
    raise NotImplementedError("siphon.timer.cancel is not built yet")
