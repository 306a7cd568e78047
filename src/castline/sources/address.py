"""Which addresses castline may fetch from: the rules against requests forged into the installation's own network.

A name is resolved once, each of its addresses is checked with what is wrapped inside it, and the connection goes to
an address that was checked. The same holds for every redirect.
"""

import ipaddress
import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Final

from yarl import URL

from castline.base.errors import EXIT_SOURCE, SourceUnreadable

IpAddress = IPv4Address | IPv6Address

_PORTS: Final = frozenset({80, 443})
_SCHEMES: Final = frozenset({"http", "https"})
_NAT64: Final = IPv6Network("64:ff9b::/96")  # RFC 6052 section 2.1
_NAT64_LOCAL: Final = IPv6Network("64:ff9b:1::/48")  # RFC 8215
_COMPATIBLE: Final = IPv6Network("::/96")  # RFC 4291 section 2.5.5.1
_ISATAP: Final = frozenset({0x0000_5EFE, 0x0200_5EFE})  # RFC 5214 section 6.1
_V4_BITS: Final = 0xFFFF_FFFF
_LONGEST: Final = 4096  # the limit of stored addresses
_UNSAFE: Final = re.compile(r"[\x00-\x20\x7f\\]")
_USERINFO: Final = re.compile(r"(?<=//)[^/?#]*@")


class AddressRefused(SourceUnreadable):
    """{source} is not fetched: {detail}"""

    fix = (
        "Only public http and https addresses on ports 80 and 443 are fetched;"
        " CASTLINE_ALLOW_PRIVATE_ADDRESSES=yes lifts this."
    )
    exit_code = EXIT_SOURCE


def show_url(url: str) -> str:
    """The address as it may appear in messages: without user name and password."""
    return _USERINFO.sub("", url)[:500]


def check_url(text: str, *, allow_private: bool = False) -> URL:
    """The address to fetch. Raises AddressRefused for another scheme or port, a forbidden address or no host at all."""
    url = _parsed(text)
    if url.scheme not in _SCHEMES:
        raise AddressRefused(
            source=show_url(text), detail=f"its scheme is {url.scheme or 'missing'}, not http or https"
        )
    host = url.raw_host
    if not host:
        raise AddressRefused(source=show_url(text), detail="it names no host")
    if not allow_private and url.port not in _PORTS:
        raise AddressRefused(source=show_url(text), detail=f"its port is {url.port}, not 80 or 443")
    if not allow_private:
        check_host(host, source=show_url(text))
    return url


def _parsed(text: str) -> URL:
    stripped = text.strip()
    if len(stripped) > _LONGEST or _UNSAFE.search(stripped):
        raise AddressRefused(source=show_url(stripped), detail="it is too long or holds white space or backslashes")
    try:
        url = URL(stripped)
        url.port  # noqa: B018  # a port that is no number is found out here
    except ValueError as error:
        raise AddressRefused(source=show_url(stripped), detail="it is no web address") from error
    return url


def check_host(host: str, *, source: str) -> None:
    """Raises AddressRefused if the host is a forbidden address written as a number or a name of this machine."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith((".localhost", ".local", ".internal")):
        raise AddressRefused(source=source, detail=f"{name} is a name of the local network")
    try:
        address = ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return
    check_address(address, source=source)


def check_address(address: IpAddress, *, source: str) -> None:
    """Raises AddressRefused unless the address, and every one wrapped inside it, is global and no multicast."""
    for one in (address, *_wrapped(address)):
        if not one.is_global or one.is_multicast or (one.is_reserved and not isinstance(one, IPv6Address)):
            within = f" (inside {address})" if one != address else ""
            raise AddressRefused(source=source, detail=f"it leads to {one}{within}, which is no public address")


def _wrapped(address: IpAddress) -> Iterator[IPv4Address]:
    """The IPv4 addresses that an IPv6 address carries: mapped, 6to4, Teredo, NAT64, compatible, ISATAP."""
    if isinstance(address, IPv4Address):
        return
    if address.ipv4_mapped:
        yield address.ipv4_mapped
    if address.sixtofour:
        yield address.sixtofour
    if address.teredo:
        yield from address.teredo
    low = IPv4Address(int(address) & _V4_BITS)
    if address in _NAT64 or address in _NAT64_LOCAL or (address in _COMPATIBLE and int(address) > 1):
        yield low
    if (int(address) >> 32) & _V4_BITS in _ISATAP:
        yield low
