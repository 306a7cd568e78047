"""Other settings become the account's, with their reason, and the days that are to follow are measured again."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final
from uuid import UUID

from castline.base.clock import now
from castline.base.errors import InvalidInput
from castline.base.period import Period
from castline.measure.landed_days import LandedDays
from castline.measure.run import MeasureResult, measure
from castline.model.measurement import MeasureSettings, Stretch
from castline.store.listening.downloads import mark_dirty_days
from castline.store.pool import Store
from castline.store.provenance.ledger import open_run
from castline.store.provenance.measure_settings import (
    load_day_versions,
    load_live_settings,
    load_stretches,
    lock_measuring,
    save_adoption,
)

_FIRST_DAY: Final = date(1970, 1, 1)
Report = Callable[[int, int], object]


@dataclass(frozen=True, slots=True)
class AdoptionResult:
    """What became of an adoption: the days measured anew, and which days now stand under which settings."""

    before: str
    after: str
    measured_days: tuple[date, ...]
    stretches: tuple[Stretch, ...]


@dataclass(frozen=True, slots=True)
class Wish:
    """Settings to adopt, by whom and why; `period` are the days that are to follow, None for all that can."""

    settings: MeasureSettings
    adopted_by: UUID | None
    reason: str
    period: Period | None = None


def adopt_settings(store: Store, owner_id: UUID, wish: Wish, *, report: Report | None = None) -> AdoptionResult:
    """The settings are the account's, and the days stand under them; what that changed on final days is in the log.

    Days whose requests have passed their retention stay as they were counted. What is killed on the way goes on with
    the next `measure`. Raises InvalidInput without a reason.
    """
    if not wish.reason.strip():
        raise InvalidInput(field="reason", detail="say why: the history keeps it")
    before = _adopt(store, owner_id, wish)
    result: MeasureResult = measure(store, owner_id, report=report)
    with store.account(owner_id) as connection:
        stretches = load_stretches(connection, owner_id)
    return AdoptionResult(before.version, wish.settings.version, result.days, tuple(stretches))


def _adopt(store: Store, owner_id: UUID, wish: Wish) -> MeasureSettings:
    """The settings are adopted, and in the same transaction every day that is to follow waits to be measured."""
    with store.account(owner_id) as connection:
        before = load_live_settings(connection, owner_id)
    facts = {"before": before.version, "after": wish.settings.version, "reason": wish.reason}
    with open_run(store, owner_id, "measure.adopt", parameters=facts) as run:
        # A day that a run is measuring by the settings of before would stand under them, and nobody would know.
        lock_measuring(run.connection, owner_id)
        if wish.settings != before:
            save_adoption(
                run.connection, owner_id, wish.settings, adopted_by=wish.adopted_by, reason=wish.reason.strip()
            )
        landed = LandedDays(store, run.connection, owner_id)
        period = wish.period or Period.of_days(_FIRST_DAY, now().date() + timedelta(days=1))
        days = landed.count_requests(period.iter_days()).keys()
        stands = {item.day_on: item.settings_version for item in load_day_versions(run.connection, owner_id)}
        asked = {day for day in days if stands.get(day) != wish.settings.version} - landed.find_gone(days)
        mark_dirty_days(run.connection, owner_id, sorted(asked))
        run.rule_versions = {"settings": wish.settings.version}
        run.count("days", len(asked))
    return before
