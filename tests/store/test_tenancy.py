"""Two accounts on one store never meet."""

from uuid import uuid4

import pytest

from castline.base.errors import CastlineError
from castline.model.account import User
from castline.store.pool import Store
from make import make_account

pytestmark = pytest.mark.store


def test_an_account_sees_only_itself_among_the_users(store: Store, account: User) -> None:
    make_account(store)
    with store.account(account.user_id) as connection:
        assert connection.execute("select user_id from users").fetchall() == [(account.user_id,)]


def test_the_app_role_cannot_read_event_tables_directly(store: Store, account: User) -> None:
    with pytest.raises(CastlineError, match="permission denied"), store.account(account.user_id) as connection:
        connection.execute("select count(*) from listener_events")


def test_nobody_writes_a_row_for_another_account(store: Store, account: User) -> None:
    other = make_account(store)
    with pytest.raises(CastlineError, match="row-level security"), store.account(account.user_id) as connection:
        connection.execute("insert into sponsors (user_id, name) values (%s, 'theirs')", (other.user_id,))


def test_nobody_hangs_a_campaign_below_another_accounts_show(store: Store, account: User) -> None:
    other = make_account(store)
    with store.account(other.user_id) as connection:
        insert = "insert into podcasts (user_id, title, feed_url) values (%s, 'Show', %s) returning podcast_id"
        theirs = connection.execute(insert, (other.user_id, f"https://example.org/{uuid4()}")).fetchone()
    assert theirs is not None
    with store.account(account.user_id) as connection:
        insert = "insert into sponsors (user_id, name) values (%s, 'Mine') returning sponsor_id"
        mine = connection.execute(insert, (account.user_id,)).fetchone()
    assert mine is not None
    with pytest.raises(CastlineError, match="row-level security"), store.account(account.user_id) as connection:
        connection.execute(
            "insert into campaigns (user_id, podcast_id, sponsor_id, name, start_date, end_date, campaign_value)"
            " values (%s, %s, %s, 'x', '2026-01-01', '2026-02-01', 1)",
            (account.user_id, theirs[0], mine[0]),
        )
