"""Codes in words for people: one declaration for each vocabulary. Files for machines keep the codes."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final, Literal

from castline.model.figures import Term

Vocabulary = Literal[
    "app", "country", "device", "verdict", "reason", "tier", "method", "kind", "position", "batch", "ip", "source"
]
UNKNOWN: Final = "Unknown"
_WORDS: Final[Mapping[Vocabulary, Mapping[str, str]]] = {
    "app": {},  # names of apps are words already
    # The file of country names has the short ones that people sort by; one of them is shown as its owner writes it.
    "country": {"GB": "United Kingdom"},
    "device": {
        "mobile": "Phone or tablet",
        "desktop": "Computer",
        "smart_speaker": "Smart speaker",
        "smart_tv": "Television",
        "watch": "Watch",
        "car": "Car",
        "console": "Game console",
    },
    "source": {
        "file": "Log of files",
        "hls": "Log of a stream",
        "prefix": "Redirect prefix",
        "player": "Players",
    },
    "verdict": {
        "counted": "Counted",
        "duplicate": "Repeated",
        "partial": "Too little sent",
        "dropped": "Not a listener",
    },
    "reason": {
        "address_ceiling": "More than one address may count for",
        "agent_rotation": "Many agents of one address in turn",
        "ambiguous_url": "Address of several episodes",
        "bad_address": "No usable network address",
        "bot": "Bot",
        "burst": "Burst of repeats or of a crowd",
        "bytes_unknown": "Bytes sent unknown",
        "data_centre": "Data centre or VPN",
        "empty_agent": "No user agent",
        "false_agent": "False user agent",
        "farm": "Farm of addresses",
        "hls_playlist": "Table of contents of a stream",
        "method": "Not a GET request",
        "metronome": "At an even pace, like clockwork",
        "no_episode": "No episode at this address",
        "one_minute": "A minute or more of audio",
        "prefix": "Redirected by the prefix",
        "preload_page": "Preloaded by a page",
        "provisional_probe": "Probe through the prefix, provisional",
        "same_request": "Delivered twice by its source",
        "same_window": "Same listener, same episode, same window",
        "scripted_range": "Same short stretch of every episode",
        "size_unknown": "File size unknown",
        "status": "Not answered with audio",
        "sweep": "Sweep of the back catalogue",
        "two_byte_probe": "Two-byte probe",
        "under_one_minute": "Less than a minute of audio",
        "under_whole_file": "Less than the whole short file",
        "watch_duplicate": "Apple Watch repeating its phone",
        "whole_file": "The whole of a short file",
    },
    "tier": {"confirmed": "Confirmed", "modeled": "Modeled"},
    "method": {
        "promo_code": "Promo code",
        "pixel": "Pixel, household",
        "utm": "UTM or vanity link",
        "direct": "Named by the advertiser",
        "custom": "Custom id",
    },
    "kind": {"baked": "Baked in", "dynamic": "Dynamic", "host-read": "Host-read"},
    "position": {"pre": "Pre-roll", "mid": "Mid-roll", "post": "Post-roll"},
    "batch": {
        "access_log": "Access log",
        "conversions": "Conversions",
        "feed": "Feed",
        "playback": "Players' events",
        "rates": "Exchange rates",
        "withdrawn_log": "Access log, withdrawn",
    },
    "ip": {"full": "Whole", "truncated": "Truncated to their network", "none": "Not at all"},
}


def find_word(vocabulary: Vocabulary, code: str) -> str:
    """What people read for a code; a code that has no word of its own is shown without its underscores."""
    if not code or code == "unknown":
        return UNKNOWN
    if word := _WORDS[vocabulary].get(code):
        return word
    if vocabulary == "country":
        return load_countries().get(code, code)
    return code if vocabulary == "app" else code.replace("_", " ").capitalize()


def name_term(vocabulary: Vocabulary, code: str) -> Term:
    """The code with its word."""
    return Term(code, find_word(vocabulary, code))


@cache
def load_countries() -> Mapping[str, str]:
    """English names by ISO 3166 code, from the time zone database's public-domain list."""
    text = files("tzdata.zoneinfo").joinpath("iso3166.tab").read_text("utf-8")
    lines = (line.split("\t", 1) for line in text.splitlines() if line and not line.startswith("#"))
    return {code: name.replace(" & ", " and ") for code, name in lines}
