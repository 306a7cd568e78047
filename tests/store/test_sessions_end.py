"""Transactions whose client is gone, or is to stop, do not go on."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from castline.base.errors import DatabaseUnavailable
from castline.store.pool import Store

pytestmark = pytest.mark.store
_SOURCE = Path(__file__).parents[2] / "src"
_CLIENT = """
import sys
from pathlib import Path
from castline.base.config import Settings
from castline.store.pool import open_store
with open_store(Settings(data_dir=Path(sys.argv[1]), database_url=sys.argv[2])) as store, store.owner() as connection:
    connection.execute(f"select pg_sleep(300) as {sys.argv[3]}")
"""


def is_at_work(store: Store, mark: str) -> bool:
    with store.owner() as connection:
        row = connection.execute(
            "select count(*) from pg_stat_activity where query like %s and pid <> pg_backend_pid()", (f"%{mark}%",)
        ).fetchone()
    return row is not None and bool(row[0])


def wait_until(reached: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_what_a_killed_client_has_asked_for_ends_by_itself(store: Store, tmp_path: Path) -> None:
    mark = f"mark_{uuid4().hex}"
    words = [sys.executable, "-c", _CLIENT, str(tmp_path), store.dsn, mark]
    with subprocess.Popen(words, env=os.environ | {"PYTHONPATH": str(_SOURCE)}) as process:
        wait_until(lambda: is_at_work(store, mark))
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    wait_until(lambda: not is_at_work(store, mark))
    assert process.returncode == -signal.SIGKILL


def test_an_interrupted_store_rolls_back_what_it_was_at_and_no_other_is_disturbed(store: Store) -> None:
    mark, failed = f"mark_{uuid4().hex}", threading.Event()
    other = f"mark_{uuid4().hex}"

    def work(chosen: Store, sentence: str) -> None:
        try:
            with chosen.owner() as connection:
                connection.execute(sentence)
        except DatabaseUnavailable:
            failed.set()

    with store.beside("test") as beside:
        ours = threading.Thread(target=work, args=(beside, f"select pg_sleep(300) as {mark}"))
        theirs = threading.Thread(target=work, args=(store, f"select pg_sleep(3) as {other}"))
        ours.start()
        theirs.start()
        wait_until(lambda: is_at_work(store, mark) and is_at_work(store, other))
        beside.interrupt()
        ours.join(30)
        assert failed.is_set()
        with pytest.raises(DatabaseUnavailable), beside.owner():
            pass
        assert is_at_work(store, other)
        theirs.join(30)
