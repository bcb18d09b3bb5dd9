"""What a script starts while it is loaded (tasks, timers) belongs to that load, and ends when a newer one is in force.

What a handler starts is the handler's, and goes on. The mark is a context variable: tasks and timers inherit it from
where they were made, and so does what they start in turn.
"""

from __future__ import annotations

import asyncio
import contextvars
import weakref
from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")

_current: contextvars.ContextVar[int] = contextvars.ContextVar("siphon_generation", default=0)
_tasks: dict[int, weakref.WeakSet[asyncio.Task[Any]]] = {}
_last = 0


def run(loop: asyncio.AbstractEventLoop, function: Callable[..., object], *args: object) -> int:
    """Calls the function as a new generation, and returns its number. When it raises, what it started is ended."""
    global _last
    _last += 1
    number = _last
    _tasks[number] = weakref.WeakSet()
    context = contextvars.Context()
    context.run(_current.set, number)
    try:
        context.run(function, *args)
    except BaseException:
        end(loop, number)
        raise
    return number


def end(loop: asyncio.AbstractEventLoop, number: int) -> None:
    """Cancels the tasks and timers of a generation."""
    for task in _tasks.pop(number, ()):
        task.cancel()
    for handle in list(getattr(loop, "_scheduled", ())):
        if handle._context.get(_current, 0) == number:
            handle.cancel()


def task_factory(
    loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, T] | Generator[Any, None, T], **options: Any
) -> asyncio.Task[T]:
    """The loop's: makes tasks as without one, and keeps account of those that belong to a load.

    options: context, and what later Pythons give.
    """
    task = asyncio.Task(coro, loop=loop, **options)
    context = options.get("context")
    number = _current.get() if context is None else context.get(_current, 0)
    if number in _tasks:
        _tasks[number].add(task)
    return task
