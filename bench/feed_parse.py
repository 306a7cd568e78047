"""How fast a large feed is read, beside a bare lxml loop and feedparser in the same run. Goal: 35 MB/s on one core."""

import io
import json
import os
import random
import sys
import time
from collections.abc import Callable

import feedparser  # type: ignore[import-untyped]
from lxml import etree

from castline.sources.feeds.rss import parse_feed

_EPISODES = 3000
_ROUNDS = 5
_LIMIT_MB_S = 35.0
_SAMPLE = 200  # episodes of the same kind that feedparser is given: it reads below 1 MB/s
_WORDS = "show data people build strange machine care week listen sponsor code now talk <b>bold</b> &amp;".split()


def make_feed(episodes: int, seed: int = 7) -> bytes:
    """A feed as large hosts write it: about 5 KB an episode, most of it show notes, twice."""
    draw = random.Random(seed)  # noqa: S311  # a repeatable feed, not a secret
    items = "\n".join(_item(number, draw) for number in range(episodes))
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"
 xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:podcast="https://podcastindex.org/namespace/1.0">
<channel><title>Große Show</title><link>https://example.com</link>
{items}
</channel></rss>""".encode()


def _item(number: int, draw: random.Random) -> str:
    notes = " ".join(draw.choices(_WORDS, k=350))
    plain = notes.replace("<", "&lt;").replace(">", "&gt;")
    return f"""<item><title>Episode {number}: Café &amp; more</title><guid isPermaLink="false">guid-{number}</guid>
<link>https://example.com/{number}</link><pubDate>Mon, 15 Jan 2024 10:{number % 60:02d}:00 +0000</pubDate>
<enclosure url="https://op3.dev/e/cdn.example.com/{number}.mp3" length="{number + 1000}" type="audio/mpeg"/>
<itunes:duration>00:42:{number % 60:02d}</itunes:duration><itunes:explicit>false</itunes:explicit>
<itunes:episode>{number}</itunes:episode><itunes:season>1</itunes:season><itunes:episodeType>full</itunes:episodeType>
<itunes:image href="https://example.com/{number}.jpg"/><itunes:author>Ann</itunes:author>
<podcast:transcript url="https://example.com/{number}.vtt" type="text/vtt"/>
<podcast:person role="host" href="https://example.com/ann">Ann</podcast:person>
<description>{plain}</description><content:encoded><![CDATA[{notes}]]></content:encoded></item>"""


def main() -> int:
    """Prints the speeds as JSON; 1 when ours is below its limit or an episode is missing."""
    data, sample = make_feed(_EPISODES), make_feed(_SAMPLE)
    feed = parse_feed(data, source="bench")
    ours = _speed(data, lambda: parse_feed(data, source="bench"))
    bare = _speed(data, lambda: _bare_loop(data))
    theirs = _speed(sample, lambda: feedparser.parse(sample), rounds=1)
    is_within = ours >= _LIMIT_MB_S and len(feed.episodes) == _EPISODES and not feed.problems
    answer = {
        "workload": "feed_parse",
        "megabytes": round(len(data) / 1e6, 1),
        "episodes": len(feed.episodes),
        "ours_mb_s": round(ours, 1),
        "bare_lxml_mb_s": round(bare, 1),
        "feedparser_mb_s": round(theirs, 2),
        "times_feedparser": round(ours / theirs, 1),
        "peak_memory_mb": _peak_memory(),
        "limit_mb_s": _LIMIT_MB_S,
        "load": os.getloadavg()[0],
        "within_limit": is_within,
    }
    print(json.dumps(answer))
    return 0 if is_within else 1


def _bare_loop(data: bytes) -> int:
    """Every element's tag and text touched once, and nothing made of them: what lxml itself costs."""
    count = 0
    for _, element in etree.iterparse(io.BytesIO(data)):
        count += bool(element.tag) + bool(element.text)
        if element.tag == "item":
            element.clear()
    return count


def _speed(data: bytes, work: Callable[[], object], rounds: int = _ROUNDS) -> float:
    """Megabytes per processor second, the best of the rounds."""
    taken = []
    for _ in range(rounds):
        started = time.process_time()
        work()
        taken.append(time.process_time() - started)
    return len(data) / 1e6 / min(taken)


def _peak_memory() -> float | None:
    """Megabytes at the highest, the data and both results included; None where the system does not say."""
    try:
        import resource  # noqa: PLC0415  # not on Windows
    except ImportError:
        return None
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1)


if __name__ == "__main__":
    sys.exit(main())
