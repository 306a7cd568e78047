"""Addresses become a keyed hash, a truncated network, a country and a network number; they themselves go no further.

Method: docs/method/downloads.md
"""

import socket
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final
from uuid import UUID

import polars as pl

from castline.base.config import IpPrivacy, Settings
from castline.base.errors import InvalidInput
from castline.ingest.geo_tables import load_geo_table, pack_addresses
from castline.store.secret import derive_key

_PURPOSE: Final = "listener"
_KEY_BYTES: Final = 16
_MAPPED: Final = bytes(10) + b"\xff\xff"  # ::ffff:0:0/96, RFC 4291 section 2.5.5.2
_V4: Final = 4
_V6_HALF: Final = 8
PLACES_SCHEMA: Final = pl.Schema(
    {
        "address": pl.String,
        "listener_key": pl.Binary,
        "ip": pl.String,
        "country": pl.String,
        "asn": pl.UInt32,
    }
)


def listener_key(settings: Settings, owner_id: UUID, ip_text: str) -> bytes:
    """The account's 16-byte keyed hash of an address: IPv4 whole, IPv6 its first 64 bits, mapped IPv4 unmapped.

    Raises InvalidInput for what is no address.
    """
    packed = try_pack_address(ip_text)
    if packed is None:
        raise InvalidInput(field="ip_address", detail=f"{ip_text[:60]!r} is no IPv4 or IPv6 address")
    return blake2b(packed, key=derive_key(settings, _PURPOSE, owner_id), digest_size=_KEY_BYTES).digest()


def listener_key_id(settings: Settings, owner_id: UUID) -> str:
    """Which secret the account's addresses are hashed with, as 16 characters that do not tell it."""
    return derive_key(settings, "listener id", owner_id).hex()[:16]


def truncate_ip(ip: str | None, privacy: IpPrivacy) -> str | None:
    """What may be kept of an address: itself, its /24 or /48 network, or nothing; None for what is no address."""
    packed = None if ip is None else try_pack_address(ip)
    if ip is None or packed is None or privacy == "none":
        return None
    if privacy == "full":
        return socket.inet_ntoa(packed) if len(packed) == _V4 else ip.partition("%")[0].lower()
    return _network_of(packed)


def try_pack_address(text: str) -> bytes | None:
    """4 bytes of an IPv4 address (also of a mapped one), the first 8 of an IPv6 address, None for anything else."""
    try:
        if ":" not in text:
            return socket.inet_pton(socket.AF_INET, text)
        packed = socket.inet_pton(socket.AF_INET6, text.partition("%")[0])
    except (OSError, ValueError, UnicodeError):
        return None
    return packed[12:] if packed.startswith(_MAPPED) else packed[:_V6_HALF]


def compute_places(settings: Settings, owner_id: UUID, addresses: Sequence[str]) -> pl.DataFrame:
    """One row per address given, of PLACES_SCHEMA; what is no address has no `listener_key`."""
    packed = [try_pack_address(address) for address in addresses]
    keyed = blake2b(key=derive_key(settings, _PURPOSE, owner_id), digest_size=_KEY_BYTES)
    numbers = pack_addresses(packed)
    country, asn = (load_geo_table(settings, kind).lookup(numbers) for kind in ("country", "asn"))
    return pl.DataFrame(
        {
            "address": addresses,
            "listener_key": [None if part is None else _digest(keyed, part) for part in packed],
            "ip": _kept(settings.ip_privacy, addresses, packed),
            "country": country,
            "asn": asn,
        },
        schema=PLACES_SCHEMA,
    )


def compute_foreign_keys(settings: Settings, owner_id: UUID, listeners: Sequence[str]) -> pl.DataFrame:
    """One row per text given, `listener` and `foreign_key`, for sources that hash addresses before we see them.

    The keys are no address's: a listener whom we also see ourselves is another one there.
    """
    keyed = blake2b(key=derive_key(settings, _PURPOSE, owner_id), digest_size=_KEY_BYTES, person=b"foreign")
    keys = [_digest(keyed, text.encode()) for text in listeners]
    return pl.DataFrame(
        {"listener": listeners, "foreign_key": keys}, schema={"listener": pl.String, "foreign_key": pl.Binary}
    )


def _digest(keyed: "blake2b", part: bytes) -> bytes:
    # A copy of the keyed state costs half of keying anew.
    state = keyed.copy()
    state.update(part)
    return state.digest()


def _kept(privacy: IpPrivacy, addresses: Sequence[str], packed: Sequence[bytes | None]) -> Sequence[str | None]:
    if privacy == "none":
        return [None] * len(packed)
    if privacy == "full":
        return [truncate_ip(address, "full") for address in addresses]
    return [
        None if part is None else _network_of(part) if ":" in address else f"{address.rpartition('.')[0]}.0/24"
        for address, part in zip(addresses, packed, strict=True)
    ]


def _network_of(packed: bytes) -> str:
    if len(packed) == _V4:
        return f"{packed[0]}.{packed[1]}.{packed[2]}.0/24"
    return f"{socket.inet_ntop(socket.AF_INET6, packed[:6] + bytes(10))}/48"
