"""Rollups add up: what two parts of the downloads sum to is what all of them do."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from castline.measure.rows.rollup import Rollup, compute_rollup, find_carried
from make import make_id
from make_listening import APPS, Download, judged_of

MONDAY = datetime(2026, 9, 7, tzinfo=UTC)
_downloads = st.lists(
    st.builds(
        Download,
        at=st.integers(0, 3 * 86_400).map(lambda seconds: MONDAY + timedelta(seconds=seconds)),
        episode_id=st.sampled_from([make_id(10), make_id(11)]),
        podcast_id=st.just(make_id(1)),
        listener=st.integers(1, 6),
        app=st.sampled_from(APPS),
        country=st.sampled_from(["SE", "NO", None]),
        device=st.sampled_from(["mobile", "desktop"]),
        source=st.sampled_from([None, "prefix"]),
    ),
    min_size=1,
    max_size=40,
)


def _rollup(downloads: list[Download]) -> Rollup:
    judged = judged_of(downloads)
    return compute_rollup(judged, find_carried(judged), make_id(6))


def _sums(frame: pl.DataFrame, span: str, metric: str = "downloads") -> Counter[tuple[object, ...]]:
    rows = frame.filter(pl.col("metric") == metric).select(span, "podcast_id", "dimension", "member", "value")
    return Counter({row[:-1]: row[-1] for row in rows.iter_rows()})


@given(_downloads, _downloads)
def test_the_rollup_of_two_parts_is_the_sum_of_their_rollups(one: list[Download], other: list[Download]) -> None:
    parts, whole = [_rollup(one), _rollup(other)], _rollup(one + other)
    for span, frames in (("hour_at", [part.hourly for part in parts]), ("day_on", [part.daily for part in parts])):
        merged = _sums(frames[0], span) + _sums(frames[1], span)
        assert merged == _sums(whole.hourly if span == "hour_at" else whole.daily, span)


@given(_downloads)
def test_every_dimension_sums_to_the_total_and_hours_to_their_day(downloads: list[Download]) -> None:
    rollup = _rollup(downloads)
    for frame, span in ((rollup.hourly, "hour_at"), (rollup.daily, "day_on")):
        sums = Counter[tuple[object, ...]]()
        for (moment, podcast, dimension, _), value in _sums(frame, span).items():
            sums[moment, podcast, dimension] += value
        totals = {key[:2]: value for key, value in sums.items() if key[2] == "total"}
        dimensions = {"total", "episode", "app", "country", "device", "source", "campaign"}
        assert {dimension for *_, dimension in sums} == dimensions
        assert all(totals[key[:2]] == value for key, value in sums.items())
    hours = Counter[str]()
    for (hour, _, dimension, _), value in _sums(rollup.hourly, "hour_at").items():
        hours[str(hour)[:10]] += value * (dimension == "total")
    days = {str(key[0]): value for key, value in _sums(rollup.daily, "day_on").items() if key[2] == "total"}
    assert hours == days


@given(_downloads)
def test_consumers_of_a_day_are_distinct_listeners_with_their_agents(downloads: list[Download]) -> None:
    heard = {(item.at.date(), item.listener, item.app, item.device) for item in downloads}
    expected = Counter(day for day, *_ in heard)
    found = {key[0]: value for key, value in _sums(_rollup(downloads).daily, "day_on", "consumers").items()}
    assert found == expected
