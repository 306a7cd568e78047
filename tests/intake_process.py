"""An intake server as a process of its own, and clients over real sockets."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import castline
from castline.ingest.segment_log import LOG_FOLDER, Record, parse_segment

_SOURCE = str(Path(castline.__file__).parents[1])
_PROGRAM = """
import resource, socket, sys, threading
from ipaddress import ip_network
from pathlib import Path
from castline.intake.run import run_intake
from castline.intake.server import IntakeOptions, Limits
folder, durability, seconds, trusted, files = sys.argv[1:6]
if int(files):
    resource.setrlimit(resource.RLIMIT_NOFILE, (int(files), int(files)))
sock = socket.create_server(("127.0.0.1", 0), backlog=2048)
sock.settimeout(0)
print(sock.getsockname()[1], flush=True)
limits = Limits(float(seconds), float(seconds), float(seconds), 2000, 0.05)
proxies = tuple(ip_network(text) for text in trusted.split())
run_intake(Path(folder), sock, threading.Event(), IntakeOptions(durability, proxies, limits))
"""
TARGET = b"cdn.example.org/one.mp3"
REDIRECT = b"GET /e/" + TARGET + b" HTTP/1.1\r\nHost: pod.example\r\nUser-Agent: Overcast/3.0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Intake:
    """A running server."""

    port: int
    data_dir: Path
    process: "subprocess.Popen[str]"

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def ask(self, *parts: bytes, pause: float = 0.0) -> bytes:
        """Everything that is answered until the server ends the connection, or for a moment after the last byte."""
        with self.connect() as client:
            for part in parts:
                client.sendall(part)
                time.sleep(pause)
            client.shutdown(socket.SHUT_WR)
            return read_all(client)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(30)

    def records(self) -> list[Record]:
        return read_records(self.data_dir)


@contextmanager
def run_server(
    data_dir: Path, *, durability: str = "relaxed", seconds: float = 20.0, trusted: str = "", files: int = 0
) -> Iterator[Intake]:
    """A server whose clients may take so many seconds; with `files`, it may open no more than these."""
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(data_dir), durability, str(seconds), trusted, str(files)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": _SOURCE},
    )
    assert process.stdout is not None
    try:
        yield Intake(int(process.stdout.readline()), data_dir, process)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(30)
        process.stdout.close()


def read_all(client: socket.socket) -> bytes:
    parts = []
    try:
        while part := client.recv(65536):
            parts.append(part)
    except (ConnectionResetError, TimeoutError):
        pass
    return b"".join(parts)


def read_records(data_dir: Path) -> list[Record]:
    """Every record of every segment, open ones included, in the order of the segments."""
    paths = sorted(path for path in (data_dir / LOG_FOLDER).glob("*") if path.suffix in {".ready", ".open"})
    return [record for path in paths for record in parse_segment(path.read_bytes()).records]
