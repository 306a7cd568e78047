# documents stand in one line, as they are sent
"""Feeds that break the rules by accident, and documents that are no feeds."""

import gzip
import zlib

import pytest

from castline.model.feed import LEFT_OUT
from castline.sources.feeds.errors import NotAFeed
from castline.sources.feeds.rss import parse_feed

HEAD = '<?xml version="1.0"?>\n<rss version="2.0" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"><channel><title>Show</title>\n'
END = "</channel></rss>"


def item(number: int, title: str = "T", inside: str = "") -> str:
    return (
        f"<item><title>{title}</title><guid>g{number}</guid><pubDate>Mon, 15 Jan 2024 10:00:00 GMT</pubDate>"
        f'<enclosure url="https://e.com/{number}.mp3" type="audio/mpeg"/>{inside}</item>\n'
    )


def read(text: str | bytes) -> tuple[list[tuple[str, str]], list[tuple[str, int | None]]]:
    feed = parse_feed(text if isinstance(text, bytes) else text.encode(), source="x")
    return [(one.guid, one.title) for one in feed.episodes], [(one.code, one.line) for one in feed.problems]


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("R&D", "R&D"),
        ("A & B", "A & B"),
        ("A&nbsp;B", "A B"),
        ("Caf&eacute; &ldquo;X&rdquo;", "Café “X”"),
        ("a &unknown; b", "a &unknown; b"),
        ("a\x08b\x0bc", "abc"),
        ("a &#0; b &#x1F; c", "a b c"),
        ("1 < 2", "1 < 2"),
        ("<b>Bold</b> <br> new", "<b>Bold</b> <br> new"),
        ("\ufffe x", "\ufffd x"),
    ],
)
def test_a_broken_title_costs_nothing_but_a_problem(title: str, expected: str) -> None:
    text = HEAD + item(1) + item(2, title) + item(3) + END
    assert read(text) == ([("g1", "T"), ("g2", expected), ("g3", "T")], [("not_well_formed", 4)])


def test_raw_html_in_descriptions_keeps_the_items_apart() -> None:
    messy = "<description>one<br>two <img src=x> <p>three & <a href=https://x?a=1&b=2>four</a></description>"
    text = HEAD + item(1, inside=messy) + item(2, inside=messy) + END
    feed = parse_feed(text.encode(), source="x")
    assert [(one.guid, (one.description or "")[:11]) for one in feed.episodes] == [
        ("g1", "one<br>two "),
        ("g2", "one<br>two "),
    ]


def test_entities_in_cdata_and_comments_stay_as_they_are() -> None:
    inside = (
        "<!-- & --><description><![CDATA[<p>&nbsp;&amp; <br></p>]]></description><itunes:author>A&B</itunes:author>"
    )
    feed = parse_feed((HEAD + item(1, inside=inside) + END).encode(), source="x")
    assert (feed.episodes[0].description, feed.episodes[0].author) == ("<p>&nbsp;&amp; <br></p>", "A&B")


def test_undeclared_prefixes_are_understood() -> None:
    text = HEAD.replace(' xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"', "")
    feed = parse_feed((text + item(1, inside="<itunes:duration>90</itunes:duration>") + END).encode(), source="x")
    assert ([one.duration_seconds for one in feed.episodes], [one.code for one in feed.problems]) == (
        [90],
        ["not_well_formed"],
    )


def test_an_item_without_its_end_tag_is_kept() -> None:
    text = HEAD + item(1) + item(2).replace("</item>", "") + item(3) + END
    found, problems = read(text)
    assert [guid for guid, _ in found] == ["g1", "g2", "g3"]
    assert problems == [("not_well_formed", 6)]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("</title><guid>", "<guid>"),
        ("</description></item>", "</item>"),
        ('<rss version="2.0"', '<rss version="2.0'),
        ('<rss version="2.0"', "<rss version=2.0"),
        ('url="https://e.com/2.mp3"', "url=https://e.com/2.mp3"),
        ("<channel>", "<channel><wrap>"),
        ("</channel>", "<script>1 < 2</script></channel>"),
        ("</rss>", "</rss><script>x && y</script>"),
        ("</channel></rss>", "</channel>"),
    ],
)
def test_one_slip_anywhere_costs_no_episode(old: str, new: str) -> None:
    text = HEAD + "".join(item(number, inside="<description>a<br>b</description>") for number in (1, 2, 3)) + END
    assert old in text
    found, _ = read(text.replace(old, new))
    assert [guid for guid, _ in found] == ["g1", "g2", "g3"]


def test_the_last_resort_says_that_it_was_needed() -> None:
    found, problems = read((HEAD + item(1) + END).replace('version="2.0"', 'version="2.0'))
    assert (found, [code for code, _ in problems]) == ([("g1", "T")], ["not_well_formed", "last_resort"])


@pytest.mark.parametrize("lost", [len(END) - 1, len(END), len(END) + 2])
def test_a_lost_end_of_the_document_costs_no_item(lost: int) -> None:
    text = (HEAD + item(1) + item(2) + END)[:-lost]
    found, problems = read(text)
    assert [guid for guid, _ in found] == ["g1", "g2"]
    assert [code for code, _ in problems] == ["truncated"]


def test_a_feed_cut_at_any_byte_gives_only_true_items_and_accounts_for_the_last() -> None:
    whole = (HEAD + item(1) + item(2, inside="<description><![CDATA[<p>a</p> b]]></description>") + END).encode()
    start = whole.index(b"<item>")
    for cut in range(start, len(whole) - 1):
        feed = parse_feed(whole[:cut], source="x")
        assert [one.guid for one in feed.episodes] in ([], ["g1"], ["g1", "g2"]), cut
        assert {one.audio_url for one in feed.episodes} <= {"https://e.com/1.mp3", "https://e.com/2.mp3"}, cut
        assert "truncated" in {one.code for one in feed.problems}, cut
        left_out = sum(one.code in LEFT_OUT for one in feed.problems)
        assert feed.item_count == len(feed.episodes) + left_out, cut


def test_an_item_that_is_cut_before_its_identity_is_left_out_and_named() -> None:
    text = (HEAD + item(1) + item(2, "Second"))[: len(HEAD + item(1)) + 60]
    assert read(text) == ([("g1", "T")], [("truncated", 4), ("unreadable_item", 4)])


def test_warnings_before_the_document_are_skipped() -> None:
    text = "<br />\n<b>Warning</b>: something in /x.php on line 3<br />\n" + HEAD + item(1) + END
    assert read(text) == ([("g1", "T")], [("not_well_formed", 3)])
    assert read("\n\n  " + HEAD + item(1) + END) == ([("g1", "T")], [])


@pytest.mark.parametrize(
    "pack", [gzip.compress, zlib.compress, lambda data: gzip.compress(data[:90]) + gzip.compress(data[90:])]
)
def test_a_compressed_feed_is_read(pack: object) -> None:
    assert callable(pack)
    assert read(pack((HEAD + item(1) + END).encode())) == ([("g1", "T")], [])


def test_a_damaged_compressed_feed_gives_what_can_be_read() -> None:
    whole = HEAD + "".join(item(number, f"Title {number * 7919}") for number in range(500)) + END
    found, problems = read(gzip.compress(whole.encode())[:4000])
    assert len(found) > 10
    assert [code for code, _ in problems][:2] == ["truncated", "truncated"]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "it is empty"),
        (b"  \n", "it is empty"),
        (b"<!DOCTYPE html>\n<html><head><title>404</title></head></html>", "it is an HTML page"),
        (b"<html><body>RSS <rss> here</body></html>", "it is an HTML page"),
        (b"Not found", "it is text without any markup"),
        (b"ID3\x04\x00\x00\x00", "it is an MP3 file"),
        (b"\x89PNG\r\n\x1a\n", "it is a picture (PNG)"),
        (bytes(range(256)) * 4, "it is binary data"),
        (b'{"error": "not found"}', "it is JSON, but no JSON Feed"),
        (b"[1, 2]", "it is JSON, but no JSON Feed"),
        (b'{"version": "https://jsonfeed.org/version/1", "items": [', "it is broken JSON"),
        (b"<?xml version='1.0'?><opml version='2.0'><body/></opml>", "it is an OPML list of feeds"),
        (b"<?xml version='1.0'?><urlset/>", "it is a sitemap"),
        (
            b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>",
            "it is an error message of a storage service",
        ),
        (b"<?xml version='1.0'?><data><item/></data>", "it is an XML document <data>"),
        (b"<rss", "its XML breaks in line 1"),
    ],
)
def test_what_is_no_feed_is_refused_with_its_kind(data: bytes, kind: str) -> None:
    with pytest.raises(NotAFeed, match="x is not a feed: " + kind.replace("(", r"\(").replace(")", r"\)")):
        parse_feed(data, source="x")


def test_capital_letters_throughout_are_read() -> None:
    text = '<RSS><CHANNEL><TITLE>S</TITLE><ITEM><TITLE>One</TITLE><GUID>g</GUID><ENCLOSURE URL="https://e.com/a.mp3"/></ITEM></CHANNEL></RSS>'
    feed = parse_feed(text.encode(), source="x")
    assert [(one.guid, one.audio_url) for one in feed.episodes] == [("g", "https://e.com/a.mp3")]


def test_an_empty_channel_is_a_feed_without_episodes() -> None:
    feed = parse_feed((HEAD + END).encode(), source="x")
    assert (feed.show.title, feed.episodes, feed.problems) == ("Show", (), ())
