"""API keys: shown once, kept as a hash, scoped, expiring, revocable, and of one account."""

from datetime import timedelta

import pytest

from castline.accounts.token import (
    KeyRefused,
    ScopeMissing,
    UnknownKey,
    authenticate,
    check_scope,
    issue_key,
    withdraw_key,
)
from castline.base.clock import now
from castline.base.errors import InvalidInput
from castline.model.account import User
from castline.store.access.accounts import save_active
from castline.store.access.keys import load_keys
from castline.store.pool import Store
from make import make_account

pytestmark = pytest.mark.store


def test_a_key_opens_its_account_and_notes_its_use(store: Store, account: User) -> None:
    new = issue_key(store, account.user_id, "shop", ("read",), 30)
    key = authenticate(store, new.secret, at=now())
    assert (key.api_key_id, key.user_id, key.scopes) == (new.key.api_key_id, account.user_id, ("read",))
    with store.account(account.user_id) as connection:
        [listed] = load_keys(connection, account.user_id)
    assert listed.last_used_at is not None
    assert new.secret.encode() not in listed.key_hash
    assert len(new.secret) == len("cl_") + 8 + 1 + 32


def test_a_key_without_the_scope_is_refused(store: Store, account: User) -> None:
    new = issue_key(store, account.user_id, "shop", ("conversions:write",), None)
    check_scope(new.key, "conversions:write")
    with pytest.raises(ScopeMissing, match="read is needed"):
        check_scope(new.key, "read")


@pytest.mark.parametrize("secret", ["", "cl_", "Bearer x", "cl_aaaaaaaa_" + "a" * 32, "cl_aaaaaaaa_" + "a" * 33])
def test_what_is_no_key_is_refused(store: Store, secret: str) -> None:
    with pytest.raises(KeyRefused):
        authenticate(store, secret, at=now())


def test_the_right_prefix_with_another_secret_is_refused(store: Store, account: User) -> None:
    new = issue_key(store, account.user_id, "shop", ("read",), None)
    with pytest.raises(KeyRefused, match="no such key"):
        authenticate(store, f"{new.key.prefix}_{'a' * 32}", at=now())


def test_a_key_ends_with_its_days_with_its_revocation_and_with_its_account(store: Store, account: User) -> None:
    expiring = issue_key(store, account.user_id, "a", ("read",), 1)
    authenticate(store, expiring.secret, at=now() + timedelta(hours=23))
    with pytest.raises(KeyRefused, match="expired"):
        authenticate(store, expiring.secret, at=now() + timedelta(days=1, seconds=1))
    revoked = issue_key(store, account.user_id, "b", ("read",), None)
    withdraw_key(store, account.user_id, revoked.key.prefix)
    with pytest.raises(KeyRefused, match="revoked"):
        authenticate(store, revoked.secret, at=now())
    lasting = issue_key(store, account.user_id, "c", ("read",), None)
    with store.system() as connection:
        save_active(connection, account.user_id, is_active=False)
    with pytest.raises(KeyRefused, match="deactivated"):
        authenticate(store, lasting.secret, at=now())


def test_nobody_sees_or_revokes_anothers_key(store: Store, account: User) -> None:
    theirs = issue_key(store, make_account(store).user_id, "theirs", ("read",), None)
    with store.account(account.user_id) as connection:
        assert load_keys(connection, account.user_id) == []
        assert load_keys(connection, theirs.key.user_id) == []
    with pytest.raises(UnknownKey):
        withdraw_key(store, account.user_id, str(theirs.key.api_key_id))
    authenticate(store, theirs.secret, at=now())


def test_a_key_without_scope_or_with_no_day_to_live_is_not_made(store: Store, account: User) -> None:
    with pytest.raises(InvalidInput, match="scope"):
        issue_key(store, account.user_id, "x", (), None)
    with pytest.raises(InvalidInput, match="expires_days"):
        issue_key(store, account.user_id, "x", ("read",), 0)
