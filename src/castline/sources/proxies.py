"""X-Forwarded-For: the address that a request came from, where the settings say which proxies are ours."""

from collections.abc import Iterable, Sequence
from ipaddress import ip_address

from castline.base.config import Network


def find_client(peer: str | None, headers: Iterable[str], trusted: Sequence[Network]) -> str | None:
    """The address that the request came from; proxies are believed only where the settings name them.

    The headers are read from their end: each trusted proxy vouches for the one before it, and whatever stands left of
    the first address that is no proxy of ours could have been written by anybody.
    """
    address = peer
    hops = [hop.strip() for line in headers for hop in line.split(",")]
    while address is not None and hops and is_trusted(address, trusted):
        address = _bare(hops.pop())
    return address


def is_trusted(text: str, networks: Sequence[Network]) -> bool:
    """Whether the address is one of our proxies."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return any(mapped in network for network in networks)


def _bare(hop: str) -> str:
    """An address as some proxies write it, `[2001:db8::1]:443` or `192.0.2.1:443`, without brackets and port."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop
