"""`castline run`, `castline batch`, `castline quarantine`: what came in, what was done with it, what was refused."""

from dataclasses import fields

import click

from castline.base.text import count_noun
from castline.cli.output import MOST, json_option, say, show_json, show_table
from castline.model.lineage import Batch


@click.group()
def run() -> None:
    """The ledger: every import, poll and computation with its counts."""


@run.command("list")
@click.option("--limit", type=click.IntRange(1, MOST), default=50, show_default=True, help="How many, newest first.")
@json_option
def list_runs(limit: int, as_json: bool) -> None:
    """List runs, newest first."""
    from castline.cli.session import open_account
    from castline.store.provenance.ledger import load_runs

    with open_account() as acting, acting.store.account(acting.owner_id) as connection:
        runs = load_runs(connection, acting.owner_id, row_limit=limit)
    if as_json:
        show_json(runs)
        return
    rows = [
        {
            "run": str(one.run_id)[:8],
            "job": one.job,
            "status": one.status,
            "started": f"{one.started_at:%Y-%m-%d %H:%M:%S}",
            "counts": ", ".join(f"{name} {value}" for name, value in one.counts.items()) or one.error,
        }
        for one in runs
    ]
    show_table(rows, ["run", "job", "status", "started", "counts"])


@run.command("show")
@click.argument("run_id")
@json_option
def show_run(run_id: str, as_json: bool) -> None:
    """Show one run with what it read and wrote."""
    from castline.base.errors import NotFound
    from castline.cli.session import open_account
    from castline.store.provenance.ledger import load_dataset_uses, load_runs

    with open_account() as acting, acting.store.account(acting.owner_id) as connection:
        found = [
            one
            for one in load_runs(connection, acting.owner_id, row_limit=100_000)
            if str(one.run_id).startswith(run_id)
        ]
        if len(found) != 1:
            raise NotFound(noun="run", key=run_id)
        uses = load_dataset_uses(connection, acting.owner_id, [found[0].run_id])
    if as_json:
        show_json({"run": found[0], "datasets": uses})
        return
    one = found[0]
    show_table(
        [{"run": str(one.run_id), "job": one.job, "status": one.status, "code": one.code_version}],
        ["run", "job", "status", "code"],
    )
    show_table(
        [
            {"direction": use.direction, "dataset": use.dataset, "reference": use.reference, "rows": use.row_count}
            for use in uses
        ],
        ["direction", "dataset", "reference", "rows"],
    )


@click.group()
def batch() -> None:
    """What came in: every delivered file and body, known by its content."""


@batch.command("list")
@json_option
def list_batches(as_json: bool) -> None:
    """List batches, newest first."""
    from castline.cli.session import open_account
    from castline.store.provenance.ledger import load_batches

    with open_account() as acting, acting.store.account(acting.owner_id) as connection:
        batches = load_batches(connection, acting.owner_id)
    if as_json:
        show_json([_batch_facts(one) for one in batches])
        return
    columns = ["batch", "kind", "source", "received", "accepted", "refused", "created"]
    show_table([_batch_row(one) for one in batches], columns)


@batch.command("compact")
@json_option
def compact_batches(as_json: bool) -> None:
    """Merge the many small files that an intake lands into few; nothing that is counted changes."""
    from castline.cli.session import open_account
    from castline.ingest.logs.merging import merge_landing

    with open_account() as acting:
        days = merge_landing(acting.store, acting.owner_id)
    if as_json:
        show_json(days)
        return
    rows = [
        {
            "kind": day.kind,
            "day": day.day_on,
            "files merged": day.merged_count,
            "rows": day.row_count,
            "files removed": day.removed_count,
        }
        for day in days
    ]
    show_table(rows, ["kind", "day", "files merged", "rows", "files removed"])


@batch.command("withdraw")
@click.argument("batch_id", metavar="BATCH")
@click.option("--reason", required=True, help="Why, for the ledger.")
@json_option
def withdraw_batch(batch_id: str, reason: str, as_json: bool) -> None:
    """Take a log back that was read wrongly or is not yours, with what continues it; it may be imported again.

    The batch is known by the beginning of its id, as `batch list` shows it. It stays in the ledger.
    """
    from castline.cli.session import open_account
    from castline.ingest.logs.withdrawal import withdraw_log

    with open_account() as acting:
        done = withdraw_log(acting.store, acting.owner_id, batch_id, reason)
    if as_json:
        show_json(done)
        return
    say(f"withdrawn: {count_noun(len(done.batch_ids), 'batch', 'batches')} of {', '.join(done.sources)}")
    if done.continues is not None:
        say(f"it continues {str(done.continues)[:8]}, which stays: withdraw that one to take the whole log back")
    days = count_noun(len(done.days), "day waits", "days wait")
    say(f"{count_noun(done.request_count, 'request')} less; {days} for `castline measure run`")


def _batch_facts(one: Batch) -> dict[str, object]:
    facts = {item.name: getattr(one, item.name) for item in fields(Batch)}
    return facts | {"content_hash": one.content_hash.hex()}


def _batch_row(one: Batch) -> dict[str, object]:
    return {
        "batch": str(one.batch_id)[:8],
        "kind": one.kind,
        "source": one.source,
        "received": one.received_count,
        "accepted": one.accepted_count,
        "refused": one.refused_count,
        "created": f"{one.created_at:%Y-%m-%d %H:%M}",
    }


@click.group()
def quarantine() -> None:
    """Rows that were refused, each with its place, its reason and itself."""


@quarantine.command("list")
@click.option("--all", "include_replayed", is_flag=True, help="Also those that went through later.")
@click.option("--limit", type=click.IntRange(1, MOST), default=1000, show_default=True, help="How many, newest first.")
@json_option
def list_quarantine(include_replayed: bool, limit: int, as_json: bool) -> None:
    """List refused rows, newest batch first."""
    from castline.cli.session import open_account
    from castline.store.provenance.ledger import load_quarantine

    with open_account() as acting, acting.store.account(acting.owner_id) as connection:
        rows = load_quarantine(connection, acting.owner_id, include_replayed=include_replayed, row_limit=limit)
    if as_json:
        show_json(rows)
        return
    table = [
        {
            "batch": str(row.batch_id)[:8],
            "line": row.line_number,
            "reason": row.reason,
            "detail": row.detail,
            "row": row.payload[:80],
        }
        for row in rows
    ]
    show_table(table, ["batch", "line", "reason", "detail", "row"])


@quarantine.command("replay")
@json_option
def replay_quarantine(as_json: bool) -> None:
    """Try refused rows again, after what they lacked was added; lines of logs stay as they are."""
    from castline.cli.session import open_account
    from castline.ingest.conversions.replay import replay
    from castline.store.provenance.ledger import count_quarantine

    with open_account() as acting:
        result = replay(acting.store, acting.owner_id)
        with acting.store.account(acting.owner_id) as connection:
            others = sum(count_quarantine(connection, acting.owner_id).values()) - result.refused_count
    if as_json:
        show_json(result)
        return
    still = count_noun(result.refused_count, "is", "are")
    say(f"{result.accepted_count:,} went through, {still} still refused")
    if others > 0:
        rows = count_noun(others, "row of logs and other sources is", "rows of logs and other sources are")
        say(f"{rows} not tried again: mend the source and import it anew")
