"""User agents as logs hand them over, mended to what was sent."""

import re
from functools import cache
from typing import Final
from urllib.parse import unquote

from castline.measure.agents.rules import load_agent_rules

# What tells stands in front; the longest of real apps, in-app browsers of social networks, have about 700 characters.
LONGEST: Final = 2048
# CloudFront encodes once today and encoded twice for years; a proxy in front of it may have done so before.
_DECODINGS: Final = 3
_ENCODED: Final = re.compile(r"%[0-9A-Fa-f]{2}")
# nginx writes a quote, a backslash and every byte that is not printable ASCII as \xHH, Apache as \xHH or \".
_ESCAPED: Final = re.compile(r"(?:\\x[0-9A-Fa-f]{2})+")
_PLUS_FOR_SPACE: Final = re.compile(r"(?<=[\w;,)])\+(?=[\w(])")
_HEADER_NAME: Final = re.compile(r"user-agent:\s*", re.IGNORECASE)
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_AROUND: Final = "\"'`\ufeff\\ \t\r\n"


def repair_agent(user_agent: str) -> str:
    """The text cut to what tells, escapes and plus signs for spaces undone, without quotes around it, valid Unicode."""
    text = _decode(user_agent[:LONGEST]).strip(_AROUND)
    if header := _HEADER_NAME.match(text):
        text = text[header.end() :].strip(_AROUND)
    if "+" in text and " " not in text:
        text = _PLUS_FOR_SPACE.sub(" ", text)
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()
    return text.strip()


def spell_words(text: str) -> str:
    """A text whose letters are all small or all capital with the words of systems and engines as those write them."""
    if not (text.islower() or text.isupper()):
        return text
    # Elsewhere a word such as mobile may be part of an app's name.
    spellings = _spellings(is_page="like mac os" in text.lower() or "mozilla/" in text.lower())
    return _WORD.sub(lambda found: spellings.get(found[0].lower(), found[0]), text)


@cache
def _spellings(*, is_page: bool) -> dict[str, str]:
    # Some proxies write all letters small, or all capital; rules tell `iTMS` from `itms`.
    rules = load_agent_rules()
    return {word.lower(): word for word in (*rules.system_words, *(rules.page_words if is_page else ()))}


def _decode(text: str) -> str:
    if "\\" in text:
        text = _ESCAPED.sub(_read_bytes, text).replace('\\"', '"')
    for _ in range(_DECODINGS):
        if "%" not in text or _ENCODED.search(text) is None:
            break
        text = unquote(text)
    return text


def _read_bytes(found: re.Match[str]) -> str:
    return bytes.fromhex(found[0].replace("\\x", "")).decode("utf-8", "replace")
