"""The world builder: small, whole, valid things for tests, each made through the product's own store functions."""

from uuid import UUID, uuid4

from castline.model.account import UNUSABLE_PASSWORD, User
from castline.store.access.accounts import create_user
from castline.store.pool import Store


def make_account(store: Store, *, name: str = "Ada") -> User:
    """A new account with an address of its own."""
    with store.system() as connection:
        return create_user(connection, f"{uuid4().hex}@example.org", name, UNUSABLE_PASSWORD)


def make_id(number: int) -> UUID:
    """The same id for the same number."""
    return UUID(int=number)
