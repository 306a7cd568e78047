"""Where the figures of a report come from, read beside them."""

from datetime import datetime

from castline import __version__
from castline.base.assets import iter_assets
from castline.base.config import Settings
from castline.model.figures import BatchUse, ListUse, Provenance, RunUse
from castline.model.lineage import Batch, Run
from castline.store.listening import LOG_KIND
from castline.store.pool import Connection
from castline.store.reports import Scope, count_rows_used, load_batches_used, load_runs_used


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
        restatements=(),
        notes=notes,
    )


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
