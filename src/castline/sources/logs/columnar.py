"""Parquet as lines of JSON, one a row: what CloudFront, warehouses and exports keep their requests in."""

from collections.abc import Iterator
from typing import BinaryIO, Final

import polars as pl

PARQUET: Final = b"PAR1"
_ROWS: Final = 50_000


class ParquetBroken(ValueError):
    """The file cannot be read behind so many rows."""

    def __init__(self, detail: str, row_count: int) -> None:
        super().__init__(detail)
        self.row_count = row_count


def iter_rows(file: BinaryIO) -> Iterator[bytes]:
    """The rows in order, some thousands at once; times without a zone are written without one. Raises ParquetBroken."""
    import pyarrow as pa  # type: ignore[import-untyped]  # noqa: PLC0415  # it has no types, and few need it
    from pyarrow import parquet  # noqa: PLC0415

    count = 0
    try:
        for batch in parquet.ParquetFile(file).iter_batches(batch_size=_ROWS):
            frame = pl.DataFrame(pl.from_arrow(batch))
            yield _as_lines(frame)
            count += frame.height
    except (OSError, pa.ArrowException, pl.exceptions.PolarsError) as error:
        raise ParquetBroken(" ".join(str(error).split())[:200], count) from error


def _as_lines(frame: pl.DataFrame) -> bytes:
    """JSON as servers write it: ISO 8601 for times, no bytes that are no text."""
    plain = [_plain(name, kind) for name, kind in frame.schema.items()]
    return frame.select(plain).write_ndjson().encode()


def _plain(name: str, kind: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if kind == pl.Binary:
        return column.cast(pl.String, strict=False)
    if isinstance(kind, pl.Datetime):
        zone = "" if kind.time_zone is None else "Z"
        utc = column if kind.time_zone is None else column.dt.convert_time_zone("UTC")
        return utc.dt.strftime(f"%Y-%m-%dT%H:%M:%S%.6f{zone}")
    if kind in {pl.Date, pl.Time, pl.Decimal}:
        return column.cast(pl.String)
    return column
