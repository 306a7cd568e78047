"""Logs that are combined up to the bytes, with the agent elsewhere among the fields behind.

Apache's LogFormat and nginx's log_format let everybody choose the order; where a log does not say it, the lines do.
Where the agent stands is told by what most lines have there, what the other fields are by each field's own text.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import polars as pl
import re2  # type: ignore[import-untyped]  # it ships no types

from castline.base.errors import InvalidInput
from castline.sources.logs.combined import ADDRESS, TAIL_FORWARDED, TAIL_RANGE
from castline.sources.logs.format import no_comments
from castline.sources.logs.rows import unescaped

USUAL_PLACE: Final = 2  # of the agent among the fields behind the bytes: the referer stands before it
_LAST_PLACE: Final = 12
_ESCAPED: Final = r'"((?:[^"\\]|\\.)*)"'
_FIELD: Final = r'(?:"(?:[^"\\]|\\.)*"|[^" ][^ ]*)'
_HEAD: Final = (
    rf"^ *(?:(\S+) )?({ADDRESS}) (\S+) (.*?) (\[[^\] ]+ [+-][0-9]{{4}}\]) {_ESCAPED} ([0-9]{{3}}) ([0-9]{{1,18}}|-)"
)
_NAMES: Final = (
    "host", "address", "_ident", "_user", "stamp", "request", "status", "bytes_sent",
    "_before", "user_agent", "_behind",
)  # fmt: skip
_TEXTS: Final = ("host", "address", "request", "status", "bytes_sent", "user_agent")
_REFERER: Final = r'(?:^| )"?([A-Za-z][A-Za-z0-9+.-]*://[^" ]*)'
_BEHIND: Final = re2.compile(rf"{_HEAD}((?: {_FIELD})*)\s*$")
_FIELDS: Final = re2.compile(_FIELD)
# A product with its version; a protocol has the same shape, a media type has no digit there.
_AGENT: Final = re2.compile(r'^"?[A-Za-z][\w .()+-]*/v?[0-9]')
_PROTOCOL: Final = re2.compile(r'^"?(?:HTTP|TLS|SSL|QUIC|SPDY)')


class ArrangedReader:
    """Reads lines whose agent is the field of that place behind the bytes, counted from 1."""

    def __init__(self, place: int) -> None:
        self._pattern = rf"{_HEAD} ((?:{_FIELD} ){{{place - 1}}}){_ESCAPED}((?: .*)?)\s*$"

    def read(self, numbered: pl.DataFrame) -> pl.DataFrame:
        """The lines that fit."""
        groups = pl.col("line").str.extract_groups(self._pattern).struct.rename_fields(list(_NAMES)).alias("groups")
        frame = numbered.select("line_number", groups).unnest("groups").filter(pl.col("address").is_not_null())
        others = pl.col("_before") + pl.col("_behind")
        return frame.select(
            "line_number",
            "stamp",
            *(unescaped(name, frame) for name in _TEXTS),
            range=others.str.extract(TAIL_RANGE),
            forwarded=others.str.extract(TAIL_FORWARDED),
            referer=others.str.extract(_REFERER),
        )

    def find_comments(self, numbered: pl.DataFrame) -> pl.Series:
        """None: such logs have no header."""
        return no_comments(numbered)


def open_arranged(place: str) -> ArrangedReader:
    """A reader of lines whose agent stands there, a number from 1. Raises InvalidInput for any other text."""
    if place not in map(str, range(1, _LAST_PLACE + 1)):
        detail = f"combined:{place} names no field: it is the agent's place behind the bytes, 1 to {_LAST_PLACE}"
        raise InvalidInput(field="--format", detail=detail)
    return ArrangedReader(int(place))


def find_agent_place(lines: Sequence[str]) -> int:
    """The place of the agent behind the bytes of these lines, the usual one unless nothing there looks like one."""
    told = [_FIELDS.findall(found[9]) for line in lines if (found := _BEHIND.match(line))]
    agents = Counter(
        place
        for fields in told
        for place, text in enumerate(fields[:_LAST_PLACE], start=1)
        if _AGENT.match(text) and not _PROTOCOL.match(text)
    )
    if not agents or agents[USUAL_PLACE]:
        return USUAL_PLACE
    place, count = agents.most_common(1)[0]
    return place if 2 * count >= len(told) else USUAL_PLACE
