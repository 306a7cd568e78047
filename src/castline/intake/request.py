"""HTTP/1 request heads: strict, because a head that two servers read differently is how requests are smuggled.

RFC 9112; a bare line feed, a folded header, a blank before a colon, both or several lengths are refused.
"""

import re
from dataclasses import dataclass
from typing import Final

HEAD_BYTES: Final = 16 * 1024
BODY_BYTES: Final = 1024 * 1024
HEADER_COUNT: Final = 64
PATH_BYTES: Final = 8 * 1024
# Possessive: nothing that was taken can be given back, so no head can make it try again and again.
TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
VALUE: Final = rb"[\t\x20-\x7e\x80-\xff]*+\r\n"
_LINE: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) ([\x21-\x7e\x80-\xff]+) HTTP/([0-9])\.([0-9])\r\n")
_FIELDS: Final = re.compile(rb"(?:%b:%b)*+\r\n" % (TOKEN, VALUE))
# RFC 3986: a name, an address in brackets, a port; nothing that could begin a path or bear a user.
HOST_SIGNS: Final = rb"[A-Za-z0-9._~:\[\]%!$&'()*+,;=-]"
_HOST: Final = re.compile(rb"%b*" % HOST_SIGNS)
_AUTHORITY: Final = re.compile(rb"https?://[^/?#]*", re.IGNORECASE)
_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,8})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]{0,256})?\r\n")
_CHUNK_LINE: Final = 300


class BadRequest(Exception):
    """What the client sent cannot be answered; the connection ends after this status."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail


@dataclass(frozen=True, slots=True)
class Head:
    """A request without its body. Header names are lower case; values of a header that came twice stand in one."""

    method: str
    path: bytes
    headers: dict[bytes, bytes]
    is_old: bool  # HTTP/1.0
    is_lasting: bool  # whether another request may follow on the connection
    length: int | None  # of the body; None where it comes in chunks

    @property
    def has_body(self) -> bool:
        return self.length is None or self.length > 0


def parse_head(text: bytes, *, path_bytes: int = PATH_BYTES, body_bytes: int = BODY_BYTES) -> Head:
    """The head, with the blank line at its end. Raises BadRequest."""
    line = _LINE.match(text)
    if line is None:
        raise BadRequest(400, "the request line is none")
    if line[3] != b"1":
        raise BadRequest(505, "only HTTP/1.0 and HTTP/1.1 are spoken here")
    if len(line[2]) > path_bytes:
        raise BadRequest(414, f"the address is longer than {path_bytes} bytes")
    if _FIELDS.fullmatch(text, line.end()) is None:
        raise BadRequest(400, "a header is none")
    headers, counts = _headers(text[line.end() : -2])
    is_old = line[4] == b"0"
    if counts.get(b"host", 0) > 1 or (not is_old and b"host" not in headers):
        raise BadRequest(400, "the request names no host, or several")
    if not _HOST.fullmatch(headers.get(b"host", b"")):
        raise BadRequest(400, "the request's host is none")
    connection = headers.get(b"connection", b"").lower()
    lasting = b"keep-alive" in connection if is_old else b"close" not in connection
    path = line[2][_AUTHORITY.match(line[2]).end() :] or b"/" if _AUTHORITY.match(line[2]) else line[2]  # type: ignore[union-attr]
    length = _length(headers, counts, is_old=is_old)
    if length is not None and length > body_bytes:
        raise BadRequest(413, f"the body is longer than {body_bytes} bytes")
    return Head(line[1].decode("ascii"), path, headers, is_old, lasting, length)


def _headers(text: bytes) -> tuple[dict[bytes, bytes], dict[bytes, int]]:
    headers: dict[bytes, bytes] = {}
    counts: dict[bytes, int] = {}
    lines = text.split(b"\r\n")[:-1]
    if len(lines) > HEADER_COUNT:
        raise BadRequest(431, f"there are more than {HEADER_COUNT} headers")
    for line in lines:
        name, _, value = line.partition(b":")
        name, value = name.lower(), value.strip(b" \t")
        headers[name] = headers[name] + b"," + value if name in headers else value
        counts[name] = counts.get(name, 0) + 1
    return headers, counts


def _length(headers: dict[bytes, bytes], counts: dict[bytes, int], *, is_old: bool) -> int | None:
    length, coding = headers.get(b"content-length"), headers.get(b"transfer-encoding")
    if coding is not None:
        if length is not None or is_old:
            raise BadRequest(400, "the body's length is told in two ways")
        if coding.lower() != b"chunked" or counts[b"transfer-encoding"] > 1:
            raise BadRequest(501, "only chunked is understood")
        return None
    if length is None:
        return 0
    if counts[b"content-length"] > 1 or not length.isdigit() or len(length) > 15:  # noqa: PLR2004  # a petabyte
        raise BadRequest(400, "the body's length is none")
    return int(length)


class ChunkedBody:
    """A chunked body under reading; feed it the connection's buffer."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._left = -1  # bytes of the chunk still to come, with the line end; -1: a size line comes next
        self._trailer = False

    def feed(self, buffer: bytearray) -> bytes | None:
        """What was read is gone from the buffer; the body once it is whole. Raises BadRequest."""
        while buffer:
            if self._trailer:
                return self._end(buffer)
            if self._left < 0 and not self._begin(buffer):
                return None
            if self._trailer:
                continue
            if len(buffer) < self._left:
                return None
            if buffer[self._left - 2 : self._left] != b"\r\n":
                raise BadRequest(400, "a chunk does not end where it should")
            self._parts.append(bytes(buffer[: self._left - 2]))
            del buffer[: self._left]
            self._left = -1
        return None

    def _begin(self, buffer: bytearray) -> bool:
        found = _CHUNK.match(buffer)
        if found is None:
            if b"\n" in buffer or len(buffer) > _CHUNK_LINE:
                raise BadRequest(400, "a chunk's size is none")
            return False
        size = int(found[1], 16)
        self._size += size
        if self._size > BODY_BYTES:
            raise BadRequest(413, f"the body is longer than {BODY_BYTES} bytes")
        del buffer[: found.end()]
        self._left, self._trailer = size + 2, size == 0
        return True

    def _end(self, buffer: bytearray) -> bytes | None:
        if buffer.startswith(b"\r\n"):
            del buffer[:2]
            return b"".join(self._parts)
        if not b"\r\n".startswith(bytes(buffer[:2])):
            raise BadRequest(400, "headers after the body are not taken")
        return None
