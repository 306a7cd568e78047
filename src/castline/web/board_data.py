"""What the dashboard shows, computed before any page is rendered and kept until a figure may have changed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Final, Literal
from uuid import UUID

import msgspec

from castline import __version__
from castline.base.errors import CastlineError, InvalidInput
from castline.measure.query import run_query
from castline.model.query import Answer, Dimension
from castline.model.show import Podcast
from castline.report.numbers import NO_VALUE, format_value
from castline.roi.books import load_books
from castline.store.cache import Cache
from castline.store.campaigns import load_campaigns
from castline.store.overview import Freshness, find_extent, find_freshness, find_watermark
from castline.store.payload import encode_json
from castline.store.pool import Connection, Store
from castline.store.shows import load_episodes, load_podcasts
from castline.web.campaign_data import (
    CampaignRow,
    Earned,
    compute_earned,
    compute_joint_roi,
    ends_of,
    find_currency,
    load_campaign_rows,
)
from castline.web.query import MetricQuery, parse_query
from castline.web.waterfall import Waterfall, load_steps

Empty = Literal["", "no_source", "no_hits", "small", "other_days"]
_SMALL: Final = 50  # downloads of a period that are too few for shares and changes to mean much
_KEPT_SECONDS: Final = 600


@dataclass(frozen=True, slots=True)
class Kpi:
    """One tile. `change_rate` is against the days before, None where there is nothing to compare with."""

    metric: str
    label: str
    value: str
    change_rate: float | None = None
    note: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Share:
    """One row of a panel; `share_rate` is of the panel's sum."""

    label: str
    downloads: int
    share_rate: float
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """A ranking of one dimension."""

    dimension: str
    title: str
    column: str
    rows: tuple[Share, ...]


@dataclass(frozen=True, slots=True)
class Show:
    """A show that can be chosen."""

    podcast_id: UUID
    title: str


@dataclass(frozen=True, slots=True)
class Board:
    """Everything on the dashboard."""

    query: MetricQuery
    shows: tuple[Show, ...]
    kpis: tuple[Kpi, ...]
    days: tuple[tuple[date, int], ...]
    days_before: tuple[int, ...]
    panels: tuple[Panel, ...]
    campaigns: tuple[CampaignRow, ...]
    waterfall: Waterfall
    freshness: Freshness
    empty: Empty
    newest_on: date | None

    @property
    def download_count(self) -> int:
        return sum(count for _, count in self.days)


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
    days = _load_days(connection, owner_id, query)
    before = _load_days(connection, owner_id, query.previous)
    flown = load_campaigns(connection, owner_id)
    books = load_books(connection, owner_id, flown, as_of=at, earlier=ends_of(query))
    campaigns = load_campaign_rows(connection, owner_id, query, books)
    earned = compute_earned(connection, owner_id, query, books)
    freshness = find_freshness(connection, owner_id)
    return Board(
        query=query,
        shows=tuple(Show(show.podcast_id, show.title) for show in shows),
        kpis=_listening_kpis(connection, owner_id, query, (days, before)) + _money_kpis(campaigns, *earned),
        days=days,
        days_before=tuple(count for _, count in before),
        panels=_load_panels(connection, owner_id, query),
        campaigns=campaigns,
        waterfall=load_steps(connection, owner_id, query),
        freshness=freshness,
        empty=_find_cause(sum(count for _, count in days), freshness, newest_on, has_shows=bool(shows)),
        newest_on=newest_on,
    )


def _find_cause(count: int, freshness: Freshness, newest_on: date | None, *, has_shows: bool) -> Empty:
    """Why there is nothing, or little, to see: no source yet, a source without hits, other days, or really small."""
    if count >= _SMALL:
        return ""
    if count:
        return "small"
    if not has_shows or not freshness.log_count:
        return "no_source"
    return "no_hits" if newest_on is None else "other_days"


def _load_days(connection: Connection, owner_id: UUID, query: MetricQuery) -> tuple[tuple[date, int], ...]:
    """Every day of the query with its downloads; a day without any has 0."""
    answer = run_query(connection, owner_id, query.ask(grain="day"))
    return tuple((row.start_at.date(), row.value or 0) for row in answer.rows if row.start_at)


Days = tuple[tuple[date, int], ...]


def _listening_kpis(
    connection: Connection, owner_id: UUID, query: MetricQuery, days: tuple[Days, Days]
) -> tuple[Kpi, ...]:
    now_count, before_count = (sum(count for _, count in part) for part in days)
    episodes = _count_episodes(connection, owner_id, query)
    kpis = (
        Kpi("downloads", "Downloads", f"{now_count:,}", _change(now_count, before_count)),
        _consumers(connection, owner_id, query),
        Kpi("episodes", "Episodes heard", f"{episodes[0]:,}", _change(*episodes)),
    )
    if _is_measured(connection, owner_id, query.previous):
        return kpis
    return tuple(replace(kpi, change_rate=None) for kpi in kpis)


def _is_measured(connection: Connection, owner_id: UUID, query: MetricQuery) -> bool:
    """Whether every day has a count, be it 0: against days that nobody measured there is no change to tell."""
    rows = run_query(connection, owner_id, query.ask(grain="day")).rows
    return all(row.value is not None for row in rows)


def _money_kpis(campaigns: tuple[CampaignRow, ...], earned: Earned, before: Earned) -> tuple[Kpi, ...]:
    orders = Kpi(
        "credited_orders",
        "Attributed orders",
        format_value(earned.orders, "share", ""),
        _change(earned.orders, before.orders),
    )
    currency = find_currency(campaigns, earned)
    if currency is None:
        none = "No campaign in these days."
        return (
            orders,
            Kpi("net_revenue", "Attributed revenue", NO_VALUE, note=none),
            Kpi("roi_rate", "Return on investment", NO_VALUE, note=none),
        )
    revenue = earned.net_revenue.get(currency, Decimal(0))
    others = sorted(({row.currency for row in campaigns} | set(earned.net_revenue)) - {currency})
    beside = f"without {', '.join(others)}" if others else ""
    roi = compute_joint_roi(campaigns, currency)
    return (
        orders,
        Kpi(
            "net_revenue",
            "Attributed revenue",
            format_value(revenue, "money", currency),
            _change(revenue, before.net_revenue.get(currency, Decimal(0))),
            beside,
            currency,
        ),
        Kpi(
            "roi_rate",
            "Return on investment",
            NO_VALUE if roi is None else format_value(roi, "rate", currency),
            note=f"{currency} campaigns, whole flights to date",
        ),
    )


def _consumers(connection: Connection, owner_id: UUID, query: MetricQuery) -> Kpi:
    """Distinct listeners, where every raw download of the days is still kept; rollups cannot be added up to them."""
    answer, before = (
        run_query(connection, owner_id, item.ask(measure="consumers")) for item in (query, query.previous)
    )
    if answer.withheld:
        return Kpi("consumers", "Consumers", NO_VALUE, note="Raw downloads of a part of these days are no longer kept.")
    count = answer.total or 0
    return Kpi("consumers", "Consumers", f"{count:,}", _change(count, before.total or 0))


def _count_episodes(connection: Connection, owner_id: UUID, query: MetricQuery) -> tuple[int, int]:
    """How many episodes had a download in the days, and in the days before."""
    counts = [len(_load_members(connection, owner_id, item, "episode").rows) for item in (query, query.previous)]
    return counts[0], counts[1]


def _load_members(connection: Connection, owner_id: UUID, query: MetricQuery, dimension: Dimension) -> Answer:
    """Downloads of each member of the dimension, the most first."""
    return run_query(connection, owner_id, query.ask(dimensions=(dimension,)))


def _change(value: int | Decimal, before: int | Decimal) -> float | None:
    return float((Decimal(value) - before) / before) if before > 0 else None


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
    answer = _load_members(connection, owner_id, query, wanted[0])
    whole = answer.total
    rows = []
    for row in answer.rows:
        label, detail = names.get(row.members[0], (row.members[0], ""))
        count = row.value or 0
        rows.append(Share(label or "unknown", count, count / whole if whole else 0.0, detail))
    return Panel(wanted[0], wanted[1], wanted[2], tuple(rows))
