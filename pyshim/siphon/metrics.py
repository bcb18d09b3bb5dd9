"""``siphon.metrics``: not built yet. Every call raises NotImplementedError, which names it."""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = ["counter", "gauge", "histogram"]


def counter(*args: Any, **kwargs: Any) -> NoReturn:
    """Not built yet."""
    raise NotImplementedError("siphon.metrics.counter is not built yet")


def gauge(*args: Any, **kwargs: Any) -> NoReturn:
    """Not built yet."""
    raise NotImplementedError("siphon.metrics.gauge is not built yet")


def histogram(*args: Any, **kwargs: Any) -> NoReturn:
    """Not built yet."""
    raise NotImplementedError("siphon.metrics.histogram is not built yet")
