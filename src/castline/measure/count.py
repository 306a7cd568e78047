"""A file of requests is judged without a store: the same rules and the same pass as for logs and the intake."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

import polars as pl

from castline.base.config import Settings
from castline.ingest.geo_tables import load_geo_table, pack_addresses
from castline.ingest.places import try_pack_address
from castline.measure.agents.table import describe_agents
from castline.measure.behaviour.suspects import Known
from castline.measure.judge import OUTCOMES, first_rows, judge_people, outcome_of
from castline.measure.request_lines import BrokenLine, RequestId, parse_request_lines
from castline.measure.rules.addresses import NO_EPISODE
from castline.measure.rules.table import Rulebook, add_drop_reason
from castline.model.measurement import Delivery
from castline.model.vocab import Verdict
from castline.sources.enclosure import path_key, url_key
from castline.sources.url_query import naming_key

_ID_BYTES: Final = 16
_ORDER: Final = ("time", "id_kind", "id_number", "id_rest", "id_text", "line_number")
_BUFFERED: Final = 10_000  # verdicts that stand in memory as objects
# A segment by its container, or by the name that packagers give to raw audio segments.
_SEGMENT: Final = (
    r"(?i)(?:\.(?:ts|m4s|cmfa)|/(?:seg|segment|chunk|frag|fragment|fileSequence)[-_.]?\d+\.(?:aac|mp4|m4a|mp3))"
    r"(?:[?#]|$)"
)


@dataclass(frozen=True, slots=True)
class RequestVerdict:
    """What one request became; `download_id` is the same for all requests of a window that counted."""

    id: RequestId
    verdict: Verdict
    reason: str
    download_id: str | None
    consumer_id: str | None


@dataclass(frozen=True, slots=True)
class Count:
    """One verdict per line that is not blank, and the lines that could not be read."""

    broken: list[BrokenLine]
    _ids: list[RequestId]
    _ends: pl.DataFrame

    @property
    def verdicts(self) -> list[RequestVerdict]:
        """All verdicts at once, in the order of the lines."""
        return list(self.iter_verdicts())

    def iter_verdicts(self) -> Iterator[RequestVerdict]:
        """The verdicts in the order of the lines, one at a time: a list of millions would fill the memory."""
        ends = self._ends.iter_rows(buffer_size=_BUFFERED)
        for request_id, (reason, outcome, download, consumer) in zip(self._ids, ends, strict=True):
            verdict, why = ("dropped", reason) if reason is not None else OUTCOMES[outcome]
            yield RequestVerdict(request_id, verdict, why, download, consumer)


def count_requests(lines: Iterable[bytes], book: Rulebook, installation: Settings, delivery: Delivery) -> Count:
    """Each line's verdict, judged in order of (time, id): numbers by size, then texts by code points, then no id.

    `delivery` holds for lines that do not tell theirs. Raises MissingAsset, SourceUnreadable for the address table.
    """
    asked = parse_request_lines(lines)
    ids, broken = asked.ids, asked.broken
    ordered = asked.rows.sort(*_ORDER).drop(_ORDER[1:-1])
    # Each line's text stands in memory once: what is no longer needed goes at once.
    del asked
    ends = _judge(_with_episodes(_with_delivery(ordered, delivery)), book, installation)
    refused = pl.DataFrame(
        {"line_number": [line.line_number for line in broken], "refused": [line.reason for line in broken]},
        schema={"line_number": pl.UInt32, "refused": pl.String},
    )
    ends = pl.concat([ends, refused], how="diagonal").sort("line_number")
    return Count(broken, ids, ends.select("refused", "outcome", "download_id", "consumer"))


def _judge(rows: pl.DataFrame, book: Rulebook, installation: Settings) -> pl.DataFrame:
    """One row per request, which come in order of judging: `line_number`, `outcome`, `download_id`, `consumer`."""
    agents, flags = describe_agents(rows["user_agent"], book.classifier)
    # An id names a line and says nothing of a second delivery: what came twice falls to the window.
    known = rows.with_row_index("row").with_columns(request_id=pl.lit(None, pl.Binary))
    known = known.join(flags, on="user_agent", how="left", maintain_order="left").drop("user_agent")
    known = known.join(_places(known["ip"], installation), on="ip", how="left", maintain_order="left", nulls_equal=True)
    known = add_drop_reason(known, book).drop("method", "referer", "request_id")
    ends, _ = judge_people(known.filter(pl.col("drop").is_null()), Known(agents, is_whole=True), book)
    judged = known.select(
        "row",
        "line_number",
        "time",
        "episode_name",
        outcome=outcome_of(known, ends),
        consumer=_consumers(known, agents),
    )
    judged = judged.join(_downloads(judged, ends), on="row", how="left", maintain_order="left")
    return judged.select("line_number", "outcome", "download_id", "consumer")


def _with_delivery(rows: pl.DataFrame, assumed: Delivery) -> pl.DataFrame:
    """The rows with their delivery: as the line tells, else a stream by the ending of its URL, else what is assumed."""
    told = pl.col("delivery").str.to_lowercase()
    is_stream = pl.col("url").str.contains(_SEGMENT) & pl.lit(assumed == "file")
    guessed = pl.when(is_stream).then(pl.lit("hls")).otherwise(pl.lit(assumed))
    return rows.with_columns(delivery=pl.when(told.is_in(["file", "hls", "prefix"])).then(told).otherwise(guessed))


def _places(addresses: pl.Series, installation: Settings) -> pl.DataFrame:
    """Per distinct address its `listener_key`, null for what is none, and its network number."""
    texts = addresses.unique().to_list()
    packed = [None if text is None else try_pack_address(text) for text in texts]
    return pl.DataFrame(
        {
            "ip": texts,
            "listener_key": [None if part is None else _hash(part).digest() for part in packed],
            "asn": load_geo_table(installation, "asn").lookup(pack_addresses(packed)),
        },
        schema={"ip": pl.String, "listener_key": pl.Binary, "asn": pl.UInt32},
    )


def _hash(content: bytes) -> "blake2b":
    return blake2b(content, digest_size=_ID_BYTES)


def _with_episodes(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with `episode`, a number for each name, or for each address where no name is given, and `path`."""
    urls = rows["url"].drop_nulls().unique()
    keys = [naming_key(url, url_key(url) if "://" in url else path_key(url)) for url in urls]
    table = pl.DataFrame({"url": urls, "path": keys}, schema={"url": pl.String, "path": pl.String})
    named = rows.join(table, on="url", how="left", maintain_order="left").with_columns(
        # A name and an address are never the same episode.
        episode_name=pl.coalesce("name:" + pl.col("named_episode"), "url:" + pl.col("path"))
    )
    number = pl.col("episode_name").rank("dense").cast(pl.Int32).fill_null(NO_EPISODE)
    return named.with_columns(episode=number, path=pl.col("path").fill_null("")).drop("url", "named_episode")


def _consumers(known: pl.DataFrame, agents: pl.DataFrame) -> pl.Series:
    """The consumer of each row, in hexadecimal digits; null without an address or a user agent."""
    is_told = pl.col("listener_key").is_not_null() & ~pl.col("user_agent_is_empty")
    pairs = known.filter(is_told).select("listener_key", "agent").unique()
    texts = agents["user_agent"].gather(pairs["agent"])
    names = [_hash(key + text.encode()).hexdigest() for key, text in zip(pairs["listener_key"], texts, strict=True)]
    named = pairs.with_columns(consumer=pl.Series(names, dtype=pl.String))
    keys = ["listener_key", "agent"]
    return known.select(keys).join(named, on=keys, how="left", maintain_order="left", nulls_equal=True)["consumer"]


def _downloads(judged: pl.DataFrame, ends: pl.DataFrame) -> pl.DataFrame:
    """(row, download_id) of every request of a window that counted, but for those that were dropped from it."""
    first = first_rows(ends)
    told = judged.select(pl.col("time").dt.epoch("us"), "consumer", "episode_name")[first]
    # A window is known by whose it is, of what, and when it began.
    names = [
        _hash(f"{consumer}\n{time}\n{episode}".encode()).hexdigest() for time, consumer, episode in told.iter_rows()
    ]
    of_row = pl.DataFrame({"row": first, "download_id": names}, schema={"row": pl.UInt32, "download_id": pl.String})
    of_window = of_row.join(ends.select("row", "window").unique(), on="row").select("window", "download_id")
    dropped = sum(verdict == "dropped" for verdict, _ in OUTCOMES)
    stayed = ends.filter(pl.col("outcome") >= dropped).select("row", "window").unique()
    return stayed.join(of_window, on="window").select("row", "download_id")
