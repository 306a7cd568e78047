"""Where logs lie: files, patterns, folders, buckets and standard input; each imported, once or as they come."""

import glob
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from io import BufferedReader
from pathlib import Path
from select import select
from tempfile import TemporaryDirectory
from threading import Event
from typing import BinaryIO, Final, TypeAlias
from uuid import UUID

from castline.base.errors import CastlineError, InvalidInput, SourceUnreadable
from castline.ingest.logs.landing import ImportOptions, LogImport, import_log, reading_of
from castline.ingest.logs.replay import import_again
from castline.sources.bucket import BucketObject, fetch_object, is_bucket_url, iter_objects
from castline.store.landing.log_objects import load_log_objects, save_log_object
from castline.store.pool import Store

# What programs call a file that they have not finished writing.
_UNFINISHED: Final = (".tmp", ".part", ".partial", ".crdownload", ".swp", "~")
_PATIENCE: Final = 6  # looks at which a file may have changed until it is taken nevertheless
_STREAM_BYTES: Final = 1024 * 1024
_LISTENING_SECONDS: Final = 0.2  # between two looks for an interrupt while a stream is silent
STDIN: Final = "-"


@dataclass(frozen=True, slots=True)
class Stream:
    """A log that comes through standard input, or another stream."""

    name: str = STDIN
    stream: BinaryIO = field(default_factory=lambda: sys.stdin.buffer, repr=False)

    def __str__(self) -> str:
        return self.name


Log: TypeAlias = Path | BucketObject | Stream


@dataclass(frozen=True, slots=True)
class LogTask:
    """How every log of some places is imported."""

    store: Store
    owner_id: UUID
    host: str | None = None
    options: ImportOptions = field(default_factory=ImportOptions)

    def import_one(self, log: Log) -> LogImport:
        """The log is imported. Raises what `import_log` raises, and SourceUnavailable for an object."""
        if isinstance(log, Path):
            if not log.is_fifo():
                return self._import(log, self.options)
            with _open_pipe(log) as stream:
                return self.import_one(Stream(str(log), stream))
        name = log.name if isinstance(log, Stream) else log.url
        with TemporaryDirectory(prefix="castline-log-") as folder:
            try:
                return self._import_copy(log, Path(folder), replace(self.options, source=name[-_NAME_LENGTH:]))
            except SourceUnreadable as error:
                # It is known by its own name, not by that of the copy.
                raise type(error)(**error.facts | {"source": name}) from error

    def _import_copy(self, log: BucketObject | Stream, folder: Path, options: ImportOptions) -> LogImport:
        if isinstance(log, Stream):
            return self._import(_save_stream(log, folder), options)
        facts = {"object": log.url, "object_tag": log.tag}
        done = self._import(fetch_object(log, folder), replace(options, facts=facts))
        if not done.is_new:  # the batch has the name and the tag that its content first came under
            with self.store.account(self.owner_id) as connection:
                save_log_object(connection, self.owner_id, done.batch_id, f"{log.url} {log.tag}")
        return done

    def _import(self, path: Path, options: ImportOptions) -> LogImport:
        if options.again:
            return import_again(self.store, self.owner_id, path, reading_of(self.store, path, self.host, options))
        return import_log(self.store, self.owner_id, path, host=self.host, options=options)


_NAME_LENGTH: Final = 255


def _open_pipe(path: Path) -> BinaryIO:
    """The pipe, once somebody writes to it. Raises SourceUnreadable."""
    try:
        return path.open("rb")
    except OSError as error:
        raise SourceUnreadable(source=path, detail=error.strerror or str(error)) from error


def _save_stream(log: Stream, folder: Path) -> Path:
    """What the stream gives is in a file: it is hashed before it is read, and can be read once only."""
    path, stream = folder / "stream", log.stream
    with path.open("wb") as file:
        while chunk := _read_some(stream):
            file.write(chunk)
    return path


def _read_some(stream: BinaryIO) -> bytes:
    """What the stream has by now; waits while it has nothing, and is empty at its end.

    A read that waits in the system hears of no interrupt: polars, once imported, has the system go on with it, and a
    signal may come to another thread. So it is begun only when there is something to read.
    """
    if isinstance(stream, BufferedReader):
        while not select([stream], [], [], _LISTENING_SECONDS)[0]:
            pass
        return stream.read1(_STREAM_BYTES)  # more than it buffers, so that it keeps nothing back
    return stream.read(_STREAM_BYTES)


def iter_logs(task: LogTask, places: Sequence[str]) -> Iterator[Log]:
    """Every log of the places, each once: objects that were imported before are left out.

    A folder gives the files at any depth but hidden and unfinished ones. Raises InvalidInput for a pattern that
    matches nothing.
    """
    seen: set[str] = set()
    for place in places:
        for log in _iter_place(task, place):
            if str(log) not in seen:
                seen.add(str(log))
                yield log


def _iter_place(task: LogTask, place: str) -> Iterator[Log]:
    if place == STDIN:
        if sys.stdin is None:
            raise InvalidInput(field="FILE", detail="standard input is closed, so there is nothing to read")
        return iter([Stream()])
    return _iter_new_objects(task, place) if is_bucket_url(place) else _iter_files(place)


def watch_logs(
    task: LogTask, places: Sequence[str], *, stop: Event, every_seconds: float = 10
) -> Iterator[LogImport | CastlineError]:
    """Imports every log as it comes, and yields what became of it, until `stop` is set.

    A file is taken when it has not changed between two looks, and one that never rests every so many looks. What was
    imported is known from the ledger, also by the next process; a log that failed is tried again when it changes.
    Raises InvalidInput for standard input and for a pipe.
    """
    for place in places:
        if place == STDIN or Path(place).is_fifo():
            what = "standard input" if place == STDIN else f"the pipe {place}"
            raise InvalidInput(field="FILE", detail=f"{what} is read once, to its end, so it cannot be watched")
    watch = _Watch(task)
    while not stop.is_set():
        for place in places:
            for done in watch.look_at(place):
                yield done
                if stop.is_set():
                    return
        watch.begin_anew()
        stop.wait(every_seconds)


@dataclass(slots=True)
class _Watch:
    """What was seen of the logs, by name: at this look, at the one before, when imported, and how often it changed."""

    task: LogTask
    now: dict[str, object] = field(default_factory=dict)
    before: dict[str, object] = field(default_factory=dict)
    done: dict[str, object] = field(default_factory=dict)
    restless: Counter[str] = field(default_factory=Counter)
    said: dict[str, str] = field(default_factory=dict)  # what is wrong with a place

    def look_at(self, place: str) -> Iterator[LogImport | CastlineError]:
        """Imports the place's logs that are due; what is wrong with the place itself is said once until it changes."""
        try:
            for log in iter_logs(self.task, [place]):
                if self._is_due(log):
                    mark = self.now[str(log)]
                    yield _try_import(self.task.import_one, log)
                    self.done[str(log)] = mark
                    self.restless[str(log)] = 0
            self.said.pop(place, None)
        except CastlineError as error:
            # A folder or a bucket that is not there now may be there at the next look.
            if self.said.get(place) != error.message:
                self.said[place] = error.message
                yield error

    def begin_anew(self) -> None:
        """The look that is through is the one before."""
        self.before, self.now = self.now, {}

    def _is_due(self, log: Log) -> bool:
        name, mark = str(log), _mark_of(log)
        rests = isinstance(log, BucketObject) or self.before.get(name) == mark
        if name not in self.now:  # two places may have it
            self.restless[name] += not rests
        self.now[name] = mark
        return mark is not None and self.done.get(name) != mark and (rests or self.restless[name] >= _PATIENCE)


def _try_import(import_one: Callable[[Log], LogImport], log: Log) -> LogImport | CastlineError:
    try:
        return import_one(log)
    except CastlineError as error:
        return error


def _mark_of(log: Log) -> object:
    """What changes when the log does; None for a file that is gone or empty."""
    if isinstance(log, BucketObject):
        return log.tag
    if isinstance(log, Stream):
        return log.name
    try:
        facts = log.stat()
    except OSError:
        return None
    return (facts.st_size, facts.st_mtime_ns, facts.st_ino) if facts.st_size else None


def _iter_files(place: str) -> Iterator[Path]:
    path = Path(place)
    if path.is_dir():
        yield from (found for found in sorted(path.rglob("*")) if _is_log(found, path))
    elif not path.exists() and glob.has_magic(place):
        found = sorted(Path(name) for name in glob.glob(place, recursive=True))  # noqa: PTH207  # it knows absolute ones
        if not found:
            raise InvalidInput(field="FILE", detail=f"no file matches {place!r}")
        yield from (one for one in found if one.is_file())
    else:
        # A file that is not there is named by whoever opens it.
        yield path


def _is_log(path: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return not hidden and not path.name.endswith(_UNFINISHED) and path.is_file()


def _iter_new_objects(task: LogTask, url: str) -> Iterator[BucketObject]:
    with task.store.account(task.owner_id) as connection:
        known = load_log_objects(connection, task.owner_id, url)
    yield from (item for item in iter_objects(url) if f"{item.url} {item.tag}" not in known)
