"""Where every line of the imported logs went: received, refused, dropped by reason, counted."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from castline.model.listening import VerdictCount
from castline.store.listening.downloads import load_refused, load_waterfall
from castline.store.pool import Store

_ORDER = ("dropped", "partial", "duplicate", "counted")


@dataclass(frozen=True, slots=True)
class RequestCounts:
    """Lines that were no request, by reason, and what became of the requests."""

    refused: tuple[VerdictCount, ...]
    waterfall: tuple[VerdictCount, ...]

    @property
    def malformed_count(self) -> int:
        """Lines that were no request."""
        return sum(row.request_count for row in self.refused)

    @property
    def received_count(self) -> int:
        """All lines."""
        return self.malformed_count + sum(row.request_count for row in self.waterfall)

    @property
    def counted(self) -> int:
        """Downloads."""
        return sum(row.request_count for row in self.waterfall if row.verdict == "counted")

    def iter_steps(self) -> Iterator[tuple[str, str, int]]:
        """The waterfall from top to bottom: what happened, why, and to how many lines."""
        yield "received", "", self.received_count
        for row in self.refused:
            yield "refused", row.reason, -row.request_count
        for verdict in _ORDER:
            for row in self.waterfall:
                if row.verdict == verdict:
                    yield verdict, row.reason, row.request_count if verdict == "counted" else -row.request_count


def load_request_counts(store: Store, owner_id: UUID) -> RequestCounts:
    """The account's counts over all imported logs."""
    with store.account(owner_id) as connection:
        refused, waterfall = load_refused(connection, owner_id), load_waterfall(connection, owner_id)
    return RequestCounts(tuple(refused), tuple(waterfall))
