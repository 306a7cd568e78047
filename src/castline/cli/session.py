"""What every command that touches the store begins with: settings, the store, and the account it acts for."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

import click

from castline.base.config import Settings, load_settings
from castline.base.errors import InvalidInput, Terminal
from castline.model.account import User
from castline.store.access.accounts import find_user_by_email, load_users
from castline.store.pool import Store, open_store


class NoAccount(Terminal):
    """There is no account yet."""

    fix = "`castline admin create --email you@example.org` makes the first one."


class UnknownAccount(Terminal):
    """There is no account {email}."""

    fix = "`castline admin list` shows the accounts; --account or CASTLINE_ACCOUNT says which one to act for."


@dataclass(frozen=True, slots=True)
class Acting:
    """An open store and the account that this command acts for."""

    settings: Settings
    store: Store
    user: User

    @property
    def owner_id(self) -> UUID:
        return self.user.user_id


@contextmanager
def open_account() -> Iterator[Acting]:
    """The store is open and the account is known: --account, CASTLINE_ACCOUNT, or the only one there is."""
    settings = load_settings()
    with open_store(settings) as store:
        yield Acting(settings, store, _acting_user(store, click.get_current_context().find_root().obj))


def _acting_user(store: Store, email: str | None) -> User:
    with store.system() as connection:
        if email:
            user = find_user_by_email(connection, email)
            if user is None:
                raise UnknownAccount(email=email)
            return user
        users = [user for user in load_users(connection) if user.is_active]
    if not users:
        raise NoAccount
    if len(users) > 1:
        raise InvalidInput(
            field="--account", detail=f"say which of {', '.join(user.email for user in users)} to act for"
        )
    return users[0]
