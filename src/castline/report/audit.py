"""The audit pack: how was counted, by which rules, what became of every request, and what changed since.

PTM v2.3, step 5. A function of the stored data alone: the same data give the same bytes. Nothing in it tells of a
listener: no address, no key, no user agent.
"""

import csv
import io
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from hashlib import sha256
from math import sqrt
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final
from uuid import UUID
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import msgspec

from castline import __version__
from castline.base.errors import Conflict
from castline.base.period import Period
from castline.measure.conformance import VectorResult, check_vectors
from castline.measure.days import Sources
from castline.measure.figures.query import run_query
from castline.measure.landed_days import LandedDays
from castline.measure.methodology import render_method
from castline.measure.rules.matching import load_index
from castline.measure.rules.table import Rulebook, open_rulebook
from castline.measure.trace import TracedLine, find_untraced, trace_downloads
from castline.model.measurement import MeasureSettings, Restatement
from castline.model.query import ask_days
from castline.model.show import Podcast
from castline.report.formats.csv import guard_formula
from castline.store.entities.shows import load_podcasts
from castline.store.pool import Connection, Store
from castline.store.provenance.audit import (
    AuditedBatch,
    AuditedRun,
    MonthlyCount,
    SampledDownload,
    load_audited_batches,
    load_audited_runs,
    load_monthly_waterfall,
    sample_downloads,
)
from castline.store.provenance.evidence import load_evidence
from castline.store.provenance.measure_settings import (
    DayVersion,
    load_adoptions,
    load_day_versions,
    load_live_settings,
    load_stretches,
)
from castline.store.provenance.restatements import load_restatements

_HOLDS: Final = {
    "anomalies.csv": "Days of a show that lie beyond five robust deviations of the four weeks around them.",
    "behaviour.csv": "What was dropped because it behaves as no people do: what was found, against which limits.",
    "batches.csv": "What was delivered: received = accepted + refused, and judged = accepted;"
    " content_hash is the SHA-256 of the unpacked file, up to the batch's last line.",
    "methodology.md": "How downloads are counted, from the settings in use.",
    "restatements.csv": "What changed on days that were final, with its cause.",
    "runs.csv": "The runs behind the figures, with the versions of all that decided.",
    "sample_lines.csv": "Every request of the samples' windows: batch, line, verdict, SHA-256 of the landed row.",
    "samples.csv": "Downloads chosen by the least hashes of their ids, and whether their lines were found.",
    "settings.json": "The settings in use, all that were adopted with their reasons, and which days stand under which.",
    "vectors.csv": "Conformance vectors: how requests must end by their rule, and how they end here.",
    "versions.csv": "The versions of rules, tables and settings by which each day was judged.",
    "waterfall.csv": "Requests by month, show, verdict and reason.",
}
SAMPLE_COUNT: Final = 25
# A day is out of bounds when it differs from the median of the days around it by more than so many robust deviations.
_ROBUST_DEVIATIONS: Final = 5.0
# The median absolute deviation of a normal distribution, as a share of its standard deviation.
_MAD_OF_NORMAL: Final = 0.6745
_AROUND_DAYS: Final = 28
_LEAST_DAYS: Final = 7


@dataclass(frozen=True, slots=True)
class Anomaly:
    """A show's day whose downloads lie beyond what the days around it lead to expect."""

    day_on: date
    show: str
    downloads: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class AuditedSuspect:
    """Evidence of behaviour without what tells who it was."""

    day_on: date
    reason: str
    asn: int | None
    address_count: int
    request_count: int
    download_count: int
    measured: Mapping[str, object]
    limits: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class AuditedDownload:
    """A sampled download, and whether the lines it came from were found."""

    event_id: UUID
    timestamp: datetime
    show: str
    episode: str
    platform: str | None
    country_code: str | None
    run_id: UUID
    is_traced: bool


@dataclass(frozen=True, slots=True)
class Findings:
    """What the pack says in short; `unaccounted_batches` have other numbers of verdicts than of requests."""

    vectors_passed: int
    vector_count: int
    unaccounted_batches: int
    sample_count: int
    untraced_downloads: int
    restatement_count: int
    anomaly_count: int


@dataclass(frozen=True, slots=True)
class AuditPack:
    """The pack's files by name, the manifest last."""

    files: Mapping[str, bytes]
    findings: Findings


def build_audit(store: Store, owner_id: UUID, period: Period) -> AuditPack:
    """The pack on the period's UTC days. Raises LandingFileMissing."""
    with store.account(owner_id) as connection:
        book = open_rulebook(store.settings, load_live_settings(connection, owner_id))
        days = load_day_versions(connection, owner_id, period)
        samples = sample_downloads(connection, owner_id, period, SAMPLE_COUNT)
        lines = _trace(store, connection, owner_id, samples)
        batches = load_audited_batches(connection, owner_id, period)
        restated = load_restatements(connection, owner_id, period)
        anomalies = _find_anomalies(connection, owner_id, period)
        files = {
            "methodology.md": render_method(book, load_stretches(connection, owner_id)).encode(),
            "settings.json": _settings(connection, owner_id, book),
            "versions.csv": render_rows(DayVersion, days),
            "waterfall.csv": render_rows(MonthlyCount, load_monthly_waterfall(connection, owner_id, period)),
            "batches.csv": render_rows(AuditedBatch, batches),
            "restatements.csv": render_rows(Restatement, restated),
            "anomalies.csv": render_rows(Anomaly, anomalies),
            "behaviour.csv": _suspects(connection, owner_id, period),
            "runs.csv": render_rows(AuditedRun, load_audited_runs(connection, owner_id, period)),
        }
    vectors = check_vectors(store.settings)
    untraced = {sample.event_id for sample in find_untraced(samples, lines)}
    files |= {
        "vectors.csv": render_rows(VectorResult, vectors),
        "samples.csv": render_rows(AuditedDownload, [_audited(sample, untraced) for sample in samples]),
        "sample_lines.csv": render_rows(TracedLine, lines),
    }
    found = Findings(
        sum(vector.found == vector.expected for vector in vectors),
        len(vectors),
        sum(batch.accepted_count != batch.judged_count for batch in batches),
        len(samples),
        len(untraced),
        len(restated),
        len(anomalies),
    )
    return AuditPack(_sealed(files, found, period), found)


def _trace(
    store: Store, connection: Connection, owner_id: UUID, samples: Sequence[SampledDownload]
) -> list[TracedLine]:
    """Each download by the settings that its day stands under, as far as these are known."""
    known = {item.version: item.settings for item in load_adoptions(connection, owner_id)}
    known.setdefault(MeasureSettings().version, MeasureSettings())
    stands = {item.day_on: item.settings_version for item in load_day_versions(connection, owner_id)}
    by_version: dict[str, list[SampledDownload]] = defaultdict(list)
    for sample in samples:
        by_version[stands.get(sample.timestamp.astimezone(UTC).date(), "")].append(sample)
    sources = Sources(connection, owner_id, LandedDays(store, connection, owner_id), load_index(connection, owner_id))
    lines: list[TracedLine] = []
    for version, members in sorted(by_version.items()):
        if version in known:
            lines += trace_downloads(sources, open_rulebook(store.settings, known[version]), members)
    return lines


def _audited(sample: SampledDownload, untraced: Collection[UUID]) -> AuditedDownload:
    return AuditedDownload(
        sample.event_id,
        sample.timestamp,
        sample.show,
        sample.episode,
        sample.platform,
        sample.country_code,
        sample.run_id,
        sample.event_id not in untraced,
    )


def _suspects(connection: Connection, owner_id: UUID, period: Period) -> bytes:
    names = [field.name for field in fields(AuditedSuspect)]
    found = load_evidence(connection, owner_id, period)
    rows = [AuditedSuspect(*(getattr(row, name) for name in names)) for row in found]
    return render_rows(AuditedSuspect, sorted(rows, key=repr))


def _settings(connection: Connection, owner_id: UUID, book: Rulebook) -> bytes:
    told = {
        "in_use": book.settings,
        "versions": book.versions,
        "history": load_adoptions(connection, owner_id),
        "days": load_stretches(connection, owner_id),
    }
    return msgspec.json.format(msgspec.json.encode(told), indent=2) + b"\n"


def _find_anomalies(connection: Connection, owner_id: UUID, period: Period) -> list[Anomaly]:
    """The days of each show, by day, that lie outside of what the days around them lead to expect."""
    found = [
        anomaly
        for show in load_podcasts(connection, owner_id)
        for anomaly in find_anomalies(show.title, _load_days(connection, show, period))
    ]
    return sorted(found, key=lambda item: (item.day_on, item.show))


def _load_days(connection: Connection, show: Podcast, period: Period) -> dict[date, int]:
    """The show's measured days from its first download to its last; a day that no log covers is none of them."""
    counts = {
        row.start_at.date(): row.value
        for query in ask_days(period, "downloads", (), [show.podcast_id])
        for row in run_query(connection, show.user_id, query).rows
        if row.start_at and row.value is not None
    }
    heard = [day for day, count in counts.items() if count]
    return {day: count for day, count in counts.items() if heard and min(heard) <= day <= max(heard)}


def find_anomalies(show: str, counts: Mapping[date, int]) -> list[Anomaly]:
    """The days that differ from the median of the four weeks before and after by more than five robust deviations.

    A deviation is at least that of counting by chance, the root of the median. Needs a week of other days.
    """
    found = []
    for day, value in counts.items():
        around = [other for at, other in counts.items() if at != day and abs((at - day).days) <= _AROUND_DAYS]
        if len(around) < _LEAST_DAYS:
            continue
        middle = median(around)
        spread = median(abs(other - middle) for other in around) / _MAD_OF_NORMAL
        reach = _ROBUST_DEVIATIONS * max(spread, sqrt(max(middle, 1)))
        if abs(value - middle) > reach:
            found.append(Anomaly(day, show, value, round(max(middle - reach, 0), 1), round(middle + reach, 1)))
    return found


def render_rows(kind: type[Any], rows: Iterable[Any]) -> bytes:
    """The values as CSV in UTF-8 under their fields' names; a text that a spreadsheet would run is quoted."""
    names = [field.name for field in fields(kind)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_cell(getattr(row, name)) for name in names] for row in rows)
    return text.getvalue().encode()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, Mapping):
        return json.dumps(value, sort_keys=True)
    if isinstance(value, tuple):
        return "; ".join(map(str, value))
    return guard_formula(value) if isinstance(value, str) else str(value)


def _sealed(files: Mapping[str, bytes], found: Findings, period: Period) -> dict[str, bytes]:
    """The files with a manifest that has the SHA-256 of each."""
    days = list(period.iter_days())
    manifest = {
        "product": f"castline {__version__}",
        "first_on": days[0],
        "last_on": days[-1],
        "findings": found,
        "files": [
            {"name": name, "bytes": len(content), "sha256": sha256(content).hexdigest(), "holds": _HOLDS[name]}
            for name, content in sorted(files.items())
        ],
    }
    told = msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"
    return dict(sorted(files.items())) | {"manifest.json": told}


def write_audit(pack: AuditPack, output: Path) -> None:
    """The pack is a new folder, or a ZIP where the name says so; it is there whole or not at all. Raises Conflict."""
    if output.exists():
        raise Conflict(noun="file", key=output, detail="an audit pack is never written over another")
    output.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=output.parent, prefix=".audit-") as folder:
        draft = Path(folder) / "pack"
        if output.suffix == ".zip":
            draft.write_bytes(_zip(pack.files))
        else:
            draft.mkdir()
            for name, content in pack.files.items():
                (draft / name).write_bytes(content)
        draft.rename(output)


def _zip(files: Mapping[str, bytes]) -> bytes:
    """The same bytes for the same files."""
    content = io.BytesIO()
    with ZipFile(content, "w", ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(ZipInfo(name), body, ZIP_DEFLATED)
    return content.getvalue()
