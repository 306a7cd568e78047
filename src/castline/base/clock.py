"""The one place that reads the clock, so that everything else can be computed again for any moment."""

from datetime import UTC, datetime


def now() -> datetime:
    """The current moment, aware and in UTC."""
    return datetime.now(UTC)
