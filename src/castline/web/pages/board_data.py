"""What the dashboard shows, computed before any page is rendered and kept until a figure may have changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from typing import Final, Literal
from uuid import UUID

import msgspec

from castline import __version__
from castline.base.errors import CastlineError, InvalidInput
from castline.measure.figures.query import run_query
from castline.model.campaign import Campaign
from castline.model.measurement import Stretch
from castline.model.query import Annotation, Answer, Dimension
from castline.model.show import Podcast
from castline.roi.books import load_books
from castline.store.cache import Cache
from castline.store.entities.campaigns import load_campaigns
from castline.store.entities.shows import load_episodes, load_podcasts
from castline.store.listening.overview import Freshness, find_extent, find_freshness, find_watermark
from castline.store.payload import encode_json
from castline.store.pool import Connection, Store
from castline.web.pages.campaign_data import CampaignRow, compute_earned, ends_of, load_campaign_rows
from castline.web.pages.releases import Releases, load_releases
from castline.web.pages.tiles import Kpi, load_listening_kpis, name_money_kpis
from castline.web.pages.waterfall import Waterfall, load_steps
from castline.web.query import MetricQuery, parse_query

Empty = Literal["", "no_source", "no_hits", "small", "other_days"]
_SMALL: Final = 50  # downloads of a period that are too few for shares and changes to mean much
_KEPT_SECONDS: Final = 600


@dataclass(frozen=True, slots=True)
class Share:
    """One row of a panel; `share_rate` is of the panel's sum, `member` what a filter calls it."""

    label: str
    downloads: int
    share_rate: float
    detail: str = ""
    member: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """A ranking of one dimension; `note` says why there is none."""

    dimension: str
    title: str
    column: str
    rows: tuple[Share, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Show:
    """A show that can be chosen."""

    podcast_id: UUID
    title: str


@dataclass(frozen=True, slots=True)
class Choice:
    """A campaign that can be chosen."""

    campaign_id: UUID
    name: str


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter that is set: its parameter, and what it lets through."""

    name: str
    label: str


@dataclass(frozen=True, slots=True)
class Board:
    """Everything on the dashboard; `note` says why there are no days, `before_note` why none to compare with."""

    query: MetricQuery
    shows: tuple[Show, ...]
    kpis: tuple[Kpi, ...]
    days: tuple[tuple[date, int | None], ...]
    days_before: tuple[int | None, ...]
    panels: tuple[Panel, ...]
    chips: tuple[Chip, ...]
    releases: Releases
    campaigns: tuple[CampaignRow, ...]
    waterfall: Waterfall
    freshness: Freshness
    empty: Empty
    newest_on: date | None
    note: str = ""
    before: MetricQuery | None = None
    before_note: str = ""
    annotations: tuple[Annotation, ...] = ()
    settings: tuple[Stretch, ...] = ()
    provisional_from: date | None = None
    campaign_choices: tuple[Choice, ...] = ()
    measured_day_count: int = 0

    @property
    def download_count(self) -> int:
        return sum(count or 0 for _, count in self.days)


def load_board(store: Store, cache: Cache, owner_id: UUID, parameters: Mapping[str, str], *, at: datetime) -> Board:
    """The dashboard for what the parameters ask; the kept one if nothing of the account has changed since.

    Raises InvalidInput with the parameter's name.
    """
    with store.snapshot(owner_id) as connection:
        shows = load_podcasts(connection, owner_id)
        extent = find_extent(connection, owner_id)
        query = parse_query(parameters, extent.last_on or at.date())
        if query.podcast_id and query.podcast_id not in {show.podcast_id for show in shows}:
            raise InvalidInput(field="show", detail="there is no such show in this account")
        watermark = find_watermark(connection, owner_id)
        # ROI accrues with the day, so a board is of its UTC day.
        key = f"board:{owner_id}:{sha256(encode_json([__version__, query, watermark, at.date()])).hexdigest()}"
        if kept := _recall(cache, key):
            return kept
        board = _compute_board(connection, owner_id, query, (shows, extent.last_on), at)
    _remember(cache, key, board)
    return board


def _recall(cache: Cache, key: str) -> Board | None:
    try:
        kept = cache.find(key)
        return msgspec.json.decode(kept, type=Board) if kept else None
    except (CastlineError, msgspec.MsgspecError):
        return None  # a page does not need its cache


def _remember(cache: Cache, key: str, board: Board) -> None:
    try:
        cache.save(key, msgspec.json.encode(board), _KEPT_SECONDS)
    except CastlineError:
        return


def _compute_board(
    connection: Connection,
    owner_id: UUID,
    query: MetricQuery,
    known: tuple[list[Podcast], date | None],
    at: datetime,
) -> Board:
    shows, newest_on = known
    answer = run_query(connection, owner_id, query.ask(grain="day", comparison=query.comparison), at=at)
    days, days_before = _days_of(answer), _days_of(answer.compared)
    unaligned = _find_unaligned(answer.compared)
    before = query.on_days_of(answer.compared.query) if answer.compared and not unaligned else None
    flown = load_campaigns(connection, owner_id)
    books = load_books(connection, owner_id, flown, as_of=at, earlier=ends_of(query, before))
    campaigns = load_campaign_rows(connection, owner_id, query, books)
    earned = compute_earned(connection, owner_id, query, before, books)
    freshness = find_freshness(connection, owner_id)
    panels = _load_panels(connection, owner_id, query)
    return Board(
        query=query,
        shows=tuple(Show(show.podcast_id, show.title) for show in shows),
        kpis=load_listening_kpis(connection, owner_id, query, answer)
        + name_money_kpis(campaigns, earned, answer, books.conversions_from),
        days=days,
        days_before=tuple(count for _, count in days_before),
        panels=panels,
        chips=_name_chips(query, panels, flown),
        releases=load_releases(connection, owner_id, query, newest_on),
        campaigns=campaigns,
        waterfall=load_steps(connection, owner_id, query),
        freshness=freshness,
        empty=_find_cause(sum(count or 0 for _, count in days), freshness, newest_on, has_shows=bool(shows)),
        newest_on=newest_on,
        note=answer.withheld.detail if answer.withheld else "",
        before=before,
        before_note=unaligned,
        annotations=answer.annotations,
        settings=answer.counting.settings,
        provisional_from=_find_provisional(answer),
        campaign_choices=tuple(Choice(item.campaign_id, item.name) for item in flown),
        measured_day_count=answer.counting.measured_day_count,
    )


def _find_provisional(answer: Answer) -> date | None:
    """The first of the days shown whose figures may still change."""
    counting = answer.counting
    begin = max(counting.provisional_from, answer.query.first_on)
    return begin if counting.last_on is not None and begin <= min(counting.last_on, answer.query.last_on) else None


def _find_unaligned(compared: Answer | None) -> str:
    """Why no release can be found to compare with, where that was asked for."""
    withheld = compared.withheld if compared else None
    return withheld.detail if withheld and withheld.reason in {"several_releases", "no_release_before"} else ""


def _find_cause(count: int, freshness: Freshness, newest_on: date | None, *, has_shows: bool) -> Empty:
    """Why there is nothing, or little, to see: no source yet, a source without hits, other days, or really small."""
    if count >= _SMALL:
        return ""
    if count:
        return "small"
    if not has_shows or not freshness.log_count:
        return "no_source"
    return "no_hits" if newest_on is None else "other_days"


def _days_of(answer: Answer | None) -> tuple[tuple[date, int | None], ...]:
    """Every day of the answer with its downloads: 0 was measured, None was not."""
    rows = answer.rows if answer else ()
    return tuple((row.start_at.date(), row.value) for row in rows if row.start_at)


def _name_chips(query: MetricQuery, panels: tuple[Panel, ...], campaigns: Sequence[Campaign]) -> tuple[Chip, ...]:
    """The filters that are set, by the names that people know their members by."""
    names = {(panel.dimension, row.member): row.label for panel in panels for row in panel.rows}
    names |= {("campaign", str(item.campaign_id)): item.name for item in campaigns}
    return tuple(Chip(name, names.get((name, member), member)) for name, member in query.chosen().items())


def _load_panels(connection: Connection, owner_id: UUID, query: MetricQuery) -> tuple[Panel, ...]:
    episodes = {
        str(episode.episode_id): (episode.title, f"published {episode.publish_date:%Y-%m-%d}")
        for episode in load_episodes(connection, owner_id, query.podcast_id)
    }
    wanted: tuple[tuple[Dimension, str, str], ...] = (
        ("episode", "Episodes", "Episode"),
        ("app", "Apps", "App"),
        ("country", "Countries", "Country"),
        ("device", "Devices", "Device"),
        ("source", "Sources", "Source"),
    )
    return tuple(
        _load_panel(connection, owner_id, query, item, episodes if item[0] == "episode" else {}) for item in wanted
    )


def _load_panel(
    connection: Connection,
    owner_id: UUID,
    query: MetricQuery,
    wanted: tuple[Dimension, str, str],
    names: Mapping[str, tuple[str, str]],
) -> Panel:
    answer = run_query(connection, owner_id, query.ask(dimensions=(wanted[0],)))
    whole = answer.total
    rows = []
    for row in answer.rows:
        label, detail = names.get(row.members[0], (row.members[0], ""))
        count = row.value or 0
        rows.append(Share(label or "unknown", count, count / whole if whole else 0.0, detail, row.members[0]))
    return Panel(wanted[0], wanted[1], wanted[2], tuple(rows), answer.withheld.detail if answer.withheld else "")
