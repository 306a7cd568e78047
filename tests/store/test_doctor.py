"""castline doctor: each check finds its trouble and names the fix; a sound installation has none."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import psycopg
import pytest

from castline.base.clock import now
from castline.base.config import Settings
from castline.base.errors import DatabaseUnavailable
from castline.cli.checks import CHECKS, Finding, Patient, examine
from castline.ingest.geo_tables import save_geo_table
from castline.store.pool import Store
from castline.store.timeseries import ensure_partitions
from castline.store.upkeep.health import ServerFacts
from make import make_account
from store.fill import fill_accounts

pytestmark = pytest.mark.store
SOUND = ServerFacts(
    server_version="18.1",
    major=18,
    schema_version=8,
    needed_version=8,
    missing_roles=(),
    clock_at=now(),
    partitions_until=date(2999, 1, 1),
)


def _patient(tmp_path: Path, *, titles: tuple[str, ...] = (), **facts: object) -> Patient:
    settings = Settings(data_dir=tmp_path, database_url="postgresql://example.org/x")
    return Patient(settings, replace(SOUND, **facts), titles, None)  # type: ignore[arg-type]


def test_a_sound_installation_has_no_problem(own_store: Store) -> None:
    with own_store.owner() as connection:
        ensure_partitions(connection, now().date(), now().date() + timedelta(days=28))
    patient = examine(own_store.settings)
    findings = {name: check(patient) for name, check in CHECKS.items()}
    assert [name for name, finding in findings.items() if finding.state == "problem"] == []
    assert findings["schema"].state == findings["roles"].state == findings["partitions"].state == "ok"


def test_everything_but_ok_and_skipped_names_its_fix(own_store: Store, tmp_path: Path) -> None:
    broken = _patient(
        tmp_path,
        titles=("한국어",),
        major=14,
        schema_version=3,
        missing_roles=("castline_app",),
        clock_at=now() - timedelta(minutes=5),
        partitions_until=date(2020, 1, 1),
    )
    gone = DatabaseUnavailable(address="example.org", detail="connection refused")
    unreachable = replace(
        broken, server=None, refused=gone, settings=replace(broken.settings, redis_url="redis://127.0.0.1:1")
    )
    for patient in (broken, unreachable, examine(own_store.settings)):
        for name, check in CHECKS.items():
            finding = check(patient)
            assert finding.state in {"ok", "skipped"} or finding.fix, name


def test_checks_that_take_long_are_no_fault_of_the_clock(tmp_path: Path) -> None:
    asked_at = now() - timedelta(minutes=5)
    patient = replace(_patient(tmp_path, clock_at=asked_at), asked_at=asked_at)
    assert CHECKS["clock"](patient) == Finding("ok", "0.0 s apart from the database")


@pytest.mark.parametrize(
    ("name", "facts", "state", "said"),
    [
        ("store", {"major": 14, "server_version": "14.2"}, "problem", "Use PostgreSQL 15 to 18."),
        ("schema", {"schema_version": 3}, "problem", "castline admin migrate"),
        ("schema", {"schema_version": 9}, "problem", "A newer castline"),
        ("schema", {"schema_version": 0}, "ok", ""),
        ("roles", {"missing_roles": ("castline_app",)}, "problem", "grant castline_app"),
        ("clock", {"clock_at": now() - timedelta(minutes=5)}, "problem", "one time server"),
        ("partitions", {"partitions_until": date(2020, 1, 1)}, "ok", ""),
    ],
)
def test_a_server_that_is_not_well_is_told_apart(
    tmp_path: Path, name: str, facts: dict[str, object], state: str, said: str
) -> None:
    finding = CHECKS[name](_patient(tmp_path, **facts))  # type: ignore[arg-type]
    assert finding.state == state
    assert said in finding.fix


def test_a_script_that_no_bundled_font_has_is_named(tmp_path: Path) -> None:
    finding = CHECKS["fonts"](_patient(tmp_path, titles=("بودكاست", "ポッドキャスト", "팟캐스트")))
    assert finding.state == "warning"
    assert "Hangul" in finding.detail
    assert "Arabic" not in finding.detail
    covered = CHECKS["fonts"](_patient(tmp_path, titles=("بودكاست", "ポッドキャスト", "Café")))
    assert covered == Finding("ok", "4 families cover all 3 names")


def test_the_names_that_fonts_are_checked_for_come_from_every_account(own_store: Store) -> None:
    with own_store.owner() as connection:
        ensure_partitions(connection, date(2026, 3, 1), date(2026, 3, 31))
    with own_store.system() as connection:
        fill_accounts(connection, [make_account(own_store).user_id])
        connection.execute("update sponsors set name = '팟캐스트'")
    assert "팟캐스트" in examine(own_store.settings).titles


def test_a_landing_zone_that_cannot_be_written_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "landing").write_text("a file where a folder should be")
    finding = CHECKS["landing zone"](_patient(tmp_path))
    assert finding.state == "problem"
    assert "CASTLINE_DATA_DIR" in finding.fix


def test_a_database_that_is_not_there_is_exit_code_three_with_a_fix_and_no_traceback(tmp_path: Path) -> None:
    environ = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "CASTLINE_DATA_DIR": str(tmp_path),
        "DATABASE_URL": "postgresql://127.0.0.1:1/nothing",
    }
    words = [sys.executable, "-m", "castline", "doctor", "--json"]
    done = subprocess.run(words, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    body = json.loads(done.stdout)
    problems = [row for row in body["checks"] if row["state"] == "problem"]
    assert [row["check"] for row in problems] == ["store"]
    assert "127.0.0.1" in problems[0]["detail"]
    assert "unset DATABASE_URL" in problems[0]["fix"]
    assert body["ok"] is False


def test_a_look_at_an_empty_database_makes_no_tables(settings: Settings, empty_dsn: str, tmp_path: Path) -> None:
    patient = examine(replace(settings, database_url=empty_dsn, data_dir=tmp_path))
    assert CHECKS["schema"](patient) == Finding("ok", "empty; the first command makes the tables")
    with psycopg.connect(empty_dsn) as connection:
        assert connection.execute("select to_regclass('users')").fetchone() == (None,)


def test_only_tables_that_are_old_are_due_and_the_fix_is_the_command(tmp_path: Path) -> None:
    patient = _patient(tmp_path)
    for name, row in (
        ("dbip-country.csv", "192.0.2.0,192.0.2.255,DE\n"),
        ("asn.csv", "192.0.2.0,192.0.2.255,64500,A\n"),
    ):
        (tmp_path / name).write_text(row)
    today = now().date()
    save_geo_table(patient.settings, [tmp_path / "asn.csv"], built_on=today - timedelta(days=90))
    save_geo_table(patient.settings, [tmp_path / "dbip-country.csv"], built_on=today - timedelta(days=91))
    finding = CHECKS["address tables"](patient)
    assert finding.state == "warning"
    assert finding.detail.endswith("(asn.csv): country older than 90 days, or of no date")
    assert finding.fix == (
        f"Run `castline geo update dbip-country-lite-{today:%Y-%m}.mmdb.gz`, the file from"
        " https://db-ip.com/db/download/ip-to-country-lite (MMDB; any MaxMind DB or CSV file of the kind does)."
    )
    save_geo_table(patient.settings, [tmp_path / "dbip-country.csv"], built_on=today)
    assert CHECKS["address tables"](patient).state == "ok"
