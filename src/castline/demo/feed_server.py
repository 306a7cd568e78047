"""The world's feeds as real RSS, served on the loopback interface."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import format_datetime
from hashlib import sha256
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from uuid import NAMESPACE_URL, uuid5
from xml.etree import ElementTree as ET

from castline.demo.shows import MadeEpisode, MadeShow
from castline.demo.world import World

_ITUNES: Final = "http://www.itunes.com/dtds/podcast-1.0.dtd"
_PODCAST: Final = "https://podcastindex.org/namespace/1.0"


@contextmanager
def serve_feeds(world: World) -> Iterator[list[str]]:
    """The addresses of the feeds, in the order of the shows; they answer while the context lasts."""
    bodies = {f"/{show.plan.slug}/feed.xml": render_feed(show) for show in world.shows}
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(bodies))
    thread = threading.Thread(target=server.serve_forever, name="feeds", daemon=True)
    thread.start()
    try:
        yield [f"http://127.0.0.1:{server.server_port}{path}" for path in bodies]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(bodies: dict[str, bytes]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Answers with a feed, or 304 to whoever has it already."""

        def do_GET(self) -> None:
            body = bodies.get(self.path)
            if body is None:
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            tag = f'"{sha256(body).hexdigest()[:16]}"'
            known = self.headers.get("If-None-Match") == tag
            self.send_response(HTTPStatus.NOT_MODIFIED if known else HTTPStatus.OK)
            self.send_header("ETag", tag)
            if not known:
                self.send_header("Content-Type", "application/rss+xml; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if not known:
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing is written to the terminal."""

    return Handler


def render_feed(show: MadeShow) -> bytes:
    """The show's RSS, newest episode first."""
    ET.register_namespace("itunes", _ITUNES)
    ET.register_namespace("podcast", _PODCAST)
    plan = show.plan
    rss = ET.Element("rss", {"version": "2.0"})
    channel = ET.SubElement(rss, "channel")
    site = f"https://{plan.host.split('.', 1)[1]}/"
    for tag, text in (
        ("title", plan.title),
        ("link", site),
        ("description", plan.description),
        ("language", plan.language),
        (f"{{{_ITUNES}}}author", plan.author),
        (f"{{{_ITUNES}}}explicit", "false"),
        (f"{{{_ITUNES}}}type", "episodic"),
        (f"{{{_PODCAST}}}guid", str(uuid5(NAMESPACE_URL, site))),
    ):
        ET.SubElement(channel, tag).text = text
    ET.SubElement(channel, f"{{{_ITUNES}}}category", {"text": plan.category})
    ET.SubElement(channel, f"{{{_ITUNES}}}image", {"href": f"{site}cover.jpg"})
    for episode in reversed(show.episodes):
        _append_item(channel, episode, plan.mime_type, site)
    ET.indent(rss)
    return bytes(ET.tostring(rss, encoding="utf-8", xml_declaration=True))


def _append_item(channel: ET.Element, episode: MadeEpisode, mime_type: str, site: str) -> None:
    item = ET.SubElement(channel, "item")
    length = episode.duration_seconds
    for tag, text in (
        ("title", episode.title),
        ("description", f"{episode.title}."),
        ("link", f"{site}{episode.number}"),
        ("pubDate", format_datetime(episode.published_at)),
        (f"{{{_ITUNES}}}duration", f"{length // 3600}:{length // 60 % 60:02}:{length % 60:02}"),
        (f"{{{_ITUNES}}}episode", str(episode.number)),
        (f"{{{_ITUNES}}}episodeType", "trailer" if episode.number == 1 else "full"),
    ):
        ET.SubElement(item, tag).text = text
    ET.SubElement(item, "guid", {"isPermaLink": "false"}).text = episode.guid
    enclosure = {"url": episode.audio_url, "length": str(episode.audio_bytes), "type": mime_type}
    ET.SubElement(item, "enclosure", enclosure)
