"""A real server on a loopback port, in a thread; each account signs in with the same password."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from uuid import uuid4

import pytest
import uvicorn
from psycopg import Connection
from psycopg_pool import ConnectionPool

from castline.accounts.person import NewAccount, create_account
from castline.accounts.token import issue_key
from castline.base.config import Settings
from castline.model.account import User
from castline.model.vocab import Scope
from castline.store.pool import Store
from castline.web.app import create_app
from castline.web.hits.short_way import ShortWay
from castline.web.listen import bind, page_address
from web.browser import Browser

PASSWORD = "violet tram orchard kettle"


@contextmanager
def run_server(store: Store, settings: Settings) -> Iterator[int]:
    """The port that the application answers on."""
    with bind("127.0.0.1", 0) as sock:
        app = create_app(store, settings)
        server = uvicorn.Server(
            uvicorn.Config(app, http=ShortWay, log_level="warning", proxy_headers=False, server_header=False)
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
        thread.start()
        try:
            assert page_address(sock).startswith("http://127.0.0.1:")
            yield sock.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(timeout=30)


def make_closed_pool() -> "ConnectionPool[Connection]":
    """The pool of a database that does not answer."""
    return ConnectionPool("postgresql://127.0.0.1:1/none", min_size=0, max_size=1, timeout=0.5, open=False)


@pytest.fixture(scope="session")
def web_settings(settings: Settings) -> Settings:
    return replace(settings, public_url="https://stats.example.org")


@pytest.fixture(scope="session")
def port(store: Store, web_settings: Settings) -> Iterator[int]:
    with run_server(store, web_settings) as port:
        yield port


@pytest.fixture
def browser(port: int) -> Browser:
    return Browser(port)


@pytest.fixture
def person(store: Store) -> User:
    """A fresh account that can sign in."""
    return create_account(store, NewAccount(f"{uuid4().hex}@example.org", "Ada Example", PASSWORD, role="user"))


@pytest.fixture
def signed_in(browser: Browser, person: User) -> Browser:
    """A browser that the person is signed in with."""
    assert browser.sign_in(person.email, PASSWORD).status == 303
    return browser


Caller = Callable[..., dict[str, str]]


@pytest.fixture
def key_of(store: Store) -> Caller:
    """Makes the Authorization header of a new key."""

    def make(owner: User, *scopes: Scope) -> dict[str, str]:
        secret = issue_key(store, owner.user_id, "test", scopes or ("read", "conversions:write"), 1).secret
        return {"Authorization": f"Bearer {secret}"}

    return make
