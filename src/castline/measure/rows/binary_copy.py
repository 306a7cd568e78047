"""PostgreSQL's binary form of COPY, put together from columns of bytes (COPY, section "Binary Format").

A head, then per row the number of its fields and each field behind its length, then a tail. The server reads it in
seven tenths of the time of text. Fields of one length stand first in a row: numpy writes them in one piece.
"""

from collections.abc import Callable, Mapping
from typing import Final
from uuid import UUID

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa  # type: ignore[import-untyped]  # it ships no types
import pyarrow.compute as pc  # type: ignore[import-untyped]  # it ships no types

HEAD: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TAIL: Final = b"\xff\xff"
NULL: Final = b"\xff\xff\xff\xff"
_EPOCH_MICROSECONDS: Final = 946_684_800_000_000  # from 1970 to 2000, where PostgreSQL counts from
_EPOCH_DAYS: Final = 10_957


def join_columns(*columns: pa.Array) -> memoryview:
    """The columns' bytes, row by row."""
    joined = pc.binary_join_element_wise(*columns, pa.scalar(b"", pa.binary()))
    return memoryview(joined.buffers()[2])


def encode_fixed(columns: Mapping[str, npt.NDArray[np.void]], field_count: int) -> pa.Array:
    """The beginning of each row: how many fields it has, and those of one length."""
    sizes = {name: values.dtype.itemsize for name, values in columns.items()}
    parts = [part for name, size in sizes.items() for part in ((f"{name}_size", ">i4"), (name, f"V{size}"))]
    written = np.empty(max(map(len, columns.values())), np.dtype([("_fields", ">i2"), *parts]))
    written["_fields"] = field_count
    for name, values in columns.items():
        written[f"{name}_size"] = sizes[name]
        written[name] = values
    return as_binary(written)


def encode_distinct(texts: pl.Series, encode: Callable[[str | None], bytes]) -> pa.Array:
    """Each text encoded, once per distinct one."""
    distinct = texts.unique()
    numbered = distinct.to_frame("text").with_row_index("place")
    found = texts.to_frame("text").join(numbered, on="text", how="left", nulls_equal=True, maintain_order="left")
    return pa.array(map(encode, distinct), pa.binary()).take(pa.array(found["place"].to_numpy()))


def encode_text(text: str | None) -> bytes:
    """A field of text."""
    return NULL if text is None else encode_field(text.encode())


def encode_field(content: bytes) -> bytes:
    """The content behind its length."""
    return len(content).to_bytes(4) + content


def as_binary(written: npt.NDArray[np.void]) -> pa.Array:
    """Pieces of one length as a column of bytes."""
    form = pa.binary(written.dtype.itemsize)
    return pa.FixedSizeBinaryArray.from_buffers(form, len(written), [None, pa.py_buffer(written)]).cast(pa.binary())


def encode_times(times: pl.Series) -> npt.NDArray[np.void]:
    """Times as timestamptz, without their length."""
    return (times.dt.epoch("us").to_numpy() - _EPOCH_MICROSECONDS).astype(">i8").view("V8")


def encode_days(days: pl.Series) -> npt.NDArray[np.void]:
    """Days as date, without their length."""
    return (days.to_physical().to_numpy() - _EPOCH_DAYS).astype(">i4").view("V4")


def encode_numbers(numbers: pl.Series) -> npt.NDArray[np.void]:
    """Whole numbers as bigint, without their length."""
    return numbers.cast(pl.Int64).to_numpy().astype(">i8").view("V8")


def encode_ids(texts: pl.Series) -> npt.NDArray[np.void]:
    """Ids as uuid, without their length."""
    distinct = texts.unique()
    known = np.frombuffer(b"".join(UUID(text).bytes for text in distinct), "V16")
    if len(distinct) == len(texts):
        return np.frombuffer(b"".join(UUID(text).bytes for text in texts), "V16")
    places = texts.replace_strict(distinct, range(len(distinct)), return_dtype=pl.UInt32)
    return np.asarray(known[places.to_numpy()])


def encode_same(content: bytes) -> npt.NDArray[np.void]:
    """One content for every row."""
    return np.array([content], f"V{len(content)}")
