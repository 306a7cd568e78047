"""Text made fit to be shown, stored and compared: names of strangers' files may hold any byte."""

import re
from typing import Final

# Controls, line ends and halves of surrogate pairs. Joiners stay: words in Arabic and Indic scripts need them.
_UNFIT: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_FIRST_BYTE, _LAST_BYTE = 0xDC80, 0xDCFF  # PEP 383: how Python keeps a byte that is no UTF-8


def printable(text: str) -> str:
    """The text on one line that any terminal, file and database takes: what is unfit is written as an escape."""
    return _UNFIT.sub(lambda found: _escaped(found[0]), text)


def count_noun(count: int, noun: str, plural: str = "") -> str:
    """The count with its noun: `1 day`, `1,200 days`."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def normalise_name(name: str) -> str:
    """The name in small letters with single underscores: `Order ID` is `order_id`."""
    return re.sub(r"[^\w]+", "_", name.strip().casefold()).strip("_")


def _escaped(character: str) -> str:
    if _FIRST_BYTE <= ord(character) <= _LAST_BYTE:
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()
