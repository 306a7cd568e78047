"""`python -m castline.store.embedded.keeper DATA_DIR`: looks after the embedded server for users that cannot.

While the server has users, a killed postmaster is started again; when the last user was killed, the server is stopped.
"""

import fcntl
import os
import sys
import time
from pathlib import Path
from typing import Final

from castline.base.errors import CastlineError
from castline.store.embedded.cluster import ensure_running, stop
from castline.store.embedded.place import find_place
from castline.store.embedded.server import hold_gate, is_used

_LOOK_SECONDS: Final = 0.5
_REST_SECONDS: Final = 60.0  # at most, between two attempts to start a server that does not want to


def keep(data_dir: Path) -> None:
    """The server of `data_dir` has no users any more and is stopped, or another keeper looks after it."""
    folder = data_dir / "embedded"
    keeper = os.open(folder / "keeper", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(keeper, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    os.truncate(keeper, 0)
    os.write(keeper, str(os.getpid()).encode())
    pause = _LOOK_SECONDS
    while folder.exists():
        time.sleep(pause)
        try:
            if not _look_after(data_dir, keeper):
                return
            pause = _LOOK_SECONDS
        except (CastlineError, OSError):
            pause = min(pause * 2, _REST_SECONDS)


def _look_after(data_dir: Path, keeper: int) -> bool:
    """Whether the server is still needed; if so it runs, if not it is stopped and `keeper` is closed."""
    folder = data_dir / "embedded"
    with hold_gate(folder):
        place = find_place(data_dir)
        if is_used(folder):
            ensure_running(place)
            return True
        stop(place)
        # Closed while the gate is held: whoever passes it next must see that there is no keeper.
        os.close(keeper)
        return False


def main() -> None:
    """The keeper runs on its own; the process that was asked to start it has returned."""
    if os.fork() == 0:
        os.setsid()
        keep(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
