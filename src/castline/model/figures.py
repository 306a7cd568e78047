"""Everything that is in a report, once: the frozen inputs of its figures, and the figures as they are shown.

`ReportFigures` is what a report rests on; its canonical JSON is what the content hash is of. `Document` is the same
as sections, figures and tables, and each format renders that and nothing else.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from msgspec import UNSET, UnsetType

from castline.base.money import check_currency
from castline.base.period import Period
from castline.model.check import check_aware
from castline.model.listening import VerdictCount
from castline.model.query import Annotation
from castline.model.roi import RoiFigures
from castline.model.vocab import AttributionMethod, AttributionTier, CampaignStatus, PlacementKind, PlacementPosition

AudienceDimension = Literal["app", "country", "device"]
Unit = Literal["text", "count", "share", "money", "rate", "ratio", "date", "moment"]


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom and what the report is about. `fee` is of `currency`; `methods` are the keys that are live."""

    campaign_id: UUID
    campaign: str
    sponsor: str
    shows: tuple[str, ...]
    status: CampaignStatus
    flight: Period
    currency: str
    fee: Decimal
    methods: tuple[AttributionMethod, ...]

    def __post_init__(self) -> None:
        check_currency(self.currency)


@dataclass(frozen=True, slots=True)
class MeasuredDays:
    """The UTC days from the first whose requests were measured to the last, None if there is none, but for `gaps`."""

    first_on: date | None = None
    last_on: date | None = None
    gaps: frozenset[date] = frozenset()

    def __contains__(self, day: date) -> bool:
        if self.first_on is None or self.last_on is None:
            return False
        return self.first_on <= day <= self.last_on and day not in self.gaps


@dataclass(frozen=True, slots=True)
class DayDownloads:
    """Downloads of the campaign's episodes on one UTC day, None if nobody measured it."""

    day_on: date
    downloads: int | None


@dataclass(frozen=True, slots=True)
class PlacementDelivery:
    """One placement, or an episode of the campaign that has none.

    `delivered` counts the flight's downloads, `delivered_days_7` those of the first seven UTC days on the air, and so
    on; None while the days are not over, or where they were never counted. `ads_delivered` are those of the flight with
    which the ad was sent whole; None where too many of them are not measurable.
    """

    show: str
    episode: str
    air_on: date
    kind: PlacementKind | None
    position: PlacementPosition | None
    contracted: int | None
    delivered: int
    delivered_days_7: int | None
    delivered_days_30: int | None
    delivered_days_60: int | None
    spend: Decimal | None
    ads_delivered: int | None = None

    @property
    def paced(self) -> int:
        """What stands against the contract: ads delivered where they are measurable, else downloads."""
        return self.delivered if self.ads_delivered is None else self.ads_delivered


@dataclass(frozen=True, slots=True)
class AudienceShare:
    """Downloads of one app, country or kind of device within the flight."""

    dimension: AudienceDimension
    member: str
    downloads: int


@dataclass(frozen=True, slots=True)
class RawConversions:
    """How many records told of the orders that one method has credited: one order may be told more than once."""

    method: AttributionMethod
    tier: AttributionTier
    record_count: int


@dataclass(frozen=True, slots=True)
class ConversionCounts:
    """The sponsor's records, the orders they tell of, and where those were credited: here, elsewhere, to nobody."""

    record_count: int
    order_count: int
    credited_here: int
    credited_elsewhere: int
    unattributed: int


@dataclass(frozen=True, slots=True)
class BatchUse:
    """A file or body that came in; `content_hash` is SHA-256 in hexadecimal."""

    kind: str
    source: str
    content_hash: str
    received_count: int
    accepted_count: int
    refused_count: int
    received_at: datetime


@dataclass(frozen=True, slots=True)
class RunUse:
    """The newest run of a job that the figures rest on."""

    job: str
    run_id: UUID
    code_version: str
    rule_versions: dict[str, str]
    finished_at: datetime


@dataclass(frozen=True, slots=True)
class TableUse:
    """How many rows of a table the figures rest on."""

    table: str
    row_count: int


@dataclass(frozen=True, slots=True)
class ListUse:
    """A list or table of others that counting used, and its date."""

    title: str
    version: str
    built_on: date | None


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where the figures come from. `listening_until` is the newest request that was counted, None if none was."""

    code_version: str
    ip_privacy: str
    listening_until: datetime | None
    conversions_until: datetime | None
    batches: tuple[BatchUse, ...]
    runs: tuple[RunUse, ...]
    tables: tuple[TableUse, ...]
    lists: tuple[ListUse, ...]
    restatements: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PlayedAds:
    """The campaign's ads that players say they played, from `first_on` on; each count holds those that came further."""

    first_on: date
    plays: int
    first_quarter: int
    half: int
    third_quarter: int
    complete: int
    skips: int


@dataclass(frozen=True, slots=True)
class Beginning:
    """An episode's downloads in its first 7 and 30 UTC days, None where these are not over or not all measured.

    The rates are of the median of the show's other episodes at the same age; None where these are too few.
    """

    episode: str
    publish_on: date
    downloads_7: int | None
    rate_7: Decimal | None
    downloads_30: int | None
    rate_30: Decimal | None


@dataclass(frozen=True, slots=True)
class Trend:
    """What readers of the flight's days must know: what happened on them, and how the episodes began."""

    notes: tuple[Annotation, ...]
    beginnings: tuple[Beginning, ...]


@dataclass(frozen=True, slots=True)
class ReportFigures:
    """The frozen inputs of one report. `audience_base` is how many downloads the audience shares are of.

    `played_ads` is left out where no player told of any, and `trend` by reports of before there was one, so that
    these keep their bytes.
    """

    as_of: datetime
    subject: Subject
    daily: tuple[DayDownloads, ...]
    placements: tuple[PlacementDelivery, ...]
    audience: tuple[AudienceShare, ...]
    audience_base: int
    raw_conversions: tuple[RawConversions, ...]
    conversions: ConversionCounts
    roi: RoiFigures
    counting: tuple[VerdictCount, ...]
    provenance: Provenance
    played_ads: PlayedAds | UnsetType = UNSET
    trend: Trend | UnsetType = UNSET

    def __post_init__(self) -> None:
        check_aware(self.as_of, field="as_of")

    @property
    def contracted(self) -> int | None:
        """Contracted downloads over the placements that have a contract, None if none has."""
        counts = [item.contracted for item in self.placements if item.contracted is not None]
        return sum(counts) if counts else None

    @property
    def delivered_contracted(self) -> int:
        """What stands against the contracts of the placements that have one: an episode with two delivers both."""
        return sum(item.paced for item in self.placements if item.contracted is not None)


@dataclass(frozen=True, slots=True)
class Missing:
    """No value, and why. It is not zero."""

    reason: str


@dataclass(frozen=True, slots=True)
class Term:
    """A code of a vocabulary, which files for machines keep, and the word that people read for it."""

    code: str
    word: str


Value = int | Decimal | str | date | datetime | Term | Missing


@dataclass(frozen=True, slots=True)
class Definition:
    """How a metric is counted; the version rises when the way of counting changes."""

    metric: str
    version: int
    how: str

    @property
    def name(self) -> str:
        return f"{self.metric}/{self.version}"

    @property
    def title(self) -> str:
        """The metric's id in words, for where no figure has a label of it."""
        return self.metric.replace("_", " ").capitalize()

    @property
    def explained(self) -> str:
        """How it is counted, for people: other metrics in words, and no value where programs say null."""
        return self.how.replace("_", " ").replace("null where", "no value where")


@dataclass(frozen=True, slots=True)
class Figure:
    """One value with its unit, its definition (`metric` is id/version) and its window."""

    name: str
    label: str
    value: Value
    unit: Unit
    metric: str = ""
    window: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table; all its cells have one unit, one definition and one window."""

    name: str
    label: str
    unit: Unit
    metric: str = ""
    window: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """One row per thing that `name` names, in the order to be shown."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the report: its own figures, then its tables."""

    name: str
    title: str
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A report as every format shows it. `report_id` is made of the content hash, so that equal figures share it."""

    figures: ReportFigures
    report_id: str
    content_hash: str
    currency: str
    sections: tuple[Section, ...]
    definitions: tuple[Definition, ...]

    def name_metrics(self) -> dict[str, str]:
        """Each metric's label by its name with its version, where it has one label throughout; else its id in words."""
        labels: dict[str, set[str]] = {item.name: set() for item in self.definitions}
        for section in self.sections:
            items: list[Figure | Column] = list(section.figures)
            items += [column for table in section.tables for column in table.columns]
            for item in items:
                if item.metric:
                    labels[item.metric].add(item.label)
        titles = {item.name: item.title for item in self.definitions}
        return {name: found.pop() if len(found) == 1 else titles[name] for name, found in labels.items()}

    def section(self, name: str) -> Section:
        """The section of that name."""
        return next(section for section in self.sections if section.name == name)
