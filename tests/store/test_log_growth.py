"""A log that grows, is rotated and compressed between imports: each of its lines is taken once."""

import gzip
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event

import pytest

from castline.base.errors import SourceUnreadable
from castline.ingest.logs.landing import ImportOptions, LogImport, import_log
from castline.measure.run import measure
from castline.model.account import User
from castline.sources.logs.table import find_format
from castline.store.listening.downloads import load_refused, load_waterfall
from castline.store.pool import Store
from castline.store.provenance.ledger import load_batches, load_quarantine
from make import make_account
from make_logs import Line, make_listened_show

pytestmark = pytest.mark.store
LINES = [f"{Line(after=number, address=f'198.51.100.{number % 7}')}\n" for number in range(40)]


def _counts(done: LogImport) -> tuple[bool, int, int]:
    return done.is_new, done.landed_count, done.refused_count


def _judged(store: Store, user: User) -> list[tuple[str, str, int]]:
    measure(store, user.user_id)
    with store.account(user.user_id) as connection:
        return sorted((row.verdict, row.reason, row.request_count) for row in load_waterfall(connection, user.user_id))


def _received(store: Store, user: User) -> int:
    """How many lines ended somewhere: refused, or judged."""
    judged = sum(count for _, _, count in _judged(store, user))
    with store.account(user.user_id) as connection:
        return judged + sum(row.request_count for row in load_refused(connection, user.user_id))


def _id_of(line: str) -> str:
    return str(json.loads(line)["request_id"])


def _once(wait: Callable[[], object]) -> ImportOptions:
    """Options of an import that waits when it has read its log for the first time."""
    begun = Event()

    def report(_: int) -> None:
        if not begun.is_set():
            begun.set()
            wait()

    return ImportOptions(report=report)


def test_only_what_came_behind_an_earlier_import_is_read(store: Store, account: User, tmp_path: Path) -> None:
    log, rotated = tmp_path / "access.log", tmp_path / "access.log.1.gz"
    make_listened_show(store, account.user_id)
    log.write_text("".join(LINES[:10]))
    assert _counts(import_log(store, account.user_id, log)) == (True, 10, 0)
    log.write_text("".join(LINES[:25]))
    assert _counts(import_log(store, account.user_id, log)) == (True, 15, 0)
    assert _counts(import_log(store, account.user_id, log)) == (False, 15, 0)
    rotated.write_bytes(gzip.compress("".join([*LINES, "rubbish\n"]).encode()))
    assert _counts(import_log(store, account.user_id, rotated)) == (True, 15, 1)
    with store.account(account.user_id) as connection:
        assert [row.line_number for row in load_quarantine(connection, account.user_id)] == [41]
        first, second, third = reversed(load_batches(connection, account.user_id))
    assert "continues" not in first.metadata
    assert [batch.metadata["continues"] for batch in (second, third)] == [str(first.batch_id), str(second.batch_id)]
    # Another account takes the whole at once, and finds the same.
    other = make_account(store)
    make_listened_show(store, other.user_id)
    assert _counts(import_log(store, other.user_id, rotated)) == (True, 40, 1)
    assert _judged(store, account) == _judged(store, other)


@pytest.mark.parametrize(("cut", "before"), [(30, 9), (1, 10)])
def test_a_line_that_was_under_way_is_read_again_unless_it_was_a_request(
    store: Store, account: User, tmp_path: Path, cut: int, before: int
) -> None:
    log = tmp_path / "access.log"
    log.write_text("".join(LINES[:10])[:-cut])
    assert _counts(import_log(store, account.user_id, log)) == (True, before, 10 - before)
    log.write_text("".join(LINES))
    assert _counts(import_log(store, account.user_id, log)) == (True, 40 - before, 0)


def test_a_log_of_another_beginning_is_another_log(store: Store, account: User, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text("".join(LINES[:10]))
    import_log(store, account.user_id, log)
    log.write_text("".join([LINES[0], *LINES[20:40]]))
    assert _counts(import_log(store, account.user_id, log)) == (True, 21, 0)
    log.write_text("".join(LINES[5:40]))
    assert _counts(import_log(store, account.user_id, log)) == (True, 35, 0)


def test_the_rest_is_read_under_the_header_that_stands_at_the_top(store: Store, account: User, tmp_path: Path) -> None:
    header = "#Version: 1.0\n#Fields: time date c-ip cs-uri-stem sc-status cs-method sc-bytes\n"
    rows = [f"00:00:{second:02}\t2026-09-07\t203.0.113.9\t/one.mp3\t200\tGET\t5\n" for second in range(10)]
    log = tmp_path / "E1.log"
    log.write_text(header)
    assert _counts(import_log(store, account.user_id, log)) == (True, 0, 0)
    log.write_text(header + "".join(rows[:4]))
    assert _counts(import_log(store, account.user_id, log)) == (True, 4, 0)
    log.write_text(header + "".join(rows))
    done = import_log(store, account.user_id, log)
    assert (_counts(done), str(done.first_at)) == ((True, 6, 0), "2026-09-07 00:00:04+00:00")


def test_an_archive_that_came_cut_is_completed_by_the_whole_one(store: Store, account: User, tmp_path: Path) -> None:
    log = tmp_path / "access.log.gz"
    whole = gzip.compress("".join(f"{Line(after=number, sent=number**3)}\n" for number in range(4_000)).encode())
    log.write_bytes(whole[: len(whole) // 2])
    cut = import_log(store, account.user_id, log)
    assert cut.problem is not None
    log.write_bytes(whole)
    done = import_log(store, account.user_id, log)
    assert done.problem is None
    assert 0 < cut.landed_count < 4_000
    assert (cut.landed_count + done.landed_count, done.refused_count) == (4_000, 0)


def test_a_file_of_which_more_than_a_million_lines_are_no_requests_is_refused_as_a_whole(
    store: Store, account: User, tmp_path: Path
) -> None:
    log = tmp_path / "access.log"
    log.write_text("".join(LINES) + "x\n" * 1_000_001)
    with pytest.raises(SourceUnreadable, match="1,000,001 lines fit no format: name it by --format"):
        import_log(store, account.user_id, log)
    with store.account(account.user_id) as connection:
        assert load_batches(connection, account.user_id) == []


def test_a_log_that_is_imported_again_while_its_import_goes_on_is_landed_once(
    store: Store, account: User, tmp_path: Path
) -> None:
    make_listened_show(store, account.user_id)
    lines = [f"{Line(after=number, address=f'198.51.100.{number % 250}')}\n" for number in range(2_400)]
    short, long = tmp_path / "h1.log", tmp_path / "h2.log"
    short.write_text("".join([*lines[:1_999], "rubbish\n"]))
    long.write_text("".join([*lines[:1_999], "rubbish\n", *lines[2_000:]]))
    both_read, first_done = Barrier(2), Event()

    def begin() -> LogImport:
        done = import_log(store, account.user_id, short, options=_once(lambda: both_read.wait(30)))
        first_done.set()
        return done

    def overlap() -> LogImport:
        wait = _once(lambda: (both_read.wait(30), first_done.wait(30)))
        return import_log(store, account.user_id, long, options=wait)

    with ThreadPoolExecutor(2) as threads:
        first, second = threads.submit(begin), threads.submit(overlap)
    assert (_counts(first.result()), _counts(second.result())) == ((True, 1_999, 1), (True, 400, 0))
    assert _received(store, account) == 2_400


def test_a_log_that_grew_and_was_imported_while_its_own_import_was_under_way_is_landed_once(
    store: Store, account: User, tmp_path: Path
) -> None:
    make_listened_show(store, account.user_id)
    log = tmp_path / "access.log"
    log.write_text("".join(LINES[:20]))

    def grow() -> None:
        with log.open("a") as file:
            file.write("".join(LINES[20:]))
        assert _counts(import_log(store, account.user_id, log)) == (True, 40, 0)

    assert _counts(import_log(store, account.user_id, log, options=_once(grow))) == (False, 40, 0)
    assert _received(store, account) == 40


def test_the_same_content_twice_at_once_plain_and_packed_is_landed_once(
    store: Store, account: User, tmp_path: Path
) -> None:
    make_listened_show(store, account.user_id)
    plain, packed = tmp_path / "access.log", tmp_path / "access.log.gz"
    plain.write_text("".join(LINES))
    packed.write_bytes(gzip.compress("".join(LINES).encode()))
    both_read = Barrier(2)
    with ThreadPoolExecutor(2) as threads:
        tasks = [
            threads.submit(import_log, store, account.user_id, log, options=_once(lambda: both_read.wait(30)))
            for log in (plain, packed)
        ]
    assert sorted(_counts(task.result()) for task in tasks) == [(False, 40, 0), (True, 40, 0)]
    assert _received(store, account) == 40


def test_a_log_with_request_ids_is_read_on_too_and_its_rubbish_is_refused_once(
    store: Store, account: User, tmp_path: Path
) -> None:
    make_listened_show(store, account.user_id)
    example = find_format("json").example
    assert '"request_id"' in example
    log, name = tmp_path / "access.log", _id_of(example)
    lines = [f"{example.replace(name, f'{name[:-4]}{number:04}')}\n" for number in range(40)]
    log.write_text("".join([*lines[:10], "rubbish\n"]))
    assert _counts(import_log(store, account.user_id, log)) == (True, 10, 1)
    log.write_text("".join([*lines[:10], "rubbish\n", *lines[10:], "more rubbish\n"]))
    assert _counts(import_log(store, account.user_id, log)) == (True, 30, 1)
    assert _received(store, account) == 42
    assert "same_request" not in {reason for _, reason, _ in _judged(store, account)}
    with store.account(account.user_id) as connection:
        assert sorted(row.line_number or 0 for row in load_quarantine(connection, account.user_id)) == [11, 42]


@pytest.mark.parametrize("cut", [30, 1])
def test_a_line_that_was_under_way_is_received_once(store: Store, account: User, tmp_path: Path, cut: int) -> None:
    make_listened_show(store, account.user_id)
    log = tmp_path / "access.log"
    for end in (10, 20, 25):
        log.write_text("".join(LINES[:end])[:-cut])
        import_log(store, account.user_id, log)
        assert _received(store, account) == end
    # Its first half may have come in two steps, too.
    log.write_text("".join(LINES[:25])[: -cut - 5])
    import_log(store, account.user_id, log)
    log.write_text("".join(LINES[:30]))
    import_log(store, account.user_id, log)
    assert _received(store, account) == 30
    with store.account(account.user_id) as connection:
        assert load_quarantine(connection, account.user_id) == []


@pytest.mark.parametrize("cut", [30, 1])
def test_a_log_that_ends_within_a_line_is_no_part_of_one_that_has_another_line_there(
    store: Store, account: User, tmp_path: Path, cut: int
) -> None:
    make_listened_show(store, account.user_id)
    log = tmp_path / "access.log"
    log.write_text("".join(LINES[:10])[:-cut])
    import_log(store, account.user_id, log)
    log.write_text("".join([*LINES[:9], *LINES[20:30]]))
    assert _counts(import_log(store, account.user_id, log)) == (True, 10, 0)
    assert _received(store, account) == 20


def test_a_copy_of_a_logs_beginning_lands_nothing_when_it_comes_after_the_whole(
    store: Store, account: User, tmp_path: Path
) -> None:
    make_listened_show(store, account.user_id)
    lines = [*LINES[:5], "rubbish\n", *LINES[5:]]
    whole, noon = tmp_path / "day.log", tmp_path / "noon.log.gz"
    for end in (30, 41):  # in two steps, so that the copy lies across both
        whole.write_text("".join(lines[:end]))
        import_log(store, account.user_id, whole)
    # Cut at a line, within one, and just before its end.
    for name, count, cut in (("a", 35, 0), ("b", 33, 30), ("c", 20, 1), ("d", 3, 0)):
        copy = noon.with_name(name)
        copy.write_bytes(gzip.compress("".join(lines[:count]).encode()[: -cut or None]))
        assert _counts(import_log(store, account.user_id, copy)) == (True, 0, 0)
        assert _counts(import_log(store, account.user_id, copy)) == (False, 0, 0)
    assert _received(store, account) == 41
    grown = noon.with_name("a")
    grown.write_bytes(gzip.compress("".join([*lines, str(Line(after=50)) + "\n"]).encode()))
    assert _counts(import_log(store, account.user_id, grown)) == (True, 1, 0)
    assert _received(store, account) == 42


@pytest.mark.parametrize("changed", [1, 10, 19])
def test_a_shorter_log_with_one_other_line_is_another_log(
    store: Store, account: User, tmp_path: Path, changed: int
) -> None:
    make_listened_show(store, account.user_id)
    (tmp_path / "day.log").write_text("".join(LINES))
    import_log(store, account.user_id, tmp_path / "day.log")
    for name, other in (("a", f"{Line(after=changed, address='203.0.113.200')}\n"), ("b", "rubbish\n")):
        lines = LINES[:20]
        lines[changed] = other
        (tmp_path / name).write_text("".join(lines))
        done = import_log(store, account.user_id, tmp_path / name)
        assert done.landed_count + done.refused_count == 20


def test_a_copy_that_comes_when_the_requests_passed_their_retention_is_landed(
    store: Store, account: User, tmp_path: Path
) -> None:
    make_listened_show(store, account.user_id)
    (tmp_path / "day.log").write_text("".join(LINES))
    import_log(store, account.user_id, tmp_path / "day.log")
    for path in (store.settings.landing_dir / "requests" / str(account.user_id)).rglob("*.parquet"):
        path.unlink()
    (tmp_path / "noon.log").write_text("".join(LINES[:20]))
    assert _counts(import_log(store, account.user_id, tmp_path / "noon.log")) == (True, 20, 0)


def test_a_log_that_a_written_format_keeps_whole_is_known_again_when_it_grew(
    store: Store, account: User, tmp_path: Path
) -> None:
    path, asked = tmp_path / "access.log", 'nginx:{"t":"$msec","ip":"$remote_addr","message":"$request"}'
    lines = [
        f'{{"t":"17779{number:05}.000","ip":"198.51.100.{number}","message":"GET /one.mp3 HTTP/1.1"}}\n'
        for number in range(6)
    ]
    landed = []
    for count in (4, 6):
        path.write_text("".join(lines[:count]))
        done = import_log(store, account.user_id, path, options=ImportOptions(log_format=asked))
        landed.append((done.landed_count, done.refused_count))
    assert landed == [(4, 0), (2, 0)]


def test_who_imports_a_log_again_under_another_zone_is_told_that_nothing_changed(
    store: Store, account: User, tmp_path: Path
) -> None:
    path = tmp_path / "access.log"
    path.write_text("".join(LINES))
    first, same, other = (
        import_log(store, account.user_id, path, options=ImportOptions(tz=tz)) for tz in ("UTC", "UTC", "Europe/Oslo")
    )
    assert (first.problem, same.problem) == (None, None)
    assert other.problem == (
        "it was imported before with --tz UTC, and its times stay as they were read then; "
        f"`castline batch withdraw {str(first.batch_id)[:8]}` takes it back"
    )
