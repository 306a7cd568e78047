"""The drill of the drain: killed at each of its places while the servers take in more, it loses and doubles nothing."""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from castline.base.clock import now
from castline.intake.drain import drain_intake, load_unclaimed
from castline.model.account import User
from castline.store.pool import Store
from intake_process import run_server
from make import make_account
from store.drain_worker import PLACES
from store.test_intake_drain import landed, make_hosted
from web.conftest import run_server as run_web
from web.test_pixel import conversions, make_campaign

pytestmark = pytest.mark.store
_WORKER = Path(__file__).with_name("drain_worker.py")
_SOURCE = Path(__file__).parents[2] / "src"
_DIES_WITHIN = 60  # seconds; a segment closes after five


@dataclass
class _Told:
    """What the servers answered for, by kind."""

    redirects: list[str] = field(default_factory=list)
    orders: list[str] = field(default_factory=list)
    skips: list[str] = field(default_factory=list)
    unclaimed_count: int = 0


@dataclass
class _Client(threading.Thread):
    """Asks the intake and the pixel for one thing after the other, until it is stopped."""

    host: str
    intake_port: int
    web_port: int
    campaign_id: UUID
    told: _Told = field(default_factory=_Told)
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        with _connect(self.intake_port) as intake, _connect(self.web_port) as web:
            self._ask_on(intake, web)

    def _ask_on(self, intake: http.client.HTTPConnection, web: http.client.HTTPConnection) -> None:
        number = 0
        while not self.stop.wait(0.05):
            number += 1
            name = f"{number:06}"
            if _ask(intake, "GET", f"/e/{self.host}/{name}.mp3") == 302:
                self.told.redirects.append(f"/{name}.mp3")
            if _ask(intake, "GET", f"/e/nobody-{self.host}/x.mp3") == 302:
                self.told.unclaimed_count += 1
            if _ask(web, "GET", f"/p/{self.campaign_id}.gif?order_id={name}&value=1.00&currency=EUR") == 200:
                self.told.orders.append(name)
            if _ask(intake, "POST", "/v1/events", _skip(self.host, name)) == 202:
                self.told.skips.append(name)


def _connect(port: int) -> "closing[http.client.HTTPConnection]":
    return closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20))


def _ask(client: http.client.HTTPConnection, method: str, path: str, body: str | None = None) -> int:
    client.request(method, path, body)
    answer = client.getresponse()
    answer.read()
    return answer.status


def _skip(host: str, session: str) -> str:
    at = f"{now():%Y-%m-%dT%H:%M:%SZ}"
    told = {"id": session, "started_at": at, "episode": {"url": f"https://{host}/one.mp3"}}
    return json.dumps({"session": told, "events": [{"id": "1", "type": "skip", "at": at}]})


@contextmanager
def _worker(store: Store, place: str) -> "Iterator[subprocess.Popen[bytes]]":
    words = [sys.executable, str(_WORKER), str(store.settings.data_dir), store.dsn, place]
    with subprocess.Popen(words, env=os.environ | {"PYTHONPATH": str(_SOURCE)}) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def _skipped(store: Store, owner_id: UUID) -> Counter[str]:
    with store.account(owner_id) as connection:
        rows = connection.execute("select session_id from my_listener_events where event_type = 'skip'").fetchall()
    return Counter(str(session) for (session,) in rows)


def test_a_drain_killed_at_each_of_its_places_loses_nothing_and_doubles_nothing(
    store: Store, account: User, tmp_path: Path
) -> None:
    here = replace(store, settings=replace(store.settings, data_dir=tmp_path, secret_key="k" * 32))
    host = f"{uuid4().hex}.example.net"
    make_hosted(here, account.user_id, host)
    campaign = make_campaign(here, account)
    make_account(here)  # else all that nobody claims would be the only account's
    with run_server(tmp_path) as intake, run_web(here, here.settings) as web_port:
        client = _Client(host, intake.port, web_port, campaign.campaign_id)
        client.start()
        for place in PLACES:
            with _worker(here, place) as process:
                assert process.wait(_DIES_WITHIN) == -signal.SIGKILL, place
        client.stop.set()
        client.join(30)
        assert intake.stop() == 0
    drain_intake(here)
    told = client.told
    assert min(len(told.redirects), len(told.orders), len(told.skips)) > len(PLACES)
    assert Counter(str(row["path"]) for row in landed(here, account.user_id)) == Counter(told.redirects)
    assert Counter(row[1] for row in conversions(here, account.user_id)) == Counter(told.orders)
    assert _skipped(here, account.user_id) == Counter(told.skips)
    assert [(row.kind, row.count) for row in load_unclaimed(tmp_path)] == [("redirect", told.unclaimed_count)]
    assert drain_intake(here).segment_count == 0
