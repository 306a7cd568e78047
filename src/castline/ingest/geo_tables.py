"""The tables of address ranges: the bundled ones, or the operator's own files in their place."""

import csv
import gzip
import io
import json
import os
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryDirectory
from typing import Final, Literal

import maxminddb
import numpy as np
import numpy.typing as npt
import polars as pl

from castline.base.assets import asset_path
from castline.base.clock import now
from castline.base.config import Settings
from castline.base.errors import InvalidInput, SourceUnreadable
from castline.base.ranges import AddressRange, pack_ranges

GeoKind = Literal["country", "asn"]
GEO_KINDS: Final[tuple[GeoKind, ...]] = ("country", "asn")
STALE_DAYS: Final = 90  # the measurement rules: data older than 90 days warn
_GZIP_MARK: Final = b"\x1f\x8b"
_MMDB_MARK: Final = b"\xab\xcd\xefMaxMind.com"
_MMDB_TAIL: Final = 128 * 1024  # the metadata lies in the last 128 KiB, MaxMind DB format 2.0
_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_V4: Final = 4


@dataclass(frozen=True, slots=True)
class GeoFacts:
    """What a table is: `origin` is `bundled` or the operator's file name."""

    kind: GeoKind
    title: str
    built_on: date | None
    version: str
    credit: str
    licence: str
    origin: str
    range_count: int

    @property
    def age_days(self) -> int | None:
        """How old the data are, None where their maker states no date."""
        return None if self.built_on is None else (now().date() - self.built_on).days

    @property
    def is_stale(self) -> bool:
        """True for data of more than 90 days or of no known date."""
        return self.age_days is None or self.age_days > STALE_DAYS


@dataclass(frozen=True, slots=True, eq=False)
class PackedAddresses:
    """Addresses as numbers: which of them are IPv4, which IPv6 (its first half), and their values."""

    count: int
    v4_at: npt.NDArray[np.intp]
    v4: npt.NDArray[np.uint32]
    v6_at: npt.NDArray[np.intp]
    v6: npt.NDArray[np.uint64]


def pack_addresses(packed: Sequence[bytes | None]) -> PackedAddresses:
    """The addresses that `try_pack_address` packed to 4 or 8 bytes, ready for every table; None is in neither kind."""
    sizes = np.fromiter((0 if part is None else len(part) for part in packed), np.uint8, len(packed))
    parts = [part for part in packed if part]
    v4 = np.frombuffer(b"".join(part for part in parts if len(part) == _V4), ">u4").astype(np.uint32)
    v6 = np.frombuffer(b"".join(part for part in parts if len(part) != _V4), ">u8").astype(np.uint64)
    return PackedAddresses(len(packed), np.flatnonzero(sizes == _V4), v4, np.flatnonzero(sizes > _V4), v6)


@dataclass(frozen=True, slots=True, eq=False)
class GeoTable:
    """Ranges in memory: `values` holds one value per label, None for unknown; `labels` are its maker's."""

    facts: GeoFacts
    v4_start: npt.NDArray[np.uint32]
    v4_label: npt.NDArray[np.uint32]
    v6_start: npt.NDArray[np.uint64]
    v6_label: npt.NDArray[np.uint32]
    values: pl.Series
    labels: Sequence[str]

    def lookup(self, addresses: PackedAddresses) -> pl.Series:
        """The value of each address; null where none is known."""
        labels = np.zeros(addresses.count, np.uint32)
        labels[addresses.v4_at] = self.v4_label[np.searchsorted(self.v4_start, addresses.v4, side="right") - 1]
        labels[addresses.v6_at] = self.v6_label[np.searchsorted(self.v6_start, addresses.v6, side="right") - 1]
        return self.values.gather(labels)


def load_geo_table(settings: Settings, kind: GeoKind) -> GeoTable:
    """The operator's table where there is one, else the bundled one. Raises MissingAsset, SourceUnreadable."""
    own = _own_path(settings, kind)
    path = own if own.is_file() else asset_path(f"geo/{kind}.npz")
    return _load(kind, path, path.stat().st_mtime_ns)


def load_network_names(settings: Settings) -> Mapping[int, str]:
    """Who runs each network of the table in use, by its number."""
    labels = load_geo_table(settings, "asn").labels
    return {int(number): name for number, _, name in (label.partition(" ") for label in labels) if number}


def save_geo_table(settings: Settings, paths: Sequence[Path], *, built_on: date | None = None) -> GeoFacts:
    """The files together replace one table, the country or the network one, as their content tells.

    MaxMind DB files, or CSV of first address, last address and a country code or a network number with its name; IPv4
    and IPv6 may come in files of their own. Raises SourceUnreadable, InvalidInput with the line.
    """
    found = [_read_file(path) for path in paths]
    if not found:
        raise InvalidInput(field="FILE", detail="name at least one file")
    kinds = {kind for kind, _, _ in found}
    if len(kinds) > 1:
        raise InvalidInput(field="FILE", detail="some of these files hold countries and some networks")
    kind = found[0][0]
    ranges = sorted((item for _, items, _ in found for item in items), key=lambda item: (item.bits, item.first))
    dates = [day for _, _, day in found if day is not None]
    facts = {
        "title": ", ".join(path.name for path in paths),
        "built_on": str(built_on or (min(dates) if dates else "")),
        "version": "",
        "credit": "",
        "licence": "",
        "origin": paths[0].name,
    }
    target = _own_path(settings, kind)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    draft.write_bytes(pack_ranges(ranges, facts))
    draft.replace(target)
    return load_geo_table(settings, kind).facts


def _own_path(settings: Settings, kind: GeoKind) -> Path:
    return settings.data_dir / "geo" / f"{kind}.npz"


@lru_cache(maxsize=4)
def _load(kind: GeoKind, path: Path, _changed: int) -> GeoTable:
    try:
        with np.load(path) as arrays:
            facts = json.loads(arrays["facts"].tobytes())
            labels = arrays["labels"].tobytes().decode().split("\n")
            v4_start, v4_label = arrays["v4_start"], arrays["v4_label"]
            v6_start, v6_label = arrays["v6_start"], arrays["v6_label"]
    except (OSError, ValueError, KeyError) as error:
        raise SourceUnreadable(source=path, detail=str(error)) from error
    named = GeoFacts(
        kind,
        facts["title"],
        date.fromisoformat(facts["built_on"]) if facts.get("built_on") else None,
        facts.get("version", ""),
        facts.get("credit", ""),
        facts.get("licence", ""),
        facts.get("origin", "bundled"),
        len(v4_start) + len(v6_start),
    )
    return GeoTable(named, v4_start, v4_label, v6_start, v6_label, _values(kind, labels), labels)


def _values(kind: GeoKind, labels: Sequence[str]) -> pl.Series:
    if kind == "asn":
        numbers = [int(label.partition(" ")[0]) if label else None for label in labels]
        return pl.Series("asn", numbers, pl.UInt32)
    # DB-IP writes ZZ for what no country owns.
    return pl.Series("country", [None if label in {"", "ZZ"} else label for label in labels], pl.String)


def _read_file(path: Path) -> tuple[GeoKind, list[AddressRange], date | None]:
    """The file's ranges, also where it is gzipped, as it is downloaded."""
    try:
        with path.open("rb") as file:
            if file.read(2) != _GZIP_MARK:
                return _read_plain(path)
        with TemporaryDirectory(prefix="castline-geo-") as folder:
            unpacked = Path(folder) / path.name.removesuffix(".gz")
            with gzip.open(path) as packed, unpacked.open("wb") as file:
                copyfileobj(packed, file)
            os.utime(unpacked, (path.stat().st_atime, path.stat().st_mtime))
            return _read_plain(unpacked)
    except (OSError, EOFError, zlib.error) as error:
        raise SourceUnreadable(source=path, detail=getattr(error, "strerror", None) or str(error)) from error


def _read_plain(path: Path) -> tuple[GeoKind, list[AddressRange], date | None]:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _MMDB_TAIL))
            is_mmdb = _MMDB_MARK in file.read()
        changed = datetime.fromtimestamp(path.stat().st_mtime, UTC).date()
        return _read_mmdb(path) if is_mmdb else (*_read_csv(path), changed)
    except (OSError, maxminddb.InvalidDatabaseError, UnicodeDecodeError, csv.Error) as error:
        raise SourceUnreadable(source=path, detail=getattr(error, "strerror", None) or str(error)) from error


def _read_mmdb(path: Path) -> tuple[GeoKind, list[AddressRange], date | None]:
    with maxminddb.open_database(str(path)) as reader:
        built_on = datetime.fromtimestamp(reader.metadata().build_epoch, UTC).date()
        kind: GeoKind | None = None
        ranges = []
        for network, record in reader:
            found, label = _label_of(record)
            if found is None:
                continue
            kind = kind or found
            if found == kind:
                ranges.append(_range_of(network, label))
    if kind is None:
        raise SourceUnreadable(source=path, detail="its records name neither a country code nor a network number")
    return kind, ranges, built_on


def _label_of(record: object) -> tuple[GeoKind | None, str]:
    if not isinstance(record, Mapping):
        return None, ""
    country = record.get("country") or record.get("registered_country")
    code = country.get("iso_code") if isinstance(country, Mapping) else record.get("country_code")
    if isinstance(code, str) and _COUNTRY.fullmatch(code):
        return "country", code
    number = record.get("autonomous_system_number")
    if isinstance(number, int):
        name = " ".join(str(record.get("autonomous_system_organization") or "").split())
        return "asn", f"{number} {name}".strip()
    return None, ""


def _range_of(network: IPv4Network | IPv6Network, label: str) -> AddressRange:
    return AddressRange(network.max_prefixlen, int(network.network_address), int(network.broadcast_address), label)


def _read_csv(path: Path) -> tuple[GeoKind, list[AddressRange]]:
    rows = list(_iter_rows(path))
    if not rows:
        raise SourceUnreadable(source=path, detail="it holds no row")
    kind: GeoKind = "country" if _COUNTRY.fullmatch(rows[0][1][2]) else "asn"
    return kind, [_parse_row(path, line, row, kind) for line, row in rows]


def _iter_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    for line, row in enumerate(csv.reader(io.StringIO(path.read_text("utf-8-sig"))), start=1):
        if not row or (line == 1 and not row[0][:1].isalnum()) or (line == 1 and row[0].isalpha()):
            continue
        if len(row) < len(("first", "last", "label")):
            raise SourceUnreadable(
                source=path, detail=f"line {line}: {','.join(row)[:80]!r} is not first address, last address, code"
            )
        yield line, row


def _parse_row(path: Path, line: int, row: Sequence[str], kind: GeoKind) -> AddressRange:
    try:
        first, last = (ip_address(int(text) if text.isdigit() else text) for text in row[:2])
        label = row[2].strip().upper() if kind == "country" else f"{int(row[2])} {' '.join(row[3:])}".strip()
    except ValueError as error:
        raise SourceUnreadable(source=path, detail=f"line {line}: {error}") from error
    if first.version != last.version or int(first) > int(last):
        raise SourceUnreadable(source=path, detail=f"line {line}: {row[0]} to {row[1]} is no range")
    if kind == "country" and not _COUNTRY.fullmatch(label):
        raise SourceUnreadable(source=path, detail=f"line {line}: {row[2][:20]!r} is no country code")
    return AddressRange(first.max_prefixlen, int(first), int(last), " ".join(label.split()))
