"""What players told of, as figures of a query: plays of ads and of episodes, from raw rows alone.

Method: docs/method/ads-delivered.md#client-confirmed-plays, docs/method/listen-through.md
"""

from dataclasses import replace
from typing import Final
from uuid import UUID

from castline.base.period import start_of_day
from castline.model.query import AD_PLAY_MEASURES, Filters, Measure, Query, Withheld
from castline.store.listening.metrics import CountedDays, EventCount
from castline.store.listening.playback import ToldDays, count_ad_plays, count_plays, find_first_told
from castline.store.pool import Connection
from castline.store.timeseries import list_partitions

_NOBODY: Final = Withheld("no_player_told", "not measurable: no player told of any on these days")
_LOST: Final = "not measurable: it needs what players told, which is kept for 90 days,"


def count_told(connection: Connection, owner_id: UUID, query: Query) -> list[EventCount]:
    """One row per bucket of the query's grain and members with any plays: how many of them came so far, even none."""
    count = count_ad_plays if query.measure in AD_PLAY_MEASURES else count_plays
    return [
        EventCount(row.start_at, row.first_member, row.second_member, getattr(row, query.measure))
        for row in count(connection, owner_id, query)
    ]


def find_silence(connection: Connection, owner_id: UUID, query: Query) -> Withheld | None:
    """Why there is no figure where no player told of any play of these shows and days at all, None where one did."""
    measure: Measure = "ad_plays" if query.measure in AD_PLAY_MEASURES else "plays"
    whole = Query(
        query.first_on, query.last_on, measure, tz=query.tz, filters=Filters(podcast_ids=query.filters.podcast_ids)
    )
    return None if count_told(connection, owner_id, whole) else _NOBODY


def find_lost_told(connection: Connection, owner_id: UUID, query: Query) -> Withheld | None:
    """Why there is no figure where rows of the query's days that players told of are gone, None where all are kept.

    Retention drops whole partitions, the oldest first, and each day that was told had one.
    """
    period = query.period
    kept = [part.first_on for part in list_partitions(connection) if part.table == "listener_events"]
    end_at = min(period.end_at, start_of_day(min(kept))) if kept else period.end_at
    lost_on = find_first_told(connection, owner_id, period.start_at, end_at)
    return Withheld("raw_not_kept", f"{_LOST} and those of {lost_on} are gone") if lost_on else None


def count_as_days(told: ToldDays, days: CountedDays) -> CountedDays:
    """The days that players told of, in place of those that requests were counted on; no rules count them."""
    return replace(days, first_on=told.first_on, last_on=told.last_on, measured_at=told.told_at, rules=None)
