"""Which parameters of an address can tell files apart: not those that say who asks, from where, or until when."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, quote

from castline.sources.enclosure import strip_prefixes

# Parameters that hosts, players and feed hosts add to any file: they never name it.
_TRACKING_STARTS: Final = (
    "utm_",
    "x-amz-",
    "x-goog-",
    "x-ms-",
    "ad_",
    "aw_",
    "awc",
    "gclid",
    "fbclid",
    "mc_",
    "pk_",
    "_",
)
_TRACKING: Final = frozenset(
    "source src ref referrer referer feed feedid aid app client clientid cid uid user userid listener listenerid"
    " listening-session-id session sessionid sid device deviceid player platform nocache cache cb cachebuster rnd rand"
    " random t ts time timestamp expires exp expiry signature sig sign hmac token apikey api_key auth policy"
    " key-pair-id awsaccesskeyid googleaccessid se sp sr sv st ip country geo redirect via origin dest-id not_before"
    " dist distribution companion context consent gdpr us_privacy lat ifa dnt stitched rss tracking".split()
)
_NAMING: Final = frozenset(
    "id episode episodeid episode_id ep epid ep_id e guid uuid file filename name media mediaid media_id track item"
    " itemid item_id post postid post_id p podcast_episode show_episode awepisodeid asset assetid asset_id path url"
    " audio audioid audio_id number nr no n slug title".split()
)
# Beside an audio file's own name only these may tell it from others.
NAMES_AUDIO: Final = r"(?i)(?:^|&)(?:id|episode|episodeid|episode_id|ep|epid|ep_id|guid|file|filename|awepisodeid)="
ENDS_AS_AUDIO: Final = r"(?i)\.(?:mp3|m4[abv]|mp4|aac|og[ga]|opus|flac|wav|mpga)$"
# An address that ends like a file names it by itself.
NAMES_ITSELF: Final = (
    r"(?i)\.(?:mp3|m4[abv]|mp4|aac|og[ga]|opus|flac|wav|webm|mpga|ts|m4s|cmf[avt]|m3u8|jpe?g|png|gif|svg|webp|ico|css|js"
    r"|xml|rss|json|txt|html?|woff2?|map|vtt|srt|pdf)$"
)
_AUDIO_NAME: Final = re.compile(NAMES_AUDIO)
_NAMES_ITSELF: Final = re.compile(NAMES_ITSELF)
_KEPT_PARAMETERS: Final = 8
_KEPT_LENGTH: Final = 200


def parse_parameters(url: str) -> Mapping[str, str]:
    """The address's parameters by name in lower case, the first of each, without those that track."""
    return _parse(strip_prefixes(url).partition("#")[0].partition("?")[2])


def keep_parameters(query: str, *, is_audio: bool) -> str:
    """What of a query may name a file, with its question mark: nothing that tracks, no mail address, no long text.

    Of an audio file's query only names for files.
    """
    told = [
        (name, value)
        for name, value in _parse(query).items()
        if "@" not in value and len(value) <= _KEPT_LENGTH and (not is_audio or _AUDIO_NAME.match(f"{name}="))
    ]
    kept = "&".join(f"{quote(name)}={quote(value)}" for name, value in sorted(told)[:_KEPT_PARAMETERS])
    return f"?{kept}" if kept else ""


def _parse(query: str) -> dict[str, str]:
    found: dict[str, str] = {}
    if query:
        for name, value in parse_qsl(query, keep_blank_values=True):
            lower = name.lower()
            if not is_tracking(lower):
                found.setdefault(lower, value)
    return found


def is_tracking(name: str) -> bool:
    """True for a parameter that says nothing of the file, whatever its value."""
    return name in _TRACKING or name.startswith(_TRACKING_STARTS)


def naming_key(url: str, key: str) -> str:
    """The file's key with the parameters that name it, where no feed tells: only behind a script's name.

    An address that ends like media names its file by itself.
    """
    if _NAMES_ITSELF.search(key):
        return key
    named = sorted((name, value) for name, value in parse_parameters(url).items() if name in _NAMING)
    return f"{key}?{'&'.join(f'{name}={value}' for name, value in named)}" if named else key
