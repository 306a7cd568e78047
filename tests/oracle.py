"""A slow, plain counter, written from the rules of measurement and not from the product: what each request must become.

Requests are dictionaries with the fields of a file of requests. Who is a bot and which address is a machine's is told
by the caller; everything else is here.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from ipaddress import IPv6Address, ip_address
from typing import Any
from zoneinfo import ZoneInfo

Request = Mapping[str, Any]
End = tuple[str, str]
DAY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Rules:
    window: str = "calendar"
    tz: str = "UTC"
    mode: str = "file"
    is_bot: Callable[[str], bool] = lambda _: False
    is_machine: Callable[[str], bool] = lambda _: False


def count(requests: Sequence[Request], rules: Rules) -> list[End]:
    """(verdict, reason) of each request, in the order given; judged in order of (time, id, place)."""
    order = sorted(range(len(requests)), key=lambda place: (requests[place]["time"], requests[place]["id"], place))
    ends: dict[int, End] = {}
    consumers: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for place in order:
        request = requests[place]
        reason = drop_reason(request, rules)
        if reason:
            ends[place] = ("dropped", reason)
        else:
            consumers[consumer_ip(request["ip"]), request["user_agent"], request["episode"]].append(place)
    for places in consumers.values():
        for window in split(places, requests, rules):
            asked = [requests[place] for place in window]
            judged = judge_prefix(asked) if rules.mode == "prefix" else judge_file(asked)
            ends.update(zip(window, judged, strict=True))
    return [ends[place] for place in range(len(requests))]


def consumer_ip(text: str) -> object:
    if re.fullmatch(r"[0-9a-fA-F]{64}", text):
        return text.lower()
    address = ip_address(text)
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or address.packed[:8]
    return address


def is_probe(request: Request) -> bool:
    if request["range"] is None:
        return bool(request["status"] == 206 and request["bytes_sent"] == 2)
    return bool(request["range"] == "bytes=0-1")


def drop_reason(request: Request, rules: Rules) -> str | None:
    agent = request["user_agent"] or ""
    watch = "(null)/(null) watchOS" in agent or (agent.startswith("atc/") and "watchOS" in agent)
    is_prefix = rules.mode == "prefix"
    statuses = (None, 200, 206, 301, 302, 303, 307, 308) if is_prefix else (200, 206, 0)
    steps = (
        (request["episode"] is None, "no_episode"),
        (request["method"] != "GET", "method"),
        (request["status"] not in statuses, "status"),
        (is_probe(request) and not is_prefix, "two_byte_probe"),
        (not agent, "empty_agent"),
        (rules.is_bot(agent) and not watch, "bot"),
        (watch, "watch_duplicate"),
        (request["ip"] is None, "bad_address"),
        (request["ip"] is not None and rules.is_machine(request["ip"]), "data_centre"),
    )
    return next((reason for applies, reason in steps if applies), None)


def split(places: list[int], requests: Sequence[Request], rules: Rules) -> list[list[int]]:
    windows: list[list[int]] = []
    for place in places:
        now: datetime = requests[place]["time"]
        if windows:
            touched = requests[windows[-1][0 if rules.window == "first_touch" else -1]]["time"]
            zone = ZoneInfo(rules.tz)
            same_day = now.astimezone(zone).date() == touched.astimezone(zone).date()
            if same_day if rules.window == "calendar" else now - touched < DAY:
                windows[-1].append(place)
                continue
        windows.append([place])
    return windows


def judge_prefix(asked: list[Request]) -> list[End]:
    probes = [is_probe(request) for request in asked]
    counted = "provisional_probe" if all(probes) else "prefix"
    ends: list[End] = []
    for probe in probes:
        if probe and counted == "prefix":
            ends.append(("dropped", "two_byte_probe"))
        elif ("counted", counted) in ends:
            ends.append(("duplicate", "same_window"))
        else:
            ends.append(("counted", counted))
    return ends


def judge_file(asked: list[Request]) -> list[End]:
    wanted = [needed(request) for request in asked]
    most = max((bytes_ for bytes_, _ in wanted if bytes_ is not None), default=None)
    whole = any(is_whole for bytes_, is_whole in wanted if bytes_ == most)
    known = "size_unknown" if most is None else "whole_file" if whole else "one_minute"
    short = {"size_unknown": "size_unknown", "whole_file": "under_whole_file", "one_minute": "under_one_minute"}[known]
    got: set[tuple[int, int]] = set()
    done, ends = False, []
    for request in asked:
        silent = request["bytes_sent"] is None
        if done:
            ends.append(("duplicate", "same_window"))
            continue
        spans = [] if silent else delivered(request)
        alone = max([size for start, size in spans if start is None], default=0)
        got |= {(start, start + size) for start, size in spans if start is not None}
        if request["status"] == 200 and (silent or (most is None and request["bytes_sent"] > 0)):
            done = True
        elif most is not None:
            done = max(distinct(got), alone) >= most
        reason = "bytes_unknown" if silent else known if done else short
        ends.append(("counted" if done else "partial", reason))
    return ends


def needed(request: Request) -> tuple[Fraction | None, bool]:
    """Header and a minute of audio, or the whole file."""
    size, seconds, header = request["file_bytes"], request["duration_seconds"], request["header_bytes"] or 0
    if not size:
        return None, False
    if not seconds or seconds < 60 or header >= size:
        return Fraction(size), True
    minute = header + Fraction(size - header) * 60 / Fraction(seconds)
    return Fraction(-(-minute.numerator // minute.denominator)), False


def delivered(request: Request) -> list[tuple[int | None, int]]:
    """(first byte, how many were sent) of each range; no first byte where nobody can know it."""
    sent, text, size = request["bytes_sent"], request["range"], request["file_bytes"]
    if request["status"] == 200:
        return [(0, sent)]
    if text is None or not re.fullmatch(r"bytes=(\d+-\d*|-\d+)(,(\d+-\d*|-\d+))*", text):
        return [(None, sent)]
    found: list[tuple[int | None, int]] = []
    for part in text.removeprefix("bytes=").split(","):
        first, last = bounds(part, size)
        took = sent if first is None or last is None else max(min(sent, last - first + 1), 0)
        found.append((first, took))
        sent -= took
    return found


def bounds(part: str, size: int | None) -> tuple[int | None, int | None]:
    """The first and the last byte that a range asks for, each None where nobody can know it."""
    begin, _, end = part.partition("-")
    if not begin:
        return (None, None) if size is None else (max(size - int(end), 0), size - 1)
    first, last = int(begin), int(end) if end else None
    if size is not None and first < size:
        last = size - 1 if last is None else min(last, size - 1)
    return first, last


def distinct(spans: set[tuple[int, int]]) -> int:
    total, reached = 0, 0
    for start, end in sorted(spans):
        total += max(end - max(start, reached), 0)
        reached = max(reached, end)
    return total
