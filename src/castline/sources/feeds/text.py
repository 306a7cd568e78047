"""Text, numbers and lengths of time as feeds write them."""

import html
import re
from typing import Final

_ENTITY: Final = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_CLOCK: Final = re.compile(r"(?:(\d{1,4}):)?(\d{1,4}):(\d{1,2})(?:[.,]\d+)?")
_SECONDS: Final = re.compile(r"(\d{1,9})(?:\.\d*)?(?:[eE]\+?0{0,2})?\s*(?:s|sec|secs|seconds)?\.?", re.IGNORECASE)
_WORDS: Final = re.compile(
    r"(?:P?T)?(?:(\d{1,4})\s*(?:h|hr|hrs|hours?)\.?[\s,:]*)?(?:(\d{1,5})\s*(?:m|min|mins|minutes?)\.?[\s,:]*)?"
    r"(?:(\d{1,6})(?:\.\d+)?\s*(?:s|sec|secs|seconds?)\.?)?",
    re.IGNORECASE,
)
_WHOLE: Final = re.compile(r"\+?(\d{1,18})(?:\.0*)?")
_YES: Final = frozenset({"yes", "true", "explicit", "1"})
_NO: Final = frozenset({"no", "false", "clean", "0", "not explicit"})

LONGEST_SECONDS: Final = 31 * 24 * 3600  # more than a month is milliseconds or a date, not the length of an episode
_SIXTY: Final = 60


def clean_line(text: str) -> str:
    """One line: entities that were escaped twice decoded once more, white space runs made one space."""
    if "&" in text:
        text = _ENTITY.sub(lambda found: html.unescape(found[0]), text)
    return " ".join(text.split())


def try_parse_duration(text: str) -> int | None:
    """Whole seconds, fractions cut, of `HH:MM:SS`, `MM:SS`, `3600`, `3600.5`, `1h 2m`, `PT1H2M`; else None.

    Zero and more than 31 days say nothing about an episode, so they are None too.
    """
    if text.isdecimal() and text.isascii():
        seconds = int(text[:10])
    elif found := _CLOCK.fullmatch(text):
        seconds = int(found[1] or 0) * 3600 + int(found[2]) * 60 + int(found[3])
        if int(found[3]) >= _SIXTY:
            return None
    elif found := _SECONDS.fullmatch(text) or None:
        seconds = int(found[1])
    elif text and (found := _WORDS.fullmatch(text)) and any(found.groups()):
        seconds = int(found[1] or 0) * 3600 + int(found[2] or 0) * 60 + int(found[3] or 0)
    else:
        return None
    return seconds if 0 < seconds <= LONGEST_SECONDS else None


def try_parse_whole(text: str) -> int | None:
    """A whole number that is not negative; None for anything else."""
    found = _WHOLE.fullmatch(text.strip())
    return int(found[1]) if found else None


def try_parse_float(text: str | None) -> float | None:
    """A finite number that is not negative; None for anything else."""
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None


def try_parse_flag(text: str | None) -> bool | None:
    """True for yes, true, explicit and 1, False for no, false, clean and 0; None for anything else."""
    word = (text or "").strip().lower()
    return True if word in _YES else False if word in _NO else None
