"""The description of methodology, written from the settings and tables in use: what a count means, in words."""

from collections.abc import Iterator
from typing import Final

from castline.measure.judge import OUTCOMES
from castline.measure.networks import INCLUDED_DAYS
from castline.measure.reasons import REASONS
from castline.measure.rules import Rulebook

_WINDOWS: Final = {
    "calendar": "a calendar day of the time zone {tz}; days on which clocks change have 23 or 25 hours",
    "first_touch": "24 hours from the first request that passed the filter; one exactly 24 hours later begins anew",
    "last_touch": "from the first request that passed the filter until 24 hours have passed without another",
}
_PROBES: Final = {"provisional": "counts provisionally, a deviation from the guidelines", "drop": "is dropped"}


def render_method(book: Rulebook) -> str:
    """The description in Markdown."""
    return "\n".join(_iter_lines(book)) + "\n"


def _iter_lines(book: Rulebook) -> Iterator[str]:
    settings = book.settings
    yield "# How downloads are counted\n"
    yield "After the IAB Tech Lab Podcast Measurement Technical Guidelines v2.3; nobody has certified it.\n"
    yield f"- Window: {_WINDOWS[settings.window].format(tz=settings.tz)}."
    yield "- Consumer: an address (IPv4 whole, IPv6 its first 64 bits, mapped IPv4 unmapped) with a user agent."
    yield "- Threshold: the union of the distinct bytes sent holds the header and 60 s of audio; a shorter file, all."
    lone = _PROBES[settings.two_byte_probe]
    yield f"- A lone two-byte probe through a prefix {lone}."
    yield f"- Watch duplicates: {_switched(settings.drop_watch_duplicates)}."
    yield f"- Data centres and VPNs: {_switched(settings.drop_data_centres)}."
    yield f"- What an operator vouches for expires after {INCLUDED_DAYS} days unless it is confirmed."
    yield f"- Preload pages: {_switched(settings.drop_preload_pages)}."
    ceiling = settings.max_downloads_per_ip_window
    yield f"- Ceiling of one address on one day: {f'{ceiling} downloads' if ceiling else 'none'}.\n"
    yield "| a request ends as | reason | which |\n|---|---|---|"
    for verdict, reason in OUTCOMES:
        yield f"| {verdict} | `{reason}` | {REASONS[reason]} |"
    yield "\n| rules and tables | version |\n|---|---|"
    for name, version in book.versions.items():
        yield f"| {name} | `{version}` |"


def _switched(is_on: bool) -> str:
    return "dropped" if is_on else "counted"
