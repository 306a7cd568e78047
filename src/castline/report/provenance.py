"""Where the figures of a report come from, read beside them."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Final
from uuid import UUID

from castline import __version__
from castline.base.assets import iter_assets
from castline.base.config import Settings
from castline.base.period import Period
from castline.model.figures import BatchUse, ListUse, Provenance, RunUse
from castline.model.lineage import Batch, Run
from castline.model.measurement import Restatement
from castline.model.vocab import RestatementCause
from castline.store.listening.downloads import LOG_KIND
from castline.store.pool import Connection
from castline.store.provenance.reports import Scope, count_rows_used, load_batches_used, load_runs_used
from castline.store.provenance.restatements import load_restatements

_CAUSES: Final[Mapping[RestatementCause, str]] = {
    "settings": "the account counts by other settings",
    "rules": "castline's rules or lists are newer",
    "late_data": "requests of these days came in late",
    "withdrawn": "a log of these days was withdrawn",
    "feeds": "a feed or a file tells another size or length",
}


def collect_provenance(connection: Connection, settings: Settings, scope: Scope, notes: tuple[str, ...]) -> Provenance:
    """Versions, runs, batches, lists and row counts behind the campaign's figures."""
    batches = load_batches_used(connection, scope)
    runs = load_runs_used(connection, scope, [batch.batch_id for batch in batches])
    return Provenance(
        code_version=__version__,
        ip_privacy=settings.ip_privacy,
        listening_until=_newest([batch for batch in batches if batch.kind == LOG_KIND]),
        conversions_until=_newest([batch for batch in batches if batch.kind != LOG_KIND]),
        batches=tuple(map(_batch, batches)),
        runs=tuple(map(_run, runs)),
        tables=tuple(count_rows_used(connection, scope)),
        lists=tuple(
            ListUse(asset.title, asset.version, asset.built_on)
            for asset in iter_assets()
            if asset.name.startswith("geo/")
        ),
        restatements=tuple(_tell_restatements(connection, scope)),
        notes=notes,
    )


def _tell_restatements(connection: Connection, scope: Scope) -> Iterator[str]:
    """One line per run and cause that changed final days of the show since the flight began, the newest first."""
    since = Period(scope.period.start_at, scope.as_of)
    changed: dict[tuple[UUID, RestatementCause], list[Restatement]] = {}
    for row in load_restatements(connection, scope.campaign.user_id, since):
        if row.podcast_id == scope.campaign.podcast_id:
            changed.setdefault((row.run_id, row.cause), []).append(row)
    for (_, cause), rows in changed.items():
        days = sorted(row.day_on for row in rows)
        before, after = sum(row.before_count for row in rows), sum(row.after_count for row in rows)
        yield (
            f"On {rows[0].restated_at:%Y-%m-%d} the show's downloads {_tell_days(days)} "
            f"went from {before:,} to {after:,}, because {_CAUSES[cause]}"
        )


def _tell_days(days: Sequence[date]) -> str:
    first, last = days[0], days[-1]
    if first == last:
        return f"of {first}"
    if (last - first).days + 1 == len(days):
        return f"of {first} to {last}"
    return f"of {len(days)} days between {first} and {last}"


def _newest(batches: list[Batch]) -> datetime | None:
    return max((batch.last_at for batch in batches if batch.last_at is not None), default=None)


def _batch(batch: Batch) -> BatchUse:
    return BatchUse(
        kind=batch.kind,
        source=batch.source,
        content_hash=batch.content_hash.hex(),
        received_count=batch.received_count,
        accepted_count=batch.accepted_count,
        refused_count=batch.refused_count,
        received_at=batch.created_at,
    )


def _run(run: Run) -> RunUse:
    rules = {name: str(version) for name, version in run.rule_versions.items()}
    return RunUse(run.job, run.run_id, run.code_version, rules, run.finished_at or run.started_at)
