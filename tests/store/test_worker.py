"""The worker runs what is due, once, and survives what goes wrong."""

import threading
import time
from collections.abc import Callable

import pytest

from castline.jobs.table import Job
from castline.jobs.worker import run_worker
from castline.store.pool import Store

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
