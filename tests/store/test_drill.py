"""The drill: workers and the database are killed in the middle of everything, and nothing is lost and nothing double.

What a killed worker leaves is finished by the next one; then every table equals that of an undisturbed run.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from castline.base.clock import now
from castline.base.config import Settings
from castline.base.period import start_of_day
from castline.demo.feed_server import render_feed
from castline.demo.log_files import write_logs
from castline.demo.plan import CampaignPlan
from castline.demo.tables import write_conversions, write_rates
from castline.demo.world import World, make_world
from castline.ingest.feeds.polling import add_feed
from castline.model.campaign import AttributionConfig, NewSponsor
from castline.store.embedded.server import find_embedded, remove_embedded
from castline.store.entities.campaigns import NewCampaign, create_campaign, create_sponsor
from castline.store.entities.shows import load_podcasts
from castline.store.pool import Store, open_store
from make import make_account
from store.drill_state import load_state

_WORKER = Path(__file__).with_name("drill_worker.py")
_SOURCE = Path(__file__).parents[2] / "src"
_RANDOM_KILLS = 6
_DATABASE_KILLS = 2
_FINISH_SECONDS = 60

State = dict[str, list[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Worker:
    """A process that does orders; `start` says its process id, `wait` how it ended."""

    process: "subprocess.Popen[str]"
    folder: Path

    def start(self, owner_id: UUID, dies_at: tuple[int, str] | None = None) -> int:
        order = {"owner_id": str(owner_id), "folder": str(self.folder), "dies_at": dies_at}
        assert self.process.stdin
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return int(self._read()["pid"])

    def wait(self) -> dict[str, Any]:
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer


@pytest.fixture(scope="module")
def drilled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store on a server of its own, for the server is killed too."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("drill"), allow_private_addresses=True)
    with open_store(settings) as opened:
        yield opened
    remove_embedded(settings.data_dir)


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(seed=3, last_on=now().date() - timedelta(days=1), line_count=1_000)


@pytest.fixture(scope="module")
def worker(drilled: Store, world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    folder = tmp_path_factory.mktemp("input")
    for path in write_logs(world, folder)[2:]:
        path.unlink()
    write_rates(world.rates, folder / "rates.csv")
    write_conversions(world, folder / "conversions.csv")
    words = [sys.executable, str(_WORKER), str(drilled.settings.data_dir), drilled.dsn]
    process = subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"PYTHONPATH": str(_SOURCE)},
    )
    yield Worker(process, folder)
    assert process.stdin
    process.stdin.close()
    process.wait(timeout=30)
    assert process.stdout
    process.stdout.close()


def _account(store: Store, world: World, folder: Path) -> UUID:
    """An account that sells the campaigns of the world's first two shows, with nothing imported yet."""
    owner_id = make_account(store).user_id
    shows = {show.plan.slug: show.plan.title for show in world.shows[:2]}
    for show in world.shows[:2]:
        path = folder / f"{show.plan.slug}.xml"
        path.write_bytes(render_feed(show))
        add_feed(store, owner_id, str(path))
    with store.account(owner_id) as connection:
        podcasts = {podcast.title: podcast.podcast_id for podcast in load_podcasts(connection, owner_id)}
        for plan in world.plan.campaigns:
            sponsor = create_sponsor(connection, owner_id, NewSponsor(plan.sponsor))
            if plan.show in shows:
                new = _campaign(world, plan, podcasts[shows[plan.show]], sponsor.sponsor_id)
                create_campaign(connection, owner_id, new)
    return owner_id


def _campaign(world: World, plan: CampaignPlan, podcast_id: UUID, sponsor_id: UUID) -> NewCampaign:
    first, last = (start_of_day(world.first_on + timedelta(days=day)) for day in plan.flight_days)
    config = AttributionConfig(
        method=plan.method,
        promo_code=plan.keys.get("code"),
        utm_campaign=plan.keys.get("utm_campaign"),
        custom_tracking_id=plan.keys.get("tracking_id"),
    )
    return NewCampaign(
        plan.name, podcast_id, sponsor_id, first, last, plan.value, plan.currency, attribution_config=config
    )


@pytest.fixture(scope="module")
def undisturbed(drilled: Store, world: World, worker: Worker) -> tuple[State, int]:
    """What there is after a run that nobody disturbed, and how many commits it takes where the partitions stand."""
    ends = [_run_undisturbed(drilled, world, worker) for _ in range(2)]
    assert ends[0][0] == ends[1][0]
    assert all(rows for name, rows in ends[0][0].items() if name != "dirty_days")
    return ends[1]


def _run_undisturbed(store: Store, world: World, worker: Worker) -> tuple[State, int]:
    owner_id = _account(store, world, worker.folder)
    worker.start(owner_id)
    ended = worker.wait()
    assert ended["code"] == 0
    return load_state(store, owner_id), ended["commits"]


def _finish(worker: Worker, owner_id: UUID) -> None:
    """A worker that nobody kills has come to its end; while the server restarts, it is tried again."""
    deadline = time.monotonic() + _FINISH_SECONDS
    while time.monotonic() < deadline:
        worker.start(owner_id)
        if worker.wait()["code"] == 0:
            return
        time.sleep(0.2)
    pytest.fail("no worker could finish")


def test_a_worker_killed_at_any_commit_loses_nothing_and_doubles_nothing(
    drilled: Store, world: World, worker: Worker, undisturbed: tuple[State, int]
) -> None:
    state, commits = undisturbed
    for number in range(1, commits + 1):
        for moment in ("before", "after"):
            owner_id = _account(drilled, world, worker.folder)
            worker.start(owner_id, (number, moment))
            assert worker.wait()["code"] == -signal.SIGKILL, (number, moment)
            _finish(worker, owner_id)
            assert load_state(drilled, owner_id) == state, (number, moment)


def test_a_worker_killed_at_random_moments_loses_nothing_and_doubles_nothing(
    drilled: Store, world: World, worker: Worker, undisturbed: tuple[State, int]
) -> None:
    seed = time.time_ns()
    chance = random.Random(seed)  # noqa: S311  # moments, no secrets
    owner_id = _account(drilled, world, worker.folder)
    for _ in range(_RANDOM_KILLS):
        pid = worker.start(owner_id)
        time.sleep(chance.uniform(0.01, 0.8))
        with suppress(ProcessLookupError):  # it may have come to its end by itself
            os.kill(pid, signal.SIGKILL)
        worker.wait()
    _finish(worker, owner_id)
    assert load_state(drilled, owner_id) == undisturbed[0], f"seed {seed}"


def test_a_database_killed_under_a_worker_loses_nothing_and_doubles_nothing(
    drilled: Store, world: World, worker: Worker, undisturbed: tuple[State, int]
) -> None:
    seed = time.time_ns()
    chance = random.Random(seed)  # noqa: S311  # moments, no secrets
    for _ in range(_DATABASE_KILLS):
        owner_id = _account(drilled, world, worker.folder)
        worker.start(owner_id)
        time.sleep(chance.uniform(0.05, 0.6))
        os.kill(_postmaster(drilled), signal.SIGKILL)
        worker.wait()
        _finish(worker, owner_id)
        assert load_state(drilled, owner_id) == undisturbed[0], f"seed {seed}"


def _postmaster(store: Store) -> int:
    running = find_embedded(store.settings.data_dir)
    assert running
    return running.pid
