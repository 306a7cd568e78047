"""castline retention: delete what has passed its retention, or list it first."""

from dataclasses import asdict

import click

from castline.cli.output import json_option, say, show_json, show_table


@click.command()
@click.option("--dry-run", is_flag=True, help="List what would go and change nothing.")
@json_option
def retention(dry_run: bool, as_json: bool) -> None:
    """Delete what has passed its retention, in every account of this installation."""
    from castline.base.config import load_settings
    from castline.store.pool import open_store
    from castline.store.upkeep.retention import apply_retention, find_expired

    with open_store(load_settings()) as store:
        expired = find_expired(store) if dry_run else apply_retention(store)
    if as_json:
        show_json({"dry_run": dry_run, "expired": expired})
        return
    if expired:
        show_table([asdict(one) for one in expired], ["table", "part", "row_count", "first_at", "last_at"])
    total = sum(one.row_count for one in expired)
    say(f"{total:,} rows and files {'would go' if dry_run else 'are gone'}; `castline lineage` names each rule")
