"""Built reports: files that appear whole or not at all, and rows that say what they are."""

from pathlib import Path

import pytest

from castline.report.files import OutputUnavailable, name_part, staged
from make_report import file_size_limit


def test_files_appear_together_and_only_when_published(tmp_path: Path) -> None:
    with staged(tmp_path / "new") as staging:
        staging.write("a.pdf", b"a")
        staging.write("b.pdf", b"b")
        assert [path.name for path in (tmp_path / "new").iterdir() if not path.name.startswith(".")] == []
        staging.publish()
    assert {path.name: path.read_bytes() for path in (tmp_path / "new").iterdir()} == {"a.pdf": b"a", "b.pdf": b"b"}


def fail_after(folder: Path, *, is_published: bool) -> None:
    with staged(folder) as staging:
        staging.write("a.pdf", b"same")
        if is_published:
            staging.publish()
        raise ZeroDivisionError


@pytest.mark.parametrize("is_published", [False, True])
def test_a_failure_before_or_after_publishing_leaves_nothing(tmp_path: Path, is_published: bool) -> None:
    with pytest.raises(ZeroDivisionError):
        fail_after(tmp_path, is_published=is_published)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_the_report_that_was_there_before(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"same")
    with pytest.raises(ZeroDivisionError):
        fail_after(tmp_path, is_published=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.pdf": b"same"}


def write_too_much(folder: Path) -> None:
    with staged(folder) as staging:
        staging.write("a.pdf", b"a")
        staging.write("b.pdf", bytes(2000))


def test_a_disk_that_takes_no_more_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    with file_size_limit(1000), pytest.raises(OutputUnavailable, match="File too large"):
        write_too_much(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputUnavailable, match="file/reports: Not a directory"), staged(tmp_path / "file" / "reports"):
        pass


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Harbour Coffee & Söhne", "harbour-coffee-söhne"),
        ("../../etc/passwd", "etc-passwd"),
        ("مقهى الميناء", "مقهى-الميناء"),
        ("🎧", "report"),
        ("", "report"),
        ("é" * 100, "é" * 30),
    ],
)
def test_names_become_safe_parts_of_file_names(text: str, expected: str) -> None:
    assert name_part(text) == expected
