"""The scheduled work: one row per job, thin handlers over the functions that the commands call too."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final
from uuid import UUID

from castline.attribute.engine import attribute
from castline.base.clock import now
from castline.base.errors import CastlineError
from castline.ingest.feeds.polling import poll_feeds
from castline.ingest.feeds.probes import probe_files
from castline.ingest.logs.merging import iter_owners, merge_landing
from castline.intake.trouble import ANYTHING
from castline.measure.run import measure
from castline.store.access.accounts import load_users
from castline.store.entities.shows import load_due_feeds
from castline.store.pool import Store
from castline.store.timeseries import ensure_partitions
from castline.store.upkeep.jobs import load_owners_to_attribute, load_owners_to_measure
from castline.store.upkeep.retention import apply_retention

_log = logging.getLogger(__name__)
_AHEAD: Final = timedelta(weeks=4)


@dataclass(frozen=True, slots=True)
class Job:
    """One kind of scheduled work: its name, when it runs (cron in UTC, seconds as a sixth field), and what it does."""

    name: str
    cron: str
    handle: Callable[[Store], None]


def poll_due_feeds(store: Store) -> None:
    """Every feed that is due has been polled."""
    with store.system() as connection:
        due = load_due_feeds(connection, now())
    by_owner: dict[UUID, list[UUID]] = {}
    for feed in due:
        by_owner.setdefault(feed.user_id, []).append(feed.podcast_id)
    for owner_id, podcast_ids in by_owner.items():
        _keep_going("feed.poll", owner_id, partial(poll_feeds, store, owner_id, podcast_ids))


def probe_new_files(store: Store) -> None:
    """The headers of each show's newest files are known, as far as their servers tell."""
    with store.system() as connection:
        owners = [user.user_id for user in load_users(connection) if user.is_active]
    for owner_id in owners:
        _keep_going("episode.probe", owner_id, partial(probe_files, store, owner_id))


def measure_due_days(store: Store) -> None:
    """Every UTC day with new requests has been measured."""
    with store.system() as connection:
        owners = load_owners_to_measure(connection)
    for owner_id in owners:
        _keep_going("measure.run", owner_id, partial(measure, store, owner_id))


def merge_landed(store: Store) -> None:
    """Days that landed in many small files lie in few."""
    for owner_id in iter_owners(store.settings.landing_dir):
        _keep_going("landing.compact", owner_id, partial(merge_landing, store, owner_id))


def attribute_changed(store: Store) -> None:
    """Every account whose evidence changed has been attributed again."""
    with store.system() as connection:
        owners = load_owners_to_attribute(connection)
    for owner_id in owners:
        _keep_going("attribution.run", owner_id, partial(attribute, store, owner_id))


def make_partitions(store: Store) -> None:
    """The coming four weeks have their partitions."""
    today = now().date()
    with store.owner() as connection:
        ensure_partitions(connection, today, today + _AHEAD)


def drop_expired(store: Store) -> None:
    """Nothing that has passed its retention is kept."""
    apply_retention(store)


JOBS: Final = (
    Job("partitions.make", "10 0 * * *", make_partitions),
    Job("feeds.poll", "* * * * *", poll_due_feeds),
    Job("episode.probe", "20 */6 * * *", probe_new_files),
    Job("measure.run", "* * * * * */20", measure_due_days),
    Job("landing.compact", "*/2 * * * * 10", merge_landed),
    Job("attribution.run", "*/5 * * * *", attribute_changed),
    Job("retention.apply", "30 3 * * *", drop_expired),
)


def _keep_going(job: str, owner_id: UUID, work: Callable[[], object]) -> None:
    """One account's failure, which its run ledger has, does not keep the others waiting."""
    try:
        work()
    except CastlineError as error:
        _log.warning("%s for account %s: %s", job, owner_id, error.message)
    except ANYTHING:
        _log.exception("%s for account %s", job, owner_id)
