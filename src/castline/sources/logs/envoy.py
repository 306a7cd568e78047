"""Envoy's default access log, and Istio's, which has more in front and behind.

Envoy, "Access logging", default format string; Istio, "Envoy access logs". Envoy's own tells no address but
X-Forwarded-For.
"""

from typing import Final

from castline.sources.logs.format import LogFormat
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
