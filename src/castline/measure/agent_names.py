"""What can be read off a user agent's own text: how it is mended, where it runs, and what it calls itself."""

import re
from typing import Final
from urllib.parse import unquote

# What tells stands in front; the longest of real apps, in-app browsers of social networks, have about 700 characters.
LONGEST: Final = 2048
_CLIENT: Final = re.compile(
    r"CFNetwork/|Darwin/|ExoPlayerLib|AndroidXMedia3|AppleCoreMedia|Alamofire|Dalvik/|stagefright|"
    r"\b(?:iOS|iPhone|iPad|iPod|iPadOS|Android|watchOS|tvOS|visionOS|macOS|CarPlay|HomePod)\b|"
    r"[/_ -](?:ios|android|wear)\b|^(?:Android|iOS)[_ -]|\b(?:ios|android)\d*[/ ;)]",
)
# A player's or an app's own network library: whatever the name in front says, somebody's device speaks.
_PLAYERS: Final = ("CFNetwork/", "ExoPlayerLib", "AndroidXMedia3", "AppleCoreMedia/", "NetworkDownloader/", " BMID/")
_PACKAGE: Final = re.compile(r"(?:com|org|net|app|io|fm|tv|[a-z]{2})(?:\.[A-Za-z_]\w*){2,}(?:[/ ;(]|$)")
_ADDRESS: Final = re.compile(
    r"https?:|www\.|\S@\S+\.\w|\b[\w-]+\.(?:com|org|net|io|fm|ai|dev|app|co|de|fr|uk)\b|\+[\w.-]+", re.IGNORECASE
)
_IN_BRACKETS: Final = re.compile(r"\((?:[^()]|\([^()]*\))*\)")
_LISTENERS: Final = ("android", "linux; u", "iphone", "ipad", " adr ")
_DECLARED: Final = ("compatible", "http:", "https:", "@", "+http")
_BROWSER: Final = "mozilla/"
_ENGINE: Final = re.compile(
    r"Gecko/|AppleWebKit|Trident/|MSIE |KHTML|Presto/|Goanna/|\brv:\d|"
    r"Windows|Win(?:9|NT|3)|Macintosh|Mac_|X11|Linux|iPhone|iPad|Android|OS/2|BeOS|Amiga|SunOS|BSD|Symbian|J2ME|BREW",
    re.IGNORECASE,
)
_BEFORE_NETWORK: Final = re.compile(r"\s*([^/]{1,80})/\S* (?:iOS/\S+ |iP\S+ )*CFNetwork/")
_NAMED: Final = re.compile(r"\s*([^/;(\[=]{1,60}?)\s*(?:[/;(\[]|\s\S*=|\s[vV]?\d|$)")
_VERSION: Final = re.compile(r"[_\s-]+[vV]?\d+(?:\.\w+)+[\w.+-]*$|\s+v$|\s+-\s+version$")
_CAMEL: Final = re.compile(
    r"(?<=[a-z])(?:App|MobileClient|Android|I[oO]S|IPad|iPad|IPhone|iPhone|Dev|Beta|Preprod|Staging)$"
)
_WORD_SUFFIX: Final = re.compile(
    r"[\s_.-]+(?:beta|staging|dev|debug|alpha|preprod|test|prod|release|ios|macos|mac|android|iphone|ipad|tvos|wear|"
    r"for(?: apple watch)?|mobile|client|lite|pro|app|agent)$",
    re.IGNORECASE,
)
_PREFIX: Final = re.compile(r"^(?:android|ios)[\s_-]+(?=\w{3})", re.IGNORECASE)
_SHORTEST: Final = 3
_FEWEST_LETTERS: Final = 2


def repair_agent(user_agent: str) -> str:
    """The text cut to what tells, percent-encoding undone, the quotes around the whole taken off, valid Unicode."""
    text = user_agent[:LONGEST].strip().strip("\"'\ufeff")
    if "%" in text:
        text = unquote(text)
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()
    return text.strip()


def is_player(text: str) -> bool:
    """True if the network library or player of a listener's device speaks, whatever it calls itself."""
    return any(mark in text for mark in _PLAYERS)


def is_client(text: str) -> bool:
    """True if the text names the system of a listener's device."""
    return _CLIENT.search(text) is not None or _PACKAGE.match(text) is not None


def begins_as_browser(text: str) -> bool:
    """True for what begins with the word that all browsers begin with."""
    return text[: len(_BROWSER)].lower() == _BROWSER


def is_page_browser(text: str) -> bool:
    """True for what begins as a browser does and names an engine or a system."""
    return begins_as_browser(text) and _ENGINE.search(text) is not None


def has_address(text: str) -> bool:
    """True if the text says where to read about it, as machines should."""
    return _ADDRESS.search(text) is not None


def hide_device(text: str) -> str:
    """The text without the brackets that describe a phone: makers sell a Cubot, a Spider and a Butterfly."""
    return _IN_BRACKETS.sub(lambda found: "()" if _is_device(found[0]) else found[0], text)


def _is_device(brackets: str) -> bool:
    text = brackets.lower()
    return any(mark in text for mark in _LISTENERS) and not any(mark in text for mark in _DECLARED)


def find_own_name(text: str) -> str | None:
    """What an agent calls itself, without versions, systems and the word app behind it; None if it gives no name."""
    found = _BEFORE_NETWORK.match(text) or _NAMED.match(text)
    if found is None or not _is_name(found[1]):
        return None
    name = _PREFIX.sub("", _VERSION.sub("", found[1]).strip(" -_"))
    while (shorter := _cut_suffix(name)) != name:
        name = shorter
    half = name[: len(name) // 2]
    return half if len(half) >= _SHORTEST and name == f"{half} {half}" else name


def _is_name(text: str) -> bool:
    letters = sum(letter.isalpha() for letter in text)
    return letters >= _FEWEST_LETTERS and text.isprintable() and "\N{REPLACEMENT CHARACTER}" not in text


def _cut_suffix(name: str) -> str:
    shorter = _CAMEL.sub("", _WORD_SUFFIX.sub("", name)).strip(" -_")
    return shorter if len(shorter) >= _SHORTEST else name


def slug_of(name: str) -> str:
    """The name as a platform: `pocket_casts`."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:100] or "unknown"
