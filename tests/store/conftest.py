"""The same tests over both places where sessions and the cache can be."""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from castline.store.pool import Store
from redis_server import run_redis


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
