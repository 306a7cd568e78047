"""What is dropped for its behaviour is stored with its evidence, once, and listed by command."""

from datetime import date
from pathlib import Path

import pytest

from castline.ingest.logs.landing import import_log
from castline.measure.behaviour.suspects import BEHAVIOURS
from castline.measure.run import measure
from castline.model.account import User
from castline.model.evidence import Evidence
from castline.store.listening.downloads import load_waterfall
from castline.store.pool import Store
from castline.store.provenance.evidence import load_evidence
from make_logs import Line, make_listened_show, write_log
from run_castline import Castline

pytestmark = pytest.mark.store
EPISODES = 100
DAY = date(2026, 9, 7)


def _lines(gap: float) -> list[Line]:
    """One client works off a hundred episodes; a household takes one of them."""
    swept = [Line(after=36_000 + number * gap, path=f"/e{number}.mp3", agent="Castro 1") for number in range(EPISODES)]
    return [*swept, Line(after=40_000, address="192.0.2.9", path="/e3.mp3")]


def _load(store: Store, account: User) -> tuple[list[Evidence], dict[str, int]]:
    with store.account(account.user_id) as connection:
        waterfall = {row.reason: row.request_count for row in load_waterfall(connection, account.user_id)}
        return load_evidence(connection, account.user_id), waterfall


def test_a_sweep_is_dropped_and_its_evidence_kept(store: Store, account: User, tmp_path: Path) -> None:
    make_listened_show(store, account.user_id, *(f"e{number}" for number in range(EPISODES)))
    import_log(store, account.user_id, write_log(tmp_path / "access.log", _lines(gap=2)), host="cdn.example.org")
    measure(store, account.user_id)
    evidence, waterfall = _load(store, account)
    assert waterfall == {"sweep": EPISODES, "one_minute": 1}
    [found] = evidence
    assert (found.day_on, found.reason, found.network, found.user_agent) == (
        DAY,
        "sweep",
        "198.51.100.0/24",
        "Castro 1",
    )
    assert (found.address_count, found.request_count, found.download_count) == (1, EPISODES, EPISODES)
    assert (found.measured["episodes"], found.measured["gap_seconds"]) == (EPISODES, 2)
    assert found.limits == BEHAVIOURS[0].limits


def test_measuring_again_keeps_one_piece_of_evidence_of_each(store: Store, account: User, tmp_path: Path) -> None:
    make_listened_show(store, account.user_id, *(f"e{number}" for number in range(EPISODES)))
    lines = _lines(gap=2)
    # Half of the sweep is no sweep; the day is one when the rest comes late.
    import_log(store, account.user_id, write_log(tmp_path / "early.log", lines[:20]), host="cdn.example.org")
    measure(store, account.user_id)
    assert _load(store, account) == ([], {"one_minute": 20})
    import_log(store, account.user_id, write_log(tmp_path / "late.log", lines[20:]), host="cdn.example.org")
    measure(store, account.user_id)
    evidence, waterfall = _load(store, account)
    assert (len(evidence), waterfall) == (1, {"sweep": EPISODES, "one_minute": 1})


def test_the_suspects_of_some_days_are_listed(store: Store, account: User, tmp_path: Path) -> None:
    make_listened_show(store, account.user_id, *(f"e{number}" for number in range(EPISODES)))
    import_log(store, account.user_id, write_log(tmp_path / "access.log", _lines(gap=2)), host="cdn.example.org")
    measure(store, account.user_id)
    castline = Castline(store.settings.data_dir, {"DATABASE_URL": store.dsn, "CASTLINE_ACCOUNT": account.email})
    [told] = castline.well("measure", "suspects", "--from", "2026-09-07", "--to", "2026-09-07")
    assert (told["reason"], told["request_count"], told["download_count"]) == ("sweep", EPISODES, EPISODES)
    assert castline.well("measure", "suspects", "--from", "2026-09-08", "--to", "2026-09-09") == []
