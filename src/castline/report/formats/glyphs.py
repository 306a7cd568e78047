"""Characters that the bundled fonts cannot show, found before they stop a PDF.

PDF/UA refuses a document with a character that no font has. Such characters are replaced by U+FFFD, which the fonts
have, and named on the provenance page; `castline doctor` names their scripts.
"""

import unicodedata
from functools import cache
from typing import Final

from fontTools.ttLib import TTFont  # type: ignore[import-untyped]  # fontTools ships no types
from fontTools.unicodedata import script, script_name  # type: ignore[import-untyped]

from castline.base.assets import asset_path

FONTS: Final = ("NotoSans", "NotoSansArabic", "NotoSansJP", "NotoEmoji")
FAMILIES: Final = ("Noto Sans", "Noto Sans Arabic", "Noto Sans JP", "Noto Emoji")
REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
_SPACES: Final = frozenset("\t\n\v\f\r\x85\N{LINE SEPARATOR}\N{PARAGRAPH SEPARATOR}")
# Unicode 17.0, Default_Ignorable_Code_Point outside the planes for private use: the shaper hides them.
_IGNORABLE: Final = frozenset(
    [
        *(0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFEFF, 0xFFA0),
        *range(0x180B, 0x1810),
        *range(0x200B, 0x2010),
        *range(0x202A, 0x202F),
        *range(0x2060, 0x2070),
        *range(0xFE00, 0xFE10),
        *range(0xE0000, 0xE1000),
    ]
)


@cache
def load_coverage() -> frozenset[int]:
    """The code points that one of the bundled fonts has."""
    points: set[int] = set()
    for font in FONTS:
        with TTFont(asset_path(f"fonts/{font}-Regular.ttf"), lazy=True) as opened:
            points.update(opened.getBestCmap())
    return frozenset(points)


def find_uncovered(text: str) -> dict[str, str]:
    """The characters of `text` that no bundled font has, by the name of their script; empty if all can be shown."""
    found: dict[str, set[str]] = {}
    for character in set(text):
        if not _can_show(character):
            found.setdefault(_script_of(character), set()).add(character)
    return {name: "".join(sorted(characters)) for name, characters in sorted(found.items())}


def replace_uncovered(text: str) -> str:
    """The text on one line, with U+FFFD for each character that cannot be shown and without control characters."""
    if text.isascii() and text.isprintable():
        return text
    flat = "".join(" " if character in _SPACES else character for character in text)
    return "".join(_shown(character) for character in flat)


def is_right_to_left(text: str) -> bool:
    """Whether the first letter with a direction runs from right to left, which sets the paragraph's direction."""
    strong = (unicodedata.bidirectional(character) for character in text)
    return next((way in {"R", "AL"} for way in strong if way in {"L", "R", "AL"}), False)


@cache
def _shown(character: str) -> str:
    point = ord(character)
    is_hidden = point in _IGNORABLE and point not in load_coverage()
    if is_hidden or unicodedata.category(character) == "Cc":
        return ""
    return character if _can_show(character) else REPLACEMENT


def _can_show(character: str) -> bool:
    point = ord(character)
    return point in load_coverage() or point in _IGNORABLE or unicodedata.category(character) == "Cc"


def _script_of(character: str) -> str:
    return str(script_name(script(character))).replace("_", " ")
