"""Redis for a test: fakeredis, on the test's clock."""

from __future__ import annotations

from typing import Any

import fakeredis
import redis

from siphon_sdk._clock import VirtualLoop

Reply = Any
"""None, an int, bytes, or a list of replies."""


class FakeRedis:
    """Takes commands as a worker sends them, and answers as Redis 7 does."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._client: Any = fakeredis.FakeStrictRedis(server=fakeredis.FakeServer(version=(7,)), protocol=2)
        self._client.response_callbacks.clear()  # the replies as they are, not as redis-py dresses them

    def execute(self, *command: str | bytes | int) -> Reply:
        """The reply to one command. Raises redis.RedisError as the server answers an error."""
        with self._loop.clock():
            return _plain(self._client.execute_command(*command))

    def close(self) -> None:
        self._client.flushall()
        self._client.close()


def _plain(value: Any) -> Reply:
    """A reply as the types that the protocol has."""
    if value is None or isinstance(value, bytes):
        return value
    if isinstance(value, (bool, int)):
        return int(value)
    if isinstance(value, float):
        return f"{value:.17g}".encode()
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, dict):
        return [_plain(part) for pair in value.items() for part in pair]
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(part) for part in value]
    raise TypeError(f"a reply of Redis is no {type(value).__name__}")


Error = redis.RedisError
