"""The intake's paths in the web process, and `castline intake` as a process: the same answers, without a database."""

import http.client
import json
import re
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from castline.base.config import Settings
from castline.store.embedded.server import remove_embedded
from castline.store.pool import Store
from intake_process import read_all, read_records
from web.conftest import make_closed_pool
from web.conftest import run_server as run_web
from web.test_serving import running, wait_for_line

pytestmark = pytest.mark.store
_AT = "2026-09-07T00:00:00Z"
EVENTS = json.dumps(
    {
        "session": {"id": "s", "started_at": "2026-09-07T00:00:00Z", "episode": {"guid": "one"}},
        "events": [{"id": "1", "type": "start", "at": "2026-09-07T00:00:00Z"}],
    }
)
ASKED: list[tuple[str, str, str | None, int]] = [
    ("GET", "/e/cdn.example.org/one.mp3?x=1", None, 302),
    ("HEAD", "/e,pg=1/https://cdn.example.org/one.mp3", None, 302),
    ("GET", "/e/https%3A%2F%2Fcdn.example.org%2Fone.mp3", None, 302),
    ("GET", "/e/nowhere", None, 404),
    ("POST", "/e/cdn.example.org/one.mp3", "", 405),
    ("POST", "/v1/events", EVENTS, 202),
    ("POST", "/v1/events", "{}", 400),
    ("OPTIONS", "/v1/events", None, 204),
    ("GET", f"/v1/events?session=s&started_at={_AT}&guid=one&id=1&type=skip&at={_AT}", None, 204),
]


@pytest.fixture
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("served")
    yield folder
    remove_embedded(folder)


def ask_all(port: int) -> list[tuple[int, str | None, bytes]]:
    answers = []
    for method, path, body, _ in ASKED:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        client.request(method, path, body)
        answer = client.getresponse()
        answers.append((answer.status, answer.headers["location"], answer.read()))
        client.close()
    return answers


def test_both_servers_give_the_same_answers_and_keep_the_same_records_without_a_database(
    store: Store, web_settings: Settings, tmp_path: Path
) -> None:
    settings = replace(web_settings, data_dir=tmp_path / "web")
    away = replace(store, settings=settings, _pool=make_closed_pool())
    with run_web(away, settings) as port:
        from_web = ask_all(port)
    nowhere = {"DATABASE_URL": "postgresql://127.0.0.1:1/none"}
    with running(tmp_path / "own", "intake", "--port", "0", environ=nowhere) as process:
        found = re.search(r"http://127\.0\.0\.1:(\d+)", wait_for_line(process, "castline takes in at"))
        assert found
        from_intake = ask_all(int(found[1]))
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert [status for status, _, _ in from_web] == [status for *_, status in ASKED]
    assert from_web == from_intake
    records = [[record.text.split(b"\r\n")[0] for record in read_records(tmp_path / name)] for name in ("web", "own")]
    assert records[0] == records[1]
    assert len(records[0]) == 5


REDIRECT = b"GET /e/cdn.example.org/%b.mp3 HTTP/1.1\r\nHost: %b\r\nUser-Agent: Overcast\r\n\r\n"
PAGE = b"GET /e/nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n"


def test_redirects_and_pages_of_one_connection_are_answered_in_order_however_they_are_sent(
    store: Store, web_settings: Settings, tmp_path: Path
) -> None:
    settings = replace(web_settings, data_dir=tmp_path)
    away = replace(store, settings=settings, _pool=make_closed_pool())
    one, two, foreign = (
        REDIRECT % given for given in ((b"one", b"localhost"), (b"two", b"localhost"), (b"one", b"evil.test"))
    )
    sent = [
        *(one, two, PAGE, one),  # each by itself
        *(one + two, PAGE + one, one + PAGE + two),  # several at once
        *(one[:20], one[20:], two[:-1], two[-1:] + one),  # in pieces
        *(foreign, two),
    ]
    with run_web(away, settings) as port, socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        for part in sent:
            client.sendall(part)
            time.sleep(0.1)
        for _ in range(5):  # faster than any answer
            client.sendall(one)
            client.sendall(two)
        client.settimeout(2)
        answers = re.findall(rb"HTTP/1\.1 (\d+)|\r\n[Ll]ocation: https://cdn\.example\.org/(\w+)", read_all(client))
    told = b" ".join(status + name for status, name in answers).decode()
    whole = "one two 404 one one two 404 one one 404 two one two one 421 two" + " one two" * 5
    assert told == whole.replace("one", "302 one").replace("two", "302 two")
    names = [record.text.split(b" ")[1].rpartition(b"/")[2][:3].decode() for record in read_records(tmp_path)]
    assert sorted(names) == sorted(whole.replace("404", "").replace("421", "").split())


def test_serve_takes_in_beside_its_pages_and_lands_what_came_when_it_stops(data_dir: Path) -> None:
    with running(data_dir, "serve", "--port", "0") as process:
        found = re.search(r"http://127\.0\.0\.1:(\d+)", wait_for_line(process, "castline takes in at"))
        assert found
        wait_for_line(process, "castline answers at")
        assert [status for status, _, _ in ask_all(int(found[1]))] == [status for *_, status in ASKED]
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert read_records(data_dir) == []
