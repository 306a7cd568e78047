"""The intake's log: what was appended is read again, and damage costs no more than what it hit."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from castline.ingest.segment_log import (
    EVENTS,
    REQUEST,
    LogWriter,
    Record,
    encode_parted_record,
    encode_record,
    parse_segment,
    take_segments,
)


def make_records(*texts: bytes) -> list[bytes]:
    return [encode_record(REQUEST, number, b"198.51.100.7", text) for number, text in enumerate(texts)]


def read_ready(folder: Path) -> list[bytes]:
    with take_segments(folder) as segments:
        assert segments is not None
        return [record.text for path in segments for record in parse_segment(path.read_bytes()).records]


@pytest.mark.parametrize("is_strict", [True, False])
def test_records_are_read_as_they_were_appended(tmp_path: Path, *, is_strict: bool) -> None:
    log = LogWriter(tmp_path, is_strict=is_strict)
    log.append(make_records(b"one", b""))
    log.wait_synced(log.append(make_records(b"t\0wo")))
    log.close()
    (path,) = tmp_path.glob("*.ready")
    segment = parse_segment(path.read_bytes())
    assert segment.records == [
        Record(REQUEST, 0, "198.51.100.7", b"one"),
        Record(REQUEST, 1, "198.51.100.7", b""),
        Record(REQUEST, 0, "198.51.100.7", b"t\0wo"),
    ]
    assert segment.damaged_bytes == 0


@pytest.mark.parametrize("is_strict", [True, False])
def test_records_in_large_and_small_pieces_are_the_same_bytes(tmp_path: Path, *, is_strict: bool) -> None:
    """More than one call takes, and of every length around that from which on pieces are passed on."""
    texts = [bytes([number % 251]) * (4090 + number % 13) for number in range(1300)]
    log = LogWriter(tmp_path, is_strict=is_strict)
    for text in (b"few", *texts[:20]):
        log.append(encode_parted_record(EVENTS, 7, b"::1", b"head\r\n", text))
    log.append([piece for text in texts for piece in encode_parted_record(EVENTS, 7, b"::1", text[:100], text[100:])])
    log.close()
    (path,) = tmp_path.glob("*.ready")
    segment = parse_segment(path.read_bytes())
    assert segment.damaged_bytes == 0
    assert [record.text for record in segment.records] == [
        *(b"head\r\n" + text for text in (b"few", *texts[:20])),
        *texts,
    ]
    assert encode_record(EVENTS, 7, b"::1", b"ab") == b"".join(encode_parted_record(EVENTS, 7, b"::1", b"a", b"b"))


@pytest.mark.parametrize("is_synced", [True, False])
def test_a_frame_that_does_not_fit_leaves_nothing(tmp_path: Path, *, is_synced: bool) -> None:
    """The system takes a part and refuses the rest, as a disk does that fills."""
    script = (
        "import os, resource, sys; from castline.ingest.log_frame import Frame, write_frame;"
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000));"
        "file = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT);"
        "size = write_frame(file, Frame([b'a' * 90_000]), 0, is_synced=bool(int(sys.argv[2])));\n"
        "try: write_frame(file, Frame([b'b' * 9_000, b'c' * 9_000]), size, is_synced=bool(int(sys.argv[2])))\n"
        "except OSError as error: print(error.strerror)\n"
        "print(size == os.fstat(file).st_size)"
    )
    path = tmp_path / "segment"
    words = [sys.executable, "-c", script, str(path), str(int(is_synced))]
    ended = subprocess.run(words, capture_output=True, text=True, check=True)
    assert ended.stdout == "File too large\nTrue\n"
    assert path.read_bytes()[-90_000:] == b"a" * 90_000


def test_a_torn_tail_costs_the_frame_that_it_tore_and_no_other(tmp_path: Path) -> None:
    log = LogWriter(tmp_path)
    for text in (b"one", b"two", b"three"):
        log.append(make_records(text))
    log.close()
    (path,) = tmp_path.glob("*.ready")
    content = path.read_bytes()
    frame = len(content) // 3
    for cut in range(2 * frame + 1, len(content)):
        segment = parse_segment(content[:cut])
        assert [record.text for record in segment.records] == [b"one", b"two"]
        assert segment.damaged_bytes == cut - content.rindex(content[:4])


def test_a_flipped_byte_costs_its_frame_and_what_stands_behind_is_found(tmp_path: Path) -> None:
    log = LogWriter(tmp_path)
    for text in (b"first", b"other", b"third"):
        log.append(make_records(text))
    log.close()
    (path,) = tmp_path.glob("*.ready")
    content = path.read_bytes()
    frame = len(content) // 3
    for place in range(frame, 2 * frame):
        harmed = bytearray(content)
        harmed[place] ^= 0xFF
        segment = parse_segment(bytes(harmed))
        assert [record.text for record in segment.records] == [b"first", b"third"]
        assert segment.damaged_bytes == frame


def test_segments_of_a_writer_at_work_are_left_alone_and_those_of_a_dead_one_are_taken(tmp_path: Path) -> None:
    log = LogWriter(tmp_path)
    log.wait_synced(log.append(make_records(b"at work")))
    child = os.fork()
    if child == 0:
        LogWriter(tmp_path).append(make_records(b"left behind"))
        os._exit(0)
    os.waitpid(child, 0)
    assert read_ready(tmp_path) == [b"left behind"]
    log.close()
    assert read_ready(tmp_path) == [b"at work", b"left behind"]


def test_only_one_drain_at_a_time_has_the_segments(tmp_path: Path) -> None:
    with take_segments(tmp_path) as mine, take_segments(tmp_path) as theirs:
        assert (mine, theirs) == ([], None)
    with take_segments(tmp_path) as again:
        assert again == []


def test_a_full_disk_is_said_at_once_and_leaves_no_half_frame(tmp_path: Path) -> None:
    log = LogWriter(tmp_path, is_strict=True)
    log.wait_synced(log.append(make_records(b"one")))
    full = os.open("/dev/full", os.O_WRONLY)
    kept = os.dup(log._file or -1)
    os.dup2(full, log._file or -1)
    with pytest.raises(OSError, match="No space"):
        log.append(make_records(b"lost"))
    os.dup2(kept, log._file or -1)
    log.wait_synced(log.append(make_records(b"two")))
    log.close()
    assert read_ready(tmp_path) == [b"one", b"two"]
    os.close(full)
    os.close(kept)


def test_no_record_of_many_threads_is_lost_or_torn_while_a_drain_takes_segments(tmp_path: Path) -> None:
    log = LogWriter(tmp_path, is_strict=True)
    texts = [f"{number:04} {'x' * (number % 700)}".encode() for number in range(1000)]
    with ThreadPoolExecutor(8) as pool:
        written = [pool.submit(lambda text: log.wait_synced(log.append(make_records(text))), text) for text in texts]
        while not all(item.done() for item in written):
            assert read_ready(tmp_path) == []
    log.close()
    assert [item.result() for item in written] == [None] * 1000
    assert sorted(read_ready(tmp_path)) == texts


@pytest.fixture
def slow_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[threading.Event, threading.Event]]:
    """A disk whose syncs take until the second event is set; the first says that one is under way."""
    begun, may_end = threading.Event(), threading.Event()
    sync = os.fdatasync

    def wait(file: int) -> None:
        begun.set()
        may_end.wait(20)
        sync(file)

    monkeypatch.setattr(os, "fdatasync", wait)
    yield begun, may_end
    may_end.set()


def test_what_comes_while_a_sync_is_under_way_is_one_frame_behind_it(
    tmp_path: Path, slow_disk: tuple[threading.Event, threading.Event]
) -> None:
    begun, may_end = slow_disk
    told: list[tuple[int, OSError | None]] = []
    log = LogWriter(tmp_path, is_strict=True, on_synced=lambda *found: told.append(found))
    texts = [b"first", *(b"%d" % number * 3000 for number in range(1200))]
    log.append(make_records(texts[0]))
    assert begun.wait(10)
    for text in texts[1:]:
        last = log.append(make_records(text))
    may_end.set()
    log.wait_synced(last)
    log.close()
    assert told == [(1, None), (last, None)]
    assert read_ready(tmp_path) == texts


def test_what_a_full_disk_refused_after_it_was_taken_is_told_and_stands_in_the_log_once_there_is_room(
    tmp_path: Path, slow_disk: tuple[threading.Event, threading.Event]
) -> None:
    begun, may_end = slow_disk
    log = LogWriter(tmp_path, is_strict=True)
    log.append(make_records(b"one"))
    assert begun.wait(10)
    taken = log.append(make_records(b"two"))
    place = log._file or -1
    full, kept = os.open("/dev/full", os.O_WRONLY), os.dup(place)
    os.dup2(full, place)
    may_end.set()
    with pytest.raises(OSError, match=r"No space|Invalid"):  # of writing, or of the sync that was under way
        log.wait_synced(taken)
    with pytest.raises(OSError, match=r"No space|Invalid"):
        log.append(make_records(b"three"))
    os.dup2(kept, place)
    deadline = time.monotonic() + 20
    while log._synced < taken and time.monotonic() < deadline:
        time.sleep(0.01)
    log.wait_synced(taken)
    log.close()
    os.close(full)
    os.close(kept)
    assert read_ready(tmp_path) == [b"one", b"two"]
