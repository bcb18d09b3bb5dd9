"""Time that a test moves: an asyncio loop that never sleeps, and ``time.time()`` in step with it."""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

SPIN_MAX = 100_000
"""Turns of the loop without a pause after which a script is taken to spin."""
WAIT_SECONDS = 30.0
"""How long, of real time, a thread or a socket is waited for when nothing else can happen."""
SOCKET_SECONDS = 0.2
"""How long, of real time, open sockets are waited for before time jumps to a timer."""

_real_monotonic = time.monotonic
_real: dict[str, Callable[[], float]] = {
    name: getattr(time, name) for name in ("time", "time_ns", "monotonic", "monotonic_ns")
}


class Stuck(RuntimeError):
    """Nothing that could still happen would end what the test waits for."""


class _Selector(selectors.DefaultSelector):
    """Asks the loop what to do where a real one would sleep."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            self.loop._turn()
            return ready
        return self.loop._idle(super().select)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its time passes only when nothing can run, by jumping to the next timer, and only as far as `run` is told."""

    _scheduled: list[asyncio.TimerHandle]  # asyncio's own
    _selector: _Selector

    def __init__(self) -> None:
        self._now: float = _real_monotonic()
        self._wall_offset: float = _real["time"]() - self._now
        self._jobs = 0
        self._spins = 0
        self._done: Callable[[], bool] | None = None
        self._until = self._now
        self._error: BaseException | None = None
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self._now

    def wall(self) -> float:
        """UNIX time in seconds."""
        return self._now + self._wall_offset

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = super().run_in_executor(executor, func, *args)
        self._jobs += 1
        future.add_done_callback(self._job_ended)
        return future

    def _job_ended(self, _: asyncio.Future[Any]) -> None:
        self._jobs -= 1

    def run(self, done: Callable[[], bool] | None, seconds: float) -> None:
        """Runs until nothing can run and `done()` holds; time moves at most `seconds` for that, and without `done` as
        much. Raises Stuck when it does not hold and no timer or thread is left that could change it.
        """
        self._done, self._until = done, self._now + seconds
        self._spins = 0
        self._error = None
        with _no_running_loop(), self.clock():
            self.run_forever()
        if self._error is not None:
            raise self._error

    def _turn(self) -> None:
        """Something runs without a pause; a task that spins is stopped here."""
        self._spins += 1
        if self._spins > SPIN_MAX:
            if not (self._done and self._done()):
                self._error = Stuck(f"a task has run {SPIN_MAX} times without waiting for anything")
            self.stop()

    def _idle(self, select: Callable[[float], list[Any]]) -> list[Any]:
        """Nothing can run now."""
        self._spins = 0
        if self._jobs:
            return self._wait_for_thread(select)
        if self._done and self._done():
            self.stop()
            return []
        following = self._scheduled[0].when() if self._scheduled else None
        if len(self._selector.get_map()) > 1:  # the first is the loop's own
            ready = select(WAIT_SECONDS if following is None and self._done else SOCKET_SECONDS)
            if ready:
                return ready
        self._jump(following)
        return []

    def _jump(self, following: float | None) -> None:
        """Time moves to the next timer, or to the end of what it may move."""
        if following is not None and following <= self._until:
            self._now = max(self._now, following)
            return
        if following is None and self._done:
            self._error = Stuck("what the test waits for can never happen: no timer, thread or socket is left")
        else:
            self._now = max(self._now, self._until)
        self.stop()

    def _wait_for_thread(self, select: Callable[[float], list[Any]]) -> list[Any]:
        ready = select(WAIT_SECONDS)
        if not ready:
            self._error = Stuck(f"a thread has not ended after {WAIT_SECONDS:g} s of real time")
            self.stop()
        return ready

    @contextmanager
    def clock(self) -> Iterator[None]:
        """``time.time()`` and ``time.monotonic()`` are this loop's meanwhile."""
        before = {name: getattr(time, name) for name in _real}
        patched: dict[str, Callable[[], float]] = {
            "time": self.wall,
            "time_ns": lambda: int(self.wall() * 1e9),
            "monotonic": self.time,
            "monotonic_ns": lambda: int(self._now * 1e9),
        }
        for name, function in patched.items():
            setattr(time, name, function)
        try:
            yield
        finally:
            for name, function in before.items():
                setattr(time, name, function)


@contextmanager
def _no_running_loop() -> Iterator[None]:
    """A test that is itself a coroutine has a loop and a task of its own, which rest while ours runs."""
    outer = asyncio._get_running_loop()
    if outer is None:
        yield
        return
    task = asyncio.current_task(outer)
    if task is not None:
        asyncio.tasks._leave_task(outer, task)
    asyncio._set_running_loop(None)
    try:
        yield
    finally:
        asyncio._set_running_loop(outer)
        if task is not None:
            asyncio.tasks._enter_task(outer, task)
