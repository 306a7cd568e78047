"""Unpacking under a cap, so that a small file cannot become a large one."""

import zlib
from collections.abc import Callable
from typing import Final

_CHUNK: Final = 256 * 1024
# Feeds of one repeated template reach about 60:1; a bomb of zeros has 1030:1.
MAX_RATIO: Final = 200
_DEFLATE: Final = 8  # RFC 1950 section 2.2: compression method, and the first two bytes are a multiple of 31
_HEADER_CHECK: Final = 31
_FREE_BYTES: Final = 4 * 1024 * 1024  # below this no ratio matters


def inflate(data: bytes, *, limit: int, refuse: Callable[[str], Exception]) -> tuple[bytes, str]:
    """What gzip, zlib or raw deflate data hold, and why that is not the whole (empty if it is).

    Concatenated members are one document. Raises `refuse(why)` over `limit` bytes or MAX_RATIO.
    """
    parts: list[bytes] = []
    total, rest = 0, data
    while rest:
        unpacker = zlib.decompressobj(wbits=_window(rest))
        while rest and not unpacker.eof:
            try:
                part = unpacker.decompress(rest, _CHUNK)
            except zlib.error as error:
                return b"".join(parts), str(error)
            rest = unpacker.unconsumed_tail
            total += len(part)
            parts.append(part)
            if total > limit:
                raise refuse(f"it unpacks to more than {limit:,} bytes")
            if total > _FREE_BYTES and total > len(data) * MAX_RATIO:
                raise refuse(f"its compression is above {MAX_RATIO}:1, as in a decompression bomb")
        if not unpacker.eof:
            parts.append(unpacker.flush()[:_CHUNK])
            return b"".join(parts), "the end is missing"
        rest = unpacker.unused_data if unpacker.unused_data.startswith(b"\x1f\x8b") else b""
    return b"".join(parts), ""


def _window(data: bytes) -> int:
    """Gzip and zlib announce themselves; what does not is raw deflate."""
    is_zlib = data[0] & 0x0F == _DEFLATE and int.from_bytes(data[:2], "big") % _HEADER_CHECK == 0
    announced = data.startswith(b"\x1f\x8b") or is_zlib
    return zlib.MAX_WBITS | 32 if announced else -zlib.MAX_WBITS
