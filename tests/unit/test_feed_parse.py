# ruff: noqa: E501  # items of feeds stand in one line, as in feeds
"""Feeds that are as they should be, in each dialect."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from castline.cli.main import castline
from castline.model import feed as model
from castline.model.feed import FeedEpisode, FeedShow, FeedTranscript
from castline.sources.feeds.errors import NotAFeed
from castline.sources.feeds.line import failure_line, to_line
from castline.sources.feeds.rss import parse_feed
from make_feed import ONE, item, rss


def codes(feed: model.Feed) -> list[str]:
    return [problem.code for problem in feed.problems]


def test_a_plain_feed_is_read_whole() -> None:
    assert parse_feed(rss(item()), source="feed.xml") == model.Feed("feed.xml", FeedShow("Show"), (ONE,), (), 1)


def test_tags_are_known_under_any_address_prefix_and_case_of_their_namespace() -> None:
    spaces = 'xmlns:i="http://www.itunes.com/DTDs/PodCast-1.0.dtd" xmlns:podcast="https://example.org/made-up"'
    inside = '<i:Duration>90</i:Duration><podcast:transcript url="https://e.com/t"/>'
    (episode,) = parse_feed(rss(item(inside), spaces=spaces), source="x").episodes
    assert (episode.duration_seconds, episode.transcripts) == (90, (FeedTranscript("https://e.com/t"),))


def test_a_live_item_is_no_episode() -> None:
    live = item(guid="live").replace("<item>", '<podcast:liveItem status="live" start="2024-01-15T10:00:00Z">')
    feed = parse_feed(rss(live.replace("</item>", "</podcast:liveItem>"), item()), source="x")
    assert [one.episode.guid for one in feed.show.live_items] == ["live"]
    assert (feed.episodes, feed.item_count) == ((ONE,), 1)


def test_atom_is_read() -> None:
    data = b"""<feed xmlns="http://www.w3.org/2005/Atom"><title type="html">A &amp;amp; B</title><id>urn:show</id>
    <link href="https://example.com/"/><link rel="self" href="https://example.com/atom"/><subtitle>Sub</subtitle>
    <author><name>Ann</name></author><updated>2024-01-16T00:00:00Z</updated>
    <entry><id>urn:1</id><title>One</title><published>2024-01-15T10:00:00Z</published><updated>2024-02-01T00:00:00Z</updated>
    <link rel="alternate" href="https://example.com/1"/><category term="News"/><author><name>Bob</name></author>
    <link rel="enclosure" type="audio/mpeg" length="1234" href="https://example.com/1.mp3"/>
    <content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>Hi</p></div></content></entry>
    <entry><id>urn:2</id><title>Text only</title><link href="https://example.com/2"/></entry></feed>"""
    feed = parse_feed(data, source="x")
    (episode,) = feed.episodes
    assert (feed.show.title, feed.show.website_url, feed.show.feed_url, feed.show.author, feed.show.description) == (
        "A & B",
        "https://example.com/",
        "https://example.com/atom",
        "Ann",
        "Sub",
    )
    assert (episode.guid, episode.audio_url, episode.publish_date) == ("urn:1", ONE.audio_url, ONE.publish_date)
    assert (episode.link, episode.author, episode.categories) == ("https://example.com/1", "Bob", ("News",))
    assert "<p>Hi</p>" in (episode.content or "")
    assert codes(feed) == ["no_enclosure"]


def test_rss_1_and_0_9_are_read() -> None:
    for space in ("http://purl.org/rss/1.0/", "http://my.netscape.com/rdf/simple/0.9/"):
        data = f"""<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="{space}"
          xmlns:dc="http://purl.org/dc/elements/1.1/"><channel rdf:about="u"><title>Show</title><link>https://e.com</link></channel>
          <item rdf:about="urn:1"><title>One</title><dc:date>2024-01-15T10:00:00Z</dc:date>
          <enclosure url="https://example.com/1.mp3" type="audio/mpeg"/></item></rdf:RDF>"""
        feed = parse_feed(data.encode(), source="x")
        assert (feed.show.title, feed.show.website_url) == ("Show", "https://e.com")
        assert [(one.guid, one.title, one.publish_date) for one in feed.episodes] == [
            ("urn:1", "One", ONE.publish_date)
        ]


def test_rss_0_91_with_its_document_type_is_read_without_a_problem() -> None:
    doctype = (
        '<!DOCTYPE rss PUBLIC "-//Netscape//DTD RSS 0.91//EN" "http://my.netscape.com/publish/formats/rss-0.91.dtd">'
    )
    data = rss(item()).replace(b"?>\n", b"?>\n" + doctype.encode() + b"\n", 1)
    assert parse_feed(data, source="x") == model.Feed("x", FeedShow("Show"), (ONE,), (), 1)


def test_json_feed_is_read() -> None:
    data = json.dumps(
        {
            "version": "https://jsonfeed.org/version/1.1",
            "title": "Show",
            "home_page_url": "https://e.com",
            "feed_url": "https://e.com/f.json",
            "authors": [{"name": "Ann"}],
            "hubs": [{"type": "WebSub", "url": "https://hub"}],
            "items": [
                {
                    "id": 7,
                    "title": "One",
                    "date_published": "2024-01-15T11:00:00+01:00",
                    "content_html": "<p>Hi</p>",
                    "tags": ["a"],
                    "attachments": [
                        {"url": "https://e.com/1.jpg", "mime_type": "image/jpeg"},
                        {
                            "url": "https://e.com/1.mp3",
                            "mime_type": "audio/mpeg",
                            "size_in_bytes": 12,
                            "duration_in_seconds": 90.5,
                        },
                    ],
                },
                {"id": "text", "title": "No sound"},
                "junk",
            ],
        }
    ).encode()
    feed = parse_feed(data, source="x")
    assert feed.show == FeedShow(
        "Show",
        author="Ann",
        website_url="https://e.com",
        feed_url="https://e.com/f.json",
        hub_url="https://hub",
    )
    assert feed.episodes == (
        FeedEpisode(
            guid="7",
            guid_source="guid",
            title="One",
            audio_url="https://e.com/1.mp3",
            audio_type="audio/mpeg",
            audio_bytes=12,
            publish_date=ONE.publish_date,
            duration_seconds=90,
            description="<p>Hi</p>",
            content="<p>Hi</p>",
            categories=("a",),
        ),
    )
    assert (codes(feed), feed.item_count) == (["no_enclosure", "unreadable_item"], 3)


@pytest.mark.parametrize(
    ("inside", "url", "kind"),
    [
        ('<enclosure url="https://e.com/i.jpg" type="image/jpeg"/><enclosure url="https://e.com/a.mp3" type="audio/mpeg"/>', "https://e.com/a.mp3", "audio/mpeg"),
        ('<enclosure url="https://e.com/v.mp4" type="video/mp4"/><enclosure url="https://e.com/a.m4a" type="audio/mp4"/>', "https://e.com/a.m4a", "audio/mp4"),
        ('<enclosure url=" https://e.com/a.mp3 "/>', "https://e.com/a.mp3", None),
        ('<enclosure url="https://e.com/a.mp3" type="text/html"/>', "https://e.com/a.mp3", "text/html"),
        ('<media:content url="https://e.com/a.mp3" medium="audio" fileSize="5"/>', "https://e.com/a.mp3", "audio"),
        ('<media:group><media:content url="https://e.com/a.mp3" type="audio/mpeg"/></media:group>', "https://e.com/a.mp3", "audio/mpeg"),
        ('<enclosure url="https://e.com/i.png" type="image/png"/><media:content url="https://e.com/a.mp3" type="audio/mpeg"/>', "https://e.com/a.mp3", "audio/mpeg"),
        ('<atom:link rel="enclosure" href="https://e.com/a.mp3" type="audio/mpeg"/>', "https://e.com/a.mp3", "audio/mpeg"),
        ('<podcast:alternateEnclosure type="audio/mpeg"><podcast:source uri="ipfs://x"/><podcast:source uri="https://e.com/a.mp3"/></podcast:alternateEnclosure>', "https://e.com/a.mp3", "audio/mpeg"),
        ('<enclosure url="/a.mp3" type="audio/mpeg"/>', "https://host.example/a.mp3", "audio/mpeg"),
        ('<enclosure url="https://e.com/doc.pdf" type="application/pdf"/>', "https://e.com/doc.pdf", "application/pdf"),
    ],
)  # fmt: skip
def test_the_audio_of_an_item_is_found_wherever_it_stands(inside: str, url: str, kind: str | None) -> None:
    data = rss(f"<item><title>One</title><guid>g</guid><pubDate>2024-01-15</pubDate>{inside}</item>")
    feed = parse_feed(data, source="https://host.example/feed.xml")
    assert [(one.audio_url, one.audio_type) for one in feed.episodes] == [(url, kind)]
    assert feed.problems == ()


def test_every_item_left_out_has_its_problem() -> None:
    items = (
        item(),
        item(guid="g1", url="https://example.com/2.mp3"),
        "<item><title>Words</title><guid>w</guid></item>",
        '<item><title>Picture</title><enclosure url="https://e.com/i.jpg" type="image/jpeg"/></item>',
        item(guid="m", url="magnet:?xt=1"),
    )
    feed = parse_feed(rss(*items), source="x")
    left_out = [problem for problem in feed.problems if problem.code in model.LEFT_OUT]
    assert [(one.code, one.line, one.item) for one in left_out] == [
        ("duplicate_guid", 3, "g1"),
        ("no_enclosure", 3, "w"),
        ("no_enclosure", 3, "Picture"),
        ("bad_enclosure_url", 3, "m"),
    ]
    assert feed.item_count == len(feed.episodes) + len(left_out) == 5


def test_a_missing_guid_is_made_from_the_enclosure_without_prefixes() -> None:
    data = rss(item(guid="", url="https://op3.dev/e/pdst.fm/e/cdn.example.com/1.mp3?x=1"))
    feed = parse_feed(data, source="x")
    assert [(one.guid, one.guid_source) for one in feed.episodes] == [
        ("https://cdn.example.com/1.mp3?x=1", "enclosure")
    ]
    assert codes(feed) == ["no_guid"]


def test_items_that_share_a_file_and_have_no_guid_are_told_apart_by_their_facts() -> None:
    second = item(guid="").replace("One", "Two")
    feed = parse_feed(rss(item(guid=""), second, second), source="x")
    assert [one.guid_source for one in feed.episodes] == ["enclosure", "derived"]
    assert feed.episodes[1].guid.startswith("sha256:")
    assert codes(feed) == ["no_guid", "no_guid", "no_guid", "duplicate_guid"]


def test_fields_that_cannot_be_read_are_empty_and_named() -> None:
    data = rss(
        '<item><guid>g</guid><pubDate>soon</pubDate><itunes:duration>long</itunes:duration><itunes:episode>S1</itunes:episode>'
        '<itunes:season>two</itunes:season><enclosure url="https://e.com/a.mp3" length="big" type="audio/mpeg"/></item>',
        head="",
    )  # fmt: skip
    feed = parse_feed(data, source="x")
    assert codes(feed) == ["bad_date", "bad_duration", "no_title", "bad_number", "bad_number", "no_show_title"]
    assert feed.episodes == (FeedEpisode("g", "guid", "", "https://e.com/a.mp3", audio_type="audio/mpeg"),)


def test_a_length_of_zero_says_nothing() -> None:
    data = rss(item().replace('length="1234"', 'length="0"').replace("<pubDate>", "<x>").replace("</pubDate>", "</x>"))
    feed = parse_feed(data, source="x")
    assert (feed.episodes[0].audio_bytes, feed.episodes[0].publish_date, codes(feed)) == (None, None, ["no_date"])


def test_a_feed_is_one_line_of_json() -> None:
    line = to_line(parse_feed(rss(item("<itunes:duration>90</itunes:duration>"), "<item/>"), source="feed.xml"))
    episodes, show = line["episodes"], line["show"]
    assert isinstance(episodes, list)
    assert isinstance(show, dict)
    shown = {name: episodes[0][name] for name in ("guid", "title", "audio_url", "publish_date", "duration_seconds")}
    assert shown == {
        "guid": "g1",
        "title": "One",
        "audio_url": "https://example.com/1.mp3",
        "publish_date": "2024-01-15T10:00:00Z",
        "duration_seconds": 90,
    }
    assert line["problems"] == [
        {"code": "no_enclosure", "message": "the item has no enclosure, so it is no episode", "line": 3}
    ]
    assert (line["source"], show["title"], show["category"], line["item_count"]) == ("feed.xml", "Show", None, 2)
    assert json.loads(json.dumps(line)) == line


def test_a_source_that_is_no_feed_is_one_line_too() -> None:
    with pytest.raises(NotAFeed) as caught:
        parse_feed(b"<!doctype html><html><body>404</body></html>", source="x")
    assert failure_line("x", caught.value) == {
        "source": "x",
        "show": None,
        "episodes": [],
        "problems": [{"code": "not_a_feed", "message": "x is not a feed: it is an HTML page"}],
        "item_count": 0,
    }


def test_a_source_that_is_not_there_says_how_to_name_one(tmp_path: Path) -> None:
    result = CliRunner().invoke(castline, ["feed", "parse", str(tmp_path / "missing")])
    assert (result.exit_code, result.output.splitlines()) == (
        1,
        [
            f"'{tmp_path}/missing' is neither a file that exists nor an http address",
            "  fix: Give the path of a file as it is seen from here, or the feed's whole address with https://.",
        ],
    )


def test_every_code_of_a_problem_is_documented() -> None:
    assert set(model.PROBLEMS) == set(model.ProblemCode.__args__)  # type: ignore[attr-defined]
    assert set(model.PROBLEMS) >= model.LEFT_OUT
