"""What may be forgotten at any time: Redis where there is one, else an UNLOGGED table, behind one small interface."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol, cast

from castline.base.clock import now
from castline.store.pool import Store
from castline.store.redis_door import open_redis, translated_redis_errors
from castline.store.rows import find_one, save
from castline.store.sql import load_sql

if TYPE_CHECKING:
    from redis import Redis

_SQL: Final = load_sql("cache")


@dataclass(frozen=True, slots=True)
class Count:
    """The sum of what was counted in the window that ends at `expires_at`."""

    count: int
    expires_at: datetime


class Cache(Protocol):
    """Values and counters that expire; a key names its account where the value is one's own."""

    def find(self, key: str) -> bytes | None:
        """The value kept under the key, None if there is none or it expired."""

    def save(self, key: str, value: bytes, seconds: float) -> None:
        """The value is kept for `seconds`."""

    def count(self, key: str, seconds: float, *, step: int = 1) -> Count:
        """The key is counted once more in its window, which begins with the first count and lasts `seconds`."""

    def delete(self, key: str) -> None:
        """Nothing is kept under the key."""

    def delete_expired(self) -> int:
        """What no longer holds takes no room; returns how many entries went."""


def open_cache(store: Store) -> Cache:
    """The cache in the Redis of the settings, else in the store's PostgreSQL."""
    url = store.settings.redis_url
    return RedisCache(url, open_redis(url)) if url else PostgresCache(store)


@dataclass(frozen=True, slots=True)
class _Entry:
    value: bytes


@dataclass(frozen=True, slots=True)
class PostgresCache:
    """Rows of an UNLOGGED table: as fast as a table gets, and empty after a crash of the server."""

    store: Store

    def find(self, key: str) -> bytes | None:
        with self.store.system() as connection:
            entry = find_one(connection, _Entry, _SQL["find_entry"], {"cache_key": key, "at": now()})
        return entry.value if entry else None

    def save(self, key: str, value: bytes, seconds: float) -> None:
        facts = {"cache_key": key, "value": value, "expires_at": now() + timedelta(seconds=seconds)}
        with self.store.system() as connection:
            save(connection, _SQL["save_entry"], facts)

    def count(self, key: str, seconds: float, *, step: int = 1) -> Count:
        at = now()
        facts = {"cache_key": key, "at": at, "expires_at": at + timedelta(seconds=seconds), "step": step}
        with self.store.system() as connection:
            counted = find_one(connection, Count, _SQL["count_entry"], facts)
        if counted is None:
            raise AssertionError
        return counted

    def delete(self, key: str) -> None:
        with self.store.system() as connection:
            save(connection, _SQL["delete_entry"], {"cache_key": key})

    def delete_expired(self) -> int:
        with self.store.system() as connection:
            return save(connection, _SQL["delete_expired_entries"], {"at": now()})


@dataclass(frozen=True, slots=True)
class RedisCache:
    """Keys with a time to live; one Redis may serve other programs too, so ours begin with castline:cache."""

    url: str
    client: "Redis"

    def find(self, key: str) -> bytes | None:
        with translated_redis_errors(self.url):
            return cast("bytes | None", self.client.get(_key(key)))

    def save(self, key: str, value: bytes, seconds: float) -> None:
        with translated_redis_errors(self.url):
            self.client.set(_key(key), value, px=max(1, int(seconds * 1000)))

    def count(self, key: str, seconds: float, *, step: int = 1) -> Count:
        milliseconds = max(1, int(seconds * 1000))
        with translated_redis_errors(self.url), self.client.pipeline() as pipeline:
            pipeline.set(_key(key), 0, px=milliseconds, nx=True)
            pipeline.incrby(_key(key), step)
            pipeline.pttl(_key(key))
            _, count, left = pipeline.execute()
        return Count(int(count), now() + timedelta(milliseconds=max(0, int(left))))

    def delete(self, key: str) -> None:
        with translated_redis_errors(self.url):
            self.client.delete(_key(key))

    def delete_expired(self) -> int:
        return 0


def _key(key: str) -> str:
    return f"castline:cache:{key}"
