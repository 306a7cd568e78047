"""The beginnings of media files, byte by byte as their formats say."""

import struct

SYNC = bytes([0xFF, 0xFB, 0x90, 0x00])  # MPEG 1, layer III, 128 kbit/s, 44,100 Hz, stereo: a frame of 417 bytes


def id3(size: int, *, footer: bool = False) -> bytes:
    """A tag of `size` bytes behind its ten."""
    lengths = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x04\x00" + bytes([0x10 if footer else 0]) + lengths + bytes(size) + (bytes(10) if footer else b"")


def frames(count: int = 3, first: bytes = b"") -> bytes:
    """MPEG audio of 128 kbit/s; `first` lies in the first frame, behind its header and side information."""
    frame = SYNC + bytes(417 - len(SYNC))
    one = SYNC + bytes(32) + first
    return one + bytes(417 - len(one)) + frame * (count - 1)


def xing(frame_count: int, byte_count: int) -> bytes:
    return b"Xing" + struct.pack(">III", 3, frame_count, byte_count)


def box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + name + content


def mvhd(seconds: int, scale: int = 1000) -> bytes:
    times = struct.pack(">IIII", 0, 0, scale, seconds * scale)
    return box(b"mvhd", bytes(4) + times + bytes(80))


def flac_block(kind: int, content: bytes, *, is_last: bool = False) -> bytes:
    return bytes([kind | (0x80 if is_last else 0)]) + len(content).to_bytes(3) + content


def stream_info(rate: int, samples: int) -> bytes:
    return bytes(10) + (rate << 44 | 1 << 41 | 15 << 36 | samples).to_bytes(8) + bytes(16)


def ogg_page(position: int, content: bytes) -> bytes:
    sizes = bytes([255] * (len(content) // 255) + [len(content) % 255])
    head = b"OggS\x00\x00" + struct.pack("<qIII", position, 1, 0, 0) + bytes([len(sizes)])
    return head + sizes + content
