"""A file of requests is judged without a store: the same rules and the same pass as for logs and the intake."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from castline.base.config import Settings
from castline.ingest.geo_tables import load_geo_table, pack_addresses
from castline.ingest.places import try_pack_address
from castline.measure.agents.table import describe_agents
from castline.measure.behaviour.suspects import Known
from castline.measure.judge import OUTCOMES, first_rows, judge_people, outcome_of
from castline.measure.requests.fingerprints import Fingerprints, hash_bytes, hash_texts
from castline.measure.requests.ids import ID_ORDER
from castline.measure.requests.lines import BrokenLine, RequestLines, parse_request_lines
from castline.measure.requests.values import try_parse_digest
from castline.measure.requests.verdicts import VERDICT_SCHEMA, RequestVerdict, iter_json, iter_verdicts
from castline.measure.rules.addresses import NO_EPISODE
from castline.measure.rules.matching import compute_needed_bytes
from castline.measure.rules.table import Rulebook, add_drop_reason
from castline.model.measurement import Delivery
from castline.sources.enclosure import path_key, url_key
from castline.sources.url_query import naming_key

_PLACES: Final = pl.Schema({"ip": pl.String(), "listener_key": pl.Binary(), "asn": pl.UInt32()})
_ENDS: Final = ("row", "window", "outcome", "completes")
_ADDRESSES_AT_ONCE: Final = 32_768  # that stand in memory as objects
# A segment by its container, or by the name that packagers give to raw audio segments.
_SEGMENT: Final = (
    r"(?i)(?:\.(?:ts|m4s|cmfa)|/(?:seg|segment|chunk|frag|fragment|fileSequence)[-_.]?\d+\.(?:aac|mp4|m4a|mp3))"
    r"(?:[?#]|$)"
)


@dataclass(frozen=True, slots=True)
class Count:
    """One verdict per line that is not blank, and the lines that could not be read."""

    broken: list[BrokenLine]
    _judged: pl.DataFrame

    @property
    def verdicts(self) -> list[RequestVerdict]:
        """All verdicts at once, in the order of the lines."""
        return list(self.iter_verdicts())

    def iter_verdicts(self) -> Iterator[RequestVerdict]:
        """The verdicts in the order of the lines."""
        return iter_verdicts(self._judged)

    def iter_json(self) -> Iterator[bytes]:
        """The verdicts in the order of the lines, as lines of JSON, many at once."""
        return iter_json(self._judged)


def count_requests(lines: Iterable[bytes], book: Rulebook, installation: Settings, delivery: Delivery) -> Count:
    """Each line's verdict, judged in order of (time, id): numbers by size, then texts by code points, then no id.

    `delivery` holds for lines that do not tell theirs. Raises MissingAsset, SourceUnreadable for the address table.
    """
    asked = parse_request_lines(lines)
    ids, broken = asked.ids, asked.broken
    rows = _in_order(asked)
    # What is no longer needed leaves the memory at once.
    del asked
    rows, names = _with_episodes(rows, delivery)
    known, agents = _know(_with_needs(rows), book, installation)
    del rows
    consumers = _consumers(known, agents)
    told = known.select("line_number", "time", "episode", "drop")
    # In a list, so that judging may let go of what only it holds then.
    passed = [known.filter(pl.col("drop").is_null())]
    del known
    ends = judge_people(passed.pop(), Known(agents, is_whole=True), book)[0].select(_ENDS)
    downloads = _downloads(told, ends, consumers, hash_texts(names))
    judged = told.select("line_number", outcome=outcome_of(told, ends)).hstack(
        [*downloads.columns("download"), *consumers.columns("consumer")]
    )
    refused = pl.DataFrame(
        {"line_number": [line.line_number for line in broken], "refused": [line.reason for line in broken]},
        schema={"line_number": pl.UInt32, "refused": pl.String},
    )
    judged = pl.concat([judged, refused], how="diagonal").sort("line_number")
    return Count(broken, ids.hstack(judged.select(VERDICT_SCHEMA.names())))


def _in_order(asked: RequestLines) -> pl.DataFrame:
    """The rows in the order of judging; a column leaves the lines' order as soon as it is in the other."""
    rows, ids = asked.rows, asked.ids
    if asked.broken:
        ids = ids.join(rows, on="line_number", how="semi", maintain_order="left")
    keys = ("time", *(name for name in ID_ORDER if ids[name].null_count() < ids.height))
    order = ids.with_columns(rows["time"]).select(pl.arg_sort_by(keys)).to_series()
    return pl.DataFrame([rows.drop_in_place(name).gather(order) for name in rows.columns])


def _with_episodes(rows: pl.DataFrame, assumed: Delivery) -> tuple[pl.DataFrame, list[str]]:
    """The rows with `episode`, a place in the names, or NO_EPISODE; with `path`, and with `delivery`.

    An episode is what a line names, else what its address names. A line that tells no delivery is one of a stream by
    the ending of its address, else what is assumed.
    """
    keys = ["named_episode", "url"]
    asked = rows.select(keys).unique().with_columns(pl.col(keys).cast(pl.String).replace("", None).name.prefix("_"))
    paths = pl.Series([None if url is None else _path_of(url) for url in asked["_url"]], dtype=pl.String)
    asked = asked.with_columns(path=paths).with_columns(
        # A name and an address are never the same episode.
        name=pl.coalesce("name:" + pl.col("_named_episode"), "url:" + pl.col("path"))
    )
    names = asked["name"].drop_nulls().unique().sort()
    number = pl.DataFrame({"name": names, "episode": pl.int_range(len(names), dtype=pl.Int32, eager=True)})
    is_segment = pl.col("_url").str.contains(_SEGMENT) & pl.lit(assumed == "file")
    asked = asked.join(number, on="name", how="left", maintain_order="left").select(
        *keys,
        pl.col("path").fill_null("").cast(pl.Categorical),
        pl.col("episode").fill_null(NO_EPISODE),
        guessed=pl.when(is_segment).then(pl.lit("hls")).otherwise(pl.lit(assumed)),
    )
    told = pl.col("delivery").cast(pl.String).str.to_lowercase()
    found = rows.join(asked, on=keys, how="left", maintain_order="left", nulls_equal=True).drop(keys)
    delivery = pl.when(told.is_in(["file", "hls", "prefix"])).then(told).otherwise("guessed").cast(pl.Categorical)
    return found.with_columns(delivery=delivery).drop("guessed"), names.to_list()


def _path_of(url: str) -> str:
    return naming_key(url, url_key(url) if "://" in url else path_key(url))


def _with_needs(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with what their window needs; files are few, so each is computed once."""
    facts = ["file_bytes", "duration_seconds", "header_bytes"]
    files = rows.select(facts).unique()
    needs = [compute_needed_bytes(*told) for told in files.iter_rows()]
    needed = pl.DataFrame(needs, schema={"needed_bytes": pl.Int64, "needs_whole": pl.Boolean}, orient="row")
    found = rows.join(files.hstack(needed), on=facts, how="left", nulls_equal=True, maintain_order="left")
    return found.drop("duration_seconds", "header_bytes")


def _know(rows: pl.DataFrame, book: Rulebook, installation: Settings) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows with their agents' flags, their listeners and networks, and `drop`; and the agents."""
    agents, flags = describe_agents(rows["user_agent"].unique().cast(pl.String), book.classifier)
    # An id names a line and says nothing of a second delivery: what came twice falls to the window.
    known = rows.with_row_index("row").with_columns(request_id=pl.lit(None, pl.Binary))
    flags = flags.with_columns(pl.col("user_agent").cast(pl.Categorical))
    known = known.join(flags, on="user_agent", how="left", maintain_order="left").drop("user_agent")
    known = known.join(_places(known["ip"], installation), on="ip", how="left", maintain_order="left", nulls_equal=True)
    return add_drop_reason(known, book).drop("method", "referer", "request_id"), agents


def _places(addresses: pl.Series, installation: Settings) -> pl.DataFrame:
    """Per distinct address its `listener_key`, null for what is none, and its network number, null for a digest."""
    networks = load_geo_table(installation, "asn")
    found = [_PLACES.to_frame()]
    for texts in addresses.unique().to_frame().iter_slices(_ADDRESSES_AT_ONCE):
        packed = [None if text is None else try_pack_address(text) for text in texts["ip"]]
        keys = [_listener_key(*told) for told in zip(texts["ip"], packed, strict=True)]
        numbers = networks.lookup(pack_addresses(packed))
        found.append(texts.with_columns(listener_key=pl.Series(keys, dtype=pl.Binary), asn=numbers))
    return pl.concat(found)


def _listener_key(text: str | None, packed: bytes | None) -> bytes | None:
    """Whoever asked, by the address, or by the digest that stands in its place: no address has the key of a digest."""
    if packed is not None:
        return hash_bytes(packed)
    digest = None if text is None else try_parse_digest(text)
    return None if digest is None else hash_bytes(b"digest " + digest)


def _consumers(known: pl.DataFrame, agents: pl.DataFrame) -> Fingerprints:
    """The consumer of each row: none without an address or a user agent."""
    key = pl.col("listener_key").bin
    is_told = pl.col("listener_key").is_not_null() & ~pl.col("user_agent_is_empty")
    halves = known.select(
        *(
            half.bin.reinterpret(dtype=pl.UInt64, endianness="big").fill_null(0).alias(name)
            for name, half in (("high", key.head(8)), ("low", key.tail(8)))
        ),
        is_told=is_told,
    )
    listeners = Fingerprints(*(halves[name].to_numpy() for name in ("high", "low", "is_told")))
    return listeners.joined(hash_texts(agents["user_agent"].to_list()).at(known["agent"].to_numpy()))


def _downloads(told: pl.DataFrame, ends: pl.DataFrame, consumers: Fingerprints, episodes: Fingerprints) -> Fingerprints:
    """The download of each row: all of a window that counted have the same, what was dropped from it has none."""
    rows = first_rows(ends).to_numpy()
    # A window is known by whose it is, of what, and when it began.
    times = told["time"].dt.epoch("us").to_numpy()[rows]
    names = consumers.at(rows).joined_with_numbers(times).joined(episodes.at(told["episode"].to_numpy()[rows]))
    dropped = sum(verdict == "dropped" for verdict, _ in OUTCOMES)
    stayed = ends.filter(pl.col("outcome") >= dropped).select("row", "window")
    first = pl.DataFrame({"row": rows.astype(np.uint32), "name": np.arange(len(rows), dtype=np.uint32)})
    of_window = stayed.join(first, on="row").select("window", "name").unique()
    found = stayed.join(of_window, on="window")
    return names.at(found["name"].to_numpy()).spread(found["row"].to_numpy(), told.height)
