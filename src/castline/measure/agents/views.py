"""Apps that show pages in a view of their own: the app's name stands among or behind what the engine says."""

import re
from functools import cache
from typing import Final

from castline.measure.agents.rules import load_agent_rules

# Each tells a view inside an app; what browsers say is without it or, on iOS and macOS, says Safari.
_FRAMES: Final = (" Electron/", "; wv)", ";wv)")
_APPLE: Final = re.compile(r"\((?:iPhone|iPad|iPod|Macintosh)[^)]*\) AppleWebKit/")
_APPLE_BROWSER: Final = re.compile(r"\bVersion/[\d.]+ Mobile/")
# Android's view says the version of a browser of old in front of Chrome's, also where it leaves out its own mark.
_ANDROID_VIEW: Final = re.compile(r"\bVersion/\d\.\d Chrome/")
# What the browsers that come with a telephone say ends here.
_PLAIN_END: Final = re.compile(r"(?:Gecko\)|Chrome/\S+)(?: Version/\S+)?(?: Mobile(?:/\w+)?)? Safari/[\d.]+$")
_BRACKETS: Final = re.compile(r"\((?:[^()]|\([^()]*\))*\)|\[[^\]]*\]")
_PRODUCT: Final = re.compile(r"(?:^|(?<=[\s;]))([A-Za-z][\w.+&!-]*(?: [A-Z][\w.&!-]*)*)(?:/[\w.+:-]*|(?=\s|$|;))")
# Logs cut long texts: the beginning of one of these words at the end is no name.
_OFTEN_CUT: Final = ("Safari", "Version", "Mobile", "Chrome", "Edge", "OPR", "Firefox", "Gecko")
_FIRST_PRODUCT: Final = re.compile(r"^[^/(]*(?:/[^\s(]*)?")
_SITE: Final = re.compile(r"[\w.-]+\.(?:com|org|net)")
_FEWEST_LETTERS: Final = 2


def is_framed(text: str) -> bool:
    """True for what only apps say, not browsers: a page runs in a frame that app makers build in."""
    return any(mark in text for mark in _FRAMES)


def find_view_name(text: str) -> str | None:
    """The app in whose own view a page runs; None for a browser, and for an app that leaves its name out."""
    if is_framed(text) or _is_apple_view(text):
        return find_product_name(text)
    return _find_addition(text) if _is_odd_view(text) else None


def find_browser_name(text: str) -> str | None:
    """What a browser of Android adds to what Chrome says of itself; None if it adds nothing."""
    if "Android" not in text or " Chrome/" not in text or _PLAIN_END.search(text) is not None:
        return None
    end = text.rfind("Safari/")
    return None if end < 0 else _find_addition(text[end:])


def find_added_app(text: str) -> str | None:
    """The app that says its name and version behind the library it plays with; None for the library alone."""
    name = find_product_name(_FIRST_PRODUCT.sub("", text))
    return name if name is not None and f" {name}/" in text else None


def _find_addition(text: str) -> str | None:
    name = find_product_name(text)
    # Pages add the name of their site to what the browser says.
    return None if name is None or _SITE.fullmatch(name) else name


def find_product_name(text: str) -> str | None:
    """The first product that names neither an engine nor a system."""
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


def _is_odd_view(text: str) -> bool:
    if _ANDROID_VIEW.search(text) is not None:
        return True
    return _PLAIN_END.search(text) is None and "Macintosh" not in text and _APPLE.search(text) is not None


def _is_name(text: str) -> bool:
    letters = sum(letter.isalpha() for letter in text)
    return letters >= _FEWEST_LETTERS and not any(word.startswith(text) for word in _OFTEN_CUT)
