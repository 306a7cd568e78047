"""Ids of lines as columns: they order as the rules say, take little memory, and come out as they went in."""

from collections.abc import Iterator, Sequence
from math import isfinite
from types import NoneType
from typing import Final

import polars as pl

RequestId = int | float | str | None
ID_SCHEMA: Final = pl.Schema(
    {
        "line_number": pl.UInt32(),
        "id_kind": pl.UInt8(),
        "id_is_float": pl.Boolean(),
        "id_number": pl.Float64(),
        "id_rest": pl.Int64(),
        "id_text": pl.String(),
    }
)
# Numbers by size, to the last digit, then texts by code points, then none, then by line.
ID_ORDER: Final = ("id_kind", "id_number", "id_rest", "id_text", "line_number")
_NUMBER, _TEXT, _NONE, _HUGE = range(4)  # kinds, in their order; a huge number is no request's
_BITS: Final = 116  # up to here a number is a float and a rest that fits 64 bits
_EXACT: Final = 1 << 62  # up to here the two add up within 64 bits


def check_ids(ids: Sequence[RequestId]) -> None:
    """Nothing. Raises ValueError for a number that is too large or none."""
    if set(map(type, ids)) <= {str, NoneType}:
        return
    for one in ids:
        if isinstance(one, int) and one.bit_length() > _BITS:
            raise ValueError("the id is too large")
        if isinstance(one, float) and not isfinite(one):
            raise ValueError("the id is no number")


def read_ids(line_numbers: Sequence[int], ids: Sequence[RequestId]) -> pl.DataFrame:
    """Rows of ID_SCHEMA."""
    if set(map(type, ids)) == {str}:
        texts = pl.DataFrame(
            {"line_number": line_numbers, "id_text": ids}, {"line_number": pl.UInt32, "id_text": pl.String}
        )
        missing = [pl.lit(None, kind).alias(name) for name, kind in ID_SCHEMA.items() if name not in texts.columns]
        return texts.with_columns(missing).with_columns(id_kind=pl.lit(_TEXT, pl.UInt8)).select(ID_SCHEMA.names())
    rows = [(number, *_parts(one)) for number, one in zip(line_numbers, ids, strict=True)]
    return pl.DataFrame(rows, ID_SCHEMA, orient="row")


def iter_ids(rows: pl.DataFrame) -> Iterator[RequestId]:
    """The ids of rows of ID_SCHEMA, as they went in."""
    for kind, is_float, number, rest, text in rows.select(ID_SCHEMA.names()[1:]).iter_rows():
        if kind == _NUMBER:
            yield number if is_float else int(number) + rest
        else:
            yield int(text) if kind == _HUGE else text


def find_id_column(rows: pl.DataFrame) -> pl.Series | None:
    """The ids as one column, where all are texts, or all whole numbers of 64 bits, or none; else None."""
    kinds = set(rows["id_kind"].unique()) - {_NONE}
    if kinds <= {_TEXT}:
        return rows["id_text"]
    if kinds != {_NUMBER} or rows["id_is_float"].any() or not (rows["id_number"].abs() < _EXACT).all():
        return None
    return rows.select(pl.col("id_number").cast(pl.Int64) + pl.col("id_rest")).to_series()


def _parts(one: RequestId) -> tuple[int, bool | None, float | None, int | None, str | None]:
    """Kind, whether it is a float, the number as a float and what that lacks, and the text."""
    if isinstance(one, str):
        return _TEXT, None, None, None, one
    if one is None:
        return _NONE, None, None, None, None
    if isinstance(one, float):
        return _NUMBER, True, one, 0, None
    if one.bit_length() > _BITS:
        return _HUGE, None, None, None, str(one)
    return _NUMBER, False, float(one), one - int(float(one)), None
