"""The audit pack: whole, the same for the same data, traced to lines, and silent about listeners."""

import csv
import io
import json
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile

import pytest

from castline.base.errors import Conflict
from castline.base.period import Period
from castline.ingest.logs.landing import import_log
from castline.measure.adopt import Wish, adopt_settings
from castline.measure.run import measure
from castline.model.account import User
from castline.model.measurement import MeasureSettings
from castline.report.audit import AuditPack, Findings, build_audit, find_anomalies, write_audit
from castline.store.landing.files import landing_place
from castline.store.listening.downloads import LOG_KIND
from castline.store.pool import Store
from make_logs import MINUTE_BYTES, MONDAY, OVERCAST, Line, make_listened_show, write_log

pytestmark = pytest.mark.store
DAY = MONDAY.date()
WEEK = Period.of_days(DAY, DAY + timedelta(days=6))
HALF = MINUTE_BYTES // 2
# A window over midnight whose parts add up; a bot; a whole download; a page that is no episode.
LINES: list[Line | str] = [
    Line(82_800, status=206, sent=HALF, range=f"bytes=0-{HALF - 1}"),
    Line(90_000, status=206, sent=HALF, range=f"bytes={HALF}-{MINUTE_BYTES - 1}"),
    Line(3_600, agent="Googlebot/2.1 (+http://www.google.com/bot.html)"),
    Line(7_200, address="198.51.100.8"),
    Line(7_300, path="/index.html"),
    "no line of a log",
]


def _audited(store: Store, account: User, folder: Path) -> AuditPack:
    adopt_settings(store, account.user_id, Wish(MeasureSettings(window="last_touch"), account.user_id, "a year's rule"))
    make_listened_show(store, account.user_id)
    import_log(store, account.user_id, write_log(folder / "access.log", LINES))
    measure(store, account.user_id)
    return build_audit(store, account.user_id, WEEK)


def _rows(pack: AuditPack, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(pack.files[name].decode())))


def test_every_request_and_every_sampled_download_is_accounted_for(store: Store, account: User, tmp_path: Path) -> None:
    pack = _audited(store, account, tmp_path)
    assert pack.findings == Findings(len(_rows(pack, "vectors.csv")), len(_rows(pack, "vectors.csv")), 0, 2, 0, 0, 0)
    [batch] = _rows(pack, "batches.csv")
    counts = [batch[name] for name in ("received_count", "accepted_count", "refused_count", "judged_count")]
    assert counts == ["6", "5", "1", "5"]
    assert [
        (row["show"], row["verdict"], row["reason"], row["request_count"]) for row in _rows(pack, "waterfall.csv")
    ] == [
        ("Show", "counted", "one_minute", "2"),
        ("Show", "dropped", "bot", "1"),
        ("Show", "partial", "under_one_minute", "1"),
        ("", "dropped", "no_episode", "1"),
    ]
    lines = {
        (row["line_number"], row["verdict"], row["range"], row["source"]) for row in _rows(pack, "sample_lines.csv")
    }
    assert lines == {
        ("1", "partial", f"bytes=0-{HALF - 1}", "access.log"),
        ("2", "counted", f"bytes={HALF}-{MINUTE_BYTES - 1}", "access.log"),
        ("4", "counted", "", "access.log"),
    }


def test_what_behaves_as_no_people_do_is_told_with_its_evidence(store: Store, account: User, tmp_path: Path) -> None:
    episodes = [f"e{number}" for number in range(90)]
    make_listened_show(store, account.user_id, *episodes)
    sweep = [Line(9 * number, path=f"/{name}.mp3") for number, name in enumerate(episodes)]
    import_log(store, account.user_id, write_log(tmp_path / "sweep.log", sweep))
    measure(store, account.user_id)
    [suspect] = _rows(build_audit(store, account.user_id, WEEK), "behaviour.csv")
    assert (suspect["reason"], suspect["request_count"], suspect["download_count"]) == ("sweep", "90", "90")
    assert json.loads(suspect["measured"]).keys()
    assert json.loads(suspect["limits"]).keys()


def test_the_manifest_has_the_hash_of_every_other_file(store: Store, account: User, tmp_path: Path) -> None:
    pack = _audited(store, account, tmp_path)
    manifest = json.loads(pack.files["manifest.json"])
    assert {item["name"]: item["sha256"] for item in manifest["files"]} == {
        name: sha256(content).hexdigest() for name, content in pack.files.items() if name != "manifest.json"
    }
    assert (manifest["first_on"], manifest["last_on"]) == ("2026-09-07", "2026-09-13")
    assert manifest["findings"]["untraced_downloads"] == 0
    settings = json.loads(pack.files["settings.json"])
    assert [item["reason"] for item in settings["history"]] == ["a year's rule"]
    assert "until 24 hours have passed without another" in pack.files["methodology.md"].decode()


def test_the_same_data_make_the_same_bytes_in_a_folder_and_in_a_zip(
    store: Store, account: User, tmp_path: Path
) -> None:
    pack = _audited(store, account, tmp_path)
    assert build_audit(store, account.user_id, WEEK) == pack
    for name in ("one.zip", "two.zip"):
        write_audit(pack, tmp_path / name)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    write_audit(pack, tmp_path / "pack")
    assert {file.name: file.read_bytes() for file in (tmp_path / "pack").iterdir()} == pack.files
    with ZipFile(tmp_path / "one.zip") as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == pack.files
    with pytest.raises(Conflict, match="never written over"):
        write_audit(pack, tmp_path / "pack")


def test_nothing_in_the_pack_tells_who_listened(store: Store, account: User, tmp_path: Path) -> None:
    pack = _audited(store, account, tmp_path)
    with store.account(account.user_id) as connection:
        keys = connection.execute("select encode(listener_key, 'hex') from my_listener_events").fetchall()
    everything = b"\n".join(content for name, content in pack.files.items() if name != "vectors.csv").decode()
    for told in (OVERCAST, "198.51.100", *(key for (key,) in keys)):
        assert told not in everything


def test_downloads_whose_requests_have_gone_are_told_as_not_traced(
    store: Store, account: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _audited(store, account, tmp_path)
    monkeypatch.setattr("castline.measure.landed_days.now", lambda: MONDAY + timedelta(days=91, hours=3))
    for file in (store.settings.landing_dir / landing_place(account.user_id, LOG_KIND) / str(DAY)).iterdir():
        file.unlink()
    pack = build_audit(store, account.user_id, WEEK)
    assert [row["is_traced"] for row in _rows(pack, "samples.csv")] == ["False", "False"]
    assert pack.findings.untraced_downloads == 2


def test_days_that_no_log_covers_are_no_anomaly_and_a_measured_day_without_listeners_is(
    store: Store, account: User, tmp_path: Path
) -> None:
    # Forty listeners a day; on the fifth nobody fetched but a stranger's page, and the log of five days is lost.
    make_listened_show(store, account.user_id)
    days = [day for day in range(34) if day not in {4, *range(16, 21)}]
    lines = [Line(day * 86_400 + number * 400, address=f"198.51.100.{number}") for day in days for number in range(40)]
    lines += [Line(4 * 86_400 + number * 400, path="/index.html") for number in range(40)]
    lines.sort(key=lambda line: line.after)
    import_log(store, account.user_id, write_log(tmp_path / "access.log", lines))
    measure(store, account.user_id)
    found = _rows(build_audit(store, account.user_id, Period.of_days(DAY, DAY + timedelta(days=33))), "anomalies.csv")
    assert [(row["day_on"], row["downloads"]) for row in found] == [("2026-09-11", "0")]


def test_a_day_far_from_the_days_around_it_is_an_anomaly() -> None:
    counts = {date(2026, 9, 1) + timedelta(days=number): 100 + number % 3 for number in range(20)}
    assert find_anomalies("Show", counts) == []
    spiked = counts | {date(2026, 9, 10): 400, date(2026, 9, 12): 0}
    assert [(item.day_on, item.downloads) for item in find_anomalies("Show", spiked)] == [
        (date(2026, 9, 10), 400),
        (date(2026, 9, 12), 0),
    ]
    assert find_anomalies("Show", dict(list(spiked.items())[:7])) == []
