"""Whether castline's figures are the truth, one by one, to the unit and to the cent."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from castline.demo.requests_seen import RequestCounts
from castline.demo.tables import BROKEN_COUNT
from castline.demo.traffic import FATES
from castline.demo.world import CampaignTruth, Truth
from castline.model.listening import VerdictCount
from castline.model.roi import RoiFigures

# The fate of a request by the verdict and reason that the waterfall gives; None stands for any reason.
_FATE_OF: Final[dict[tuple[str, str | None], str]] = {
    ("counted", None): "counted",
    ("duplicate", None): "duplicate",
    ("partial", None): "under_a_minute",
    ("dropped", "two_byte_probe"): "two_byte_probe",
    ("dropped", "method"): "method",
    ("dropped", "status"): "status",
    ("dropped", "empty_agent"): "empty_agent",
    ("dropped", "bot"): "bot",
    ("dropped", "watch_duplicate"): "watch",
    ("dropped", "no_episode"): "no_episode",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure that is not what it truly is."""

    figure: str
    truth: str
    found: str


@dataclass(frozen=True, slots=True)
class FileRows:
    """What became of the rows of a file of orders: received = taken + refused."""

    received: int
    taken: int
    refused: int


@dataclass(frozen=True, slots=True)
class Found:
    """What castline says of the world, in the order of the truth's campaigns."""

    requests: RequestCounts
    orders: FileRows
    downloads: Mapping[tuple[str, str, date], int]
    campaigns: tuple[RoiFigures, ...]
    ads_delivered: tuple[int, ...]


def compare(truth: Truth, found: Found) -> list[Difference]:
    """Every figure that differs; empty when all agree."""
    pairs: list[tuple[str, object, object]] = [
        ("log lines received", truth.received_count, found.requests.received_count),
        ("malformed lines", truth.malformed_count, found.requests.malformed_count),
    ]
    pairs.append(("rows of conversions.csv that are broken", BROKEN_COUNT, found.orders.refused))
    requests = count_fates(found.requests.waterfall)
    pairs += [(f"requests: {fate}", truth.requests[fate], requests.pop(fate, 0)) for fate in FATES]
    pairs += [(f"requests: {name}", 0, count) for name, count in requests.items()]
    pairs += _download_pairs(truth.downloads, found.downloads)
    for known, figures, ads in zip(truth.campaigns, found.campaigns, found.ads_delivered, strict=True):
        pairs += _campaign_pairs(known, figures)
        pairs.append((f"{known.name}: ads delivered", known.ads_delivered, ads))
    return [Difference(name, str(known), str(given)) for name, known, given in pairs if known != given]


def count_fates(waterfall: Iterable[VerdictCount]) -> dict[str, int]:
    """Requests by fate; what has no counterpart among the fates keeps its own name."""
    counts: dict[str, int] = {}
    for row in waterfall:
        fate = _FATE_OF.get((row.verdict, row.reason)) or _FATE_OF.get((row.verdict, None))
        name = fate or f"{row.verdict}, {row.reason}"
        counts[name] = counts.get(name, 0) + row.request_count
    return counts


def _download_pairs(
    truth: Mapping[tuple[str, str, date], int], found: Mapping[tuple[str, str, date], int]
) -> Iterator[tuple[str, object, object]]:
    for key in sorted(truth.keys() | found.keys()):
        show, guid, day = key
        yield f"downloads of {show} {guid} on {day}", truth.get(key, 0), found.get(key, 0)


def _campaign_pairs(truth: CampaignTruth, figures: RoiFigures) -> Iterator[tuple[str, object, object]]:
    """Rates are compared to six places, which is what they are kept with."""
    yield f"{truth.name}: orders", Decimal(truth.order_count), figures.credited_orders.quantize(Decimal("0.0001"))
    yield f"{truth.name}: revenue", truth.gross_revenue, figures.gross_revenue
    yield f"{truth.name}: refunds", truth.refunds, figures.refunds
    yield f"{truth.name}: net revenue", truth.net_revenue, figures.net_revenue
    given = None if figures.roi_rate is None else round(figures.roi_rate, 6)
    yield f"{truth.name}: ROI", round(truth.roi_rate, 6), given
