"""The ``_siphon`` module with what it has outside a worker only: see src/pyext."""

from __future__ import annotations

from typing import Any

import _siphon

native: Any = _siphon
