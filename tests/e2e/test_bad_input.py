"""Bad input: a clear message that names the place, an exit code, and the rest goes on."""

import json
import socket
from pathlib import Path

import pytest

from run_castline import Castline

FEED = """<?xml version="1.0"?>
<rss version="2.0"><channel><title>Night Desk</title><link>https://night.example/</link>
<item><title>One</title><guid>one</guid><pubDate>Sun, 01 Mar 2026 04:00:00 GMT</pubDate>
<enclosure url="https://audio.night.example/one.mp3" length="48000000" type="audio/mpeg"/></item>
</channel></rss>
"""
LINE = '{address} - - [02/Mar/2026:08:00:00 +0000] "GET /one.mp3 HTTP/1.1" 200 48000000 "-" "AntennaPod/3.4.1"\n'


@pytest.fixture(scope="module")
def folder(castline: Castline) -> Path:
    """A folder with a feed that is in the store, and a sponsor."""
    path = castline.data_dir.parent / "input"
    path.mkdir()
    (path / "feed.xml").write_text(FEED)
    castline.well("feed", "add", str(path / "feed.xml"))
    castline.well("sponsor", "add", "Acme")
    return path


def test_a_feed_that_is_none_is_refused_with_its_name(castline: Castline, folder: Path) -> None:
    page = folder / "page.html"
    page.write_text("<!doctype html><html><body>Not found</body></html>")
    ended = castline("feed", "add", str(page))
    assert ended.code == 1
    assert str(page) in ended.err
    assert ended.out == ""


def test_a_feed_that_cannot_be_reached_is_an_unavailable_source(castline: Castline, folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    ended = castline("feed", "add", f"http://127.0.0.1:{port}/feed.xml", CASTLINE_ALLOW_PRIVATE_ADDRESSES="yes")
    assert ended.code == 5
    assert f"http://127.0.0.1:{port}/feed.xml" in ended.err


def test_a_log_of_another_format_is_refused_as_a_whole(castline: Castline, folder: Path) -> None:
    log = folder / "caddy.log"
    log.write_text('{"ts":1700000000,"request":{"uri":"/one.mp3"}}\n' * 3)
    ended = castline("log", "import", str(log))
    assert ended.code == 1
    assert "caddy.log" in ended.err
    assert "line 1" in ended.err


def test_a_broken_line_of_a_log_waits_in_quarantine_and_the_rest_goes_on(castline: Castline, folder: Path) -> None:
    log = folder / "access.log"
    log.write_text(LINE.format(address="73.32.0.9") + "a broken line\n" + LINE.format(address="73.32.0.10"))
    castline.well("log", "import", str(log))
    castline.well("measure", "run")
    waiting = [row for row in castline.well("quarantine", "list") if row["payload"] == "a broken line"]
    assert [(row["line_number"], row["reason"]) for row in waiting] == [(2, "malformed_line")]


def test_the_same_log_twice_changes_nothing(castline: Castline, folder: Path) -> None:
    log = folder / "twice.log"
    log.write_text(LINE.format(address="73.33.0.9"))
    castline.well("log", "import", str(log))
    castline.well("measure", "run")
    before = castline.well("batch", "list")
    ended = castline("log", "import", str(log))
    assert ended.code == 0
    assert "already imported" in ended.out
    assert castline.well("batch", "list") == before


def test_a_log_that_was_read_wrongly_is_withdrawn_and_read_again(castline: Castline, folder: Path) -> None:
    log = folder / "moved.log"
    log.write_text(LINE.format(address="73.34.0.9").replace('"AntennaPod', '"x" "AntennaPod'))
    (wrong,) = castline.well("log", "import", str(log), "--format", "combined")
    ended = castline("log", "import", str(log), "--format", "combined:3")
    assert f"castline batch withdraw {wrong['batch_id'][:8]}" in ended.err
    ended = castline("batch", "withdraw", wrong["batch_id"][:8], "--reason", "the agent is the third field")
    assert (ended.code, ended.out) == (0, "")
    assert "1 request less; 1 day waits for `castline measure run`" in ended.err
    (again,) = castline.well("log", "import", str(log), "--format", "combined:3")
    assert (again["is_new"], again["landed_count"], again["batch_id"] != wrong["batch_id"]) == (True, 1, True)
    ended = castline("batch", "withdraw", wrong["batch_id"], "--reason", "once more")
    assert ended.code == 1
    assert "it was withdrawn before" in ended.err


def test_an_unknown_currency_names_line_and_field_and_the_rest_goes_on(castline: Castline, folder: Path) -> None:
    orders = folder / "orders.csv"
    orders.write_text(
        "order_id,occurred_at,amount,currency,sponsor\n"
        "1,2026-03-02T09:00:00Z,19.90,USD,Acme\n"
        "2,2026-03-02T09:10:00Z,19.90,XQZ,Acme\n"
        "3,2026-03-02T09:20:00Z,29.90,EUR,Acme\n"
    )
    ended = castline("conversion", "import", str(orders))
    assert ended.code == 0
    assert "line 3" in ended.err
    assert "currency" in ended.err
    assert "XQZ" in ended.err
    assert {row["order_id"] for row in castline.well("conversion", "list")} >= {"1", "3"}


def test_a_refused_row_is_replayed_when_its_sponsor_is_there(castline: Castline, folder: Path) -> None:
    orders = folder / "new-sponsor.csv"
    orders.write_text("order_id,occurred_at,amount,currency,sponsor\n77,2026-03-02T09:00:00Z,19.90,USD,Nobody Yet\n")
    castline.well("conversion", "import", str(orders))
    assert any("Nobody Yet" in row["detail"] for row in castline.well("quarantine", "list"))
    castline.well("sponsor", "add", "Nobody Yet")
    castline.well("quarantine", "replay")
    assert "77" in {row["order_id"] for row in castline.well("conversion", "list")}
    assert not any("Nobody Yet" in row["payload"] for row in castline.well("quarantine", "list"))


def test_a_campaign_that_ends_before_it_starts_is_refused(castline: Castline, folder: Path) -> None:
    words = ["--show", "Night Desk", "--sponsor", "Acme", "--value", "100", "--start", "2026-04-01"]
    ended = castline("campaign", "add", "Backwards", *words, "--end", "2026-03-01")
    assert ended.code == 2
    assert "end_date" in ended.err
    assert castline.well("campaign", "list") == []


def test_a_word_that_is_no_option_is_a_usage_error(castline: Castline) -> None:
    assert castline("feed", "add", "--nonsense").code == 2


def test_a_database_that_is_not_there_is_named_with_the_fix(empty: Castline) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    ended = empty("feed", "add", "feed.xml", DATABASE_URL=f"postgresql://ada:secret@127.0.0.1:{port}/castline")
    assert ended.code == 1
    assert f"127.0.0.1:{port}/castline" in ended.err
    assert "fix:" in ended.err
    assert "secret" not in ended.err


def test_without_an_account_the_message_says_how_to_make_one(empty: Castline) -> None:
    ended = empty("sponsor", "list")
    assert ended.code == 1
    assert "castline admin create" in ended.err


def test_errors_are_json_for_whoever_asked_for_json(castline: Castline) -> None:
    ended = castline("campaign", "show", "no-such", "--json")
    assert ended.code == 1
    assert json.loads(ended.err) == {
        "error": "not_found",
        "message": "No campaign no-such in this account.",
        "fix": "`castline campaign list` shows what there is.",
    }
