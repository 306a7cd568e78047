"""Feeds into the store: added once, polled on time; a feed that fails is told apart from one that did not change."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final, Literal
from urllib.parse import unquote_to_bytes, urlsplit
from uuid import UUID

from castline.base.clock import now
from castline.base.config import Settings
from castline.base.errors import CastlineError, InvalidInput, SourceUnavailable
from castline.ingest.feeds.rows import FeedReading, apply_feed, list_problems
from castline.ingest.feeds.schedule import FAILURES_UNTIL_ERROR, failed, next_poll_after, note_move
from castline.model.feed import Feed
from castline.model.show import Podcast
from castline.sources.feeds.bytes import MAX_BYTES
from castline.sources.feeds.rss import parse_feed
from castline.sources.fetch import (
    Fetched,
    FetchPolicy,
    FetchRequest,
    ResponseTooLarge,
    Validators,
    fetch_all,
    read_file,
)
from castline.store.entities.shows import (
    FeedState,
    create_podcast,
    find_podcast,
    find_podcast_by_feed,
    load_feed_state,
    load_podcasts,
    save_feed_state,
    set_ingestion_status,
)
from castline.store.landing.payloads import hash_content, save_payload
from castline.store.pool import Store
from castline.store.provenance.ledger import OpenRun, open_run

STDIN: Final = "-"
_NOT_MODIFIED: Final = 304
_GONE: Final = 410
_OK: Final = range(200, 300)
_NEWS: Final = {"created", "changed"}  # what a reading counts of episodes when it brings anything


class NoSuchFeed(InvalidInput):
    """{source!r} is neither a file that exists nor an http address"""

    fix = "Give the path of a file as it is seen from here, or the feed's whole address with https://."


class FeedGone(SourceUnavailable):
    """{source} is gone for good (410); its show is paused."""

    fix = "If the show lives on elsewhere, add its new feed: the episodes stay the same ones."


@dataclass(frozen=True, slots=True)
class FeedOutcome:
    """What one reading of one feed came to."""

    podcast_id: UUID | None
    title: str
    feed_url: str
    status: Literal["added", "changed", "unchanged", "failed"]
    counts: dict[str, int]
    problem_count: int = 0
    error: str | None = None


def read_feed(settings: Settings, source: str) -> Feed:
    """The feed of this address or file, read and not stored. Raises as `add_feed` does."""
    answer = _read(settings, [(_feed_url(source), FeedState())])[0]
    if isinstance(answer, CastlineError):
        raise answer
    _check_status(answer)
    return parse_feed(answer.body, source=source, content_type=answer.content_type)


def read_feed_stream(stream: BinaryIO) -> Feed:
    """The one feed that comes through a stream. Raises ResponseTooLarge, NotAFeed or FeedTooHeavy."""
    body = stream.read(MAX_BYTES + 1)
    if len(body) > MAX_BYTES:
        raise ResponseTooLarge(source=STDIN, detail=f"more than {MAX_BYTES:,} bytes")
    return parse_feed(body, source=STDIN)


def add_feed(store: Store, owner_id: UUID, source: str) -> FeedOutcome:
    """The show of this address or file is in the account with its episodes; adding it again reads it again.

    Raises SourceUnavailable, NotAFeed or FeedTooHeavy, with nothing written but the failed run.
    """
    feed_url = _feed_url(source)
    with open_run(store, owner_id, "feed.add", parameters={"source": source}) as run:
        fetched = _read(store.settings, [(feed_url, FeedState())])[0]
        if isinstance(fetched, CastlineError):
            raise fetched
        _check_status(fetched)
        feed = parse_feed(fetched.body, source=source, content_type=fetched.content_type)
        podcast = find_podcast_by_feed(run.connection, owner_id, feed_url, feed.show.podcast_guid)
        status: Literal["added", "changed"] = "changed"
        if podcast is None:
            podcast_id = create_podcast(run.connection, owner_id, (feed.show.title or feed_url)[:500], feed_url)
            podcast = find_podcast(run.connection, owner_id, str(podcast_id))
            status = "added"
        return _apply(run, store.settings, replace(podcast, feed_url=feed_url), (fetched, feed), status)


def poll_feeds(
    store: Store, owner_id: UUID, podcast_ids: Sequence[UUID] | None = None, *, force: bool = False
) -> list[FeedOutcome]:
    """The account's feeds, or these, have been asked once; one outcome each, by title.

    `force` reads a feed again that says it did not change. Paused shows are asked only by name.
    """
    with store.account(owner_id) as connection:
        shows = [
            show
            for show in load_podcasts(connection, owner_id)
            if (show.podcast_id in podcast_ids if podcast_ids is not None else show.ingestion_status != "paused")
        ]
        states = [load_feed_state(connection, owner_id, show.podcast_id) for show in shows]
    asked = [(show.feed_url, FeedState() if force else state) for show, state in zip(shows, states, strict=True)]
    answers = _read(store.settings, asked)
    return [_poll_one(store, owner_id, show, answer, force=force) for show, answer in zip(shows, answers, strict=True)]


def _poll_one(
    store: Store, owner_id: UUID, show: Podcast, answer: Fetched | CastlineError, *, force: bool
) -> FeedOutcome:
    try:
        with open_run(store, owner_id, "feed.poll", parameters={"podcast_id": str(show.podcast_id)}) as run:
            if isinstance(answer, CastlineError):
                raise answer
            _check_status(answer)
            state = load_feed_state(run.connection, owner_id, show.podcast_id)
            same = answer.status == _NOT_MODIFIED or hash_content(answer.body) == state.content_hash
            if same and not force:
                return _keep(run, show, answer, state)
            feed = parse_feed(answer.body, source=show.feed_url, content_type=answer.content_type)
            return _apply(run, store.settings, show, (answer, feed), "changed")
    except CastlineError as error:
        return _note_failure(store, owner_id, show, error)


def _keep(run: OpenRun, show: Podcast, fetched: Fetched, state: FeedState) -> FeedOutcome:
    at = now()
    run.count("not_modified")
    state, adopted = note_move(state, fetched.permanent_url, _former(show))
    quiet = replace(state, polled_at=at, failure_count=0)
    quiet = replace(quiet, next_poll_at=next_poll_after(quiet, at, wait_seconds=fetched.max_age_seconds))
    if adopted:
        # The new address is read as a whole next time, whatever the old one said of its content.
        quiet = replace(quiet, etag=None, last_modified=None, content_hash=None)
    save_feed_state(run.connection, show.podcast_id, quiet)
    set_ingestion_status(run.connection, run.owner_id, show.podcast_id, "active")
    return FeedOutcome(show.podcast_id, show.title, show.feed_url, "unchanged", dict(run.counts))


def _apply(
    run: OpenRun,
    settings: Settings,
    show: Podcast,
    answer: tuple[Fetched, Feed],
    status: Literal["added", "changed", "unchanged"],
) -> FeedOutcome:
    (fetched, feed), at = answer, now()
    state = load_feed_state(run.connection, run.owner_id, show.podcast_id)
    state, adopted = note_move(state, _claimed_address(show, fetched, feed), _former(show))
    reading = FeedReading(
        podcast=show,
        feed=feed,
        content_hash=hash_content(fetched.body),
        landed_as=save_payload(settings.landing_dir, run.owner_id, fetched.body),
        fetched_at=at,
        feed_url=adopted or show.feed_url,
    )
    apply_feed(run, reading)
    run.watermark_at = at
    fresh = replace(
        state,
        etag=None if adopted else fetched.etag,
        last_modified=None if adopted else fetched.last_modified,
        content_hash=reading.content_hash,
        polled_at=at,
        changed_at=at,
        failure_count=0,
    )
    fresh = replace(fresh, next_poll_at=next_poll_after(fresh, at, wait_seconds=fetched.max_age_seconds))
    problems = list_problems(reading)
    save_feed_state(run.connection, show.podcast_id, fresh, problems)
    title = feed.show.title or show.title
    if status == "changed" and state.content_hash == reading.content_hash and not run.counts.keys() & _NEWS:
        status = "unchanged"
    return FeedOutcome(show.podcast_id, title, reading.feed_url, status, dict(run.counts), len(problems))


def _note_failure(store: Store, owner_id: UUID, show: Podcast, error: CastlineError) -> FeedOutcome:
    with store.account(owner_id) as connection:
        state = load_feed_state(connection, owner_id, show.podcast_id)
        worse = failed(state, now(), wait_seconds=getattr(error, "retry_after", None))
        save_feed_state(connection, show.podcast_id, worse)
        if isinstance(error, FeedGone):
            set_ingestion_status(connection, owner_id, show.podcast_id, "paused")
        elif worse.failure_count >= FAILURES_UNTIL_ERROR:
            set_ingestion_status(connection, owner_id, show.podcast_id, "error")
    return FeedOutcome(show.podcast_id, show.title, show.feed_url, "failed", {}, error=error.message)


def _claimed_address(show: Podcast, fetched: Fetched, feed: Feed) -> str | None:
    """Where the server or the feed says that it lives now, None if here."""
    claimed = fetched.permanent_url or feed.show.new_feed_url
    return claimed if claimed and claimed != show.feed_url and claimed.startswith(("http://", "https://")) else None


def _former(show: Podcast) -> tuple[str, ...]:
    return tuple(show.metadata.get("former_feed_urls", ()))


def _check_status(fetched: Fetched) -> None:
    if fetched.status == _GONE:
        raise FeedGone(source=fetched.url)
    if fetched.status not in _OK and fetched.status != _NOT_MODIFIED:
        raise SourceUnavailable(
            source=fetched.url, detail=f"the server answered {fetched.status}", retry_after=fetched.retry_after_seconds
        )


def _feed_url(source: str) -> str:
    """The feed's address: http and https as given, a file by its absolute file: address."""
    try:
        scheme = urlsplit(source).scheme.lower()
    except ValueError as error:
        raise InvalidInput(field="source", detail=f"{source!r} is no address: {error}") from None
    if scheme in {"http", "https"}:
        return source.strip()
    if scheme == "feed":
        return "https:" + source.partition(":")[2].removeprefix("https:").removeprefix("http:")
    path = (_path_of(source) if scheme == "file" else Path(source)).expanduser()
    if not path.exists():
        raise NoSuchFeed(field="source", source=source)
    return path.resolve().as_uri()


def _read(settings: Settings, asked: Sequence[tuple[str, FeedState]]) -> list[Fetched | CastlineError]:
    """Each address's answer or why there is none, in the order asked; the network's all at once."""
    policy = FetchPolicy(allow_private_addresses=settings.allow_private_addresses)
    requests = [FetchRequest(url, Validators(state.etag, state.last_modified)) for url, state in asked]
    remote = fetch_all([one for one in requests if not one.url.startswith("file:")], policy=policy)
    return [remote[one] if one in remote else _read_file(one.url) for one in requests]


def _read_file(url: str) -> Fetched | CastlineError:
    try:
        return Fetched(status=200, url=url, body=read_file(_path_of(url)))
    except CastlineError as error:
        return error


def _path_of(file_url: str) -> Path:
    return Path(os.fsdecode(unquote_to_bytes(urlsplit(file_url).path)))
