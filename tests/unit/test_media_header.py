"""Where the audio of a file begins, worked out from files made byte by byte."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from castline.sources.media_header import MediaHeader, NoMediaHeader, read_media_header
from make_media import box, flac_block, frames, id3, mvhd, ogg_page, stream_info, xing


def read(content: bytes) -> MediaHeader:
    return read_media_header(
        lambda first, count: content[first : first + count], source="file", file_bytes=len(content)
    )


WAV = b"RIFF\0\0\0\0WAVE" + b"fmt " + struct.pack("<IHHIIHH", 16, 1, 2, 44_100, 176_400, 4, 16)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (frames(), MediaHeader("mp3", 0, 128_000)),
        # A tag of 48,000 bytes with its own ten.
        (id3(48_000) + frames(), MediaHeader("mp3", 48_010, 128_000)),
        (id3(500, footer=True) + frames(), MediaHeader("mp3", 520, 128_000)),
        # Two tags, and padding behind them.
        (id3(5_000) + id3(90) + bytes(33) + frames(), MediaHeader("mp3", 5_143, 128_000)),
        # 1,000 frames of 1,152 samples at 44,100 Hz are 26.122 s; 313,469 bytes in them are 96,000 bits a second.
        (id3(100) + frames(first=xing(1_000, 313_469)), MediaHeader("mp3", 110, 95_999)),
        (box(b"ftyp", b"M4A \0\0\0\0") + box(b"moov", mvhd(10)) + box(b"mdat", bytes(80_000)),
         MediaHeader("mp4", 16 + 116 + 8, 64_000)),
        (box(b"ftyp", b"M4A \0\0\0\0") + struct.pack(">I4sQ", 1, b"mdat", 100) + bytes(84),
         MediaHeader("mp4", 32, None)),
        (b"\xff\xf1\x50\x80" + bytes(100), MediaHeader("aac", 0, None)),
        # 441,000 samples of 44,100 Hz are ten seconds of 10,000 bytes: 8,000 bits a second.
        (b"fLaC" + flac_block(0, stream_info(44_100, 441_000)) + flac_block(6, bytes(7_000), is_last=True)
         + bytes(10_000), MediaHeader("flac", 4 + 38 + 7_004, 8_000)),
        (WAV + b"LIST\x03\0\0\0abc\0" + b"data" + bytes(100), MediaHeader("wav", 36 + 12 + 8, 1_411_200)),
        (ogg_page(0, b"OpusHead") + ogg_page(0, bytes(700)) + ogg_page(960, bytes(99)),
         MediaHeader("ogg", 28 + 8 + 30 + 700, None)),
    ],
)  # fmt: skip
def test_audio_begins_behind_tags_and_indexes(content: bytes, expected: MediaHeader) -> None:
    assert read(content) == expected


@pytest.mark.parametrize(
    "content",
    [
        b"", b"<html>" * 1_000, id3(100), b"\xff\xfb\x90\x00" + bytes(5_000), box(b"ftyp", bytes(8)),
        b"fLaC" + flac_block(0, bytes(34)), WAV, b"OggS" + bytes(40),
        box(b"ftyp", bytes(8)) + struct.pack(">I4s", 4, b"free") + bytes(50),
    ],
)  # fmt: skip
def test_what_does_not_begin_like_audio_says_so(content: bytes) -> None:
    with pytest.raises(NoMediaHeader, match="does not begin like audio"):
        read(content)


@given(st.sampled_from([b"", b"ID3\x04", b"fLaC", b"RIFF\0\0\0\0WAVE", b"OggS", bytes(4) + b"ftyp"]), st.binary())
def test_no_bytes_bring_it_down(start: bytes, rest: bytes) -> None:
    try:
        found = read(start + rest)
    except NoMediaHeader:
        return
    assert found.header_bytes >= 0
