"""Signing in: a session is an opaque 256-bit id, new at each sign-in, that ends idle or in half a day.

The role is never kept in a session: it is looked up with each request, so a membership that ends, ends at once.
"""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID

from castline.accounts.limit import Limits
from castline.accounts.password import hash_password, needs_rehash, verify_password
from castline.base.errors import NotFound, Terminal
from castline.model.account import UNUSABLE_PASSWORD, Access, Session, User
from castline.store.access.accounts import (
    find_membership,
    find_user,
    find_user_by_email,
    load_memberships_of,
    save_login,
    save_password,
)
from castline.store.access.sessions import SessionStore
from castline.store.pool import Store

IDLE: Final = timedelta(minutes=30)
ABSOLUTE: Final = timedelta(hours=12)
_SEEN_NOTED_EVERY: Final = timedelta(minutes=1)
_USER_AGENT_LENGTH: Final = 300


class SignInRefused(Terminal):
    """The address and the password do not belong together."""

    fix = "`castline admin password` sets a new one."


@dataclass(frozen=True, slots=True)
class Attempt:
    """Somebody at the door: what they say, and from which address and program."""

    email: str
    password: str
    address: str
    user_agent: str | None


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session just begun: the only time that its id is known."""

    session_id: str
    session: Session


def sign_in(store: Store, sessions: SessionStore, limits: Limits, attempt: Attempt, *, at: datetime) -> SignedIn:
    """A new session of the person, acting for their own account.

    Raises SignInRefused, alike for an unknown address, a wrong password and a deactivated account, and TooMany when
    the address or the account was tried too often.
    """
    limits.check_sign_in(attempt.address, attempt.email)
    with store.system() as connection:
        user = find_user_by_email(connection, attempt.email)
    # Hashing takes 80 ms and 46 MiB: never while a connection is held.
    known = verify_password(attempt.password, user.password_hash if user else UNUSABLE_PASSWORD)
    if user is None or not known or not user.is_active:
        raise SignInRefused
    new_hash = hash_password(attempt.password) if needs_rehash(user.password_hash) else None
    with store.system() as connection:
        if new_hash:
            save_password(connection, user.user_id, new_hash)
        save_login(connection, user.user_id, at)
    limits.forget_sign_in(attempt.address, attempt.email)
    return begin_session(sessions, user.user_id, user.user_id, attempt.user_agent, at=at)


def begin_session(
    sessions: SessionStore, user_id: UUID, owner_id: UUID, user_agent: str | None, *, at: datetime
) -> SignedIn:
    """A new session under a new id."""
    return _keep(
        sessions,
        Session(
            session_hash=b"",
            user_id=user_id,
            owner_id=owner_id,
            csrf_token="",
            created_at=at,
            seen_at=at,
            expires_at=at + ABSOLUTE,
            user_agent=user_agent[:_USER_AGENT_LENGTH] if user_agent else None,
        ),
    )


def find_session(sessions: SessionStore, session_id: str, *, at: datetime) -> Session | None:
    """The session of an id if it still holds at `at`; using it keeps it from going idle."""
    session = sessions.find(_hash(session_id))
    if session is None:
        return None
    if is_over(session, at):
        sessions.delete(session)
        return None
    if at - session.seen_at >= _SEEN_NOTED_EVERY:
        sessions.touch(session, at)
    return session


def is_over(session: Session, at: datetime) -> bool:
    """Whether the session idled too long or is too old at `at`."""
    return session.expires_at <= at or session.seen_at + IDLE <= at


def find_access(store: Store, session: Session) -> Access | None:
    """Who acts for which account in the session, with which role; None if they may not any more."""
    with store.system() as connection:
        user = find_user(connection, session.user_id)
        if user is None or not user.is_active:
            return None
        if session.owner_id == user.user_id:
            return Access(user, user, user.role)
        owner = find_user(connection, session.owner_id)
        membership = find_membership(connection, session.owner_id, user.user_id)
    if owner is None or not owner.is_active or membership is None:
        return None
    return Access(user, owner, membership.role)


def load_accounts(store: Store, user: User) -> list[Access]:
    """The accounts that the person may act for, their own first."""
    own = Access(user, user, user.role)
    with store.system() as connection:
        memberships = load_memberships_of(connection, user.user_id)
        owners = {item.owner_id: find_user(connection, item.owner_id) for item in memberships}
    return [own] + [Access(user, owner, item.role) for item in memberships if (owner := owners[item.owner_id])]


def switch_account(store: Store, sessions: SessionStore, session: Session, owner_id: UUID, *, at: datetime) -> SignedIn:
    """A new session, under a new id, that acts for the other account and ends when the old one would have.

    The old one is over. Raises NotFound for an account that the person may not act for.
    """
    with store.system() as connection:
        user = find_user(connection, session.user_id)
    if user is None or owner_id not in {item.owner_id for item in load_accounts(store, user)}:
        raise NotFound(noun="account", key=owner_id)
    switched = _keep(sessions, replace(session, owner_id=owner_id, seen_at=at))
    sessions.delete(session)
    return switched


def _keep(sessions: SessionStore, draft: Session) -> SignedIn:
    session_id = secrets.token_urlsafe(32)
    session = replace(draft, session_hash=_hash(session_id), csrf_token=secrets.token_urlsafe(32))
    sessions.create(session)
    return SignedIn(session_id, session)


def _hash(session_id: str) -> bytes:
    return sha256(session_id.encode()).digest()
