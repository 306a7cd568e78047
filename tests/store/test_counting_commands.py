"""How an account counts, as the command line tells and changes it."""

from dataclasses import fields
from pathlib import Path

import pytest

from castline.cli.measure.settings import change_settings
from castline.cli.measure.settings import recount as recount_command
from castline.ingest.logs.landing import import_log
from castline.measure.run import measure
from castline.model.account import User
from castline.model.measurement import MeasureSettings
from castline.store.pool import Store
from make_logs import Line, make_listened_show, write_log
from run_castline import Castline

pytestmark = pytest.mark.store
GOLDEN = [Line(after=hours * 3_600) for hours in (22, 27, 46.25, 71.25)]
SPAN = ("--from", "2026-09-07", "--to", "2026-09-09")
CALENDAR, LAST = MeasureSettings().version, MeasureSettings(window="last_touch").version


@pytest.fixture
def castline(store: Store, account: User, tmp_path: Path) -> Castline:
    """Commands of an account with the golden vector of the windows measured."""
    make_listened_show(store, account.user_id)
    import_log(store, account.user_id, write_log(tmp_path / "access.log", GOLDEN))
    measure(store, account.user_id)
    facts = {"DATABASE_URL": store.dsn, "CASTLINE_ACCOUNT": account.email}
    return Castline(store.settings.data_dir, facts)


def test_a_change_is_shown_adopted_and_told_of(castline: Castline) -> None:
    before = castline.well("measure", "settings")
    assert (before["version"], before["adoption"]) == (CALENDAR, None)
    assert before["days"] == [{"version": CALENDAR, "first_on": "2026-09-07", "last_on": "2026-09-09", "day_count": 3}]
    shown = castline.well("measure", "recount", "--window", "last_touch", *SPAN)
    assert (shown["before"], shown["after"]) == (CALENDAR, LAST)
    assert castline.well("measure", "settings") == before
    adopted = castline.well("measure", "recount", "--window", "last_touch", "--adopt", "--reason", "as our host counts")
    assert adopted["adoption"]["measured_days"] == ["2026-09-07", "2026-09-08", "2026-09-09"]
    after = castline.well("measure", "settings")
    assert (after["version"], after["adoption"]["reason"]) == (LAST, "as our host counts")
    assert [item["version"] for item in castline.well("measure", "settings", "--history")] == [LAST]
    [restated] = castline.well("measure", "restatements", "--from", "2026-09-08")
    assert (restated["day_on"], restated["before_count"], restated["after_count"], restated["cause"]) == (
        "2026-09-08", 1, 0, "settings"
    )  # fmt: skip
    # What is not given stays as the account has it.
    again = castline.well("measure", "recount", "--ceiling", "5", *SPAN)
    assert again["before"] == LAST
    assert again["after"] == MeasureSettings(window="last_touch", max_downloads_per_ip_window=5).version
    method = castline("measure", "method")
    assert (method.code, "until 24 hours have passed without another" in method.out) == (0, True)
    assert f"| 2026-09-07 | 2026-09-09 | 3 | `{LAST}` | yes |" in method.out


def test_the_audit_pack_is_one_command(castline: Castline, tmp_path: Path) -> None:
    said = castline.well("measure", "audit", *SPAN, "--output", str(tmp_path / "audit.zip"))
    assert said["findings"]["unaccounted_batches"] == 0
    assert said["findings"]["vectors_passed"] == said["findings"]["vector_count"] > 200
    assert (tmp_path / "audit.zip").is_file()


def test_what_a_run_prints_sums_to_its_requests_and_the_refused_lines_of_its_logs(
    castline: Castline, store: Store, account: User, tmp_path: Path
) -> None:
    older = write_log(tmp_path / "older.log", [Line(after=90_000), "this is no request", "nor is this", "nor this"])
    import_log(store, account.user_id, older)
    measure(store, account.user_id)
    newer = [Line(after=after) for after in (7 * 86_400, 8 * 86_400)]
    import_log(store, account.user_id, write_log(tmp_path / "newer.log", [*newer, "one line that is no request"]))
    ended = castline("measure", "run")
    printed = [row.split() for row in ended.out.splitlines()[1:]]
    assert (ended.code, printed) == (
        0,
        [["received", "3"], ["refused", "malformed_line", "1"], ["counted", "one_minute", "2"]],
    )


def test_what_cannot_be_adopted_is_refused_with_its_reason(castline: Castline) -> None:
    nothing = castline("measure", "recount", "--window", "last_touch", *SPAN, "--adopt")
    assert (nothing.code, "say why" in nothing.err) == (2, True)
    days = castline("measure", "recount", "--window", "last_touch", "--from", "2026-09-07")
    assert (days.code, "say which days" in days.err) == (2, True)
    reversed_days = castline("measure", "recount", "--from", "2026-09-07", "--to", "2026-09-01", "--json")
    assert (reversed_days.code, "is before the first" in reversed_days.err) == (2, True)
    assert "Give the first and the last day: --from" in reversed_days.err
    zone = castline("measure", "recount", "--tz", "Atlantis", *SPAN)
    assert (zone.code, "no time zone" in zone.err) == (2, True)


def test_settings_are_described_without_a_store(tmp_path: Path) -> None:
    described = Castline(tmp_path / "data")("measure", "method", "--window", "first_touch", "--count-data-centres")
    assert described.code == 0
    assert "24 hours from the first request" in described.out
    assert "Deviation: requests from data centres and VPNs count" in described.out
    assert not (tmp_path / "data").exists()


def test_every_parameter_of_counting_has_an_option() -> None:
    options = {parameter.name for parameter in recount_command.params}
    assert {field.name for field in fields(MeasureSettings)} <= options


def test_options_that_are_not_given_change_nothing() -> None:
    settings = MeasureSettings(tz="Asia/Tokyo", max_downloads_per_ip_window=3)
    nothing = dict.fromkeys((field.name for field in fields(MeasureSettings)), None)
    assert change_settings(settings, nothing) == settings
    assert change_settings(settings, nothing | {"max_downloads_per_ip_window": 0}) == MeasureSettings(tz="Asia/Tokyo")
