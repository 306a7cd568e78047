"""What every command keeps to, whatever it is given: one message, an exit code, never a traceback."""

import json
import os
from pathlib import Path

import pytest

from make_logs import Line, write_log
from run_castline import Castline

FEED = '<rss version="2.0"><channel><title>Night Desk</title></channel></rss>'


@pytest.fixture
def castline(tmp_path: Path) -> Castline:
    return Castline(tmp_path / "data")


def test_a_feed_in_a_file_whose_name_is_no_utf_8_is_read(castline: Castline, tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.xml")
    (tmp_path / name).write_text(FEED)
    ended = castline("feed", "parse", "--json", name)
    line = json.loads(ended.out)
    assert (ended.code, line["source"], line["show"]["title"]) == (0, "caf\\xe9.xml", "Night Desk")


def test_a_folder_is_no_feed(castline: Castline, tmp_path: Path) -> None:
    (tmp_path / "feeds").mkdir()
    ended = castline("feed", "parse", "--json", "feeds")
    (problem,) = json.loads(ended.out)["problems"]
    assert (ended.code, problem["message"]) == (1, f"{tmp_path / 'feeds'} cannot be read: it is no file")


def test_a_data_folder_that_cannot_be_made_is_named(castline: Castline, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = castline("feed", "list", CASTLINE_DATA_DIR=str(tmp_path / "file" / "data"))
    assert ended.code == 1
    assert str(tmp_path / "file") in ended.err


def test_a_database_url_that_is_none_is_a_setting_to_mend_and_its_password_is_not_repeated(castline: Castline) -> None:
    for url in ("mysql://ada:s3cret@db/x", "s3cret"):
        ended = castline("feed", "list", DATABASE_URL=url)
        assert (ended.code, "DATABASE_URL" in ended.err, "s3cret" in ended.err) == (2, True, False)


def test_a_feed_comes_through_standard_input(castline: Castline) -> None:
    ended = castline("feed", "parse", "--json", "-", given=FEED.encode())
    line = json.loads(ended.out)
    assert (ended.code, line["source"], line["show"]["title"]) == (0, "-", "Night Desk")
    assert castline("feed", "parse", "-").code == 1


def test_a_log_comes_through_standard_input_and_from_a_file_of_any_name(castline: Castline, tmp_path: Path) -> None:
    castline.well("admin", "create", "--email", "ada@example.org", "--name", "Ada", "--generate")
    name = os.fsdecode(b"two\nlines of caf\xe9 'x'.log")
    path = write_log(tmp_path / name, [Line()])
    (streamed,) = json.loads(castline("log", "import", "-", "--json", given=path.read_bytes()).out)
    (filed,) = json.loads(castline("log", "import", name, "--json").out)
    assert (streamed["source"], streamed["is_new"], filed["source"], filed["is_new"]) == (
        "-",
        True,
        "two\\nlines of caf\\xe9 'x'.log",
        False,
    )
    assert castline("log", "import", "-", "--watch").code == 2
