"""A slow, plain counter, written from the rules and not from the product: what each request must become."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from castline.measure.agents import classify_agent
from castline.measure.matching import KnownEpisode


@dataclass(frozen=True, slots=True)
class Asked:
    """One request; `episode` is a number in the episodes, None for something else on the server."""

    at: datetime
    key: bytes
    agent: str
    episode: int | None
    method: str | None
    status: int
    sent: int
    range: str | None


def count(requests: list[Asked], episodes: list[KnownEpisode]) -> list[tuple[str, str]]:
    """(verdict, reason) of each request, in the order given; ties in time go by that order."""
    ends: list[tuple[str, str] | None] = [None] * len(requests)
    windows: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for place in sorted(range(len(requests)), key=lambda number: (requests[number].at, number)):
        item = requests[place]
        reason = _drop_reason(item)
        if reason:
            ends[place] = ("dropped", reason)
        else:
            windows[item.at.date(), item.key, item.agent, item.episode].append(place)
    for places in windows.values():
        episode = requests[places[0]].episode
        assert episode is not None
        _judge_window(requests, places, episodes[episode], ends)
    return [end for end in ends if end is not None]


def _drop_reason(item: Asked) -> str | None:
    is_probe = item.range is None and item.status == 206 and item.sent == 2
    is_watch = item.agent.startswith("atc/") and "watchOS" in item.agent
    steps = (
        (item.episode is None and item.method is not None, "no_episode"),
        (item.method != "GET", "method"),
        (item.status not in (200, 206), "status"),
        (item.range == "bytes=0-1" or is_probe, "two_byte_probe"),
        (not item.agent, "empty_agent"),
        (classify_agent(item.agent).is_bot and not is_watch, "bot"),
        (is_watch, "watch_duplicate"),
    )
    return next((reason for applies, reason in steps if applies), None)


def _judge_window(
    requests: list[Asked], places: list[int], episode: KnownEpisode, ends: list[tuple[str, str] | None]
) -> None:
    got: list[tuple[int, int]] = []
    largest, done = 0, False
    counted = "size_unknown" if episode.needed_bytes is None else "whole_file" if episode.needs_whole else "one_minute"
    partial = {"size_unknown": "size_unknown", "whole_file": "under_whole_file", "one_minute": "under_one_minute"}
    for place in places:
        item = requests[place]
        if done:
            ends[place] = ("duplicate", "same_window")
            continue
        span = _span(item, episode)
        if span is None:
            largest = max(largest, item.sent)
        else:
            got.append(span)
        if episode.needed_bytes is None:
            done = item.status == 200
        else:
            done = max(_distinct(got), largest) >= episode.needed_bytes
        ends[place] = ("counted", counted) if done else ("partial", partial[counted])


def _span(item: Asked, episode: KnownEpisode) -> tuple[int, int] | None:
    """First byte and the one after the last, None where the log does not tell."""
    if item.status == 200:
        return 0, item.sent
    if item.range is None or not item.range.startswith("bytes=") or "," in item.range:
        return None
    first, _, last = item.range.removeprefix("bytes=").partition("-")
    if first:
        asked = int(last) - int(first) + 1 if last else item.sent
        return int(first), int(first) + max(min(asked, item.sent), 0)
    if episode.file_bytes is None or int(last) > episode.file_bytes:
        return None
    return episode.file_bytes - int(last), episode.file_bytes - int(last) + item.sent


def _distinct(spans: list[tuple[int, int]]) -> int:
    total, reached = 0, 0
    for start, end in sorted(spans):
        total += max(end - max(start, reached), 0)
        reached = max(reached, end)
    return total
