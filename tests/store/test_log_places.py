"""Logs come from files, patterns, folders and buckets, once or as they come; each is taken once."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import polars as pl
import pytest

import castline
from castline.base.errors import CastlineError, InvalidInput, SourceUnavailable
from castline.ingest.logs.landing import ImportOptions, LogImport, import_log
from castline.ingest.logs.origins import LogTask, Stream, iter_logs, watch_logs
from castline.measure.run import measure
from castline.model.account import User
from castline.sources.bucket import BucketObject, BucketRefused, iter_objects
from castline.sources.logs.reading import NotAnAccessLog
from castline.sources.logs.table import find_format
from castline.store.landing.files import load_requests
from castline.store.listening.downloads import LOG_KIND
from castline.store.pool import Store
from castline.store.provenance.ledger import load_batches
from make_logs import MONDAY, Line, make_listened_show, write_log
from s3_server import put_objects, run_s3

pytestmark = pytest.mark.store
_ID = "SOX4xwn4XV6Q4rgb7XiVGOHms_BGlTAC4KyHmureZmBNrjGdRLiNIQ=="


@pytest.fixture
def task(store: Store, account: User) -> LogTask:
    return LogTask(store, account.user_id)


def _landed(task: LogTask) -> pl.DataFrame:
    with task.store.account(task.owner_id) as connection:
        batches = [batch for batch in load_batches(connection, task.owner_id) if batch.kind == LOG_KIND]
    days = {MONDAY.date()}
    return load_requests(task.store.settings.landing_dir, task.owner_id, LOG_KIND, batches, days)


def test_a_folder_gives_its_files_at_any_depth_but_hidden_and_unfinished_ones(task: LogTask, tmp_path: Path) -> None:
    for name in ("b/two.log", "one.log", ".hidden/x.log", "b/.y.log", "three.log.gz.part", "four.log~"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    assert list(iter_logs(task, [str(tmp_path)])) == [tmp_path / "b/two.log", tmp_path / "one.log"]


def test_a_pattern_gives_what_it_matches_and_each_file_once(task: LogTask, tmp_path: Path) -> None:
    for name in ("a/1.log", "a/b/2.log", "[x].log"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    found = list(iter_logs(task, [str(tmp_path / "**/*.log"), str(tmp_path / "a"), str(tmp_path / "[x].log")]))
    assert found == [tmp_path / "[x].log", tmp_path / "a/1.log", tmp_path / "a/b/2.log"]
    with pytest.raises(InvalidInput, match=r"no file matches '.*\*\.gz'"):
        list(iter_logs(task, [str(tmp_path / "*.gz")]))


def test_a_watched_folder_gives_each_log_once_it_is_written(task: LogTask, tmp_path: Path) -> None:
    stop = threading.Event()
    seen: list[LogImport | CastlineError] = []
    write_log(tmp_path / "1.log", [Line()])
    (tmp_path / "bad.log").write_text("nonsense\n")

    def feed() -> None:
        for done in watch_logs(task, [str(tmp_path)], stop=stop, every_seconds=0.05):
            seen.append(done)
            if len(seen) == 2:
                write_log(tmp_path / "2.log.gz", [Line(after=1)])
            if len(seen) == 3:
                stop.set()

    worker = threading.Thread(target=feed)
    worker.start()
    worker.join(timeout=60)
    assert not worker.is_alive()
    told = [done.source if isinstance(done, LogImport) else done.code for done in seen]
    assert told == ["1.log", "not_an_access_log", "2.log.gz"]
    stop = threading.Event()
    again = watch_logs(task, [str(tmp_path / "*.log")], stop=stop, every_seconds=0.05)
    first = next(again)
    stop.set()
    assert isinstance(first, LogImport)
    assert not first.is_new


def test_a_watched_log_that_never_rests_is_taken_all_the_same_and_an_empty_one_is_not(
    task: LogTask, tmp_path: Path
) -> None:
    (tmp_path / "empty.log").touch()
    log, stop = tmp_path / "busy.log", threading.Event()
    taken = 0
    with log.open("w") as file:

        def write() -> None:
            for number in range(3_000):  # half a minute
                file.write(f"{Line(after=number, address=f'198.51.100.{number % 250}')}\n")
                file.flush()
                if stop.wait(0.01):
                    return
            stop.set()

        writer = threading.Thread(target=write)
        writer.start()
        for done in watch_logs(task, [str(tmp_path)], stop=stop, every_seconds=0.1):
            assert isinstance(done, LogImport)
            assert (done.source, done.is_new) == ("busy.log", True)
            taken += 1
            if taken == 2:
                stop.set()
        writer.join()
    assert taken == 2
    task.import_one(log)
    assert sorted(_landed(task)["line_number"]) == list(range(1, log.read_text().count("\n") + 1))


def test_a_watching_command_stops_when_it_is_interrupted(store: Store, account: User, tmp_path: Path) -> None:
    write_log(tmp_path / "1.log", [Line()])
    words = ["log", "import", str(tmp_path), "--watch", "--every", "0.1", "--json"]
    own = {"CASTLINE_DATA_DIR": str(store.settings.data_dir), "CASTLINE_ACCOUNT": account.email}
    environ = os.environ | own | {"PYTHONPATH": str(Path(castline.__file__).parents[1])}
    command = [sys.executable, "-m", "castline", *words]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert b'"landed_count":1' in line
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0


def test_an_interrupt_ends_a_command_whose_input_is_silent_and_says_that_nothing_landed(
    store: Store, account: User, tmp_path: Path
) -> None:
    log = write_log(tmp_path / "1.log", [Line()])
    own = {"CASTLINE_DATA_DIR": str(store.settings.data_dir), "CASTLINE_ACCOUNT": account.email}
    own |= {"PYTHONPATH": str(Path(castline.__file__).parents[1]), "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "castline", "log", "import", str(log), "-", "--json"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=os.environ | own, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        assert process.stdin is not None
        process.stdin.write(f"{Line(60)}\n".encode())
        process.stdin.flush()
        _wait_until(lambda: any(tmp_path.glob("castline-log-*/stream")))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, [done["source"] for done in json.loads(out)]) == (130, ["1.log"])
    assert b"stopped at -: nothing of it has landed" in err
    assert list(tmp_path.glob("castline-log-*")) == []
    with store.account(account.user_id) as connection:
        assert [batch.source for batch in load_batches(connection, account.user_id)] == ["1.log"]


def _wait_until(is_so: Callable[[], bool]) -> None:
    for _ in range(600):
        if is_so():
            return
        time.sleep(0.05)
    raise AssertionError(is_so)


def test_the_format_is_kept_with_the_batch_and_a_wrong_one_is_refused(task: LogTask, tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_text(find_format("bunny").example + "\n")
    with pytest.raises(InvalidInput, match="tells no time"):
        import_log(task.store, task.owner_id, path, options=ImportOptions("nginx:$remote_addr"))
    assert import_log(task.store, task.owner_id, path).log_format == "bunny"


def test_the_zone_of_a_clock_is_stated_in_the_manifest(task: LogTask, tmp_path: Path) -> None:
    path = tmp_path / "haproxy.log"
    path.write_text(find_format("haproxy").example + "\n")
    done = import_log(task.store, task.owner_id, path, options=ImportOptions(tz="Europe/Berlin"))
    assert str(done.first_at) == "2026-09-06 22:00:00.042000+00:00"
    with task.store.account(task.owner_id) as connection:
        (batch,) = load_batches(connection, task.owner_id)
    assert batch.metadata["tz"] == "Europe/Berlin"


def test_a_log_that_is_utc_by_its_standard_says_so_in_the_manifest_unless_its_format_was_named(
    task: LogTask, tmp_path: Path
) -> None:
    path = tmp_path / "iis.log"
    path.write_text(find_format("w3c").example + "\n")
    for _ in range(2):
        done = import_log(task.store, task.owner_id, path, options=ImportOptions(tz="Europe/Berlin"))
        assert (str(done.first_at), done.problem) == ("2026-09-07 00:00:00+00:00", None)
    named = import_log(task.store, task.owner_id, path, options=ImportOptions("w3c", tz="Europe/Berlin"))
    assert (named.problem or "").startswith("it was imported before with --tz UTC, and its times stay")
    with task.store.account(task.owner_id) as connection:
        (batch,) = load_batches(connection, task.owner_id)
    assert batch.metadata["tz"] == "UTC"


def test_op3_listeners_are_keys_of_their_own_in_the_delivery_mode_prefix(task: LogTask, tmp_path: Path) -> None:
    path = tmp_path / "op3.tsv"
    path.write_text(find_format("op3").example + "\n")
    import_log(task.store, task.owner_id, path)
    (row,) = _landed(task).to_dicts()
    told = {name: row[name] for name in ("ip", "country", "asn", "delivery", "status", "bytes_sent", "host", "path")}
    assert told == {
        "ip": None, "country": "US", "asn": None, "delivery": "prefix", "status": 302, "bytes_sent": None,
        "host": "cdn.example.org", "path": "/one.mp3",
    }  # fmt: skip
    assert len(row["listener_key"]) == 16


def test_a_log_of_redirects_lands_in_the_mode_that_was_named(task: LogTask, tmp_path: Path) -> None:
    path = write_log(tmp_path / "redirects.log", [Line(status=302, sent=0)])
    import_log(task.store, task.owner_id, path, options=ImportOptions(delivery="prefix"))
    assert _landed(task)["delivery"].to_list() == ["prefix"]


def test_a_request_that_was_delivered_in_two_files_is_counted_once(task: LogTask, tmp_path: Path) -> None:
    make_listened_show(task.store, task.owner_id)
    standard, live = (find_format(name).example for name in ("cloudfront", "cloudfront-realtime"))
    again = live.replace("MRVMF7KydIvxMWfJIglgwHQwZsbG2IhRJ07sn9AkKUFSHS9EXAMPLE==", _ID)
    other = standard.replace(_ID, "Other==").replace("203.0.113.9", "203.0.113.10")
    for name, text in (("a", standard), ("b", f"{other}\n{standard}"), ("c", again)):
        (tmp_path / name).write_text(f"{text}\n")
        import_log(task.store, task.owner_id, tmp_path / name)
    result = measure(task.store, task.owner_id)
    ends = {(row.verdict, row.reason): row.request_count for row in result.waterfall}
    assert ends == {("counted", "one_minute"): 2, ("dropped", "same_request"): 2}


def test_requests_that_an_older_castline_landed_are_read_without_what_it_did_not_know(
    task: LogTask, tmp_path: Path
) -> None:
    import_log(task.store, task.owner_id, write_log(tmp_path / "a.log", [Line()]))
    (path,) = (task.store.settings.landing_dir / "requests" / str(task.owner_id)).rglob("*.parquet")
    pl.read_parquet(path, hive_partitioning=False).drop("request_id", "delivery").write_parquet(path)
    assert _landed(task).select("path", "request_id", "delivery").rows() == [("/one.mp3", None, None)]


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with run_s3(tmp_path_factory.mktemp("s3")) as variables:
        yield variables


def test_a_bucket_gives_its_new_objects_and_none_twice(
    task: LogTask, s3: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, told in s3.items():
        monkeypatch.setenv(name, told)
    packed = write_log(tmp_path / "x.gz", [Line(after=2)]).read_bytes()
    put_objects(s3, "logs", {"cdn/E1.a": f"{Line()}\n".encode(), "cdn/E1.b.gz": packed, "cdn/E2": b"x", "empty": b""})
    found = [task.import_one(log) for log in iter_logs(task, ["s3://logs/cdn/E1"])]
    assert [(done.source, done.landed_count) for done in found] == [
        ("s3://logs/cdn/E1.a", 1),
        ("s3://logs/cdn/E1.b.gz", 1),
    ]
    assert list(iter_logs(task, ["s3://logs/cdn/E1"])) == []
    (bad,) = iter_logs(task, ["s3://logs/cdn/E2"])
    with pytest.raises(NotAnAccessLog, match="s3://logs/cdn/E2 is no access log that castline knows: line 1: 'x'"):
        task.import_one(bad)
    put_objects(s3, "logs", {"cdn/E1.a": f"{Line(after=3)}\n".encode()})
    assert [str(log) for log in iter_logs(task, ["s3://logs/cdn/E1"])] != []
    assert _landed(task).height == 2


def test_objects_of_known_content_under_another_tag_or_name_are_fetched_once(
    task: LogTask, s3: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, told in s3.items():
        monkeypatch.setenv(name, told)
    packed = write_log(tmp_path / "x.gz", [Line()]).read_bytes()
    put_objects(s3, "logs", {"same/a.log": f"{Line()}\n".encode(), "same/b.log": f"{Line()}\n".encode()})
    for names in (["same/a.log", "same/b.log"], []):
        objects = [log for log in iter_logs(task, ["s3://logs/same/"]) if isinstance(log, BucketObject)]
        assert [log.key for log in objects] == names
        assert [task.import_one(log).landed_count for log in objects] == [1 for _ in names]
    put_objects(s3, "logs", {"same/a.log": packed})
    (log,) = iter_logs(task, ["s3://logs/same/"])
    assert not task.import_one(log).is_new
    assert list(iter_logs(task, ["s3://logs/same/"])) == []
    assert _landed(task).height == 1


def test_what_is_wrong_with_a_watched_place_is_said_once_and_hides_no_other_place(
    task: LogTask, tmp_path: Path
) -> None:
    write_log(tmp_path / "1.log", [Line()])
    stop = threading.Event()
    missing = str(tmp_path / "later/*.log")
    looks = watch_logs(task, [missing, str(tmp_path / "1.log")], stop=stop, every_seconds=0.01)
    assert isinstance(next(looks), InvalidInput)
    done = next(looks)
    assert isinstance(done, LogImport)
    assert done.source == "1.log"
    (tmp_path / "later").mkdir()
    write_log(tmp_path / "later/2.log", [Line(after=1)])
    done = next(looks)
    assert isinstance(done, LogImport)
    assert done.source == "2.log"
    (tmp_path / "later/2.log").unlink()
    assert isinstance(next(looks), InvalidInput)
    stop.set()


def test_a_bucket_that_cannot_be_read_says_why(s3: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, told in s3.items():
        monkeypatch.setenv(name, told)
    put_objects(s3, "logs", {"x": b"x"})
    with pytest.raises(BucketRefused, match=r"s3://nowhere/x may not be read: .*404"):
        list(iter_objects("s3://nowhere/x"))
    with pytest.raises(InvalidInput, match="names no bucket"):
        list(iter_objects("s3:///x"))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(BucketRefused, match="403"):
        list(iter_objects("s3://logs"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(SourceUnavailable, match="s3://logs could not be fetched"):
        list(iter_objects("s3://logs"))


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        (os.fsdecode(b"caf\xe9.log"), "caf\\xe9.log"),
        ("two\nlines\x1b.log", "two\\nlines\\x1b.log"),
        ('it\'s "the" log; rm -rf.log', 'it\'s "the" log; rm -rf.log'),
    ],
)
def test_a_log_of_any_name_is_imported_and_kept_under_it(task: LogTask, tmp_path: Path, name: str, kept: str) -> None:
    write_log(tmp_path / name, [Line()])
    (log,) = iter_logs(task, [str(tmp_path)])
    assert task.import_one(log).source == kept
    with task.store.account(task.owner_id) as connection:
        assert [batch.source for batch in load_batches(connection, task.owner_id)] == [kept]


@pytest.mark.parametrize("suffix", ["log", "log.gz"])
def test_a_log_through_a_stream_is_the_same_log_as_its_file(task: LogTask, tmp_path: Path, suffix: str) -> None:
    path = write_log(tmp_path / f"one.{suffix}", [Line(), Line(60), "no access log line"])
    streamed = task.import_one(Stream(stream=BytesIO(path.read_bytes())))
    filed = task.import_one(path)
    assert (streamed.source, streamed.received_count, streamed.landed_count, streamed.refused_count) == ("-", 3, 2, 1)
    assert (filed.is_new, filed.batch_id) == (False, streamed.batch_id)


@pytest.mark.parametrize("suffix", ["log", "log.gz"])
def test_a_log_through_a_named_pipe_is_the_same_log_as_its_file(task: LogTask, tmp_path: Path, suffix: str) -> None:
    path, pipe = write_log(tmp_path / f"one.{suffix}", [Line(), Line(60)]), tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(path.read_bytes()))
    writer.start()
    (log,) = iter_logs(task, [str(pipe)])
    piped, filed = task.import_one(log), task.import_one(path)
    writer.join()
    assert (piped.source, piped.landed_count) == (str(pipe), 2)
    assert (filed.is_new, filed.batch_id) == (False, piped.batch_id)
    with pytest.raises(InvalidInput, match=r"the pipe .* is read once"):
        next(watch_logs(task, [str(pipe)], stop=threading.Event()))


def test_standard_input_is_one_log_and_cannot_be_watched(task: LogTask) -> None:
    (log,) = iter_logs(task, ["-", "-"])
    assert isinstance(log, Stream)
    with pytest.raises(InvalidInput, match="standard input is read once"):
        next(watch_logs(task, ["-"], stop=threading.Event()))
