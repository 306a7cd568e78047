"""Questions as pages and commands ask them, and plain Python's calendars to hold the answers against."""

from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from castline.measure.figures.query import run_query
from castline.model.query import Answer, Grain, Query
from castline.store.pool import Store


def ask(store: Store, owner_id: UUID, query: Query) -> Answer:
    """The account's answer."""
    with store.snapshot(owner_id) as connection:
        return run_query(connection, owner_id, query)


def find_bucket(at: datetime, grain: Grain, zone: ZoneInfo) -> datetime | date | None:
    """The hour (as a moment), day, week's Monday or month's first day of the zone's clocks."""
    local = at.astimezone(zone)
    if grain == "none":
        return None
    if grain == "hour":
        return at - timedelta(minutes=local.minute, seconds=local.second)
    day = local.date()
    if grain == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if grain == "month" else day
