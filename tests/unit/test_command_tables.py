"""What commands print: amounts, steps and components as people read them."""

import sys
from decimal import Decimal

import pytest

from castline.base.assets import iter_assets
from castline.cli.about import list_components
from castline.cli.conversion import write_amount
from castline.cli.measure.group import in_filter_order
from castline.cli.output import say, show_progress, show_table
from castline.measure.judge import OUTCOMES
from castline.model.listening import VerdictCount


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        ("70.9000", "USD", "70.90"),
        ("1200.0000", "JPY", "1,200"),
        ("1.2000", "KWD", "1.200"),
        ("9.9950", "USD", "9.995"),
        ("70.9000", None, "70.9"),
    ],
)
def test_an_amount_has_the_decimals_of_its_currency(amount: str, currency: str | None, shown: str) -> None:
    assert write_amount(Decimal(amount), currency) == shown
    assert write_amount(None, currency) is None


def test_steps_stand_in_the_order_of_the_filter_however_many_requests_they_are() -> None:
    rows = [VerdictCount(verdict, reason, number) for number, (verdict, reason) in enumerate(OUTCOMES)]
    gone = VerdictCount("dropped", "of_another_version", 99)
    ordered = in_filter_order([*reversed(rows), gone])
    dropped = [row for row in rows if row.verdict == "dropped"]
    assert ordered[: len(dropped) + 1] == [*dropped, gone]
    assert [row.verdict for row in ordered if row.verdict != "dropped"][-1] == "counted"
    assert in_filter_order(rows) == in_filter_order(rows[::-1])


def test_a_component_of_several_files_is_listed_once() -> None:
    titles = [row[0] for row in list_components(iter_assets())]
    assert titles.count("uPlot") == 1
    assert len(titles) == len(set(titles))


def test_a_table_without_anywhere_to_go_is_no_fault_and_goes_nowhere_else(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", None)
        show_table([{"name": "one"}], ["name"])
    assert capfd.readouterr() == ("", "")
    show_table([{"name": "one"}], ["name"])
    assert capfd.readouterr().out.split() == ["name", "one"]


def test_what_is_shown_takes_the_place_of_how_far_the_work_is(capfd: pytest.CaptureFixture[str]) -> None:
    show_progress("10 of 20 requests")
    show_progress("9 lines")
    say("measured")
    say("all of it")
    blank = " " * len("10 of 20 requests"), " " * len("9 lines")
    assert capfd.readouterr().err == (f"10 of 20 requests\r{blank[0]}\r9 lines\r{blank[1]}\rmeasured\nall of it\n")
