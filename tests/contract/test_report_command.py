"""`castline report verify` as a user runs it: no store, an exit code that a script can read."""

from pathlib import Path

import pytest

from castline.report.formats.json import render_json
from castline.report.layout import lay_out
from make_report import make_figures
from run_castline import Castline


@pytest.fixture
def castline(tmp_path: Path) -> Castline:
    return Castline(tmp_path / "data")


def write(path: Path, old: bytes = b"", new: bytes = b"") -> Path:
    path.write_bytes(
        render_json(lay_out(make_figures())).replace(old, new, 1) if old else render_json(lay_out(make_figures()))
    )
    return path


def test_a_genuine_report_ends_with_0_and_starts_no_database(castline: Castline, tmp_path: Path) -> None:
    ended = castline("report", "verify", str(write(tmp_path / "report.json")))
    assert (ended.code, ended.out) == (0, "")
    assert ended.err.endswith(" 0 differences\n")
    assert not castline.data_dir.exists()


def test_a_changed_report_ends_with_4_and_names_the_figure(castline: Castline, tmp_path: Path) -> None:
    path = write(tmp_path / "report.json", b'"value": 2.3,', b'"value": 9.9,')
    ended = castline("report", "verify", str(path), "--json")
    assert ended.code == 4
    assert {"name": "summary.roas", "stated": "9.9", "computed": "2.3"} in ended.said["differences"]


def test_a_file_that_is_no_report_is_refused_without_a_traceback(castline: Castline, tmp_path: Path) -> None:
    path = tmp_path / "report.pdf"
    path.write_bytes(b"%PDF-1.7")
    ended = castline("report", "verify", str(path))
    assert ended.code == 1
    assert "is not a report in JSON" in ended.err
    assert "castline report build --format json" in ended.err
