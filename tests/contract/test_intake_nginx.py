"""The nginx snippet of the how-to leads where the intake leads, and its log is read as the intake's requests."""

import http.client
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from castline.intake.target import try_parse_target
from castline.sources.enclosure import url_key
from castline.sources.logs.file import LogFile
from castline.sources.logs.reading import iter_requests

_PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "intake.md"
_NGINX = shutil.which("nginx")
ADDRESSES = (
    "/e/cdn.example.org/one.mp3",
    "/e/https://cdn.example.org/one.mp3?x=1&y=2",
    "/e/https:/cdn.example.org/one.mp3",
    "/e/http/cdn.example.org/one.mp3",
    "/e/http://cdn.example.org:8080/one",
    "/e/HTTP://cdn.example.org/one.mp3",
    "/e//cdn.example.org/one.mp3",
    "/e//http://cdn.example.org/one.mp3",
    "/e/https:///cdn.example.org/one.mp3",
    "/e/cdn.xn--e1afmkfd.xn--p1ai/one.mp3",
    "/e,pg=0f5c/http://cdn.example.org/two.mp3",
    "/e/pg=fe4fb16c-062a-4257-ba8d-9a9b923356c2/cdn.example.org/one.mp3",
    "/e,s=1/pg=0f5c/http:/cdn.example.org/one.mp3",
    "/e/,hls,s=7/cdn.example.org/one.m3u8",
    "/e,a=5f8c2a54/,s=1/dts.podtrac.com/redirect.mp3/cdn.example.org/one.mp3",
    "/e/localhost/x",
    "/e/user@example.org/x",
    "/e/javascript:alert(1)",
    "/e/169.254.169.254/x.mp3",
    "/e/cdn.example.org",
    "/e/",
    "/elsewhere/cdn.example.org/one.mp3",
)


def snippet() -> str:
    found = re.search(r"```nginx\n(.*?)```", _PAGE.read_text("utf-8"), re.DOTALL)
    assert found
    return found[1]


def wanted(path: str) -> str | None:
    target = try_parse_target(path.encode()) if path.startswith(("/e/", "/e,")) else None
    return target.url.decode() if target else None


@pytest.mark.parametrize("path", ADDRESSES)
def test_the_map_has_the_target_that_the_intake_has(path: str) -> None:
    # nginx takes the first expression that fits; its syntax for names differs from Python's.
    rules = re.findall(r'"~(\S+)" "(\S+)\$(\w+)";', snippet())
    assert len(rules) == 2
    led = None
    for expression, scheme, name in rules:
        found = re.search(expression.replace("(?<", "(?P<"), path)
        if found:
            led = scheme + found[name]
            break
    assert led == wanted(path)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """nginx with the snippet."""
    if _NGINX is None:
        pytest.skip("nginx is not installed here")
    with socket.create_server(("127.0.0.1", 0)) as free:
        number = int(free.getsockname()[1])
    site = snippet().replace("listen 443 ssl;", f"listen 127.0.0.1:{number};")
    site = site.replace("/var/log/nginx/castline.log", f"{tmp_path}/castline.log")
    folders = "".join(
        f"{name}_temp_path {tmp_path}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""
    (tmp_path / "nginx.conf").write_text(
        f"{user} pid {tmp_path}/pid; error_log {tmp_path}/error.log; daemon off; events {{}}"
        f" http {{ access_log off; {folders}\n{site}\n}}"
    )
    words = [_NGINX, "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
    subprocess.run([*words, "-t"], check=True, capture_output=True)
    with subprocess.Popen(words) as process:
        try:
            _wait_for(number)
            yield number
        finally:
            process.terminate()


def test_nginx_itself_leads_there_and_its_log_is_read(port: int, tmp_path: Path) -> None:
    agent = 'Pod "cast" \\ 3'
    for path in ADDRESSES:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as client:
            client.request("GET", path, headers={"User-Agent": agent, "Range": "bytes=0-1"})
            assert client.getresponse().getheader("Location") == wanted(path), path
    log = LogFile(tmp_path / "castline.log")
    (block,) = iter_requests(log, now_at=datetime.now(UTC))
    rows = block.requests.to_dicts()
    led = [url for url in map(wanted, ADDRESSES) if url]
    assert [url_key(f"https://{row['host']}{row['path']}") for row in rows] == [url_key(url) for url in led]
    assert {(row["user_agent"], row["range"], row["delivery"]) for row in rows} == {(agent, "bytes=0-1", "prefix")}
    assert block.refused.is_empty()
