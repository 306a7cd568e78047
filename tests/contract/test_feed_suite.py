"""Every reference feed: nothing that feedparser finds is missed, and every item is accounted for."""

import calendar
import warnings
from pathlib import Path

import feedparser  # type: ignore[import-untyped]
import pytest

from castline.model.feed import LEFT_OUT
from castline.sources.feeds.line import to_line
from castline.sources.feeds.rss import parse_feed
from castline.sources.feeds.text import clean_line

FEEDS = Path(__file__).parents[3] / "shared" / "data" / "feeds"
PATHS = sorted(FEEDS.rglob("*.xml"))

if not FEEDS.is_dir():
    pytest.skip("no ../shared/data/feeds: the reference feeds are not here", allow_module_level=True)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_every_episode_that_feedparser_finds_is_found_alike(path: Path) -> None:
    data = path.read_bytes()
    feed = parse_feed(data, source=path.name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # feedparser's own fields
        theirs = [entry for entry in feedparser.parse(data).entries if entry.get("enclosures")]
        expected = [
            (
                clean_line(entry.title),
                entry.enclosures[0].href.strip(),
                calendar.timegm(entry.published_parsed) if entry.get("published_parsed") else None,
            )
            for entry in theirs
        ]
    found = [
        (one.title, one.audio_url, int(one.publish_date.timestamp()) if one.publish_date else None)
        for one in feed.episodes
    ]
    assert found == expected


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_items_seen_and_items_kept_agree(path: Path) -> None:
    feed = parse_feed(path.read_bytes(), source=path.name)
    left_out = [problem for problem in feed.problems if problem.code in LEFT_OUT]
    assert feed.item_count == len(feed.episodes) + len(left_out)
    assert len({one.guid for one in feed.episodes}) == len(feed.episodes)
    assert to_line(feed)["source"] == path.name


def test_the_namespaces_example_keeps_its_podcast_tags() -> None:
    feed = parse_feed((FEEDS / "podcast-namespace" / "example.xml").read_bytes(), source="example.xml")
    last = feed.episodes[0]
    assert (feed.show.podcast_guid, feed.show.locked, feed.show.medium) == ("y0ur-gu1d-g035-h3r3", True, "podcast")
    assert (len(feed.show.podroll), len(feed.show.live_items), len(feed.show.trailers)) == (2, 1, 1)
    assert [person.name for person in last.persons] == ["Adam Curry", "Dave Jones", "Becky Smith"]
    assert [one.type for one in last.alternate_enclosures] == [
        "audio/mpeg",
        "audio/opus",
        "audio/aac",
        "audio/opus",
        "video/mp4",
    ]
    assert (last.season_number, last.episode_number, len(last.transcripts), len(last.social)) == (1, 3, 2, 2)
    assert last.value is not None
    assert [one.split for one in last.value.recipients] == [49, 1, 50]
