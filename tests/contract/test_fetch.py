"""Fetching from real servers on loopback."""

import asyncio
import contextlib
import gzip
import socket
import threading
import time
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from castline.base.errors import CastlineError, SourceUnavailable, SourceUnreadable
from castline.sources.address import AddressRefused
from castline.sources.fetch import (
    Fetched,
    FetchPolicy,
    FetchRequest,
    ResponseTooLarge,
    TooManyRedirects,
    Validators,
    fetch,
    fetch_many,
    read_file,
)

BODY = b"<rss/>" * 100
POLICY = FetchPolicy(allow_private_addresses=True, max_bytes=100_000, total_seconds=2.0)


class Site(BaseHTTPRequestHandler):
    """A site with one path per behaviour."""

    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, dict[str, str]]]

    def do_GET(self) -> None:
        self.seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        name, _, rest = self.path[1:].partition("/")
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            getattr(self, f"do_{name}")(rest)

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_plain(self, _: str) -> None:
        self.answer(
            200,
            BODY,
            ETag='"e1"',
            Last_Modified="Mon, 15 Jan 2024 10:00:00 GMT",
            Cache_Control="public, max-age=600",
            Content_Type="application/rss+xml; charset=utf-8",
        )

    def do_validated(self, _: str) -> None:
        self.answer(304 if self.headers.get("If-None-Match") == '"e1"' else 200, ETag='"e1"')

    def do_gone(self, _: str) -> None:
        self.answer(410, b"gone for good")

    def do_busy(self, wait: str) -> None:
        self.answer(503, Retry_After=wait.replace("_", " "))

    def do_gzip(self, _: str) -> None:
        self.answer(200, gzip.compress(BODY), Content_Encoding="gzip")

    def do_deflate(self, _: str) -> None:
        self.answer(200, zlib.compress(BODY)[2:-4], Content_Encoding="deflate")

    def do_brotli(self, _: str) -> None:
        self.answer(200, b"\x00\x01", Content_Encoding="br")

    def do_cut(self, _: str) -> None:
        self.answer(200, gzip.compress(BODY)[:-12], Content_Encoding="gzip")

    def do_bomb(self, _: str) -> None:
        self.answer(200, gzip.compress(b"\0" * 50_000_000), Content_Encoding="gzip")

    def do_large(self, _: str) -> None:
        self.answer(200, b"x" * 200_000)

    def do_endless(self, _: str) -> None:
        self.send_response(200)
        self.end_headers()
        while True:
            self.wfile.write(b"x" * 10_000)

    def do_slow(self, _: str) -> None:
        self.send_response(200)
        self.end_headers()
        for _second in range(100):
            self.wfile.write(b"x")
            self.wfile.flush()
            time.sleep(0.1)

    def do_broken(self, _: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"x" * 10)
        self.close_connection = True

    def do_to(self, rest: str) -> None:
        status, _, target = rest.partition("/")
        self.answer(int(status), Location=target.replace("%20", " "))

    def do_loop(self, number: str) -> None:
        self.answer(302, Location=f"/loop/{int(number) + 1}")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
        pass


@pytest.fixture
def seen() -> list[tuple[str, dict[str, str]]]:
    return []


@pytest.fixture
def site(seen: list[tuple[str, dict[str, str]]]) -> Iterator[str]:
    handler = type("SeenSite", (Site,), {"seen": seen})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_answer_is_fetched_with_everything_that_polling_needs(site: str) -> None:
    assert fetch(f"{site}/plain", policy=POLICY) == Fetched(
        status=200,
        url=f"{site}/plain",
        etag='"e1"',
        last_modified="Mon, 15 Jan 2024 10:00:00 GMT",
        max_age_seconds=600.0,
        content_type="application/rss+xml; charset=utf-8",
        body=BODY,
    )


def test_validators_are_sent_and_304_is_an_answer(site: str, seen: list[tuple[str, dict[str, str]]]) -> None:
    validators = Validators('"e1"', "Mon, 15 Jan 2024 10:00:00 GMT")
    answer = fetch(f"{site}/validated", policy=POLICY, validators=validators)
    assert (answer.status, answer.body, answer.validators.etag) == (304, b"", '"e1"')
    assert (seen[0][1]["if-none-match"], seen[0][1]["if-modified-since"]) == (validators.etag, validators.last_modified)


def test_a_status_other_than_200_is_an_answer_without_body(site: str) -> None:
    assert fetch(f"{site}/gone", policy=POLICY) == Fetched(status=410, url=f"{site}/gone")


@pytest.mark.parametrize(("wait", "seconds"), [("120", 120.0), ("Mon,_15_Jan_2024_10:00:00_GMT", 0.0), ("soon", None)])
def test_retry_after_is_seconds_from_a_number_or_a_date(site: str, wait: str, seconds: float | None) -> None:
    assert fetch(f"{site}/busy/{wait}", policy=POLICY).retry_after_seconds == seconds


@pytest.mark.parametrize("path", ["gzip", "deflate"])
def test_a_compressed_body_is_unpacked(site: str, path: str) -> None:
    assert fetch(f"{site}/{path}", policy=POLICY).body == BODY


@pytest.mark.parametrize(
    ("path", "error", "reason"),
    [
        ("bomb", ResponseTooLarge, "unpacks to more than 100,000 bytes"),
        ("large", ResponseTooLarge, "more than 100,000 bytes"),
        ("endless", ResponseTooLarge, "more than 100,000 bytes"),
        ("slow", SourceUnavailable, "no whole answer in 2 seconds"),
        ("cut", SourceUnavailable, "its compressed body breaks off"),
        ("broken", SourceUnavailable, "the connection broke off"),
        ("brotli", SourceUnreadable, "its content encoding is br"),
        ("loop/0", TooManyRedirects, "more than 5 times"),
        ("to/302/file:///etc/passwd", AddressRefused, "its scheme is file"),
        ("to/302/http://[::1", AddressRefused, "no web address"),
    ],
)
def test_a_server_that_misbehaves_is_an_error_that_says_how(
    site: str, path: str, error: type[CastlineError], reason: str
) -> None:
    with pytest.raises(error) as caught:
        fetch(f"{site}/{path}", policy=POLICY)
    assert reason in caught.value.message


def test_permanent_redirects_are_told_from_others(site: str) -> None:
    moved = fetch(f"{site}/to/301/{site}/to/308/{site}/plain", policy=POLICY)
    assert (moved.url, moved.permanent_url) == (f"{site}/plain", f"{site}/plain")
    mixed = fetch(f"{site}/to/301/{site}/to/302/{site}/plain", policy=POLICY)
    assert (mixed.url, mixed.permanent_url) == (f"{site}/plain", f"{site}/to/302/{site}/plain")
    found = fetch(f"{site}/to/302/{site}/to/301/{site}/plain", policy=POLICY)
    assert (found.url, found.permanent_url) == (f"{site}/plain", None)


def test_five_redirects_are_followed(site: str) -> None:
    assert fetch(site + "/to/307/" * 5 + "/plain", policy=POLICY).status == 200
    with pytest.raises(TooManyRedirects):
        fetch(site + "/to/307/" * 6 + "/plain", policy=POLICY)


def test_a_password_goes_to_its_own_server_only_and_never_into_messages(
    site: str, seen: list[tuple[str, dict[str, str]]]
) -> None:
    with_password = site.replace("http://", "http://user:secret@")
    other = site.replace("127.0.0.1", "localhost")
    answer = fetch(f"{with_password}/to/302/{other}/plain", policy=POLICY)
    assert ["authorization" in headers for _, headers in seen] == [True, False]
    assert "secret" not in repr(answer)
    with pytest.raises(CastlineError) as caught:
        fetch(f"{with_password}/large", policy=POLICY)
    assert "secret" not in caught.value.message


def test_without_the_setting_nothing_is_fetched_from_this_machine(
    site: str, seen: list[tuple[str, dict[str, str]]]
) -> None:
    with pytest.raises(AddressRefused):
        fetch(f"{site}/plain")
    assert seen == []


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(SourceUnavailable, match="no connection"):
        fetch(f"http://user:secret@127.0.0.1:{port}/", policy=POLICY)


class Rebinding(AbstractResolver):
    """A name server that answers each question with the next address."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002  # the interface has it
    ) -> list[ResolveResult]:
        addresses = self.answers.pop(0)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=0,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        pass


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["10.0.0.5"],
        ["169.254.169.254"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["1.1.1.1", "127.0.0.1"],
        ["2002:7f00:1::"],
    ],
)
def test_a_name_that_leads_inside_is_refused_at_connect_time(addresses: list[str]) -> None:
    policy = FetchPolicy(resolver=Rebinding(addresses), total_seconds=2.0)
    with pytest.raises(AddressRefused, match="no public address"):
        fetch("http://rebind.example/", policy=policy)


def test_a_name_is_asked_once_per_connection_so_a_second_answer_is_never_used() -> None:
    resolver = Rebinding(["127.0.0.1"], ["1.1.1.1"])
    with pytest.raises(AddressRefused):
        fetch("http://rebind.example/", policy=FetchPolicy(resolver=resolver, total_seconds=2.0))
    assert resolver.answers == [["1.1.1.1"]]


def test_a_redirect_is_checked_like_the_first_address(site: str) -> None:
    with pytest.raises(AddressRefused, match="its scheme is gopher"):
        fetch(f"{site}/to/301/gopher://127.0.0.1:70/x", policy=POLICY)


def test_many_are_fetched_and_each_failure_is_its_own(site: str) -> None:
    requests = [FetchRequest(f"{site}/{path}") for path in ("plain", "gone", "large", "loop/0", "gzip")]
    requests += [FetchRequest("ftp://example.com/"), FetchRequest("http://[::1")]

    async def collect() -> dict[str, object]:
        found: dict[str, object] = {}
        async for request, answer in fetch_many(requests, policy=POLICY):
            found[request.url.removeprefix(site)] = answer.code if isinstance(answer, CastlineError) else answer.status
        return found

    assert asyncio.run(collect()) == {
        "/plain": 200,
        "/gone": 410,
        "/large": "response_too_large",
        "/loop/0": "too_many_redirects",
        "/gzip": 200,
        "ftp://example.com/": "address_refused",
        "http://[::1": "address_refused",
    }


def test_waiting_for_a_busy_host_does_not_count_as_its_slowness(site: str) -> None:
    policy = FetchPolicy(allow_private_addresses=True, connections_per_host=1, total_seconds=2.0)
    requests = [FetchRequest(f"{site}/plain") for _ in range(40)]

    async def collect() -> list[object]:
        return [answer async for _, answer in fetch_many(requests, policy=policy)]

    assert [getattr(answer, "status", answer) for answer in asyncio.run(collect())] == [200] * 40


def test_a_file_is_read_up_to_the_cap(tmp_path: Path) -> None:
    path = tmp_path / "feed.xml"
    path.write_bytes(BODY)
    assert read_file(path) == BODY
    with pytest.raises(ResponseTooLarge, match="more than 10 bytes"):
        read_file(path, max_bytes=10)


@pytest.mark.parametrize(("name", "why"), [("missing.xml", "there is no such file"), (".", "it is no file")])
def test_what_is_no_file_is_refused(tmp_path: Path, name: str, why: str) -> None:
    with pytest.raises(SourceUnreadable, match=why):
        read_file(tmp_path / name)
    with pytest.raises(SourceUnreadable):
        read_file(Path("/dev/zero"))
