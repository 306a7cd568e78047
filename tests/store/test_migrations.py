"""Migrations: each whole or not at all, once, by one migrator, and never waiting long for a lock."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import errors

from castline.store.migrate import apply_migrations, find_version, iter_migrations, newest_version

pytestmark = pytest.mark.store
ALL = [migration.version for migration in iter_migrations()]


def _version(dsn: str) -> int:
    with psycopg.connect(dsn) as connection:
        return find_version(connection)


def _migrate_to_the_first(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "create table schema_migrations (version integer primary key, name text not null,"
            " applied_at timestamptz not null default now())"
        )
        first = iter_migrations()[0]
        connection.execute(first.text)
        connection.execute("insert into schema_migrations (version, name) values (%s, %s)", (first.version, first.name))


@contextmanager
def _somebody_holds_users(dsn: str) -> Iterator[None]:
    with psycopg.connect(dsn) as connection:
        connection.execute("lock table users in access exclusive mode")
        yield


def _wait_for_the_lock(dsn: str) -> None:
    deadline = time.monotonic() + 20
    with psycopg.connect(dsn, autocommit=True) as connection:
        while time.monotonic() < deadline:
            waiting = connection.execute(
                "select count(*) from pg_locks where not granted and relation = to_regclass('users')"
            ).fetchone()
            if waiting is not None and waiting[0]:
                return
            time.sleep(0.02)
    raise AssertionError


def test_versions_are_numbered_without_a_gap() -> None:
    assert list(range(1, newest_version() + 1)) == ALL


def test_an_empty_database_gets_every_migration_and_then_none(empty_dsn: str) -> None:
    assert [migration.version for migration in apply_migrations(empty_dsn)] == ALL
    assert apply_migrations(empty_dsn) == []
    assert _version(empty_dsn) == newest_version()


def test_of_two_migrators_at_once_one_does_it_all(empty_dsn: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(apply_migrations, [empty_dsn, empty_dsn]))
    assert sorted([migration.version for migration in applied] for applied in both) == [[], ALL]


def test_a_migrator_killed_midway_leaves_the_version_before_and_the_next_one_goes_on(empty_dsn: str) -> None:
    _migrate_to_the_first(empty_dsn)
    with _somebody_holds_users(empty_dsn):
        program = f"from castline.store.migrate import apply_migrations; apply_migrations({empty_dsn!r})"
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        migrator = subprocess.Popen([sys.executable, "-c", program], env=environ)
        _wait_for_the_lock(empty_dsn)
        migrator.send_signal(signal.SIGKILL)
        migrator.wait()
    assert _version(empty_dsn) == 1
    assert [migration.version for migration in apply_migrations(empty_dsn)] == ALL[1:]


def test_a_migration_that_cannot_have_its_lock_gives_up_in_seconds_and_changes_nothing(empty_dsn: str) -> None:
    _migrate_to_the_first(empty_dsn)
    with _somebody_holds_users(empty_dsn):
        began = time.monotonic()
        with pytest.raises(errors.LockNotAvailable):
            apply_migrations(empty_dsn)
        assert time.monotonic() - began < 20
    with psycopg.connect(empty_dsn) as connection:
        assert find_version(connection) == 1
        assert connection.execute("select to_regclass('podcasts')").fetchone() == (None,)
