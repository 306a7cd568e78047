"""The settings of an account: its own from the first adoption on, with a history that nobody rewrites."""

from dataclasses import replace

import pytest

from castline.base.errors import CastlineError
from castline.model.account import User
from castline.model.measurement import MeasureSettings, parse_settings
from castline.store.pool import Store
from castline.store.provenance.measure_settings import load_adoptions, load_live_settings, save_adoption
from make import make_account

pytestmark = pytest.mark.store


def test_an_account_that_adopted_nothing_counts_by_the_defaults(store: Store, account: User) -> None:
    with store.account(account.user_id) as connection:
        assert load_live_settings(connection, account.user_id) == MeasureSettings()
        assert load_adoptions(connection, account.user_id) == []


def test_the_newest_adoption_is_in_use_and_the_others_stay_in_the_history(store: Store, account: User) -> None:
    first = MeasureSettings(window="last_touch", two_byte_probe="drop", max_downloads_per_ip_window=9)
    second = replace(first, window="calendar", tz="Asia/Tokyo")
    other = make_account(store)
    for settings, reason in ((first, "fewer repeats"), (second, "our listeners' days")):
        with store.account(account.user_id) as connection:
            save_adoption(connection, account.user_id, settings, adopted_by=account.user_id, reason=reason)
    with store.account(account.user_id) as connection:
        assert load_live_settings(connection, account.user_id) == second
        found = load_adoptions(connection, account.user_id)
    assert [(item.version, item.settings, item.adopted_by, item.reason) for item in found] == [
        (second.version, second, account.user_id, "our listeners' days"),
        (first.version, first, account.user_id, "fewer repeats"),
    ]
    with store.account(other.user_id) as connection:
        assert load_live_settings(connection, other.user_id) == MeasureSettings()


@pytest.mark.parametrize("statement", ["update measure_settings set reason = 'x'", "delete from measure_settings"])
@pytest.mark.parametrize("role", ["account", "ingest"])
def test_nobody_who_acts_for_an_account_rewrites_its_history(
    store: Store, account: User, role: str, statement: str
) -> None:
    with (
        pytest.raises(CastlineError, match="permission denied"),
        getattr(store, role)(account.user_id) as connection,
    ):
        connection.execute(statement)


def test_settings_of_an_older_or_newer_castline_are_read_as_far_as_they_are_known() -> None:
    assert parse_settings({"window": "last_touch", "unheard_of": 1}) == MeasureSettings(window="last_touch")
