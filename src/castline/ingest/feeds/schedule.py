"""When a feed is polled again, and whether it has moved."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from castline.store.entities.shows import FeedState

POLL_INTERVAL: Final = timedelta(minutes=15)  # the specification's "every 15 minutes"
_LONGEST_WAIT: Final = timedelta(hours=24)
_MOVE_CONFIRMATIONS: Final = 3
FAILURES_UNTIL_ERROR: Final = 5


def next_poll_after(state: FeedState, now: datetime, *, wait_seconds: float | None = None) -> datetime:
    """The moment of the next poll: 15 minutes, doubled for each failure in a row, never beyond a day.

    `wait_seconds` is what the server asked for (Retry-After, Cache-Control max-age); it is kept up to a day.
    """
    doubled: int = 2 ** min(state.failure_count, 10)
    wait = min(POLL_INTERVAL * doubled, _LONGEST_WAIT)
    if wait_seconds is not None:
        wait = max(wait, min(timedelta(seconds=wait_seconds), _LONGEST_WAIT))
    return now + wait


def failed(state: FeedState, now: datetime, *, wait_seconds: float | None = None) -> FeedState:
    """The state after a poll that brought nothing."""
    more = replace(state, polled_at=now, failure_count=state.failure_count + 1)
    return replace(more, next_poll_at=next_poll_after(more, now, wait_seconds=wait_seconds))


def note_move(state: FeedState, target: str | None, former: tuple[str, ...]) -> tuple[FeedState, str | None]:
    """The state with a claim of having moved counted, and the address to adopt once it was confirmed three times.

    A show never moves back to an address it came from: two feeds that point at each other would swap for ever.
    """
    if target is None or target in former:
        return replace(state, moved_to=None, moved_count=0), None
    count = state.moved_count + 1 if target == state.moved_to else 1
    if count >= _MOVE_CONFIRMATIONS:
        return replace(state, moved_to=None, moved_count=0), target
    return replace(state, moved_to=target, moved_count=count), None
