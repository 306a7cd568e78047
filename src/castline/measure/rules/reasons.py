"""Which requests end for each reason, in words: of the description of methodology and of reports."""

from collections.abc import Mapping
from typing import Final

REASONS: Final[Mapping[str, str]] = {
    "same_request": "a request that its source delivered before, by the id that the source gives it",
    "no_episode": "an address that is no episode's",
    "ambiguous_url": "an address that is several episodes'",
    "method": "everything but GET",
    "status": "everything but 200 and 206 (Akamai's 000 is an aborted 206); through a prefix its redirects pass",
    "hls_playlist": "the table of contents of a stream",
    "two_byte_probe": "a request for bytes 0-1 alone",
    "empty_agent": "no user agent",
    "false_agent": "a user agent that no client sends of itself",
    "bot": "a user agent by which nobody listens",
    "watch_duplicate": "an Apple Watch that asks again for what the phone loaded",
    "bad_address": "no address, or what is none",
    "data_centre": "an address of a data centre or VPN that is neither a relay of people's nor vouched for",
    "preload_page": "a Referer that proves that nobody listens: validators, editors, preload pages",
    "address_ceiling": "downloads of one address on one day beyond the ceiling",
    "sweep": "a consumer or an address that works off a catalogue and comes back to nothing",
    "metronome": "requests that keep time around the clock, or for an hour at a machine's pace",
    "scripted_range": "the same short stretch of episode after episode, and none gone on with",
    "agent_rotation": "one address that takes a few episodes under many agents, evenly and unlike households",
    "farm": "addresses that act as one, for episodes or under agents that others do not take",
    "burst": "the same asked for within minutes by one again and again, or by a crowd, and hardly at other times",
    "under_one_minute": "the union of the bytes sent so far is less than header and one minute",
    "under_whole_file": "the file is short or of unknown length, and not all of it was sent so far",
    "size_unknown": "the file's size is not known: a 200 counts by its status, a 206 never",
    "bytes_unknown": "what was sent is not known: a 200 counts by its status, a 206 never",
    "one_minute": "header and one minute are complete",
    "whole_file": "the whole file is complete",
    "prefix": "a redirect by a prefix, which knows no bytes",
    "provisional_probe": "a lone probe through a prefix, until a larger request replaces it",
    "same_window": "the window has counted already",
}
