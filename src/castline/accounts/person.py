"""People: made, let in by a new password, put to work in another's account."""

import secrets
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from castline.accounts.password import check_password, hash_password
from castline.base.errors import InvalidInput, NotFound
from castline.model.account import Membership, User
from castline.model.vocab import Role, Tier
from castline.store.access.accounts import (
    create_user,
    delete_membership,
    find_user_by_email,
    load_users,
    save_active,
    save_membership,
    save_password,
)
from castline.store.access.sessions import SessionStore
from castline.store.pool import Store


class UnknownPerson(NotFound):
    """No account has the address {email}."""

    fix = "`castline admin list` shows the accounts, `castline admin create` makes one."


class UnknownMember(NotFound):
    """{email} is no member of this account."""

    fix = "`castline admin member list` shows who is."


@dataclass(frozen=True, slots=True)
class NewAccount:
    """What a new account begins with; the role is admin for the first of an installation unless one is given."""

    email: str
    name: str
    password: str
    role: Role | None = None
    tier: Tier = "free"


# Letters and digits without those that look alike: a sign in front would make an option of it where it is pasted.
_ALPHABET: Final = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_LENGTH: Final = 21  # 57^21 is more than 2^122


def generate_password() -> str:
    """A password of 122 random bits, in letters and digits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))


def create_account(store: Store, new: NewAccount) -> User:
    """The account is there and its owner can sign in. Raises InvalidInput and Conflict."""
    _check_email(new.email)
    check_password(new.password, about=(new.email, new.name))
    password_hash = hash_password(new.password)
    with store.system() as connection:
        role = new.role or ("user" if load_users(connection) else "admin")
        return create_user(connection, new.email, new.name, password_hash, role=role, tier=new.tier)


def change_password(store: Store, sessions: SessionStore, email: str, password: str) -> User:
    """The account has another password, and whoever was signed in no longer is. Raises NotFound, InvalidInput."""
    user = find_person(store, email)
    check_password(password, about=(user.email, user.name))
    password_hash = hash_password(password)
    with store.system() as connection:
        save_password(connection, user.user_id, password_hash)
    sessions.delete_all(user.user_id)
    return user


def deactivate_account(store: Store, sessions: SessionStore, email: str, *, is_active: bool) -> User:
    """The account may, or may not any longer, sign in and use its keys; its history stays. Raises NotFound."""
    user = find_person(store, email)
    with store.system() as connection:
        save_active(connection, user.user_id, is_active=is_active)
    if not is_active:
        sessions.delete_all(user.user_id)
    return user


def add_member(store: Store, owner_id: UUID, email: str, role: Role) -> Membership:
    """The person of this address may act for the account with this role. Raises NotFound, InvalidInput."""
    member = find_person(store, email)
    if member.user_id == owner_id:
        raise InvalidInput(field="email", detail="is the account's own; its owner needs no membership")
    with store.system() as connection:
        return save_membership(connection, owner_id, member.user_id, role)


def remove_member(store: Store, owner_id: UUID, email: str) -> None:
    """The person of this address no longer acts for the account. Raises NotFound."""
    member = find_person(store, email)
    with store.system() as connection:
        if not delete_membership(connection, owner_id, member.user_id):
            raise UnknownMember(email=email)


def find_person(store: Store, email: str) -> User:
    """The user of this address. Raises UnknownPerson."""
    with store.system() as connection:
        user = find_user_by_email(connection, email)
    if user is None:
        raise UnknownPerson(email=email)
    return user


def _check_email(email: str) -> None:
    name, at, domain = email.strip().rpartition("@")
    if not (name and at and domain) or any(character.isspace() for character in email.strip()):
        raise InvalidInput(field="email", detail=f"{email!r} is no e-mail address, such as you@example.org")
