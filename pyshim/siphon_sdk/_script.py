"""Loading a test's scripts, and putting the interpreter back to how it was."""

from __future__ import annotations

import importlib
import os
import sys
import types
from pathlib import Path

from siphon import _generation

from siphon_sdk._clock import VirtualLoop
from siphon_sdk._native import native


class Scripts:
    """The scripts of one harness, in the order in which they were loaded."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._loaded: list[tuple[str, bytes]] = []
        self._modules: dict[str, types.ModuleType | None] = {}  # what was loaded, and what its name stood for before
        self._paths: list[str] = []
        self._generations: list[int] = []

    def load_file(self, path: str | os.PathLike[str]) -> None:
        script = Path(path).resolve()
        if not script.exists():
            raise FileNotFoundError(f"no script {script}")
        directory = str(script.parent)
        if directory not in self._paths:
            self._paths.append(directory)
            sys.path.insert(0, directory)
        self.load(str(script), script.read_bytes())

    def load(self, name: str, code: bytes) -> None:
        self._execute(name, code)
        self._loaded.append((name, code))

    def reload(self) -> None:
        """All of them again; only when that worked do their handlers replace the old ones."""
        again = [(name, Path(name).read_bytes() if Path(name).is_file() else code) for name, code in self._loaded]
        old, self._generations = self._generations, []
        self._unload_modules()
        native.begin_load()
        try:
            for name, code in again:
                self._execute(name, code)
        except BaseException:
            native.end_load(False)
            self._end(self._generations)
            self._generations = old
            raise
        native.end_load(True)
        self._loaded = again
        self._end(old)

    def unload(self) -> None:
        """What they imported from beside them is not imported any longer, and no handler is registered."""
        native.begin_load()
        native.end_load(True)
        self._unload_modules()
        for path in self._paths:
            if path in sys.path:
                sys.path.remove(path)

    def _end(self, generations: list[int]) -> None:
        for generation in generations:
            _generation.end(self._loop, generation)

    def _execute(self, name: str, code: bytes) -> None:
        before = dict(sys.modules)
        importlib.invalidate_caches()
        compiled = compile(code, name, "exec", dont_inherit=True)
        module = types.ModuleType(Path(name).stem if name.endswith(".py") else "__siphon_script__")
        module.__file__ = name
        sys.modules[module.__name__] = module
        no_byte_code, sys.dont_write_bytecode = sys.dont_write_bytecode, True
        try:
            with self._loop.clock():
                self._generations.append(_generation.run(self._loop, exec, compiled, module.__dict__))
        finally:
            sys.dont_write_bytecode = no_byte_code
            self._note_modules(before, module)

    def _note_modules(self, before: dict[str, types.ModuleType], script: types.ModuleType) -> None:
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            beside = isinstance(file, str) and any(file.startswith(path + os.sep) for path in self._paths)
            if before.get(name) is not module and (module is script or beside):
                self._modules.setdefault(name, before.get(name))

    def _unload_modules(self) -> None:
        for name, earlier in self._modules.items():
            sys.modules.pop(name, None)
            if earlier is not None:
                sys.modules[name] = earlier
        self._modules.clear()
