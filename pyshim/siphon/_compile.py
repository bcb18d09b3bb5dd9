"""The script's byte code, made in a process of its own at a reload: no message waits for the compiler.

`write` runs in that process, in a bare interpreter that imports this file alone. The rest runs in the workers. What is
not found beforehand, or has changed since a load began, is compiled by the worker that imports it.
"""

from __future__ import annotations

import ast
import builtins
import importlib.util
import marshal
import os
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType
from typing import Any

_MODULES_MAX = 10000

# By path: the code, or what a SyntaxError is made of.
_Made = dict[str, CodeType | tuple[str, tuple[Any, ...]]]
_Stamp = tuple[int, int, int] | None

_made: _Made = {}  # and not imported yet
_stamps: dict[str, _Stamp] = {}


# -- in the process that compiles ------------------------------------------------


def write(script: str, paths: list[str], fd: int) -> None:
    """Compiles the script and the modules beneath its directory that it imports, those it names in functions too.

    paths: where modules are looked for, beside the script's directory.
    """
    with open(fd, "wb", closefd=False) as file:
        file.write(marshal.dumps(_compile_all(script, paths)))


def _compile_all(script: str, paths: list[str]) -> _Made:
    directory = os.path.dirname(script)
    made: _Made = {}
    roots = [directory, *paths]
    waiting = [(script, "")]
    while waiting and len(made) < _MODULES_MAX:
        path, package = waiting.pop()
        try:
            with open(path, "rb") as file:
                source = file.read()
            made[path] = compile(source, path, "exec", dont_inherit=True)
            imported = [spec for name in _imported(source, package) for spec in _find(name, roots)]
        except SyntaxError as exc:
            made[path] = (type(exc).__name__, exc.args)
            continue
        except (OSError, ValueError, RecursionError, MemoryError, OverflowError):
            continue  # the worker that imports it meets it again, and says so
        for spec in imported:
            file_path = spec.origin or ""
            if file_path.startswith(directory + os.sep) and file_path not in made:
                waiting.append((file_path, spec.parent or ""))
    return made


def _imported(source: bytes, package: str) -> Iterator[str]:
    """The names of all modules that may be meant: of `from a import b` both a and a.b."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            try:
                base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            except ImportError:
                continue
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _find(name: str, roots: list[str]) -> list[ModuleSpec]:
    """A module and the packages it is in, as far as they are source files. Nothing is run."""
    found = []
    paths: Sequence[str] | None = roots
    parts = name.split(".")
    for n in range(1, len(parts) + 1):
        try:
            spec = PathFinder.find_spec(".".join(parts[:n]), paths)
        except Exception:  # a package that only exists by the files in it needs its parent imported
            break
        if spec is None:
            break
        if type(spec.loader) is SourceFileLoader:
            found.append(spec)
        paths = spec.submodule_search_locations
        if paths is None:
            break
    return found


# -- in a worker -------------------------------------------------------------------


def read(fd: int) -> _Made:
    """What `write` has written."""
    made: _Made = marshal.loads(os.pread(fd, os.fstat(fd).st_size, 0))
    return made


def use(made: _Made) -> tuple[_Made, dict[str, _Stamp]]:
    """From here on that is what imports take; what they took until now is returned, for `use_again`."""
    global _made, _stamps
    before = _made, _stamps
    _made = made
    _stamps = {path: _stamp(path) for path in made}
    return before


def use_again(before: tuple[_Made, dict[str, _Stamp]]) -> None:
    """What was in use goes on."""
    global _made, _stamps
    _made, _stamps = before


def _stamp(path: str) -> _Stamp:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def take(path: str) -> CodeType | None:
    """The code of a file, once; None when the file is to be compiled. Raises the SyntaxError that it has."""
    made = _made.pop(path, None)
    if made is None or _stamp(path) != _stamps[path]:
        return None
    if isinstance(made, tuple):
        name, arguments = made
        raise getattr(builtins, name)(*arguments)
    return made


class _Loader(SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType | None:
        return take(self.path) or super().get_code(fullname)


class _Finder:
    """Finds what sys.path has, as Python itself does, with another loader for what is compiled already."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target) if _made else None
        if spec and spec.origin in _made and type(spec.loader) is SourceFileLoader:
            spec.loader = _Loader(name, spec.origin)
        return spec


def install() -> None:
    """Lets imports take what is compiled already, at the place of Python's own finder for files."""
    finders: list[Any] = sys.meta_path
    finders.insert(finders.index(PathFinder) if PathFinder in finders else len(finders), _Finder)
