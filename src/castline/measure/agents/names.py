"""What can be read off a user agent's own text: where it runs, and what it calls itself."""

import re
from collections.abc import Iterator
from typing import Final

from castline.measure.agents.rules import load_agent_rules

_CLIENT: Final = re.compile(
    r"CFNetwork/|Darwin/|ExoPlayerLib|AndroidXMedia3|AppleCoreMedia|Alamofire|Dalvik/|stagefright|"
    r"\b(?:iOS|iPhone|iPad|iPod|iPadOS|Android|watchOS|tvOS|visionOS|macOS|CarPlay|HomePod)(?:\b|\d)|"
    r"[/_ -](?:ios|android|wear)\b|^(?:Android|iOS)[_ -]|\b(?:ios|android)\d*[/ ;)]|"
    r"(?i:\b(?:podcast|radio|music|audio|media)[- ]?(?:player|app)\b(?! like)|podcatcher)",
)
# A player's or an app's own network library: whatever the name in front says, somebody's device speaks.
_PLAYERS: Final = ("CFNetwork/", "ExoPlayerLib", "AndroidXMedia3", "AppleCoreMedia/", "NetworkDownloader/", " BMID/")
_PACKAGE: Final = re.compile(r"(?:com|org|net|app|io|fm|tv|[a-z]{2})(?:\.[A-Za-z_]\w*){2,}(?:[/ ;(]|$)")
_ADDRESS: Final = re.compile(
    r"https?:|www\.|\S@\S+\.\w|\b[\w-]+\.(?:com|org|net|io|fm|ai|dev|app|co|de|fr|uk)\b|\+[\w.-]+", re.IGNORECASE
)
_WHERE: Final = re.compile(r"(?:https?://|www\.)\S+|(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}\.\w+", re.IGNORECASE)
_FIRST_WORD: Final = re.compile(r"\w[\w-]*")
_IN_BRACKETS: Final = re.compile(r"\((?:[^()]|\([^()]*\))*\)")
_LISTENERS: Final = ("android", "linux; u", "iphone", "ipad", " adr ")
_DECLARED: Final = ("compatible", "http:", "https:", "@", "+http")
_BROWSER: Final = "mozilla/"
# Telephones of old put their model where a browser says Mozilla.
_PHONE: Final = re.compile(
    r"(?:Nokia|SonyEricsson|SAMSUNG[-_ ]?(?:SGH|GT|SCH|SPH|SM)|SEC-|SIE-|MOT-|LGE?-|HTC[-_ /]|Lenovo-|ZTE[-_]|"
    r"HUAWEI[-_ ]|Alcatel|BlackBerry|PPC;|PHILIPS|SAGEM|Panasonic-|SHARP-|KDDI-|DoCoMo/|MT\d{4}|Spice |LAVA[. ]|"
    r"Micromax|Karbonn)",
    re.IGNORECASE,
)
# What a service of an app's maker calls itself in the word that has the app's name, or just behind it.
_MACHINES: Final = (
    *("bot", "crawler", "spider", "scraper", "fetcher", "parser", "ffprobe", "transcriber", "importer", "indexer"),
    *("verifier", "validator", "checker", "scanner"),
)
_MACHINE: Final = re.compile(rf"(?:{'|'.join(_MACHINES)})(?:[^a-z]|$)")
# Systems of devices that are sold with more than one.
_SYSTEMS: Final = (
    ("fireos", re.compile(r"\bAFT[A-Z]|\bAEO[A-Z]|Fire OS/")),
    ("android", re.compile(r"Android", re.IGNORECASE)),
    ("tizen", re.compile(r"Tizen|^samsung;[a-z]{0,2}\d", re.IGNORECASE)),
    ("webos", re.compile(r"Web0S|webOS", re.IGNORECASE)),
    ("ios", re.compile(r"iPhone|iPad|\biOS\b|CarPlay")),
    ("cast", re.compile(r"\bCrKey\b")),
    ("roku", re.compile(r"\broku\b", re.IGNORECASE)),
    ("windows", re.compile(r"Windows NT|\bWin(?:32|64)")),
    ("linux", re.compile(r"\bLinux\b|X11")),
)
_COMPATIBLE: Final = re.compile(
    r"\b(?:(?:like Gecko;\s*)?compatible|like Gecko);\s*([^;,/()+@:]{2,60}?)(?:\s*[/;,()+@]|\s-|\s[vV]?\d|:|\shttp|$)"
)
_ONLY_ADDRESS: Final = re.compile(r"^Mozilla/[\d.]+ \((\w[\w .-]{1,40}?)(?:/v?[\d.]+)?[;,]? ?\+?https?:")
_IN_FRONT: Final = re.compile(r"^([^/;,(\[+=]{2,60}?)(?:\s*[/;,(\[+]|\s-\s|\s[vV]?\d|\shttps?:|$)")
_OLD_BROWSER: Final = re.compile(
    r"(?:MSIE|compatible|Windows|Win\d|Mac_|U$|I$|Linux|X11|Konqueror|AOL|OmniWeb|ICab)\b.*", re.IGNORECASE
)
_ENGINE: Final = re.compile(
    r"Gecko/|AppleWebKit|Trident/|MSIE |KHTML|Presto/|Goanna/|\brv:\d|"
    r"Windows|Win(?:9|NT|3)|Macintosh|Mac_|X11|Linux|iPhone|iPad|Android|OS/2|BeOS|Amiga|SunOS|BSD|Symbian|J2ME|BREW|"
    # Makers and networks of telephones and televisions of old, whose browsers named no engine.
    r"FOMA|DoCoMo|WILLCOM|DDIPOCKET|hiptop|cellphone|BrowserInfo|AVE-Front|NetFront|EPOC|SymbOS|Java;|smart-?tv|LibWeb|"
    r"Nokia|SonyEricsson|SAMSUNG|HTC |RIM\d|KYOCERA|SANYO|Opera \d",
    re.IGNORECASE,
)
_PAGE_ENGINE: Final = re.compile(r"WebKit|Gecko|KHTML|MSIE|Presto|AVE-Front|NetFront", re.IGNORECASE)
_BEFORE_NETWORK: Final = re.compile(r"\s*([^/]{1,80})/\S* (?:iOS/\S+ |iP\S+ )*CFNetwork/")
# A whole number in front of the version belongs to the name: Studio 54/3.1.
_NAMED: Final = re.compile(
    r"\s*((?:[^/;(\[=\d]{2,40} \d{1,3}(?=/\d))|[^/;(\[=]{1,60}?)\s*(?:[/;(\[]|\s\S*=|\s[vV]?\d|$)"
)
_SITE: Final = re.compile(r"https?://(?:www\.)?([\w.-]+)")
_VERSION: Final = re.compile(
    r"[_\s-]+[vV]?\d+(?:\.\w+)+[\w.+-]*$|\s+v$|\s+-\s+(?:version|https?:|(?i:(?:podcast|radio|music) (?:player|app)))$"
)
_CAMEL: Final = re.compile(
    r"(?<=[a-z])(?:App|MobileClient|Mobile|Dev|Beta|Preprod|Staging)$|"
    r"(?:(?<=[a-z])|(?<=[A-Z]{3}))(?:Android|[iI][oO]S|[iI]Pad|[iI]Phone)(?:App)?$"
)
_GLUED: Final = re.compile(r"[a-z](?:App|Mobile)$")
_WORD_SUFFIX: Final = re.compile(
    r"[\s_.-]+(?:beta|staging|dev|debug|alpha|preprod|test|prod|release|ios|macos|mac|android|iphone|ipad|tvos|wear|"
    r"for(?: apple watch)?|mobile|client|lite|pro|app|agent|dynamo|version|linux|windows|win(?:32|64)|desktop|"
    # What the app is built or played with.
    r"dalvik|libvlc|docker|cordova|electron|flutter)$",
    re.IGNORECASE,
)
_PREFIX: Final = re.compile(r"^(?:android|ios)[\s_-]+(?=\w{3})", re.IGNORECASE)
_DOMAIN: Final = re.compile(r"\.(?:fm|com|app|io|ai|net|org|tv)$", re.IGNORECASE)
_IS_PACKAGE: Final = re.compile(r"[a-z]\w+(?:\.[A-Za-z_][\w-]*){2,4}")
_GLUED_SYSTEM: Final = re.compile(r"(?<=[a-z]{3})_?(?:app|android|ios)$", re.IGNORECASE)
_SHORTEST: Final = 3
_FEWEST_LETTERS: Final = 2


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


def names_engine(text: str) -> bool:
    """True if the text names what shows pages."""
    return _PAGE_ENGINE.search(text) is not None


def begins_as_phone(text: str) -> bool:
    """True for what begins with the model of a telephone."""
    return _PHONE.match(text) is not None


def calls_itself_machine(text: str) -> bool:
    """True if a word of machines stands in it, although no listener's device speaks."""
    small = text.lower()
    # To look for each word is ten times as fast as the pattern, which few texts then need.
    return any(word in small for word in _MACHINES) and _MACHINE.search(small) is not None and not is_player(text)


def find_machine_name(text: str) -> str | None:
    """The name that a machine gives itself in front, or where browsers say what they are compatible with."""
    if site := _SITE.match(text):
        return site[1]
    if begins_as_browser(text):
        found = _COMPATIBLE.search(text) or _ONLY_ADDRESS.search(text)
    else:
        found = None if begins_as_phone(text) else _IN_FRONT.search(text)
    if found is None or _OLD_BROWSER.match(found[1].strip()):
        return None
    name = found[1].strip(" -.'\"")
    return name if _is_name(name) and "http" not in name.lower() else None


def has_address(text: str) -> bool:
    """True if the text says where to read about it, as machines should."""
    return _ADDRESS.search(text) is not None


def has_address_of_another(text: str) -> bool:
    """True if a web or mail address stands in the text that does not contain the name in front."""
    product = _FIRST_WORD.match(text)
    addresses = _WHERE.findall(text)
    return product is not None and any(product[0].lower() not in address.lower() for address in addresses)


def hide_device(text: str) -> str:
    """The text without the brackets that describe a phone: makers sell a Cubot, a Spider and a Butterfly."""
    return _IN_BRACKETS.sub(lambda found: "()" if _is_device(found[0]) else found[0], text)


def _is_device(brackets: str) -> bool:
    text = brackets.lower()
    return any(mark in text for mark in _LISTENERS) and not any(mark in text for mark in _DECLARED)


def find_own_name(text: str) -> str | None:
    """What an agent calls itself, without versions, systems and the word app behind it; None if it gives no name.

    What begins with a web address has the name of the site.
    """
    if site := _SITE.match(text):
        return site[1]
    found = _BEFORE_NETWORK.match(text) or _NAMED.match(text)
    if found is None or not _is_name(found[1]):
        return None
    if _is_package(found[1]):
        return found[1]
    name = _PREFIX.sub("", _VERSION.sub("", found[1]).strip(" -_"))
    # Before CFNetwork stands the name of the app's own file, in which a glued App or Mobile is no addition.
    is_whole = found.re is _BEFORE_NETWORK and _GLUED.search(name) is not None
    while not is_whole and (shorter := _cut_suffix(name)) != name:
        name = shorter
    half = name[: len(name) // 2]
    return half if len(half) >= _SHORTEST and name == f"{half} {half}" else name


def _is_name(text: str) -> bool:
    letters = sum(letter.isalpha() for letter in text)
    return letters >= _FEWEST_LETTERS and text.isprintable() and "\N{REPLACEMENT CHARACTER}" not in text


def _cut_suffix(name: str) -> str:
    shorter = _CAMEL.sub("", _WORD_SUFFIX.sub("", name)).strip(" -_")
    return shorter if len(shorter) >= _SHORTEST else name


def iter_short_names(name: str) -> Iterator[str]:
    """The name, and what is left of it without the domain behind it, or without the package in front of it."""
    yield name
    yield _DOMAIN.sub("", name)
    if _PACKAGE.match(name) or name.startswith("com."):
        yield from reversed(name.split("."))


def find_name_in_package(package: str) -> str:
    """The last part that names the app, `Nabd` of com.waveline.nabd; the whole if none does, or more than five are.

    Longer packages spell a sentence, of which the last word names nothing.
    """
    if not _is_package(package):
        return package
    generic = load_agent_rules().package_words
    named = (_GLUED_SYSTEM.sub("", part) for part in reversed(package.split(".")[1:]) if part.lower() not in generic)
    name = next(named, None)
    if name is None:
        return package
    return name.capitalize() if name.islower() else name


def _is_package(text: str) -> bool:
    return _IS_PACKAGE.fullmatch(text) is not None and _PACKAGE.match(text) is not None


def find_system(text: str) -> str | None:
    """The system of a device whose maker builds in more than one; None if the text does not tell."""
    return next((system for system, pattern in _SYSTEMS if pattern.search(text)), None)


def slug_of(name: str) -> str:
    """The name as a platform: `pocket_casts`."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:100] or "unknown"
