"""Settings are adopted with a reason; days are measured again under them, and what changed on final days is logged."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

import pytest

from castline.base.errors import InvalidInput
from castline.base.period import Period
from castline.ingest.logs.landing import import_log
from castline.measure.adopt import Wish, adopt_settings
from castline.measure.recount import compute_recount
from castline.measure.run import measure
from castline.model.account import User
from castline.model.measurement import MeasureSettings, Stretch
from castline.model.show import Podcast
from castline.store.landing.files import landing_place
from castline.store.listening.downloads import LOG_KIND, load_dirty_days, load_waterfall
from castline.store.pool import Store
from castline.store.provenance.ledger import load_runs
from castline.store.provenance.measure_settings import (
    load_adoptions,
    load_live_settings,
    load_stretches,
    lock_measuring,
)
from castline.store.provenance.restatements import load_restatements
from make_logs import MONDAY, Line, make_listened_show, write_log

pytestmark = pytest.mark.store
DAY = MONDAY.date()
TUESDAY, WEDNESDAY = DAY + timedelta(days=1), DAY + timedelta(days=2)
# The golden vector: Monday 22:00, Tuesday 03:00, Tuesday 22:15, Wednesday 23:15.
GOLDEN = [Line(after=hours * 3_600) for hours in (22, 27, 46.25, 71.25)]
CALENDAR, FIRST = MeasureSettings(), MeasureSettings(window="first_touch")
LAST = MeasureSettings(window="last_touch")


def _measured(store: Store, account: User, folder: Path) -> Podcast:
    show = make_listened_show(store, account.user_id)
    import_log(store, account.user_id, write_log(folder / "access.log", GOLDEN))
    measure(store, account.user_id)
    return show


def _restated(store: Store, account: User) -> set[tuple[date, int, int, str, str, str]]:
    with store.account(account.user_id) as connection:
        found = load_restatements(connection, account.user_id)
    return {
        (row.day_on, row.before_count, row.after_count, row.cause, row.settings_before, row.settings_after)
        for row in found
    }


def _downloads(store: Store, account: User) -> list[date]:
    with store.account(account.user_id) as connection:
        rows = connection.execute("select (timestamp at time zone 'utc')::date from my_listener_events order by 1")
        return [row[0] for row in rows]


def _wish(settings: MeasureSettings, account: User, period: Period | None = None) -> Wish:
    return Wish(settings, account.user_id, "to compare with our host", period)


def test_what_a_recount_showed_is_so_once_it_is_adopted(store: Store, account: User, tmp_path: Path) -> None:
    _measured(store, account, tmp_path)
    assert _downloads(store, account) == [DAY, TUESDAY, WEDNESDAY]
    shown = compute_recount(store, account.user_id, Period.of_days(DAY, WEDNESDAY), LAST)
    result = adopt_settings(store, account.user_id, _wish(LAST, account))
    assert (result.before, result.after) == (CALENDAR.version, LAST.version) == (shown.before, shown.after)
    assert result.measured_days == (DAY, TUESDAY, WEDNESDAY)
    assert result.stretches == (Stretch(LAST.version, DAY, WEDNESDAY, 3),)
    with store.account(account.user_id) as connection:
        waterfall = load_waterfall(connection, account.user_id)
        assert load_live_settings(connection, account.user_id) == LAST
        assert load_dirty_days(connection, account.user_id) == []
        adopted = next(run for run in load_runs(connection, account.user_id) if run.job == "measure.adopt")
    assert {(row.verdict, row.reason): row.request_count for row in waterfall} == {
        (row.verdict, row.reason): row.after_count for row in shown.differences if row.after_count
    }
    assert adopted.parameters == {
        "before": CALENDAR.version,
        "after": LAST.version,
        "reason": "to compare with our host",
    }
    assert _downloads(store, account) == [DAY, WEDNESDAY]


def test_a_change_of_final_days_is_logged_with_its_cause(store: Store, account: User, tmp_path: Path) -> None:
    show = _measured(store, account, tmp_path)
    assert _restated(store, account) == set()
    adopt_settings(store, account.user_id, _wish(LAST, account))
    assert _restated(store, account) == {(TUESDAY, 1, 0, "settings", CALENDAR.version, LAST.version)}
    with store.account(account.user_id) as connection:
        row = load_restatements(connection, account.user_id, Period.of_days(TUESDAY, TUESDAY))[0]
        assert load_restatements(connection, account.user_id, Period.of_days(DAY, DAY)) == []
    assert (row.podcast_id, row.show) == (show.podcast_id, show.title)


def test_requests_that_come_late_restate_the_days_whose_windows_they_move(
    store: Store, account: User, tmp_path: Path
) -> None:
    adopt_settings(store, account.user_id, _wish(FIRST, account))
    make_listened_show(store, account.user_id)
    import_log(store, account.user_id, write_log(tmp_path / "in_time.log", GOLDEN[1:]))
    measure(store, account.user_id)
    # Windows from Tuesday 03:00 and Wednesday 23:15; with Monday's they begin Monday 22:00, Tuesday 22:15, Wednesday.
    assert _downloads(store, account) == [TUESDAY, WEDNESDAY]
    import_log(store, account.user_id, write_log(tmp_path / "late.log", GOLDEN[:1]))
    measure(store, account.user_id)
    assert _downloads(store, account) == [DAY, TUESDAY, WEDNESDAY]
    # Monday had not been measured before, and Tuesday has one download as before, at another hour.
    assert _restated(store, account) == set()
    other = [line.but(address="198.51.100.9", after=line.after) for line in (GOLDEN[0],)]
    import_log(store, account.user_id, write_log(tmp_path / "later.log", other))
    measure(store, account.user_id)
    assert _restated(store, account) == {(DAY, 1, 2, "late_data", FIRST.version, FIRST.version)}


def test_days_that_are_not_asked_for_stay_as_they_were_counted(store: Store, account: User, tmp_path: Path) -> None:
    _measured(store, account, tmp_path)
    result = adopt_settings(store, account.user_id, _wish(LAST, account, Period.of_days(WEDNESDAY, WEDNESDAY)))
    assert result.measured_days == (WEDNESDAY,)
    assert result.stretches == (
        Stretch(CALENDAR.version, DAY, TUESDAY, 2),
        Stretch(LAST.version, WEDNESDAY, WEDNESDAY, 1),
    )
    assert _downloads(store, account) == [DAY, TUESDAY, WEDNESDAY]


def test_days_whose_requests_have_gone_stay_as_they_were_counted(
    store: Store, account: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _measured(store, account, tmp_path)
    monkeypatch.setattr("castline.measure.landed_days.now", lambda: MONDAY + timedelta(days=91, hours=3))
    for file in (store.settings.landing_dir / landing_place(account.user_id, LOG_KIND) / str(DAY)).iterdir():
        file.unlink()
    result = adopt_settings(store, account.user_id, _wish(LAST, account))
    assert result.stretches == (
        Stretch(CALENDAR.version, DAY, DAY, 1),
        Stretch(LAST.version, TUESDAY, WEDNESDAY, 2),
    )


def test_the_same_settings_again_bring_the_days_that_still_stand_under_others(
    store: Store, account: User, tmp_path: Path
) -> None:
    _measured(store, account, tmp_path)
    adopt_settings(store, account.user_id, _wish(LAST, account, Period.of_days(WEDNESDAY, WEDNESDAY)))
    result = adopt_settings(store, account.user_id, _wish(LAST, account))
    assert result.measured_days == (DAY, TUESDAY)
    with store.account(account.user_id) as connection:
        assert load_stretches(connection, account.user_id) == [Stretch(LAST.version, DAY, WEDNESDAY, 3)]
        assert len(load_adoptions(connection, account.user_id)) == 1


def test_settings_are_not_adopted_without_a_reason(store: Store, account: User) -> None:
    with pytest.raises(InvalidInput, match="say why"):
        adopt_settings(store, account.user_id, Wish(LAST, account.user_id, " "))
    with store.account(account.user_id) as connection:
        assert load_adoptions(connection, account.user_id) == []


def test_an_adoption_waits_for_the_run_under_way(store: Store, account: User, tmp_path: Path) -> None:
    _measured(store, account, tmp_path)
    with ThreadPoolExecutor(1) as pool:
        with store.ingest(account.user_id) as connection:
            lock_measuring(connection, account.user_id)
            adopting = pool.submit(adopt_settings, store, account.user_id, _wish(LAST, account))
            with pytest.raises(TimeoutError):
                adopting.result(timeout=1)
            with store.account(account.user_id) as other:
                assert load_live_settings(other, account.user_id) == CALENDAR
        assert adopting.result(timeout=30).stretches == (Stretch(LAST.version, DAY, WEDNESDAY, 3),)
