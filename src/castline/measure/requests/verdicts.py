"""What became of the lines of a file of requests: told one at a time, or written as lines of JSON at once."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgspec
import polars as pl

from castline.measure.judge import OUTCOMES
from castline.measure.requests.fingerprints import Fingerprints
from castline.measure.requests.ids import RequestId, find_id_column, iter_ids
from castline.model.vocab import Verdict

# What became of lines, in their order, beside what ID_SCHEMA says of their ids.
VERDICT_SCHEMA: Final = pl.Schema(
    {
        "refused": pl.String(),
        "outcome": pl.UInt8(),
        "download_high": pl.UInt64(),
        "download_low": pl.UInt64(),
        "consumer_high": pl.UInt64(),
        "consumer_low": pl.UInt64(),
    }
)
_AT_ONCE: Final = 16_384  # lines that stand in memory as texts
_encode: Final = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class RequestVerdict:
    """What one request became; `download_id` is the same for all requests of a window that counted."""

    id: RequestId
    verdict: Verdict
    reason: str
    download_id: str | None
    consumer_id: str | None


def iter_verdicts(judged: pl.DataFrame) -> Iterator[RequestVerdict]:
    """The verdicts one at a time: a list of millions would fill the memory."""
    for part in judged.iter_slices(_AT_ONCE):
        yield from _tell(part)


def iter_json(judged: pl.DataFrame) -> Iterator[bytes]:
    """The verdicts as lines of JSON, many at once."""
    for part in judged.iter_slices(_AT_ONCE):
        ids = find_id_column(part)
        if ids is None:
            yield b"".join(_encode(item) + b"\n" for item in _tell(part))
            continue
        written = io.BytesIO()
        pl.DataFrame({"id": ids, **_columns(part)}).write_ndjson(written)
        yield written.getvalue()


def _tell(part: pl.DataFrame) -> list[RequestVerdict]:
    columns = (column.to_list() for column in _columns(part).values())
    return [RequestVerdict(*told) for told in zip(iter_ids(part), *columns, strict=True)]


def _columns(part: pl.DataFrame) -> dict[str, pl.Series]:
    outcome = part["outcome"].fill_null(0).to_numpy()
    refused = part["refused"].is_not_null()
    verdicts = pl.Series([verdict for verdict, _ in OUTCOMES], dtype=pl.String).gather(outcome)
    reasons = pl.Series([reason for _, reason in OUTCOMES], dtype=pl.String).gather(outcome)
    return {
        "verdict": verdicts.set(refused, "dropped"),
        "reason": part["refused"].fill_null(reasons),
        "download_id": _hexadecimal(part["download_high"], part["download_low"]),
        "consumer_id": _hexadecimal(part["consumer_high"], part["consumer_low"]),
    }


def _hexadecimal(high: pl.Series, low: pl.Series) -> pl.Series:
    told = Fingerprints(high.fill_null(0).to_numpy(), low.fill_null(0).to_numpy(), high.is_not_null().to_numpy())
    return pl.Series(told.to_texts(), dtype=pl.String)
