"""What the intake answers per CPU second of its server, beside nginx; durable answers beside one INSERT each.

The peer is nginx's `return 302` with its access log, one worker, in the same run and turn by turn, asked by the same
asker. CPU seconds are the server's own, with its threads. A missing peer is reported as missing, never as passed.
"""

import argparse
import asyncio
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import psycopg
import uvloop

from castline.base.config import Settings
from castline.ingest.segment_log import EVENTS, LogWriter, encode_parted_record
from castline.intake.beacon import parse_deliveries
from castline.store.embedded.server import remove_embedded
from castline.store.pool import open_store

_GOAL_NGINX, _GOAL_WEB, _GOAL_INSERT, _GOAL_DECODE = 0.8, 0.25, 5.0, 0.8
_ROUNDS = 3
_BATCHES, _IN_FLIGHT = 400, 16  # a sync serves all that wait for it, so few at once would time the disk alone
_REQUEST = (
    b"GET /e/cdn.example.org/shows/1/episode-42.mp3 HTTP/1.1\r\nHost: pod.example.org\r\n"
    b"User-Agent: AppleCoreMedia/1.0.0.21F90 (iPhone; U; CPU OS 17_5_1 like Mac OS X; en_us)\r\n"
    b"Accept: */*\r\nRange: bytes=0-1048575\r\nAccept-Encoding: identity\r\n\r\n"
)
_SERVER = """
import socket, sys, threading
from pathlib import Path
from castline.intake.run import run_intake
from castline.intake.server import IntakeOptions
sock = socket.create_server(("127.0.0.1", 0), backlog=2048)
sock.settimeout(0)
print(sock.getsockname()[1], flush=True)
run_intake(Path(sys.argv[1]), sock, threading.Event(), IntakeOptions(durability=sys.argv[2]))
"""
_ANSWERS = re.compile(r"castline answers at http://[^:]+:([0-9]+)")
_NGINX = """
worker_processes 1; daemon off; pid {place}/pid; error_log {place}/error.log; {user}
events {{ worker_connections 4096; }}
http {{
    access_log {place}/access.log combined; keepalive_requests 1000000000;
    client_body_temp_path {place}/b; proxy_temp_path {place}/p; fastcgi_temp_path {place}/f;
    uwsgi_temp_path {place}/u; scgi_temp_path {place}/s;
    server {{ listen 127.0.0.1:{port}; location ~ ^/e/(.*)$ {{ return 302 https://$1; }} }}
}}
"""


@dataclass(frozen=True, slots=True)
class Rate:
    """Answers per second of wall time and per CPU second of the server, and the times of single answers."""

    per_second: float
    per_cpu_second: float
    p50_ms: float
    p99_ms: float


class _Asker(asyncio.Protocol):
    """Asks again as soon as it is answered."""

    answered = 0
    waits: list[float] = []  # noqa: RUF012  # of every connection together

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports only look like asyncio's.
        self._transport, self._buffer, self._at = cast(asyncio.Transport, transport), b"", 0.0
        self._ask()

    def _ask(self) -> None:
        self._at = time.perf_counter()
        self._transport.write(_REQUEST)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end, place = self._buffer.find(b"\r\n\r\n"), self._buffer.lower().find(b"content-length: ")
        if end < 0 or place < 0:
            return
        length = int(self._buffer[place + 16 : self._buffer.index(b"\r", place)])
        if len(self._buffer) < end + 4 + length:
            return
        if not self._buffer.startswith(b"HTTP/1.1 302"):
            raise AssertionError(self._buffer)
        self._buffer = b""
        _Asker.answered += 1
        if _Asker.answered % 16 == 0:
            _Asker.waits.append(time.perf_counter() - self._at)
        self._ask()


def main() -> int:
    """Prints the rates as JSON; 1 when a goal is missed or the peer is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="Of each round.")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--strict-connections", type=int, default=512)
    parser.add_argument("--nginx", default=shutil.which("nginx"), help="The peer's program.")
    parser.add_argument("--database", help="A PostgreSQL of your own instead of the embedded one.")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="castline-bench-") as place:
        folder = Path(place)
        folder.chmod(0o711)
        found: dict[str, object] = {"load_before": os.getloadavg(), "cores": os.cpu_count()}
        found |= _redirects(folder, chosen)
        found |= _pages(folder, chosen)
        found |= _durable(folder, chosen)
        found |= _batches(folder)
    found["within_limit"] = all(found[name] for name in found if name.endswith("_reached")) and bool(chosen.nginx)
    print(json.dumps(found))
    return 0 if found["within_limit"] else 1


def _redirects(folder: Path, chosen: argparse.Namespace) -> dict[str, object]:
    """The relaxed mode and nginx, turn by turn."""
    ours: list[Rate] = []
    theirs: list[Rate] = []
    with _run_intake(folder / "relaxed", "relaxed") as (pid, port):
        if not chosen.nginx:
            ours = [_ask(pid, port, chosen.connections, chosen.seconds) for _ in range(_ROUNDS)]
            return {"redirect": _told(ours), "nginx": "missing", "redirect_share_of_nginx": None}
        with _run_nginx(folder, chosen.nginx) as (peer_pid, peer_port):
            for _ in range(_ROUNDS):
                theirs.append(_ask(peer_pid, peer_port, chosen.connections, chosen.seconds))
                ours.append(_ask(pid, port, chosen.connections, chosen.seconds))
    shares = [mine.per_cpu_second / peer.per_cpu_second for mine, peer in zip(ours, theirs, strict=True)]
    share = statistics.median(shares)
    return {
        "redirect": _told(ours),
        "nginx": _told(theirs),
        "redirect_share_of_nginx": round(share, 3),
        "redirect_goal": _GOAL_NGINX,
        "redirect_reached": share >= _GOAL_NGINX,
    }


def _pages(folder: Path, chosen: argparse.Namespace) -> dict[str, object]:
    """The pages' own port, which syncs before each answer, and nginx, turn by turn."""
    ours: list[Rate] = []
    shares: list[float] = []
    with _run_web(folder / "web", chosen.database) as (pid, port):
        if not chosen.nginx:
            ours = [_ask(pid, port, chosen.connections, chosen.seconds) for _ in range(_ROUNDS)]
            return {"web": _told(ours), "web_share_of_nginx": None}
        with _run_nginx(folder / "beside-web", chosen.nginx) as (peer_pid, peer_port):
            for _ in range(_ROUNDS):
                peer = _ask(peer_pid, peer_port, chosen.connections, chosen.seconds)
                ours.append(_ask(pid, port, chosen.connections, chosen.seconds))
                shares.append(ours[-1].per_cpu_second / peer.per_cpu_second)
    share = statistics.median(shares)
    return {
        "web": _told(ours),
        "web_share_of_nginx": round(share, 3),
        "web_goal": _GOAL_WEB,
        "web_reached": share >= _GOAL_WEB,
    }


def _durable(folder: Path, chosen: argparse.Namespace) -> dict[str, object]:
    """The strict mode and one INSERT with its commit per request, turn by turn."""
    settings = Settings(data_dir=folder / "data", database_url=chosen.database)
    strict: list[Rate] = []
    inserts: list[float] = []
    try:
        with open_store(settings) as store, psycopg.connect(store.dsn, autocommit=True) as connection:
            connection.execute("create table bench_intake (at timestamptz, address inet, head bytea)")
            try:
                with _run_intake(folder / "strict", "strict") as (pid, port):
                    for _ in range(_ROUNDS):
                        strict.append(_ask(pid, port, chosen.strict_connections, chosen.seconds))
                        inserts.append(asyncio.run(_insert_for(store.dsn, chosen.seconds)))
            finally:
                connection.execute("drop table bench_intake")
    finally:
        if not chosen.database:
            remove_embedded(settings.data_dir)
    share = statistics.median(one.per_second / other for one, other in zip(strict, inserts, strict=True))
    return {
        "durable": _told(strict),
        "insert_per_second": round(statistics.median(inserts)),
        "durable_share_of_insert": round(share, 2),
        "durable_goal": _GOAL_INSERT,
        "durable_reached": share >= _GOAL_INSERT,
    }


async def _insert_for(dsn: str, seconds: float, connections: int = 32) -> float:
    count, end = 0, time.perf_counter() + seconds

    async def insert() -> None:
        nonlocal count
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            while time.perf_counter() < end:
                await connection.execute(
                    "insert into bench_intake values (now(), '198.51.100.7', %s)", (_REQUEST,), prepare=True
                )
                count += 1

    await asyncio.gather(*(insert() for _ in range(connections)))
    return count / seconds


def _batches(folder: Path) -> dict[str, object]:
    """500 events in one body, decoded and on the disk before the answer, beside the decode alone."""
    events = [
        {
            "id": str(number),
            "type": "progress",
            "at": "2026-09-07T00:00:00Z",
            "position_seconds": number * 10.0,
            "campaign_id": "5f8c2a54-6e0b-4b43-9a34-0d6d3f2f6c11",
            "ad_id": f"spot-{number % 7}",
        }
        for number in range(500)
    ]
    session = {"id": "s1", "started_at": "2026-09-07T00:00:00Z", "episode": {"url": "https://cdn.example.org/1.mp3"}}
    body = json.dumps({"session": session, "events": events}).encode()
    log = LogWriter(folder / "batches", is_strict=True)

    def decode() -> None:
        for _ in range(_BATCHES):
            parse_deliveries(body)

    def keep() -> None:
        # As the server does it: while one batch is synced the next is read, and each is answered once it is synced.
        numbers: list[int] = []
        for _ in range(_BATCHES):
            parse_deliveries(body)
            numbers.append(log.append(encode_parted_record(EVENTS, 0, b"198.51.100.7", b"\r\n", body)))
            if len(numbers) > _IN_FLIGHT:
                log.wait_synced(numbers.pop(0))
        log.wait_synced(numbers[-1])

    pairs = [(_time(decode), _time(keep)) for _ in range(2 * _ROUNDS + 1)]
    log.close()
    share = statistics.median(alone[0] / durable[0] for alone, durable in pairs)
    return {
        "batch_events": len(events),
        "batch_bytes": len(body),
        "batch_decodes_per_second": round(statistics.median(_BATCHES / alone[0] for alone, _ in pairs)),
        "batch_durable_per_second": round(statistics.median(_BATCHES / durable[0] for _, durable in pairs)),
        "batch_share_of_decode": round(share, 3),
        "batch_cpu_share_of_decode": round(statistics.median(alone[1] / durable[1] for alone, durable in pairs), 3),
        "batch_goal": _GOAL_DECODE,
        "batch_reached": share >= _GOAL_DECODE,
    }


def _time(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds of wall time, and of the CPU time of all threads."""
    started, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - started, time.process_time() - cpu


def _ask(pid: int, port: int, connections: int, seconds: float) -> Rate:
    _Asker.answered, _Asker.waits = 0, []
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        cpu, wall, answered = runner.run(_ask_for(pid, port, connections, seconds))
    waits = statistics.quantiles(_Asker.waits, n=100)
    return Rate(answered / wall, answered / cpu, waits[49] * 1000, waits[98] * 1000)


async def _ask_for(pid: int, port: int, connections: int, seconds: float) -> tuple[float, float, int]:
    loop = asyncio.get_running_loop()
    opened = [await loop.create_connection(_Asker, "127.0.0.1", port) for _ in range(connections)]
    await asyncio.sleep(0.3)
    before, cpu, at = _Asker.answered, _cpu_seconds(pid), time.perf_counter()
    await asyncio.sleep(seconds)
    found = _cpu_seconds(pid) - cpu, time.perf_counter() - at, _Asker.answered - before
    for transport, _ in opened:
        transport.abort()
    return found


def _cpu_seconds(pid: int) -> float:
    """User and system time of the process and all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _told(rates: list[Rate]) -> dict[str, float]:
    names = ("per_second", "per_cpu_second", "p50_ms", "p99_ms")
    return {name: round(statistics.median(getattr(rate, name) for rate in rates), 2) for name in names}


@contextmanager
def _run_intake(data_dir: Path, durability: str) -> Iterator[tuple[int, int]]:
    with subprocess.Popen(
        [sys.executable, "-c", _SERVER, str(data_dir), durability], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process.pid, int(process.stdout.readline() if process.stdout else 0)
        finally:
            process.send_signal(signal.SIGTERM)


@contextmanager
def _run_web(data_dir: Path, database: str | None) -> Iterator[tuple[int, int]]:
    environ = os.environ | {"CASTLINE_DATA_DIR": str(data_dir), "CASTLINE_PUBLIC_URL": "https://pod.example.org"}
    if database:
        environ["DATABASE_URL"] = database
    words = [sys.executable, "-m", "castline", "web", "--port", "0"]
    try:
        with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=environ) as process:
            try:
                lines = process.stderr or ()
                yield process.pid, next(int(found[1]) for line in lines if (found := _ANSWERS.search(line)))
            finally:
                process.send_signal(signal.SIGTERM)
    finally:
        if not database:
            remove_embedded(data_dir)


@contextmanager
def _run_nginx(folder: Path, program: str) -> Iterator[tuple[int, int]]:
    place = folder / "nginx"
    place.mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    user = "user root;" if os.geteuid() == 0 else ""
    (place / "nginx.conf").write_text(_NGINX.format(place=place, port=port, user=user))
    with subprocess.Popen([program, "-p", str(place), "-c", str(place / "nginx.conf")]) as process:
        try:
            time.sleep(1)
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            yield int(children[0]), port
        finally:
            process.send_signal(signal.SIGQUIT)


if __name__ == "__main__":
    sys.exit(main())
