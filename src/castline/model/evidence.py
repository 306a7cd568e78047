"""Why requests were dropped for their behaviour: who did what, beyond which limits, and what it would have counted."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TypeVar

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Evidence:
    """One subject of one rule on one UTC day.

    `network` is where it came from, cut as the privacy setting says, and `asn` who runs it: None where it is several,
    or not known. `user_agent` is None where the rule looks at an address under all its agents. `measured` is what was
    found and `limits` what it was held against; `download_count` are the downloads that did not count for it.
    """

    day_on: date
    reason: str
    network: str | None
    asn: int | None
    user_agent: str | None
    address_count: int
    request_count: int
    download_count: int
    measured: Mapping[str, float | str | None]
    limits: Mapping[str, float]

    def __post_init__(self) -> None:
        """Numbers are plain ones, however they were stored."""
        object.__setattr__(self, "measured", _plain(self.measured))
        object.__setattr__(self, "limits", _plain(self.limits))


def _plain(told: Mapping[str, Value]) -> dict[str, Value | float]:
    return {name: float(value) if isinstance(value, Decimal) else value for name, value in told.items()}
