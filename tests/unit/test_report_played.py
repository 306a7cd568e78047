"""A report tells what players said of the campaign's ads where they said anything, and is as ever where not."""

from dataclasses import replace
from datetime import date
from typing import Final

from castline.model.figures import PlayedAds, ReportFigures
from castline.report.frozen import freeze_figures, thaw_figures
from castline.report.layout import lay_out
from castline.report.recompute import recompute
from make_report import FLIGHT, make_figures

FIRST_ON: Final = FLIGHT.start_at.date()
PLAYED: Final = PlayedAds(FIRST_ON, plays=40, first_quarter=36, half=30, third_quarter=24, complete=20, skips=9)


def told(played: PlayedAds) -> ReportFigures:
    return replace(make_figures(), played_ads=played)


def test_without_a_players_word_the_report_has_neither_table_nor_bytes_of_it() -> None:
    figures = make_figures()
    assert b"played_ads" not in freeze_figures(figures)
    assert thaw_figures(freeze_figures(figures)) == figures
    assert [table.name for table in lay_out(figures).section("audience").tables] == ["app", "country", "device"]


def test_each_step_that_plays_came_to_has_its_row() -> None:
    figures = told(PLAYED)
    assert thaw_figures(freeze_figures(figures)) == figures
    assert recompute(figures) == []
    table = lay_out(figures).section("audience").tables[-1]
    assert (table.name, table.columns[1].metric) == ("played_ads", "ad_plays/1")
    assert table.rows == (
        ("Started", 40),
        ("First quarter", 36),
        ("Half", 30),
        ("Third quarter", 24),
        ("To the end", 20),
        ("Skipped", 9),
    )
    assert "from" not in table.note


def test_a_flight_longer_than_events_are_kept_says_from_when_on() -> None:
    table = lay_out(told(replace(PLAYED, first_on=date(2026, 3, 4)))).section("audience").tables[-1]
    assert table.note.endswith("Players' events are kept for 90 days: these are from 2026-03-04 on.")


def test_more_ends_than_halves_are_a_difference() -> None:
    assert [item.name for item in recompute(told(replace(PLAYED, half=19)))] == ["played_ads"]
