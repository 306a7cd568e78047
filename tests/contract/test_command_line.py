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


def test_an_address_that_is_none_is_named(castline: Castline) -> None:
    ended = castline("feed", "parse", "--json", "http://[bad")
    (problem,) = json.loads(ended.out)["problems"]
    assert (ended.code, problem["message"]) == (1, "source: 'http://[bad' is no address: Invalid IPv6 URL")


def test_a_password_is_not_asked_for_where_nobody_can_answer(castline: Castline) -> None:
    ended = castline("admin", "create", "--email", "ada@example.org")
    assert (ended.code, "give --password-stdin or --generate" in ended.err) == (2, True)


def test_a_file_of_conversions_that_is_not_there_does_not_stop_the_others(castline: Castline, tmp_path: Path) -> None:
    castline.well("admin", "create", "--email", "ada@example.org", "--generate")
    (tmp_path / "good.csv").write_text("order_id,date,value,currency\n1,2026-03-01,5,USD\n")
    ended = castline("conversion", "import", "gone.csv", "good.csv", "--json")
    assert (ended.code, json.loads(ended.out)["batch"]["accepted"]) == (1, 1)
    assert "gone.csv cannot be read" in ended.err


def test_campaigns_of_one_name_are_to_be_named_by_their_ids(castline: Castline, tmp_path: Path) -> None:
    castline.well("admin", "create", "--email", "ada@example.org", "--generate")
    (tmp_path / "feed.xml").write_text(FEED)
    castline.well("feed", "add", "feed.xml")
    castline.well("sponsor", "add", "Acme")
    words = ("campaign", "add", "It's", "--show", "Night Desk", "--sponsor", "Acme", "--value", "5")
    first, second = (castline(*words, "--start", "2026-01-01", "--end", "2026-02-01") for _ in range(2))
    assert """castline campaign status 'It'"'"'s' scheduled""" in first.err
    assert "2 campaigns are called It's now, so name each by its id." in second.err
    assert f"castline campaign status {second.out.strip()} scheduled" in second.err


@pytest.mark.parametrize("command", ["run", "quarantine", "conversion"])
def test_a_list_is_asked_for_some_rows_and_not_for_none_or_numbers_without_end(
    castline: Castline, command: str
) -> None:
    for limit in ("-1", "0", "99999999999999999999"):
        ended = castline(command, "list", "--limit", limit)
        assert (ended.code, f"{limit} is not in the range" in ended.err) == (2, True)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_output_that_cannot_be_written_is_told_as_that(castline: Castline, tmp_path: Path) -> None:
    (tmp_path / "feed.xml").write_text(FEED)
    ended = castline.into(Path("/dev/full"), "feed", "parse", "feed.xml", "--json")
    assert ended.code == 1
    assert "the output, or a file that is written, cannot be used: No space left on device" in ended.err


def test_a_command_that_is_misused_says_so_in_json_when_it_was_asked_for_json(castline: Castline) -> None:
    ended = castline("sponsor", "add", "--json")
    assert (ended.code, ended.out) == (2, "")
    assert json.loads(ended.err) == {
        "error": "misused_command",
        "message": "Missing argument 'NAME'.",
        "fix": "`castline sponsor add --help` shows what it takes.",
    }
    assert castline("sponsor", "add").err.startswith("Usage: castline sponsor add [OPTIONS] NAME\n")
