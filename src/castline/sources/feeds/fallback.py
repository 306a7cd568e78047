"""The parser of last resort: feedparser, in a process of its own that the clock and the kernel can end.

It reads at 0.7 MB/s and has no defence against hostile input, so it only ever sees small documents that lxml could
not recover. `python -m castline.sources.feeds.fallback` reads a document on stdin and writes JSON on stdout.
"""

import json
import subprocess
import sys
from contextlib import suppress
from typing import Any, Final

from castline.model.feed import Feed, FeedEpisode, FeedProblem, FeedShow
from castline.sources.feeds.dates import try_parse_date
from castline.sources.feeds.item import make_guid
from castline.sources.feeds.text import clean_line, try_parse_duration, try_parse_whole

MAX_BYTES: Final = 512 * 1024
WALL_SECONDS: Final = 10.0
_CPU_SECONDS: Final = 1
_MEMORY: Final = 250 * 1024 * 1024


def try_last_resort(data: bytes, *, source: str, problems: tuple[FeedProblem, ...]) -> Feed | None:
    """What feedparser finds; None if the document is large, the time is up or there is no item with an enclosure."""
    if len(data) > MAX_BYTES:
        return None
    with suppress(subprocess.SubprocessError, OSError, ValueError):
        answer = subprocess.run(  # noqa: S603  # this interpreter and this module, no input in the arguments
            [sys.executable, "-m", __name__], input=data, capture_output=True, timeout=WALL_SECONDS, check=True
        )
        return _feed(json.loads(answer.stdout), source, problems)
    return None


def _feed(found: dict[str, Any], source: str, problems: tuple[FeedProblem, ...]) -> Feed | None:
    episodes = {episode.guid: episode for entry in reversed(found["entries"]) if (episode := _episode(entry))}
    if not episodes:
        return None
    notes = [FeedProblem("last_resort", "only the tolerant parser of last resort could read the feed")]
    bare = [entry["title"] or None for entry in found["entries"] if not entry["urls"]]
    notes += [FeedProblem("no_enclosure", "the item has no enclosure", None, title) for title in bare]
    lost = len(found["entries"]) - len(episodes) - len(bare)
    notes += [FeedProblem("duplicate_guid", "an earlier item has the same guid; this one is left out")] * lost
    show = FeedShow(clean_line(found["title"]), description=found["description"] or None)
    return Feed(source, show, tuple(reversed(episodes.values())), (*problems, *notes), len(found["entries"]))


def _episode(entry: dict[str, Any]) -> FeedEpisode | None:
    if not entry["urls"]:
        return None
    url, kind, length = entry["urls"][0]
    title = clean_line(entry["title"])
    date, duration = try_parse_date(entry["date"]), try_parse_duration(entry["duration"])
    made, source = make_guid(url, title, date, duration)
    return FeedEpisode(
        guid=entry["guid"] or made,
        guid_source="guid" if entry["guid"] else source,
        title=title,
        audio_url=url,
        audio_type=kind or None,
        audio_bytes=try_parse_whole(length) or None,
        publish_date=date,
        duration_seconds=duration,
        description=entry["description"] or None,
        link=entry["link"] or None,
    )


def _limit_process() -> None:
    """The kernel ends this process after a processor second or at 250 MB, where the system can."""
    with suppress(ImportError, ValueError, OSError):
        import resource  # noqa: PLC0415  # not on Windows

        resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))


def _entry(entry: Any) -> dict[str, Any]:
    urls = [
        (link["href"].strip(), link.get("type", ""), str(link.get("length", "")))
        for link in entry.get("enclosures", [])
        if link.get("href", "").strip().lower().startswith(("http://", "https://"))
    ]
    return {
        "urls": urls,
        "guid": entry.get("id", "").strip(),
        "title": entry.get("title", ""),
        "date": entry.get("published", "") or entry.get("updated", ""),
        "duration": entry.get("itunes_duration", ""),
        "description": entry.get("summary", ""),
        "link": entry.get("link", ""),
    }


def main() -> None:
    """Stdout holds what feedparser reads on stdin."""
    _limit_process()
    import feedparser  # type: ignore[import-untyped]  # noqa: PLC0415  # only this process needs it

    parsed = feedparser.parse(sys.stdin.buffer.read(MAX_BYTES), resolve_relative_uris=False)
    feed = parsed.feed
    entries = [_entry(entry) for entry in parsed.entries]
    found = {"title": feed.get("title", ""), "description": feed.get("description", ""), "entries": entries}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
