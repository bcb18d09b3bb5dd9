"""smscd's log, for scripts. One line a call; a line says that it comes from the script."""

from __future__ import annotations

import _siphon

__all__ = ["debug", "error", "info", "warn", "warning"]


def debug(msg: str, *args: object) -> None:
    """Logs at debug level. With args, ``msg % args`` as in the logging module."""
    _siphon.log(0, _text(msg, args))


def info(msg: str, *args: object) -> None:
    """Logs at info level."""
    _siphon.log(1, _text(msg, args))


def warn(msg: str, *args: object) -> None:
    """Logs at warn level."""
    _siphon.log(2, _text(msg, args))


def warning(msg: str, *args: object) -> None:
    """The same as :func:`warn`."""
    _siphon.log(2, _text(msg, args))


def error(msg: str, *args: object) -> None:
    """Logs at error level."""
    _siphon.log(3, _text(msg, args))


def _text(msg: str, args: tuple[object, ...]) -> str:
    text = str(msg) % args if args else str(msg)
    return text.replace("\0", "\\x00")
