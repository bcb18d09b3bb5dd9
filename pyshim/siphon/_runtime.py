"""The Python side of a worker's life: its loop, loading the script, the events of sessions, background tasks."""

from __future__ import annotations

import asyncio
import contextvars
import faulthandler
import gc
import importlib
import linecache
import os
import signal
import site
import sys
import traceback
import types
from collections.abc import Coroutine
from typing import Any

import _siphon

from siphon import _compile, _generation, _loop

_LEVEL_WARN = 2
_LEVEL_ERROR = 3

# Messages make objects, but cycles only by the script's own doing: 700 would walk those in hand again and again.
_GC_THRESHOLDS = (10_000, 10, 10)

_loop_object: asyncio.SelectorEventLoop
_background: set[asyncio.Task[Any]] = set()
_held: set[asyncio.Task[Any]] = set()  # background tasks that a drain waits for
_events: dict[str, asyncio.Task[None]] = {}
_generation_in_force = 0


def start(paths: list[str], venv: str) -> asyncio.SelectorEventLoop:
    """Makes the loop, and the script's packages importable."""
    sys.dont_write_bytecode = True  # a module edited twice within a second must not be taken from its old byte code
    sys.argv = [_siphon.script()]
    faulthandler.register(signal.SIGUSR2, file=_siphon.log_fd(), all_threads=True)
    if venv:
        _add_venv(venv)
    for path in reversed([os.path.dirname(_siphon.script()), *paths]):
        sys.path.insert(0, path)
    _compile.install()
    loop = _loop.new_event_loop()
    adopt(loop)
    asyncio.set_event_loop(loop)
    gc.collect()
    gc.freeze()  # what is here now stays: no collection needs to walk it
    gc.set_threshold(*_GC_THRESHOLDS)
    return loop


def adopt(loop: asyncio.SelectorEventLoop) -> None:
    """Takes the loop that handlers and background tasks run on."""
    global _loop_object
    _loop_object = loop
    loop.set_exception_handler(_on_loop_exception)
    loop.set_task_factory(_generation.task_factory)


def _add_venv(venv: str) -> None:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = os.path.join(venv, "lib", version, "site-packages")
    if not os.path.isdir(packages):
        raise RuntimeError(f"venv {venv}: no {packages}; smscd runs {version}")
    site.addsitedir(packages)


# -- loading -----------------------------------------------------------------


def _beside(module: types.ModuleType | None, directory: str) -> bool:
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and os.path.abspath(file).startswith(directory + os.sep)


def _take_modules(directory: str) -> dict[str, types.ModuleType]:
    """Takes the script and the modules beside it out of sys.modules."""
    taken = {name: module for name, module in list(sys.modules.items()) if _beside(module, directory)}
    for name in taken:
        del sys.modules[name]
    return taken


def load(compiled: int = -1) -> None:
    """Loads the script into a fresh namespace; only when that worked do its handlers replace the old ones.

    Tasks and timers that the old one started while it was loaded end then; handlers under way go on.
    compiled: a descriptor with what `_compile.write` made of the script; -1: it is compiled here.
    """
    global _generation_in_force
    script = os.path.abspath(_siphon.script())
    directory = os.path.dirname(script)
    old = {} if _is_package_directory(directory) else _take_modules(directory)
    importlib.invalidate_caches()
    linecache.checkcache()
    made_before = _compile.use(_read(compiled) if compiled >= 0 else {})
    _siphon.begin_load()
    try:
        generation = _generation.run(_loop_object, _execute, script)
    except BaseException:
        _siphon.end_load(False)
        if not _is_package_directory(directory):
            _take_modules(directory)
        sys.modules.update(old)
        _compile.use_again(made_before)
        raise
    _siphon.end_load(True)
    _generation.end(_loop_object, _generation_in_force)
    _generation_in_force = generation
    old.clear()
    gc.collect()  # the old namespace is full of cycles


def _is_package_directory(directory: str) -> bool:
    """A script that lies in a folder that holds smscd's own package or the library must not take those along."""
    return _beside(sys.modules["siphon"], directory) or _beside(sys.modules["asyncio"], directory)


def _read(compiled: int) -> dict[str, Any]:
    try:
        return _compile.read(compiled)
    except Exception as exc:
        _siphon.log(_LEVEL_WARN, f"the script is compiled in this worker: its byte code cannot be read: {exc!r}")
        return {}


def _execute(script: str) -> None:
    code = _compile.take(script)
    if code is None:
        with open(script, "rb") as file:
            code = compile(file.read(), script, "exec", dont_inherit=True)
    name = os.path.splitext(os.path.basename(script))[0]
    module = types.ModuleType(name)
    module.__file__ = script
    sys.modules[name] = module
    exec(code, module.__dict__)


# -- errors --------------------------------------------------------------------


def _place(exc: BaseException) -> str:
    """file:line of the innermost frame that is the operator's own, or of the innermost one."""
    if isinstance(exc, SyntaxError) and exc.filename:
        return f"{exc.filename}:{exc.lineno}"
    frames = traceback.extract_tb(exc.__traceback__)
    directory = os.path.dirname(os.path.abspath(_siphon.script()))
    own = [frame for frame in frames if os.path.abspath(frame.filename).startswith(directory + os.sep)]
    last = (own or frames)[-1:]
    return f"{last[0].filename}:{last[0].lineno}" if last else _siphon.script()


def describe(exc: BaseException) -> str:
    """One line: where, what kind, what was said."""
    try:
        text = exc.msg if isinstance(exc, SyntaxError) else str(exc)
    except Exception:
        text = "(its str() raises)"
    return _printable(f"{_place(exc)}: {type(exc).__name__}: {text}")


def _printable(text: str) -> str:
    """What a C string of UTF-8 can hold: no NUL, no lone surrogates."""
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()


def traceback_lines(exc: BaseException) -> list[str]:
    """`describe` first, then the traceback."""
    lines = [describe(exc)]
    for chunk in traceback.format_exception(exc):
        lines.extend(_printable(line) for line in chunk.rstrip("\n").split("\n") if line)
    return lines


def log_exception(what: str, exc: BaseException) -> None:
    """Logs an exception that nobody else will see."""
    first, *rest = traceback_lines(exc)
    _siphon.log(_LEVEL_ERROR, f"{what}: {first}")
    for line in rest:
        _siphon.log(_LEVEL_ERROR, line)


def _on_loop_exception(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    exc = context.get("exception")
    message = context.get("message", "asyncio")
    if exc is None:
        _siphon.log(_LEVEL_ERROR, message)
    else:
        log_exception(message, exc)


# -- sessions and tasks ----------------------------------------------------------


def session_event(event: str, session: Any) -> None:
    """Runs the on_session handlers one after the other, after those of the session's earlier event."""
    handlers = list(_siphon.registered(event) or ())
    previous = _events.get(session.session_id)
    task = _loop_object.create_task(_run_event(previous, handlers, event, session))
    _events[session.session_id] = task
    task.add_done_callback(lambda done: _event_ended(session.session_id, done))


async def _run_event(previous: asyncio.Task[None] | None, handlers: list[Any], event: str, session: Any) -> None:
    if previous is not None:
        await asyncio.wait([previous])
    for handler in handlers:
        try:
            result = handler(session)
            if hasattr(result, "__await__"):
                await result
        except asyncio.CancelledError:
            raise
        except BaseException as exc:
            log_exception(f'on_session("{event}")', exc)


def _event_ended(session_id: str, task: asyncio.Task[None]) -> None:
    if _events.get(session_id) is task:
        del _events[session_id]


def spawn(coroutine: Coroutine[Any, Any, Any], what: str, *, hold: bool = False) -> asyncio.Task[Any]:
    """Runs a coroutine in the background and logs its exception. With `hold` a drain waits for it."""
    task = _loop_object.create_task(coroutine, context=contextvars.Context())
    _background.add(task)
    if hold:
        _held.add(task)
    task.add_done_callback(lambda done: _spawned_ended(done, what))
    return task


def _spawned_ended(task: asyncio.Task[Any], what: str) -> None:
    _background.discard(task)
    _held.discard(task)
    if not task.cancelled() and (exc := task.exception()) is not None:
        log_exception(what, exc)


def busy() -> int:
    """Session events whose handlers have not ended, and background tasks that must."""
    return len(_events) + len(_held)


def finish() -> None:
    """After the loop has stopped: what is still open is cancelled and may clean up for a second."""
    tasks = asyncio.all_tasks(_loop_object)
    for task in tasks:
        task.cancel()
    if tasks:
        _loop_object.run_until_complete(asyncio.wait(tasks, timeout=1))
    _loop_object.run_until_complete(_loop_object.shutdown_asyncgens())
    sys.stdout.flush()
