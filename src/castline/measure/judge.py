"""Requests are judged: dropped, partial, counted or duplicate, each with its reason; what counts becomes a download.

One pass over whole UTC days, vectorised: filter, threshold by the union of bytes, one download per consumer, episode
and day. Method: docs/method/downloads.md
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from castline.measure.agents import classify_agents
from castline.measure.matching import EpisodeIndex
from castline.measure.rules import RULES, add_drop_reason
from castline.measure.union import add_spans, find_completing
from castline.model.vocab import Verdict

_OK: Final = 200
_UNREACHABLE: Final = 1 << 60

# Every end of a request: (verdict, reason). The filter's come first, in its order.
OUTCOMES: Final[tuple[tuple[Verdict, str], ...]] = (
    *(("dropped", rule.reason) for rule in RULES),
    ("partial", "under_one_minute"),
    ("partial", "under_whole_file"),
    ("partial", "size_unknown"),
    ("counted", "one_minute"),
    ("counted", "whole_file"),
    ("counted", "size_unknown"),
    ("duplicate", "same_window"),
)
_NUMBER: Final = {outcome: number for number, outcome in enumerate(OUTCOMES)}
_PARTIAL: Final = _NUMBER["partial", "under_one_minute"]
_COUNTED: Final = _NUMBER["counted", "one_minute"]
_DUPLICATE: Final = _NUMBER["duplicate", "same_window"]


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of requests.

    `requests`: one row per request in order of time, batch and line, with `outcome`, a number in OUTCOMES.
    `downloads`: one row per window that counted, by time, with the time and place of the window's first request that
    passed the filter. `agents` and `episodes`: one row each, by the numbers `agent` and `episode` in both.
    """

    requests: pl.DataFrame
    downloads: pl.DataFrame
    agents: pl.DataFrame
    episodes: pl.DataFrame


def judge(requests: pl.DataFrame, index: EpisodeIndex) -> Judged:
    """The verdict on each request of LANDED_SCHEMA with its `batch`; days must be whole, the rows in any order."""
    agents = describe_agents(requests["user_agent"])
    known = requests.sort("time", "batch", "line_number").join(
        agents.select("user_agent", "agent", "is_bot", "is_watch", "user_agent_is_empty"),
        on="user_agent",
        how="left",
        maintain_order="left",
    )
    known = index.match(known.with_columns(day_on=pl.col("time").dt.date()))
    known = add_drop_reason(known).with_row_index("row")
    episodes = index.table()
    passed = known.filter(pl.col("drop").is_null()).join(episodes, on="episode", how="left", maintain_order="left")
    ends = _find_ends(_order_by_window(add_spans(passed)))
    outcome = known["drop"].fill_null(0).to_numpy().copy()
    outcome[ends["row"].to_numpy()] = ends["outcome"].to_numpy()
    judged = known.with_columns(outcome=pl.Series(outcome, dtype=pl.UInt8))
    return Judged(judged, _downloads(ends, known), agents, episodes)


def describe_agents(user_agents: pl.Series) -> pl.DataFrame:
    """One row per distinct user agent, with what it says it is."""
    texts = user_agents.unique().sort().to_list()
    found = classify_agents(texts)
    # Apple Watch asks again for what the phone already loaded (PTM v2.3, step 1.4): no listener, but no bot either.
    watches = ["watchOS" in text and (text.startswith("atc/") or "(null)/(null) watchOS" in text) for text in texts]
    return pl.DataFrame(
        {
            "user_agent": texts,
            "agent": range(len(texts)),
            "user_agent_is_empty": [not text.strip(" -") for text in texts],
            "is_bot": [agent.is_bot and not watch for agent, watch in zip(found, watches, strict=True)],
            "is_watch": watches,
            "app": [agent.name or "unknown" for agent in found],
            "platform": [agent.platform for agent in found],
            "device_type": [agent.device_type for agent in found],
            "device_os": [agent.device_os for agent in found],
        },
        schema={
            "user_agent": pl.String(),
            "agent": pl.UInt32(),
            "user_agent_is_empty": pl.Boolean(),
            "is_bot": pl.Boolean(),
            "is_watch": pl.Boolean(),
            "app": pl.String(),
            "platform": pl.String(),
            "device_type": pl.String(),
            "device_os": pl.String(),
        },
    )


def _order_by_window(passed: pl.DataFrame) -> pl.DataFrame:
    """The rows by window and, in a window, by time; `window` numbers the windows from 0 without a gap."""
    # Two halves as numbers group faster than sixteen bytes.
    key = pl.col("listener_key").bin
    halves = (key.head(8).bin.reinterpret(dtype=pl.UInt64), key.tail(8).bin.reinterpret(dtype=pl.UInt64))
    groups = (
        passed.select("day_on", "agent", "episode", high=halves[0], low=halves[1])
        .with_row_index("place")
        .group_by("day_on", "high", "low", "agent", "episode", maintain_order=True)
        .agg("place")
        .select("place")
        .with_row_index("window")
        .explode("place")
    )
    told = passed.select("row", "status", "span_start", "span_bytes", "needed_bytes", "needs_whole")
    return told[groups["place"]].with_columns(groups["window"].cast(pl.Int64))


def _find_ends(windows: pl.DataFrame) -> pl.DataFrame:
    """The rows with `outcome`, and `counts_at`: the place of the row that completes their window, if any."""
    unknown = windows["needed_bytes"].is_null().to_numpy()
    whole_answer = (windows["status"] == _OK).to_numpy()
    # Of a file of unknown size only a whole answer is known to be whole; its status alone decides.
    size = np.where(unknown, np.where(whole_answer, _UNREACHABLE, 0), windows["span_bytes"].to_numpy())
    start = np.where(unknown, -1, windows["span_start"].fill_null(-1).to_numpy())
    needed = windows["needed_bytes"].fill_null(_UNREACHABLE).to_numpy()
    counts_at = find_completing(windows["window"].to_numpy(), start, size, needed)
    kind = np.where(unknown, 2, windows["needs_whole"].fill_null(value=False).to_numpy().astype(np.int64))
    place = np.arange(windows.height)
    outcome = np.where(place < counts_at, _PARTIAL + kind, np.where(place == counts_at, _COUNTED + kind, _DUPLICATE))
    return windows.with_columns(
        outcome=pl.Series(outcome, dtype=pl.UInt8), completes=pl.Series(counts_at < windows.height, dtype=pl.Boolean)
    )


def _downloads(ends: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """The first row of each window that counted, in order of time; `known` is in that order."""
    first = pl.col("window").ne_missing(pl.col("window").shift(1))
    rows = ends.filter(first & pl.col("completes"))["row"].sort()
    return known.select("day_on", "time", "listener_key", "agent", "episode", "ip", "country")[rows]
