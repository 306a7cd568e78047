"""Refused lines of a log are tried again when it is imported once more with --again, and no other line is touched."""

from pathlib import Path
from typing import IO, Any

import pytest

from castline.ingest.logs.landing import ImportOptions, LogImport
from castline.ingest.logs.origins import LogTask
from castline.measure.run import measure
from castline.model.account import User
from castline.sources.logs.table import find_format
from castline.store.listening.downloads import load_refused, load_waterfall
from castline.store.pool import Store
from castline.store.provenance.ledger import load_batches, load_quarantine
from make_logs import Line, make_listened_show

pytestmark = pytest.mark.store
LINES = [str(Line()), find_format("fastly").example, "rubbish", str(Line(after=5)), find_format("fastly").example]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "access.log"
    path.write_text("".join(f"{line}\n" for line in LINES))
    return path


def _import(store: Store, user: User, log: Path, **options: object) -> LogImport:
    return LogTask(store, user.user_id, None, ImportOptions(**options)).import_one(log)  # type: ignore[arg-type]


def _waiting(store: Store, user: User) -> list[int | None]:
    with store.account(user.user_id) as connection:
        return [row.line_number for row in load_quarantine(connection, user.user_id)]


def _ends(store: Store, user: User) -> int:
    """How many lines ended somewhere: refused, or judged."""
    measure(store, user.user_id)
    with store.account(user.user_id) as connection:
        rows = [*load_refused(connection, user.user_id), *load_waterfall(connection, user.user_id)]
        return sum(row.request_count for row in rows)


def test_lines_that_another_format_reads_are_landed_and_the_others_stay(store: Store, account: User, log: Path) -> None:
    make_listened_show(store, account.user_id)
    first = _import(store, account, log, log_format="combined")
    assert (first.landed_count, first.refused_count, _waiting(store, account)) == (2, 3, [2, 3, 5])
    assert _ends(store, account) == 5
    assert not _import(store, account, log).is_new
    again = _import(store, account, log, again=True)
    assert (again.is_new, again.received_count, again.landed_count, again.refused_count) == (True, 2, 2, 0)
    assert again.log_format == "combined, fastly"
    assert _waiting(store, account) == [3]
    assert _ends(store, account) == 5
    assert not _import(store, account, log, again=True).is_new
    with store.account(account.user_id) as connection:
        newest, oldest = load_batches(connection, account.user_id)
    assert newest.metadata["replay_of"] == str(oldest.batch_id)
    assert (newest.accepted_count, oldest.accepted_count, oldest.refused_count) == (2, 2, 3)


def test_a_log_without_refused_lines_is_only_known(store: Store, account: User, log: Path) -> None:
    log.write_text(f"{Line()}\n")
    first = _import(store, account, log, again=True)
    again = _import(store, account, log, again=True)
    assert (first.is_new, again.is_new, again.batch_id) == (True, False, first.batch_id)


def test_lines_of_every_import_of_a_log_that_grew_are_tried_again(store: Store, account: User, log: Path) -> None:
    make_listened_show(store, account.user_id)
    fastly = f"{find_format('fastly').example}\n"
    begun = log.read_text()
    _import(store, account, log, log_format="combined")
    log.write_text(begun + fastly + f"{Line(after=9)}\n")
    rest = _import(store, account, log, log_format="combined")
    assert (rest.landed_count, rest.refused_count, _waiting(store, account)) == (1, 1, [6, 2, 3, 5])
    again = _import(store, account, log, again=True)
    assert (again.is_new, again.received_count, again.landed_count, again.refused_count) == (True, 3, 3, 0)
    assert _waiting(store, account) == [3]
    assert _ends(store, account) == 7


def test_what_was_refused_before_is_tried_again_with_an_import_that_is_new(
    store: Store, account: User, log: Path
) -> None:
    make_listened_show(store, account.user_id)
    begun = log.read_text()
    _import(store, account, log, log_format="combined")
    log.write_text(f"{begun}{Line(after=9)}\nmore rubbish\n")
    again = _import(store, account, log, again=True)
    assert (again.is_new, again.received_count, again.landed_count, again.refused_count) == (True, 4, 3, 1)
    assert _waiting(store, account) == [7, 3]
    assert _ends(store, account) == 7


def test_a_line_that_was_read_anew_with_its_end_is_not_replayed(store: Store, account: User, log: Path) -> None:
    make_listened_show(store, account.user_id)
    begun = log.read_text()
    log.write_text(f"{begun}{Line(after=9)}"[:-30])
    _import(store, account, log, log_format="combined")
    log.write_text(f"{begun}{Line(after=9)}\n")
    again = _import(store, account, log, again=True)
    assert (again.landed_count, again.refused_count, _waiting(store, account)) == (3, 0, [3])
    assert _ends(store, account) == 6
    assert not _import(store, account, log, again=True).is_new


class _Rotated(type(Path())):  # type: ignore[misc]  # the class that Path chooses for this system
    """A log that is rotated in the moment after it was first opened; a longer one lies in its place."""

    def open(self, *args: Any, **kwargs: Any) -> IO[Any]:
        file: IO[Any] = super().open(*args, **kwargs)
        rotated = Path(f"{self}.1")
        if not rotated.exists():
            Path(self).rename(rotated)
            Path(self).write_text("".join(f"{Line(after=60 + number)}\n" for number in range(9)))
        return file


def test_lines_that_are_tried_again_are_those_of_the_log_that_was_opened(
    store: Store, account: User, log: Path
) -> None:
    make_listened_show(store, account.user_id)
    _import(store, account, log, log_format="combined")
    again = _import(store, account, _Rotated(log), again=True)
    assert (again.is_new, again.received_count, again.landed_count, again.log_format) == (
        True,
        2,
        2,
        "combined, fastly",
    )
    assert _waiting(store, account) == [3]
    assert _import(store, account, log).landed_count == 9
    assert _ends(store, account) == 14
