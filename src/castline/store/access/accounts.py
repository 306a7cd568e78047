"""Users and what lets them in. Sign-in happens before a tenant is known, so these run in the system role."""

from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg import Connection

from castline.base.errors import Conflict
from castline.model.account import Membership, User
from castline.model.vocab import Role, Tier
from castline.store.rows import find_one, load_all, save
from castline.store.sql import load_sql

_SQL: Final = load_sql("accounts")


def create_user(  # noqa: PLR0913  # the columns of one new row
    connection: Connection, email: str, name: str, password_hash: str, *, role: Role = "user", tier: Tier = "free"
) -> User:
    """The account is there. Raises Conflict if the address has one already."""
    email = email.strip().lower()
    if find_user_by_email(connection, email):
        raise Conflict(noun="account", key=email, detail="choose another address, or sign in with this one")
    facts = {
        "email": email,
        "name": name,
        "password_hash": password_hash,
        "role": role,
        "subscription_tier": tier,
    }
    user = find_one(connection, User, _SQL["create_user"], facts)
    if user is None:
        raise AssertionError
    return user


def find_user_by_email(connection: Connection, email: str) -> User | None:
    """The account of an address, None if there is none."""
    return find_one(connection, User, _SQL["find_user_by_email"], {"email": email.strip().lower()})


def find_user(connection: Connection, user_id: UUID) -> User | None:
    """The account of an id, None if there is none."""
    return find_one(connection, User, _SQL["find_user"], {"user_id": user_id})


def load_users(connection: Connection) -> list[User]:
    """Every account, oldest first."""
    return load_all(connection, User, _SQL["load_users"])


def save_password(connection: Connection, user_id: UUID, password_hash: str) -> None:
    """The account signs in with another password."""
    save(connection, _SQL["save_password"], {"user_id": user_id, "password_hash": password_hash})


def save_login(connection: Connection, user_id: UUID, at: datetime) -> None:
    """The account signed in at `at`."""
    save(connection, _SQL["save_login"], {"user_id": user_id, "at": at})


def save_active(connection: Connection, user_id: UUID, *, is_active: bool) -> None:
    """The account may, or may not any longer, sign in; its history stays."""
    save(connection, _SQL["save_active"], {"user_id": user_id, "is_active": is_active})


def save_membership(connection: Connection, owner_id: UUID, member_id: UUID, role: Role) -> Membership:
    """The member may act for the owner's account with this role."""
    facts = {"tenant": owner_id, "member_id": member_id, "role": role}
    membership = find_one(connection, Membership, _SQL["save_membership"], facts)
    if membership is None:
        raise AssertionError
    return membership


def delete_membership(connection: Connection, owner_id: UUID, member_id: UUID) -> bool:
    """The member no longer acts for the owner's account; False if it never did."""
    return save(connection, _SQL["delete_membership"], {"tenant": owner_id, "member_id": member_id}) > 0


def load_members(connection: Connection, owner_id: UUID) -> list[Membership]:
    """Who may act for the account, oldest first."""
    return load_all(connection, Membership, _SQL["load_members"], {"tenant": owner_id})


def load_memberships_of(connection: Connection, member_id: UUID) -> list[Membership]:
    """The active accounts that a person may act for beside their own, oldest first."""
    return load_all(connection, Membership, _SQL["load_memberships_of"], {"member_id": member_id})


def find_membership(connection: Connection, owner_id: UUID, member_id: UUID) -> Membership | None:
    """A person's membership in an account, None if there is none."""
    return find_one(connection, Membership, _SQL["find_membership"], {"tenant": owner_id, "member_id": member_id})
