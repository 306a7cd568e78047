"""Users and what lets them in. Sign-in happens before a tenant is known, so these run in the system role."""

from typing import Final
from uuid import UUID

from psycopg import Connection

from castline.base.errors import Conflict
from castline.model.account import User
from castline.model.vocab import Role, Tier
from castline.store.rows import find_one, load_all
from castline.store.sql import load_sql

_SQL: Final = load_sql("accounts")


def create_user(
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
