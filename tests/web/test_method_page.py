"""The method page says by which settings the account's downloads are counted, and which days stand under others."""

from datetime import timedelta
from pathlib import Path

import pytest

from castline.base.period import Period
from castline.measure.adopt import Wish, adopt_settings
from castline.model.account import User
from castline.model.measurement import MeasureSettings
from castline.store.pool import Store
from make_logs import MONDAY
from web.browser import Browser
from web.world import make_world

pytestmark = pytest.mark.store


def test_the_method_page_is_written_from_the_settings_in_use(
    store: Store, person: User, signed_in: Browser, tmp_path: Path
) -> None:
    make_world(store, person.user_id, tmp_path)
    before = signed_in.get("/method").text
    assert "Window: a calendar day of the time zone UTC" in before
    assert "not in use" not in before
    wanted = MeasureSettings(window="first_touch", drop_data_centres=False, max_downloads_per_ip_window=7)
    two_days = Period(MONDAY, MONDAY + timedelta(days=2))
    adopt_settings(store, person.user_id, Wish(wanted, person.user_id, "to compare", two_days))
    page = signed_in.get("/method").text
    for told in (
        f"settings {wanted.version}",
        "Window: 24 hours from the first request that passed the filter",
        "Data centres and VPNs: counted.",
        "Deviation: requests from data centres and VPNs count; the guidelines drop them.",
        "Ceiling of one address on one day: 7 downloads.",
    ):
        assert told in page
    assert page.count("not in use") == 1
