"""Another service's daily figures beside ours: its names become our shows and episodes, then each is reconciled."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from uuid import UUID

from castline.base.errors import Ambiguous, InvalidInput, NotFound
from castline.measure.figures.query import run_query
from castline.measure.figures.reconcile import RULES, Reconciliation, Traffic, reconcile
from castline.model.lineage import Drop
from castline.model.query import Filters, Query
from castline.model.show import Podcast
from castline.sources.daily_csv import DailyFigure
from castline.store.entities.shows import find_episode, find_podcast, load_podcasts
from castline.store.listening.metrics import load_uncounted
from castline.store.pool import Connection

_RULE_OF: Final = {reason: rule for rule, reasons in RULES.items() for reason in reasons}
_BESIDE: Final = timedelta(days=2)  # days around theirs, whose hours a shift of days may need
_MOST_HOURS: Final = 360  # days whose hours are kept and asked for
Key = tuple[UUID, UUID | None]


@dataclass(frozen=True, slots=True)
class FileReconciliation:
    """Every show or episode that the file tells of, and the rows of it that could not be used."""

    pairs: tuple[Reconciliation, ...]
    refused: tuple[Drop, ...]

    @property
    def is_flagged(self) -> bool:
        return any(pair.is_flagged for pair in self.pairs)


@dataclass(frozen=True, slots=True)
class _Theirs:
    names: dict[Key, str]
    days: dict[Key, dict[date, int]]


def reconcile_rows(
    connection: Connection,
    owner_id: UUID,
    parsed: Sequence[DailyFigure | Drop],
    *,
    show: Podcast | None = None,
    tz: str = "UTC",
) -> FileReconciliation:
    """The file's figures beside ours of the same days, as the clocks of `tz` have them.

    Rows without a show are the given one's, or the account's only one's. Raises InvalidInput.
    """
    refused = [row for row in parsed if isinstance(row, Drop)]
    theirs = _Theirs({}, defaultdict(dict))
    only = show or _only_show(connection, owner_id)
    keys: dict[tuple[str | None, str | None], tuple[Key, str]] = {}
    for row in parsed:
        if isinstance(row, Drop):
            continue
        try:
            named = (row.show, row.episode)
            if named not in keys:
                keys[named] = _find_key(connection, owner_id, row, only)
        except (NotFound, Ambiguous, InvalidInput) as error:
            refused.append(
                Drop(row.line_number, "unknown_show", error.message, f"{row.show or ''} {row.episode or ''}")
            )
            continue
        key, name = keys[named]
        theirs.names[key] = name
        # Several lines of one day, such as one per app, are parts of it.
        theirs.days[key][row.day_on] = theirs.days[key].get(row.day_on, 0) + row.count
    pairs = _reconcile_all(connection, owner_id, theirs, tz) if theirs.days else ()
    return FileReconciliation(pairs, tuple(sorted(refused, key=lambda drop: drop.line_number)))


def _only_show(connection: Connection, owner_id: UUID) -> Podcast | None:
    shows = load_podcasts(connection, owner_id)
    return shows[0] if len(shows) == 1 else None


def _find_key(connection: Connection, owner_id: UUID, row: DailyFigure, only: Podcast | None) -> tuple[Key, str]:
    if row.episode:
        episode = find_episode(connection, owner_id, row.episode)
        return (episode.podcast_id, episode.episode_id), episode.title
    podcast = find_podcast(connection, owner_id, row.show) if row.show else only
    if podcast is None:
        raise InvalidInput(field="--show", detail="the file names no show and the account has several")
    return (podcast.podcast_id, None), podcast.title


def _reconcile_all(connection: Connection, owner_id: UUID, theirs: _Theirs, tz: str) -> tuple[Reconciliation, ...]:
    days = [day for series in theirs.days.values() for day in series]
    shows = tuple({podcast_id for podcast_id, _ in theirs.days})
    query = Query(min(days), max(days), grain="day", tz=tz, filters=Filters(podcast_ids=shows))
    ours = _load_days(connection, owner_id, query, theirs.days)
    hours = _load_hours(connection, owner_id, query, theirs.days)
    uncounted = _load_uncounted(connection, owner_id, query) if query.is_utc else {}
    pairs = (
        Traffic(theirs.names[key], series, ours[key], hours.get(key, {}), uncounted.get(key, {}))
        for key, series in theirs.days.items()
    )
    return tuple(sorted(map(reconcile, pairs), key=lambda pair: (-pair.whole.theirs, pair.name)))


def _load_days(connection: Connection, owner_id: UUID, query: Query, keys: Iterable[Key]) -> dict[Key, dict[date, int]]:
    """Our downloads of every measured day; days that were not measured are left out."""
    found: dict[Key, dict[date, int]] = {}
    for podcast_id, episode_id in keys:
        chosen = Filters((podcast_id,), (episode_id,) if episode_id else ())
        answer = run_query(
            connection, owner_id, Query(query.first_on, query.last_on, grain="day", tz=query.tz, filters=chosen)
        )
        found[podcast_id, episode_id] = {
            row.start_at.date(): row.value for row in answer.rows if row.start_at and row.value is not None
        }
    return found


def _load_hours(
    connection: Connection, owner_id: UUID, query: Query, keys: Mapping[Key, object]
) -> dict[Key, dict[datetime, int]]:
    """Our downloads by hour, of UTC or so that the zone's own days are days of UTC; none where they are not kept."""
    found: dict[Key, dict[datetime, int]] = {}
    if query.day_count > _MOST_HOURS:
        return found
    for podcast_id, episode_id in keys:
        chosen = Filters((podcast_id,), (episode_id,) if episode_id else ())
        wide = Query(query.first_on - _BESIDE, query.last_on + _BESIDE, grain="hour", tz=query.tz, filters=chosen)
        rows = run_query(connection, owner_id, wide).rows
        hours: dict[datetime, int] = defaultdict(int)
        for row in rows:
            if row.start_at and row.value:
                # The hour that a clock shows twice is one here, and its day is whole.
                hours[row.start_at.replace(tzinfo=UTC, fold=0)] += row.value
        found[podcast_id, episode_id] = hours
    return found


def _load_uncounted(connection: Connection, owner_id: UUID, query: Query) -> dict[Key, dict[str, dict[date, int]]]:
    """Requests by rule and day, of every show and of each of its episodes."""
    found: dict[Key, dict[str, dict[date, int]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(int)))
    for row in load_uncounted(connection, owner_id, query):
        if row.reason in _RULE_OF:
            for episode_id in (None, row.episode_id):
                found[row.podcast_id, episode_id][_RULE_OF[row.reason]][row.day_on] += row.request_count
    return found
