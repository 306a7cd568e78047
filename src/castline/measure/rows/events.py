"""Downloads as rows of `listener_events`, in the binary form of COPY: a slice at a time, so that the server works
meanwhile."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from hashlib import blake2b
from typing import Final
from uuid import UUID

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa  # type: ignore[import-untyped]  # it ships no types

from castline.measure.judge import Judged
from castline.measure.rows.binary_copy import (
    HEAD,
    NULL,
    TAIL,
    as_binary,
    encode_distinct,
    encode_field,
    encode_fixed,
    encode_ids,
    encode_same,
    encode_text,
    encode_times,
    join_columns,
)

Words = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]
EVENT_COLUMNS: Final = (
    "event_id", "timestamp", "podcast_id", "episode_id", "event_type", "listener_key", "run_id", "ip_address",
    "country_code", "platform", "device_type", "device_os", "user_agent", "metadata", "campaign_id",
)  # fmt: skip
# How a download was seen: in a log of files or of streams, or by a redirect in front of them (labelled, PTM v2.3).
FILE: Final = "file"
_SLICE: Final = 1 << 15  # rows, some 9 MB
# An inet: its family, the bits of its network, whether it is a cidr, the length of the address.
_V4, _V6 = 2, 3
_V4_BITS, _V6_BITS = 32, 128
_V4_WIDTH: Final = len("255.255.255.255/32 ")
_V6_WIDTH: Final = len("ffff:ffff:ffff ")
_V6_TAIL: Final = "::/48"
_DIGITS: Final = np.full(256, 255, np.uint8)
_DIGITS[list(b"0123456789abcdef")] = range(16)


@dataclass(frozen=True, slots=True)
class EventRows:
    """The rows of judged downloads, the same each time but for the run; iterated, what COPY takes, piece by piece.

    `carried` has a row per download: the `campaign_id` whose ads came with it, and `ads`, a part of its metadata.
    """

    judged: Judged
    carried: pl.DataFrame
    owner_id: UUID
    run_id: UUID

    def __iter__(self) -> Iterator[bytes | memoryview]:
        return self._iter_rows(0, self.judged.downloads.height)

    def iter_weeks(self) -> Iterator[tuple[date, Iterator[bytes | memoryview]]]:
        """The Monday of each week that has rows, and its rows as one COPY takes them."""
        weeks = self.judged.downloads["day_on"].dt.truncate("1w").rle().struct.unnest()
        start = 0
        for monday, count in weeks.select("value", "len").iter_rows():
            yield monday, self._iter_rows(start, start + count)
            start += count

    def _iter_rows(self, start: int, end: int) -> Iterator[bytes | memoryview]:
        yield HEAD
        if start < end:
            described, places = _describe_all(self.judged, self.carried)
            known = _Known(self.judged, self.owner_id)
            for first in range(start, end, _SLICE):
                last = min(first + _SLICE, end)
                rows = self.judged.downloads.slice(first, last - first)
                yield join_columns(
                    self._fixed(rows, known),
                    _encode_addresses(rows["ip"]),
                    encode_distinct(rows["country"], encode_text),
                    described.take(pa.array(places[first:last])),
                )
        yield TAIL

    def _fixed(self, rows: pl.DataFrame, known: "_Known") -> pa.Array:
        """The fields of one length of some rows."""
        keys = _read_keys(rows)
        episodes = rows["episode"].to_numpy()
        columns = {
            "event_id": known.event_ids(rows, keys).view("V16")[:, 0],
            "timestamp": encode_times(rows["time"]),
            **{name: ids[episodes] for name, ids in known.uuids.items()},
            "event_type": encode_same(b"download"),
            "listener_key": keys,
            "run_id": encode_same(self.run_id.bytes),
        }
        return encode_fixed(columns, len(EVENT_COLUMNS))


class _Known:
    """What belongs to agents and episodes, made once for each."""

    def __init__(self, judged: Judged, owner_id: UUID) -> None:
        self.uuids = {name: encode_ids(judged.episodes[name]) for name in ("podcast_id", "episode_id")}
        self._agents = hash_words(judged.agents["user_agent"], b"agent" + owner_id.bytes)
        self._episodes = hash_words(judged.episodes["episode_id"], b"episode" + owner_id.bytes)

    def event_ids(self, rows: pl.DataFrame, keys: npt.NDArray[np.void]) -> npt.NDArray[np.uint64]:
        """The halves, big-endian, of a UUID of version 8 per download: its time in milliseconds, then bits of a hash.

        The 48 bits of time come first. The hash is of its window: account, UTC day, listener, user agent and episode.
        Each part is a cryptographic hash already or becomes one (once per distinct value), so their mixture is as good
        as a hash of the whole.
        """
        words = keys.view(">u8").astype(np.uint64).reshape(-1, 2)
        high, low = words[:, 0], words[:, 1]
        for table, numbers in ((self._agents, rows["agent"]), (self._episodes, rows["episode"])):
            found = table[numbers.to_numpy()]
            high, low = mix_words(high ^ found[:, 0]), mix_words(low ^ found[:, 1])
        days = rows["day_on"].to_physical().to_numpy().astype(np.uint64)
        high, low = mix_words(high + days), mix_words(low ^ (high + days))
        millis = rows["time"].dt.epoch("ms").to_numpy().astype(np.uint64) & np.uint64((1 << 48) - 1)
        ids = np.empty((len(high), 2), ">u8")
        ids[:, 0] = (millis << np.uint64(16)) | np.uint64(0x8000) | (high & np.uint64(0x0FFF))
        ids[:, 1] = np.uint64(1 << 63) | (low & np.uint64((1 << 62) - 1))
        return ids


def event_ids(judged: Judged, owner_id: UUID) -> Words:
    """The halves of the id of each download, in order."""
    rows = judged.downloads
    return _Known(judged, owner_id).event_ids(rows, _read_keys(rows)).astype(np.uint64)


def _read_keys(rows: pl.DataFrame) -> npt.NDArray[np.void]:
    return np.frombuffer(b"".join(rows["listener_key"].to_list()), "V16")


def _describe_all(judged: Judged, carried: pl.DataFrame) -> tuple[pa.Array, Ints]:
    """The fields that an agent, the source and the ads of a download fill: each combination once, and its place."""
    downloads = judged.downloads
    source, campaign = downloads["delivery"].fill_null(FILE), carried["campaign_id"].fill_null("")
    told = [number_values(values) for values in (source, campaign, carried["ads"])]
    number = downloads["agent"].to_numpy().astype(np.int64)
    size = judged.agents.height
    for values, numbers in told:
        number = number + numbers * size
        size *= len(values)
    distinct = pl.Series(number).unique().sort().to_numpy()
    agents = judged.agents.select("platform", "device_type", "device_os", "user_agent", "app").rows()
    blobs = []
    for combined in distinct.tolist():
        rest, agent = divmod(combined, len(agents))
        facts = []
        for known, _ in told:
            rest, place = divmod(rest, len(known))
            facts.append(known[place])
        blobs.append(_describe(agents[agent], *facts))
    return pa.array(blobs, pa.binary()), np.searchsorted(distinct, number)


def _describe(agent: tuple[str | None, ...], source: str, campaign_id: str, ads: str) -> bytes:
    *fields, app = agent
    facts = {"app": app} if source == FILE else {"app": app, "source": source}
    metadata = b"\1" + msgspec.json.encode(facts)[:-1] + ads.encode() + b"}"
    campaign = encode_field(UUID(campaign_id).bytes) if campaign_id else NULL
    return b"".join([*map(encode_text, fields), encode_field(metadata), campaign])


def number_values(values: pl.Series) -> tuple[pl.Series, Ints]:
    """The distinct values in order, and for each row the place of its value among them."""
    distinct = values.unique().sort()
    if len(distinct) <= 1:
        return distinct, np.zeros(len(values), np.int64)
    places = values.replace_strict(distinct, range(len(distinct)), return_dtype=pl.Int64)
    return distinct, places.to_numpy()


def _encode_addresses(texts: pl.Series) -> pa.Array:
    """Addresses and networks as fields of type inet; IPv4 and IPv6 networks, most of them, all at once."""
    is_null = texts.is_null()
    is_v6 = texts.str.contains(":", literal=True).fill_null(value=False)
    is_network = is_v6 & (texts.str.len_bytes() <= _V6_WIDTH - 1 + len(_V6_TAIL)) & texts.str.ends_with(_V6_TAIL)
    is_network = is_network.fill_null(value=False)
    kinds = (
        (~is_v6 & ~is_null, _encode_v4),
        (is_network, _encode_v6_networks),
        ((is_v6 & ~is_network) | is_null, lambda rest: encode_distinct(rest, _encode_address)),
    )
    found, places, count = [], np.empty(len(texts), np.int64), 0
    for chosen, encode in kinds:
        encoded = encode(texts.filter(chosen))
        places[chosen.to_numpy()] = np.arange(count, count + len(encoded))
        found.append(encoded)
        count += len(encoded)
    return pa.concat_arrays(found).take(pa.array(places))


def _encode_address(text: str | None) -> bytes:
    if text is None:
        return NULL
    address, _, bits = text.partition("/")
    packed = socket.inet_pton(socket.AF_INET6, address)
    return encode_field(bytes([_V6, int(bits or _V6_BITS), 0, len(packed)]) + packed)


def _encode_v4(texts: pl.Series) -> pa.Array:
    """`a.b.c.d` and `a.b.c.d/bits`."""
    parts = _read_numbers(texts, (_V4_WIDTH, 5, 10))
    written = np.zeros((len(texts), 12), np.uint8)
    written[:, [3, 4, 7]] = 8, _V4, 4
    written[:, 5] = np.where(parts[:, 5], parts[:, 4], _V4_BITS)
    written[:, 8:] = parts[:, :4]
    return as_binary(written.view("V12")[:, 0])


def _encode_v6_networks(texts: pl.Series) -> pa.Array:
    """`a:b:c::/48`, and shorter where the numbers behind are nought."""
    parts = _read_numbers(texts.str.strip_suffix(_V6_TAIL), (_V6_WIDTH, 3, 16))
    written = np.zeros((len(texts), 24), np.uint8)
    written[:, [3, 4, 5, 7]] = 20, _V6, 48, 16
    written[:, 8:14] = parts[:, :3].astype(">u2").view(np.uint8)
    return as_binary(written.view("V24")[:, 0])


def _read_numbers(texts: pl.Series, form: tuple[int, int, int]) -> Ints:
    """The numbers of each text, read sign by sign for all texts at once; in the last column whether there were all.

    `form` is the width of the longest text and a blank, the most numbers in one, and their base.
    """
    width, most, base = form
    joined = texts.str.pad_end(width, " ").str.join("").to_list()
    signs = np.frombuffer("".join(joined).encode(), np.uint8).reshape(-1, width)
    numbers = np.zeros((len(signs), most + 1), np.int64)
    part, number, was_digit = np.zeros(len(signs), np.int64), np.zeros(len(signs), np.int64), np.zeros(len(signs), bool)
    for sign in np.ascontiguousarray(signs.T):
        value = _DIGITS[sign]
        is_digit = value < base
        ended = np.flatnonzero(was_digit & ~is_digit)
        numbers[ended, part[ended]] = number[ended]
        part[ended] += 1
        number = np.where(is_digit, number * base + value, 0)
        was_digit = is_digit
    numbers[:, most] = part == most
    return numbers


def hash_words(texts: pl.Series, salt: bytes) -> Words:
    """Two words per text."""
    hashed = (blake2b(text.encode(), digest_size=16, key=salt).digest() for text in texts)
    return np.frombuffer(b"".join(hashed), ">u8").astype(np.uint64).reshape(-1, 2)


def mix_words(words: Words) -> Words:
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014), which no two words share."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
