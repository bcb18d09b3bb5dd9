"""Types that are simplest in Python."""

from __future__ import annotations


class Destination(str):
    """A destination of submit_sm_multi (SMPP 3.4 section 4.5.1.1): the address, or the name of a distribution list."""

    ton: int
    """Type of number (section 5.2.5)."""
    npi: int
    """Numbering plan (section 5.2.6)."""
    is_distribution_list: bool
    """Whether this is the name of a distribution list."""

    def __new__(cls, address: str, ton: int = 1, npi: int = 1, is_distribution_list: bool = False) -> Destination:
        self = super().__new__(cls, address)
        self.ton = ton
        self.npi = npi
        self.is_distribution_list = is_distribution_list
        return self
