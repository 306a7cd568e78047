"""A log that is no copy of another's beginning lands whole, however alike the two begin; one that is lands nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pytest

from castline.ingest.logs.landing import ImportOptions, LogImport, import_log
from castline.ingest.logs.origins import LogTask
from castline.measure.run import measure
from castline.model.account import User
from castline.sources.logs.table import find_format
from castline.store.listening.downloads import load_refused, load_waterfall
from castline.store.pool import Store
from make_logs import Line, make_listened_show

pytestmark = pytest.mark.store
LINES = [f"{Line(after=number, address=f'198.51.100.{number}')}\n" for number in range(40)]
CLOUDFRONT = "#Version: 1.0\n#Fields: date time c-ip cs-method cs(Host) cs-uri-stem sc-status sc-bytes cs(User-Agent)\n"
IIS = "#Software: IIS\n#Fields: date time c-ip cs-method cs(Host) cs-uri-stem sc-status sc-bytes cs(User-Agent)\n"
CSV = "ClientIP,ClientRequestHost,ClientRequestMethod,ClientRequestURI,EdgeResponseStatus,EdgeStartTimestamp,RayID\n"


def _import(store: Store, user: User, log: Path, text: str, **options: Any) -> tuple[int, int]:
    log.write_text(text)
    done: LogImport = LogTask(store, user.user_id, None, ImportOptions(**options)).import_one(log)
    return done.landed_count, done.refused_count


def _row(address: str, between: str = "\t") -> str:
    told = ("2026-09-07", "00:00:00", address, "GET", "cdn.example.org", "/one.mp3", "200", "5", "Overcast/3.0")
    return between.join(told)


def _csv_row(address: str) -> str:
    return f"{address},cdn.example.org,GET,/one.mp3,200,2026-09-07T00:00:00Z,ray{address}"


def _ends(store: Store, user: User) -> int:
    """How many lines ended somewhere: refused, or judged."""
    measure(store, user.user_id)
    with store.account(user.user_id) as connection:
        rows = [*load_refused(connection, user.user_id), *load_waterfall(connection, user.user_id)]
        return sum(row.request_count for row in rows)


@pytest.mark.parametrize(
    ("header", "row_of"),
    [(CLOUDFRONT, _row), (IIS, lambda address: _row(address, " ")), (CSV, _csv_row)],
    ids=["cloudfront", "iis", "csv"],
)
def test_a_log_of_the_same_header_with_one_other_request_that_ends_without_a_line_feed_lands(
    store: Store, account: User, tmp_path: Path, header: str, row_of: Callable[[str], str]
) -> None:
    make_listened_show(store, account.user_id)
    rows = "".join(f"{row_of(f'203.0.113.{number}')}\n" for number in range(3))
    assert _import(store, account, tmp_path / "a.log", header + rows) == (3, 0)
    assert _import(store, account, tmp_path / "b.log", header + row_of("203.0.113.77")) == (1, 0)
    assert _ends(store, account) == 4


def test_an_open_last_line_that_is_another_request_makes_it_another_log(
    store: Store, account: User, tmp_path: Path
) -> None:
    make_listened_show(store, account.user_id)
    assert _import(store, account, tmp_path / "a.log", "".join(LINES[:5])) == (5, 0)
    other = str(Line(after=600, address="203.0.113.9"))
    assert _import(store, account, tmp_path / "b.log", "".join(LINES[:2]) + other) == (3, 0)
    assert _ends(store, account) == 8


@pytest.mark.parametrize(
    ("copied", "landed"),
    [
        ("rubbish one\n", (0, 0)),
        ("rubbish", (0, 0)),
        ("rubbish two\n", (1, 1)),
        ("waste", (1, 1)),
        ('198.51.100.77 - - [99/Sep/2026:00:00:01 +0000] "GET /x.mp3 HTTP/1.1" 200 5 "-" "Overcast/3.0"\n', (1, 1)),
    ],
    ids=["the same", "half of it", "another", "half of another", "a request of another time"],
)
def test_refused_lines_are_the_same_if_their_text_is(
    store: Store, account: User, tmp_path: Path, copied: str, landed: tuple[int, int]
) -> None:
    whole = LINES[0] + "rubbish one\n" + "".join(LINES[1:3])
    assert _import(store, account, tmp_path / "a.log", whole) == (3, 1)
    assert _import(store, account, tmp_path / "b.log", LINES[0] + copied) == landed


def test_a_log_of_which_no_request_can_be_compared_lands(store: Store, account: User, tmp_path: Path) -> None:
    undated = str(Line()).replace("Sep", "Sap")
    assert _import(store, account, tmp_path / "a.log", f"{undated}\n{LINES[0]}") == (1, 1)
    assert _import(store, account, tmp_path / "b.log", f"{undated}\nrubbish") == (0, 2)


@pytest.mark.parametrize("log_format", ["combined", None])
def test_a_copy_of_a_log_whose_refused_lines_were_tried_again_lands_nothing(
    store: Store, account: User, tmp_path: Path, log_format: str | None
) -> None:
    make_listened_show(store, account.user_id)
    fastly = f"{find_format('fastly').example}\n"
    whole = fastly + LINES[0] + fastly + "".join(LINES[1:9])
    log = tmp_path / "a.log"
    assert _import(store, account, log, whole, log_format="combined") == (9, 2)
    assert _import(store, account, log, whole, again=True) == (2, 0)
    for name, lines in (("b.log", 5), ("c.log", 2)):
        copy = "".join(whole.splitlines(keepends=True)[:lines])
        assert _import(store, account, tmp_path / name, copy, log_format=log_format) == (0, 0)
    assert _ends(store, account) == 11


def test_lines_of_a_log_and_of_its_fork_are_not_put_together(store: Store, account: User, tmp_path: Path) -> None:
    make_listened_show(store, account.user_id)
    log, fork = tmp_path / "a.log", [LINES[0], LINES[1], LINES[30], LINES[31], LINES[32], LINES[33]]
    assert _import(store, account, log, "".join(LINES[:2]) + LINES[2][:-1]) == (3, 0)
    # The open line was a request; the file goes on with another one in its place.
    assert _import(store, account, log, "".join(fork)) == (4, 0)
    mixed = [LINES[0], LINES[1], LINES[2], LINES[31]]
    assert _import(store, account, tmp_path / "b.log", "".join(mixed)) == (1, 0)


class _Rotated(type(Path())):  # type: ignore[misc]  # the class that Path chooses for this system
    """A log that is rotated in the moment after it was first opened."""

    def open(self, *args: Any, **kwargs: Any) -> IO[Any]:
        file: IO[Any] = super().open(*args, **kwargs)
        rotated = Path(f"{self}.1")
        if not rotated.exists():
            Path(self).rename(rotated)
            Path(self).write_text("".join(LINES[30:32]))
        return file


def test_a_log_that_is_rotated_while_it_is_imported_loses_no_line(store: Store, account: User, tmp_path: Path) -> None:
    make_listened_show(store, account.user_id)
    log = tmp_path / "access.log"
    assert _import(store, account, log, "".join(LINES[:10])) == (10, 0)
    log.write_text("".join(LINES[:30]))
    import_log(store, account.user_id, _Rotated(log))
    for path in (log, tmp_path / "access.log.1"):
        import_log(store, account.user_id, path)
    assert _ends(store, account) == 32


def test_a_log_that_is_emptied_while_it_is_imported_loses_no_line(store: Store, account: User, tmp_path: Path) -> None:
    make_listened_show(store, account.user_id)
    log, before = tmp_path / "access.log", tmp_path / "before.log"
    before.write_text("".join(LINES[:10]))
    log.write_text("".join(LINES[:10]))
    cut = iter([log])

    def empty(_: int) -> None:
        for path in cut:
            path.write_text("".join(LINES[20:23]))

    import_log(store, account.user_id, log, options=ImportOptions(report=empty))
    for path in (log, before):
        import_log(store, account.user_id, path)
    assert _ends(store, account) == 13
