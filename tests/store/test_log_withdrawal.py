"""A log that was read wrongly is taken back with all that rests on it, and its content may come again."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from castline.base.errors import Conflict, InvalidInput, NotFound
from castline.ingest.logs.landing import ImportOptions, LogImport, import_log
from castline.ingest.logs.merging import merge_landing
from castline.ingest.logs.origins import LogTask
from castline.ingest.logs.withdrawal import Withdrawal, withdraw_log
from castline.measure.run import measure
from castline.model.account import User
from castline.sources.logs.table import find_format
from castline.store.listening.downloads import load_refused, load_waterfall
from castline.store.pool import Store
from castline.store.provenance.ledger import load_batches, load_quarantine, load_runs
from castline.store.provenance.restatements import load_restatements
from castline.store.provenance.withdrawn_logs import WITHDRAWN_KIND
from make import make_account
from make_logs import OVERCAST, Line, make_listened_show, write_log

pytestmark = pytest.mark.store


@pytest.fixture
def here(store: Store, tmp_path: Path) -> Store:
    """The store over a data folder of this test alone."""
    return replace(store, settings=replace(store.settings, data_dir=tmp_path / "data"))


def _import(store: Store, user: User, log: Path, log_format: str | None = None, *, again: bool = False) -> LogImport:
    options = ImportOptions(log_format, again=again)
    return LogTask(store, user.user_id, "cdn.example.org", options).import_one(log)


def _withdraw(store: Store, user: User, done: LogImport) -> Withdrawal:
    return withdraw_log(store, user.user_id, str(done.batch_id), "read wrongly")


def _ends(store: Store, user: User) -> dict[str, int]:
    """How many lines end with each verdict, once every day is measured."""
    measure(store, user.user_id)
    with store.account(user.user_id) as connection:
        rows = [*load_refused(connection, user.user_id), *load_waterfall(connection, user.user_id)]
    ends: Counter[str] = Counter()
    for row in rows:
        ends[row.verdict] += row.request_count
    return dict(ends)


def _moved(count: int) -> list[str]:
    """Lines with the agent behind a field that is none."""
    return [str(Line(address=f"198.51.100.{number}", agent=f'-" "{OVERCAST}')) for number in range(1, count + 1)]


def test_a_log_that_was_read_wrongly_is_read_under_another_format_each_time(
    here: Store, account: User, tmp_path: Path
) -> None:
    make_listened_show(here, account.user_id)
    log = write_log(tmp_path / "access.log", _moved(3))
    wrong = _import(here, account, log, "combined")
    before = _ends(here, account)
    assert sum(before.values()) == 3
    assert "counted" not in before
    same = _import(here, account, log, "combined:3")
    assert (same.is_new, same.batch_id) == (False, wrong.batch_id)
    assert f"castline batch withdraw {str(wrong.batch_id)[:8]}" in (same.problem or "")
    for log_format in ("combined:3", "combined", "combined:3"):
        done = _withdraw(here, account, same)
        assert (done.request_count, len(done.batch_ids), done.continues) == (3, 1, None)
        assert _ends(here, account) == {}
        same = _import(here, account, log, log_format)
        assert same.is_new
        counted = _ends(here, account)
        assert sum(counted.values()) == 3
        assert ("counted" in counted) is (log_format == "combined:3")
    with here.account(account.user_id) as connection:
        batches = load_batches(connection, account.user_id)
        causes = {row.cause for row in load_restatements(connection, account.user_id)}
        jobs = [run.job for run in load_runs(connection, account.user_id)]
    assert [batch.kind for batch in batches].count(WITHDRAWN_KIND) == 3
    assert len({batch.batch_id for batch in batches}) == 4
    assert all(batch.metadata["withdrawn"]["reason"] == "read wrongly" for batch in batches[1:])
    assert causes == {"withdrawn"}
    assert jobs.count("log.withdraw") == 3


def test_what_continues_a_log_goes_with_it_and_what_it_continues_stays(
    here: Store, account: User, tmp_path: Path
) -> None:
    make_listened_show(here, account.user_id)
    lines = [Line(after=second, address=f"198.51.100.{second}") for second in range(1, 10)]
    log = tmp_path / "access.log"
    steps = [_import(here, account, write_log(log, lines[:count])) for count in (3, 6, 9)]
    last = _withdraw(here, account, steps[2])
    assert (last.batch_ids, last.continues) == ((steps[2].batch_id,), steps[1].batch_id)
    assert _ends(here, account) == {"counted": 6}
    again = _import(here, account, log)
    assert (again.is_new, again.landed_count) == (True, 3)
    assert _ends(here, account) == {"counted": 9}
    whole = _withdraw(here, account, steps[0])
    assert set(whole.batch_ids) == {steps[0].batch_id, steps[1].batch_id, again.batch_id}
    assert (whole.request_count, _ends(here, account)) == (9, {})
    assert _import(here, account, log).landed_count == 9
    assert _ends(here, account) == {"counted": 9}


def test_refused_lines_wait_no_more_and_those_of_a_replay_wait_again(
    here: Store, account: User, tmp_path: Path
) -> None:
    log = write_log(tmp_path / "access.log", [Line(), find_format("fastly").example, "rubbish"])
    first = _import(here, account, log, "combined")
    replay = _import(here, account, log, again=True)

    def waiting() -> list[int]:
        with here.account(account.user_id) as connection:
            return sorted(row.line_number or 0 for row in load_quarantine(connection, account.user_id))

    assert (replay.landed_count, waiting()) == (1, [3])
    assert _withdraw(here, account, replay).batch_ids == (replay.batch_id,)
    assert waiting() == [2, 3]
    replay = _import(here, account, log, again=True)
    assert (replay.landed_count, waiting()) == (1, [3])
    assert set(_withdraw(here, account, first).batch_ids) == {first.batch_id, replay.batch_id}
    assert waiting() == []
    again = _import(here, account, log)
    assert (again.landed_count, again.refused_count, waiting()) == (2, 1, [3])


def test_a_withdrawn_log_stays_behind_when_files_are_merged(here: Store, account: User, tmp_path: Path) -> None:
    make_listened_show(here, account.user_id)

    def land(first: int) -> list[LogImport]:
        logs = [[Line(after=n, address=f"198.51.100.{n}")] for n in range(first, first + 9)]
        return [_import(here, account, write_log(tmp_path / f"{first}-{n}.log", log)) for n, log in enumerate(logs)]

    done = land(1)
    assert merge_landing(here, account.user_id)
    _withdraw(here, account, done[4])
    assert _ends(here, account) == {"counted": 8}
    land(21)
    assert merge_landing(here, account.user_id)
    assert _ends(here, account) == {"counted": 17}
    assert _import(here, account, tmp_path / "1-4.log").is_new
    assert _ends(here, account) == {"counted": 18}


def test_what_cannot_be_withdrawn_is_said(here: Store, account: User, tmp_path: Path) -> None:
    done = import_log(here, account.user_id, write_log(tmp_path / "access.log", [Line()]))
    name = str(done.batch_id)
    with pytest.raises(InvalidInput, match="--reason"):
        withdraw_log(here, account.user_id, name, " ")
    for unknown in ("", "%", "zz", name[::-1]):
        with pytest.raises(NotFound, match="batch of one log"):
            withdraw_log(here, account.user_id, unknown, "why")
    assert withdraw_log(here, account.user_id, name[:8].upper(), "why").batch_ids == (done.batch_id,)
    with pytest.raises(Conflict, match="withdrawn before"):
        withdraw_log(here, account.user_id, name, "why")


def test_nobody_withdraws_what_another_account_imported(here: Store, account: User, tmp_path: Path) -> None:
    done = import_log(here, account.user_id, write_log(tmp_path / "access.log", [Line()]))
    with pytest.raises(NotFound):
        withdraw_log(here, make_account(here).user_id, str(done.batch_id), "why")
