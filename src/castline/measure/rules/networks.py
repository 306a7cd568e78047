"""Where requests come from: networks of machines, relays that carry people, places that an operator vouches for.

Our own table is networks.json; an operator's files lie in the data folder under `measure/`:
`hosting.txt`, `relays.txt` (an AS number or a network a line), `preload_pages.txt` (a part of an address a line) and
`included.csv` (network or AS number, the day it was last confirmed). `#` begins a comment.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, lru_cache
from hashlib import blake2b
from importlib.resources import files
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Final

import msgspec
import polars as pl

from castline.base.clock import now
from castline.base.config import Settings
from castline.base.errors import InvalidInput
from castline.ingest.geo_tables import load_network_names

INCLUDED_DAYS: Final = 90  # measurement rules, step 1.5: an entry expires unless it is confirmed again
Network = IPv4Network | IPv6Network
_FILES: Final = ("hosting.txt", "relays.txt", "preload_pages.txt", "included.csv")


@dataclass(frozen=True, slots=True)
class NetworkList:
    """AS numbers and networks that are treated alike."""

    numbers: frozenset[int] = frozenset()
    networks: tuple[Network, ...] = ()

    def holds(self) -> pl.Expr:
        """True for the requests from these networks, by `asn` and `ip`; never null."""
        found = pl.col("asn").is_in(sorted(self.numbers)).fill_null(value=False)
        if not self.networks:
            return found
        inside = pl.col("ip").map_batches(self._inside, return_dtype=pl.Boolean())
        return found | inside

    def _inside(self, addresses: pl.Series) -> pl.Series:
        distinct = addresses.unique()
        known = [text is not None and self._has(text) for text in distinct]
        table = pl.DataFrame({"ip": distinct, "inside": pl.Series(known, dtype=pl.Boolean)})
        joined = addresses.to_frame("ip").join(table, on="ip", how="left", nulls_equal=True, maintain_order="left")
        return joined["inside"]

    def _has(self, text: str) -> bool:
        try:
            asked = ip_network(text, strict=False)
        except ValueError:
            return False
        mapped = asked.network_address.ipv4_mapped if isinstance(asked, IPv6Network) else None
        asked = ip_network(mapped) if mapped else asked
        return any(
            asked.version == network.version and asked.subnet_of(network)  # type: ignore[arg-type]  # one version
            for network in self.networks
        )


@dataclass(frozen=True, slots=True)
class Networks:
    """What is known of the places requests come from; `version` changes with any of it."""

    hosting: NetworkList
    exempt: NetworkList
    preload_pages: str
    version: str

    def is_machine(self) -> pl.Expr:
        """True for the requests from data centres and VPNs that nobody vouches for."""
        return self.hosting.holds() & ~self.exempt.holds()


@cache
def own_networks() -> Networks:
    """The product's own table."""
    own = _own_table()
    hosting = NetworkList(frozenset(own.hosting) | frozenset(own.vpn))
    relays = NetworkList(frozenset(own.relay))
    return Networks(hosting, relays, _pages(own.preload_pages), own.version)


def load_networks(settings: Settings) -> Networks:
    """Our own table, the networks whose name says hosting, and the operator's files. Raises InvalidInput."""
    folder = settings.data_dir / "measure"
    stamps = tuple((folder / name).stat().st_mtime_ns if (folder / name).is_file() else 0 for name in _FILES)
    return _load(settings, folder, stamps, now().date())


@lru_cache(maxsize=2)
def _load(settings: Settings, folder: Path, _stamps: tuple[int, ...], today: date) -> Networks:
    own = own_networks()
    hosting, relays = (_read_list(folder / name) for name in ("hosting.txt", "relays.txt"))
    included = _read_included(folder / "included.csv", today)
    pages = [re.escape(line) for _, line in _iter_lines(folder / "preload_pages.txt")]
    numbers = own.hosting.numbers | named_hosting(load_network_names(settings)) | hosting.numbers
    told = "".join(_text(folder / name) for name in _FILES) + str(sorted(included.numbers))
    version = f"{own.version}+{blake2b(told.encode(), digest_size=4).hexdigest()}"
    return Networks(
        NetworkList(numbers, hosting.networks),
        NetworkList(own.exempt.numbers | relays.numbers | included.numbers, (*relays.networks, *included.networks)),
        "|".join([own.preload_pages, *([_pages(pages)] if pages else [])]),
        version,
    )


def named_hosting(names: Mapping[int, str]) -> frozenset[int]:
    """The numbers of networks whose name speaks of hosting and not of access for people."""
    own = _own_table()
    hosting, access = (re.compile(text, re.IGNORECASE) for text in (own.hosting_names, own.access_names))
    return frozenset(number for number, name in names.items() if hosting.search(name) and not access.search(name))


@dataclass(frozen=True, slots=True)
class _OwnTable:
    version: str
    hosting: tuple[int, ...]
    vpn: tuple[int, ...]
    relay: tuple[int, ...]
    hosting_names: str
    access_names: str
    preload_pages: tuple[str, ...]


@cache
def _own_table() -> _OwnTable:
    return msgspec.json.decode(files("castline.measure.rules").joinpath("networks.json").read_bytes(), type=_OwnTable)


def _pages(parts: Iterable[str]) -> str:
    """One pattern for the beginning of a Referer without its scheme."""
    return rf"(?i)^(?:https?://)?(?:www\.)?(?:{'|'.join(parts)})"


def _read_list(path: Path) -> NetworkList:
    return _list_of(_parse_entry(path, line, text) for line, text in _iter_lines(path))


def _read_included(path: Path, today: date) -> NetworkList:
    """The entries that were confirmed within 90 days."""
    entries = []
    for line, text in _iter_lines(path):
        place, _, day = text.partition(",")
        try:
            confirmed_on = date.fromisoformat(day.partition(",")[0].strip())
        except ValueError as error:
            raise InvalidInput(field=f"{path} line {line}", detail=f"{text!r} is not network, date") from error
        if today - confirmed_on <= timedelta(days=INCLUDED_DAYS):
            entries.append(_parse_entry(path, line, place))
    return _list_of(entries)


def _list_of(entries: Iterable[int | Network]) -> NetworkList:
    entries = list(entries)
    numbers = frozenset(entry for entry in entries if isinstance(entry, int))
    return NetworkList(numbers, tuple(entry for entry in entries if not isinstance(entry, int)))


def _parse_entry(path: Path, line: int, text: str) -> int | Network:
    text = text.strip()
    number = re.fullmatch(r"(?:AS)?([0-9]{1,10})", text, re.IGNORECASE)
    try:
        return int(number[1]) if number else ip_network(text, strict=False)
    except ValueError as error:
        raise InvalidInput(field=f"{path} line {line}", detail=f"{text!r} is no network and no AS number") from error


def _iter_lines(path: Path) -> Iterator[tuple[int, str]]:
    for line, text in enumerate(_text(path).splitlines(), start=1):
        told = text.partition("#")[0].strip()
        if told:
            yield line, told


def _text(path: Path) -> str:
    return path.read_text("utf-8") if path.is_file() else ""
