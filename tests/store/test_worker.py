"""The worker runs what is due, once, and survives what goes wrong."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from castline.intake.drain import drain_intake
from castline.jobs.table import Job, measure_due_days
from castline.jobs.worker import run_worker
from castline.store.landing.files import landing_place
from castline.store.listening.downloads import LOG_KIND
from castline.store.pool import Store
from castline.store.provenance.ledger import load_runs
from make import make_account
from store.test_intake_drain import make_hosted, redirect, take_in

pytestmark = pytest.mark.store


def _every_second(name: str, handle: Callable[[Store], None]) -> Job:
    return Job(name, "* * * * * *", handle)


def _run_for(store: Store, job: Job, *, until: Callable[[], bool], workers: int = 1) -> None:
    stop = threading.Event()
    threads = [threading.Thread(target=run_worker, args=(store, stop, (job,))) for _ in range(workers)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 20
    while not until() and time.monotonic() < deadline:
        time.sleep(0.05)
    stop.set()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)


def test_a_due_job_runs_again_and_again(store: Store) -> None:
    runs: list[float] = []
    _run_for(store, _every_second("test.tick", lambda _: runs.append(time.time())), until=lambda: len(runs) >= 2)
    assert len(runs) >= 2


def test_two_workers_run_a_due_job_once(store: Store) -> None:
    seconds: list[int] = []
    job = _every_second("test.once", lambda _: seconds.append(int(time.time())))
    _run_for(store, job, until=lambda: len(set(seconds)) >= 4, workers=2)
    assert len(seconds) <= len(set(seconds)) + 1


def test_a_job_that_fails_does_not_end_the_worker(store: Store) -> None:
    runs: list[float] = []

    def fail(_: Store) -> None:
        runs.append(time.time())
        raise ZeroDivisionError

    _run_for(store, _every_second("test.fail", fail), until=lambda: len(runs) >= 2)
    assert len(runs) >= 2


def test_an_account_whose_days_cannot_be_measured_keeps_nobody_waiting(store: Store, tmp_path: Path) -> None:
    here = replace(store, settings=replace(store.settings, data_dir=tmp_path, secret_key="k" * 32))
    owners = [make_account(here).user_id for _ in range(3)]
    for owner_id in owners:
        make_hosted(here, owner_id, f"{owner_id.hex}.example.net")
        take_in(here, redirect(f"/{owner_id.hex}.example.net/one.mp3"))
    drain_intake(here)
    # All wait since the same drain, so the one whose files are broken may be any of them; two are behind the first.
    for owner_id in owners[:2]:
        (path,) = (here.settings.landing_dir / landing_place(owner_id, LOG_KIND)).rglob("*.parquet")
        path.write_bytes(b"no table")
    measure_due_days(here)
    measured = {}
    for owner_id in owners:
        with here.account(owner_id) as connection:
            runs = [run for run in load_runs(connection, owner_id) if run.job == "measure.run"]
        measured[owner_id] = [(run.status, bool(run.error)) for run in runs]
    assert measured == {
        owners[0]: [("failed", True)],
        owners[1]: [("failed", True)],
        owners[2]: [("succeeded", False)],
    }
