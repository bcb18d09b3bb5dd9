"""The shared cache, in Redis: what one worker sets, every worker and node gets.

Keys lie under the configured prefix. Every function raises :class:`CacheError` at once when Redis is away, or after
``redis.timeout_ms`` when it does not answer. siphon's form with a cache's name works beside the plain one:
``fetch(name, key)``, ``store(name, key, value)``, ``delete(name, key)`` and so on; every name is a cache.
"""

from __future__ import annotations

from typing import overload

import _siphon
from _siphon import CacheError

__all__ = [
    "CacheError",
    "delete",
    "exists",
    "expire",
    "fetch",
    "get",
    "has_cache",
    "incr",
    "list_len",
    "list_pop_all",
    "list_push",
    "set",
    "store",
]


def _key(*parts: str) -> str:
    """The key in Redis for (key) or (name, key)."""
    for part in parts:
        if not isinstance(part, str):
            raise TypeError(f"a cache key is a str, not {type(part).__name__}")
    return _siphon.prefix() + ":".join(parts)


def _expiry(ttl: float | None) -> tuple[object, ...]:
    if ttl is None:
        return ()
    if ttl <= 0:
        raise ValueError(f"ttl is in seconds, above 0, not {ttl!r}")
    return ("PX", max(1, int(ttl * 1000)))


async def get(key: str) -> str | None:
    """The value of ``key``, or None when there is none."""
    value: str | None = await _siphon.redis("GET", _key(key))
    return value


async def set(key: str, value: str | bytes | int, ttl: float | None = None) -> None:
    """Sets ``key``; with ``ttl`` (seconds) it goes away by itself."""
    await _siphon.redis("SET", _key(key), value, *_expiry(ttl))


@overload
async def delete(key: str, /) -> bool: ...
@overload
async def delete(name: str, key: str, /) -> bool: ...
async def delete(*key: str) -> bool:
    """Deletes ``key`` (or ``name, key``). True when it was there."""
    return bool(await _siphon.redis("DEL", _key(*_one_or_two("delete", key))))


@overload
async def exists(key: str, /) -> bool: ...
@overload
async def exists(name: str, key: str, /) -> bool: ...
async def exists(*key: str) -> bool:
    """Whether ``key`` (or ``name, key``) is there."""
    return bool(await _siphon.redis("EXISTS", _key(*_one_or_two("exists", key))))


async def expire(key: str, ttl: float) -> bool:
    """Lets ``key`` go away in ``ttl`` seconds. False when it is not there."""
    return bool(await _siphon.redis("PEXPIRE", _key(key), _expiry(ttl)[1]))


async def incr(key: str, by: int = 1) -> int:
    """Adds ``by`` to the number at ``key`` (0 when there is none) and returns the sum."""
    total: int = await _siphon.redis("INCRBY", _key(key), by)
    return total


@overload
async def list_push(key: str, item: str, /) -> int: ...
@overload
async def list_push(name: str, key: str, item: str, /) -> int: ...
async def list_push(*args: str) -> int:
    """Appends ``item`` to the list at ``key`` (or ``name, key``). Returns its new length."""
    if len(args) not in (2, 3):
        raise TypeError("list_push(key, item) or list_push(name, key, item)")
    length: int = await _siphon.redis("RPUSH", _key(*args[:-1]), args[-1])
    return length


@overload
async def list_pop_all(key: str, /) -> list[str]: ...
@overload
async def list_pop_all(name: str, key: str, /) -> list[str]: ...
async def list_pop_all(*key: str) -> list[str]:
    """Takes the whole list, first in first; empty when there is none. Atomic."""
    redis_key = _key(*_one_or_two("list_pop_all", key))
    items: list[str] | None = await _siphon.redis("LPOP", redis_key, 1_000_000_000)
    return items or []


@overload
async def list_len(key: str, /) -> int: ...
@overload
async def list_len(name: str, key: str, /) -> int: ...
async def list_len(*key: str) -> int:
    """The length of the list at ``key`` (or ``name, key``)."""
    length: int = await _siphon.redis("LLEN", _key(*_one_or_two("list_len", key)))
    return length


async def fetch(name: str, key: str) -> str | None:
    """The value of ``key`` in the cache ``name``, or None."""
    value: str | None = await _siphon.redis("GET", _key(name, key))
    return value


async def store(name: str, key: str, value: str | bytes | int, ttl: float | None = None) -> bool:
    """Sets ``key`` in the cache ``name``, for ``ttl`` seconds when given. True."""
    await _siphon.redis("SET", _key(name, key), value, *_expiry(ttl))
    return True


def has_cache(name: str) -> bool:
    """True: every name is a cache."""
    return True


def _one_or_two(function: str, key: tuple[str, ...]) -> tuple[str, ...]:
    if len(key) not in (1, 2):
        raise TypeError(f"{function}(key) or {function}(name, key)")
    return key
