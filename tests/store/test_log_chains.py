"""A log that came in many steps, under many names, is one log: its copies land nothing, whatever lay between."""

import gzip
from pathlib import Path

import pytest

from castline.ingest.logs.landing import import_log
from castline.model.account import User
from castline.store.pool import Store
from make_logs import Line

pytestmark = pytest.mark.store
HEADER = "#Version: 1.0\n#Fields: date time c-ip cs-method cs(Host) cs-uri-stem sc-status sc-bytes cs(User-Agent)\n"
LINES = [f"{Line(after=number, address=f'198.51.100.{number}')}\n" for number in range(40)]
ROWS = [
    f"2026-09-07\t00:00:{number:02}\t198.51.100.{number}\tGET\tcdn.example.org\t/one.mp3\t200\t5\tOvercast/3.0\n"
    for number in range(40)
]


def _land(store: Store, user: User, path: Path, text: str) -> int:
    packed = path.suffix == ".gz"
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    done = import_log(store, user.user_id, path)
    assert done.is_new
    return done.landed_count


def test_a_log_in_steps_under_other_names_lands_each_line_once_and_its_copies_nothing(
    store: Store, account: User, tmp_path: Path
) -> None:
    steps = (("access.log", 10), ("access.log.1", 20), ("access.log.2.gz", 30), ("archive.log.gz", 40))
    assert [_land(store, account, tmp_path / name, "".join(LINES[:end])) for name, end in steps] == [10] * 4
    for name, end in (("a", 35), ("b.gz", 25), ("c", 15), ("d", 5), ("e.gz", 39)):
        assert _land(store, account, tmp_path / name, "".join(LINES[:end])) == 0


def test_growth_without_a_request_does_not_break_the_chain(store: Store, account: User, tmp_path: Path) -> None:
    remark = "#Version: 1.0\n"
    texts = [
        HEADER + "".join(ROWS[:10]),
        HEADER + "".join(ROWS[:10]) + remark,
        HEADER + "".join(ROWS[:10]) + remark + "".join(ROWS[10:20]),
        HEADER + "".join(ROWS[:10]) + remark + "".join(ROWS[10:20]) + "\n",
        HEADER + "".join(ROWS[:10]) + remark + "".join(ROWS[10:20]) + "\n" + "".join(ROWS[20:]),
    ]
    landed = [_land(store, account, tmp_path / f"E1.{place}", text) for place, text in enumerate(texts)]
    assert landed == [10, 0, 10, 0, 20]
    for place, end in enumerate((5, 15, 25, 38)):
        copy = "".join(texts[-1].splitlines(keepends=True)[:end])
        assert _land(store, account, tmp_path / f"copy.{place}", copy) == 0


def test_a_copy_between_two_steps_does_not_break_the_chain(store: Store, account: User, tmp_path: Path) -> None:
    whole = "".join(LINES)
    assert _land(store, account, tmp_path / "access.log", "".join(LINES[:20])) == 20
    assert _land(store, account, tmp_path / "noon.log", "".join(LINES[:8])) == 0
    assert _land(store, account, tmp_path / "noon.log", "".join(LINES[:12])) == 0
    assert _land(store, account, tmp_path / "noon.log", "".join(LINES[:30])) == 10
    assert _land(store, account, tmp_path / "access.log.gz", whole) == 10
    for end in (33, 27, 11):
        assert _land(store, account, tmp_path / f"copy.{end}", "".join(LINES[:end])) == 0


def test_a_copy_of_the_beginning_of_a_log_that_came_in_hundreds_of_steps_lands_nothing(
    store: Store, account: User, tmp_path: Path
) -> None:
    steps = 215
    lines = [f"{Line(after=number, address=f'198.51.100.{number % 9}')}\n" for number in range(2 * steps)]
    for step in range(1, steps + 1):
        assert _land(store, account, tmp_path / "access.log", "".join(lines[: 2 * step])) == 2
    for place, end in enumerate((7, 23, 301)):
        assert _land(store, account, tmp_path / f"copy.{place}", "".join(lines[:end])) == 0
