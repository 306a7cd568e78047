"""What could not be landed waits where it lies, with a note beside it: since when, how often it was tried, and why.

It is tried again by itself, first soon and then every hour, and when somebody asks for it; nobody else's waits for it.
"""

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from traceback import extract_tb
from typing import Final

import msgspec
from polars.exceptions import PanicException

from castline.base.clock import now
from castline.base.errors import CastlineError, DatabaseUnavailable
from castline.base.text import printable
from castline.ingest.segment_log import LOG_FOLDER, READY
from castline.store.pool import RowsBusy, Store

_log = logging.getLogger(__name__)
SPLIT: Final = "split"
SUFFIX: Final = ".ndjson"
NOTE: Final = ".trouble"
# Whatever one account's data can raise; a library's panic is no Exception.
ANYTHING: Final = (Exception, PanicException)
_SOONEST: Final = timedelta(seconds=5)
_LATEST: Final = timedelta(hours=1)
_DOUBLINGS: Final = 10  # by then it is the latest
_LONGEST: Final = 500  # characters of a message


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why something waits, and what helps; `fix` is empty where nobody knows."""

    since: datetime
    tried_at: datetime
    try_count: int
    error: str
    detail: str
    fix: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """A file of the log that could not be landed: a whole segment, or one account's part of it."""

    path: str
    bytes: int
    trouble: Trouble


def try_landing(store: Store, path: Path, land: Callable[[], object]) -> bool:
    """Whether `land` landed the file; where it could not, the file waits with a note beside it.

    Where somebody else works on the account's rows, the file waits for the next drain only, and nothing is wrong.
    Raises DatabaseUnavailable where the database does not answer at all: then everything waits.
    """
    try:
        land()
    except RowsBusy:
        return False
    except ANYTHING as error:
        if is_away(store, error):
            raise
        _note(path, error)
        return False
    _note_of(path).unlink(missing_ok=True)
    return True


def drop_waiting(waiting: Waiting) -> None:
    """The file is gone, with its note."""
    path = Path(waiting.path)
    path.unlink(missing_ok=True)
    _note_of(path).unlink(missing_ok=True)


def is_away(store: Store, error: BaseException) -> bool:
    """Whether the error came because the database does not answer: an overlong key alone bears the same name."""
    if not isinstance(error, DatabaseUnavailable):
        return False
    try:
        with store.system():
            return False
    except CastlineError:
        return True


def is_due(path: Path, at: datetime) -> bool:
    """Whether the file is to be tried: it never was, or long enough ago."""
    trouble = _find_trouble(path)
    if trouble is None:
        return True
    wait: timedelta = min(_SOONEST * 2 ** min(trouble.try_count - 1, _DOUBLINGS), _LATEST)
    return at >= trouble.tried_at + wait


def load_waiting(data_dir: Path) -> list[Waiting]:
    """Whatever could not be landed, the longest waiting first."""
    folder = data_dir / LOG_FOLDER
    notes = [*folder.glob(f"*{READY}{NOTE}"), *folder.glob(f"{SPLIT}/*/*{NOTE}")]
    found = []
    for note in notes:
        path = note.with_suffix("")
        trouble = _find_trouble(path)
        with suppress(FileNotFoundError):  # landed meanwhile
            if trouble is not None:
                found.append(Waiting(str(path), path.stat().st_size, trouble))
    return sorted(found, key=lambda one: (one.trouble.since, one.path))


def _note(path: Path, error: BaseException) -> None:
    at, before = now(), _find_trouble(path)
    detail = error.message if isinstance(error, CastlineError) else f"{type(error).__name__}: {error}{_place(error)}"
    trouble = Trouble(
        since=before.since if before else at,
        tried_at=at,
        try_count=(before.try_count if before else 0) + 1,
        error=error.code if isinstance(error, CastlineError) else "unexpected",
        detail=printable(detail)[-_LONGEST:],
        fix=error.advice if isinstance(error, CastlineError) else "",
    )
    name = f"{path.parent.name}/{path.name}"
    _log.error("%s waits and is tried again: %s", name, trouble.detail)
    try:
        _save_trouble(path, trouble)
    except OSError as full:
        _log.error("%s waits without a note: %s", name, full)


def _place(error: BaseException) -> str:
    """The line of code that the error came from."""
    frames = extract_tb(error.__traceback__)
    return f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""


def _save_trouble(path: Path, trouble: Trouble) -> None:
    draft = path.with_name(f"{path.name}{NOTE}.draft")
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(file, "wb") as out:
        out.write(msgspec.json.encode(trouble))
    draft.rename(_note_of(path))


def _find_trouble(path: Path) -> Trouble | None:
    try:
        return msgspec.json.decode(_note_of(path).read_bytes(), type=Trouble)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def _note_of(path: Path) -> Path:
    return path.with_name(path.name + NOTE)
