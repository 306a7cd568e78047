"""The figures as the command line tells them, and another service's file beside ours."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from castline.measure.figures.reconcile import Explanation
from castline.measure.figures.reconcile_file import reconcile_rows
from castline.model.account import User
from castline.sources.daily_csv import parse_daily
from castline.store.listening.downloads import VerdictRow, save_verdicts
from castline.store.pool import Store
from castline.store.provenance.ledger import open_run
from make_listening import APPS, Download, make_downloads, make_listened
from run_castline import Castline

pytestmark = pytest.mark.store
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
COUNTS = (120, 140, 100, 160)


@pytest.fixture
def show(store: Store, account: User) -> tuple[UUID, UUID]:
    """A show with 120, 140, 100 and 160 downloads on four days, one a minute from midnight on, and its only episode."""
    podcast_id, [episode_id] = make_listened(store, account.user_id, "One", [MONDAY])
    downloads = [
        Download(MONDAY + timedelta(days=day, minutes=minute), episode_id, podcast_id, minute, APPS[minute % 2])
        for day, count in enumerate(COUNTS)
        for minute in range(count)
    ]
    make_downloads(store, account.user_id, downloads)
    return podcast_id, episode_id


@pytest.fixture
def castline(store: Store, account: User, tmp_path: Path) -> Castline:
    return Castline(tmp_path / "data", {"DATABASE_URL": store.dsn, "CASTLINE_ACCOUNT": account.email})


def write_theirs(path: Path, counts: tuple[int, ...]) -> str:
    lines = [f"{(MONDAY + timedelta(days=day)).date()},One,{count}\n" for day, count in enumerate(counts)]
    path.write_text("Date,Podcast,Downloads\n" + "".join(lines), "utf-8")
    return str(path)


def test_a_query_is_answered_with_its_table_and_its_definition(castline: Castline, show: tuple[UUID, UUID]) -> None:
    span = ("--from", "2026-03-02", "--to", "2026-03-05")
    answer = castline.well("measure", "query", *span, "--show", "One", "--by", "day", "--dimension", "app")
    found = [(row["start_at"][:10], row["members"][0], row["value"]) for row in answer["rows"]]
    assert found[:2] == [("2026-03-02", "AntennaPod", 60), ("2026-03-02", "Overcast", 60)]
    assert sum(value for _, _, value in found) == sum(COUNTS)
    assert {name: answer["counting"][name] for name in ("metric", "counted_from", "first_on", "last_on")} == {
        "metric": "downloads/1",
        "counted_from": "daily_metrics",
        "first_on": "2026-03-02",
        "last_on": "2026-03-05",
    }
    plain = castline("measure", "query", *span, "--by", "week", "--metric", "consumers", "--compare", "weekdays")
    assert plain.code == 0
    assert "2026-W10" in plain.out
    assert "consumers/1 from listener_events" in plain.err
    wrong = castline("measure", "query", "--tz", "Atlantis", "--json")
    assert (wrong.code, "no time zone" in wrong.err) == (2, True)


def test_a_table_names_what_json_identifies(
    castline: Castline, store: Store, account: User, show: tuple[UUID, UUID]
) -> None:
    other, [_] = make_listened(store, account.user_id, "One", [MONDAY])
    span = ("--from", "2026-03-02", "--to", "2026-03-05")
    plain = castline("measure", "query", *span, "--dimension", "show", "--dimension", "episode")
    answer = castline.well("measure", "query", *span, "--dimension", "show", "--dimension", "episode")
    assert [tuple(map(UUID, row["members"])) for row in answer["rows"]] == [show]
    assert f"One ({str(show[0])[:8]})" in plain.out
    assert str(show[0]) not in plain.out
    assert str(show[1]) not in plain.out
    assert str(other)[:8] not in plain.out


def test_audience_overlap_pacing_and_listening_are_told(castline: Castline, show: tuple[UUID, UUID]) -> None:
    audience = castline.well("measure", "audience", "--day", "2026-03-05")
    assert [(row["span"], row["show"], row["consumers"]) for row in audience][:2] == [
        ("day", "One", 160),
        ("day", "all", 160),
    ]
    overlap = castline.well("measure", "overlap", "--from", "2026-03-02", "--to", "2026-03-05")
    assert (overlap["rows"], overlap["withheld"]) == ([], None)
    [pacing] = castline.well("measure", "pacing", "--as-of", "2026-03-06")
    assert [pace["downloads"] for pace in pacing["paces"]] == [120, 360, None, None, None, None]
    assert pacing["by_age"] == list(COUNTS)
    [through] = castline.well("measure", "listen-through", "--from", "2026-03-02", "--to", "2026-03-05")
    assert (through["listen_through_rate"], through["reason"]) == (None, "no_player_told")
    for words in (("audience",), ("overlap",), ("pacing",), ("pacing", "--aligned"), ("listen-through",)):
        assert castline("measure", *words).code == 0


def test_reconciling_ends_with_4_if_anything_differs_by_more_than_five_per_cent(
    castline: Castline, show: tuple[UUID, UUID], tmp_path: Path
) -> None:
    near = castline("measure", "reconcile", write_theirs(tmp_path / "near.csv", (122, 138, 100, 160)), "--json")
    assert (near.code, near.said["is_flagged"]) == (0, False)
    far = castline("measure", "reconcile", write_theirs(tmp_path / "far.csv", (120, 140, 100, 170)), "--json")
    assert (far.code, far.said["is_flagged"]) == (4, True)
    [pair] = far.said["pairs"]
    assert [day["difference"]["is_flagged"] for day in pair["days"]] == [False, False, False, True]
    absent = castline("measure", "reconcile", str(tmp_path / "absent.csv"), "--json")
    assert absent.code == 1


def reject(store: Store, owner_id: UUID, ids: tuple[UUID, UUID], reason: str, counts: tuple[int, ...]) -> None:
    """So many requests of each day ended for the reason."""
    with open_run(store, owner_id, "measure.run") as run:
        batch_id = _batch(run.connection, owner_id, run.run_id)
        rows = [
            VerdictRow((MONDAY + timedelta(days=day)).date(), batch_id, *ids, "dropped", reason, count)
            for day, count in enumerate(counts)
        ]
        save_verdicts(run.connection, owner_id, run.run_id, rows)


def _batch(connection: object, owner_id: UUID, run_id: UUID) -> UUID:
    found = connection.execute(  # type: ignore[attr-defined]  # a connection of the store
        "insert into batches"
        " (batch_id, user_id, run_id, kind, source, content_hash, received_count, accepted_count, refused_count)"
        " values (%s, %s, %s, 'access_log', 'x', %s, 1, 1, 0) returning batch_id",
        (uuid4(), owner_id, run_id, uuid4().bytes),
    ).fetchone()
    assert found is not None
    return UUID(str(found[0]))


def test_a_difference_is_explained_by_the_rule_that_they_do_not_apply(
    store: Store, account: User, show: tuple[UUID, UUID], tmp_path: Path
) -> None:
    reject(store, account.user_id, show, "bot", (30, 20, 25, 35))
    reject(store, account.user_id, show, "two_byte_probe", (9, 9, 9, 9))
    theirs = write_theirs(tmp_path / "theirs.csv", (150, 160, 125, 195))
    with store.account(account.user_id) as connection:
        found = reconcile_rows(connection, account.user_id, parse_daily(Path(theirs).read_bytes(), source="x"))
    [pair] = found.pairs
    assert pair.explanation == Explanation(("bots",), 0, 0.0)
    assert pair.is_flagged


def test_a_difference_is_explained_by_days_of_another_zone(
    store: Store, account: User, show: tuple[UUID, UUID], tmp_path: Path
) -> None:
    # One download a minute from midnight on: two hours west of UTC the first 120 of each day lie on the day before.
    theirs = write_theirs(tmp_path / "theirs.csv", (0 + 120, 20 + 100, 0 + 120, 40))
    with store.account(account.user_id) as connection:
        found = reconcile_rows(connection, account.user_id, parse_daily(Path(theirs).read_bytes(), source="x"))
    assert found.pairs[0].explanation == Explanation((), -2, 0.0)


def test_rows_of_a_show_that_is_not_here_are_refused_by_name(
    store: Store, account: User, show: tuple[UUID, UUID]
) -> None:
    rows = parse_daily(b"date,show,downloads\n2026-03-02,One,120\n2026-03-02,Elsewhere,7\n", source="x")
    with store.account(account.user_id) as connection:
        found = reconcile_rows(connection, account.user_id, rows)
    assert [(drop.line_number, drop.reason) for drop in found.refused] == [(3, "unknown_show")]
    assert [(pair.name, pair.whole.ours) for pair in found.pairs] == [("One", 120)]
    assert found.pairs[0].days[0].day_on == date(2026, 3, 2)
