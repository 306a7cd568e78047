"""The worker: runs the scheduled work, each due job once however many workers there are."""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable
from typing import Final

from procrastinate import App, PsycopgConnector

from castline.jobs.table import JOBS, Job, make_partitions
from castline.store.pool import Store
from castline.store.upkeep.queue import QUEUE_SCHEMA, ensure_queue

_log = logging.getLogger(__name__)
_GRACE_SECONDS: Final = 8.0  # within the ten that a container is given to stop
_RETRY_SECONDS: Final = 5.0
_STALLED: Final = "jobs.recover"


def run_worker(store: Store, stop: threading.Event, jobs: Iterable[Job] = JOBS) -> None:
    """Works until `stop` is set; then finishes what it has begun, for some seconds at most.

    What has not come to its end by then is rolled back, and done when it is due again: what it works on is only marked
    done by its own commit. A database that goes away is waited for: the worker starts again by itself.
    """
    jobs = tuple(jobs)
    while not stop.is_set():
        try:
            with store.beside("worker") as own:
                ensure_queue(own)
                make_partitions(own)
                asyncio.run(_work(own, stop, jobs))
        except Exception as error:  # noqa: BLE001  # whatever the database or the queue died of, try again
            _log.warning("the worker lost its database and starts again: %s", error)
            stop.wait(_RETRY_SECONDS)


async def _work(store: Store, stop: threading.Event, jobs: tuple[Job, ...]) -> None:
    app = build_app(store, jobs)
    async with app.open_async():
        worker = asyncio.create_task(
            app.run_worker_async(
                install_signal_handlers=False,
                concurrency=1,
                shutdown_graceful_timeout=2 * _GRACE_SECONDS,  # by then it was ended, see below
                delete_jobs="successful",
            )
        )
        asked = asyncio.create_task(_wait(stop))
        await asyncio.wait({worker, asked}, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        worker.cancel()
        if stop.is_set():
            await asyncio.wait({worker}, timeout=_GRACE_SECONDS)
            if not worker.done():
                _log.warning(
                    "a job has not come to its end in time and is rolled back; it is done again when it is due"
                )
                await asyncio.to_thread(store.interrupt)
        await asyncio.gather(worker, asked, return_exceptions=True)
        if not stop.is_set():
            worker.result()


async def _wait(stop: threading.Event) -> None:
    while not stop.is_set():  # noqa: ASYNC110  # the event belongs to another thread
        await asyncio.sleep(0.2)


def build_app(store: Store, jobs: Iterable[Job]) -> App:
    """The queue's app with one periodic task per job, and one that brings back the jobs of killed workers."""
    connector = PsycopgConnector(
        conninfo=store.dsn, kwargs={"options": f"-c search_path={QUEUE_SCHEMA}"}, min_size=1, max_size=4
    )
    app = App(connector=connector)
    for job in jobs:
        task = app.task(name=job.name, queueing_lock=job.name, lock=job.name)(_handler(store, job))
        app.periodic(cron=job.cron)(task)

    @app.periodic(cron="* * * * *")
    @app.task(name=_STALLED, queueing_lock=_STALLED)
    async def recover(timestamp: int) -> None:  # noqa: ARG001  # the queue passes the scheduled time
        for stalled in await app.job_manager.get_stalled_jobs():
            _log.warning("job %s of a killed worker runs again", stalled.task_name)
            await app.job_manager.retry_job(stalled)

    return app


def _handler(store: Store, job: Job) -> Callable[[int], None]:
    def handle(timestamp: int) -> None:  # noqa: ARG001  # the queue passes the scheduled time
        job.handle(store)

    return handle
