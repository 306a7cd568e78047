"""The filter as one table: each rule is a named step, and a request keeps the reason of the first that takes it.

Order and meaning follow PTM v2.3, step 1; docs/method/downloads.md says each in words.
"""

from dataclasses import dataclass
from typing import Final

import polars as pl

from castline.measure.matching import AMBIGUOUS, NO_EPISODE

RULES_VERSION: Final = "ptm-2.3/1"
_OK: Final = 200
_PARTIAL: Final = 206
_PROBE_BYTES: Final = 2


@dataclass(frozen=True, slots=True)
class Rule:
    """A step of the filter: `takes` is true for the requests it drops, and never null."""

    reason: str
    takes: pl.Expr


def _when(condition: pl.Expr) -> pl.Expr:
    return condition.fill_null(value=False)


# A 206 of two bytes whose range the log does not tell is what a probe of 0-1 leaves behind.
_PROBE: Final = (
    pl.col("range")
    .str.contains(r"^bytes ?= ?0 ?- ?1$")
    .fill_null((pl.col("status") == _PARTIAL) & (pl.col("bytes_sent") == _PROBE_BYTES))
)

RULES: Final = (
    # A web server's log is full of pages and pictures: what is for no episode is no podcast traffic at all.
    Rule("no_episode", _when((pl.col("episode") == NO_EPISODE) & pl.col("path").is_not_null())),
    Rule("ambiguous_url", _when(pl.col("episode") == AMBIGUOUS)),
    Rule("method", _when(pl.col("method").ne_missing("GET"))),
    Rule("status", _when(~pl.col("status").is_in([_OK, _PARTIAL]))),
    Rule("two_byte_probe", _when(_PROBE)),
    Rule("empty_agent", _when(pl.col("user_agent_is_empty"))),
    Rule("bot", _when(pl.col("is_bot"))),
    Rule("watch_duplicate", _when(pl.col("is_watch"))),
)


def add_drop_reason(requests: pl.DataFrame) -> pl.DataFrame:
    """The requests with `drop`, the number of the rule that takes them in RULES, null for those that pass."""
    steps = [pl.when(rule.takes).then(pl.lit(number, pl.UInt8)) for number, rule in enumerate(RULES)]
    return requests.with_columns(drop=pl.coalesce(*steps))
