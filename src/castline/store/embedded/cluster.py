"""One PostgreSQL cluster of our own: made, started, found, stopped. Callers hold the server's gate."""

import contextlib
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from castline.base.errors import Terminal
from castline.store.embedded.place import EmbeddedUnavailable, Place

DATABASE: Final = "castline"
ROLE: Final = "castline"
_SUPERUSER: Final = "postgres"
_SOCKET_LIMIT: Final = 107 - len("/.s.PGSQL.5432")  # sun_path holds 108 bytes, the last one zero
_LOG_LIMIT_BYTES: Final = 10_000_000
_START_SECONDS: Final = 300  # recovery after a crash may replay max_wal_size
_ORPHAN_SECONDS: Final = 30  # how long the children of a killed postmaster may take to notice
_STOP_SECONDS: Final = 60
_ANSWER_SECONDS: Final = 5
# The only message that PostgreSQL answers before it knows who asks: length and code, and N or S comes back.
_SSL_REQUEST: Final = struct.pack("!ii", 8, 80877103)
_SMALL_SHARED_MEMORY_BYTES: Final = 512_000_000

_SETTINGS: Final = """\
# Written by castline at every start; put your own settings into postgresql.conf below the include.
listen_addresses = ''
unix_socket_directories = '{socket}'
unix_socket_permissions = 0700
max_connections = 60
client_connection_check_interval = 5s
shared_buffers = 256MB
effective_cache_size = 1GB
work_mem = 32MB
maintenance_work_mem = 128MB
max_wal_size = 2GB
checkpoint_timeout = 15min
wal_compression = on
wal_level = minimal
max_wal_senders = 0
random_page_cost = 1.1
jit = off
dynamic_shared_memory_type = {shared_memory}
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %q%u/%a '
lc_messages = 'C'
cluster_name = 'castline'
"""

# In single-user mode a statement ends with its line.
_BOOTSTRAP: Final = f"""\
create role {ROLE} login nosuperuser createrole;
create database {DATABASE} owner {ROLE};
revoke all on database {DATABASE} from public;
"""


class EmbeddedFailed(Terminal):
    """castline's own PostgreSQL did not {action}: {detail}"""

    fix = "Its log is {log}; `castline doctor` checks each step. DATABASE_URL uses another server instead."


class ClusterOutdated(Terminal):
    """The data in {folder} were written by PostgreSQL {found}; the installed server is version {needed}."""

    fix = "Install the castline version that wrote them, `pg_dump` the database, and load it into a new data folder."


@dataclass(frozen=True, slots=True)
class Running:
    """A live postmaster as its pid file describes it."""

    pid: int
    socket_folder: Path
    port: int
    status: str

    @property
    def dsn(self) -> str:
        """The libpq address of castline's database on this server."""
        return f"postgresql://{ROLE}@/{DATABASE}?host={quote(str(self.socket_folder), safe='')}&port={self.port}"


def ensure_cluster(place: Place) -> None:
    """`place.data` holds a whole cluster with castline's role and database; a half-made one never appears there."""
    if place.data.exists():
        return
    fresh = place.home / "data.new"
    if fresh.exists():
        shutil.rmtree(fresh)
    _initialise(place, fresh)
    _demand(place, ["postgres", "--single", "-D", str(fresh), "-c", "exit_on_error=on", "postgres"], _BOOTSTRAP)
    with (fresh / "postgresql.conf").open("a") as lines:
        lines.write("\ninclude 'castline.conf'\n")
    fresh.rename(place.data)


def _initialise(place: Place, fresh: Path) -> None:
    words = ["initdb", f"--pgdata={fresh}", f"--username={_SUPERUSER}", "--auth=peer", "--no-instructions"]
    # Code point order and Unicode case mapping, the same on every machine, without ICU (the wheel has none).
    words += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--encoding=UTF8"]
    # pg_trgm asks the C library what a letter is: with plain C it would know no Arabic or Japanese word.
    if _run(place, [*words, "--lc-ctype=C.UTF-8"]).returncode != 0:
        _demand(place, words)  # a C library without C.UTF-8


def ensure_running(place: Place) -> Running:
    """A server on `place` that takes connections: the one that runs, or a new one; a dying one is waited for."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        running = find_running(place)
        if running is None:
            _launch(place)
        elif running.status == "ready" and _answers(running):
            return running
        else:
            time.sleep(0.02)
    raise EmbeddedFailed(action="start", detail=f"not ready after {_START_SECONDS} s", log=place.log)


def find_running(place: Place) -> Running | None:
    """The live server of `place`, whatever its state; a pid file that names anything else counts for nothing."""
    try:
        lines = (place.data / "postmaster.pid").read_text().splitlines()
        # Line by line: pid, data folder, start time, port, socket folder, address, shared memory, state.
        pid, port, socket_folder = int(lines[0]), int(lines[3]), Path(lines[4])
    except (FileNotFoundError, NotADirectoryError, IndexError, ValueError):
        return _find_starting(place)
    if not _serves(pid, place.data):
        return None
    status = lines[7].strip() if len(lines) > 7 else "starting"  # noqa: PLR2004  # the eighth line, see above
    return Running(pid, socket_folder, port, status)


def _answers(running: Running) -> bool:
    """A process that was killed a moment ago still looks alive, and its socket still takes connections."""
    try:
        with socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(_ANSWER_SECONDS)
            asking.connect(str(running.socket_folder / f".s.PGSQL.{running.port}"))
            asking.sendall(_SSL_REQUEST)
            return asking.recv(1) in {b"N", b"S"}
    except OSError:
        return False


def _find_starting(place: Place) -> Running | None:
    """A postmaster writes its pid file in pieces: the first line alone may be there for a moment."""
    try:
        pid = int((place.data / "postmaster.pid").read_text().splitlines()[0])
    except (FileNotFoundError, NotADirectoryError, IndexError, ValueError):
        return None
    return Running(pid, place.home, 0, "starting") if _serves(pid, place.data) else None


def stop(place: Place) -> None:
    """No server runs on `place`; connections are cut, data are safe."""
    running = find_running(place)
    if running is None:
        return
    done = _run(
        place, ["pg_ctl", "stop", "--silent", f"--pgdata={place.data}", "--mode=fast", f"--timeout={_STOP_SECONDS}"]
    )
    if done.returncode != 0 and find_running(place) is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(running.pid, signal.SIGQUIT)  # what `pg_ctl --mode=immediate` sends: recovery at the next start
    _wait_until_gone(place, running)
    if running.socket_folder.parent != place.home and running.socket_folder.name.startswith("castline-"):
        shutil.rmtree(running.socket_folder, ignore_errors=True)


def _wait_until_gone(place: Place, running: Running) -> None:
    deadline = time.monotonic() + _STOP_SECONDS
    while _serves(running.pid, place.data):
        if time.monotonic() > deadline:
            raise EmbeddedFailed(action="stop", detail=f"process {running.pid} is still there", log=place.log)
        time.sleep(0.01)


def _launch(place: Place) -> None:
    """The server was started and is ready, or still recovering. Raises EmbeddedFailed with what its log says."""
    _check_version(place)
    _rotate(place.log)
    _write_settings(place)
    deadline = time.monotonic() + _ORPHAN_SECONDS
    while True:
        # Nobody alive is behind these (find_running looked), but a zombie or a reused number would stop PostgreSQL.
        for stale in (place.data / "postmaster.pid", *(place.home / "run").glob(".s.PGSQL.*")):
            stale.unlink(missing_ok=True)
        begin = place.log.stat().st_size if place.log.exists() else 0
        done = _run(
            place, ["pg_ctl", "start", "--silent", f"--pgdata={place.data}", f"--log={place.log}", "--timeout=60"]
        )
        if done.returncode == 0 or find_running(place) is not None:
            return
        said = _tail(place.log, begin) or (done.stderr + done.stdout).strip()
        # The children of a killed postmaster hold its shared memory until they notice.
        if "still in use" not in said or time.monotonic() > deadline:
            raise EmbeddedFailed(action="start", detail=said, log=place.log)
        time.sleep(0.1)


def _serves(pid: int, data: Path) -> bool:
    """Whether the process is alive, no zombie, and has the data folder in its command line."""
    process = Path("/proc") / str(pid)
    if not Path("/proc/self/stat").exists():
        return _serves_without_proc(pid, data)
    try:
        state = (process / "stat").read_text().rpartition(")")[2].split()[0]
        words = (process / "cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False
    return state not in {"Z", "X"} and os.fsencode(data) in words


def _serves_without_proc(pid: int, data: Path) -> bool:
    done = subprocess.run(  # noqa: S603  # a fixed program and a number
        ["/bin/ps", "-ww", "-o", "stat=,command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return done.returncode == 0 and not done.stdout.startswith("Z") and str(data) in done.stdout


def _check_version(place: Place) -> None:
    found = (place.data / "PG_VERSION").read_text().strip()
    needed = _run(place, ["postgres", "--version"]).stdout.split()[-1]
    if needed.split(".")[0] != found:
        raise ClusterOutdated(folder=place.data, found=found, needed=needed)


def _write_settings(place: Place) -> None:
    sockets = place.home / "run"
    if len(os.fsencode(sockets)) > _SOCKET_LIMIT:
        sockets = Path(tempfile.mkdtemp(prefix="castline-", dir="/tmp"))  # short, and mkdtemp makes it 0700
    sockets.mkdir(mode=0o700, exist_ok=True)
    _give(sockets, place)
    shared_memory = "posix" if _has_shared_memory() else "mmap"
    settings = _SETTINGS.format(socket=str(sockets).replace("'", "''"), shared_memory=shared_memory)
    _write(place, "castline.conf", settings)
    # Peer: the kernel says who is at the other end of the socket. Root and the owner could read the files anyway.
    _write(place, "pg_hba.conf", "local all all peer map=castline\n")
    users = sorted({"root", place.owner.pw_name})
    _write(
        place, "pg_ident.conf", "".join(f'castline "{user}" {role}\n' for user in users for role in (ROLE, _SUPERUSER))
    )


def _has_shared_memory() -> bool:
    """Containers often have 64 MB of /dev/shm, which one parallel query can fill."""
    try:
        room = os.statvfs("/dev/shm")  # noqa: S108  # asked for its size only
    except OSError:
        return False
    return room.f_frsize * room.f_blocks >= _SMALL_SHARED_MEMORY_BYTES


def _write(place: Place, name: str, text: str) -> None:
    """Replace, never write through: the folder belongs to the server's user, and root must not follow its links."""
    handle, partial = tempfile.mkstemp(dir=place.data, prefix=f"{name}.")
    with os.fdopen(handle, "w") as file:
        file.write(text)
    _give(Path(partial), place)
    Path(partial).rename(place.data / name)


def _give(path: Path, place: Place) -> None:
    if os.geteuid() == 0:
        os.chown(path, place.owner.pw_uid, place.owner.pw_gid, follow_symlinks=False)


def _rotate(log: Path) -> None:
    if log.exists() and log.stat().st_size > _LOG_LIMIT_BYTES:
        log.rename(log.with_name(f"{log.name}.1"))


def _tail(log: Path, begin: int) -> str:
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(begin)
        text = file.read().decode(errors="replace")
    return " ".join(line for line in text.splitlines() if "FATAL" in line or "HINT" in line or "could not" in line)


def _demand(place: Place, words: list[str], stdin: str = "") -> None:
    done = _run(place, words, stdin)
    if done.returncode != 0:
        raise EmbeddedFailed(action="initialise", detail=(done.stderr + done.stdout).strip(), log=place.log)


def _run(place: Place, words: list[str], stdin: str = "") -> subprocess.CompletedProcess[str]:
    """The program ran as the cluster's owner, knowing nothing of our environment."""
    is_root = os.geteuid() == 0
    try:
        return subprocess.run(  # noqa: S603  # programs of the wheel, words of ours
            [place.programs / words[0], *words[1:]],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
            umask=0o077,
            user=place.owner.pw_uid if is_root else None,
            group=place.owner.pw_gid if is_root else None,
            extra_groups=[] if is_root else None,
        )
    except OSError as error:
        detail = f"{place.programs / words[0]} cannot run as {place.owner.pw_name}: {error.strerror}"
        raise EmbeddedUnavailable(detail=detail) from error
