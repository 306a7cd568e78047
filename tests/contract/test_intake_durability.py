"""What the intake acknowledged is in its log once, however its process ends."""

import asyncio
import logging
import re
import socket
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from castline.ingest.segment_log import REQUEST, encode_record
from castline.intake.server import IntakeServer
from intake_process import Intake, run_server

_CLIENTS = 8


class _Client(threading.Thread):
    """Asks for one address after another, a few ahead, and remembers which were answered."""

    def __init__(self, intake: Intake, number: int) -> None:
        super().__init__(daemon=True)
        self.intake, self.number = intake, number
        self.answered: list[bytes] = []

    def run(self) -> None:
        asked, buffer = 0, b""
        try:
            with self.intake.connect() as client:
                while True:
                    for _ in range(5):
                        name = b"%d-%d.mp3" % (self.number, asked)
                        client.sendall(b"GET /e/cdn.example.org/%b HTTP/1.1\r\nHost: a\r\n\r\n" % name)
                        asked += 1
                    while len(self.answered) < asked - 2:
                        part = client.recv(65536)
                        if not part:
                            return
                        buffer += part
                        whole, _, buffer = buffer.rpartition(b"\r\n\r\n")
                        self.answered += re.findall(rb"Location: https://cdn.example.org/(\S+)", whole)
        except OSError:
            return


def _names(intake: Intake) -> Counter[bytes]:
    records = [record for record in intake.records() if record.kind == REQUEST]
    return Counter(record.text.split(b" ")[1].removeprefix(b"/e/cdn.example.org/") for record in records)


@pytest.mark.parametrize("durability", ["relaxed", "strict"])
@pytest.mark.parametrize("end", ["kill", "stop"])
def test_each_answered_request_is_in_the_log_once_however_the_server_ends(
    tmp_path: Path, durability: str, end: str
) -> None:
    with run_server(tmp_path, durability=durability) as intake:
        clients = [_Client(intake, number) for number in range(_CLIENTS)]
        for client in clients:
            client.start()
        time.sleep(1.0)
        if end == "kill":
            intake.kill()
        else:
            assert intake.stop() == 0
        for client in clients:
            client.join(30)
        logged = _names(intake)
    answered = [name for client in clients for name in client.answered]
    assert len(answered) > 100
    assert set(answered) <= set(logged)
    assert set(logged.values()) == {1}
    open_segments = list((tmp_path / "intake" / "log").glob("*.open"))
    assert len(open_segments) == (1 if end == "kill" else 0)


def test_nobody_but_its_user_reads_the_log(tmp_path: Path) -> None:
    with run_server(tmp_path) as intake:
        intake.ask(b"GET /e/cdn.example.org/one.mp3 HTTP/1.1\r\nHost: a\r\n\r\n")
        folder = tmp_path / "intake" / "log"
        modes = [folder.stat().st_mode & 0o777, *(path.stat().st_mode & 0o777 for path in folder.iterdir())]
    assert modes == [0o700, 0o600]


def test_a_stopped_server_takes_no_new_connection_and_answers_what_had_begun(tmp_path: Path) -> None:
    with run_server(tmp_path) as intake, intake.connect() as begun:
        begun.sendall(b"GET /e/cdn.example.org/one.mp3 HTTP/1.1\r\n")
        time.sleep(0.3)
        intake.process.terminate()
        time.sleep(0.7)
        with pytest.raises(ConnectionError):
            socket.create_connection(("127.0.0.1", intake.port), timeout=5)
        begun.sendall(b"Host: a\r\n\r\n")
        assert begun.recv(65536).startswith(b"HTTP/1.1 302 Found\r\n")
        assert intake.process.wait(30) == 0
        assert _names(intake) == Counter({b"one.mp3": 1})


def test_a_stopped_server_tells_a_client_at_work_which_answer_is_its_last(tmp_path: Path) -> None:
    with run_server(tmp_path) as intake, intake.connect() as client:
        last, asked = b"", 0
        while b"\r\nConnection: close\r\n" not in last:
            client.sendall(b"GET /e/cdn.example.org/%d.mp3 HTTP/1.1\r\nHost: a\r\n\r\n" % asked)
            last = client.recv(65536)
            assert last.startswith(b"HTTP/1.1 302 Found\r\n")
            asked += 1
            if asked == 20:
                intake.process.terminate()
        assert client.recv(65536) == b""  # the end, and no reset
        assert intake.process.wait(30) == 0
        assert len(_names(intake)) == asked


class _Heard:
    """A client that remembers what it was sent."""

    def __init__(self) -> None:
        self.answers: list[bytes] = []

    def send(self, answer: bytes) -> None:
        self.answers.append(answer)


def test_once_the_log_is_written_again_it_is_said_how_much_was_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client, pieces = _Heard(), [encode_record(REQUEST, 1, b"192.0.2.1", b"GET / HTTP/1.1\r\n\r\n")]

    async def take_three() -> None:
        server = IntakeServer(tmp_path)
        in_the_way = tmp_path / "intake"
        in_the_way.write_text("")
        for answer in (b"kept", b"kept too"):
            server.submit(client, answer, pieces, b"refused")
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        in_the_way.unlink()
        server.submit(client, b"kept", pieces, b"refused")
        await server.drain()

    with caplog.at_level(logging.WARNING):
        asyncio.run(take_three())
    assert client.answers == [b"refused", b"refused", b"kept"]
    assert caplog.messages[-1] == "the intake's log is written again; 2 records were lost or refused"
