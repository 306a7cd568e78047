"""Dates as feeds write them: RFC 822 with every sloppiness, ISO 8601, asctime and American English."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

_MONTHS: Final = {
    name: number for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), start=1)
}
_MONTH_NAMES: Final = (
    "january february march april may june july august september october november december sept".split()
)

# Minutes east of UTC. RFC 822 section 5.1 first, then names that feeds use and that mean one zone only in practice.
_ZONES: Final = {
    "ut": 0, "utc": 0, "gmt": 0, "z": 0, "wet": 0, "uct": 0, "zulu": 0,
    "est": -300, "edt": -240, "cst": -360, "cdt": -300, "mst": -420, "mdt": -360, "pst": -480, "pdt": -420,
    "et": -300, "ct": -360, "mt": -420, "pt": -480,
    "akst": -540, "akdt": -480, "hst": -600, "hdt": -540, "ast": -240, "adt": -180, "nst": -210, "ndt": -150,
    "brt": -180, "art": -180, "clt": -240,
    "bst": 60, "west": 60, "cet": 60, "met": 60, "cest": 120, "mest": 120, "mez": 60, "mesz": 120,
    "eet": 120, "eest": 180, "sast": 120, "cat": 120, "eat": 180, "wat": 60, "msk": 180, "trt": 180,
    "ist": 330, "pkt": 300, "ict": 420, "wib": 420, "sgt": 480, "hkt": 480, "pht": 480, "awst": 480,
    "jst": 540, "kst": 540, "acst": 570, "acdt": 630, "aest": 600, "aedt": 660, "nzst": 720, "nzdt": 780,
}  # fmt: skip

_CLOCK: Final = r"(?P<hour>\d{1,2}):(?P<minute>\d{1,2})(?::(?P<second>\d{1,2})(?:[.,]\d+)?)?\s*(?P<half>[ap]\.?m\.?)?"
_ZONE: Final = r"(?P<zone>(?:GMT|UTC|UT)?\s*[+-]\s*\d{1,2}:?\d{0,2}|[A-Za-z]{1,5})?(?:\s*\([^)]*\))?"
_WEEKDAY: Final = r"(?:[^\W\d]+\.?\s*,?\s+)?"
_DAY: Final = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_MONTH: Final = r"(?P<month>[A-Za-z]{3,9})"
_USUAL: Final = re.compile(
    r"[A-Z][a-z]{2}, (\d\d?) ([A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d):(\d\d) (?:GMT|([+-])(\d\d)([0-5]\d))"
)  # what nearly every host writes
_RFC822: Final = re.compile(
    rf"(?:[^\W\d]+\.?\s*,\s*|[^\W\d]+\.?\s+)?{_DAY}[\s.,-]*{_MONTH}[\s.,-]*(?P<year>\d{{2,4}})"
    rf"(?:\s*,?\s*(?:at\s+)?{_CLOCK}\s*{_ZONE})?",
    re.IGNORECASE,
)
_AMERICAN: Final = re.compile(
    rf"{_WEEKDAY}{_MONTH}\.?\s+{_DAY},?\s+(?P<year>\d{{4}})"
    rf"(?:\s*,?\s*(?:at\s+)?{_CLOCK}\s*{_ZONE})?",
    re.IGNORECASE,
)
_ASCTIME: Final = re.compile(
    rf"{_WEEKDAY}{_MONTH}\s+{_DAY}\s+{_CLOCK}\s*(?P<zone>[A-Za-z]{{1,5}}|[+-]\d{{4}})?\s*(?P<year>\d{{4}})",
    re.IGNORECASE,
)
_ISO: Final = re.compile(
    r"(?P<year>\d{4})-?(?P<month>\d{2})(?:-?(?P<day>\d{2}))?"
    r"(?:[T\s]+(?P<hour>\d{2}):?(?P<minute>\d{2})(?::?(?P<second>\d{2})(?:[.,]\d+)?)?)?"
    rf"\s*{_ZONE}",
    re.IGNORECASE,
)
_SLASHED: Final = re.compile(
    rf"(?P<a>\d{{1,4}})[/.](?P<b>\d{{1,2}})[/.](?P<c>\d{{4}}|\d{{1,2}})(?:\s*,?\s*{_CLOCK}\s*{_ZONE})?", re.IGNORECASE
)
_EPOCH: Final = re.compile(r"(?P<seconds>\d{9,10})(?:\d{3})?")
_OFFSET: Final = re.compile(r"(?:gmt|utc|ut)?\s*([+-])\s*(\d{1,2}):?(\d{2})?", re.IGNORECASE)

_LONGEST: Final = 160  # no date is longer, however it is spaced; keeps the patterns from being fed with pages
_MIDNIGHT: Final = 24
_LEAP: Final = 60
_FIRST_YEAR: Final = 1900
_LAST_YEAR: Final = 2200
_CENTURY_PIVOT: Final = 50  # RFC 2822 section 4.3: 00-49 are 20xx, 50-99 are 19xx
_THREE_DIGITS: Final = 1000
_NOON: Final = 12
_MAX_OFFSET: Final = 14 * 60 + 59


def try_parse_date(text: str) -> datetime | None:
    """The moment in UTC, to the second; None when no rule can read it without guessing.

    A missing time is midnight and a missing or unknown zone is UTC, as feed readers do; a wrong weekday is ignored.
    """
    return _parsed(text) if len(text) <= _LONGEST else None


@lru_cache(maxsize=4096)
def _parsed(text: str) -> datetime | None:
    if found := _USUAL.fullmatch(text):
        return _usual(*found.groups())
    words = " ".join(text.split())
    for pattern in (_RFC822, _ISO, _AMERICAN, _ASCTIME):
        if found := pattern.fullmatch(words):
            return _moment(found.groupdict())
    if found := _SLASHED.fullmatch(words):
        return _slashed(found.groupdict())
    if found := _EPOCH.fullmatch(words):
        return datetime.fromtimestamp(int(found["seconds"]), UTC)
    return None


def _usual(*groups: str | None) -> datetime | None:
    day, month, year, hour, minute, second, sign, hours, minutes = groups
    parts = {"day": day, "month": month, "year": year, "hour": hour, "minute": minute, "second": second}
    return _moment({**parts, "zone": f"{sign}{hours}{minutes}" if sign and hours != "00" else None})


def _slashed(parts: dict[str, str | None]) -> datetime | None:
    first, second, third = (parts[name] or "" for name in "abc")
    if len(first) == len("2024"):
        year, month, day = first, second, third
    elif len(third) != len("2024"):
        return None
    elif int(first) > _NOON:
        year, month, day = third, second, first
    elif int(second) > _NOON:
        year, month, day = third, first, second
    else:
        return None  # 03/04/2024 is in March for some and in April for others
    return _moment({**parts, "year": year, "month": month, "day": day})


def _moment(parts: dict[str, str | None]) -> datetime | None:
    month = _month(parts["month"])
    year = _year(parts["year"] or "")
    offset = _offset(parts.get("zone"))
    if month is None or offset is None or not _FIRST_YEAR <= year <= _LAST_YEAR:
        return None
    hour, days = _hour(int(parts.get("hour") or 0), parts.get("half"))
    try:
        local = datetime(
            year,
            month,
            int(parts["day"] or 1),
            hour,
            int(parts.get("minute") or 0),
            min(int(parts.get("second") or 0), _LEAP - 1),
            tzinfo=UTC,
        )
    except ValueError:
        return None
    return local + timedelta(days=days, minutes=-offset)


def _month(text: str | None) -> int | None:
    if text is None:
        return 1
    if text.isdecimal():
        return int(text)
    name = text.lower()
    known = len(name) == len("jan") or name in _MONTH_NAMES
    return _MONTHS.get(name[:3]) if known else None


def _year(text: str) -> int:
    year = int(text)
    if len(text) == len("2024"):
        return year
    return year + (2000 if year < _CENTURY_PIVOT and len(text) == len("24") else 1900)


def _hour(hour: int, half: str | None) -> tuple[int, int]:
    if half:
        hour = hour % _NOON + (_NOON if half.lower().startswith("p") else 0)
    return (0, 1) if hour == _MIDNIGHT else (hour, 0)


def _offset(zone: str | None) -> int | None:
    """Minutes east of UTC, 0 for a name nobody knows, None for an impossible number."""
    if not zone:
        return 0
    found = _OFFSET.fullmatch(zone)
    if found is None:
        return _ZONES.get(zone.lower(), 0)
    hours, minutes = int(found[2]), int(found[3] or 0)
    total = hours * 60 + minutes
    if total > _MAX_OFFSET or minutes >= _LEAP:
        return None
    return -total if found[1] == "-" else total
