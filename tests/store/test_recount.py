"""A period is counted again under another rule: the difference is shown and nothing is written."""

from datetime import timedelta
from pathlib import Path

import pytest

from castline.base.period import Period
from castline.ingest.logs.landing import import_log
from castline.measure.recount import Difference, compute_recount
from castline.measure.run import measure
from castline.model.account import User
from castline.model.measurement import MeasureSettings
from castline.store.listening.downloads import load_waterfall
from castline.store.pool import Store
from make_logs import MONDAY, Line, make_listened_show, write_log

pytestmark = pytest.mark.store
DAY = MONDAY.date()
# The golden vector: Monday 22:00, Tuesday 03:00, Tuesday 22:15, Wednesday 23:15.
GOLDEN = [Line(after=hours * 3_600) for hours in (22, 27, 46.25, 71.25)]


@pytest.mark.parametrize(("window", "counted"), [("calendar", 3), ("first_touch", 3), ("last_touch", 2)])
def test_another_window_is_counted_beside_the_one_in_use(
    window: str, counted: int, store: Store, account: User, tmp_path: Path
) -> None:
    make_listened_show(store, account.user_id)
    import_log(store, account.user_id, write_log(tmp_path / "access.log", GOLDEN))
    measure(store, account.user_id)
    week = Period.of_days(DAY, DAY + timedelta(days=6))
    with store.account(account.user_id) as connection:
        before = load_waterfall(connection, account.user_id)
    found = compute_recount(store, account.user_id, week, MeasureSettings(window=window))  # type: ignore[arg-type]  # a parameter
    assert found.differences == (
        Difference("counted", "one_minute", 3, counted),
        Difference("duplicate", "same_window", 1, 4 - counted),
    )
    with store.account(account.user_id) as connection:
        assert load_waterfall(connection, account.user_id) == before


def test_a_window_that_began_before_the_period_is_judged_whole(store: Store, account: User, tmp_path: Path) -> None:
    make_listened_show(store, account.user_id)
    import_log(store, account.user_id, write_log(tmp_path / "access.log", GOLDEN))
    tuesday = Period.of_days(DAY + timedelta(days=1), DAY + timedelta(days=1))
    found = compute_recount(store, account.user_id, tuesday, MeasureSettings(window="last_touch"))
    assert found.download_counts == (1, 0)


def test_a_recount_tells_how_much_of_it_is_done(
    store: Store, account: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_listened_show(store, account.user_id)
    import_log(store, account.user_id, write_log(tmp_path / "access.log", GOLDEN))
    week, settings = Period.of_days(DAY, DAY + timedelta(days=6)), MeasureSettings(window="last_touch")
    at_once: list[float] = []
    whole = compute_recount(store, account.user_id, week, settings, report=at_once.append)
    assert at_once == [0.5, 1.0]
    # Of many requests each count takes a look at each of the three days, and then at the listeners in three shares.
    monkeypatch.setattr("castline.measure.recount._ROWS_AT_ONCE", 2)
    in_shares: list[float] = []
    assert compute_recount(store, account.user_id, week, settings, report=in_shares.append) == whole
    assert in_shares == sorted(in_shares)
    assert (len(in_shares), in_shares[2]) == (12, 0.25)
    assert in_shares[-1] == pytest.approx(1.0)
    nothing = Period.of_days(DAY - timedelta(days=9), DAY - timedelta(days=8))
    assert compute_recount(store, account.user_id, nothing, settings, report=in_shares.append).differences == ()
    assert len(in_shares) == 12
