"""What the spool acknowledged is found by a drain, whoever died in between."""

import multiprocessing
import os
import resource
import signal
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from castline.ingest.spool import Spool


def take_all(spool: Spool) -> list[bytes]:
    """Every waiting line; the files are gone."""
    lines: list[bytes] = []
    with spool.take() as files:
        for path in files:
            lines += path.read_bytes().splitlines()
            path.unlink()
    return lines


def test_lines_wait_in_order_until_they_are_taken(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "intake")
    spool.append(b"one")
    spool.append(b"two")
    assert take_all(spool) == [b"one", b"two"]
    assert take_all(spool) == []
    spool.append(b"three")
    assert take_all(spool) == [b"three"]


def test_lines_stay_while_their_files_are_not_deleted(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append(b"one")
    with spool.take() as files:
        assert len(files) == 1
    spool.append(b"two")
    assert take_all(spool) == [b"one", b"two"]


def test_no_line_of_many_threads_is_lost_or_torn(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    lines = [f"{number:04} {'x' * (number % 700)}".encode() for number in range(1000)]
    taken: list[bytes] = []
    with ThreadPoolExecutor(8) as pool:
        written = [pool.submit(spool.append, line) for line in lines]
        while not all(item.done() for item in written):
            taken += take_all(spool)
    assert [item.result() for item in written] == [None] * 1000
    assert sorted(taken + take_all(spool)) == lines


def test_only_the_owner_may_read_what_waits(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "intake")
    spool.append(b"192.0.2.1")
    [path] = (tmp_path / "intake").glob("*.open")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def write_and_wait(folder: Path, ready: "multiprocessing.synchronize.Event") -> None:
    spool = Spool(folder)
    spool.append(b"from the other process")
    ready.set()
    signal.pause()


def test_a_killed_processs_lines_are_taken_and_a_living_ones_are_left(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    other = context.Process(target=write_and_wait, args=(tmp_path, ready))
    other.start()
    try:
        assert ready.wait(30)
        assert take_all(Spool(tmp_path)) == []
        assert other.pid is not None
        os.kill(other.pid, signal.SIGKILL)
        other.join(10)
        assert take_all(Spool(tmp_path)) == [b"from the other process"]
    finally:
        other.kill()
        other.join(10)


def test_of_two_drains_only_one_takes(tmp_path: Path) -> None:
    first, second = Spool(tmp_path), Spool(tmp_path)
    first.append(b"one")
    with first.take() as mine, second.take() as theirs:
        assert (len(mine), theirs) == (1, [])


def test_a_full_disk_keeps_nothing_of_the_line_that_does_not_fit(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append(b"first")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limit[1]))
    try:
        with pytest.raises(OSError, match=r"No space left|File too large"):
            spool.append(b"a line that is too long")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    spool.append(b"last")
    with spool.take() as files:
        assert [path.read_bytes() for path in files] == [b"first\nlast\n"]
