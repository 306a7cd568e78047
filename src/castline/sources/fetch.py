"""Fetching documents from public web servers, and from files, without trusting either.

Rules of address.py at connect time and on each redirect; bytes, decoded bytes, time and redirects are capped. What a
server answers is a value (`Fetched`), also 304, 404, 410 and 503; an error is raised only where there is no answer.
"""

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from castline.base.clock import now
from castline.base.errors import EXIT_SOURCE, CastlineError, SourceUnavailable, SourceUnreadable
from castline.sources.address import AddressRefused, check_address, check_url, show_url
from castline.sources.compressed import inflate
from castline.sources.feeds.bytes import MAX_BYTES
from castline.sources.feeds.dates import try_parse_date

Answer = TypeVar("Answer")
_PERMANENT: Final = frozenset({301, 308})
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_OK: Final = 200
_PART: Final = 206
_CHUNK: Final = 64 * 1024
_LONGEST_WAIT: Final = 30 * 24 * 3600.0
_ACCEPT: Final = "application/rss+xml, application/atom+xml, application/feed+json, application/xml;q=0.9, */*;q=0.5"


class ResponseTooLarge(SourceUnreadable):
    """{source} is too large: {detail}"""

    exit_code = EXIT_SOURCE


class TooManyRedirects(SourceUnreadable):
    """{source} redirects more than {limit} times."""

    exit_code = EXIT_SOURCE


@dataclass(frozen=True, slots=True)
class FetchPolicy:
    """What one fetch may do. `resolver` replaces the system's name resolution; its answers are checked all the same."""

    allow_private_addresses: bool = False
    max_bytes: int = MAX_BYTES
    total_seconds: float = 30.0
    connect_seconds: float = 10.0
    max_redirects: int = 5
    connections: int = 100
    connections_per_host: int = 4
    user_agent: str = "castline/1 (podcast analytics; feed reader)"
    resolver: AbstractResolver | None = None


@dataclass(frozen=True, slots=True)
class Validators:
    """What an earlier answer gave to ask whether anything changed."""

    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """`span` asks for the bytes from its first to its last number alone, and takes no more of any answer."""

    url: str
    validators: Validators = Validators()
    span: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """One answer. `url` is where it came from; `permanent_url` is set if the first redirects were all permanent.

    `body` is decoded (Content-Encoding undone) and empty unless the status is 200. Of an answer to a span it is what
    came of it, with a 206 as well; `content_length` is what the server says that it sends.
    """

    status: int
    url: str
    permanent_url: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    retry_after_seconds: float | None = None
    max_age_seconds: float | None = None
    content_type: str | None = None
    content_range: str | None = None
    content_length: int | None = None
    body: bytes = field(default=b"", repr=False)

    @property
    def validators(self) -> Validators:
        """What to ask with next time."""
        return Validators(self.etag, self.last_modified)


def read_file(path: Path, *, max_bytes: int = MAX_BYTES) -> bytes:
    """The bytes of a regular file. Raises SourceUnreadable if it is none, too large or not readable."""
    try:
        if not path.is_file():
            raise SourceUnreadable(source=path, detail="it is no file" if path.exists() else "there is no such file")
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise SourceUnreadable(source=path, detail=error.strerror or type(error).__name__) from error
    if len(data) > max_bytes:
        raise ResponseTooLarge(source=path, detail=f"more than {max_bytes:,} bytes")
    return data


def fetch(url: str, *, policy: FetchPolicy = FetchPolicy(), validators: Validators = Validators()) -> Fetched:
    """The server's answer. Raises AddressRefused, TooManyRedirects, ResponseTooLarge or SourceUnavailable."""
    return _run(_fetch_alone(FetchRequest(url, validators), policy))


def fetch_all(
    requests: Iterable[FetchRequest], *, policy: FetchPolicy = FetchPolicy()
) -> dict[FetchRequest, Fetched | CastlineError]:
    """Each request's answer or the error that stands for it, once all have one."""
    requests = tuple(requests)
    return _run(_collect(requests, policy)) if requests else {}


def fetch_range(request: FetchRequest, *, policy: FetchPolicy = FetchPolicy()) -> Fetched:
    """The server's answer to the request's span. Raises AddressRefused, TooManyRedirects or SourceUnavailable."""
    return _run(_fetch_alone(request, policy))


async def _collect(
    requests: Iterable[FetchRequest], policy: FetchPolicy
) -> dict[FetchRequest, Fetched | CastlineError]:
    return {request: answer async for request, answer in fetch_many(requests, policy=policy)}


def _run(work: Coroutine[None, None, Answer]) -> Answer:
    """The work's result, also for a caller whose thread runs an event loop already."""
    with ThreadPoolExecutor(max_workers=1) as beside:
        return beside.submit(asyncio.run, work).result()


async def _fetch_alone(request: FetchRequest, policy: FetchPolicy) -> Fetched:
    async with open_session(policy) as session:
        return await fetch_one(session, request, policy)


async def fetch_many(
    requests: Iterable[FetchRequest], *, policy: FetchPolicy = FetchPolicy()
) -> AsyncIterator[tuple[FetchRequest, Fetched | CastlineError]]:
    """Each request with its answer or the error that stands for it, in order of arrival."""
    waiting = iter(requests)
    turns: dict[str | None, asyncio.Semaphore] = {}
    results: asyncio.Queue[tuple[FetchRequest, Fetched | CastlineError] | None] = asyncio.Queue(policy.connections)

    async def work(session: aiohttp.ClientSession) -> None:
        for request in waiting:
            try:
                async with turns.setdefault(_host(request.url), asyncio.Semaphore(policy.connections_per_host)):
                    answer: Fetched | CastlineError = await fetch_one(session, request, policy)
            except CastlineError as error:
                answer = error
            await results.put((request, answer))

    async def run() -> None:
        async with open_session(policy) as session, asyncio.TaskGroup() as group:
            for _ in range(policy.connections):
                group.create_task(work(session))
        await results.put(None)

    runner = asyncio.create_task(run())
    try:
        while (result := await results.get()) is not None:
            yield result
    finally:
        runner.cancel()
        await asyncio.gather(runner, return_exceptions=True)


def _host(url: str) -> str | None:
    """Whose turn it is: waiting for a host's turn must not count against the time of a fetch."""
    try:
        return URL(url).host
    except ValueError:
        return None


def open_session(policy: FetchPolicy) -> aiohttp.ClientSession:
    """A session whose every connection is checked; to be used as an async context manager."""
    connector = aiohttp.TCPConnector(
        limit=policy.connections,
        resolver=_CheckedResolver(policy),
        use_dns_cache=False,
        socket_factory=None if policy.allow_private_addresses else _checked_socket,
    )
    timeout = aiohttp.ClientTimeout(total=policy.total_seconds, sock_connect=policy.connect_seconds)
    headers = {"User-Agent": policy.user_agent, "Accept": _ACCEPT, "Accept-Encoding": "gzip, deflate"}
    return aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        headers=headers,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
    )


class _CheckedResolver(AbstractResolver):
    """Answers with the system's addresses, or refuses if a single one is forbidden."""

    def __init__(self, policy: FetchPolicy) -> None:
        self._allow_private = policy.allow_private_addresses
        self._inner = policy.resolver or aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        if not self._allow_private:
            for one in found:
                check_address(ipaddress.ip_address(one["host"]), source=host)
        return found

    async def close(self) -> None:
        await self._inner.close()


def _checked_socket(
    addr_info: tuple[socket.AddressFamily | int, socket.SocketKind | int, int, str, tuple[object, ...]],
) -> socket.socket:
    """A socket for an address that is checked in the moment before it is connected to."""
    family, kind, protocol, _, address = addr_info
    check_address(ipaddress.ip_address(str(address[0])), source=str(address[0]))
    return socket.socket(family=family, type=kind, proto=protocol)


async def fetch_one(session: aiohttp.ClientSession, request: FetchRequest, policy: FetchPolicy) -> Fetched:
    """The answer at the end of the redirects, within the policy's time for all of them together."""
    source = show_url(request.url)
    try:
        async with asyncio.timeout(policy.total_seconds):
            return await _follow(session, request, policy)
    except TimeoutError:
        raise SourceUnavailable(source=source, detail=f"no whole answer in {policy.total_seconds:g} seconds") from None
    except aiohttp.ClientConnectorDNSError:
        raise SourceUnavailable(source=source, detail="its name cannot be resolved") from None
    except aiohttp.InvalidURL:
        raise AddressRefused(source=source, detail="it is no web address") from None
    except (aiohttp.ClientError, OSError) as error:
        raise SourceUnavailable(source=source, detail=_reason(error)) from None


def _reason(error: Exception) -> str:
    """Why there is no answer, in words that hold neither the address nor its password."""
    if isinstance(error, aiohttp.ClientSSLError):
        return "its certificate is not trusted or its encryption failed"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"no connection ({error.os_error.strerror or type(error.os_error).__name__})"
    if isinstance(error, aiohttp.ClientPayloadError | aiohttp.ServerDisconnectedError):
        return "the connection broke off"
    return f"the answer is no HTTP ({type(error).__name__})"


async def _follow(session: aiohttp.ClientSession, request: FetchRequest, policy: FetchPolicy) -> Fetched:
    url = check_url(request.url, allow_private=policy.allow_private_addresses)
    permanent: URL | None = None
    only_permanent = True
    headers = _validating(request.validators) | _ranging(request.span)
    for _ in range(policy.max_redirects + 1):
        async with session.get(url, headers=headers, allow_redirects=False) as response:
            target = _target(response, url)
            if target is None:
                return await _answer(response, (url, permanent), request, policy)
            only_permanent = only_permanent and response.status in _PERMANENT
        url = check_url(target, allow_private=policy.allow_private_addresses)
        permanent = url if only_permanent else permanent
    raise TooManyRedirects(source=show_url(request.url), limit=policy.max_redirects)


def _validating(validators: Validators) -> dict[str, str]:
    headers = {"If-None-Match": validators.etag, "If-Modified-Since": validators.last_modified}
    return {name: value for name, value in headers.items() if value and value.isprintable()}


def _ranging(span: tuple[int, int] | None) -> dict[str, str]:
    return {"Range": f"bytes={span[0]}-{span[1]}", "Accept-Encoding": "identity"} if span else {}


def _target(response: aiohttp.ClientResponse, url: URL) -> str | None:
    """Where the answer redirects to; None if it is the last one."""
    location = response.headers.get("Location", "").strip()
    if response.status not in _REDIRECTS or not location:
        return None
    try:
        joined = str(url.with_user(None).join(URL(location)))
    except ValueError:
        raise AddressRefused(source=show_url(location), detail="it is no web address to redirect to") from None
    return joined


async def _answer(
    response: aiohttp.ClientResponse, place: tuple[URL, URL | None], request: FetchRequest, policy: FetchPolicy
) -> Fetched:
    headers, (url, permanent) = response.headers, place
    if request.span:
        body = await _first_bytes(response, request.span) if response.status in {_OK, _PART} else b""
    else:
        body = await _body(response, show_url(str(url)), policy) if response.status == _OK else b""
    return Fetched(
        status=response.status,
        url=show_url(str(url)),
        permanent_url=show_url(str(permanent)) if permanent else None,
        etag=headers.get("ETag"),
        last_modified=headers.get("Last-Modified"),
        retry_after_seconds=_retry_after(headers),
        max_age_seconds=_max_age(headers),
        content_type=headers.get("Content-Type"),
        content_range=headers.get("Content-Range") if request.span else None,
        content_length=response.content_length if request.span else None,
        body=body,
    )


async def _first_bytes(response: aiohttp.ClientResponse, span: tuple[int, int]) -> bytes:
    """As many bytes as were asked for, whatever else the server would send."""
    wanted = span[1] - span[0] + 1
    parts = bytearray()
    async for part in response.content.iter_chunked(_CHUNK):
        parts += part
        if len(parts) >= wanted:
            break
    return bytes(parts[:wanted])


async def _body(response: aiohttp.ClientResponse, source: str, policy: FetchPolicy) -> bytes:
    """The decoded body; a connection or compression that breaks off raises SourceUnavailable."""
    parts: list[bytes] = []
    total = 0
    async for part in response.content.iter_chunked(_CHUNK):
        total += len(part)
        if total > policy.max_bytes:
            raise ResponseTooLarge(source=source, detail=f"more than {policy.max_bytes:,} bytes")
        parts.append(part)
    body = b"".join(parts)
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding in {"identity", "", "none", "utf-8"}:
        return body
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise SourceUnreadable(
            source=source, detail=f"its content encoding is {encoding[:40]}, which was not asked for"
        )
    whole, broken = inflate(
        body, limit=policy.max_bytes, refuse=lambda why: ResponseTooLarge(source=source, detail=why)
    )
    if broken:
        raise SourceUnavailable(source=source, detail=f"its compressed body breaks off: {broken}")
    return whole


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from a number or a date; None if the server did not say, never more than a month."""
    text = headers.get("Retry-After", "").strip()
    if text.isdecimal() and text.isascii():
        return min(float(text), _LONGEST_WAIT)
    moment = try_parse_date(text) if text else None
    return min(max((moment - now()).total_seconds(), 0.0), _LONGEST_WAIT) if moment else None


def _max_age(headers: Mapping[str, str]) -> float | None:
    """Seconds for which the answer says it is fresh; 0 for no-cache and no-store."""
    for part in headers.get("Cache-Control", "").lower().split(","):
        name, _, value = part.strip().partition("=")
        if name in {"no-cache", "no-store"}:
            return 0.0
        if name == "max-age" and value.strip('"').isdecimal():
            return min(float(value.strip('"')), _LONGEST_WAIT)
    return None
