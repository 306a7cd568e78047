"""The cache forgets in time and counts in windows; in PostgreSQL as in Redis."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import uuid4

import pytest

from castline.accounts.limit import Allowance, Limits, TooMany
from castline.base.errors import ConfigurationError
from castline.store.access.sessions import open_sessions
from castline.store.cache import open_cache
from castline.store.pool import Store
from castline.store.redis_door import RedisUnavailable

pytestmark = pytest.mark.store


def test_a_value_is_found_until_it_expires_or_is_deleted(kept_in: Store) -> None:
    cache, key = open_cache(kept_in), uuid4().hex
    assert cache.find(key) is None
    cache.save(key, b"\x00\xff", 60)
    assert cache.find(key) == b"\x00\xff"
    cache.save(key, b"other", 0.05)
    assert cache.find(key) == b"other"
    time.sleep(0.1)
    assert cache.find(key) is None
    cache.save(key, b"again", 60)
    cache.delete(key)
    assert cache.find(key) is None


def test_a_window_begins_with_its_first_count_and_then_begins_anew(kept_in: Store) -> None:
    cache, key = open_cache(kept_in), uuid4().hex
    first, second = cache.count(key, 0.4), cache.count(key, 60)
    assert (first.count, second.count) == (1, 2)
    assert abs((second.expires_at - first.expires_at).total_seconds()) < 0.2
    time.sleep(0.5)
    assert cache.count(key, 60).count == 1


def test_no_count_is_lost_between_threads(kept_in: Store) -> None:
    cache, key = open_cache(kept_in), uuid4().hex
    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(lambda _: cache.count(key, 60).count, range(40)))
    assert sorted(counts) == list(range(1, 41))


def test_the_eleventh_sign_in_of_an_account_is_refused(kept_in: Store) -> None:
    limits, email = Limits(open_cache(kept_in)), f"{uuid4().hex}@example.org"
    for _ in range(10):
        limits.check_sign_in(uuid4().hex, email)
    with pytest.raises(TooMany) as refused:
        limits.check_sign_in(uuid4().hex, email.upper())
    assert refused.value.retry_after is not None
    assert 0 < refused.value.retry_after <= 900


def test_the_fifty_first_sign_in_from_an_address_is_refused(kept_in: Store) -> None:
    limits, address = Limits(open_cache(kept_in)), uuid4().hex
    for _ in range(50):
        limits.check_sign_in(address, f"{uuid4().hex}@example.org")
    with pytest.raises(TooMany):
        limits.check_sign_in(address, f"{uuid4().hex}@example.org")


def test_a_sign_in_that_succeeds_clears_the_accounts_tries(kept_in: Store) -> None:
    limits, email = Limits(open_cache(kept_in)), f"{uuid4().hex}@example.org"
    address = uuid4().hex
    for _ in range(60):
        limits.check_sign_in(address, email)
        limits.forget_sign_in(address, email)


def test_a_sign_in_that_succeeds_gives_its_address_one_try_back_and_no_more(kept_in: Store) -> None:
    limits, address = Limits(open_cache(kept_in)), uuid4().hex
    for _ in range(50):
        limits.check_sign_in(address, f"{uuid4().hex}@example.org")
    limits.forget_sign_in(address, "ada@example.org")
    limits.check_sign_in(address, f"{uuid4().hex}@example.org")
    with pytest.raises(TooMany):
        limits.check_sign_in(address, f"{uuid4().hex}@example.org")


def test_without_its_redis_sign_in_is_closed_and_a_key_is_let_in(store: Store) -> None:
    gone = replace(store, settings=replace(store.settings, redis_url="redis://127.0.0.1:1/0"))
    limits = Limits(open_cache(gone))
    with pytest.raises(RedisUnavailable, match=r"127\.0\.0\.1:1"):
        limits.check_sign_in("192.0.2.1", "ada@example.org")
    assert limits.check_key(uuid4()) == Allowance(600, 600, 60)
    with pytest.raises(RedisUnavailable):
        open_sessions(gone).find(bytes(32))


def test_a_redis_url_that_is_none_names_its_setting(store: Store) -> None:
    wrong = replace(store, settings=replace(store.settings, redis_url="http://example.org"))
    with pytest.raises(ConfigurationError, match="REDIS_URL"):
        open_cache(wrong)


def test_expired_entries_take_no_room(store: Store) -> None:
    cache, key = open_cache(store), uuid4().hex
    cache.save(key, b"x", 0.01)
    cache.save(f"{key} kept", b"x", 60)
    time.sleep(0.05)
    assert cache.delete_expired() >= 1
    with store.system() as connection:
        left = connection.execute(
            "select cache_key from cache_entries where cache_key like %s", (f"{key}%",)
        ).fetchall()
    assert left == [(f"{key} kept",)]
