"""Errors say what and how to mend it; settings name their variable; periods are half-open."""

import os
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from castline.base.config import load_settings
from castline.base.errors import ConfigurationError, InvalidInput, NotFound, Transient
from castline.base.period import Period, parse_moment
from castline.base.text import count_noun, printable


def test_an_error_fills_its_message_and_its_fix_with_facts() -> None:
    error = NotFound(noun="campaign", key="Spring")
    assert (error.code, error.message, error.advice) == (
        "not_found",
        "No campaign Spring in this account.",
        "`castline campaign list` shows what there is.",
    )


def test_a_transient_error_says_when_to_come_back() -> None:
    assert Transient(detail="busy", retry_after=2.0).retry_after == 2.0


def test_settings_come_from_the_environment() -> None:
    settings = load_settings({"CASTLINE_DATA_DIR": "/srv/castline", "DATABASE_URL": "postgresql://db/x"})
    assert (settings.data_dir, settings.database_url) == (Path("/srv/castline"), "postgresql://db/x")


def test_a_setting_that_cannot_be_used_is_named() -> None:
    with pytest.raises(ConfigurationError, match="CASTLINE_PRIVACY_IP"):
        load_settings({"CASTLINE_PRIVACY_IP": "some"})


@pytest.mark.parametrize(
    ("days", "said"),
    [
        ((date(2026, 3, 2), date(2026, 3, 1)), "period: its last day 2026-03-01 is before its first, 2026-03-02"),
        ((date(2026, 3, 2), date.max), "period: 9999-12-31 has no day after it"),
    ],
)
def test_days_that_are_no_period_are_named_as_they_were_given(days: tuple[date, date], said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Period.of_days(*days)
    assert caught.value.message == said


def test_a_period_of_days_includes_both_and_ends_at_midnight() -> None:
    period = Period.of_days(date(2026, 2, 28), date(2026, 3, 1))
    assert period.end_at == datetime(2026, 3, 2, tzinfo=UTC)
    assert list(period.iter_days()) == [date(2026, 2, 28), date(2026, 3, 1)]


def test_a_period_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(InvalidInput, match="before it starts"):
        Period(datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T09:30:00+02:00", datetime(2026, 3, 1, 7, 30, tzinfo=UTC)),
        ("2026-03-01 09:30", datetime(2026, 3, 1, 9, 30, tzinfo=UTC)),
    ],
)
def test_a_moment_is_utc_unless_it_says_otherwise(text: str, moment: datetime) -> None:
    assert parse_moment(text, field="at") == moment


def test_a_moment_that_is_none_is_refused_with_its_field() -> None:
    with pytest.raises(InvalidInput, match=r"^start: 'tomorrow' is no ISO 8601"):
        parse_moment("tomorrow", field="start")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (os.fsdecode(b"caf\xe9.log"), "caf\\xe9.log"),
        ("two\nlines\x1b[2J.log", "two\\nlines\\x1b[2J.log"),
        ("half \ud83d of a pair", "half \\ud83d of a pair"),
        ('it\'s "so" و می‌خواهم.log', 'it\'s "so" و می‌خواهم.log'),
    ],
)
def test_any_name_is_shown_on_one_line(name: str, shown: str) -> None:
    assert printable(name) == shown
    assert NotFound(noun="show", key=name).message == f"No show {shown} in this account."


@pytest.mark.parametrize(
    ("count", "noun", "plural", "told"),
    [
        (0, "problem", "", "0 problems"),
        (1, "problem", "", "1 problem"),
        (1200, "problem", "", "1,200 problems"),
        (1, "day was", "days were", "1 day was"),
        (2, "day was", "days were", "2 days were"),
    ],
)
def test_counts_bear_their_noun(count: int, noun: str, plural: str, told: str) -> None:
    assert count_noun(count, noun, plural) == told
