"""Requests are judged: dropped, partial, counted or duplicate, each with its reason; what counts becomes a download.

One vectorised pass for logs, the intake and files of requests alike: filter, windows, threshold by the union of bytes,
one download per window. Method: docs/method/downloads.md
"""

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from castline.measure.agents.table import FLAGS, describe_agents
from castline.measure.behaviour.suspects import BEHAVIOURS, EVIDENCE_SCHEMA, Known, find_suspects
from castline.measure.rules.ads import DELIVERIES_SCHEMA, judge_ads
from castline.measure.rules.matching import OWN_SIZES, EpisodeIndex
from castline.measure.rules.table import IS_HLS, IS_PREFIX, IS_PROBE, OK, RULES, Rulebook, add_drop_reason, own_rulebook
from castline.measure.rules.union import add_spans, find_completing
from castline.measure.rules.windows import local_day, order_by_window
from castline.model.measurement import MeasureSettings
from castline.model.vocab import Verdict

Ints = npt.NDArray[np.int64]
_UNREACHABLE: Final = 1 << 60

# Every end of a request: (verdict, reason). The filter's come first, in its order.
OUTCOMES: Final[tuple[tuple[Verdict, str], ...]] = (
    *(("dropped", rule.reason) for rule in RULES),
    ("dropped", "address_ceiling"),
    *(("dropped", behaviour.reason) for behaviour in BEHAVIOURS),
    ("partial", "under_one_minute"),
    ("partial", "under_whole_file"),
    ("partial", "size_unknown"),
    ("partial", "bytes_unknown"),
    ("counted", "one_minute"),
    ("counted", "whole_file"),
    ("counted", "size_unknown"),
    ("counted", "bytes_unknown"),
    ("counted", "prefix"),
    ("counted", "provisional_probe"),
    ("duplicate", "same_window"),
)
_NUMBER: Final = {outcome: number for number, outcome in enumerate(OUTCOMES)}
_CEILING: Final = _NUMBER["dropped", "address_ceiling"]
_FIRST_BEHAVIOUR: Final = _CEILING + 1
_PARTIAL: Final = _NUMBER["partial", "under_one_minute"]
_COUNTED: Final = _NUMBER["counted", "one_minute"]
_PREFIX: Final = _NUMBER["counted", "prefix"]
_PROVISIONAL: Final = _NUMBER["counted", "provisional_probe"]
_DUPLICATE: Final = _NUMBER["duplicate", "same_window"]
_REPLACED: Final = _NUMBER["dropped", "two_byte_probe"]
# The kinds of a threshold, in the order of their reasons.
_MINUTE, _WHOLE, _NO_SIZE, _NO_BYTES = range(4)


# What windows are judged by: ordering the rows costs by the column.
_TOLD: Final = (
    "row", "time", "listener_key", "agent", "episode", "asn", "ip", "status", "range", "bytes_sent", "delivery",
    "span_start", "span_bytes", "needed_bytes", "needs_whole",
)  # fmt: skip


# What the spans of a request are told from: a request for several ranges has a row for each.
_ASKED: Final = (*(name for name in _TOLD if not name.startswith("span_")), "path", "file_bytes")


# What is of no use behind the filter: selecting rows costs by the column, too.
_DECIDED: Final = (
    "batch",
    "line_number",
    "user_agent",
    "country",
    "method",
    "host",
    "referer",
    "request_id",
    *FLAGS[1:],
)


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of requests.

    `requests`: one row per request in order of time, batch and line, with `outcome`, a number in OUTCOMES.
    `downloads`: one row per window that counted, by time, with the time and place of the window's first request that
    passed the filter. `agents` and `episodes`: one row each, by the numbers `agent` and `episode` in both.
    `deliveries`: one row per download and ad on the air then, by its place in `downloads`.
    `evidence`: one row per subject whose requests were dropped for their behaviour (EVIDENCE_SCHEMA).
    """

    requests: pl.DataFrame
    downloads: pl.DataFrame
    agents: pl.DataFrame
    episodes: pl.DataFrame
    deliveries: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=DELIVERIES_SCHEMA))
    evidence: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=EVIDENCE_SCHEMA))


def judge(
    requests: pl.DataFrame, index: EpisodeIndex, book: Rulebook | None = None, ads: pl.DataFrame | None = None
) -> Judged:
    """The verdict on each request of LANDED_SCHEMA with its `batch`; windows must be whole, the rows in any order.

    Without a book by the default settings and the product's own tables; `ads` are rows of ADS_SCHEMA.
    """
    book = book or own_rulebook(MeasureSettings())
    agents, flags = describe_agents(requests["user_agent"], book.classifier)
    known = _in_order(requests).join(flags, on="user_agent", how="left", maintain_order="left", nulls_equal=True)
    known = index.match(known.with_columns(day_on=pl.col("time").dt.date()))
    known = add_drop_reason(known, book).with_row_index("row")
    episodes = index.table()
    ends, evidence = judge_people(_pass(known, episodes), Known(agents, episodes), book)
    judged = known.with_columns(outcome=outcome_of(known, ends))
    columns = ["day_on", "time", "listener_key", "agent", "episode", "ip", "country", "delivery"]
    first = first_rows(ends)
    told = Judged(judged, known.select(columns)[first], agents, episodes, evidence=evidence)
    if ads is None or ads.is_empty():
        return told
    others = known.filter("is_other_file").select("row", "own_bytes", is_other=pl.lit(value=True))
    return replace(told, deliveries=judge_ads(_counted_spans(ends, first, others), ads))


def _pass(known: pl.DataFrame, episodes: pl.DataFrame) -> pl.DataFrame:
    """What passed the filter, with what is known of its file."""
    passed = known.drop(_DECIDED).filter(pl.col("drop").is_null())
    passed = passed.join(episodes, on="episode", how="left", maintain_order="left")
    return passed.with_columns(pl.coalesce(own, name).alias(name) for own, name in OWN_SIZES.items())


def _in_order(requests: pl.DataFrame) -> pl.DataFrame:
    """By time, batch and line, as the files of one log are anyway."""
    keys = [requests[name].to_physical().to_numpy().astype(np.int64) for name in ("time", "batch", "line_number")]
    is_ordered = np.ones(max(requests.height - 1, 0), np.bool_)
    for key in reversed(keys):
        step = np.diff(key)
        is_ordered = (step > 0) | ((step == 0) & is_ordered)
    return requests if is_ordered.all() else requests.sort("time", "batch", "line_number")


def _counted_spans(ends: pl.DataFrame, first: pl.Series, others: pl.DataFrame) -> pl.DataFrame:
    """What was sent in the windows that count, with the place and the time of the download of each.

    `others` has the rows that asked for files that are not the enclosure, and the size of each file, null if unknown.
    """
    heads = pl.DataFrame({"row": first, "download": np.arange(len(first), dtype=np.uint32)})
    windows = ends.unique("row").join(heads, on="row").select("window", "download", "time")
    stayed = ends.filter(pl.col("completes") & (pl.col("outcome") > _CEILING))
    told = stayed.select("row", "window", "episode", "delivery", "span_start", "span_bytes")
    told = told.join(others, on="row", how="left", maintain_order="left").drop("row")
    return told.join(windows, on="window")


def judge_people(passed: pl.DataFrame, known: Known, book: Rulebook) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What passed the filter as `judge_passed` gives it, without what no people do; and the evidence for that."""
    ends = judge_passed(passed, book)
    if not book.settings.drop_behaviour or ends.is_empty():
        return ends, pl.DataFrame(schema=EVIDENCE_SCHEMA)
    is_judged_again = not book.settings.is_utc_day or book.settings.max_downloads_per_ip_window
    if not is_judged_again:
        passed = passed.clear()  # its memory is needed
    suspects = find_suspects(ends, known, book)
    taken = suspects.rules >= 0
    if not taken.any():
        return ends, suspects.evidence
    number = pl.Series(suspects.rules[taken] + _FIRST_BEHAVIOUR, dtype=pl.UInt8)
    dropped = ends.filter(pl.Series(taken)).with_columns(outcome=number, completes=pl.lit(value=False))
    rest = ends.filter(pl.Series(~taken))
    if is_judged_again:
        # Windows and ceilings of what stays, as if the rest had never come.
        rest = judge_passed(passed.filter(~pl.col("row").is_in(dropped["row"].implode())), book)
        dropped = dropped.with_columns(pl.col("window") + ends.height)
    return pl.concat([rest, dropped]), suspects.evidence


def judge_passed(passed: pl.DataFrame, book: Rulebook) -> pl.DataFrame:
    """What passed the filter, by window and time: `row`, `window`, `outcome`, and `completes` where its window counts.

    Needs the rows in the order of judging, numbered by `row`, with the consumer (listener_key, agent), the episode and
    what is known of its file (file_bytes, needed_bytes, needs_whole). A request for several ranges has several rows.
    """
    windows = order_by_window(add_spans(passed.select(_ASKED)).select(_TOLD), book.settings)
    if windows.is_empty():
        return windows.with_columns(outcome=pl.lit(None, pl.UInt8), completes=pl.lit(None, pl.Boolean))
    window = windows["window"].to_numpy()
    heads = np.flatnonzero(np.concatenate(([True], window[1:] != window[:-1])))
    counts_at, kind = _find_threshold(windows, window, heads)
    place = np.arange(windows.height)
    outcome = np.where(place < counts_at, _PARTIAL + kind, np.where(place == counts_at, _COUNTED + kind, _DUPLICATE))
    outcome = _settle_prefixes(windows, outcome, heads)
    ends = windows.with_columns(
        outcome=pl.Series(outcome, dtype=pl.UInt8),
        completes=pl.Series(np.maximum.reduceat(_is_counted(outcome), heads)[window], dtype=pl.Boolean),
    )
    return _cap_addresses(ends, book) if book.settings.max_downloads_per_ip_window else ends


def outcome_of(known: pl.DataFrame, ends: pl.DataFrame) -> pl.Series:
    """The outcome of each of `known`: what the filter took keeps its rule."""
    outcome = known["drop"].fill_null(0).to_numpy().copy()
    rows, told = ends["row"].to_numpy(), ends["outcome"].to_numpy()
    outcome[rows] = told
    # Of a request for several ranges one may complete the union: the request then counts.
    counted = _is_counted(told)
    outcome[rows[counted]] = told[counted]
    return pl.Series(outcome, dtype=pl.UInt8)


def first_rows(ends: pl.DataFrame) -> pl.Series:
    """Of each window that counted the row of its first request that passed the filter, in order."""
    stayed = (
        ends.select(pl.col("completes") & (pl.col("outcome") > _CEILING)).to_series().fill_null(value=False).to_numpy()
    )
    window, rows = ends["window"].to_numpy()[stayed], ends["row"].to_numpy()[stayed]
    first = np.concatenate(([True], window[1:] != window[:-1])) if len(window) else np.zeros(0, np.bool_)
    return pl.Series(np.sort(rows[first]))


def _find_threshold(windows: pl.DataFrame, window: Ints, heads: Ints) -> tuple[Ints, Ints]:
    """For each row the place of the row that completes its window (the number of rows if none), and its kind."""
    needed, whole = _needed(windows, window, heads)
    unknown = needed == _UNREACHABLE
    whole_answer = windows.select((pl.col("status") == OK) & ~IS_HLS).to_series().fill_null(value=False).to_numpy()
    is_prefix = windows.select(IS_PREFIX).to_series().to_numpy()
    is_probe = _probes(windows)
    told = windows["span_bytes"]
    sent = told.fill_null(0).to_numpy()
    silent = told.is_null().to_numpy()
    # The threshold applies where bytes are known; where they or the size are not, a whole answer's status decides.
    alone = (is_prefix & ~is_probe) | (whole_answer & ~is_prefix & (silent | (unknown & (sent > 0))))
    size = np.where(alone, _UNREACHABLE, np.where(unknown | is_prefix, 0, sent))
    start = np.where(alone | unknown | is_prefix, -1, windows["span_start"].fill_null(-1).to_numpy())
    kind = np.where(silent, _NO_BYTES, np.where(unknown, _NO_SIZE, np.where(whole, _WHOLE, _MINUTE)))
    counts_at = find_completing(window, start, size, needed)
    return counts_at, np.where(is_prefix & ~is_probe, _PREFIX - _COUNTED, kind)


def _needed(windows: pl.DataFrame, window: Ints, heads: Ints) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Per row what its window needs, the most that any of its requests tells, and whether that is the whole file."""
    needed = windows["needed_bytes"].fill_null(-1).to_numpy()
    whole = windows["needs_whole"].fill_null(value=False).to_numpy().astype(np.int64)
    most = np.maximum.reduceat(needed * 2 + whole, heads)[window]
    return np.where(most < 0, _UNREACHABLE, most // 2), (most >= 0) & (most % 2 == 1)


def _settle_prefixes(windows: pl.DataFrame, outcome: Ints, heads: Ints) -> Ints:
    """Probes through a prefix: the first of a window that holds nothing else counts, provisionally; else they go."""
    window = windows["window"].to_numpy()
    is_probe = _probes(windows)
    if not is_probe.any():
        return outcome
    lone = np.minimum.reduceat(is_probe, heads)[window]
    is_head = np.zeros(len(outcome), np.bool_)
    is_head[heads] = True
    among = np.where(is_head, _PROVISIONAL, _DUPLICATE)
    return np.where(is_probe, np.where(lone, among, _REPLACED), outcome)


def _probes(windows: pl.DataFrame) -> npt.NDArray[np.bool_]:
    """True for the two-byte probes that came through a prefix."""
    is_prefix = windows.select(IS_PREFIX).to_series()
    if not is_prefix.any():
        return np.zeros(windows.height, np.bool_)
    return (is_prefix & windows.select(IS_PROBE).to_series()).to_numpy()


def _cap_addresses(ends: pl.DataFrame, book: Rulebook) -> pl.DataFrame:
    """Beyond the ceiling, the later downloads of one address on one day count no more."""
    exempt = book.networks.exempt.holds()
    counted = ends.filter(_counts("outcome") & ~exempt).with_columns(window_on=local_day(book.settings))
    rank = pl.col("row").rank("ordinal").over("listener_key", "window_on")
    beyond = counted.filter(rank > book.settings.max_downloads_per_ip_window)["window"]
    over = pl.col("window").is_in(beyond.implode())
    later = over & (_counts("outcome") | (pl.col("outcome") == _DUPLICATE))
    return ends.with_columns(
        outcome=pl.when(later).then(pl.lit(_CEILING, pl.UInt8)).otherwise("outcome"),
        completes=pl.col("completes") & ~over,
    )


def _counts(name: str) -> pl.Expr:
    return pl.col(name).is_between(_COUNTED, _PROVISIONAL)


def _is_counted(outcome: Ints) -> npt.NDArray[np.bool_]:
    return (outcome >= _COUNTED) & (outcome <= _PROVISIONAL)
