# ruff: noqa: E501  # items of feeds stand in one line, as in feeds
"""What the tags of each namespace tell of a show and of an episode."""

from dataclasses import replace
from datetime import UTC, datetime

from castline.model import feed as model
from castline.model.feed import FeedEpisode, FeedPerson, FeedShow, FeedTranscript
from castline.sources.feeds.rss import parse_feed
from make_feed import ONE, item, rss

WHEN = datetime(2024, 1, 15, 10, tzinfo=UTC)


def show_of(head: str) -> FeedShow:
    return parse_feed(rss(head=f"<title>Show</title>{head}"), source="x").show


def test_a_show_is_read_with_the_tags_of_rss_and_atom() -> None:
    head = """<title> The
      &amp;quot;Show&amp;quot; </title><link>https://example.com</link><language>en-US</language><ttl>60</ttl>
      <description><![CDATA[<p>About</p>]]></description><copyright>me</copyright><generator>Gen</generator>
      <atom:link rel="self" href="https://example.com/feed"/><atom:link rel="hub" href="https://hub.example.com"/>"""
    assert parse_feed(rss(head=head), source="x").show == FeedShow(
        title='The "Show"',
        description="<p>About</p>",
        feed_url="https://example.com/feed",
        website_url="https://example.com",
        language="en-US",
        generator="Gen",
        copyright="me",
        ttl_minutes=60,
        hub_url="https://hub.example.com",
    )


def test_a_show_is_read_with_the_tags_of_itunes() -> None:
    head = """<itunes:new-feed-url>https://new.example.com/feed</itunes:new-feed-url><itunes:author>Ann</itunes:author>
      <itunes:owner><itunes:name>Ann O</itunes:name><itunes:email>ann@example.com</itunes:email></itunes:owner>
      <itunes:category text="News"><itunes:category text="Tech News"/></itunes:category><itunes:category text="Arts"/>
      <itunes:explicit>clean</itunes:explicit><itunes:image href="https://example.com/i.jpg"/>
      <itunes:type>serial</itunes:type><itunes:complete>Yes</itunes:complete>"""
    assert show_of(head) == FeedShow(
        title="Show",
        author="Ann",
        image_url="https://example.com/i.jpg",
        new_feed_url="https://new.example.com/feed",
        categories=("News", "Tech News", "Arts"),
        explicit=False,
        owner_name="Ann O",
        owner_email="ann@example.com",
        show_type="serial",
        complete=True,
    )


def test_a_show_is_read_with_the_tags_of_podcasting_2() -> None:
    head = """<podcast:guid>917393e3-1b1e-5cef-ace4-edaa54e1f810</podcast:guid><podcast:medium>podcast</podcast:medium>
      <podcast:locked owner="ann@example.com">yes</podcast:locked><podcast:block id="google">yes</podcast:block>
      <podcast:updateFrequency rrule="FREQ=WEEKLY" dtstart="2024-01-15T10:00:00Z">weekly</podcast:updateFrequency>
      <podcast:podroll><podcast:remoteItem feedGuid="abc" feedUrl="https://o.example/f"/></podcast:podroll>
      <podcast:trailer url="https://example.com/t.mp3" pubdate="Mon, 15 Jan 2024 10:00:00 GMT" length="9" type="audio/mpeg">Soon</podcast:trailer>
      <podcast:podping usesPodping="true"/>"""
    assert show_of(head) == FeedShow(
        title="Show",
        podcast_guid="917393e3-1b1e-5cef-ace4-edaa54e1f810",
        locked=True,
        locked_owner="ann@example.com",
        medium="podcast",
        update_frequency=model.FeedUpdateFrequency("weekly", "FREQ=WEEKLY", WHEN),
        trailers=(model.FeedTrailer("Soon", "https://example.com/t.mp3", WHEN, "audio/mpeg", 9),),
        podroll=(model.FeedRemoteItem("abc", "https://o.example/f"),),
        blocks=(("google", True),),
        uses_podping=True,
    )


def test_a_show_is_read_with_the_ways_to_pay_it() -> None:
    head = """<podcast:txt purpose="verify">token</podcast:txt><podcast:funding url="https://x.example">Give</podcast:funding>
      <podcast:value type="lightning" method="keysend" suggested="0.05"><podcast:valueRecipient name="A" type="node" address="02" split="99"/></podcast:value>"""
    assert show_of(head).extras == model.FeedExtras(
        value=model.FeedValue("lightning", "keysend", "0.05", (model.FeedRecipient("A", "node", "02", 99),)),
        txts=(model.FeedTxt("token", "verify"),),
        funding=(model.FeedFunding("https://x.example", "Give"),),
    )


def episode_of(inside: str) -> FeedEpisode:
    (episode,) = parse_feed(rss(item(inside)), source="x").episodes
    return episode


def test_an_episode_is_read_with_the_tags_of_rss_and_itunes() -> None:
    inside = """<link>https://example.com/1</link><description>&lt;p&gt;Text&lt;/p&gt;</description>
      <content:encoded><![CDATA[<p>Long</p>]]></content:encoded><itunes:subtitle>Sub</itunes:subtitle>
      <itunes:author>Ann</itunes:author><itunes:duration>1:02:03</itunes:duration><itunes:explicit>yes</itunes:explicit>
      <itunes:episode>7</itunes:episode><itunes:season>2</itunes:season><itunes:episodeType>Full</itunes:episodeType>
      <itunes:image href="https://example.com/1.jpg"/><itunes:block>yes</itunes:block><category>A</category>"""
    assert episode_of(inside) == replace(
        ONE,
        duration_seconds=3723,
        description="<p>Text</p>",
        content="<p>Long</p>",
        subtitle="Sub",
        link="https://example.com/1",
        author="Ann",
        categories=("A",),
        explicit=True,
        episode_number=7,
        season_number=2,
        episode_type="full",
        image_url="https://example.com/1.jpg",
        blocked=True,
    )


def test_an_episode_is_read_with_its_transcript_chapters_and_soundbites() -> None:
    inside = """<podcast:transcript url="https://example.com/1.vtt" type="text/vtt" language="en" rel="captions"/>
      <podcast:chapters url="https://example.com/1.json" type="application/json+chapters"/>
      <podcast:soundbite startTime="73.0" duration="60.5">Best</podcast:soundbite>
      <psc:chapters version="1.2"><psc:chapter start="00:01:30.5" title="Two" href="https://c"/></psc:chapters>"""
    assert episode_of(inside) == replace(
        ONE,
        transcripts=(FeedTranscript("https://example.com/1.vtt", "text/vtt", "en", "captions"),),
        chapters_url="https://example.com/1.json",
        chapters_type="application/json+chapters",
        chapters=(model.FeedChapter(90.5, "Two", "https://c"),),
        soundbites=(model.FeedSoundbite(73.0, 60.5, "Best"),),
    )


def test_an_episode_is_read_with_its_other_files() -> None:
    inside = """<podcast:alternateEnclosure type="audio/opus" length="99" bitrate="128000" default="true" title="HQ">
        <podcast:source uri="https://example.com/1.opus"/><podcast:integrity type="sri" value="sha384-x"/>
      </podcast:alternateEnclosure>"""
    opus = model.FeedEnclosure(
        ("https://example.com/1.opus",), "audio/opus", 99, 128000.0, title="HQ", is_default=True, integrity="sha384-x"
    )
    assert episode_of(inside) == replace(ONE, alternate_enclosures=(opus,))


def test_an_episode_is_read_with_its_people_and_places() -> None:
    inside = """<podcast:person role="host" group="cast" href="https://a" img="https://b">Ann</podcast:person>
      <podcast:socialInteract protocol="activitypub" uri="https://s" accountId="@a" priority="1"/>
      <podcast:license url="https://l">cc</podcast:license><podcast:location geo="geo:1,2">Here</podcast:location>"""
    extras = model.FeedExtras(
        persons=(FeedPerson("Ann", "host", "cast", "https://a", "https://b"),),
        locations=(model.FeedLocation("Here", "geo:1,2"),),
        license=model.FeedLicense("cc", "https://l"),
    )
    social = (model.FeedSocial("activitypub", "https://s", "@a", 1),)
    assert episode_of(inside) == replace(ONE, social=social, extras=extras)
