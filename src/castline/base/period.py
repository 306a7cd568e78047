"""Half-open ranges of time and of days; every period says which zone its days are of."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from castline.base.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Period:
    """A half-open range [start_at, end_at) of aware moments."""

    start_at: datetime
    end_at: datetime

    def __post_init__(self) -> None:
        if self.start_at.tzinfo is None or self.end_at.tzinfo is None:
            raise InvalidInput(field="period", detail="both ends need a time zone")
        if self.end_at <= self.start_at:
            raise InvalidInput(
                field="period", detail=f"ends {self.end_at:%F %T} before it starts {self.start_at:%F %T}"
            )

    @classmethod
    def of_days(cls, first_on: date, last_on: date) -> "Period":
        """The UTC days from `first_on` to `last_on`, both included. Raises InvalidInput for none, or one at the end
        of time."""
        if last_on < first_on:
            raise InvalidInput(field="period", detail=f"its last day {last_on} is before its first, {first_on}")
        if last_on == date.max:
            raise InvalidInput(field="period", detail=f"{last_on} has no day after it")
        return cls(start_of_day(first_on), start_of_day(last_on + timedelta(days=1)))

    def iter_days(self) -> Iterator[date]:
        """Each UTC day that the period touches, in order."""
        day = self.start_at.astimezone(UTC).date()
        while start_of_day(day) < self.end_at:
            yield day
            day += timedelta(days=1)


def start_of_day(day: date) -> datetime:
    """Midnight UTC at the start of `day`."""
    return datetime.combine(day, time(), UTC)


def parse_moment(text: str, *, field: str) -> datetime:
    """An aware UTC moment from ISO 8601; a bare date is its midnight UTC, a bare time is UTC.

    Raises InvalidInput with the field's name.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidInput(
            field=field, detail=f"{text!r} is no ISO 8601 date or time, such as 2026-03-01 or 2026-03-01T09:30:00Z"
        ) from None
