"""Feeds for tests: a channel with the usual namespaces, and an item with what an episode needs."""

from datetime import UTC, datetime

from castline.model.feed import FeedEpisode

SPACES = (
    'xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" xmlns:podcast="https://podcastindex.org/namespace/1.0"'
    ' xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:atom="http://www.w3.org/2005/Atom"'
    ' xmlns:media="http://search.yahoo.com/mrss/" xmlns:psc="http://podlove.org/simple-chapters"'
)


def rss(*items: str, head: str = "<title>Show</title>", spaces: str = SPACES) -> bytes:
    return (
        f'<?xml version="1.0"?>\n<rss version="2.0" {spaces}>\n<channel>{head}{"".join(items)}</channel></rss>'.encode()
    )


def item(inside: str = "", *, guid: str = "g1", url: str = "https://example.com/1.mp3") -> str:
    return (
        f"<item><title>One</title><guid>{guid}</guid><pubDate>Mon, 15 Jan 2024 10:00:00 GMT</pubDate>"
        f'<enclosure url="{url}" length="1234" type="audio/mpeg"/>{inside}</item>'
    )


ONE = FeedEpisode(
    guid="g1",
    guid_source="guid",
    title="One",
    audio_url="https://example.com/1.mp3",
    audio_type="audio/mpeg",
    audio_bytes=1234,
    publish_date=datetime(2024, 1, 15, 10, tzinfo=UTC),
)
