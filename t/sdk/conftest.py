"""Settings of the tests of siphon_sdk: they run with the package installed, without smscd."""

from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def in_the_source_tree(monkeypatch):
    """The documentation's example names examples/gateway.py."""
    monkeypatch.chdir(TOP)
