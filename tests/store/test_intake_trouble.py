"""What cannot be landed waits by itself, is told of, is tried again, and keeps nobody else waiting."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from castline.base.clock import now
from castline.cli.checks import Finding, Patient, check_intake
from castline.ingest.segment_log import EVENTS, LOG_FOLDER, encode_record
from castline.intake.drain import drain_intake, load_unclaimed
from castline.intake.run import run_drain
from castline.intake.trouble import is_due, load_waiting, try_landing
from castline.store.landing.files import landing_place
from castline.store.listening.downloads import LOG_KIND, lock_dirty_days
from castline.store.pool import Store
from castline.store.provenance.ledger import load_runs
from make import make_account
from store.test_intake_drain import landed, make_hosted, redirect, take_in

pytestmark = pytest.mark.store


@pytest.fixture
def here(store: Store, tmp_path: Path) -> Store:
    """The store over a data folder of this test alone."""
    return replace(store, settings=replace(store.settings, data_dir=tmp_path, secret_key="k" * 32))


def hosted_account(store: Store) -> tuple[UUID, str]:
    owner_id = make_account(store).user_id
    host = f"{owner_id.hex}.example.net"
    make_hosted(store, owner_id, host)
    return owner_id, host


def examine_intake(store: Store) -> Finding:
    return check_intake(Patient(store.settings, None, (), None))


def unreadable() -> bytes:
    """An event as no castline writes one: what another version might take for one."""
    head = b"POST /v1/events HTTP/1.1\r\nhost: pod.example\r\n\r\n"
    return encode_record(EVENTS, int(now().timestamp() * 1_000_000), b"198.51.100.7", head + b'{"strange":1}')


def test_one_account_s_trouble_keeps_nobody_waiting_and_is_told_and_mended(here: Store) -> None:
    (mine, my_host), (theirs, their_host) = hosted_account(here), hosted_account(here)
    blocked = here.settings.landing_dir / landing_place(mine, LOG_KIND)
    blocked.parent.mkdir(parents=True)
    blocked.write_text("no folder")
    take_in(here, *(redirect(f"/{host}/{name}.mp3") for name in ("one", "two") for host in (my_host, their_host)))
    drained = drain_intake(here)
    assert (drained.request_count, drained.failed_count) == (2, 1)
    assert [row["path"] for row in landed(here, theirs)] == ["/one.mp3", "/two.mp3"]

    (waiting,) = load_waiting(here.settings.data_dir)
    assert waiting.path.endswith(f"/redirects-{mine}.ndjson")
    assert waiting.trouble.error == "unexpected"
    finding = examine_intake(here)
    assert finding.state == "problem"
    assert waiting.path in finding.detail
    assert waiting.trouble.detail in finding.detail
    assert "`castline intake drain`" in finding.fix

    # The next drain has other things to do; one that somebody asked for tries again, in vain.
    assert drain_intake(here).failed_count == 0
    assert drain_intake(here, is_asked=True).failed_count == 1
    (again,) = load_waiting(here.settings.data_dir)
    assert (again.trouble.since, again.trouble.try_count) == (waiting.trouble.since, 2)

    blocked.unlink()
    assert drain_intake(here, is_asked=True).request_count == 2
    assert [row["path"] for row in landed(here, mine)] == ["/one.mp3", "/two.mp3"]
    assert load_waiting(here.settings.data_dir) == []
    assert examine_intake(here) == Finding("ok", "all that was taken in is landed")
    assert [path.name for path in (here.settings.data_dir / LOG_FOLDER / "split").iterdir()] == []


def test_a_record_that_nobody_can_read_waits_alone(here: Store) -> None:
    owner_id, host = hosted_account(here)
    make_account(here)  # else what nobody claims would be the only account's
    redirects = [redirect(f"/{host}/{number:02}.mp3") for number in range(21)]
    take_in(here, *redirects[:8], unreadable(), *redirects[8:], redirect("/nobody.test/x"), unreadable())
    drained = drain_intake(here)
    assert (drained.segment_count, drained.request_count, drained.unclaimed_count, drained.failed_count) == (
        1,
        21,
        1,
        2,
    )
    assert Counter(row["path"] for row in landed(here, owner_id)) == {f"/{number:02}.mp3": 1 for number in range(21)}
    assert [row.count for row in load_unclaimed(here.settings.data_dir)] == [1]
    waiting = load_waiting(here.settings.data_dir)
    assert [one.path.rpartition(".")[2] for one in waiting] == ["ready", "ready"]
    assert all("strange" not in json.dumps(one.trouble.detail) for one in waiting)
    assert drain_intake(here, is_asked=True).failed_count == 2
    assert len(landed(here, owner_id)) == 21


def test_what_waits_is_tried_soon_at_first_and_then_every_hour(here: Store, tmp_path: Path) -> None:
    path = tmp_path / "one.ndjson"
    path.write_bytes(b"x")

    def fail() -> None:
        raise ZeroDivisionError

    waits = []
    for _ in range(14):
        assert not try_landing(here, path, fail)
        at = now()
        waits.append(next(seconds for seconds in range(4000) if is_due(path, at + timedelta(seconds=seconds))))
    assert waits == [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600, 3600, 3600]
    assert try_landing(here, path, bool)
    assert is_due(path, now())


def test_whoever_lands_nothing_is_told_so(here: Store) -> None:
    take_in(here, redirect("/nobody.test/x"))
    assert examine_intake(here).state == "ok"
    (segment,) = (here.settings.data_dir / LOG_FOLDER).glob("*.ready")
    old = f"{int((now() - timedelta(minutes=6)).timestamp()) * 1_000_000_000:020d}-old.ready"
    segment.rename(segment.with_name(old))
    finding = examine_intake(here)
    assert finding.state == "problem"
    assert "1 segment" in finding.detail
    assert "castline intake drain" in finding.fix


def wait_for(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_while_one_account_is_measured_the_others_are_landed(here: Store) -> None:
    (mine, my_host), (theirs, their_host) = hosted_account(here), hosted_account(here)
    today = [now().date() - timedelta(days=1), now().date()]
    take_in(here, redirect(f"/{my_host}/one.mp3"))
    drain_intake(here)
    stop = threading.Event()
    drain = threading.Thread(target=run_drain, args=(lambda: nullcontext(here), stop))
    with here.ingest(mine) as connection:  # as measuring does, for as long as it takes
        assert lock_dirty_days(connection, mine, today)
        take_in(here, redirect(f"/{my_host}/two.mp3"), redirect(f"/{their_host}/one.mp3"))
        drain.start()
        wait_for(lambda: len(landed(here, theirs)) == 1)
        assert len(landed(here, mine)) == 1
        assert load_waiting(here.settings.data_dir) == []
    wait_for(lambda: len(landed(here, mine)) == 2)
    stop.set()
    drain.join(30)
    with here.account(mine) as connection:
        assert {run.status for run in load_runs(connection, mine)} == {"succeeded"}


def test_a_drain_that_has_to_go_leaves_the_rest_to_the_next(here: Store) -> None:
    owner_id, host = hosted_account(here)
    for number in range(3):
        take_in(here, redirect(f"/{host}/{number}.mp3"))
    asked: list[bool] = []

    def is_over() -> bool:
        asked.append(True)
        return len(asked) > 4  # three segments were taken apart, one of their files was begun

    assert drain_intake(here, is_over=is_over).request_count == 1
    assert drain_intake(here).request_count == 2
    assert sorted(row["path"] for row in landed(here, owner_id)) == ["/0.mp3", "/1.mp3", "/2.mp3"]
