"""The world's orders as a shop's server posts them, and its visits as browsers load the pixel."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection
from typing import Any, Final
from urllib.parse import urlencode

from castline.base.errors import Transient
from castline.demo.commerce import Order

_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 15.0
_PER_BODY: Final = 50
_BROWSER: Final = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Safari/604.1"


class WebDidNotAnswer(Transient):
    """The web server of the demo did not answer: {detail}"""

    fix = "`castline web` says what is wrong."


class PostRefused(Transient):
    """{method} {path} was answered {status}: {body}"""


@dataclass(frozen=True, slots=True)
class Web:
    """A `castline web` that was started, and that answers once `find_port` has returned."""

    process: "subprocess.Popen[bytes]"
    port: int

    def find_port(self) -> int:
        """The port on which it answers. Raises WebDidNotAnswer."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                said = self.process.communicate()[1].decode("utf-8", "replace").strip()
                raise WebDidNotAnswer(detail=said[-500:] or f"it ended with exit code {self.process.returncode}")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return self.port
        raise WebDidNotAnswer(detail=f"nothing answered in {_START_SECONDS:.0f} s")


@contextmanager
def run_web() -> Iterator[Web]:
    """`castline web` runs on a free port while the context lasts; it starts beside whatever is done meanwhile."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    words = [sys.executable, "-P", "-m", "castline", "web", "--port", str(port)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=os.environ.copy())  # noqa: S603  # our own command
    try:
        yield Web(process, port)
    finally:
        process.terminate()
        try:
            process.communicate(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def post_orders(port: int, key: str, orders: Sequence[Order], campaign_ids: Sequence[str]) -> int:
    """Every order is with the API, some in each body; gives the number of bodies."""
    bodies = [orders[start : start + _PER_BODY] for start in range(0, len(orders), _PER_BODY)]
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    with _connected(port) as ask:
        for batch in bodies:
            content = json.dumps({"conversions": [order_body(order, campaign_ids) for order in batch]})
            ask("POST", "/api/v1/conversions", content.encode(), headers)
    return len(bodies)


def order_body(order: Order, campaign_ids: Sequence[str]) -> dict[str, Any]:
    """The order as one conversion of the API."""
    body: dict[str, Any] = {
        "order_id": order.order_id,
        "occurred_at": order.at.isoformat(),
        "conversion_type": "purchase",
        "sponsor": order.sponsor,
        "conversion_value": str(order.value),
        "currency": order.currency,
    }
    body |= conversion_keys(order.told.keys)
    if order.told.names_campaign and order.campaign is not None:
        body["campaign"] = campaign_ids[order.campaign]
    if order.told.address:
        body |= {"ip_address": order.told.address, "user_agent": _BROWSER}
    return body


def conversion_keys(keys: Mapping[str, str]) -> dict[str, str]:
    """The keys of an order under the names that conversions have for them."""
    names = {"code": "promo_code", "tracking_id": "custom_tracking_id"}
    return {names.get(name, name): text for name, text in keys.items()}


def load_pixels(port: int, visits: Sequence[Order], campaign_ids: Sequence[str]) -> None:
    """Each visitor's browser has loaded the pixel of the campaign, through a proxy on this machine."""
    with _connected(port) as ask:
        for visit in visits:
            if visit.campaign is None:
                continue
            query = {"dl": "https://shop.example/"}
            if visit.value is not None and visit.currency is not None:
                query |= {"order_id": visit.order_id, "value": str(visit.value), "currency": visit.currency}
            headers = {"X-Forwarded-For": visit.told.address or "", "User-Agent": _BROWSER}
            ask("GET", f"/p/{campaign_ids[visit.campaign]}.gif?{urlencode(query)}", None, headers)


Ask = Callable[[str, str, bytes | None, Mapping[str, str]], bytes]


@contextmanager
def _connected(port: int) -> Iterator[Ask]:
    connection = HTTPConnection("127.0.0.1", port, timeout=_START_SECONDS)

    def ask(method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> bytes:
        connection.request(method, path, body, dict(headers))
        answer = connection.getresponse()
        content = answer.read()
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise PostRefused(method=method, path=path, status=answer.status, body=content[:300].decode())
        return content

    try:
        yield ask
    finally:
        connection.close()
