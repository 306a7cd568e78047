"""What the intake answers is a figure of the API, told to be provisional, within a minute."""

import http.client
import re
import signal
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
from castline.measure.query import run_query
from castline.model.query import Query
from castline.store.embedded import remove_embedded
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


def ask_redirect(port: int, name: str) -> int:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    client.request("GET", f"/e/cdn.example.org/{name}.mp3", headers={"User-Agent": OVERCAST})
    status = client.getresponse().status
    client.close()
    return status


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
