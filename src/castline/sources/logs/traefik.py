"""Traefik's JSON access log; its common format is that of nginx and Apache.

Traefik, "Access logs": headers are logged only if the configuration keeps them, as `request_NAME`.
"""

from typing import Final

from castline.sources.logs.format import LogFormat
from castline.sources.logs.ndjson import JsonReader, json_keys

_FIELDS: Final = {
    "stamp": ("StartUTC", "StartLocal", "time"),
    "address": ("ClientHost", "ClientAddr"),
    "forwarded": ("request_X-Forwarded-For",),
    "host": ("RequestHost", "RequestAddr"),
    "method": ("RequestMethod",),
    "url": ("RequestPath",),
    "status": ("DownstreamStatus", "OriginStatus"),
    "bytes_sent": ("DownstreamContentSize", "OriginContentSize"),
    "referer": ("request_Referer",),
    "user_agent": ("request_User-Agent",),
    "range": ("request_Range", "downstream_Content-Range"),
}
TRAEFIK: Final = LogFormat(
    name="traefik",
    title="Traefik's JSON access log",
    fits=lambda line: (
        {"RequestPath", "RequestMethod"} <= (keys := json_keys(line)) and not keys.isdisjoint(_FIELDS["address"])
    ),
    open=lambda: JsonReader(_FIELDS),
    example=(
        '{"ClientAddr":"203.0.113.9:41342","ClientHost":"203.0.113.9","ClientPort":"41342","DownstreamContentSize":'
        '960000,"DownstreamStatus":206,"Duration":81000000,"RequestAddr":"cdn.example.org","RequestHost":'
        '"cdn.example.org","RequestMethod":"GET","RequestPath":"/one.mp3","RequestProtocol":"HTTP/2.0",'
        '"RouterName":"audio@docker","StartUTC":"2026-09-07T00:00:00.042123456Z","level":"info","msg":"",'
        '"request_Range":"bytes=0-959999","request_User-Agent":"Overcast/3.0","time":"2026-09-07T00:00:00Z"}'
    ),
    reference="https://doc.traefik.io/traefik/observability/access-logs/",
    tells_range=True,
    lateness="written at once; agent and range only if its configuration keeps these headers",
)
