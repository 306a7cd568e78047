"""No encoding is lost, whoever lies about it."""

import codecs

import pytest

from castline.sources.feeds.rss import parse_feed

TITLES = {
    "utf-8": "Ærø 日本 🎙",
    "utf-16": "Ærø 日本 🎙",
    "iso-8859-1": "Café Ærø",
    "windows-1252": "“Café” – naïve",
    "windows-1251": "Подкаст",
    "shift_jis": "日本語ポッドキャスト",
    "euc-jp": "日本語ポッドキャスト",
    "iso-2022-jp": "日本語ポッドキャスト",
    "gb2312": "播客节目",
    "big5": "播客節目",
    "euc-kr": "팟캐스트",
    "koi8-r": "Подкаст",
    "iso-8859-15": "10 €",
}


def document(title: str, encoding: str | None) -> str:
    declared = f' encoding="{encoding}"' if encoding else ""
    return (
        f'<?xml version="1.0"{declared}?>\n<rss version="2.0"><channel><title>{title}</title>'
        '<item><guid>g</guid><title>1</title><pubDate>2024-01-15</pubDate><enclosure url="https://e.com/a.mp3"/></item>'
        "</channel></rss>"
    )


def read(data: bytes, content_type: str | None = None) -> tuple[str, list[str]]:
    feed = parse_feed(data, source="x", content_type=content_type)
    assert len(feed.episodes) == 1
    return feed.show.title, [problem.code for problem in feed.problems]


@pytest.mark.parametrize(("encoding", "title"), TITLES.items())
def test_a_declared_encoding_is_read(encoding: str, title: str) -> None:
    assert read(document(title, encoding).encode(encoding)) == (title, [])


@pytest.mark.parametrize(("encoding", "title"), TITLES.items())
def test_an_encoding_that_only_the_server_names_is_read(encoding: str, title: str) -> None:
    content_type = f'application/rss+xml; charset="{encoding}"'
    assert read(document(title, None).encode(encoding), content_type) == (title, [])


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (b"", "utf-16-le"),
        (b"", "utf-16-be"),
    ],
)
def test_a_byte_order_mark_or_its_pattern_decides(mark: bytes, encoding: str) -> None:
    data = mark + document("Ærø 日本 🎙", "iso-8859-1").encode(encoding)
    assert read(data, "text/xml; charset=windows-1251") == ("Ærø 日本 🎙", [])


@pytest.mark.parametrize("label", ["iso-8859-1", "us-ascii", "windows-1252", "shift_jis"])
def test_utf_8_under_a_wrong_label_is_read_and_named(label: str) -> None:
    title = "Ærø und Öland, 日本語の番組"
    assert read(document(title, label).encode()) == (title, ["wrong_encoding"])


def test_a_declared_encoding_that_does_not_fit_gives_way_to_the_servers() -> None:
    data = document("Café", "utf-8").encode("windows-1252")
    assert read(data, "text/xml; charset=windows-1252") == ("Café", ["wrong_encoding"])


def test_stray_bytes_in_utf_8_are_read_as_windows_1252_and_named_with_their_line() -> None:
    data = document("日本 “X”", "utf-8").encode().replace("“".encode(), b"\x93").replace("”".encode(), b"\x94")
    feed = parse_feed(data, source="x")
    assert feed.show.title == "日本 “X”"
    assert [(one.code, one.line) for one in feed.problems] == [("bad_encoding", 2)]


def test_latin_1_without_any_label_is_read() -> None:
    assert read(document("Café “X”", None).encode("windows-1252")) == ("Café “X”", ["bad_encoding"])


@pytest.mark.parametrize("label", ["unknown-9", "zlib", "idna", "unicode_escape", "utf-7", "rot13", "undefined"])
def test_an_unknown_or_unsafe_label_is_ignored(label: str) -> None:
    assert read(document("Café", label).encode()) == ("Café", [])


def test_windows_characters_in_references_are_what_was_meant() -> None:
    assert read(document("It&#146;s &#x93;X&#148;", None).encode()) == ("It’s “X”", [])
