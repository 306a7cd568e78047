"""Envoy's default access log, and Istio's, which has more in front and behind, as text and as JSON.

Envoy, "Access logging", default format string; Istio, "Envoy access logs". Envoy's own tells no address but
X-Forwarded-For.
"""

from typing import Final

import polars as pl

from castline.sources.logs.format import LogFormat
from castline.sources.logs.ndjson import JsonReader, json_keys
from castline.sources.logs.pattern import PatternReader, fits_patterns

_TEXT: Final = r'"((?:[^"\\]|\\.)*)"'


def _named(name: str) -> str:
    return _TEXT.replace("((?:", f"(?P<{name}>(?:", 1)


_LINE: Final = (
    rf"^\[(?P<stamp>[0-9]{{4}}-[^\]]+)\] {_named('request')} (?P<status>[0-9]{{1,3}}) \S+(?: \S+ \S+ {_TEXT})? [0-9]+"
    rf" (?P<bytes_sent>[0-9]{{1,18}}) \S+ \S+ {_named('forwarded')} {_named('user_agent')} {_named('request_id')}"
    rf" {_named('host')} {_TEXT}(?: \S+ \S+ \S+ (?P<address>[0-9A-Fa-f.:\[\]]+):[0-9]+(?: .*)?| .*)?$"
)
_KEPT: Final = (
    "stamp", "address", "forwarded", "host", "request", "status", "bytes_sent", "user_agent", "request_id",
)  # fmt: skip
# Istio's names, and those of Envoy Gateway.
_FIELDS: Final = {
    "stamp": ("start_time",),
    "address": ("downstream_remote_address", "downstream_direct_remote_address"),
    "forwarded": ("x_forwarded_for", "x-forwarded-for"),
    "host": ("authority", ":authority"),
    "method": ("method",),
    "url": ("x-envoy-original-path", "x-envoy-origin-path", "path"),
    "status": ("response_code",),
    "bytes_sent": ("bytes_sent",),
    "referer": ("referer",),
    "user_agent": ("user_agent", "user-agent"),
    "range": ("range",),
    "request_id": ("request_id", "x-request-id"),
}
_PORT: Final = r"^\[?([0-9A-Fa-f.:]+?)\]?:[0-9]+$"


class EnvoyJsonReader(JsonReader):
    """Reads objects; the listener's address has a port behind it."""

    def __init__(self) -> None:
        super().__init__(_FIELDS)

    def read(self, numbered: pl.DataFrame) -> pl.DataFrame:
        """The lines that are JSON objects."""
        return super().read(numbered).with_columns(pl.col("address").str.replace(_PORT, "$1"))


def _fits_json(line: str) -> bool:
    keys = json_keys(line)
    return {"start_time", "response_code", "downstream_remote_address"} <= keys and not keys.isdisjoint(_FIELDS["url"])


ENVOY: Final = LogFormat(
    name="envoy",
    title="Envoy and Istio",
    fits=fits_patterns(_LINE),
    open=lambda: PatternReader((_LINE,), _KEPT),
    example=(
        '[2026-09-07T00:00:00.042Z] "GET /one.mp3 HTTP/1.1" 206 - via_upstream - "-" 0 960000 812 3 "-" "Overcast/3.0"'
        ' "84961386-6d84-929d-98bd-c5aee93b5c88" "cdn.example.org" "10.44.1.27:80" inbound|80|| 127.0.0.6:41854'
        " 10.44.1.27:80 203.0.113.9:37652 outbound_.80_._.audio default"
    ),
    reference="https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage",
    family="request-id",
    tells_request_id=True,
    lateness="written at once; Envoy's own default tells X-Forwarded-For alone, which --trust-forwarded takes",
)
ENVOY_JSON: Final = LogFormat(
    name="envoy-json",
    title="Envoy Gateway and Istio, JSON",
    fits=_fits_json,
    open=EnvoyJsonReader,
    example=(
        '{"start_time":"2026-09-07T00:00:00.042Z","method":"GET","path":"/one.mp3","protocol":"HTTP/1.1",'
        '"response_code":206,"response_flags":"-","bytes_received":0,"bytes_sent":960000,"duration":812,'
        '"x_forwarded_for":"203.0.113.9","user_agent":"Overcast/3.0","authority":"cdn.example.org",'
        '"request_id":"84961386-6d84-929d-98bd-c5aee93b5c88","downstream_remote_address":"203.0.113.9:37652"}'
    ),
    reference="https://istio.io/latest/docs/tasks/observability/logs/access-log/",
    family="request-id",
    tells_request_id=True,
    lateness="written at once; behind a load balancer the listener stands in X-Forwarded-For",
)
