"""A report's JSON is checked without the store, and nothing in it can be changed unseen."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from castline.base.errors import CastlineError, SourceUnreadable
from castline.model.figures import ConversionCounts, ReportFigures
from castline.report.formats.json import render_json, seal
from castline.report.frozen import compute_hash, freeze_figures, thaw_figures
from castline.report.layout import lay_out
from castline.report.recompute import Difference, FiguresDiffer, check_arithmetic, recompute
from castline.report.verify import NotAReport, verify_file, verify_report
from castline.store.payload import decode_json, encode_json
from make_report import empty, make_figures, untold

REPORT = render_json(lay_out(make_figures()))


def test_a_report_as_it_was_written_has_no_differences(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(REPORT)
    found = verify_file(path)
    assert (found.differences, found.content_hash) == ((), compute_hash(freeze_figures(make_figures())).hex())
    assert found.figure_count > 100


def test_a_report_of_nothing_verifies() -> None:
    assert verify_report(render_json(lay_out(empty(make_figures())))).differences == ()


@given(st.integers(0, len(REPORT) - 1), st.integers(1, 127))
def test_no_byte_that_tells_something_can_change_unseen(place: int, change: int) -> None:
    changed = bytearray(REPORT)
    changed[place] ^= change
    try:
        same = msgspec.json.decode(bytes(changed)) == msgspec.json.decode(REPORT)
        found = verify_report(bytes(changed)).differences
    except (CastlineError, msgspec.DecodeError):
        return
    assert found or same


def test_a_figure_that_was_changed_is_named_with_what_it_should_be() -> None:
    forged = forge("figures", lambda figures: [item | _doubled(item) for item in figures])
    assert verify_report(forged).differences == (Difference("summary.roas", "4.6", "2.3"),)


def _doubled(item: dict[str, object]) -> dict[str, object]:
    return {"value": Decimal("4.6")} if item["name"] == "roas" else {}


def test_a_forger_who_changes_an_input_and_every_hash_still_fails_the_arithmetic() -> None:
    forged = replace(make_figures(), roi=replace(make_figures().roi, net_revenue=Decimal("2400.00")))
    assert [item.name for item in verify_report(render_json(lay_out(forged))).differences] == [
        "net_revenue",
        "roi_rate",
        "roas",
    ]


def test_a_figure_that_was_left_out_is_missed() -> None:
    forged = forge("figures", lambda figures: [item for item in figures if item["name"] != "roas"])
    assert verify_report(forged).differences == (Difference("summary.roas", "nothing", "2.3"),)


def forge(part: str, change: object) -> bytes:
    """The report with one part changed and its file hash made anew."""
    payload = {name: value for name, value in decode_json(REPORT).items() if name != "file_hash"}
    assert callable(change)
    return seal(payload | {part: change(payload[part])})


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b'{"format": "castline-report/1"}', b"PK\x03\x04"])
def test_what_is_no_report_is_refused_by_name(content: bytes) -> None:
    with pytest.raises(NotAReport, match=r"report\.json is not a report in JSON"):
        verify_report(content, source="report.json")


def test_a_report_without_its_inputs_whole_is_refused() -> None:
    with pytest.raises(CastlineError, match="not the figures of a report"):
        verify_report(forge("inputs", lambda inputs: inputs | {"roi": None}))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match=r"gone\.json cannot be read: No such file"):
        verify_file(tmp_path / "gone.json")


def test_frozen_figures_thaw_to_themselves_and_sort_like_anyone_sorts() -> None:
    frozen = freeze_figures(make_figures())
    assert thaw_figures(frozen) == make_figures()
    assert encode_json(decode_json(frozen)) == frozen


def test_the_second_computation_agrees_with_the_golden_figures() -> None:
    assert recompute(make_figures()) == []
    assert recompute(make_figures(currency="JPY")) == []
    assert recompute(empty(make_figures())) == []


def test_a_return_before_any_conversion_is_no_figure_and_orders_beside_it_are_a_contradiction() -> None:
    figures = untold(make_figures())
    assert recompute(figures) == []
    lost = replace(figures, roi=replace(figures.roi, roi_rate=Decimal(-1), roas=Decimal(0), visit_count=2))
    assert recompute(replace(lost, conversions=ConversionCounts(3, 0, 0, 0, 0))) == [
        Difference("conversions.record_count", "3", "0"),
        Difference("visit_count", "2", "0"),
        Difference("roi_rate", "-1", "no value"),
        Difference("roas", "0", "no value"),
    ]


def test_figures_that_were_frozen_before_conversions_were_told_of_keep_their_return() -> None:
    frozen = decode_json(freeze_figures(empty(make_figures())))
    del frozen["roi"]["has_conversions"]
    assert thaw_figures(encode_json(frozen)) == empty(make_figures())


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("roi_rate", Decimal("1.4")),
        ("roi_rate", None),
        ("roas", Decimal("2.31")),
        ("cost_per_acquisition", Decimal("25.01")),
        ("cost_per_mille", Decimal("333.34")),
        ("average_order_value", Decimal("59.99")),
        ("break_even_orders", 16),
        ("gross_revenue", Decimal("2400.01")),
        ("refunds", Decimal("-99.99")),
        ("credited_orders", Decimal("40.5")),
        ("modeled_orders", Decimal("7.4")),
        ("modeled_net_revenue", Decimal("450.01")),
    ],
)
def test_a_wrong_figure_is_refused(name: str, wrong: object) -> None:
    figures = with_roi(make_figures(), {name: wrong})
    with pytest.raises(FiguresDiffer, match=f"{name} says"):
        check_arithmetic(figures)


def with_roi(figures: ReportFigures, changes: dict[str, object]) -> ReportFigures:
    return replace(figures, roi=replace(figures.roi, **changes))  # type: ignore[arg-type]  # the names are the test's


def test_orders_must_sum_to_where_they_were_credited() -> None:
    figures = make_figures()
    wrong = replace(figures, conversions=replace(figures.conversions, unattributed=11))
    assert recompute(wrong) == [Difference("conversions.order_count", "64", "65")]
