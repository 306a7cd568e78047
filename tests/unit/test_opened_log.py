"""A log is opened once: its name may go over to another file, and what is written to it is noticed."""

from hashlib import sha256
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]  # it has no types
import pytest

from castline.base.errors import SourceUnreadable
from castline.ingest.logs.opened import OpenedLog, open_log

OLD, NEW = b"one\ntwo\n", b"three\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "access.log"
    path.write_bytes(OLD)
    return path


def _text(log: OpenedLog) -> bytes:
    return b"".join(lines.text for lines in log.read_anew().iter_lines())


def test_a_log_that_is_renamed_stays_the_log_that_was_opened(path: Path) -> None:
    with open_log(path) as log:
        path.rename(path.with_name("access.log.1"))
        path.write_bytes(NEW)
        assert log.compute_hash() == sha256(OLD).hexdigest()
        assert (log.read_anew().read_first_line(), _text(log), _text(log)) == (b"one\n", OLD, OLD)
        assert log.is_unchanged()


def test_a_log_that_grows_is_not_what_was_hashed(path: Path) -> None:
    with open_log(path) as log:
        with path.open("ab") as file:
            file.write(NEW)
        reading = log.read_anew()
        assert b"".join(lines.text for lines in reading.iter_lines()) == OLD + NEW
        assert (log.is_unchanged(), log.was_emptied_under(reading)) == (False, False)


@pytest.mark.parametrize("is_read_before", [True, False])
def test_a_log_that_was_emptied_is_another_one_unless_it_was_read_before(path: Path, *, is_read_before: bool) -> None:
    with open_log(path) as log:
        reading = log.read_anew()
        lines = iter(reading.iter_lines())
        if is_read_before:
            assert [block.text for block in lines] == [OLD]
        path.write_bytes(NEW)
        assert [block.text for block in lines] == ([] if is_read_before else [NEW])
        assert (log.is_unchanged(), log.was_emptied_under(reading)) == (False, not is_read_before)


def test_a_log_that_was_emptied_and_grew_past_its_former_size_is_noticed_by_how_it_begins(path: Path) -> None:
    with open_log(path) as log:
        reading = log.read_anew()
        with path.open("r+b") as file:  # as copytruncate does
            file.truncate()
            file.write(NEW * 5)
        assert b"".join(lines.text for lines in reading.iter_lines()) == NEW * 5
        assert log.was_emptied_under(reading)


def test_a_folder_is_no_log(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="Is a directory"), open_log(tmp_path):
        pass


def test_a_log_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="No such file"), open_log(tmp_path / "gone.log"):
        pass


def test_a_packed_log_of_which_only_the_first_line_is_read_is_left_without_a_word(
    path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pa.CompressedOutputStream(path, "zstd") as stream:
        stream.write(b"".join(b"%d\n" % number for number in range(500_000)))
    with open_log(path) as log:
        assert log.read_anew().read_first_line() == b"0\n"
    assert capfd.readouterr().err == ""
