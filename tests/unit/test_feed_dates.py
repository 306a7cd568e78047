from datetime import UTC, datetime

import pytest

from castline.sources.feeds.dates import try_parse_date
from castline.sources.feeds.text import clean_line, try_parse_duration, try_parse_flag, try_parse_whole

TEN = datetime(2024, 1, 15, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "Mon, 15 Jan 2024 10:00:00 +0000",
        "Mon, 15 Jan 2024 10:00:00 GMT",
        "Fri, 15 Jan 2024 10:00:00 GMT",  # the wrong weekday
        "15 Jan 24 10:00 UT",
        "Mon,15 Jan 2024 10:00:00 Z",
        "Mon, 15 January 2024 10:00:00",
        "Mon, 15 Jan 2024 05:00:00 EST",
        "Mon, 15 Jan 2024 02:00:00 PST",
        "Mon, 15 Jan 2024 03:00:00 PDT",
        "Mon, 15 Jan 2024 19:00:00 JST",
        "Mon, 15 Jan 2024 15:30:00 +0530 (IST)",
        "Mon, 15 Jan 2024 12:00:00 GMT+2",
        "Mon, 15 Jan 2024 10:00:00 XYZ",  # a zone nobody knows
        "Mon, 15 Jan 2024 10:00 AM",
        "2024-01-15T10:00:00Z",
        "2024-01-15T11:00:00.123+01:00",
        "2024-01-15T04:00:00-0600",
        "2024-01-15 10:00:00",
        "20240115T100000Z",
        "Mon Jan 15 10:00:00 2024",
        "Mon Jan 15 05:00:00 EST 2024",
        "January 15, 2024 10:00 AM",
        "01/15/2024 10:00",
        "15.01.2024 10:00",
        "  Mon,  15 Jan 2024\n10:00:00 GMT ",
        "1705312800",
    ],
)
def test_dates_of_every_sloppiness_are_the_same_moment_in_utc(text: str) -> None:
    assert try_parse_date(text) == TEN


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "lundi, 15 janvier 2024 10:00:00",
        "2024年1月15日",
        "Thu, 30 Feb 2024 10:00:00 GMT",
        "Mon, 15 Jan 2024 25:00:00 GMT",
        "03/04/2024",  # March or April
        "0000-00-00T00:00:00Z",
        "2024",
        "15 Jan 0024 10:00 GMT",
        "Mon, 15 Jan 2024 10:00:00 +9900",
        "Mon, 15 Jan 2024 10:00:00 GMT" + " " * 200 + "x" * 200,
        "-1",
    ],
)
def test_what_cannot_be_read_without_guessing_is_no_date(text: str) -> None:
    assert try_parse_date(text) is None


def test_a_date_with_two_digits_follows_rfc_2822() -> None:
    assert try_parse_date("1 Jan 49 00:00 GMT") == datetime(2049, 1, 1, tzinfo=UTC)
    assert try_parse_date("1 Jan 99 00:00 GMT") == datetime(1999, 1, 1, tzinfo=UTC)


def test_midnight_as_24_is_the_next_day() -> None:
    assert try_parse_date("Mon, 15 Jan 2024 24:00:00 GMT") == datetime(2024, 1, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("01:02:03", 3723),
        ("1:2:3", 3723),
        ("62:03", 3723),
        ("01:02", 62),
        ("3600", 3600),
        ("3600.9", 3600),
        ("01:02:03.5", 3723),
        ("1h 2m", 3720),
        ("45 min", 2700),
        ("PT1H2M3S", 3723),
        ("90 seconds", 90),
        ("0", None),
        ("00:00:00", None),
        ("-5", None),
        ("1:75", None),
        ("1:2:3:4", None),
        ("3600000", None),  # milliseconds
        ("99999999999999999999", None),
        ("about an hour", None),
        ("", None),
        ("P", None),
        ("1,234", None),
    ],
)
def test_durations_are_whole_seconds_or_nothing(text: str, seconds: int | None) -> None:
    assert try_parse_duration(text) == seconds


def test_a_line_is_decoded_once_more_and_has_single_spaces() -> None:
    assert (
        clean_line("  Q&amp;A:\n\tTom &#38; J&#xe9;r&ocirc;me &lt;3 AT&T &copy2 ") == "Q&A: Tom & Jérôme <3 AT&T &copy2"
    )


def test_numbers_and_flags_are_read_or_nothing() -> None:
    assert [try_parse_whole(text) for text in ("7", " 12.0 ", "-1", "S1", "")] == [7, 12, None, None, None]
    assert [try_parse_flag(text) for text in ("Yes", "explicit", "clean", "false", "maybe", None)] == [
        True,
        True,
        False,
        False,
        None,
        None,
    ]
