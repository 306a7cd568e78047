"""`castline measure suspects`: what was dropped for its behaviour, and on which evidence."""

from datetime import date, datetime
from typing import TYPE_CHECKING, Final

import click

from castline.cli.days import first_day, last_day
from castline.cli.output import json_option, show_json, show_table

if TYPE_CHECKING:
    from castline.model.evidence import Evidence

_FIRST: Final = date(1970, 1, 1)


@click.command("suspects")
@first_day
@last_day
@json_option
def suspects(first: datetime | None, last: datetime | None, as_json: bool) -> None:
    """What was dropped for its behaviour: by which rule, on which evidence, and the downloads it would have counted."""
    from castline.base.clock import now
    from castline.base.period import Period
    from castline.cli.session import open_account
    from castline.store.provenance.evidence import load_evidence

    period = None
    if first or last:
        period = Period.of_days(first.date() if first else _FIRST, last.date() if last else now().date())
    with open_account() as acting, acting.store.account(acting.owner_id) as connection:
        found = load_evidence(connection, acting.owner_id, period)
    if as_json:
        show_json(found)
        return
    rows = [
        {"day": row.day_on, "reason": row.reason, "requests": row.request_count, "downloads": row.download_count}
        | {"addresses": row.address_count, "from": _origin(row), "user agent": row.user_agent, "evidence": _told(row)}
        for row in found
    ]
    show_table(rows, ["day", "reason", "requests", "downloads", "addresses", "from", "user agent", "evidence"])


def _origin(row: "Evidence") -> str | None:
    known = [row.network, None if row.asn is None else f"AS{row.asn}"]
    return " ".join(part for part in known if part) or None


def _told(row: "Evidence") -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in row.measured.items() if value is not None)
