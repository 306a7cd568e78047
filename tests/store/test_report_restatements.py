"""A report says what counting again has changed on its days."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from castline.base.clock import now
from castline.base.period import Period
from castline.ingest.logs.landing import import_log
from castline.measure.adopt import Wish, adopt_settings
from castline.measure.run import measure
from castline.model.account import User
from castline.model.measurement import MeasureSettings
from castline.report.provenance import collect_provenance
from castline.store.pool import Store
from castline.store.provenance.reports import Scope
from make_logs import MONDAY, Line, make_listened_show, write_log
from make_money import make_campaign

pytestmark = pytest.mark.store
DAY = MONDAY.date()


def _restatements(store: Store, account: User, scope: Scope) -> tuple[str, ...]:
    with store.snapshot(account.user_id) as connection:
        return collect_provenance(connection, store.settings, scope, ()).restatements


def test_a_report_tells_each_change_of_its_days_and_of_no_others(store: Store, account: User, tmp_path: Path) -> None:
    show = make_listened_show(store, account.user_id)
    # By the calendar three downloads, by the last touch two: that of Tuesday is gone.
    lines = [Line(after=hours * 3_600) for hours in (22, 27, 46.25, 71.25)]
    import_log(store, account.user_id, write_log(tmp_path / "access.log", lines))
    measure(store, account.user_id)
    campaign = make_campaign(user_id=account.user_id, podcast_id=show.podcast_id)
    scope = Scope(campaign, (), Period(MONDAY, now()), DAY, now().date(), now(), now())
    assert _restatements(store, account, scope) == ()
    adopt_settings(store, account.user_id, Wish(MeasureSettings(window="last_touch"), account.user_id, "to compare"))
    tuesday = DAY + timedelta(days=1)
    changed = f"On {now():%Y-%m-%d} the show's downloads of {tuesday} went from 1 to 0"
    assert _restatements(store, account, scope) == (f"{changed}, because the account counts by other settings",)
    later = replace(scope, period=Period(MONDAY + timedelta(days=2), now()))
    assert _restatements(store, account, later) == ()
