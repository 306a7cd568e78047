"""A Redis of our own for tests: a process on a Unix socket, gone with the fixture."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
import redis

_START_SECONDS: Final = 10.0


@contextmanager
def run_redis(folder: Path) -> Iterator[str]:
    """The URL of an empty Redis; the test skips, and says so, where no redis-server is installed."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no redis-server on the PATH: Redis is not tested")
    socket = folder / "redis.sock"
    command = [program, "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_until_ready(socket, process)
        yield f"unix://{socket}"
    finally:
        process.terminate()
        process.wait(timeout=10)


def _wait_until_ready(socket: Path, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with redis.Redis(unix_socket_path=str(socket)) as client:
                client.ping()
        except redis.ConnectionError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("redis-server did not start")
