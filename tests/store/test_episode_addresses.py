"""Logs of streams, of scripts with parameters and of addresses that the operator maps, from the feed to downloads."""

import threading
from collections.abc import Iterator
from datetime import date
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import UUID

import pytest

from castline.base.errors import NotFound
from castline.ingest.feeds.polling import add_feed, poll_feeds
from castline.ingest.feeds.probes import probe_files
from castline.ingest.logs.landing import import_log
from castline.ingest.url_patterns import map_pattern, unmap_pattern
from castline.jobs.table import probe_new_files
from castline.measure.rules.matching import load_index
from castline.measure.run import load_unmatched, measure
from castline.model.account import User
from castline.store.entities.shows import load_audio_keys, load_episodes
from castline.store.listening.downloads import load_dirty_days, load_waterfall
from castline.store.pool import Store
from castline.store.provenance.restatements import load_restatements
from make import make_account
from make_logs import MONDAY, Line, write_log
from make_media import frames, id3

pytestmark = pytest.mark.store
HEAD = (
    '<rss version="2.0" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"'
    ' xmlns:podcast="https://podcastindex.org/namespace/1.0"><channel><title>Show</title>'
)
PLAYLIST = (
    '<podcast:alternateEnclosure type="application/x-mpegURL" bitrate="64000">'
    '<podcast:source uri="https://stream.example.org/hls/{number}/master.m3u8"/>'
    '<podcast:source uri="ipfs://bafy"/></podcast:alternateEnclosure>'
)
SEGMENT = 80_000  # ten seconds of 64 kbit/s


def item(number: int, url: str, *, size: int = 28_800_000, extra: str = "") -> str:
    """An episode of half an hour of 128 kbit/s."""
    return (
        f"<item><guid>g{number}</guid><title>Part {number}</title>"
        f"<pubDate>Sun, 0{number} Mar 2026 06:00:00 GMT</pubDate><itunes:duration>1800</itunes:duration>"
        f'<enclosure url="{url}" length="{size}" type="audio/mpeg"/>{extra}</item>'
    )


def follow(store: Store, owner_id: UUID, path: Path, *items: str) -> UUID:
    """The feed of these items is in the account; gives the show's id."""
    path.write_text(f"{HEAD}{''.join(items)}</channel></rss>", "utf-8")
    outcome = add_feed(store, owner_id, str(path))
    assert outcome.podcast_id is not None
    return outcome.podcast_id


def count(store: Store, owner_id: UUID, path: Path, lines: list[Line], host: str) -> dict[tuple[str, str], int]:
    """The waterfall of a log with these lines."""
    import_log(store, owner_id, write_log(path, lines), host=host)
    measure(store, owner_id)
    return waterfall(store, owner_id)


def waterfall(store: Store, owner_id: UUID) -> dict[tuple[str, str], int]:
    with store.account(owner_id) as connection:
        return {(row.verdict, row.reason): row.request_count for row in load_waterfall(connection, owner_id)}


def segments(address: int, *numbers: int) -> list[Line]:
    """A listener's segments of the first stream, ten seconds apart."""
    line = Line(address=f"198.51.100.{address}", sent=SEGMENT)
    return [
        line.but(after=10 * place, path=f"/hls/1/64k/{number:05d}.ts?token=a{place}")
        for place, number in enumerate(numbers)
    ]


def test_a_stream_counts_by_its_own_minute_from_log_to_download(store: Store, account: User, tmp_path: Path) -> None:
    items = [
        item(number, f"https://cdn.example.org/{number}.mp3", extra=PLAYLIST.format(number=number)) for number in (1, 2)
    ]
    follow(store, account.user_id, tmp_path / "feed.xml", *items)
    lines = [
        Line(address="198.51.100.1", path="/hls/1/master.m3u8", sent=400),
        Line(address="198.51.100.1", path="/hls/1/64k/index.m3u8?token=a", sent=400),
        # Six segments are the minute, in whatever order; five of them are not, one of them sent twice.
        *segments(1, 1, 0, 3, 2, 5, 4, 6),
        *segments(2, 0, 1, 2, 3, 4, 4),
        Line(address="198.51.100.3", path="/hls/3/64k/00000.ts", sent=SEGMENT),
        Line(address="198.51.100.3", path="/hls/1/cover.jpg", sent=SEGMENT),
    ]
    assert count(store, account.user_id, tmp_path / "nginx.log", lines, "stream.example.org") == {
        ("dropped", "hls_playlist"): 2,
        ("partial", "under_one_minute"): 5 + 6,
        ("counted", "one_minute"): 1,
        ("duplicate", "same_window"): 1,
        ("dropped", "no_episode"): 2,
    }
    with store.account(account.user_id) as connection:
        rows = connection.execute(
            "select title, heard.metadata ->> 'source' from episodes join my_listener_events heard using (episode_id)"
        )
        assert rows.fetchall() == [("Part 1", "hls")]
    unmatched = load_unmatched(store, account.user_id)
    assert [(one.path, one.request_count) for one in unmatched] == [("/hls/1/cover.jpg", 1), ("/hls/3/64k/00000.ts", 1)]


def test_a_stream_that_a_feed_names_later_marks_the_days_it_was_asked_for(
    store: Store, account: User, tmp_path: Path
) -> None:
    url = "https://cdn.example.org/1.mp3"
    podcast_id = follow(store, account.user_id, tmp_path / "feed.xml", item(1, url))
    before = count(store, account.user_id, tmp_path / "nginx.log", segments(1, *range(6)), "stream.example.org")
    assert before == {("dropped", "no_episode"): 6}
    follow(store, account.user_id, tmp_path / "feed.xml", item(1, url, extra=PLAYLIST.format(number=1)))
    with store.account(account.user_id) as connection:
        assert [day.day_on for day in load_dirty_days(connection, account.user_id)] == [MONDAY.date()]
    measure(store, account.user_id)
    assert waterfall(store, account.user_id) == {("partial", "under_one_minute"): 5, ("counted", "one_minute"): 1}
    # Read again, the feed says nothing new.
    poll_feeds(store, account.user_id, [podcast_id], force=True)
    with store.account(account.user_id) as connection:
        assert load_dirty_days(connection, account.user_id) == []


def test_parameters_tell_the_episodes_of_a_script_apart(store: Store, account: User, tmp_path: Path) -> None:
    items = [item(number, f"https://example.org/get.php?id={number}&amp;utm_source=rss") for number in (1, 2)]
    follow(store, account.user_id, tmp_path / "feed.xml", *items)
    lines = [
        Line(path="/get.php?id=1&utm_source=app"),
        Line(after=1, path="/get.php?id=2&session=x"),
        Line(after=2, path="/get.php?id=2&session=y"),
        Line(after=3, path="/get.php?utm_source=app"),
    ]
    assert count(store, account.user_id, tmp_path / "access.log", lines, "example.org") == {
        ("counted", "one_minute"): 2,
        ("duplicate", "same_window"): 1,
        ("dropped", "ambiguous_url"): 1,
    }


def test_the_operator_maps_addresses_that_no_feed_names(store: Store, account: User, tmp_path: Path) -> None:
    owner_id = account.user_id
    items = [item(number, f"https://cdn.example.org/{number}.mp3") for number in (1, 2)]
    follow(store, owner_id, tmp_path / "feed.xml", *items)
    lines = [Line(path="/archive/1-64k.mp3"), Line(after=1, path="/v2/g2/audio"), Line(after=2, path="/v2/g3/audio")]
    counted = partial(waterfall, store, owner_id)
    assert count(store, owner_id, tmp_path / "access.log", lines, "old.example.org") == {("dropped", "no_episode"): 3}
    assert map_pattern(store, owner_id, "old.example.org/archive/*", episode="Part 1").marked_days == 1
    map_pattern(store, owner_id, "/v2/{guid}/audio", show="Show")
    measure(store, owner_id)
    assert counted() == {("counted", "one_minute"): 2, ("dropped", "no_episode"): 1}
    unmap_pattern(store, owner_id, "old.example.org/archive/*")
    with pytest.raises(NotFound):
        unmap_pattern(store, owner_id, "old.example.org/archive/*")


@pytest.fixture
def files(tmp_path: Path) -> Iterator[str]:
    """The address of a server of the folder `files`."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name it overrides
            pass

    (tmp_path / "files").mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "files")))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_headers_are_read_from_the_newest_files_and_raise_the_threshold(
    store: Store, account: User, tmp_path: Path, files: str
) -> None:
    owner_id = account.user_id
    for number in (2, 3):
        (tmp_path / "files" / f"{number}.mp3").write_bytes(id3(199_990) + frames() + bytes(1_000_000))
    # The first is on no server any more; the feed's sizes are its own matter.
    items = [item(number, f"{files}/{number}.mp3", size=30_000_000) for number in (1, 2, 3)]
    follow(store, owner_id, tmp_path / "feed.xml", *items)
    outcomes = probe_files(store, owner_id, newest=2)
    assert [(one.episode, one.container, one.header_bytes, one.error) for one in outcomes] == [
        ("Part 3", "mp3", 200_000, None),
        ("Part 2", "mp3", 200_000, None),
    ]
    assert probe_files(store, owner_id, newest=2) == []
    [failed] = probe_files(store, owner_id, newest=3)
    why = "the server answered 404 where bytes from 0 on were asked for"
    assert (failed.episode, failed.error) == ("Part 1", f"{files}/1.mp3 could not be fetched: {why}")
    with store.account(owner_id) as connection:
        titles = {one.episode_id: one.title for one in load_episodes(connection, owner_id)}
        known = {titles[one.episode_id]: one for one in load_index(connection, owner_id).episodes}
    # Part 1 has the show's header and the feed's size: 200,000 and a minute of 29,800,000 bytes in half an hour.
    assert (known["Part 1"].header_bytes, known["Part 1"].needed_bytes) == (200_000, 200_000 + 993_334)
    # The others' size is the server's: 200,000 + 1,251 + 1,000,000 bytes.
    assert (known["Part 2"].file_bytes, known["Part 3"].file_bytes) == (1_201_251, 1_201_251)


def test_a_file_is_read_again_when_its_address_or_the_artwork_changes(
    store: Store, account: User, tmp_path: Path, files: str
) -> None:
    owner_id = account.user_id
    for name in ("one.mp3", "other.mp3"):
        (tmp_path / "files" / name).write_bytes(id3(10) + frames())
    follow(store, owner_id, tmp_path / "feed.xml", item(1, f"{files}/one.mp3"))
    assert len(probe_files(store, owner_id)) == 1
    follow(store, owner_id, tmp_path / "feed.xml", item(1, f"{files}/other.mp3"))
    assert [one.audio_url for one in probe_files(store, owner_id)] == [f"{files}/other.mp3"]
    art = '<itunes:image href="https://example.org/new.jpg"/>'
    follow(store, owner_id, tmp_path / "feed.xml", art + item(1, f"{files}/other.mp3"))
    assert len(probe_files(store, owner_id)) == 1
    assert probe_files(store, owner_id) == []
    assert len(probe_files(store, owner_id, force=True)) == 1


def test_the_scheduled_job_reads_the_new_files_of_every_account(store: Store, tmp_path: Path, files: str) -> None:
    (tmp_path / "files" / "one.mp3").write_bytes(id3(10) + frames())
    owners = [make_account(store).user_id for _ in range(2)]
    for owner_id in owners:
        follow(store, owner_id, tmp_path / "feed.xml", item(1, f"{files}/one.mp3"))
    probe_new_files(store)
    assert [probe_files(store, owner_id) for owner_id in owners] == [[], []]
    assert [len(probe_files(store, owner_id, force=True)) for owner_id in owners] == [1, 1]


def test_a_reading_marks_the_days_its_file_was_asked_for_and_they_are_restated(
    store: Store, account: User, tmp_path: Path, files: str
) -> None:
    owner_id = account.user_id
    (tmp_path / "files" / "1.mp3").write_bytes(id3(199_990) + frames() + bytes(28_598_749))
    follow(
        store, owner_id, tmp_path / "feed.xml", item(1, f"{files}/1.mp3"), item(2, f"{files}/2.mp3", size=28_800_000)
    )
    # A minute of the feed's 28,800,000 bytes in half an hour is 960,000: the first stays below header and minute.
    lines = [Line(path="/1.mp3", sent=960_000), Line(address="198.51.100.9", path="/1.mp3", sent=28_800_000)]
    assert count(store, owner_id, tmp_path / "nginx.log", lines, "127.0.0.1") == {("counted", "one_minute"): 2}
    [read] = [one for one in probe_files(store, owner_id) if one.header_bytes]
    # 200,000 + 1,251 + 28,598,749 bytes, of which the header is no audio.
    assert (read.header_bytes, read.file_bytes) == (200_000, 28_800_000)
    assert due_days(store, owner_id) == [MONDAY.date()]
    measure(store, owner_id)
    assert waterfall(store, owner_id) == {("counted", "one_minute"): 1, ("partial", "under_one_minute"): 1}
    with store.account(owner_id) as connection:
        [restated] = load_restatements(connection, owner_id)
    assert (restated.day_on, restated.before_count, restated.after_count, restated.cause) == (
        MONDAY.date(),
        2,
        1,
        "feeds",
    )
    # Read again with the same result, nothing is due.
    probe_files(store, owner_id, force=True)
    assert due_days(store, owner_id) == []


def test_a_feed_that_tells_another_size_marks_days_unless_it_is_nearly_the_same(
    store: Store, account: User, tmp_path: Path
) -> None:
    owner_id, url = account.user_id, "https://cdn.example.org/1.mp3"
    follow(store, owner_id, tmp_path / "feed.xml", item(1, url), item(2, "https://cdn.example.org/2.mp3"))
    line = Line(path="/1.mp3", sent=1_000_000)
    assert count(store, owner_id, tmp_path / "nginx.log", [line], "cdn.example.org") == {("counted", "one_minute"): 1}
    others = item(2, "https://cdn.example.org/2.mp3", size=40_000_000)
    follow(store, owner_id, tmp_path / "feed.xml", item(1, url, size=28_900_000), others)
    assert due_days(store, owner_id) == []
    follow(store, owner_id, tmp_path / "feed.xml", item(1, url, size=57_600_000), others)
    assert due_days(store, owner_id) == [MONDAY.date()]
    measure(store, owner_id)
    assert waterfall(store, owner_id) == {("partial", "under_one_minute"): 1}


def test_a_file_that_was_not_read_goes_by_the_one_published_nearest(
    store: Store, account: User, tmp_path: Path, files: str
) -> None:
    owner_id = account.user_id
    sizes = {2: 100_000, 6: 300_000}
    for number, size in sizes.items():
        (tmp_path / "files" / f"{number}.mp3").write_bytes(id3(size - 10) + frames())
    follow(store, owner_id, tmp_path / "feed.xml", *[item(number, f"{files}/{number}.mp3") for number in range(1, 8)])
    probe_files(store, owner_id, newest=7)
    with store.account(owner_id) as connection:
        titles = {one.episode_id: one.title for one in load_episodes(connection, owner_id)}
        headers = {titles[one.episode_id]: one.header_bytes for one in load_audio_keys(connection, owner_id)}
    # The fourth lies two days from either: the earlier one decides.
    assert headers == {
        **{f"Part {number}": 100_000 for number in (1, 2, 3, 4)},
        **{f"Part {number}": 300_000 for number in (5, 6, 7)},
    }


def due_days(store: Store, owner_id: UUID) -> list[date]:
    with store.account(owner_id) as connection:
        return [day.day_on for day in load_dirty_days(connection, owner_id)]
