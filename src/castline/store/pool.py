"""The door to PostgreSQL: one pool, and transactions that act for one account in one role.

Every transaction sets its role and its tenant locally, so nothing of one account can leak through a pooled connection
into the next transaction.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Self
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import psycopg
from psycopg import Connection as Connection  # noqa: PLC0414  # the rest takes it from here: only the store imports psycopg
from psycopg import errors
from psycopg.types.json import set_json_dumps, set_json_loads
from psycopg_pool import ConnectionPool, PoolTimeout

from castline.base.config import Settings
from castline.base.errors import (
    ConfigurationError,
    Conflict,
    DatabaseUnavailable,
    InvalidInput,
    SchemaOutdated,
    Terminal,
    Transient,
)
from castline.store.embedded.server import EmbeddedServer, start_embedded
from castline.store.migrate import apply_migrations, find_version, newest_version
from castline.store.payload import decode_json, encode_json

_CONNECT_SECONDS: Final = 10.0
_BESIDE_COUNT: Final = 4
# How often a server at work looks whether its client is still there: a killed client's transaction ends by then.
_CLIENT_CHECK: Final = "5s"


class DatabaseRefused(Terminal):
    """The database refused this: {detail}"""


class NotAllowed(Terminal):
    """The database refused this for the account: {detail}"""

    fix = "The row, or one that it refers to, is not in this account."


class RowsBusy(Transient):
    """Others work on the same rows: {detail}"""


@dataclass(frozen=True, slots=True)
class Store:
    """An open PostgreSQL; close it to give back the pool and, where this process was its last user, stop the server."""

    settings: Settings
    dsn: str
    _pool: ConnectionPool
    _server: EmbeddedServer | None

    @contextmanager
    def account(self, owner_id: UUID) -> Iterator[Connection]:
        """One transaction that sees and writes the account's relational rows, and reads its events through views."""
        with self._transaction("castline_app", owner_id) as connection:
            yield connection

    @contextmanager
    def snapshot(self, owner_id: UUID) -> Iterator[Connection]:
        """One transaction like `account`, all of whose queries see the same moment."""
        with self._connection() as connection, connection.transaction():
            connection.execute("set transaction isolation level repeatable read, read only")
            _act(connection, "castline_app", owner_id)
            yield connection

    @contextmanager
    def ingest(self, owner_id: UUID) -> Iterator[Connection]:
        """One transaction that may also COPY into and delete from the event tables."""
        with self._transaction("castline_ingest", owner_id) as connection:
            yield connection

    @contextmanager
    def system(self) -> Iterator[Connection]:
        """One transaction across accounts, for sign-in and for finding what is due; never for a page's data."""
        with self._transaction("castline_system", None) as connection:
            yield connection

    @contextmanager
    def owner(self) -> Iterator[Connection]:
        """One transaction as the schema's owner, for migrations and partitions."""
        with self._connection() as connection, connection.transaction():
            yield connection

    @contextmanager
    def beside(self, name: str, *, lock_seconds: float = 0.0) -> Iterator[Self]:
        """The same database through a pool of its own, whose transactions `interrupt` can end, and no other's.

        Given `lock_seconds`, its transactions raise RowsBusy where they would wait longer for others' locks.
        """
        with _make_pool(self.dsn, _BESIDE_COUNT, f"castline {name[:20]} {uuid4().hex}", lock_seconds) as pool:
            yield replace(self, _pool=pool, _server=None)

    def interrupt(self) -> None:
        """Every transaction of this pool is rolled back where it stands, and it begins none any more.

        Whoever is in one gets DatabaseUnavailable. Only for a store from `beside`.
        """
        self._pool.close(timeout=0)
        with translated_errors(self.dsn), psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where application_name = %s", (self._pool.name,)
            )

    def close(self) -> None:
        """The pool is closed; an embedded server stops if no other process uses it."""
        self._pool.close()
        if self._server is not None:
            self._server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _transaction(self, role: str, owner_id: UUID | None) -> Iterator[Connection]:
        with self._connection() as connection, connection.transaction():
            _act(connection, role, owner_id)
            yield connection

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        with translated_errors(self.dsn), self._pool.connection() as connection:
            yield connection


def open_store(settings: Settings, *, connection_count: int = 4) -> Store:
    """The store, migrated and ready.

    Without DATABASE_URL the embedded server is started (or joined) and brought to the newest schema. A database of
    your own is migrated when it is empty, and otherwise only by `castline admin migrate`.
    Raises DatabaseUnavailable, SchemaOutdated.
    """
    store = connect_store(settings, connection_count=connection_count)
    try:
        _bring_up_to_date(store)
    except BaseException:
        store.close()
        raise
    return store


def _bring_up_to_date(store: Store) -> None:
    with store.owner() as connection:
        found = find_version(connection)
    if found >= newest_version():
        return
    if found and store.settings.database_url:
        raise SchemaOutdated(found=found, needed=newest_version())
    with translated_errors(store.dsn):
        apply_migrations(store.dsn)


def connect_store(settings: Settings, *, connection_count: int = 4) -> Store:
    """The store as it is, whatever version its schema has. Raises ConfigurationError, DatabaseUnavailable."""
    if settings.database_url:
        _check_dsn(settings.database_url)
    server = None if settings.database_url else start_embedded(settings.data_dir)
    dsn = settings.database_url or (server.dsn if server else "")
    pool = _make_pool(dsn, connection_count, "castline")
    try:
        with translated_errors(dsn):
            # One plain connection first: its error says why, where the pool could only say that time ran out.
            psycopg.connect(dsn, connect_timeout=int(_CONNECT_SECONDS)).close()
            pool.open()
    except BaseException:
        if server is not None:
            server.close()
        raise
    return Store(settings, dsn, pool, server)


def _make_pool(dsn: str, connection_count: int, name: str, lock_seconds: float = 0.0) -> ConnectionPool:
    """A pool that is not open yet, whose sessions bear its name."""
    return ConnectionPool(
        dsn,
        min_size=0,
        max_size=connection_count,
        name=name,
        timeout=_CONNECT_SECONDS,
        reconnect_timeout=_CONNECT_SECONDS,
        configure=partial(_configure, lock_seconds=lock_seconds),
        check=ConnectionPool.check_connection,
        kwargs={"connect_timeout": int(_CONNECT_SECONDS), "application_name": name},
        open=False,
    )


def _check_dsn(dsn: str) -> None:
    try:
        psycopg.conninfo.conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        # What libpq says of it repeats the text, which may hold a password.
        detail = "it is no address of a database, such as postgresql://user@host:5432/castline"
        raise ConfigurationError(setting="DATABASE_URL", detail=detail) from None


def _act(connection: Connection, role: str, owner_id: UUID | None) -> None:
    connection.execute(
        "select set_config('role', %s, true), set_config('castline.tenant', %s, true)",
        (role, "" if owner_id is None else str(owner_id)),
    )


def _configure(connection: Connection, *, lock_seconds: float) -> None:
    set_json_dumps(encode_json, connection)
    set_json_loads(decode_json, connection)
    connection.execute("set time zone 'UTC'")
    if lock_seconds:
        connection.execute("select set_config('lock_timeout', %s, false)", (f"{int(lock_seconds * 1000)}ms",))
    connection.commit()
    try:
        connection.execute("select set_config('client_connection_check_interval', %s, false)", (_CLIENT_CHECK,))
        connection.commit()
    except (errors.InvalidParameterValue, errors.UndefinedObject, errors.InsufficientPrivilege):
        connection.rollback()  # its system cannot look


def address_of(dsn: str) -> str:
    """Host and database of a DSN without its user and password, for messages."""
    try:
        parts = psycopg.conninfo.conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        return urlsplit(dsn).hostname or "the given DATABASE_URL"
    return f"{parts.get('host') or 'the local socket'}:{parts.get('port') or 5432}/{parts.get('dbname') or ''}"


@contextmanager
def translated_errors(dsn: str) -> Iterator[None]:
    """Errors of the driver leave as errors of castline."""
    try:
        yield
    except (errors.UniqueViolation, errors.ForeignKeyViolation) as error:
        raise Conflict(noun="row", key=error.diag.constraint_name, detail=error.diag.message_detail) from error
    except errors.InsufficientPrivilege as error:
        raise NotAllowed(detail=error.diag.message_primary) from error
    except errors.CheckViolation as error:
        raise InvalidInput(field=error.diag.constraint_name, detail=error.diag.message_primary) from error
    except errors.StringDataRightTruncation as error:
        raise InvalidInput(field=error.diag.table_name or "value", detail=error.diag.message_primary) from error
    except (errors.LockNotAvailable, errors.DeadlockDetected) as error:
        raise RowsBusy(detail=error.diag.message_primary) from error
    except (psycopg.OperationalError, PoolTimeout, psycopg.InterfaceError) as error:
        raise DatabaseUnavailable(
            address=address_of(dsn), detail=" ".join(str(error).split()), retry_after=5.0
        ) from error
    except psycopg.DataError as error:
        raise InvalidInput(field=error.diag.column_name or "value", detail=" ".join(str(error).split())) from error
    except psycopg.Error as error:
        raise DatabaseRefused(detail=" ".join(str(error).split())) from error
    except UnicodeEncodeError as error:
        # An argument or a name of bytes that are no UTF-8 reaches us as halves of surrogate pairs.
        raise InvalidInput(field="text", detail=f"{error.object[:60]!r} is no UTF-8") from error
