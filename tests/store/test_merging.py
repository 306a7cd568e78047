"""Many small landed files become few, and nothing that is counted from them changes."""

import random
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from castline.base.clock import now
from castline.base.period import Period
from castline.ingest.logs import merging
from castline.ingest.logs.landing import import_log
from castline.ingest.logs.merging import MergedDay, merge_landing
from castline.intake.drain import drain_intake
from castline.measure.agents.review import load_unknown_agents
from castline.measure.run import measure
from castline.model.account import User
from castline.store.landing import merged_files
from castline.store.landing.files import LANDED_SCHEMA, decode_parts, load_requests
from castline.store.landing.merged_files import LandingDamaged
from castline.store.listening.downloads import LOG_KIND, load_log_batches
from castline.store.listening.playback import PLAYER_KIND
from castline.store.pool import Store
from castline.store.provenance.ledger import load_batches, load_dataset_uses, load_runs
from make_logs import MONDAY, OVERCAST, Line, make_listened_show, write_log
from store.drill_state import load_state
from store.test_intake_drain import beacon, delivery, make_hosted, take_in

pytestmark = pytest.mark.store
DAY = MONDAY.date()
WEEK = Period.of_days(DAY, DAY + timedelta(days=2))


@pytest.fixture
def here(store: Store, tmp_path: Path) -> Store:
    """The store over a data folder of this test alone."""
    return replace(store, settings=replace(store.settings, data_dir=tmp_path / "data", secret_key="k" * 32))


def land(store: Store, owner_id: UUID, folder: Path, numbers: Iterable[int]) -> None:
    """Logs of a few requests each, over two days, some asked twice and by several apps."""
    for number in numbers:
        chance = random.Random(number)  # noqa: S311  # requests, no secrets
        lines = [
            Line(
                after=chance.uniform(0, 2 * 86_400 - 1),
                address=f"198.51.100.{chance.randrange(1, 9)}",
                agent=chance.choice([OVERCAST, "curl/8.1", "Nobody/1.0"]),
                path=chance.choice(["/one.mp3", "/two.mp3", "/none.mp3"]),
            )
            for _ in range(chance.randrange(1, 30))
        ]
        import_log(store, owner_id, write_log(folder / f"{number}.log", lines), host="cdn.example.org")


def landed(store: Store, owner_id: UUID) -> list[tuple[Any, ...]]:
    """Each landed request with the id of its batch, in one order."""
    with store.account(owner_id) as connection:
        batches = load_log_batches(connection, owner_id, WEEK)
        frame = load_requests(store.settings.landing_dir, owner_id, LOG_KIND, batches, list(WEEK.iter_days()))
    rows = frame.select("batch", *LANDED_SCHEMA.names()).iter_rows()
    return sorted(((batches[batch].batch_id, *row) for batch, *row in rows), key=repr)


def files(store: Store, owner_id: UUID, kind: str = LOG_KIND) -> list[str]:
    root = store.settings.landing_dir / "requests" / str(owner_id) / kind
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def facts_of(store: Store, owner_id: UUID) -> list[tuple[object, ...]]:
    """What a batch is, apart from where its rows lie."""
    with store.account(owner_id) as connection:
        batches = sorted(load_batches(connection, owner_id), key=lambda batch: batch.batch_id)
    return [
        (
            *(one.batch_id, one.run_id, one.content_hash, one.received_count, one.accepted_count),
            *(one.first_at, one.last_at, [(part.day_on, part.part, part.row_count) for part in decode_parts(one)]),
        )
        for one in batches
    ]


def test_many_files_become_one_a_day_and_every_row_stays_with_its_batch(
    here: Store, account: User, tmp_path: Path
) -> None:
    owner = account.user_id
    make_listened_show(here, owner)
    land(here, owner, tmp_path, range(30))
    rows, facts, before = landed(here, owner), facts_of(here, owner), files(here, owner)
    days = merge_landing(here, owner)
    assert sum(day.merged_count for day in days) == sum(day.removed_count for day in days) == len(before)
    assert sum(day.row_count for day in days) == len(rows)
    assert (landed(here, owner), facts_of(here, owner)) == (rows, facts)
    assert [name.partition("/merged-")[0] for name in files(here, owner)] == [
        str(day) for day in list(WEEK.iter_days())[:2]
    ]
    with here.account(owner) as connection:
        runs = [run for run in load_runs(connection, owner) if run.job == merging.JOB]
        uses = load_dataset_uses(connection, owner, [run.run_id for run in runs])
    assert sorted(use.reference for use in uses if use.direction == "input") == before
    assert sorted(use.reference for use in uses if use.direction == "output") == files(here, owner)
    assert {len(use.content_hash or b"") for use in uses if use.direction == "output"} == {32}
    assert merge_landing(here, owner) == []


def test_what_is_measured_is_the_same_before_and_after(here: Store, account: User, tmp_path: Path) -> None:
    owner = account.user_id
    make_listened_show(here, owner)
    land(here, owner, tmp_path, range(20))
    first = measure(here, owner)
    state = load_state(here, owner)
    assert first.request_count == len(landed(here, owner)) > 100
    merge_landing(here, owner)
    again = measure(here, owner, period=WEEK)
    assert (again.request_count, again.waterfall) == (first.request_count, first.waterfall)
    assert load_state(here, owner) == state
    review = load_unknown_agents(here, owner, WEEK)
    assert review.request_count == first.request_count


def test_what_lands_later_is_merged_with_what_was_merged(here: Store, account: User, tmp_path: Path) -> None:
    owner = account.user_id
    make_listened_show(here, owner)
    for number in range(4):
        land(here, owner, tmp_path, range(10 * number, 10 * number + 10))
        rows = landed(here, owner)
        merge_landing(here, owner)
        assert landed(here, owner) == rows
        assert len(files(here, owner)) == 2


def test_a_log_whose_rows_were_merged_is_still_known(here: Store, account: User, tmp_path: Path) -> None:
    land(here, account.user_id, tmp_path, range(12))
    first = import_log(here, account.user_id, tmp_path / "3.log", host="cdn.example.org")
    merge_landing(here, account.user_id)
    again = import_log(here, account.user_id, tmp_path / "3.log", host="cdn.example.org")
    assert (again, again.days) == (first, (DAY, DAY + timedelta(days=1)))


def test_large_files_are_left_alone(
    here: Store, account: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "_SMALL_ROWS", 40)
    owner = account.user_id
    make_listened_show(here, owner)
    land(here, owner, tmp_path, range(40))
    rows = landed(here, owner)
    merge_landing(here, owner)
    assert landed(here, owner) == rows
    merged = [name for name in files(here, owner) if "merged-" in name]
    assert len(merged) > 4
    land(here, owner, tmp_path, range(40, 60))
    merge_landing(here, owner)
    assert set(merged) <= set(files(here, owner))


def test_nothing_goes_while_somebody_reads(here: Store, account: User, tmp_path: Path) -> None:
    owner = account.user_id
    make_listened_show(here, owner)
    land(here, owner, tmp_path, range(12))
    before = files(here, owner)
    with here.account(owner) as connection:
        batches = load_log_batches(connection, owner, WEEK)
        days = merge_landing(here, owner)
        assert [day.removed_count for day in days] == [0, 0]
        assert set(before) < set(files(here, owner))
        read = load_requests(here.settings.landing_dir, owner, LOG_KIND, batches, list(WEEK.iter_days()))
    assert read.height == sum(day.row_count for day in days)
    assert merge_landing(here, owner) == [MergedDay(LOG_KIND, day.day_on, 0, 0, day.merged_count) for day in days]
    assert len(files(here, owner)) == 2


class _Killed(BaseException):
    """What ends a merge in mid-work."""


@pytest.mark.parametrize("step", ["_write", "_save_parts", "remove_replaced"])
@pytest.mark.parametrize("is_done", [False, True])
def test_a_merge_that_died_anywhere_is_finished_by_the_next(  # noqa: PLR0913  # fixtures, and where it dies
    here: Store, account: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, step: str, is_done: bool
) -> None:
    owner = account.user_id
    make_listened_show(here, owner)
    land(here, owner, tmp_path, range(12))
    rows = landed(here, owner)
    module: Any = merging if step == "remove_replaced" else merged_files
    original = getattr(module, step)

    def die(*given: object) -> None:
        if is_done:
            original(*given)
        raise _Killed

    with monkeypatch.context() as patch:
        patch.setattr(module, step, die)
        with pytest.raises(_Killed):
            merge_landing(here, owner)
    assert landed(here, owner) == rows
    merge_landing(here, owner)
    assert landed(here, owner) == rows
    assert len(files(here, owner)) == 2


def test_an_import_under_way_keeps_its_files(here: Store, account: User, tmp_path: Path) -> None:
    owner = account.user_id
    make_listened_show(here, owner)
    land(here, owner, tmp_path, range(12))
    root = here.settings.landing_dir / "requests" / str(owner) / LOG_KIND
    published = root / str(DAY) / f"{UUID(int=1)}-00000.parquet"
    published.write_bytes(b"whose batch is not committed yet")
    merge_landing(here, owner)
    assert published.is_file()


def test_rows_that_are_missing_stop_the_merge_and_are_said(here: Store, account: User, tmp_path: Path) -> None:
    owner = account.user_id
    make_listened_show(here, owner)
    land(here, owner, tmp_path, range(12))
    root = here.settings.landing_dir / "requests" / str(owner) / LOG_KIND / str(DAY)
    paths = sorted(root.iterdir(), key=lambda path: path.stat().st_size)
    paths[-1].write_bytes(paths[0].read_bytes())
    before = files(here, owner)
    with pytest.raises(LandingDamaged):
        merge_landing(here, owner)
    assert files(here, owner) == before


def test_players_events_are_merged_too(here: Store, account: User) -> None:
    owner = account.user_id
    host = f"{owner.hex}.example.net"
    make_hosted(here, owner, host)
    for number in range(10):
        take_in(here, delivery(f"https://{host}/one.mp3", beacon(number, "start", 0), session=f"s{number}"))
        drain_intake(here)
    days = {name.partition("/")[0] for name in files(here, owner, PLAYER_KIND)}
    assert len(files(here, owner, PLAYER_KIND)) == 10
    merged = merge_landing(here, owner)
    assert sum(day.row_count for day in merged) == 10
    assert len(files(here, owner, PLAYER_KIND)) == len(days)
    assert now().date() >= max(day.day_on for day in merged)
