"""Files on a real server are asked for their first bytes, and for no more."""

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from castline.base.errors import SourceUnavailable
from castline.sources.media_header import MediaHeader, NoMediaHeader
from castline.sources.media_probe import probe_media
from make_media import box, frames, id3, mvhd

COVER = id3(3_000_000) + frames() + bytes(9_000_000)
MOVIE = box(b"ftyp", b"M4A \0\0\0\0") + box(b"moov", mvhd(100) + bytes(900_000)) + box(b"mdat", bytes(1_000_000))


class Files(BaseHTTPRequestHandler):
    """/cover and /movie answer ranges, /whole sends all of it whatever is asked, /page is none."""

    sent: int = 0
    agents: set[str]

    def do_GET(self) -> None:
        type(self).agents.add(self.headers["User-Agent"])
        name = self.path[1:].partition("?")[0]
        if name == "moved":
            self.answer(302, b"", Location="/cover")
        elif name == "page":
            self.answer(200, b"<html>" * 5_000)
        elif name == "whole":
            self.answer(200, id3(100) + frames() + bytes(5_000_000))
        elif name in {"cover", "movie"}:
            content = COVER if name == "cover" else MOVIE
            first, last = map(int, self.headers["Range"].removeprefix("bytes=").split("-"))
            part = content[first : last + 1]
            self.answer(206, part, Content_Range=f"bytes {first}-{first + len(part) - 1}/{len(content)}")
        else:
            self.answer(404, b"")

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(body)
            type(self).sent += len(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name it overrides
        pass


@pytest.fixture
def site() -> Iterator[str]:
    Files.sent, Files.agents = 0, set()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Files)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_cover_of_three_megabytes_is_skipped_and_not_fetched(site: str) -> None:
    found = probe_media(f"{site}/cover", allow_private_addresses=True)
    assert found == (MediaHeader("mp3", 3_000_010, 128_000), len(COVER))
    assert Files.sent < 40_000
    assert Files.agents == {"castline/1 (podcast analytics; header reader; bot)"}


def test_boxes_are_stepped_over(site: str) -> None:
    begin = MOVIE.index(b"mdat") + 4
    rate = (len(MOVIE) - begin) * 8 // 100
    assert probe_media(f"{site}/movie", allow_private_addresses=True) == (MediaHeader("mp4", begin, rate), len(MOVIE))


def test_redirects_are_followed(site: str) -> None:
    assert probe_media(f"{site}/moved?x=1", allow_private_addresses=True)[0].header_bytes == 3_000_010


def test_a_server_that_knows_no_ranges_is_left_after_the_first_bytes(site: str) -> None:
    header = MediaHeader("mp3", 110, 128_000)
    size = 110 + 3 * 417 + 5_000_000
    assert probe_media(f"{site}/whole", allow_private_addresses=True) == (header, size)


def test_what_is_no_audio_and_what_is_not_there_is_told(site: str) -> None:
    with pytest.raises(NoMediaHeader, match="does not begin like audio"):
        probe_media(f"{site}/page", allow_private_addresses=True)
    with pytest.raises(SourceUnavailable, match="404"):
        probe_media(f"{site}/none", allow_private_addresses=True)
