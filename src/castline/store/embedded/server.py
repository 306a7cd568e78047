"""castline's own PostgreSQL: runs while somebody uses it, and not longer.

Every user of the server holds a shared lock; an exclusive one, the gate, is held around start and stop. Who can turn
the shared lock exclusive on leaving was the last and stops the server. A small keeper process (embedded.keeper) does
the same for users that were killed, and starts a killed server again. Why so: docs/design/embedded-postgresql.md
"""

import atexit
import contextlib
import fcntl
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from castline.base.errors import Transient
from castline.store.embedded.cluster import Running, ensure_cluster, ensure_running, find_running, stop
from castline.store.embedded.place import Place, control_folder, find_place

_log = logging.getLogger(__name__)
_GATE_SECONDS: Final = 330  # longer than a start with recovery takes


class EmbeddedBusy(Transient):
    """castline's own PostgreSQL in {folder} is in use: {detail}"""

    fix = "Wait for the other process, or give several machines or containers one server through DATABASE_URL."


class EmbeddedServer:
    """One user's hold on the server of a data folder; closed at exit if not before."""

    def __init__(self, place: Place, folder: Path, users: int, dsn: str) -> None:
        self.dsn: Final = dsn
        self.log: Final = place.log
        self._place = place
        self._folder = folder
        self._users: int | None = users
        self._pid = os.getpid()
        atexit.register(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def ensure_running(self) -> None:
        """The server takes connections again, also when its postmaster was killed a moment ago."""
        with hold_gate(self._folder):
            ensure_running(self._place)

    def close(self) -> None:
        """This user is gone; if it was the last one, the server is too."""
        users, self._users = self._users, None
        if users is None:
            return
        atexit.unregister(self.close)
        os.close(users)
        if self._pid != os.getpid():
            return  # a forked child: its parent decides
        with contextlib.ExitStack() as stack:
            if self._folder.exists():
                stack.enter_context(hold_gate(self._folder))
                if is_used(self._folder):
                    return
            stop(self._place)
            _end_keeper(self._folder)


def start_embedded(data_dir: Path) -> EmbeddedServer:
    """The server of `data_dir` runs and this process is one of its users; the first use makes the cluster.

    Raises EmbeddedUnavailable, EmbeddedFailed, EmbeddedBusy, DataFolderUnusable or ClusterOutdated.
    """
    data_dir = data_dir.resolve()
    folder = control_folder(data_dir)
    with hold_gate(folder):
        users = _open(folder / "users")
        try:
            _check_same_machine(folder)
            fcntl.flock(users, fcntl.LOCK_SH)
            place = find_place(data_dir)
            ensure_cluster(place)
            running = ensure_running(place)
            _ensure_keeper(data_dir, folder)
        except BaseException:
            os.close(users)
            raise
    return EmbeddedServer(place, folder, users, running.dsn)


def find_embedded(data_dir: Path) -> Running | None:
    """The live server of `data_dir` without becoming its user, None when none runs."""
    if not (data_dir / "embedded").exists():
        return None
    return find_running(find_place(data_dir.resolve()))


def remove_embedded(data_dir: Path) -> None:
    """No cluster belongs to `data_dir` any more and its data are gone. Raises EmbeddedBusy while anybody uses it."""
    data_dir = data_dir.resolve()
    folder = data_dir / "embedded"
    if not folder.exists():
        return
    with hold_gate(folder):
        if is_used(folder):
            raise EmbeddedBusy(folder=data_dir, detail="a process still has it open")
        place = find_place(data_dir)
        stop(place)
        _end_keeper(folder)
        shutil.rmtree(place.home)
        shutil.rmtree(folder)


@contextlib.contextmanager
def hold_gate(folder: Path) -> Iterator[None]:
    """Nobody else starts or stops the server meanwhile. Raises EmbeddedBusy when that cannot be had."""
    gate = _open(folder / "gate")
    try:
        deadline = time.monotonic() + _GATE_SECONDS
        while not _lock(gate):
            if time.monotonic() > deadline:
                raise EmbeddedBusy(folder=folder.parent, detail="another process has been starting or stopping it")
            time.sleep(0.01)
        yield
    finally:
        os.close(gate)


def is_used(folder: Path) -> bool:
    """Whether any process, this one included, is a user of the server. Ask only while holding the gate."""
    return _is_held(folder / "users")


def _is_held(path: Path) -> bool:
    handle = _open(path)
    try:
        return not _lock(handle)
    finally:
        os.close(handle)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _check_same_machine(folder: Path) -> None:
    """The server's users see each other's processes, or EmbeddedBusy.

    Containers that share a folder share locks but no processes: two servers on one cluster would follow.
    """
    try:
        here = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return
    users = folder / "users"
    if is_used(folder):
        there = users.read_text()
        if there not in {"", here}:
            raise EmbeddedBusy(folder=folder.parent, detail="its user lives in another container")
    users.write_text(here)


def _ensure_keeper(data_dir: Path, folder: Path) -> None:
    if not _is_held(folder / "keeper"):
        # It forks and returns at once, so that no child of ours is left to wait for.
        words = [sys.executable, "-P", "-m", "castline.store.embedded.keeper", str(data_dir)]
        environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
        nowhere = subprocess.DEVNULL
        done = subprocess.run(  # noqa: S603  # our own module
            words, stdin=nowhere, stdout=nowhere, stderr=nowhere, cwd="/", env=environ, check=False
        )
        if done.returncode != 0:
            _log.warning("nobody looks after the embedded PostgreSQL: if castline is killed, the server stays")


def _end_keeper(folder: Path) -> None:
    keeper = folder / "keeper"
    if keeper.exists() and _is_held(keeper):
        with contextlib.suppress(ProcessLookupError, ValueError):
            os.kill(int(keeper.read_text()), signal.SIGTERM)
