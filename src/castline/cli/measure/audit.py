"""`castline measure audit`: the pack for the audit that the guidelines ask for twice a year."""

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final

import click

from castline.base.errors import EXIT_QUALITY
from castline.base.text import count_noun
from castline.cli.days import DAY
from castline.cli.output import json_option, say, show_json, show_table

_JULY: Final = 7


@click.command("audit")
@click.option("--from", "first", type=DAY, help="The first UTC day; the half year of the last by default.")
@click.option("--to", "last", type=DAY, help="The last UTC day, included; yesterday by default.")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="A new folder, or a new file NAME.zip.")
@json_option
def audit(first: datetime | None, last: datetime | None, output: Path, as_json: bool) -> None:
    """Write the audit pack of some days; exit code 4 if a vector fails or a batch is not wholly accounted for."""
    from castline.base.clock import now
    from castline.base.period import Period
    from castline.cli.session import open_account
    from castline.report.audit import build_audit, write_audit

    last_on = last.date() if last else now().date() - timedelta(days=1)
    first_on = first.date() if first else date(last_on.year, 1 if last_on.month < _JULY else _JULY, 1)
    with open_account() as acting:
        pack = build_audit(acting.store, acting.owner_id, Period.of_days(first_on, last_on))
    write_audit(pack, output)
    found = pack.findings
    if as_json:
        show_json({"output": str(output), "findings": found, "files": list(pack.files)})
    else:
        say(f"{first_on} to {last_on}: {count_noun(len(pack.files), 'file')} in {output}")
        told = {
            "vectors that pass": f"{found.vectors_passed} of {found.vector_count}",
            "batches not wholly accounted for": found.unaccounted_batches,
            "sampled downloads traced": f"{found.sample_count - found.untraced_downloads} of {found.sample_count}",
            "restatements": found.restatement_count,
            "days beyond bounds": found.anomaly_count,
        }
        show_table([{"finding": name, "result": str(value)} for name, value in told.items()], ["finding", "result"])
    if found.vectors_passed < found.vector_count or found.unaccounted_batches:
        raise SystemExit(EXIT_QUALITY)
