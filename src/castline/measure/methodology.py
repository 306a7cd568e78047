"""The description of methodology, written from the settings and tables in use: what a count means, in words."""

from collections.abc import Iterator, Sequence
from typing import Final

from castline.measure.behaviour.suspects import BEHAVIOUR_VERSION, BEHAVIOURS
from castline.measure.judge import OUTCOMES
from castline.measure.rules.networks import INCLUDED_DAYS
from castline.measure.rules.reasons import REASONS
from castline.measure.rules.table import Rulebook
from castline.model.measurement import MeasureSettings, Stretch

_WINDOWS: Final = {
    "calendar": "a calendar day of the time zone {tz}; days on which clocks change have 23 or 25 hours",
    "first_touch": "24 hours from the first request that passed the filter; one exactly 24 hours later begins anew",
    "last_touch": "from the first request that passed the filter until 24 hours have passed without another",
}
_PROBES: Final = {"provisional": "counts provisionally, a deviation from the guidelines", "drop": "is dropped"}
_COUNTED: Final = {
    "drop_watch_duplicates": "Apple Watch duplicates",
    "drop_data_centres": "requests from data centres and VPNs",
    "drop_preload_pages": "requests of preload pages",
}
# What the guidelines leave to the data that there are; it holds under all settings.
_LIMITS: Final = (
    "A log without a Range field does not tell the place of a 206: the largest alone must hold the minute.",
    "In logs sizes and lengths are the feed's; where dynamic insertion makes copies differ, they stand for all.",
    "A redirect prefix knows no bytes: its downloads are counted by request and labelled so.",
    "The first days whose requests are still there know nothing of windows that began before them.",
)


def render_method(book: Rulebook, stretches: Sequence[Stretch] = ()) -> str:
    """The description in Markdown; with the measured days and the settings that they stand under."""
    return "\n".join((*_iter_lines(book), *_iter_deviations(book.settings), *_iter_days(book, stretches))) + "\n"


def iter_rules(settings: MeasureSettings) -> Iterator[str]:
    """What a count under these settings means, a sentence each."""
    yield f"Window: {_WINDOWS[settings.window].format(tz=settings.tz)}."
    yield "Consumer: an address (IPv4 whole, IPv6 its first 64 bits, mapped IPv4 unmapped) with a user agent."
    yield "Threshold: the union of the distinct bytes sent holds the header and 60 s of audio; a shorter file, all."
    yield f"A lone two-byte probe through a prefix {_PROBES[settings.two_byte_probe]}."
    yield f"Watch duplicates: {_switched(settings.drop_watch_duplicates)}."
    yield f"Data centres and VPNs: {_switched(settings.drop_data_centres)}."
    yield f"What an operator vouches for expires after {INCLUDED_DAYS} days unless it is confirmed."
    yield f"Preload pages: {_switched(settings.drop_preload_pages)}."
    yield f"What behaves as no people do: {_switched(settings.drop_behaviour)}."
    ceiling = settings.max_downloads_per_ip_window
    yield f"Ceiling of one address on one day: {f'{ceiling} downloads' if ceiling else 'none'}."


def iter_deviations(settings: MeasureSettings) -> Iterator[str]:
    """Where these settings depart from the guidelines, and what the data cannot tell, a sentence each."""
    if settings.two_byte_probe == "provisional":
        yield "Deviation: a lone two-byte probe through a prefix counts until a larger request replaces it."
    for name, words in _COUNTED.items():
        if not getattr(settings, name):
            yield f"Deviation: {words} count; the guidelines drop them."
    yield from _LIMITS


def _iter_lines(book: Rulebook) -> Iterator[str]:
    settings = book.settings
    yield "# How downloads are counted\n"
    yield "After the IAB Tech Lab Podcast Measurement Technical Guidelines v2.3; nobody has certified it.\n"
    yield "\n".join(f"- {rule}" for rule in iter_rules(settings)) + "\n"
    yield "| a request ends as | reason | which |\n|---|---|---|"
    for verdict, reason in OUTCOMES:
        yield f"| {verdict} | `{reason}` | {REASONS[reason]} |"
    yield "\n| rules and tables | version |\n|---|---|"
    for name, version in book.versions.items():
        yield f"| {name} | `{version}` |"
    if settings.drop_behaviour:
        yield from _iter_behaviours()


def _iter_behaviours() -> Iterator[str]:
    yield f"\n## Behaviour that no people show (`{BEHAVIOUR_VERSION}`)\n"
    yield "Told by the UTC day, from all its requests that passed the filter and not from vouched-for networks.\n"
    yield "| reason | limits |\n|---|---|"
    for behaviour in BEHAVIOURS:
        limits = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in behaviour.limits.items())
        yield f"| `{behaviour.reason}` | {limits} |"


def _iter_deviations(settings: MeasureSettings) -> Iterator[str]:
    yield "\n## Deviations and limits\n"
    yield from (f"- {deviation}" for deviation in iter_deviations(settings))


def _iter_days(book: Rulebook, stretches: Sequence[Stretch]) -> Iterator[str]:
    if not stretches:
        return
    yield "\n## Measured days\n"
    yield "| from | to | days | settings | in use |\n|---|---|---|---|---|"
    for row in stretches:
        is_live = "yes" if row.version == book.settings.version else "no"
        yield f"| {row.first_on} | {row.last_on} | {row.day_count} | `{row.version}` | {is_live} |"


def _switched(is_on: bool) -> str:
    return "dropped" if is_on else "counted"
