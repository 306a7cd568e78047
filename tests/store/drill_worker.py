"""A worker of the drill: does all the work that waits for an account, and may be told to die at one of its commits.

Reads one JSON order a line and forks a process for each, so that a death costs no start of the interpreter. Answers
one JSON line: how the process ended, and how many commits it made that wrote something.
"""

import json
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from uuid import UUID

from psycopg import Connection

from castline.attribute.engine import attribute
from castline.base.config import Settings
from castline.base.errors import CastlineError
from castline.ingest.conversions.files import import_conversions
from castline.ingest.conversions.rates import import_rates
from castline.ingest.logs.landing import import_log
from castline.measure.run import measure
from castline.sources.conversions.csv import CsvOptions
from castline.store.pool import Store, open_store

Moment = Literal["before", "after"]


class MortalStore(Store):
    """A store whose process dies right before or right after its commit of the given number, counted from 1."""

    commits = 0
    dies_at: tuple[int, Moment] | None = None

    @contextmanager
    def _transaction(self, role: str, owner_id: UUID | None) -> Iterator[Connection]:
        wrote = False
        with super()._transaction(role, owner_id) as connection:
            yield connection
            wrote = self._note_commit(connection)
        if wrote:
            self._die_if_due("after")

    @contextmanager
    def owner(self) -> Iterator[Connection]:
        wrote = False
        with super().owner() as connection:
            yield connection
            wrote = self._note_commit(connection)
        if wrote:
            self._die_if_due("after")

    def _note_commit(self, connection: Connection) -> bool:
        """Whether the transaction wrote anything; if it did it is one of the numbered ones."""
        found = connection.execute("select pg_current_xact_id_if_assigned() is not null").fetchone()
        wrote = bool(found and found[0])
        if wrote:
            MortalStore.commits += 1
            self._die_if_due("before")
        return wrote

    def _die_if_due(self, moment: Moment) -> None:
        if self.dies_at == (self.commits, moment):
            os.kill(os.getpid(), signal.SIGKILL)


def work(store: Store, owner_id: UUID, folder: Path) -> None:
    """Everything in the folder is imported, measured and attributed."""
    for path in sorted(folder.glob("*.log.gz")):
        import_log(store, owner_id, path)
    measure(store, owner_id)
    import_rates(store, owner_id, folder / "rates.csv")
    import_conversions(store, owner_id, folder / "conversions.csv", CsvOptions())
    attribute(store, owner_id)


def _live(settings: Settings, order: dict[str, object]) -> int:
    dies_at = order["dies_at"]
    MortalStore.dies_at = (dies_at[0], dies_at[1]) if isinstance(dies_at, list) else None
    opened = open_store(settings)
    store = MortalStore(opened.settings, opened.dsn, opened._pool, opened._server)
    try:
        work(store, UUID(str(order["owner_id"])), Path(str(order["folder"])))
    except CastlineError:
        traceback.print_exc()
        return 1
    finally:
        store.close()
    return 0


def main() -> None:
    """Serves orders until the input ends."""
    settings = Settings(data_dir=Path(sys.argv[1]), database_url=sys.argv[2])
    for line in sys.stdin:
        order = json.loads(line)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            code = _live(settings, order)
            os.write(writing, str(MortalStore.commits).encode())
            os._exit(code)
        os.close(writing)
        _answer({"pid": child})
        _, status = os.waitpid(child, 0)
        commits = os.read(reading, 20).decode()
        os.close(reading)
        _answer({"code": os.waitstatus_to_exitcode(status), "commits": int(commits) if commits else None})


def _answer(facts: dict[str, int | None]) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
