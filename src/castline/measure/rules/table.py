"""The filter as one table: each rule is a named step, and a request keeps the reason of the first that takes it.

Order and meaning follow PTM v2.3, step 1; docs/method/downloads.md says each in words.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final

import polars as pl

from castline.base.config import Settings
from castline.measure.agents.classifier import AgentClassifier, open_classifier, own_classifier
from castline.measure.rules.addresses import AMBIGUOUS, NO_EPISODE
from castline.measure.rules.networks import Networks, load_networks, own_networks
from castline.model.measurement import MeasureSettings

RULES_VERSION: Final = "ptm-2.3/4"
OK: Final = 200
# Akamai logs an aborted 206 as 000.
PARTS: Final = (206, 0)
# What a prefix answers with; a prefix that was given no status knows of no failure.
_REDIRECTS: Final = (200, 206, 301, 302, 303, 307, 308)
_PROBE_BYTES: Final = 2


@dataclass(frozen=True, slots=True)
class Rulebook:
    """Everything that decides: the settings, who is a bot, and which networks are machines."""

    settings: MeasureSettings
    classifier: AgentClassifier
    networks: Networks

    @property
    def versions(self) -> dict[str, str]:
        """The versions of all of it, for the ledger."""
        own = {"rules": RULES_VERSION, "settings": self.settings.version, "networks": self.networks.version}
        return own | self.classifier.versions


@cache
def own_rulebook(settings: MeasureSettings) -> Rulebook:
    """The settings with the product's own tables alone."""
    return Rulebook(settings, own_classifier(), own_networks())


def open_rulebook(installation: Settings, settings: MeasureSettings) -> Rulebook:
    """The settings with the tables of this installation. Raises AgentListRefused, InvalidInput."""
    return Rulebook(settings, open_classifier(installation), load_networks(installation))


@dataclass(frozen=True, slots=True)
class Rule:
    """A step of the filter: `takes` is true for the requests it drops, and never null."""

    reason: str
    takes: Callable[[Rulebook], pl.Expr]


def _when(condition: pl.Expr) -> pl.Expr:
    return condition.fill_null(value=False)


def _always(condition: pl.Expr) -> Callable[[Rulebook], pl.Expr]:
    return lambda _: _when(condition)


IS_PREFIX: Final = _when(pl.col("delivery") == "prefix")
IS_HLS: Final = _when(pl.col("delivery") == "hls")
# A 206 of two bytes whose range the log does not tell is what a probe of 0-1 leaves behind.
IS_PROBE: Final = _when(
    pl.col("range")
    .str.contains(r"^\s*(?i:bytes)?\s*[= ]?\s*0+\s*-\s*0*1[\s,]*(?:/|$)")
    .fill_null((pl.col("status") == PARTS[0]) & (pl.col("bytes_sent") == _PROBE_BYTES))
)
_ANSWERED: Final = (
    pl.when(IS_PREFIX)
    .then(pl.col("status").is_in(_REDIRECTS).fill_null(value=True))
    .otherwise(pl.col("status").is_in([OK, *PARTS]).fill_null(value=False))
)


def _probe(book: Rulebook) -> pl.Expr:
    return IS_PROBE & ~IS_PREFIX if book.settings.two_byte_probe == "provisional" else IS_PROBE


def _watch(book: Rulebook) -> pl.Expr:
    return _when(pl.col("is_watch") & book.settings.drop_watch_duplicates)


def _data_centre(book: Rulebook) -> pl.Expr:
    return book.networks.is_machine() if book.settings.drop_data_centres else pl.lit(value=False)


def _preload_page(book: Rulebook) -> pl.Expr:
    if not book.settings.drop_preload_pages:
        return pl.lit(value=False)
    return _when(pl.col("referer").cast(pl.String).str.contains(book.networks.preload_pages))


# A source with ids of its own may deliver a request twice, in one file or in two; the first in (time, id) stays.
IS_REPEATED: Final = pl.col("request_id").is_not_null() & ~pl.col("request_id").is_first_distinct()

# Texts may be categories, as those of files of requests are.
RULES: Final = (
    Rule("same_request", _always(IS_REPEATED)),
    # A web server's log is full of pages and pictures: what is for no episode is no podcast traffic at all.
    Rule("no_episode", _always((pl.col("episode") == NO_EPISODE) & pl.col("path").is_not_null())),
    Rule("ambiguous_url", _always(pl.col("episode") == AMBIGUOUS)),
    Rule("method", _always(pl.col("method").ne_missing("GET"))),
    Rule("status", lambda _: ~_ANSWERED),
    # The table of contents of a stream, not the stream.
    Rule("hls_playlist", _always(pl.col("path").cast(pl.String).str.contains(r"(?i)\.m3u8(?:$|\?)"))),
    Rule("two_byte_probe", _probe),
    Rule("empty_agent", _always(pl.col("user_agent_is_empty"))),
    Rule("false_agent", _always(pl.col("user_agent_is_false"))),
    Rule("bot", _always(pl.col("is_bot"))),
    Rule("watch_duplicate", _watch),
    Rule("bad_address", _always(pl.col("listener_key").is_null())),
    Rule("data_centre", _data_centre),
    Rule("preload_page", _preload_page),
)


def add_drop_reason(requests: pl.DataFrame, book: Rulebook) -> pl.DataFrame:
    """The requests with `drop`, the number of the rule that takes them in RULES, null for those that pass."""
    steps = [pl.when(rule.takes(book)).then(pl.lit(number, pl.UInt8)) for number, rule in enumerate(RULES)]
    return requests.with_columns(drop=pl.coalesce(*steps))
