"""What stands before the audio of a file, read from its first bytes: tags with artwork, or a container's index.

ID3v2.3 and 2.4 (id3.org), MPEG audio (ISO 11172-3) with Xing and VBRI headers, MP4 (ISO 14496-12), FLAC (RFC 9639), WAV
and Ogg (RFC 3533). Only the bytes that are asked for are read, a few kilobytes of a file of any size.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from castline.base.errors import SourceUnreadable

# (first byte, how many) -> those bytes, fewer at the file's end.
Read = Callable[[int, int], bytes]
_PAGE: Final = 4096
_MOST_BOXES: Final = 32
# ISO 11172-3, table 3, and ISO 13818-3: kbit/s of layer III by its index, for MPEG 1 and for MPEG 2 and 2.5.
_RATES: Final = {
    1: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_SAMPLE_RATES: Final = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}


class NoMediaHeader(SourceUnreadable):
    """{source} does not begin like audio: {detail}"""


@dataclass(frozen=True, slots=True)
class MediaHeader:
    """What the file is, where its audio begins, and its mean bit rate where it can be told."""

    container: str
    header_bytes: int
    bits_per_second: int | None


@dataclass(frozen=True, slots=True)
class _Frame:
    """A frame of MPEG audio."""

    size: int
    bits_per_second: int
    samples: int
    samples_per_second: int
    side_bytes: int


def read_media_header(read: Read, *, source: str, file_bytes: int | None) -> MediaHeader:
    """The header of the file. Raises NoMediaHeader, and whatever `read` raises."""
    head = read(0, _PAGE)
    if head[4:8] == b"ftyp":
        return _read_mp4(read, source, file_bytes)
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return _read_wav(read, source)
    begin = _skip_id3(read, head)
    page = head[begin:] if begin + 64 <= len(head) else read(begin, _PAGE)
    if page[:4] == b"fLaC":
        return _read_flac(read, begin, (source, file_bytes))
    if page[:4] == b"OggS":
        return _read_ogg(page, begin, source)
    return _read_mpeg(page, begin, source)


def _skip_id3(read: Read, head: bytes) -> int:
    """The first byte behind the ID3v2 tags, of which some files have several."""
    begin, tag = 0, head[:10]
    for _ in range(_MOST_BOXES):
        if tag[:3] != b"ID3" or len(tag) < 10 or max(tag[6:10]) > 0x7F:  # noqa: PLR2004  # a tag's header is ten bytes
            break
        size = tag[6] << 21 | tag[7] << 14 | tag[8] << 7 | tag[9]
        begin += 10 + size + (10 if tag[5] & 0x10 else 0)
        tag = head[begin : begin + 10] if begin + 10 <= len(head) else read(begin, 10)
    return begin


def _read_mpeg(page: bytes, begin: int, source: str) -> MediaHeader:
    """MPEG audio or ADTS from its first frame on; padding before it is part of the header."""
    for place in range(len(page) - 4):
        if page[place] != 0xFF or page[place + 1] & 0xE0 != 0xE0:  # noqa: PLR2004  # eleven bits of sync
            continue
        if page[place + 1] & 0xF6 == 0xF0:  # noqa: PLR2004  # ADTS has layer 0
            return MediaHeader("aac", begin + place, None)
        frame = _frame(page[place : place + 4])
        follows = place + frame.size if frame else 0
        if frame and (follows + 2 > len(page) or (page[follows] == 0xFF and page[follows + 1] & 0xE0 == 0xE0)):  # noqa: PLR2004
            rate = _mean_rate(page[place:], frame) or frame.bits_per_second
            return MediaHeader("mp3", begin + place, rate)
    raise NoMediaHeader(source=source, detail="no audio frame where one should begin")


def _frame(head: bytes) -> _Frame | None:
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    rate, sample_rate = head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or layer != 1 or rate in {0, 15} or sample_rate == 3:  # noqa: PLR2004  # layer III is 1; 3 is reserved
        return None
    is_first = version == 3  # noqa: PLR2004  # MPEG 1
    bits = _RATES[1 if is_first else 2][rate] * 1000
    per_second = _SAMPLE_RATES[version][sample_rate]
    samples = 1152 if is_first else 576
    size = samples // 8 * bits // per_second + (head[2] >> 1 & 1)
    is_mono = head[3] >> 6 == 3  # noqa: PLR2004
    side = (17 if is_mono else 32) if is_first else (9 if is_mono else 17)
    return _Frame(size, bits, samples, per_second, side)


def _mean_rate(page: bytes, frame: _Frame) -> int | None:
    """The mean of a file of varying rate, by the frames and bytes that a Xing or VBRI header counts."""
    place = 4 + frame.side_bytes
    if page[place : place + 4] in {b"Xing", b"Info"} and len(page) >= place + 16 and page[place + 7] & 3 == 3:  # noqa: PLR2004
        frames, size = (int.from_bytes(page[place + at : place + at + 4]) for at in (8, 12))
    elif page[36:40] == b"VBRI" and len(page) >= 54:  # noqa: PLR2004  # its fields end there
        size, frames = (int.from_bytes(page[at : at + 4]) for at in (46, 50))
    else:
        return None
    samples = frames * frame.samples
    return size * 8 * frame.samples_per_second // samples or None if samples else None


def _read_mp4(read: Read, source: str, file_bytes: int | None) -> MediaHeader:
    """Boxes up to the media data; the index lies before it in files that play at once."""
    begin, seconds = 0, None
    for _ in range(_MOST_BOXES):
        box = read(begin, 16)
        if len(box) < 8:  # noqa: PLR2004  # a box's size and name
            break
        size, name, head = int.from_bytes(box[:4]), box[4:8], 8
        if size == 1 and len(box) == 16:  # noqa: PLR2004  # a box of 64 bits
            size, head = int.from_bytes(box[8:16]), 16
        if name == b"mdat":
            begin += head
            rate = (file_bytes - begin) * 8 // seconds if file_bytes and seconds and file_bytes > begin else None
            return MediaHeader("mp4", begin, int(rate) if rate else None)
        if name == b"moov":
            seconds = _movie_seconds(read(begin + head, 128))
        if size < head:
            break
        begin += size
    raise NoMediaHeader(source=source, detail="an MP4 file without media data")


def _movie_seconds(box: bytes) -> float | None:
    """The length that the movie header tells."""
    if box[4:8] != b"mvhd" or len(box) < 44:  # noqa: PLR2004  # both versions' fields
        return None
    scale, length = (box[28:32], box[32:40]) if box[8] == 1 else (box[20:24], box[24:28])
    return int.from_bytes(length) / int.from_bytes(scale) if any(scale) and any(length) else None


def _read_flac(read: Read, begin: int, file: tuple[str, int | None]) -> MediaHeader:
    source, file_bytes = file
    place, seconds = begin + 4, None
    for _ in range(_MOST_BOXES):
        block = read(place, 24)
        if len(block) < 4:  # noqa: PLR2004  # a block's header
            break
        if block[0] & 0x7F == 0 and len(block) >= 22:  # noqa: PLR2004  # STREAMINFO: rate and count of samples
            per_second = int.from_bytes(block[14:17]) >> 4
            samples = int.from_bytes(block[17:22]) & (1 << 36) - 1
            seconds = samples / per_second if per_second and samples else None
        place += 4 + int.from_bytes(block[1:4])
        if block[0] & 0x80:
            rate = int((file_bytes - place) * 8 / seconds) if file_bytes and seconds and file_bytes > place else None
            return MediaHeader("flac", place, rate)
    raise NoMediaHeader(source=source, detail="a FLAC file whose blocks do not end")


def _read_wav(read: Read, source: str) -> MediaHeader:
    place, rate = 12, None
    for _ in range(_MOST_BOXES):
        chunk = read(place, 24)
        if len(chunk) < 8:  # noqa: PLR2004  # a chunk's name and size
            break
        if chunk[:4] == b"data":
            return MediaHeader("wav", place + 8, rate)
        if chunk[:4] == b"fmt " and len(chunk) >= 20:  # noqa: PLR2004  # up to the bytes per second
            rate = int.from_bytes(chunk[16:20], "little") * 8 or None
        size = int.from_bytes(chunk[4:8], "little")
        place += 8 + size + size % 2
    raise NoMediaHeader(source=source, detail="a WAV file without data")


def _read_ogg(page: bytes, begin: int, source: str) -> MediaHeader:
    """Pages up to the first that holds audio: those before it are at position 0."""
    place = 0
    while page[place : place + 4] == b"OggS" and len(page) >= place + 27:
        count = page[place + 26]
        table = page[place + 27 : place + 27 + count]
        if any(page[place + 6 : place + 14]):
            return MediaHeader("ogg", begin + place, None)
        if len(table) < count:
            break
        place += 27 + count + sum(table)
    raise NoMediaHeader(source=source, detail="an Ogg file whose headers are longer than its first bytes")
