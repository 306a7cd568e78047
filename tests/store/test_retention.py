"""Retention: what is past its time goes, nothing else, however often and whoever is killed."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from castline.catalogue.tables import find_table, load_tables
from castline.store.landing.aged_files import iter_landed_files
from castline.store.pool import Store
from castline.store.provenance.ledger import load_runs
from castline.store.timeseries import ensure_partitions, list_partitions
from castline.store.upkeep.retained_rows import compute_cutoff
from castline.store.upkeep.retention import Expired, apply_retention, find_expired
from make import make_account
from store.fill import fill_accounts

pytestmark = pytest.mark.store
FILLED = datetime(2026, 3, 2, tzinfo=UTC)  # when the rows of `fill_accounts` begin
LANDING = "landing zone"


def _fill(store: Store) -> UUID:
    """An account with two rows in every table, as of 2 March 2026."""
    owner_id = make_account(store).user_id
    with store.owner() as connection:
        ensure_partitions(connection, date(2026, 3, 1), date(2026, 3, 31))
    with store.system() as connection:
        fill_accounts(connection, [owner_id], count=2)
    return owner_id


def _counts(store: Store) -> dict[str, int]:
    counts = {}
    with store.system() as connection:
        for name in load_tables():
            if name not in {"schema_migrations", "runs", "run_datasets"}:
                row = connection.execute(f"select count(*) from {name}").fetchone()
                assert row is not None
                counts[name] = row[0]
    return counts


def _by_table(expired: list[Expired]) -> dict[str, int]:
    """Rows by table; runs are left out, because retention writes some while it goes."""
    found: dict[str, int] = {}
    for one in expired:
        if one.table != "runs":
            found[one.table] = found.get(one.table, 0) + one.row_count
    return found


@pytest.mark.parametrize(
    ("table", "at", "cutoff"),
    [
        ("listener_events", datetime(2026, 6, 1, 3, 30, tzinfo=UTC), datetime(2026, 3, 3, 3, 30, tzinfo=UTC)),
        ("hourly_metrics", datetime(2028, 2, 29, tzinfo=UTC), datetime(2027, 2, 28, tzinfo=UTC)),
        ("attribution_events", datetime(2028, 3, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)),
        ("reports", datetime(2031, 3, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)),
        ("daily_metrics", datetime(2035, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_rule_counts_days_and_calendar_years(table: str, at: datetime, cutoff: datetime) -> None:
    assert compute_cutoff(find_table(table), at) == cutoff


def test_the_documents_retention_rules_are_the_catalogues() -> None:
    kept = {name: table.retention.keep for name, table in load_tables().items()}
    assert kept["listener_events"] == "90 days"
    assert kept["hourly_metrics"] == "1 year"
    assert kept["daily_metrics"] == "7 years"
    assert kept["attribution_events"] == "2 years"
    assert kept["reports"] == "5 years"
    assert kept["transcripts"] == kept["campaigns"] == "indefinite"


def test_nothing_is_due_on_the_day_it_was_made(own_store: Store) -> None:
    _fill(own_store)
    before = _counts(own_store)
    assert find_expired(own_store, at=FILLED) == []
    assert apply_retention(own_store, at=FILLED) == []
    assert _counts(own_store) == before


def test_a_week_of_events_stays_until_its_last_moment_is_ninety_days_old(own_store: Store) -> None:
    _fill(own_store)
    last = datetime(2026, 3, 9, tzinfo=UTC) + timedelta(days=90)
    early = {one.part for one in find_expired(own_store, at=last - timedelta(microseconds=1))}
    assert "listener_events_w20260302" not in early
    due = [one for one in find_expired(own_store, at=last) if one.table == "listener_events"]
    assert [(one.part, one.row_count) for one in due] == [
        ("listener_events_w20260223", 0),
        ("listener_events_w20260302", 2),
    ]


@pytest.mark.parametrize("days", [91, 100, 400, 800, 2000, 3000])
def test_the_dry_run_lists_exactly_what_goes_and_changes_nothing(own_store: Store, days: int) -> None:
    _fill(own_store)
    at = FILLED + timedelta(days=days)
    before = _counts(own_store)
    listed = find_expired(own_store, at=at)
    assert _counts(own_store) == before
    gone = apply_retention(own_store, at=at)
    assert _by_table(gone) == _by_table(listed)
    after = _counts(own_store)
    went = {name: before[name] - after[name] for name in before if before[name] != after[name]}
    counted = {name: count for name, count in _by_table(listed).items() if count and name in before}
    assert went == counted
    assert _by_table(find_expired(own_store, at=at)) == {}


def test_after_eight_years_only_what_is_kept_for_ever_is_left(own_store: Store) -> None:
    _fill(own_store)
    apply_retention(own_store, at=FILLED + timedelta(days=8 * 366 + 400))
    left = {name for name, count in _counts(own_store).items() if count}
    # A rate is kept for ever, so the batch that it came in is too.
    assert left == {name for name, table in load_tables().items() if table.retention.how in {"never", "job"}} - {
        "schema_migrations"
    } | {"batches"}


def test_each_account_reads_in_its_ledger_what_went(own_store: Store) -> None:
    owner_id = _fill(own_store)
    apply_retention(own_store, at=FILLED + timedelta(days=100))
    with own_store.account(owner_id) as connection:
        runs = [run for run in load_runs(connection, owner_id) if run.job == "retention.apply"]
    assert {(run.parameters["table"], run.parameters["part"], int(run.counts["deleted"])) for run in runs} == {
        ("behaviour_evidence", "rows", 2),
        ("download_columns", "rows", 2),
        ("listener_events", "listener_events_w20260302", 2),
        ("quarantine", "rows", 2),
    }
    assert {run.status for run in runs} == {"succeeded"}


def test_two_at_once_take_each_thing_once(own_store: Store) -> None:
    _fill(own_store)
    at = FILLED + timedelta(days=800)
    before = _counts(own_store)
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: apply_retention(own_store, at=at), range(2)))
    after = _counts(own_store)
    together = _by_table([one for gone in both for one in gone])
    assert {name: before[name] - after[name] for name in before if before[name] != after[name]} == {
        name: count for name, count in together.items() if count and name in before
    }


def test_retention_killed_midway_loses_nothing_and_the_next_run_goes_on(own_store: Store) -> None:
    _fill(own_store)
    at = FILLED + timedelta(days=800)
    before = _counts(own_store)
    listed = _by_table(find_expired(own_store, at=at))
    program = (
        "from datetime import datetime; from pathlib import Path\n"
        "from castline.base.config import Settings; from castline.store.pool import open_store\n"
        "from castline.store.upkeep.retention import apply_retention\n"
        f"settings = Settings(data_dir=Path({str(own_store.settings.data_dir)!r}), database_url={own_store.dsn!r})\n"
        f"apply_retention(open_store(settings), at=datetime.fromisoformat({at.isoformat()!r}))\n"
    )
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    # Somebody reads the conversions for long: retention has dropped the partitions and waits here.
    with psycopg.connect(own_store.dsn) as reader:
        reader.execute("lock table conversions in access exclusive mode")
        process = subprocess.Popen([sys.executable, "-c", program], env=environ)
        _wait_for_lock(own_store, "conversions")
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert _counts(own_store)["conversions"] == before["conversions"]
    with own_store.owner() as connection:
        assert "listener_events_w20260302" not in {one.name for one in list_partitions(connection)}
    apply_retention(own_store, at=at)
    after = _counts(own_store)
    assert {name: before[name] - after[name] for name in before if before[name] != after[name]} == {
        name: count for name, count in listed.items() if count and name in before
    }


def _wait_for_lock(store: Store, table: str) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with store.owner() as connection:
            row = connection.execute(
                "select count(*) from pg_locks where not granted and relation = to_regclass(%s)", (table,)
            ).fetchone()
        if row is not None and row[0]:
            return
        time.sleep(0.02)
    raise AssertionError


def _land(store: Store, place: str, *, at: datetime | None = None) -> Path:
    path = store.settings.landing_dir / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    if at is not None:
        os.utime(path, (at.timestamp(), at.timestamp()))
    return path


def test_a_report_in_our_own_folder_goes_with_its_row_and_one_elsewhere_stays(own_store: Store, tmp_path: Path) -> None:
    _fill(own_store)
    ours = own_store.settings.data_dir / "reports" / "Büro 1.pdf"
    elsewhere = tmp_path.parent / f"{tmp_path.name} elsewhere.pdf"
    ours.parent.mkdir()
    for file in (ours, elsewhere):
        file.write_bytes(b"x")
    with own_store.system() as connection:
        ids = [row[0] for row in connection.execute("select report_id from reports order by report_id").fetchall()]
        for report_id, file in zip(ids, (ours, elsewhere), strict=True):
            connection.execute("update reports set file_url = %s where report_id = %s", (file.as_uri(), report_id))
    apply_retention(own_store, at=FILLED + timedelta(days=6 * 366))
    assert [ours.exists(), elsewhere.exists()] == [False, True]


def test_more_rows_than_one_batch_go_in_several(own_store: Store) -> None:
    owner_id = _fill(own_store)
    with own_store.system() as connection:
        connection.execute(
            "insert into quarantine (user_id, batch_id, line_number, reason, detail, payload, created_at)"
            " select user_id, batch_id, n, 'r', 'd', 'p', %s from batches, generate_series(10, 25_009) as n"
            " where user_id = %s and batch_id = (select min(batch_id::text)::uuid from batches)",
            (FILLED, owner_id),
        )
    gone = _by_table(apply_retention(own_store, at=FILLED + timedelta(days=92)))
    assert gone["quarantine"] == 25_002
    with own_store.account(owner_id) as connection:
        runs = [
            run for run in load_runs(connection, owner_id) if run.parameters == {"part": "rows", "table": "quarantine"}
        ]
    assert sorted(int(run.counts["deleted"]) for run in runs) == [5_002, 10_000, 10_000]


def test_files_of_the_landing_zone_go_by_the_day_they_name_and_payloads_by_their_age(own_store: Store) -> None:
    at = datetime(2026, 6, 10, 12, tzinfo=UTC)  # ninety days before: 12 March, noon
    gone = [
        _land(own_store, "requests/2026-03-11/a.parquet"),
        _land(own_store, "payloads/o/aa/old.gz", at=datetime(2026, 3, 1, tzinfo=UTC)),
    ]
    kept = [
        _land(own_store, "requests/2026-03-12/a.parquet"),
        _land(own_store, "payloads/o/aa/new.gz", at=datetime(2026, 6, 1, tzinfo=UTC)),
    ]
    expected = [
        Expired(LANDING, "2026-03-01", 1, datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)),
        Expired(LANDING, "2026-03-11", 1, datetime(2026, 3, 11, tzinfo=UTC), datetime(2026, 3, 12, tzinfo=UTC)),
    ]
    assert find_expired(own_store, at=at) == expected
    assert apply_retention(own_store, at=at) == expected
    assert [path.exists() for path in gone] == [False, False]
    assert not gone[0].parent.exists()
    assert [path for path, _ in iter_landed_files(own_store.settings.landing_dir)] == sorted(kept)
