"""Where tests of the store run: both homes of sessions and the cache, and databases that no other test writes into."""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from castline.base.config import Settings
from castline.store.pool import Store, open_store
from redis_server import run_redis
from store.beside import make_schema
from store.fill import Pair, make_pair


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A Redis of this test process; the folder's name is short because a socket's path may have 107 characters."""
    with tempfile.TemporaryDirectory(prefix="castline-") as folder, run_redis(Path(folder)) as url:
        yield url


@pytest.fixture(params=["postgresql", pytest.param("redis", marks=pytest.mark.redis)])
def kept_in(request: pytest.FixtureRequest, store: Store) -> Store:
    """The store with its sessions and cache in PostgreSQL, and the same store with them in Redis."""
    if request.param == "postgresql":
        return store
    return replace(store, settings=replace(store.settings, redis_url=request.getfixturevalue("redis_url")))


@pytest.fixture
def empty_dsn(store: Store) -> Iterator[str]:
    """An empty schema beside the store's."""
    with make_schema(store) as dsn:
        yield dsn


@pytest.fixture
def own_store(settings: Settings, empty_dsn: str, tmp_path: Path) -> Iterator[Store]:
    """A migrated store and a data folder that no other test writes into."""
    with open_store(replace(settings, database_url=empty_dsn, data_dir=tmp_path)) as opened:
        yield opened


@pytest.fixture(scope="session")
def pair(settings: Settings, store: Store) -> Iterator[Pair]:
    """Two accounts with rows in every table of a store of their own; tests leave them as they are."""
    with make_schema(store) as dsn, open_store(replace(settings, database_url=dsn)) as opened:
        yield make_pair(opened)
