"""What was refused and waits: why, from where, how many, and what mends it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from castline.store.provenance.ledger import RefusedRows, summarise_quarantine
from castline.web.context import context_of
from castline.web.pages.render import render_page
from castline.web.pages.signed_in import Visitor

router: Final = APIRouter(include_in_schema=False)
_KINDS: Final = {
    "access_log": "logs",
    "conversions": "orders and other conversions",
    "rates": "exchange rates",
    "player_events": "what players told",
    "feed": "feeds",
}
_FIXES: Final = {
    "malformed_line": "A few lines are what a crash or a full disk leaves behind and need nothing. Where it is most "
    "of a file, its format was taken for another: import it again with --format and --again.",
    "line_too_long": "Attacks send such lines; nothing is lost. They need nothing.",
    "range_too_long": "No player asks for so many pieces; nothing is lost. They need nothing.",
    "bad_address": "The server writes names instead of addresses, or nothing: let it log addresses, and import the log "
    "again.",
    "bad_time": "The server that wrote the log had no clock, or writes times in its own way: correct its format.",
    "time_in_future": "The clock of whoever told it is ahead, or its time zone is missing. Correct it and send the "
    "rows again.",
    "past_retention": "It came later than events are kept. Nothing brings it back.",
    "missing_field": "Send the rows again with the field that the detail names.",
    "invalid_field": "Correct the field that the detail names where the rows come from, and send them again.",
    "invalid_record": "Each record must be an object. Correct whatever sends them.",
    "malformed_row": "The row does not fit the table's heading, or its quotes are not closed. Correct the file and "
    "import it again.",
    "unknown_sponsor": "Enter the sponsor with `castline sponsor add`, then run `castline quarantine replay`.",
    "unknown_campaign": "Enter the campaign with `castline campaign add`, then run `castline quarantine replay`.",
    "unknown_currency": "Write the currency as its ISO 4217 code, such as USD, and send the rows again.",
    "conflict": "The same record was told before with other content. Send it with a key of its own if it is another.",
}
_FIX: Final = (
    "`castline quarantine list` shows each row with its place. Correct it where it comes from and send it again."
)


@dataclass(frozen=True, slots=True)
class Group:
    """The rows that were refused for one reason, by where they came from."""

    reason: str
    kind: str
    row_count: int
    newest_at: datetime
    detail: str
    fix: str
    sources: tuple[RefusedRows, ...]


@router.get("/quarantine")
def show_quarantine(request: Request, visitor: Visitor) -> Response:
    """The refused rows by reason."""
    owner_id = visitor.access.owner_id
    with context_of(request).store.snapshot(owner_id) as connection:
        groups = group_refused(summarise_quarantine(connection, owner_id))
    facts = {"groups": groups, "row_count": sum(group.row_count for group in groups)}
    return render_page(request, "quarantine.html", facts)


def group_refused(rows: Sequence[RefusedRows]) -> list[Group]:
    """One group per reason and kind of thing, the most rows first."""
    ordered = sorted(rows, key=lambda row: (row.reason, row.kind))
    groups = [_group(list(parts)) for _, parts in groupby(ordered, key=lambda row: (row.reason, row.kind))]
    return sorted(groups, key=lambda group: (-group.row_count, group.reason, group.kind))


def _group(rows: list[RefusedRows]) -> Group:
    newest = max(rows, key=lambda row: row.newest_at)
    return Group(
        reason=newest.reason.replace("_", " "),
        kind=_KINDS.get(newest.kind, newest.kind.replace("_", " ")),
        row_count=sum(row.row_count for row in rows),
        newest_at=newest.newest_at,
        detail=newest.detail,
        fix=_FIXES.get(newest.reason, _FIX),
        sources=tuple(sorted(rows, key=lambda row: (-row.row_count, row.source))),
    )
