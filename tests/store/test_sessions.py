"""Sessions begin with a sign-in, end idle or in half a day, and can be revoked; in PostgreSQL as in Redis."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from argon2 import PasswordHasher

from castline.accounts.limit import Limits
from castline.accounts.person import NewAccount, add_member, change_password, create_account, deactivate_account
from castline.accounts.person import remove_member as end_membership
from castline.accounts.session import (
    ABSOLUTE,
    IDLE,
    Attempt,
    SignedIn,
    SignInRefused,
    find_access,
    find_session,
    load_accounts,
    sign_in,
    switch_account,
)
from castline.base.clock import now
from castline.base.errors import NotFound
from castline.model.account import User
from castline.store.access.accounts import find_user
from castline.store.access.sessions import open_sessions
from castline.store.cache import open_cache
from castline.store.pool import Store
from make import make_account

pytestmark = pytest.mark.store
PASSWORD = "violet tram orchard kettle"


@pytest.fixture(scope="module")
def person(store: Store) -> User:
    return create_account(store, NewAccount(f"{uuid4().hex}@example.org", "Ada", PASSWORD, role="user"))


def sign(store: Store, person: User, *, password: str = PASSWORD, at: datetime | None = None) -> SignedIn:
    attempt = Attempt(person.email, password, f"192.0.2.{uuid4().int % 250}", "Mozilla/5.0 (test)")
    return sign_in(store, open_sessions(store), Limits(open_cache(store)), attempt, at=at or now())


def test_a_sign_in_begins_a_session_that_acts_for_the_persons_own_account(kept_in: Store, person: User) -> None:
    signed = sign(kept_in, person)
    found = find_session(open_sessions(kept_in), signed.session_id, at=now())
    assert found == signed.session
    access = find_access(kept_in, signed.session)
    assert access is not None
    assert (access.user.user_id, access.owner_id, access.role) == (person.user_id, person.user_id, "user")


def test_every_sign_in_has_a_new_id_and_none_of_them_is_kept(kept_in: Store, person: User) -> None:
    first, second = sign(kept_in, person), sign(kept_in, person)
    assert first.session_id != second.session_id
    assert len(first.session_id) == 43
    assert all(first.session_id.encode() not in session.session_hash for session in [first.session, second.session])


def test_a_wrong_password_and_an_unknown_address_are_refused_alike(kept_in: Store, person: User) -> None:
    with pytest.raises(SignInRefused) as wrong:
        sign(kept_in, person, password="violet tram orchard kettles")
    unknown = make_account(kept_in)
    with pytest.raises(SignInRefused) as without_password:
        sign(kept_in, unknown)
    assert wrong.value.message == without_password.value.message


def test_a_session_goes_idle_after_half_an_hour(kept_in: Store, person: User) -> None:
    at = now()
    sessions = open_sessions(kept_in)
    signed = sign(kept_in, person, at=at)
    assert find_session(sessions, signed.session_id, at=at + IDLE - timedelta(seconds=1)) is not None
    assert find_session(sessions, signed.session_id, at=at + 2 * IDLE - timedelta(seconds=1)) is None
    assert find_session(sessions, signed.session_id, at=at) is None


def test_a_session_in_use_still_ends_after_twelve_hours(kept_in: Store, person: User) -> None:
    at = now()
    sessions = open_sessions(kept_in)
    signed = sign(kept_in, person, at=at)
    moment = at
    while moment + IDLE / 2 < at + ABSOLUTE:
        moment += IDLE / 2
        assert find_session(sessions, signed.session_id, at=moment) is not None
    assert find_session(sessions, signed.session_id, at=at + ABSOLUTE) is None


def test_sessions_are_listed_and_revoked(kept_in: Store, person: User) -> None:
    sessions = open_sessions(kept_in)
    sessions.delete_all(person.user_id)
    at = datetime.now(UTC)
    older, newer = sign(kept_in, person, at=at - timedelta(minutes=5)), sign(kept_in, person, at=at)
    assert sessions.load(person.user_id) == [newer.session, older.session]
    sessions.delete(newer.session)
    assert sessions.load(person.user_id) == [older.session]
    assert sessions.delete_all(person.user_id) == 1
    assert find_session(sessions, older.session_id, at=at) is None


def test_a_new_password_signs_everybody_out(kept_in: Store) -> None:
    person = create_account(kept_in, NewAccount(f"{uuid4().hex}@example.org", "Bea", PASSWORD))
    sessions = open_sessions(kept_in)
    signed = sign(kept_in, person)
    change_password(kept_in, sessions, person.email, "marble quiet lantern fox")
    assert find_session(sessions, signed.session_id, at=now()) is None
    with pytest.raises(SignInRefused):
        sign(kept_in, person)
    assert sign(kept_in, person, password="marble quiet lantern fox").session.user_id == person.user_id


def test_a_deactivated_account_cannot_sign_in_and_its_sessions_are_over(kept_in: Store) -> None:
    person = create_account(kept_in, NewAccount(f"{uuid4().hex}@example.org", "Cid", PASSWORD))
    sessions = open_sessions(kept_in)
    signed = sign(kept_in, person)
    deactivate_account(kept_in, sessions, person.email, is_active=False)
    assert find_session(sessions, signed.session_id, at=now()) is None
    assert find_access(kept_in, signed.session) is None
    with pytest.raises(SignInRefused):
        sign(kept_in, person)


def test_a_member_switches_to_the_owners_account_until_the_membership_ends(kept_in: Store, person: User) -> None:
    owner = make_account(kept_in, name="Owner")
    sessions = open_sessions(kept_in)
    signed = sign(kept_in, person)
    with pytest.raises(NotFound):
        switch_account(kept_in, sessions, signed.session, owner.user_id, at=now())
    add_member(kept_in, owner.user_id, person.email, "viewer")
    assert owner.user_id in {access.owner_id for access in load_accounts(kept_in, person)}
    switched = switch_account(kept_in, sessions, signed.session, owner.user_id, at=now())
    assert switched.session.expires_at == signed.session.expires_at
    assert find_session(sessions, signed.session_id, at=now()) is None
    access = find_access(kept_in, switched.session)
    assert access is not None
    assert (access.owner_id, access.role, access.may_write) == (owner.user_id, "viewer", False)
    end_membership(kept_in, owner.user_id, person.email)
    assert find_access(kept_in, switched.session) is None


def test_a_sign_in_renews_a_hash_that_was_made_at_another_cost(store: Store) -> None:
    person = create_account(store, NewAccount(f"{uuid4().hex}@example.org", "Dee", PASSWORD))
    cheap = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
    with store.owner() as connection:
        connection.execute("select set_config('role', 'castline_system', true)")
        connection.execute("update users set password_hash = %s where user_id = %s", (cheap, person.user_id))
    sign(store, person)
    with store.system() as connection:
        renewed = find_user(connection, person.user_id)
    assert renewed is not None
    assert renewed.password_hash.startswith("$argon2id$v=19$m=47104,t=1,p=1$")


def test_ended_sessions_take_no_room(store: Store, person: User) -> None:
    sessions = open_sessions(store)
    sessions.delete_all(person.user_id)
    at = now()
    sign(store, person, at=at - timedelta(days=2))
    kept = sign(store, person, at=at)
    assert sessions.delete_ended(at, IDLE) >= 1
    assert sessions.load(person.user_id) == [kept.session]
