"""X-Forwarded-For: who asked, as a proxy says, where the operator says that the proxy may be believed."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

import polars as pl

from castline.base.config import Network

_LONGEST: Final = 2000  # a header beyond this is no list of proxies


def replace_addresses(found: pl.DataFrame, trusted: Sequence[Network]) -> pl.DataFrame:
    """`address` is the last address in `forwarded` that is no trusted proxy; unchanged where there is none.

    Only what a trusted proxy appended can be believed: the entries in front are the client's own words. With trusted
    networks, a line counts only if its own address is in one; without, every server that wrote the log is believed,
    and so is one that writes no other address.
    """
    if "forwarded" not in found.columns:
        return found
    if "address" not in found.columns:
        return _take_forwarded(found, trusted)
    pairs = found.select("address", "forwarded").unique().filter(pl.col("forwarded").is_not_null())
    seen = [_find_client(peer, header, trusted) for peer, header in pairs.iter_rows()]
    known = pairs.with_columns(_client=pl.Series(seen, dtype=pl.String))
    joined = found.join(known, on=["address", "forwarded"], how="left", nulls_equal=True, maintain_order="left")
    return joined.with_columns(address=pl.coalesce("_client", "address")).drop("_client")


def _take_forwarded(found: pl.DataFrame, trusted: Sequence[Network]) -> pl.DataFrame:
    headers = found["forwarded"].drop_nulls().unique()
    known = {header: _last_foreign(header, trusted) for header in headers}
    return found.with_columns(address=pl.col("forwarded").replace_strict(known, default=None, return_dtype=pl.String()))


def _find_client(peer: str | None, header: str, trusted: Sequence[Network]) -> str | None:
    sender = _try_address(peer or "")
    if trusted and (sender is None or not _is_in(sender, trusted)):
        return None
    return _last_foreign(header, trusted)


def _last_foreign(header: str, trusted: Sequence[Network]) -> str | None:
    for entry in reversed(header[-_LONGEST:].split(",")):
        address = _try_address(entry)
        if address is None:
            return None
        if not _is_in(address, trusted):
            return str(address)
    return None


def _try_address(text: str) -> IPv4Address | IPv6Address | None:
    bare = text.strip()
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        return ip_address(bare)
    except ValueError:
        return None


def _is_in(address: IPv4Address | IPv6Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks if network.version == address.version)
