"""`castline agents` as a user runs it: from a pipe, without a database, and with a list from a server."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from run_castline import Castline


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_words: object) -> None:
        """Says nothing."""


@pytest.fixture
def castline(tmp_path: Path) -> Castline:
    return Castline(tmp_path / "data", {"CASTLINE_ALLOW_PRIVATE_ADDRESSES": "yes"})


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the address at which it is served."""
    folder = tmp_path / "site"
    folder.mkdir()
    for name, entry in {
        "bots": {"name": "New Bot", "pattern": "^New/1"},
        "apps": {"name": "New Podcasts", "pattern": "^New/"},
        "libraries": {"name": "New Library", "pattern": "^NewLib"},
        "browsers": {"name": "New Browser", "pattern": "NewBrowser/"},
        "devices": {"name": "New Speaker", "pattern": "NewSpeaker", "category": "smart_speaker"},
    }.items():
        (folder / f"{name}.json").write_text(json.dumps({"entries": [entry]}), "utf-8")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def _classify(castline: Castline, lines: bytes) -> list[dict[str, object]]:
    done = subprocess.run(
        [sys.executable, "-m", "castline", "agents", "classify", "-"],
        input=lines,
        capture_output=True,
        timeout=60,
        env={"CASTLINE_DATA_DIR": str(castline.data_dir), "PYTHONPATH": ":".join(sys.path)},
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_line_of_a_pipe_is_answered_and_no_database_starts(castline: Castline) -> None:
    long = b"L" * 10_000_000
    told = _classify(castline, b"Castro 2023.3/1402\n\nbad\xff\x00\r\n" + long + b"\nGooglebot/2.1")
    assert [(agent["type"], agent["name"]) for agent in told] == [
        ("app", "Castro"),
        ("unknown", None),
        ("unknown", None),
        ("unknown", None),
        ("bot", "Googlebot"),
    ]
    assert told[3]["user_agent"] == long.decode()
    assert not castline.data_dir.exists()


def test_a_file_is_read_as_well_and_an_absent_one_is_named(castline: Castline, tmp_path: Path) -> None:
    path = tmp_path / "agents.txt"
    path.write_text("Overcast/3.0 (+http://overcast.fm/; iOS podcast app)\n", "utf-8")
    ended = castline("agents", "classify", str(path))
    assert (ended.code, ended.said["name"], ended.said["os"]) == (0, "Overcast", "ios")
    ended = castline("agents", "classify", str(tmp_path / "absent.txt"))
    assert (ended.code, ended.out) == (1, "")
    assert "absent.txt cannot be read" in ended.err


def test_a_list_from_a_server_is_used_from_then_on(castline: Castline, site: tuple[Path, str]) -> None:
    folder, address = site
    facts = castline.well("agents", "update", address)
    assert facts["origin"] == address
    assert facts["entry_counts"] == {"bots": 1, "apps": 1, "libraries": 1, "browsers": 1, "devices": 1}
    told = _classify(castline, b"New/2 NewSpeaker\nNew/1\n")
    assert [(agent["type"], agent["name"], agent["device_type"]) for agent in told] == [
        ("app", "New Podcasts", "smart_speaker"),
        ("bot", "New Bot", None),
    ]
    assert [row["list"] for row in castline.well("agents", "show")][:2] == ["published", "castline"]
    (folder / "bots.json").write_text('{"entries": [{"name": "Broken", "pattern": "("}]}', "utf-8")
    ended = castline("agents", "update", address)
    assert ended.code == 1
    assert "bots.json, entry 'Broken': its pattern is none for RE2" in ended.err
    (folder / "apps.json").unlink()
    assert castline("agents", "update", address).code == 5
    assert castline.well("agents", "show")[0]["version"] == facts["version"]
