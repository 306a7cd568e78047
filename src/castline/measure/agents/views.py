"""Apps that show pages in a view of their own: the app's name stands among or behind what the engine says."""

import re
from functools import cache
from typing import Final

from castline.measure.agents.rules import load_agent_rules

# Each tells a view inside an app; what browsers say is without it or, on iOS and macOS, says Safari.
_FRAMES: Final = (" Electron/", "; wv)", ";wv)")
_APPLE: Final = re.compile(r"\((?:iPhone|iPad|iPod|Macintosh)[^)]*\) AppleWebKit/")
_APPLE_BROWSER: Final = re.compile(r"\bVersion/[\d.]+ Mobile/")
_BRACKETS: Final = re.compile(r"\((?:[^()]|\([^()]*\))*\)|\[[^\]]*\]")
_PRODUCT: Final = re.compile(r"(?:^|(?<=\s))([A-Za-z][\w.+&!-]*(?: [A-Z][\w.&!-]*)*)(?:/[\w.+:-]*|(?=\s|$|;))")
# Logs cut long texts: the beginning of one of these words at the end is no name.
_OFTEN_CUT: Final = ("Safari", "Version", "Mobile", "Chrome", "Edge", "OPR", "Firefox", "Gecko")
_FEWEST_LETTERS: Final = 2


def is_framed(text: str) -> bool:
    """True for what only apps say, not browsers: a page runs in a frame that app makers build in."""
    return any(mark in text for mark in _FRAMES)


def find_view_name(text: str) -> str | None:
    """The app in whose own view a page runs; None for a browser, and for an app that leaves its name out."""
    if not is_framed(text) and not _is_apple_view(text):
        return None
    is_no_app = _no_app().fullmatch
    for found in _PRODUCT.finditer(_BRACKETS.sub(" ", text)):
        words = found[1].split(" ")
        while words and is_no_app(words[0]):
            words.pop(0)
        while words and is_no_app(words[-1]):
            words.pop()
        if words and _is_name(" ".join(words)):
            return " ".join(words)
    return None


@cache
def _no_app() -> re.Pattern[str]:
    return re.compile("|".join(load_agent_rules().no_app_words), re.IGNORECASE)


def _is_apple_view(text: str) -> bool:
    return "Safari/" not in text and _APPLE.search(text) is not None and _APPLE_BROWSER.search(text) is None


def _is_name(text: str) -> bool:
    letters = sum(letter.isalpha() for letter in text)
    return letters >= _FEWEST_LETTERS and not any(word.startswith(text) for word in _OFTEN_CUT)
