"""A week that nobody wrote to yet is filled before it is a partition; what comes out is what any other week holds."""

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest

from castline.base.errors import InvalidInput
from castline.ingest.logs.landing import import_log
from castline.measure import run
from castline.measure.run import measure
from castline.store.listening.downloads import load_waterfall
from castline.store.pool import Connection, RowsBusy, Store
from castline.store.timeseries import Partition, attach_partitions, begin_partitions, ensure_partitions, list_partitions
from make import make_account
from make_logs import MONDAY, Line, make_listened_show, write_log
from store.drill_state import load_state

pytestmark = pytest.mark.store
DAYS = 12
FIRST_ON = MONDAY.date()
SECOND_ON = FIRST_ON + timedelta(days=7)
_EVENT = """
    insert into listener_events (event_id, timestamp, podcast_id, event_type, run_id)
    values (gen_random_uuid(), %s, gen_random_uuid(), 'download', gen_random_uuid())
"""
_SHAPE = """
    select 'index', replace(indexdef, %(name)s, '') from pg_indexes
    where tablename = %(name)s and schemaname = current_schema()
    union all
    select 'constraint', pg_get_constraintdef(oid) from pg_constraint where conrelid = %(name)s::regclass
    union all
    select 'column', concat_ws(' ', attname, format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid))
    from pg_attribute left join pg_attrdef on adrelid = attrelid and adnum = attnum
    where attrelid = %(name)s::regclass and attnum > 0
    union all
    select 'rights', coalesce(relacl, acldefault('r', relowner))::text from pg_class where oid = %(name)s::regclass
    order by 1, 2
"""


@pytest.fixture(autouse=True)
def _weeks_are_large_and_pieces_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_LARGE_WEEK", 20)
    monkeypatch.setattr(run, "_ROWS_IN_PIECE", 30)


def _lines(count: int) -> list[Line]:
    """Requests of twelve days in two weeks, with repeats and parts."""
    chance = random.Random(11)  # noqa: S311  # a repeatable log, no secret
    lines = []
    for _ in range(count):
        line = Line(
            after=chance.randrange(DAYS * 86_400),
            address=f"198.51.100.{chance.randrange(40)}",
            path=chance.choice(("/one.mp3", "/two.mp3", "/cover.jpg")),
        )
        lines += [line] if chance.random() < 0.8 else [line.but(status=206, sent=600_000, range="bytes=0-599999"), line]
    return lines


def _shape(connection: Connection, name: str) -> list[tuple[Any, ...]]:
    return connection.execute(_SHAPE, {"name": name}).fetchall()


def _weeks(store: Store) -> list[str]:
    with store.owner() as connection:
        return [one.name for one in list_partitions(connection) if one.table == "listener_events"]


def _import_new(store: Store, path: Path) -> UUID:
    owner_id = make_account(store).user_id
    make_listened_show(store, owner_id)
    import_log(store, owner_id, path, host="cdn.example.org")
    return owner_id


def _begin_and_fail(store: Store, owner_id: UUID) -> None:
    with store.ingest(owner_id) as connection:
        begin_partitions(connection, ["listener_events"], [FIRST_ON])
        connection.execute(_EVENT, (MONDAY,))


def test_what_is_measured_into_fresh_weeks_equals_what_is_measured_into_partitions(
    own_store: Store, tmp_path: Path
) -> None:
    path = write_log(tmp_path / "access.log", _lines(300))
    fresh_id, later_id = _import_new(own_store, path), _import_new(own_store, path)
    assert _weeks(own_store) == []
    measure(own_store, fresh_id)
    assert _weeks(own_store) == [f"listener_events_w{FIRST_ON:%Y%m%d}", f"listener_events_w{SECOND_ON:%Y%m%d}"]
    measure(own_store, later_id)
    fresh = load_state(own_store, fresh_id)
    assert fresh == load_state(own_store, later_id)
    measure(own_store, fresh_id)
    assert load_state(own_store, fresh_id) == fresh


def test_a_table_filled_before_it_is_a_partition_has_the_shape_and_the_rights_of_any_other(own_store: Store) -> None:
    owner_id = make_account(own_store).user_id
    with own_store.ingest(owner_id) as connection:
        begun = begin_partitions(connection, ["listener_events"], [FIRST_ON + timedelta(days=3)])
        assert begun == {
            ("listener_events", FIRST_ON): Partition(
                "listener_events", f"listener_events_w{FIRST_ON:%Y%m%d}", FIRST_ON, SECOND_ON
            )
        }
        attach_partitions(connection, begun.values())
        role = connection.execute("select current_user").fetchone()
    assert role == ("castline_ingest",)
    with own_store.owner() as connection:
        ensure_partitions(connection, SECOND_ON, SECOND_ON)
        names = [one.name for one in list_partitions(connection) if one.table == "listener_events"]
        first, second = (_shape(connection, name) for name in names)
    bounds = [f"listener_events_w{day:%Y%m%d}" for day in (FIRST_ON, SECOND_ON)]
    assert [(kind, text.replace(bounds[0], "")) for kind, text in first] == [
        (kind, text.replace(bounds[1], "")) for kind, text in second
    ]
    assert [kind for kind, _ in first].count("index") > 3


def test_a_run_that_fails_leaves_no_table_behind(own_store: Store) -> None:
    owner_id = make_account(own_store).user_id
    with pytest.raises(InvalidInput, match="no partition"):
        _begin_and_fail(own_store, owner_id)
    with own_store.owner() as connection:
        found = connection.execute("select to_regclass(%s)", (f"listener_events_w{FIRST_ON:%Y%m%d}",)).fetchone()
    assert found == (None,)


def test_a_week_that_is_there_is_not_begun_again(own_store: Store) -> None:
    with own_store.owner() as connection:
        ensure_partitions(connection, FIRST_ON, FIRST_ON)
    with own_store.ingest(make_account(own_store).user_id) as connection:
        assert begin_partitions(connection, ["listener_events"], [FIRST_ON]) == {}


def test_nobody_else_may_write_into_a_week_before_it_is_a_partition(own_store: Store) -> None:
    with own_store.ingest(make_account(own_store).user_id) as connection:
        begin_partitions(connection, ["listener_events"], [FIRST_ON])
        with pytest.raises(InvalidInput, match="no partition"), own_store.system() as other:
            other.execute(_EVENT, (MONDAY,))


def test_accounts_that_fill_the_same_weeks_at_once_each_have_their_rows(own_store: Store, tmp_path: Path) -> None:
    path = write_log(tmp_path / "access.log", _lines(200))
    owners = [_import_new(own_store, path) for _ in range(3)]
    together = Barrier(len(owners), timeout=30)

    def measure_one(owner_id: UUID) -> int:
        together.wait()
        return measure(own_store, owner_id).download_count

    with ThreadPoolExecutor(len(owners)) as pool:
        counts = list(pool.map(measure_one, owners))
    states = [load_state(own_store, owner_id) for owner_id in owners]
    assert counts == [len(states[0]["listener_events"])] * len(owners)
    assert states[1:] == states[:-1]


def test_days_written_piece_by_piece_read_each_batch_once_in_the_ledger(own_store: Store, tmp_path: Path) -> None:
    lines = _lines(300)
    owner_id = _import_new(own_store, write_log(tmp_path / "access.log", lines))
    [run_id] = measure(own_store, owner_id).run_ids
    with own_store.account(owner_id) as connection:
        uses = connection.execute(
            "select direction, dataset, sum(row_count)::int, count(*)::int from run_datasets where run_id = %s"
            " and dataset in ('landing_requests', 'listener_events') group by 1, 2 order by 1",
            (run_id,),
        ).fetchall()
        events = connection.execute("select count(*)::int from my_listener_events").fetchone()
    assert events is not None
    assert uses == [("input", "landing_requests", len(lines), 1), ("output", "listener_events", events[0], 1)]


def test_the_planner_knows_weeks_that_were_filled_before_they_were_partitions(own_store: Store, tmp_path: Path) -> None:
    measure(own_store, _import_new(own_store, write_log(tmp_path / "access.log", _lines(200))))
    with own_store.owner() as connection:
        known = connection.execute(
            "select distinct tablename::text from pg_stats where schemaname = current_schema()"
        ).fetchall()
    assert {f"listener_events_w{FIRST_ON:%Y%m%d}", f"hourly_metrics_w{SECOND_ON:%Y%m%d}"} <= {name for (name,) in known}


def _count_rows(connection: Connection) -> list[int]:
    views = ("my_listener_events", "my_hourly_metrics", "my_daily_metrics")
    return [int(row[0]) for view in views for row in connection.execute(f"select count(*)::int from {view}").fetchall()]


def test_a_snapshot_that_is_open_sees_nothing_of_a_week_measured_meanwhile(own_store: Store, tmp_path: Path) -> None:
    owner_id = _import_new(own_store, write_log(tmp_path / "access.log", _lines(200)))
    with own_store.snapshot(owner_id) as connection:
        assert _count_rows(connection) == [0, 0, 0]
        found = measure(own_store, owner_id)
        assert _count_rows(connection) == [0, 0, 0]
        assert load_waterfall(connection, owner_id) == []
    with own_store.snapshot(owner_id) as connection:
        after = _count_rows(connection)
    assert after[0] == found.download_count > 100
    assert min(after) > 0


def test_another_week_is_made_while_a_run_fills_one(own_store: Store) -> None:
    with own_store.ingest(make_account(own_store).user_id) as connection:
        begun = begin_partitions(connection, ["hourly_metrics", "listener_events"], [FIRST_ON])
        with own_store.beside("another", lock_seconds=3) as beside:
            with beside.owner() as other:
                made = ensure_partitions(other, SECOND_ON, SECOND_ON)
            with pytest.raises(RowsBusy), beside.owner() as other:
                ensure_partitions(other, FIRST_ON, FIRST_ON, tables=["listener_events"])
        attach_partitions(connection, begun.values())
    assert {one.table for one in made} > {"hourly_metrics", "listener_events"}
    assert _weeks(own_store) == [f"listener_events_w{day:%Y%m%d}" for day in (FIRST_ON, SECOND_ON)]


def test_the_day_of_a_week_may_be_any(own_store: Store) -> None:
    days = [date(2026, 12, 31), date(2027, 1, 3), date(2027, 1, 4)]
    with own_store.ingest(make_account(own_store).user_id) as connection:
        begun = begin_partitions(connection, ["hourly_metrics", "listener_events"], days)
        attach_partitions(connection, begun.values())
    weeks = [date(2026, 12, 28), date(2027, 1, 4)]
    assert {*begun} == {(table, monday) for table in ("hourly_metrics", "listener_events") for monday in weeks}
