"""Feeds into a real store: read once or ten times, from a file or a server, whole or broken."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import UUID

import pytest

from castline.base.errors import Ambiguous, CastlineError, InvalidInput
from castline.ingest.feeds.polling import FeedOutcome, add_feed, poll_feeds
from castline.model.account import User
from castline.model.show import Episode, Podcast
from castline.store.entities.shows import (
    create_podcast,
    find_podcast,
    load_audio_keys,
    load_episodes,
    load_feed_state,
    load_podcasts,
)
from castline.store.pool import Store
from castline.store.provenance.ledger import load_quarantine, load_runs

pytestmark = pytest.mark.store

ITEM = (
    "<item><guid>{guid}</guid><title>{title}</title><pubDate>Sun, 01 Mar 2026 06:00:00 GMT</pubDate>"
    '<enclosure url="{url}" length="1000000" type="audio/mpeg"/><itunes:duration>600</itunes:duration></item>'
)


def _item(number: int, **changed: str) -> str:
    facts = {"guid": f"g{number}", "title": f"Part {number}", "url": f"https://cdn.example.org/{number}.mp3"}
    return ITEM.format(**(facts | changed))


def _feed(*items: str, title: str = "The Show", extra: str = "") -> bytes:
    head = '<rss version="2.0" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"><channel>'
    return f"{head}<title>{title}</title>{extra}{''.join(items)}</channel></rss>".encode()


class _Site:
    """A web server that answers with what it was last given, and knows what it was asked."""

    def __init__(self) -> None:
        self.status = 200
        self.body = b""
        self.headers: dict[str, str] = {}
        self.asked: list[dict[str, str]] = []
        self.url = ""


@pytest.fixture
def site() -> Iterator[_Site]:
    state = _Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(dict(self.headers))
            same = state.headers.get("ETag") is not None and self.headers.get("If-None-Match") == state.headers["ETag"]
            status = 304 if same else state.status
            if state.status == 301 and self.path == "/new":
                status = 200
            self.send_response(status)
            for name, value in state.headers.items():
                self.send_header(name, value)
            self.end_headers()
            if status == 200:
                self.wfile.write(state.body)

        def log_message(self, *_: object) -> None:
            pass

    with _serving(Handler) as port:
        state.url = f"http://127.0.0.1:{port}/feed"
        yield state


@contextmanager
def _serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _show(store: Store, account: User) -> Podcast:
    with store.account(account.user_id) as connection:
        return load_podcasts(connection, account.user_id)[0]


def _episodes(store: Store, account: User) -> dict[str, Episode]:
    with store.account(account.user_id) as connection:
        return {one.guid: one for one in load_episodes(connection, account.user_id)}


def _poll(store: Store, account: User) -> FeedOutcome:
    return poll_feeds(store, account.user_id)[0]


def test_a_feed_from_a_file_becomes_a_show_with_its_episodes(store: Store, account: User, tmp_path: Path) -> None:
    file = tmp_path / "feed.xml"
    file.write_bytes(_feed(_item(1), _item(2)))
    outcome = add_feed(store, account.user_id, str(file))
    assert (outcome.title, outcome.status, outcome.counts["created"]) == ("The Show", "added", 2)
    assert {guid: one.audio_key for guid, one in _episodes(store, account).items()} == {
        "g1": "cdn.example.org/1.mp3",
        "g2": "cdn.example.org/2.mp3",
    }


def test_adding_the_same_feed_again_changes_nothing(store: Store, account: User, site: _Site) -> None:
    site.body = _feed(_item(1), _item(2))
    add_feed(store, account.user_id, site.url)
    before = _episodes(store, account)
    again = add_feed(store, account.user_id, site.url)
    assert (again.status, again.counts["unchanged"]) == ("unchanged", 2)
    assert _episodes(store, account) == before


def test_a_poll_asks_with_validators_and_keeps_what_did_not_change(store: Store, account: User, site: _Site) -> None:
    site.body, site.headers = _feed(_item(1)), {"ETag": '"one"'}
    add_feed(store, account.user_id, site.url)
    assert _poll(store, account).status == "unchanged"
    assert site.asked[-1]["If-None-Match"] == '"one"'


def test_an_episode_keeps_its_id_under_a_new_guid_and_a_new_host(store: Store, account: User, site: _Site) -> None:
    site.body = _feed(_item(1), _item(2))
    add_feed(store, account.user_id, site.url)
    first = _episodes(store, account)["g1"].episode_id
    site.body = _feed(_item(1, guid="new", url="https://op3.dev/e/cdn.example.org/1.mp3"), _item(2))
    _poll(store, account)
    site.body = _feed(_item(1, guid="new", url="https://other.example.net/x.mp3"), _item(2))
    _poll(store, account)
    assert _episodes(store, account)["new"].episode_id == first
    with store.account(account.user_id) as connection:
        keys = {key.audio_key for key in load_audio_keys(connection, account.user_id) if key.episode_id == first}
    assert keys == {"cdn.example.org/1.mp3", "other.example.net/x.mp3"}


def test_an_item_that_does_not_fit_is_refused_alone_with_its_field(store: Store, account: User, site: _Site) -> None:
    site.body = _feed(_item(1, title="x" * 501), _item(2))
    outcome = add_feed(store, account.user_id, site.url)
    assert (outcome.counts["created"], outcome.counts["refused"]) == (1, 1)
    with store.account(account.user_id) as connection:
        refused = load_quarantine(connection, account.user_id)
    assert [(row.line_number, row.reason) for row in refused] == [(1, "invalid_field")]
    assert refused[0].detail == "title: is 501 characters long, 500 fit"


def test_a_feed_that_fails_keeps_its_show_and_waits_longer_each_time(store: Store, account: User, site: _Site) -> None:
    site.body = _feed(_item(1))
    add_feed(store, account.user_id, site.url)
    site.status, site.headers = 503, {"Retry-After": "7200"}
    outcomes = [_poll(store, account) for _ in range(5)]
    assert outcomes[0].error == f"{site.url} could not be fetched: the server answered 503"
    show = _show(store, account)
    assert show.ingestion_status == "error"
    with store.account(account.user_id) as connection:
        state = load_feed_state(connection, account.user_id, show.podcast_id)
        failed = [run.status for run in load_runs(connection, account.user_id) if run.job == "feed.poll"]
    assert failed == ["failed"] * 5
    assert state.next_poll_at is not None
    assert state.polled_at is not None
    assert (state.next_poll_at - state.polled_at).total_seconds() == 15 * 60 * 2**5
    site.status, site.headers = 200, {}
    assert _poll(store, account).status == "unchanged"
    assert _show(store, account).ingestion_status == "active"


def test_a_feed_that_is_gone_pauses_its_show(store: Store, account: User, site: _Site) -> None:
    site.body = _feed(_item(1))
    add_feed(store, account.user_id, site.url)
    site.status = 410
    assert _poll(store, account).status == "failed"
    assert _show(store, account).ingestion_status == "paused"
    assert poll_feeds(store, account.user_id) == []


def test_a_move_is_adopted_after_three_confirmations_and_never_back(store: Store, account: User, site: _Site) -> None:
    new = site.url.replace("/feed", "/new")
    site.body = _feed(_item(1), extra=f"<itunes:new-feed-url>{new}</itunes:new-feed-url>")
    add_feed(store, account.user_id, site.url)
    addresses = []
    for number in range(6):
        site.body = _feed(_item(1), title=f"Show {number}", extra=f"<itunes:new-feed-url>{new}</itunes:new-feed-url>")
        _poll(store, account)
        addresses.append(_show(store, account).feed_url)
    assert addresses == [site.url, new, new, new, new, new]
    back = f"<itunes:new-feed-url>{site.url}</itunes:new-feed-url>"
    for number in range(4):
        site.body = _feed(_item(1), title=f"Back {number}", extra=back)
        _poll(store, account)
    assert _show(store, account).feed_url == new


def test_what_is_no_feed_leaves_a_failed_run_and_nothing_else(store: Store, account: User, site: _Site) -> None:
    site.body = b"<html><body>Hello</body></html>"
    with pytest.raises(CastlineError, match="is not a feed"):
        add_feed(store, account.user_id, site.url)
    with store.account(account.user_id) as connection:
        assert load_podcasts(connection, account.user_id) == []
        runs = load_runs(connection, account.user_id)
    assert [(run.job, run.status) for run in runs] == [("feed.add", "failed")]


def test_a_source_that_is_neither_file_nor_address_is_refused(store: Store, account: User) -> None:
    with pytest.raises(InvalidInput, match="neither a file that exists nor an http address"):
        add_feed(store, account.user_id, "no-such-file.xml")


def test_polling_by_name_reaches_a_paused_show(store: Store, account: User, site: _Site) -> None:
    site.body = _feed(_item(1))
    podcast_id = add_feed(store, account.user_id, site.url).podcast_id
    site.status = 410
    _poll(store, account)
    site.status, site.body = 200, _feed(_item(1), _item(2))
    assert isinstance(podcast_id, UUID)
    assert poll_feeds(store, account.user_id, [podcast_id])[0].counts["created"] == 1
    assert _show(store, account).ingestion_status == "active"


def test_shows_of_one_title_are_told_apart_by_their_ids(store: Store, account: User) -> None:
    with store.account(account.user_id) as connection:
        ids = [create_podcast(connection, account.user_id, "Twice", f"https://{n}.example/feed") for n in "ab"]
        with pytest.raises(Ambiguous) as caught:
            find_podcast(connection, account.user_id, "twice")
    assert all(f"Twice ({podcast_id})" in caught.value.message for podcast_id in ids)
