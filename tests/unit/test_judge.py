"""Judging agrees with a plain counter on whatever it is given, and with vectors worked out by hand."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from castline.measure.judge import OUTCOMES, Judged, judge
from castline.measure.rows.events import EventRows
from castline.measure.rows.rollup import find_carried
from castline.measure.rules.matching import EpisodeIndex, compute_needed_bytes
from castline.model.show import AudioKey
from castline.store.landing.files import LANDED_SCHEMA
from oracle import Rules, count

MONDAY: Final = datetime(2026, 9, 7, tzinfo=UTC)
APP, OTHER = "Overcast/3.0 (+http://overcast.fm/; iOS podcast app)", "AntennaPod/3.4.1"
WATCH = "atc/1.0 watchOS/6.2 model/Watch3,3 hwp/t8004 build/17T529 (6; dt:155)"
BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
# Half an hour at 1,000 bytes a second: a minute is 60,000 bytes. Then 30 s, unknown length, unknown size.
_SIZES: Final = ((1_800_000, 1_800), (30_000, 30), (500_000, None), (None, 1_800))
INDEX: Final = EpisodeIndex(
    AudioKey(UUID(int=1), UUID(int=number + 10), f"cdn.example.org/{number}.mp3", seconds, size)
    for number, (size, seconds) in enumerate(_SIZES)
)


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


def _plain(place: int, item: Asked) -> dict[str, Any]:
    """The request as the plain counter takes it; what is no HTTP has no path that could be no episode's."""
    size, seconds = _SIZES[item.episode or 0]
    episode = item.episode if item.method else item.episode or 0
    return {
        "id": place,
        "time": item.at,
        "ip": f"10.0.{item.key[0]}.{item.key[15]}",
        "user_agent": item.agent,
        "method": item.method,
        "status": item.status,
        "range": item.range,
        "bytes_sent": item.sent,
        "episode": episode,
        "file_bytes": size,
        "duration_seconds": seconds,
        "header_bytes": None,
    }


def _frame(requests: list[Asked], batches: list[int] | None = None) -> pl.DataFrame:
    rows = [
        {
            "batch": batches[number] if batches else 0,
            "line_number": number,
            "time": item.at,
            "listener_key": item.key,
            "ip": None,
            "country": "SE",
            "asn": None,
            "user_agent": item.agent,
            "method": item.method,
            "status": item.status,
            "range": item.range,
            "bytes_sent": item.sent,
            "host": None,
            "path": None if item.method is None else "/x.css" if item.episode is None else f"/{item.episode}.mp3",
            "referer": None,
        }
        for number, item in enumerate(requests)
    ]
    return pl.DataFrame(rows, schema={"batch": pl.UInt32(), **LANDED_SCHEMA})


def _ends(judged: Judged) -> list[tuple[str, str]]:
    rows = judged.requests.sort("line_number")["outcome"]
    return [OUTCOMES[outcome] for outcome in rows]


def _events(judged: Judged, run: int = 8) -> bytes:
    return b"".join(EventRows(judged, find_carried(judged), UUID(int=7), UUID(int=run)))


def _ask(hours: float = 0, **changed: object) -> Asked:
    usual: dict[str, object] = {"key": bytes(16), "agent": APP, "episode": 0, "method": "GET", "status": 200}
    usual |= {"sent": 1_800_000, "range": None}
    return Asked(at=MONDAY + timedelta(hours=hours), **(usual | changed))  # type: ignore[arg-type]


_ranges = st.one_of(
    st.none(),
    st.sampled_from(["bytes=0-1", "bytes=0-", "bytes=0-2,5-9", "nonsense", "bytes=-500", "bytes=9-3"]),
    st.builds(lambda first, size: f"bytes={first}-{first + size}", st.integers(0, 90_000), st.integers(0, 90_000)),
    st.builds(lambda first: f"bytes={first}-", st.integers(0, 120_000)),
)
_asked = st.builds(
    Asked,
    at=st.integers(0, 3 * 86_400).map(lambda seconds: MONDAY + timedelta(seconds=seconds - seconds % 1_800)),
    key=st.sampled_from([bytes(16), bytes(15) + b"\1", b"\1" + bytes(15)]),
    agent=st.sampled_from([APP, APP, APP, OTHER, "", BOT, WATCH]),
    episode=st.sampled_from([0, 0, 0, 0, 1, 2, 3, None]),
    method=st.sampled_from(["GET", "GET", "GET", "GET", "GET", "HEAD", None]),
    status=st.sampled_from([206, 206, 206, 206, 200, 304, 404]),
    sent=st.one_of(st.integers(0, 70_000), st.sampled_from([0, 2, 30_000, 60_000, 500_000, 1_800_000])),
    range=_ranges,
)


@given(st.lists(_asked, max_size=60))
def test_every_request_ends_as_the_plain_counter_says(requests: list[Asked]) -> None:
    plain = [_plain(place, item) for place, item in enumerate(requests)]
    assert _ends(judge(_frame(requests), INDEX)) == count(plain, Rules(is_bot=lambda agent: agent == BOT))


@given(st.lists(_asked, max_size=40), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_nothing(requests: list[Asked], chance: object) -> None:
    frame = _frame(requests)
    mixed = frame.sample(fraction=1, shuffle=True, seed=chance.randrange(1 << 30))  # type: ignore[attr-defined]
    assert judge(mixed, INDEX).downloads.equals(judge(frame, INDEX).downloads)


@given(st.lists(_asked, max_size=40))
def test_requests_delivered_twice_make_no_download_more(requests: list[Asked]) -> None:
    once, twice = (judge(_frame(given_), INDEX) for given_ in (requests, requests + requests))
    columns = ["day_on", "time", "listener_key", "agent", "episode"]
    keys = [set(judged.downloads.select(columns).iter_rows()) for judged in (once, twice)]
    # Two halves that never reached a minute stay below it: the union of the same bytes does not grow.
    assert keys[0] == keys[1]


@given(st.lists(_asked, max_size=40), st.integers(0, 40))
def test_a_log_cut_in_two_makes_the_same_events(requests: list[Asked], cut: int) -> None:
    whole = judge(_frame(requests), INDEX)
    parted = judge(_frame(requests, [int(number >= cut) for number in range(len(requests))]), INDEX)
    assert _events(whole) == _events(parted)


def test_the_calendar_window_counts_1_1_0_1() -> None:
    # The golden vector of the guidelines: Monday 22:00, Tuesday 03:00, Tuesday 22:15, Wednesday 23:15.
    found = _ends(judge(_frame([_ask(22), _ask(27), _ask(46.25), _ask(71.25)]), INDEX))
    assert [verdict for verdict, _ in found] == ["counted", "counted", "duplicate", "counted"]


def test_ten_requests_by_six_agents_behind_one_address_are_six_downloads() -> None:
    asked = [_ask(number / 10, agent=f"Pocket Casts/{number % 6}") for number in range(10)]
    judged = judge(_frame(asked), INDEX)
    assert judged.downloads.height == 6
    assert [verdict for verdict, _ in _ends(judged)] == ["counted"] * 6 + ["duplicate"] * 4


def test_a_download_bears_the_time_of_the_first_request_that_passed() -> None:
    probe = _ask(1, status=206, sent=2, range="bytes=0-1")
    parts = [_ask(hours, status=206, sent=30_000, range=f"bytes={start}-") for hours, start in ((2, 0), (3, 30_000))]
    judged = judge(_frame([probe, *parts, _ask(4)]), INDEX)
    assert _ends(judged) == [
        ("dropped", "two_byte_probe"),
        ("partial", "under_one_minute"),
        ("counted", "one_minute"),
        ("duplicate", "same_window"),
    ]
    assert judged.downloads["time"].to_list() == [MONDAY + timedelta(hours=2)]


@pytest.mark.parametrize(
    ("parts", "verdicts"),
    [
        # 60,000 bytes are a minute; the same 30,000 twice are 30,000.
        ([(0, 30_000), (0, 30_000), (0, 30_000)], "ppp"),
        ([(0, 30_000), (10_000, 30_000), (40_000, 20_000)], "ppc"),
        ([(40_000, 20_000), (0, 40_000)], "pc"),
        ([(0, 1), (100_000, 59_999)], "pc"),
        ([(0, 59_999)], "p"),
        ([(0, 60_000), (60_000, 60_000)], "cd"),
    ],
)
def test_only_distinct_bytes_add_up(parts: list[tuple[int, int]], verdicts: str) -> None:
    asked = [
        _ask(number / 10, status=206, sent=size, range=f"bytes={start}-{start + size - 1}")
        for number, (start, size) in enumerate(parts)
    ]
    found = _ends(judge(_frame(asked), INDEX))
    assert "".join(verdict[0] for verdict, _ in found) == verdicts


def test_what_was_asked_for_but_not_sent_does_not_count() -> None:
    assert _ends(judge(_frame([_ask(status=206, sent=50_000, range="bytes=0-1799999")]), INDEX)) == [
        ("partial", "under_one_minute")
    ]


def test_parts_whose_range_is_not_logged_are_never_summed() -> None:
    asked = [_ask(number, status=206, sent=50_000) for number in range(4)]
    assert {verdict for verdict, _ in _ends(judge(_frame(asked), INDEX))} == {"partial"}


def test_an_aborted_200_is_no_download() -> None:
    assert _ends(judge(_frame([_ask(sent=59_999), _ask(1, sent=60_000)]), INDEX)) == [
        ("partial", "under_one_minute"),
        ("counted", "one_minute"),
    ]


@pytest.mark.parametrize(
    ("size", "seconds", "expected"),
    [
        (28_800_000, 1_800, (960_000, False)),
        (1_000_001, 600, (100_001, False)),
        (3_000, 59, (3_000, True)),
        (3_000_000, 60, (3_000_000, False)),
        (50_000, None, (50_000, True)),
        (50_000, 0, (50_000, True)),
        (None, 1_800, (None, False)),
        (0, 1_800, (None, False)),
    ],
)
def test_a_minute_of_audio_in_bytes(size: int | None, seconds: int | None, expected: tuple[int | None, bool]) -> None:
    assert compute_needed_bytes(size, seconds) == expected


def test_a_length_of_1_in_the_feed_is_no_size() -> None:
    index = EpisodeIndex([AudioKey(UUID(int=1), UUID(int=2), "cdn.example.org/0.mp3", 1_800, 1)])
    assert [(item.file_bytes, item.needed_bytes) for item in index.episodes] == [(None, None)]


def test_header_and_a_minute_at_the_rate_of_the_rest_are_needed() -> None:
    # 1,900,000 bytes, 100,000 of them header, half an hour: 1,000 bytes a second of audio.
    assert compute_needed_bytes(1_900_000, 1_800, 100_000) == (160_000, False)


def test_an_event_id_carries_its_time_and_stays_the_same() -> None:
    judged = judge(_frame([_ask(1)]), INDEX)
    # The head of COPY's binary form has 19 bytes, then come the number of fields and the length of the first.
    first, second = (_events(judged, run)[25:41] for run in (1, 2))
    assert first == second
    event = UUID(bytes=first)
    assert (event.int >> 80, event.version, event.variant) == (
        int((MONDAY + timedelta(hours=1)).timestamp() * 1_000),
        8,
        "specified in RFC 4122",
    )
