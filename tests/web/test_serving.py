"""`castline serve`, `web` and `worker` as processes: where they listen, and how they stop."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from types import MappingProxyType

import pytest

import castline
from castline.base.config import Settings
from castline.base.errors import InvalidInput
from castline.cli.serve import check_host
from castline.measure.run import measure
from castline.store.embedded.server import remove_embedded
from castline.store.listening.downloads import load_dirty_days, lock_dirty_days, mark_dirty_days
from castline.store.pool import Store, open_store
from castline.store.provenance.ledger import load_runs
from make import make_account
from web.browser import Browser

SOURCE = str(Path(castline.__file__).parents[1])
SECONDS = 60


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("served")
    yield folder
    remove_embedded(folder)


@contextmanager
def running(
    data_dir: Path, *words: str, environ: Mapping[str, str] = MappingProxyType({})
) -> Iterator["subprocess.Popen[str]"]:
    own = {"CASTLINE_DATA_DIR": str(data_dir), "PYTHONPATH": SOURCE}
    taken = {"DATABASE_URL", "REDIS_URL", "CASTLINE_PUBLIC_URL"}
    inherited = {name: value for name, value in os.environ.items() if name not in taken}
    command = [sys.executable, "-m", "castline", *words]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=inherited | own | dict(environ)
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def wait_for_line(process: "subprocess.Popen[str]", words: str) -> str:
    assert process.stderr is not None
    for line in process.stderr:
        if words in line:
            return line
    raise AssertionError(f"it ended with {process.wait()} and never said {words!r}")


@pytest.mark.store
@pytest.mark.parametrize("command", ["serve", "web"])
def test_it_says_where_it_answers_and_stops_when_it_is_asked_to(data_dir: Path, command: str) -> None:
    with running(data_dir, command, "--port", "0") as process:
        found = re.search(r"http://127\.0\.0\.1:(\d+)", wait_for_line(process, "castline answers at"))
        assert found
        browser = Browser(int(found[1]))
        assert browser.get("/api/v1/health").json == {"status": "ok"}
        page = browser.get("/sign-in")
        assert "There is no account yet" in page.text
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


@pytest.mark.store
def test_a_worker_stops_when_it_is_asked_to(data_dir: Path) -> None:
    with running(data_dir, "worker") as process:
        wait_for_line(process, "The worker works")
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0


@pytest.mark.store
def test_a_job_that_does_not_end_is_rolled_back_when_it_is_stopped_and_done_again(tmp_path: Path) -> None:
    # A store of its own: the others begin without an account.
    data_dir, day = tmp_path / "stopped", date(2026, 9, 7)
    settings = Settings(data_dir=data_dir)
    with open_store(settings) as store:
        owner_id = make_account(store).user_id
        with store.ingest(owner_id) as connection:
            mark_dirty_days(connection, owner_id, [day])
        with running(data_dir, "serve", "--port", "0") as process, store.ingest(owner_id) as connection:
            assert lock_dirty_days(connection, owner_id, [day]) == [day]
            wait_for_line(process, "castline answers at")
            wait_until(lambda: is_worker_waiting(store))
            process.send_signal(signal.SIGTERM)
            asked_at = time.monotonic()
            assert process.wait(SECONDS) == 0
            assert time.monotonic() - asked_at < 20
            assert not is_worker_waiting(store)
            assert process.stderr is not None
            assert "Traceback" not in process.stderr.read()
        with store.account(owner_id) as connection:
            assert [item.day_on for item in load_dirty_days(connection, owner_id)] == [day]
            assert {run.status for run in load_runs(connection, owner_id)} <= {"failed"}
        assert measure(store, owner_id).days == (day,)
    remove_embedded(data_dir)


def is_worker_waiting(store: Store) -> bool:
    """Whether a job waits for a lock that somebody else holds."""
    query = (
        "select exists (select from pg_stat_activity"
        " where application_name like 'castline worker%' and wait_event_type = 'Lock')"
    )
    with store.owner() as connection:
        row = connection.execute(query).fetchone()
    return row is not None and bool(row[0])


def wait_until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.store
def test_a_port_that_is_taken_is_said_to_be(data_dir: Path) -> None:
    with running(data_dir, "web", "--port", "0") as first:
        port = wait_for_line(first, "castline answers at").split(":")[2].split(" ")[0]
        with running(data_dir, "web", "--port", port) as second:
            line = wait_for_line(second, "error:")
            assert f"castline cannot listen on 127.0.0.1:{port}" in line
            assert second.wait(SECONDS) == 1


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "stats.example.org"])  # noqa: S104
def test_passwords_do_not_cross_a_network_in_the_clear_unless_told_to(tmp_path: Path, host: str) -> None:
    plain = Settings(data_dir=tmp_path)
    with pytest.raises(InvalidInput, match="CASTLINE_PUBLIC_URL"):
        check_host(plain, host, plain_http=False)
    check_host(plain, host, plain_http=True)
    check_host(Settings(data_dir=tmp_path, public_url="https://stats.example.org"), host, plain_http=False)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_this_machine_alone_may_always_listen(tmp_path: Path, host: str) -> None:
    check_host(Settings(data_dir=tmp_path), host, plain_http=False)
