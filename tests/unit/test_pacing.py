"""First days of episodes, worked out by hand."""

from datetime import date
from statistics import median

from hypothesis import given
from hypothesis import strategies as st

from castline.measure.figures.pacing import Pace, compute_pacing
from castline.store.listening.audience import EpisodeAge
from make import make_id

SHOW = make_id(1)


def episode(number: int, publish_on: date, *downloads: int) -> list[EpisodeAge]:
    rows = [
        EpisodeAge(make_id(number), SHOW, f"Episode {number}", publish_on, age, count)
        for age, count in enumerate(downloads)
    ]
    return rows or [EpisodeAge(make_id(number), SHOW, f"Episode {number}", publish_on, None, 0)]


def test_first_days_are_shown_once_they_are_over() -> None:
    # Published on the 1st, asked on the morning of the 4th: ages 0, 1 and 2 are over, 10 + 5 + 2 = 17.
    [found] = compute_pacing(episode(1, date(2026, 3, 1), 10, 5, 2, 7), date(2026, 3, 4), date(2026, 2, 1))
    assert [pace.downloads for pace in found.paces] == [10, 17, None, None, None, None]
    assert found.by_age == (10, 5, 2)


def test_an_episode_that_nobody_fetched_has_zeros_and_one_older_than_the_measuring_nothing() -> None:
    rows = episode(1, date(2026, 3, 1)) + episode(2, date(2026, 1, 1), 4)
    unheard, old = compute_pacing(rows, date(2026, 3, 9), date(2026, 2, 1))
    assert [pace.downloads for pace in unheard.paces] == [0, 0, 0, None, None, None]
    assert unheard.by_age == (0,) * 8
    assert [pace.downloads for pace in old.paces] == [None] * 6
    assert old.by_age == ()


def test_an_episode_is_set_against_the_median_of_the_others() -> None:
    # First days 10, 20, 40 and 50; beside 50 stand 10, 20, 40 with the median 20, beside 20 stand 10, 40, 50 with 40.
    rows = [row for number, count in enumerate((10, 20, 40, 50)) for row in episode(number, date(2026, 3, 1), count)]
    found = [item.paces[0] for item in compute_pacing(rows, date(2026, 3, 2), date(2026, 3, 1))]
    assert found == [
        Pace(1, 10, 40.0, 3, 0.25),
        Pace(1, 20, 40.0, 3, 0.5),
        Pace(1, 40, 20.0, 3, 2.0),
        Pace(1, 50, 20.0, 3, 2.5),
    ]


def test_two_others_are_too_few_for_a_median() -> None:
    rows = [row for number in range(3) for row in episode(number, date(2026, 3, 1), 10)]
    assert {item.paces[0] for item in compute_pacing(rows, date(2026, 3, 2), date(2026, 3, 1))} == {
        Pace(1, 10, None, 2, None)
    }


@given(st.lists(st.integers(0, 20), min_size=4, max_size=12))
def test_the_median_is_that_of_all_others(counts: list[int]) -> None:
    rows = [row for number, count in enumerate(counts) for row in episode(number, date(2026, 3, 1), count)]
    found = compute_pacing(rows, date(2026, 3, 2), date(2026, 3, 1))
    others = [counts[:place] + counts[place + 1 :] for place in range(len(counts))]
    assert [item.paces[0].median for item in found] == [median(rest) for rest in others]


def test_first_days_that_hold_a_gap_have_no_count_and_are_in_no_median() -> None:
    days = [date(2026, 3, day) for day in (1, 2, 3, 4)]
    rows = [row for place, day in enumerate(days, 1) for row in episode(place, day, 10, 10, 10)]
    found = compute_pacing(rows, date(2026, 3, 20), date(2026, 2, 1), [date(2026, 3, 6)])
    # Three days of the fourth reach to the 6th, which nobody measured.
    assert [item.paces[1].downloads for item in found] == [30, 30, 30, None]
    assert [item.paces[0].downloads for item in found] == [10] * 4
    assert [item.paces[1].median_count for item in found] == [2, 2, 2, 3]
    assert [item.paces[2].downloads for item in found] == [None] * 4
