"""`castline serve` is stopped again and again, at any moment: it ends, and what it answered is there once."""

import http.client
import random
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from castline.accounts.person import NewAccount, create_account
from castline.base.clock import now
from castline.base.config import Settings
from castline.base.period import Period
from castline.intake.drain import drain_intake
from castline.intake.trouble import load_waiting
from castline.measure.run import measure
from castline.store.embedded.server import remove_embedded
from castline.store.landing.files import load_requests
from castline.store.listening.downloads import LOG_KIND, load_log_batches
from castline.store.pool import open_store
from make_logs import OVERCAST, make_listened_show
from web.conftest import PASSWORD
from web.test_serving import running, wait_for_line

pytestmark = pytest.mark.store
_CYCLES = 3
_ENDS_WITHIN = 60  # seconds, on a machine that has other things to do


@pytest.fixture
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("stopped")
    yield folder
    remove_embedded(folder)


@dataclass
class _Listener(threading.Thread):
    """Asks for one file after the other at whatever port is the server's, and remembers which were answered."""

    port: int = 0
    answered: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        number = 0
        while not self.stop.wait(0.02):
            number += 1
            path = f"/{number:06}.mp3"
            try:
                with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)) as client:
                    client.request("GET", f"/e/cdn.example.org{path}", headers={"User-Agent": OVERCAST})
                    if client.getresponse().status == 302:
                        self.answered.append(path)
            except (OSError, http.client.HTTPException):
                continue  # nobody is there between two servers


def test_a_server_that_is_stopped_at_any_moment_ends_and_loses_and_doubles_nothing(data_dir: Path) -> None:
    chance = random.Random(20260907)  # noqa: S311  # moments, not secrets
    with open_store(Settings(data_dir=data_dir)) as store:
        owner_id = create_account(store, NewAccount(f"{uuid4().hex}@example.org", "Ada", PASSWORD, role="user")).user_id
        make_listened_show(store, owner_id)
        listener = _Listener()
        listener.start()
        for _ in range(_CYCLES):
            with running(data_dir, "serve", "--port", "0") as process:
                found = re.search(r"http://127\.0\.0\.1:(\d+)", wait_for_line(process, "castline takes in at"))
                assert found
                listener.port = int(found[1])
                wait_for_line(process, "castline answers at")
                time.sleep(chance.uniform(0.0, 9.0))
                process.send_signal(signal.SIGTERM)
                assert process.wait(_ENDS_WITHIN) == 0
        listener.stop.set()
        listener.join(30)
        drain_intake(store, is_asked=True)
        measured = measure(store, owner_id)
        with store.account(owner_id) as connection:
            period = Period.of_days(now().date() - timedelta(days=1), now().date())
            batches = load_log_batches(connection, owner_id, period)
        frame = load_requests(store.settings.landing_dir, owner_id, LOG_KIND, batches, list(period.iter_days()))
    landed = Counter(frame["path"].to_list())
    assert len(listener.answered) > 10 * _CYCLES
    assert set(listener.answered) <= set(landed)
    assert set(landed.values()) == {1}
    assert sum(row.request_count for row in measured.waterfall) in {0, len(landed)}  # 0: all was measured before
    assert load_waiting(data_dir) == []
