"""What every command keeps to, whatever it is given: one message, an exit code, never a traceback."""

import json
import os
from pathlib import Path

import pytest

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
