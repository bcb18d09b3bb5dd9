"""What the modules of ``siphon`` keep while they run, put back to how it was when they were imported."""

from __future__ import annotations

import copy
import importlib
import pkgutil
import types
from collections import deque
from typing import Any

import siphon

_KEPT = (dict, set, list, deque, int, float, str, bytes, bool, type(None))


def _is_state(name: str, value: Any) -> bool:
    own = type(value).__module__.split(".")[0] == "siphon"
    return name.startswith("_") and not name.startswith("__") and (own or type(value) in _KEPT)


class State:
    """The private variables of siphon's modules, as they were when this was made."""

    def __init__(self) -> None:
        self._modules: list[tuple[types.ModuleType, dict[str, Any]]] = []
        for info in pkgutil.iter_modules(siphon.__path__):
            module = importlib.import_module(f"siphon.{info.name}")
            state = {name: value for name, value in vars(module).items() if _is_state(name, value)}
            self._modules.append((module, copy.deepcopy(state)))

    def restore(self) -> None:
        for module, state in self._modules:
            vars(module).update(copy.deepcopy(state))
