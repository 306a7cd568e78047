"""The description of methodology, written from the settings and tables in use: what a count means, in words."""

from collections.abc import Iterator
from typing import Final

from castline.measure.judge import OUTCOMES
from castline.measure.networks import INCLUDED_DAYS
from castline.measure.rules import Rulebook

_WINDOWS: Final = {
    "calendar": "a calendar day of the time zone {tz}; days on which clocks change have 23 or 25 hours",
    "first_touch": "24 hours from the first request that passed the filter; one exactly 24 hours later begins anew",
    "last_touch": "from the first request that passed the filter until 24 hours have passed without another",
}
_PROBES: Final = {"provisional": "counts provisionally, a deviation from the guidelines", "drop": "is dropped"}
_REASONS: Final = {
    "same_request": "a request that its source delivered before, by the id that the source gives it",
    "no_episode": "an address that is no episode's",
    "ambiguous_url": "an address that is several episodes'",
    "method": "everything but GET",
    "status": "everything but 200 and 206 (Akamai's 000 is an aborted 206); through a prefix its redirects pass",
    "hls_playlist": "the table of contents of a stream",
    "two_byte_probe": "a request for bytes 0-1 alone",
    "empty_agent": "no user agent",
    "false_agent": "a user agent that no client sends of itself",
    "bot": "a user agent by which nobody listens",
    "watch_duplicate": "an Apple Watch that asks again for what the phone loaded",
    "bad_address": "no address, or what is none",
    "data_centre": "an address of a data centre or VPN that is neither a relay of people's nor vouched for",
    "preload_page": "a Referer that proves that nobody listens: validators, editors, preload pages",
    "address_ceiling": "downloads of one address on one day beyond the ceiling",
    "under_one_minute": "the union of the bytes sent so far is less than header and one minute",
    "under_whole_file": "the file is short or of unknown length, and not all of it was sent so far",
    "size_unknown": "the file's size is not known: a 200 counts by its status, a 206 never",
    "bytes_unknown": "what was sent is not known: a 200 counts by its status, a 206 never",
    "one_minute": "header and one minute are complete",
    "whole_file": "the whole file is complete",
    "prefix": "a redirect by a prefix, which knows no bytes",
    "provisional_probe": "a lone probe through a prefix, until a larger request replaces it",
    "same_window": "the window has counted already",
}


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
        yield f"| {verdict} | `{reason}` | {_REASONS[reason]} |"
    yield "\n| rules and tables | version |\n|---|---|"
    for name, version in book.versions.items():
        yield f"| {name} | `{version}` |"


def _switched(is_on: bool) -> str:
    return "dropped" if is_on else "counted"
