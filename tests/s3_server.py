"""An S3 server of our own for tests: SeaweedFS as a process on loopback, gone with the fixture."""

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from obstore.store import S3Store

if TYPE_CHECKING:
    from obstore.store import S3Config

_START_SECONDS: Final = 60.0
ACCESS_KEY, SECRET_KEY = "castline-test", "castline-test-secret"


@contextmanager
def run_s3(folder: Path) -> Iterator[dict[str, str]]:
    """The variables that lead to an empty S3; the test skips, and says so, where SeaweedFS is not installed."""
    program = shutil.which("weed", path=str(Path(sys.executable).parent)) or shutil.which("weed")
    if program is None:
        pytest.skip("no SeaweedFS (weed): reading from S3 is not tested")
    ports = _free_ports(8)
    with (folder / "weed.log").open("wb") as log:
        process = subprocess.Popen(_command(program, folder, ports), stdout=log, stderr=log)
    try:
        variables = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{ports[0]}",
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_REGION": "us-east-1",
        }
        _wait_until_ready(variables, process, folder / "weed.log")
        yield variables
    finally:
        # Asked politely it waits half a minute for its own parts, and its data are thrown away anyway.
        process.kill()
        process.wait()


def _command(program: str, folder: Path, ports: list[int]) -> list[str]:
    identity = {
        "name": "test",
        "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
        "actions": ["Admin", "Read", "Write", "List"],
    }
    config = folder / "s3.json"
    config.write_text(json.dumps({"identities": [identity]}))
    data = folder / "data"
    data.mkdir()
    names = ("s3.port", "s3.port.grpc", "master.port", "master.port.grpc", "volume.port", "volume.port.grpc")
    places = [f"-{name}={port}" for name, port in zip((*names, "filer.port", "filer.port.grpc"), ports, strict=True)]
    quiet = ["-s3.port.iceberg=0", "-master.volumeSizeLimitMB=64", "-volume.max=8", "-filer"]
    return [
        program, "server", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3", f"-s3.config={config}",
        *places, *quiet,
    ]  # fmt: skip


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _wait_until_ready(variables: dict[str, str], process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            put_objects(variables, "ready", {"x": b"x"})
            store = S3Store("ready", config=_config(variables), client_options={"allow_http": True})
            if store.get("x").bytes() == b"x":
                return
        except Exception:  # noqa: BLE001  # whatever it says while it starts
            time.sleep(0.3)
    raise AssertionError(f"SeaweedFS did not start: {log.read_text()[-2000:]}")


def put_objects(variables: dict[str, str], bucket: str, objects: dict[str, bytes]) -> None:
    """The objects are in the bucket, which is made by the first of them."""
    store = S3Store(
        bucket, config=_config(variables), client_options={"allow_http": True}, retry_config={"max_retries": 0}
    )
    for key, content in objects.items():
        store.put(key, content)


def _config(variables: dict[str, str]) -> "S3Config":
    return {
        "endpoint": variables["AWS_ENDPOINT_URL"],
        "region": variables["AWS_REGION"],
        "access_key_id": variables["AWS_ACCESS_KEY_ID"],
        "secret_access_key": variables["AWS_SECRET_ACCESS_KEY"],
    }
