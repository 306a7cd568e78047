"""What the intake answers is a figure of the API, told to be provisional, within a minute."""

import http.client
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from castline.accounts.person import NewAccount, create_account
from castline.accounts.token import issue_key
from castline.base.clock import now
from castline.base.config import Settings
from castline.measure.figures.query import run_query
from castline.model.query import Query
from castline.store.embedded.server import remove_embedded
from castline.store.pool import open_store
from make_logs import OVERCAST, make_listened_show
from web.browser import Browser
from web.conftest import PASSWORD
from web.test_serving import running, wait_for_line

pytestmark = pytest.mark.store
_WITHIN = 60  # seconds


@pytest.fixture
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("fresh")
    yield folder
    remove_embedded(folder)


def ask_redirect(port: int, name: str, address: str = "") -> int:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    headers = {"User-Agent": OVERCAST} | ({"X-Forwarded-For": address} if address else {})
    client.request("GET", f"/e/cdn.example.org/{name}.mp3", headers=headers)
    status = client.getresponse().status
    client.close()
    return status


class _Listeners(threading.Thread):
    """Some forty a second, each of an address of its own, until they are stopped."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.port, self.stop, self.asked_count = port, threading.Event(), 0

    def run(self) -> None:
        while not self.stop.wait(0.025):
            self.asked_count += 1
            address = f"93.184.{self.asked_count // 250 % 250}.{self.asked_count % 250 + 1}"
            assert ask_redirect(self.port, "two", address) == 302


def seconds_until(count: Callable[[], int], wanted: int) -> float:
    begun_at = time.monotonic()
    while count() != wanted:
        assert time.monotonic() - begun_at < 3 * _WITHIN
        time.sleep(0.25)
    return time.monotonic() - begun_at


def test_a_request_is_a_provisional_figure_of_the_api_within_a_minute(data_dir: Path) -> None:
    with open_store(Settings(data_dir=data_dir)) as store:
        owner = create_account(store, NewAccount(f"{uuid4().hex}@example.org", "Ada", PASSWORD, role="user"))
        make_listened_show(store, owner.user_id)
        key = {"Authorization": f"Bearer {issue_key(store, owner.user_id, 'test', ('read',), 1).secret}"}
        with running(data_dir, "serve", "--port", "0") as process:
            ports = [
                int(found[1])
                for words in ("castline takes in at", "castline answers at")
                if (found := re.search(r"http://127\.0\.0\.1:(\d+)", wait_for_line(process, words)))
            ]
            browser = Browser(ports[1])

            def counted() -> int:
                rows = browser.ask("GET", "/api/v1/waterfall", headers=key).json
                return sum(row["request_count"] for row in rows if row["verdict"] == "counted")

            # The second comes while the day is measured already, as any that is not the day's first.
            for number, name in enumerate(("one", "two"), start=1):
                assert ask_redirect(ports[0], name) == 302
                assert seconds_until(counted, number) < _WITHIN
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        today = now().date()
        asked = Query(today - timedelta(days=1), today)  # it may be midnight
        with store.account(owner.user_id) as connection:
            answer = run_query(connection, owner.user_id, asked)
    assert [row.value for row in answer.rows] == [2]
    assert answer.counting.provisional_from <= today


def test_under_load_too_a_request_is_on_the_dashboard_within_a_minute_and_marked_provisional(data_dir: Path) -> None:
    with open_store(Settings(data_dir=data_dir)) as store:
        owner = create_account(store, NewAccount(f"{uuid4().hex}@example.org", "Ada", PASSWORD, role="user"))
        make_listened_show(store, owner.user_id)
        key = {"Authorization": f"Bearer {issue_key(store, owner.user_id, 'test', ('read',), 1).secret}"}
        with store.account(owner.user_id) as connection:
            row = connection.execute("select episode_id from episodes where guid = 'one.mp3'").fetchone()
        assert row is not None
        environ = {"CASTLINE_TRUSTED_PROXIES": "127.0.0.1"}
        with running(data_dir, "serve", "--port", "0", environ=environ) as process:
            intake_port, port = [
                int(found[1])
                for words in ("castline takes in at", "castline answers at")
                if (found := re.search(r"http://127\.0\.0\.1:(\d+)", wait_for_line(process, words)))
            ]
            browser = Browser(port)
            assert browser.sign_in(owner.email, PASSWORD).status == 303
            listeners = _Listeners(intake_port)
            listeners.start()
            time.sleep(15)  # the day is landed, measured and merged again and again
            days = f"from={now() - timedelta(days=1):%Y-%m-%d}&to={now() + timedelta(days=1):%Y-%m-%d}"

            def counted() -> int:
                asked = f"/api/v1/metrics?{days}&episode={row[0]}"
                answer = browser.ask("GET", asked, headers=key).json
                return sum(one["value"] or 0 for one in answer["rows"])

            assert counted() == 0
            assert ask_redirect(intake_port, "one", "203.0.114.9") == 302
            assert seconds_until(counted, 1) < _WITHIN
            page = browser.get(f"/?{days}").text
            assert re.search(r"Provisional from\s*<strong>", page)
            assert listeners.is_alive()
            listeners.stop.set()
            listeners.join(20)
            assert listeners.asked_count > 100
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
