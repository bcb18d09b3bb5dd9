"""pytest's side of the package: the fixture ``smpp_harness``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from siphon_sdk.smpp_testing import SmppTestHarness


@pytest.fixture
def smpp_harness() -> Iterator[SmppTestHarness]:
    """A :class:`siphon_sdk.smpp_testing.SmppTestHarness`, closed after the test."""
    with SmppTestHarness() as harness:
        yield harness
