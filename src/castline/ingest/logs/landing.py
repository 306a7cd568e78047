"""Access logs into the landing zone: each file once, every line landed or refused, the address itself left behind."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Final
from uuid import UUID

import polars as pl

from castline.base.ahead import read_ahead
from castline.base.clock import now
from castline.base.config import IpPrivacy
from castline.base.errors import Conflict, SourceUnreadable
from castline.base.text import printable
from castline.ingest.logs.growth import LogName, Looked, describe_content, is_overtaken, look_for_beginning
from castline.ingest.logs.locator import Assumed, Delivery, Locator
from castline.ingest.logs.opened import OpenedLog, open_log
from castline.ingest.logs.within import ReadLog, find_longer
from castline.ingest.places import truncate_ip, try_pack_address
from castline.model.lineage import Batch, DatasetUse, Drop
from castline.sources.logs.file import LogFile
from castline.sources.logs.reading import ReadAs, iter_requests
from castline.sources.logs.rows import REFUSED_SCHEMA
from castline.sources.logs.table import LOG_FORMATS, find_format
from castline.store.landing.files import Landing, decode_parts, encode_parts, landing_place, open_landing
from castline.store.listening.downloads import LOG_KIND, find_log_by_file, hold_log_beginning, mark_dirty_days
from castline.store.pool import Store
from castline.store.provenance.ledger import OpenRun, find_batch, mark_lines_replayed, open_run, save_batch
from castline.store.provenance.withdrawn_logs import count_withdrawn

_REFUSED_LINES: Final = 1_000_000  # a file with more, and fewer requests, is of another format or damaged
_V4: Final = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?!\.?\d)")
_V6: Final = re.compile(r"[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*")
# RFC 9562, section 5.8: version 8 and the variant, by their places in the number.
_UUID_MARKS: Final = 0xF << 76 | 0b11 << 62
_UUID_8: Final = 8 << 76 | 0b10 << 62
Report = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class LogImport:
    """What became of one log: received = landed + refused, over lines that are not blank.

    `is_new` is False for a file whose content was imported before; nothing changed then.
    """

    source: str
    batch_id: UUID
    is_new: bool
    received_count: int
    landed_count: int
    refused_count: int
    refused_by_reason: dict[str, int]
    first_at: datetime | None
    last_at: datetime | None
    days: tuple[date, ...]
    problem: str | None
    log_format: str | None


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How a log is to be read: without a format it is found out; `report` is told the lines read so far.

    `source` is what the ledger calls it, by default the file's name; `delivery` holds for logs that do not tell it;
    `facts` are kept with the batch. `again` tries the refused lines of a log that was imported before once more. `tz`
    is the zone of times that name none.
    """

    log_format: str | None = None
    trust_forwarded: bool = False
    delivery: Delivery = "file"
    report: Report | None = None
    source: str | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    again: bool = False
    tz: str = "UTC"


_DEFAULT: Final = ImportOptions()


def import_log(
    store: Store, owner_id: UUID, path: Path, *, host: str | None = None, options: ImportOptions = _DEFAULT
) -> LogImport:
    """The log's requests are in the landing zone and its days wait to be measured; the same content is taken once.

    `host` stands for the host of lines that name none. Raises NotAnAccessLog, SourceUnreadable, InvalidInput.
    """
    reading = reading_of(store, path, host, options)
    # Whoever was overtaken reads again, from the end of what the other process has landed meanwhile.
    done: LogImport | None = None
    while done is None:
        with open_log(path, reading.read_as.log_format) as log:
            done = import_opened(store, owner_id, log, reading)
    return done


def import_opened(store: Store, owner_id: UUID, log: OpenedLog, reading: "Reading") -> LogImport | None:
    """What `import_log` says of a log that is open; None where it is to be opened and read again."""
    file_hash = log.compute_hash()
    with store.account(owner_id) as connection:
        known = find_log_by_file(connection, owner_id, file_hash)
    if known is not None:
        return _tell_difference(_result(known, is_new=False, source=reading.source), known, reading)
    try:
        return _import_new(store, owner_id, log, file_hash, reading)
    except Conflict:
        # Another process finished the same content first: its batch is ours too.
        with store.account(owner_id) as connection:
            known = find_log_by_file(connection, owner_id, file_hash)
        if known is None:
            raise
        return _result(known, is_new=False, source=reading.source)


@dataclass(frozen=True, slots=True)
class Reading:
    """How a log is read, and what its batch is called."""

    source: str
    read_as: ReadAs
    assumed: Assumed
    options: ImportOptions

    def zone_of(self, format_name: str | None) -> str:
        """The zone of times that name none in a log of that format; of several, it is that of the first."""
        first = (format_name or "").partition(", ")[0]
        found = next((one for one in LOG_FORMATS if one.name == first), None)
        return self.options.tz if found is None else self.read_as.zone_of(found)

    def parameters(self, file: LogFile) -> dict[str, object]:
        """What the ledger keeps of it."""
        return {
            "file": self.source,
            "host": self.assumed.host,
            "format": file.format_name,
            "trust_forwarded": self.options.trust_forwarded,
            "delivery": self.assumed.delivery,
            "tz": self.options.tz,
        }


def reading_of(store: Store, path: Path, host: str | None, options: ImportOptions) -> Reading:
    """What the options say of reading the log. Raises InvalidInput for a format that is none."""
    log_format = None if options.log_format is None else find_format(options.log_format)
    return Reading(
        source=options.source or printable(path.name),
        read_as=ReadAs(log_format, options.trust_forwarded, store.settings.trusted_proxies, options.tz),
        assumed=Assumed(host.lower() if host else None, options.delivery),
        options=options,
    )


@dataclass(slots=True)
class Tally:
    """What has been read of the file so far."""

    landed: int = 0
    refused: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None

    def add(self, requests: pl.DataFrame) -> None:
        """The requests are counted."""
        if requests.is_empty():
            return
        first, last = requests["time"].min(), requests["time"].max()
        if not isinstance(first, datetime) or not isinstance(last, datetime):
            raise TypeError(first)
        self.landed += requests.height
        self.first_at = min(first, self.first_at or first)
        self.last_at = max(last, self.last_at or last)


def _import_new(store: Store, owner_id: UUID, log: OpenedLog, file_hash: str, reading: Reading) -> LogImport | None:
    """What became of the log; None, and nothing landed, where it is to be read again from elsewhere.

    Another process has landed more of it meanwhile, or it was emptied.
    """
    tally, name = Tally(), LogName.of(log, reading.source)
    with store.account(owner_id) as connection:
        looked = look_for_beginning(connection, owner_id, name)
    with open_landing(store.settings.landing_dir, owner_id, LOG_KIND) as landing:
        file = log.read_anew()
        drops = _read(store, owner_id, file, reading, _Target(landing, tally, looked.line_count))
        with open_run(store, owner_id, "log.import", parameters=reading.parameters(file)) as run:
            hold_log_beginning(run.connection, owner_id, name.first_line)
            known = find_batch(run.connection, owner_id, LOG_KIND, file.content_hash)
            if known is not None:
                run.count("already_imported")
                return _result(known, is_new=False, source=reading.source)
            if looked.line_count and log.was_emptied_under(file):  # the lines left out may be others
                run.count("emptied")
                return None
            if is_overtaken(run.connection, owner_id, name, looked):
                run.count("overtaken")
                return None
            read = ReadLog(file, name, landing, drops, tally.first_at, looked)
            if (longer := find_longer(run.connection, owner_id, store.settings.landing_dir, read)) is not None:
                drops, tally, looked = drops.clear(), Tally(), longer
                landing.discard()
            batch = make_batch(run, reading.source, file.content_hash, tally, landing)
            if file.problem:
                batch.metadata["problem"] = file.problem
            batch.metadata.update(reading.options.facts, host=reading.assumed.host, format=file.format_name)
            if log.is_unchanged():  # else what was read is not what was hashed
                batch.metadata["file_hash"] = file_hash
            batch.metadata.update(tz=reading.zone_of(file.format_name))
            batch.metadata.update(describe_content(name, file, drops["line_number"].tail(1).to_list()))
            batch.metadata.update(looked.facts)
            landing.publish(batch.batch_id)
            _save(run, batch, drops, landing)
            _supersede(run, looked)
    return _result(batch, is_new=True, source=reading.source)


@dataclass(frozen=True, slots=True)
class _Target:
    """Where what is read goes, and the line behind which it begins."""

    landing: Landing
    tally: Tally
    after_line: int


def _read(store: Store, owner_id: UUID, file: LogFile, reading: Reading, target: _Target) -> pl.DataFrame:
    """The lines that are no requests, in order; the requests lie in the draft. Raises SourceUnreadable."""
    tally, refused = target.tally, [REFUSED_SCHEMA.to_frame()]
    locator = Locator(store.settings, owner_id, reading.assumed)
    requests_of = iter_requests(file, now_at=now(), read_as=reading.read_as, after_line=target.after_line)
    with closing(read_ahead(requests_of)) as blocks:
        for block in blocks:
            requests, strange = locator.locate(block)
            target.landing.add(requests)
            tally.add(requests)
            fresh = pl.concat([block.refused, strange])
            tally.refused += fresh.height
            if tally.refused > max(_REFUSED_LINES, tally.landed):
                raise SourceUnreadable(
                    source=file.path, detail=f"{tally.refused:,} lines fit no format: name it by --format"
                )
            refused.append(_masked(fresh, store.settings.ip_privacy))
            if reading.options.report:
                reading.options.report(tally.landed + tally.refused)
    return pl.concat(refused).sort("line_number")


def _supersede(run: OpenRun, looked: Looked) -> None:
    """Last lines that were under way at an earlier import do not wait any more: they were read anew, with their end."""
    for batch_id, line_number in looked.open_lines.items():
        mark_lines_replayed(run, batch_id, [line_number])


def _masked(refused: pl.DataFrame, privacy: IpPrivacy) -> pl.DataFrame:
    """The refused lines with their addresses cut as the setting says."""
    if privacy == "full" or refused.is_empty():
        return refused
    return refused.with_columns(
        pl.Series(name, [_mask(text, privacy) for text in refused[name]], dtype=pl.String)
        for name in ("payload", "detail")
    )


def _mask(text: str, privacy: IpPrivacy) -> str:
    def cut(found: re.Match[str]) -> str:
        return (truncate_ip(found[0], privacy) or "-") if try_pack_address(found[0]) else found[0]

    return _V4.sub(cut, _V6.sub(cut, text))


def name_batch(owner_id: UUID, content_hash: bytes, withdrawn_count: int = 0) -> UUID:
    """The batch's id; it follows from account and content, so that a second try writes the same files.

    Content that was withdrawn so many times is another batch each time.
    """
    identity = blake2b(
        owner_id.bytes + content_hash + bytes(withdrawn_count), digest_size=16, person=b"castline-log"
    ).digest()
    return UUID(int=int.from_bytes(identity) & ~_UUID_MARKS | _UUID_8)


def make_batch(run: OpenRun, source: str, content_hash: bytes, tally: Tally, landing: Landing) -> Batch:
    """The batch of what was read of a log and lies in the draft."""
    return Batch(
        batch_id=name_batch(run.owner_id, content_hash, count_withdrawn(run.connection, run.owner_id, content_hash)),
        user_id=run.owner_id,
        run_id=run.run_id,
        kind=LOG_KIND,
        source=source,
        content_hash=content_hash,
        landed_as=landing_place(run.owner_id, LOG_KIND),
        received_count=tally.landed + tally.refused,
        accepted_count=tally.landed,
        refused_count=tally.refused,
        first_at=tally.first_at,
        last_at=tally.last_at,
        created_at=now(),
        metadata={"parts": encode_parts(landing.parts)},
    )


def _save(run: OpenRun, batch: Batch, drops: pl.DataFrame, landing: Landing) -> None:
    reasons = {str(reason): int(count) for reason, count in drops["reason"].value_counts().iter_rows()}
    batch.metadata["refused"] = reasons
    save_batch(run, batch, _iter_drops(drops))
    days = {part.day_on for part in landing.parts}
    if days:
        mark_dirty_days(run.connection, run.owner_id, sorted(days))
    run.count("received", batch.received_count)
    run.count("landed", batch.accepted_count)
    run.count("refused", batch.refused_count)
    for reason, count in reasons.items():
        run.count(f"refused_{reason}", count)
    span = (batch.first_at, batch.last_at)
    run.uses = [
        DatasetUse("input", "access_log", batch.source, batch.received_count, batch.content_hash, *span),
        DatasetUse("output", "landing_requests", str(batch.batch_id), batch.accepted_count, None, *span),
        DatasetUse("output", "quarantine", str(batch.batch_id), batch.refused_count),
    ]
    run.watermark_at = batch.last_at


def _iter_drops(drops: pl.DataFrame) -> Iterator[Drop]:
    for line_number, reason, detail, payload in drops.iter_rows():
        yield Drop(line_number, reason, detail, payload)


def _tell_difference(done: LogImport, known: Batch, reading: Reading) -> LogImport:
    """The result, with a problem where the log was imported under another format or zone than is asked for now."""
    asked, had = reading.options.log_format, str(known.metadata.get("format"))
    stored = str(known.metadata.get("tz", "UTC"))
    if asked is not None and asked not in (had, *had.split(", ")):
        problem = f"it was imported before as {had}, and its requests stay as they were read then"
    elif stored != reading.zone_of(known.metadata.get("format")):
        problem = f"it was imported before with --tz {stored}, and its times stay as they were read then"
    else:
        return done
    return replace(done, problem=f"{problem}; `castline batch withdraw {str(known.batch_id)[:8]}` takes it back")


def _result(batch: Batch, *, is_new: bool, source: str) -> LogImport:
    days = sorted({part.day_on for part in decode_parts(batch)})
    return LogImport(
        source=source,
        batch_id=batch.batch_id,
        is_new=is_new,
        received_count=batch.received_count,
        landed_count=batch.accepted_count,
        refused_count=batch.refused_count,
        refused_by_reason=dict(batch.metadata.get("refused", {})),
        first_at=batch.first_at,
        last_at=batch.last_at,
        days=tuple(days),
        problem=batch.metadata.get("problem"),
        log_format=batch.metadata.get("format"),
    )
