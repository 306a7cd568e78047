"""How many distinct bytes a consumer got of a file, request by request: the union of what was sent, never the sum."""

from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from castline.measure.rules.table import IS_HLS, OK, PARTS

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
# Offsets beyond this are no podcast's; the bound keeps windows apart in one ascending array.
_FURTHEST: Final = 1 << 40
# Segments of a stream lie side by side, each with room for 64 MiB.
_SEGMENT: Final = 1 << 26
_PLAIN: Final = r"^bytes=[0-9]{1,13}-[0-9]{0,13}$"  # as landing writes one range
_UNIT: Final = r"^\s*(?i:bytes)?\s*[= ]?\s*"
_RANGE: Final = _UNIT + r"([0-9]+)\s*-\s*([0-9]*)[\s,]*(?:/|$)"
_SUFFIX: Final = _UNIT + r"-\s*([0-9]+)[\s,]*$"
_ONE: Final = r"\s*(?:[0-9]+\s*-\s*[0-9]*|-\s*[0-9]+)\s*"
_SEVERAL: Final = _UNIT + rf"[\s,]*{_ONE}(?:,[\s,]*{_ONE})+[\s,]*$"


def add_spans(requests: pl.DataFrame) -> pl.DataFrame:
    """The requests with `span_start` (null where nobody knows it) and `span_bytes`, what was really sent.

    Needs status, range, bytes_sent, file_bytes, delivery, path and episode. A 200 sends from the start whatever was
    asked; of a 206 the Range says where it began, and what was sent ends it, so an aborted transfer counts only for
    what it brought. A request for several ranges becomes a row per range.
    """
    requests = _split_several(requests.with_columns(_part="range"))
    whole = pl.col("status") == OK
    sent = pl.col("bytes_sent").clip(0, _FURTHEST)
    length = (pl.col("_last") - pl.col("_first") + 1).clip(0).fill_null(_FURTHEST)
    asked = pl.when(whole).then(sent).otherwise(length)
    spans = (
        requests.hstack(_settle(_parse_ranges(requests["_part"]).hstack([requests["file_bytes"]])))
        .with_columns(
            span_start=pl.when(whole).then(pl.lit(0, pl.Int64)).otherwise(pl.col("_first")),
            span_bytes=pl.when(sent.is_not_null()).then(pl.min_horizontal(sent, asked)),
        )
        .drop("_first", "_last", "_part")
    )
    return _place_segments(spans)


def _settle(ranges: pl.DataFrame) -> pl.DataFrame:
    """`_first` and `_last` of each range in its file, null where it is not told.

    RFC 9110, section 14.1.2: a suffix longer than the file is the file, and a range that goes beyond the end stops
    there. What was sent from beyond the told end shows that the file is longer.
    """
    first, last, tail, size = (pl.col(name) for name in ("_first", "_last", "_tail", "file_bytes"))
    begin = first.fill_null((size - tail).clip(0))
    is_inside = first.is_null() | (first < size)
    end = pl.when(is_inside).then(pl.min_horizontal(last, size - 1)).otherwise(last)
    return ranges.select(_first=begin.clip(0, _FURTHEST), _last=end.clip(-1, 2 * _FURTHEST))


def _parse_ranges(texts: pl.Series) -> pl.DataFrame:
    """For each text `_first` and `_last` of its range, or `_tail`, how many bytes from the end; null what it has not.

    Plain ones, nearly all, are cut at their hyphen; expressions with groups cost three times as much.
    """
    ranges = texts.to_frame("range")
    odd = (~texts.str.contains(_PLAIN)).fill_null(value=False)
    if not odd.any():
        return _cut_plain(ranges)
    places = pl.int_range(pl.len(), dtype=pl.UInt32).alias("place")
    numbered = ranges.select("range", places)
    told = [
        part.select("place").hstack(parse(part))
        for part, parse in ((numbered.filter(~odd), _cut_plain), (numbered.filter(odd), _match_odd))
    ]
    return pl.concat(told).sort("place").drop("place")


def _cut_plain(ranges: pl.DataFrame) -> pl.DataFrame:
    bounds = pl.col("range").str.slice(len("bytes=")).str.split_exact("-", 1).struct.rename_fields(["_first", "_last"])
    cut = ranges.select(bounds.alias("bounds")).unnest("bounds")
    return cut.select(pl.all().cast(pl.Int64, strict=False), pl.lit(None, pl.Int64).alias("_tail"))


def _match_odd(ranges: pl.DataFrame) -> pl.DataFrame:
    parts = (("_first", _RANGE, 1), ("_last", _RANGE, 2), ("_tail", _SUFFIX, 1))
    return ranges.select(
        pl.col("range").str.extract(form, group).cast(pl.Int64, strict=False).alias(name) for name, form, group in parts
    )


def _split_several(requests: pl.DataFrame) -> pl.DataFrame:
    """Each range of a request for several has a row of its own, `_part`, with what was sent of it if sent in order."""
    if not requests["range"].str.contains(",", literal=True).any():
        return requests
    several = (pl.col("range").str.contains(_SEVERAL) & pl.col("status").is_in(PARTS)).fill_null(value=False)
    chosen = requests.with_row_index("place").filter(several)
    if chosen.is_empty():
        return requests
    parts = _share_out(chosen.select("place", "range", "bytes_sent", "file_bytes"))
    of_several = chosen.drop("_part", "bytes_sent").join(parts, on="place", maintain_order="left_right")
    others = requests.with_row_index("place").filter(~several)
    return pl.concat([others, of_several.select(others.columns)]).sort("place", maintain_order=True).drop("place")


def _share_out(several: pl.DataFrame) -> pl.DataFrame:
    """One row per range of the requests: `place`, `_part`, and `bytes_sent` of it when sent in that order.

    Where nobody knows how long a range is, it takes all that is left.
    """
    texts = pl.col("range").str.replace(_UNIT, "").str.replace_all(r"\s", "").str.split(",")
    parts = several.select("place", "bytes_sent", "file_bytes", _part=texts).explode("_part")
    parts = parts.filter(pl.col("_part") != "").with_columns(_part="bytes=" + pl.col("_part"))
    bounds = _settle(_parse_ranges(parts["_part"]).hstack([parts["file_bytes"]]))
    length = (bounds["_last"] - bounds["_first"] + 1).clip(0, _FURTHEST).fill_null(_FURTHEST)
    before = (pl.col("length").cum_sum() - pl.col("length")).over("place")
    left = (pl.col("bytes_sent").clip(0) - before).clip(0)
    size = pl.when(left.is_not_null()).then(pl.min_horizontal(left, "length"))
    told = parts.with_columns(length=length).select("place", "_part", bytes_sent=size)
    # What brought nothing says nothing; of each request one row stays.
    is_first = pl.col("place").ne_missing(pl.col("place").shift(1))
    return told.filter(is_first | pl.col("bytes_sent").ne_missing(0))


def _place_segments(spans: pl.DataFrame) -> pl.DataFrame:
    """Segments of a stream stand beside each other, in any order, as if they were one file."""
    if not spans.select(IS_HLS.any()).item():
        return spans
    segment = pl.col("path").cast(pl.String).rank("dense").over("episode").cast(pl.Int64) - 1
    fits = segment < _FURTHEST // _SEGMENT
    start = pl.col("span_start").clip(0, _SEGMENT) + segment * _SEGMENT
    return spans.with_columns(
        span_start=pl.when(IS_HLS).then(pl.when(fits).then(start)).otherwise("span_start"),
        span_bytes=pl.when(IS_HLS).then(pl.col("span_bytes").clip(0, _SEGMENT)).otherwise("span_bytes"),
    )


def find_completing(window: Ints, start: Ints, size: Ints, needed: Ints) -> Ints:
    """For each row the position of the row that completes its window, the number of rows where none does.

    Rows are ordered by window and, in a window, by time; `window` ascends. `start` is -1 where it is not known: such a
    response counts alone, as at least so many bytes, and joins no union. `needed` is the window's.
    """
    count = len(window)
    begins = np.concatenate(([True], window[1:] != window[:-1])) if count else np.zeros(0, np.bool_)
    heads = np.flatnonzero(begins)
    of_window = np.cumsum(begins) - 1
    found = np.full(len(heads), count, np.int64)
    alone = np.flatnonzero(size >= needed)
    # The first such row of a window wins: written from the back, it is written last.
    found[of_window[alone[::-1]]] = alone[::-1]
    # A window of one row is what that row is.
    several = np.diff(np.append(heads, count))[of_window] > 1
    rows = np.flatnonzero(several & (start >= 0))
    rows = rows[_may_complete(of_window[rows], size[rows], needed[rows])]
    windows, joined = _complete_by_union(rows, of_window, (start, size, needed))
    found[windows] = np.minimum(found[windows], joined)
    return np.asarray(found[of_window])


def _complete_by_union(rows: Ints, of_window: Ints, facts: tuple[Ints, Ints, Ints]) -> tuple[Ints, Ints]:
    """The windows that the union of their rows completes, and the row with which it suffices.

    The union only grows, so the row is found by halving: each round computes the union of a prefix of every window.
    """
    if not len(rows):
        return rows, rows
    start, size, needed = (values[rows] for values in facts)
    begins = np.concatenate(([True], of_window[rows][1:] != of_window[rows][:-1]))
    heads = np.flatnonzero(begins)
    dense = np.cumsum(begins) - 1
    lengths = np.diff(np.append(heads, len(rows)))
    rank = np.arange(len(rows)) - heads[dense]
    order = np.lexsort((start, dense))
    sorted_rows = _Sorted(dense[order], start[order], size[order], rank[order])
    target = needed[heads]
    low, high = np.zeros(len(heads), np.int64), lengths.astype(np.int64)
    while (open_ := low < high).any():
        middle = (low + high) // 2
        enough = sorted_rows.union_of(middle) >= target
        high = np.where(open_ & enough, middle, high)
        low = np.where(open_ & ~enough, middle + 1, low)
    complete = np.flatnonzero(low < lengths)
    return of_window[rows[heads[complete]]], rows[heads[complete] + low[complete]]


def _may_complete(window: Ints, size: Ints, needed: Ints) -> Flags:
    """False where even the sum of a window's parts stays below what is needed."""
    sums = np.bincount(window, weights=size.astype(np.float64)) if len(window) else np.zeros(0)
    return np.asarray(sums[window] >= needed)


class _Sorted:
    """Rows by window and start, with their rank in time."""

    def __init__(self, window: Ints, start: Ints, size: Ints, rank: Ints) -> None:
        shift = window * (2 * _FURTHEST + 1)
        self._window, self._rank = window, rank
        self._start, self._end = start + shift, start + size + shift

    def union_of(self, until: Ints) -> Ints:
        """Per window the distinct bytes of its rows whose rank is at most `until`."""
        chosen = self._rank <= until[self._window]
        window, start, end = self._window[chosen], self._start[chosen], self._end[chosen]
        reached = np.maximum.accumulate(end)
        before = np.concatenate(([np.iinfo(np.int64).min], reached[:-1]))
        new = np.maximum(end - np.maximum(start, before), 0)
        return np.bincount(window, weights=new.astype(np.float64), minlength=len(until)).astype(np.int64)
