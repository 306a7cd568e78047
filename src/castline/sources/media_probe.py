"""A media file's first bytes, asked for by range: a few kilobytes, never the file."""

import re
from typing import Final

from castline.base.errors import SourceUnavailable
from castline.sources.enclosure import strip_prefixes
from castline.sources.fetch import FetchPolicy, FetchRequest, fetch_range
from castline.sources.media_header import MediaHeader, NoMediaHeader, read_media_header

_USER_AGENT: Final = "castline/1 (podcast analytics; header reader; bot)"
_MOST_REQUESTS: Final = 12
_LEAST_BYTES: Final = 8192  # one request more costs a server more than some bytes do
# So much is read of a file whose server answers with all of it, whatever is asked.
_WHOLE_BYTES: Final = 2_000_000
_TOTAL: Final = re.compile(r"^\s*bytes\s+[0-9]+-[0-9]+/([0-9]{1,15})\s*$", re.IGNORECASE)


def probe_media(url: str, *, allow_private_addresses: bool = False) -> tuple[MediaHeader, int | None]:
    """The header of the file behind the address's tracking prefixes, and the whole size where the server tells it.

    Raises SourceUnavailable, NoMediaHeader, and what fetching raises.
    """
    policy = FetchPolicy(allow_private_addresses=allow_private_addresses, user_agent=_USER_AGENT)
    file = _RemoteFile(strip_prefixes(url), policy)
    file.read(0, _LEAST_BYTES)
    return read_media_header(file.read, source=file.url, file_bytes=file.size), file.size


class _RemoteFile:
    """Bytes of a file, each asked for once; `size` is known after the first answer that tells it."""

    def __init__(self, url: str, policy: FetchPolicy) -> None:
        self.url = url
        self.size: int | None = None
        self._policy = policy
        self._parts: list[tuple[int, bytes]] = []
        self._requests = 0

    def read(self, first: int, count: int) -> bytes:
        """The bytes from `first` on, fewer at the file's end."""
        for start, part in self._parts:
            if start <= first and first + count <= start + len(part):
                return part[first - start : first - start + count]
        if self.size is not None and first >= self.size:
            return b""
        self._requests += 1
        if self._requests > _MOST_REQUESTS:
            raise NoMediaHeader(source=self.url, detail=f"its header needs more than {_MOST_REQUESTS} requests")
        part = self._fetch(first, max(count, _LEAST_BYTES))
        self._parts.append((first, part))
        return part[:count]

    def _fetch(self, first: int, count: int) -> bytes:
        answer = fetch_range(FetchRequest(self.url, span=(first, first + count - 1)), policy=self._policy)
        if answer.status == 206 and (told := _TOTAL.match(answer.content_range or "")):  # noqa: PLR2004  # a part
            self.size = int(told[1])
        elif answer.status == 200 and first == 0:  # noqa: PLR2004  # a server that knows no ranges sends all of it
            self.size = answer.content_length
        elif answer.status == 200 and first + count <= _WHOLE_BYTES:  # noqa: PLR2004
            whole = fetch_range(FetchRequest(self.url, span=(0, first + count - 1)), policy=self._policy)
            return whole.body[first:]
        elif answer.status != 206:  # noqa: PLR2004
            detail = f"the server answered {answer.status} where bytes from {first:,} on were asked for"
            raise SourceUnavailable(source=self.url, detail=detail)
        return answer.body
