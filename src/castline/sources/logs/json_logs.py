"""JSON lines of nginx and Apache, Fastly, Cloudflare Logpush and Caddy.

nginx and Apache have no JSON format of their own: whoever writes one chooses the keys, so the usual names are known.
"""

import re
from typing import Final

import polars as pl

from castline.sources.logs.format import LogFormat
from castline.sources.logs.ndjson import JsonReader, json_keys

SERVER_FIELDS: Final = {
    "stamp": (
        "time_iso8601", "msec", "time_local", "timestamp", "@timestamp", "time", "ts", "date", "datetime", "start_time",
        "request_time_iso8601", "Timestamp",
    ),
    "address": (
        "remote_addr", "client_ip", "clientip", "remote_ip", "remoteIP", "remoteIp", "RemoteIp", "clientIp", "ip",
        "client", "realip_remote_addr",
    ),
    "forwarded": ("http_x_forwarded_for", "x_forwarded_for", "xff", "xForwardedFor"),
    "host": ("http_host", "host", "vhost", "server_name", "request_host", "domain"),
    "request": ("request", "request_line"),
    "method": ("request_method", "method", "http_method", "requestMethod", "verb"),
    "url": ("request_uri", "url", "uri", "requestUrl", "Url", "path", "request_path"),
    "status": ("status", "response_status", "status_code", "response_code", "statusCode", "StatusCode"),
    "bytes_sent": (
        "body_bytes_sent", "response_body_size", "bytes_sent", "response_body_bytes", "bytes", "size", "resp_body_size",
        "responseSize", "bytesSent", "BytesSent", "bytes_out",
    ),
    "referer": ("http_referer", "http_referrer", "referer", "referrer", "request_referer", "RefererUrl"),
    "user_agent": ("http_user_agent", "user_agent", "agent", "userAgent", "request_user_agent", "UserAgent"),
    "range": (
        "http_range", "range", "request_range", "request_header_range", "sent_http_content_range", "content_range",
    ),
    "request_id": ("request_id", "requestID", "req_id"),
}  # fmt: skip
LOGPUSH_FIELDS: Final = {
    "stamp": ("EdgeStartTimestamp", "EdgeEndTimestamp"),
    "address": ("ClientIP",),
    "country": ("ClientCountry",),
    "host": ("ClientRequestHost",),
    "method": ("ClientRequestMethod",),
    "url": ("ClientRequestURI", "ClientRequestPath"),
    "status": ("EdgeResponseStatus",),
    "bytes_sent": ("EdgeResponseBodyBytes", "EdgeResponseBytes"),
    "referer": ("ClientRequestReferer",),
    "user_agent": ("ClientRequestUserAgent",),
    "range": (
        "RequestHeaders/range", "RequestHeaders/Range", "ClientRequestHeaders/range", "ClientRequestHeaders/Range",
        "ResponseHeaders/content-range", "ResponseHeaders/Content-Range",
    ),
    "forwarded": ("RequestHeaders/x-forwarded-for",),
    "request_id": ("RayID",),
}  # fmt: skip
_CADDY: Final = {
    "stamp": ("ts", "time", "timestamp", "@timestamp"),
    "address": ("request/client_ip", "request/remote_ip", "request/remote_addr"),
    "forwarded": ("request/headers/X-Forwarded-For",),
    "host": ("request/host",),
    "method": ("request/method",),
    "url": ("request/uri",),
    "status": ("status",),
    "bytes_sent": ("size",),
    "referer": ("request/headers/Referer",),
    "user_agent": ("request/headers/User-Agent",),
    "range": ("request/headers/Range", "resp_headers/Content-Range"),
    "request_id": ("uuid", "request_id"),
}
_TIMES: Final = frozenset(SERVER_FIELDS["stamp"])
_ADDRESSES: Final = frozenset(SERVER_FIELDS["address"])
_ASKED: Final = frozenset((*SERVER_FIELDS["url"], *SERVER_FIELDS["request"]))
_FASTLY_KEYS: Final = frozenset({"fastly_server", "fastly_is_edge", "fastly_state", "response_body_size"})
_PORT: Final = re.compile(r"^(?:\[(.+)\]|([0-9.]+)):[0-9]+$")


class ServerReader(JsonReader):
    """Reads objects with the usual names."""

    def __init__(self) -> None:
        super().__init__(SERVER_FIELDS)

    def read(self, numbered: pl.DataFrame) -> pl.DataFrame:
        """The lines that are JSON objects; who writes no method into the log of a file server means GET."""
        told = super().read(numbered)
        if told["method"].null_count() + told["request"].null_count() < 2 * told.height:
            return told
        return told.with_columns(method=pl.when(pl.col("url").is_not_null()).then(pl.lit("GET")))


class CaddyReader(JsonReader):
    """Reads what Caddy's access log writes, also that of its 2.4 and older, which gives address and port together."""

    def __init__(self) -> None:
        super().__init__(_CADDY)

    def read(self, numbered: pl.DataFrame) -> pl.DataFrame:
        """The lines that are JSON objects."""
        groups = pl.col("address").str.extract_groups(_PORT.pattern).struct
        return (
            super()
            .read(numbered)
            .with_columns(address=pl.coalesce(groups.field("1"), groups.field("2"), pl.col("address")))
        )


def _fits_server(line: str) -> bool:
    keys = json_keys(line)
    return not keys.isdisjoint(_TIMES) and not keys.isdisjoint(_ADDRESSES) and not keys.isdisjoint(_ASKED)


def _fits_caddy(keys: frozenset[str]) -> bool:
    return "request" in keys and not keys.isdisjoint(_CADDY["stamp"])


SERVER: Final = LogFormat(
    name="json",
    title="JSON lines of nginx (escape=json), Apache and others with the usual names",
    fits=_fits_server,
    open=ServerReader,
    example=(
        '{"time_iso8601":"2026-09-07T00:00:00+00:00","remote_addr":"203.0.113.9","host":"cdn.example.org",'
        '"request":"GET /one.mp3 HTTP/1.1","status":206,"body_bytes_sent":960000,"http_referer":"",'
        '"http_user_agent":"Overcast/3.0","http_range":"bytes=0-959999","request_id":"f0e1d2c3b4a5968778695a4b3c2d1e0f"}'
    ),
    reference="https://nginx.org/en/docs/http/ngx_http_log_module.html",
    tells_range=True,
    tells_request_id=True,
)
FASTLY: Final = LogFormat(
    name="fastly",
    title="Fastly: its JSON format",
    fits=lambda line: len(_FASTLY_KEYS & json_keys(line)) > 1 and _fits_server(line),
    open=ServerReader,
    example=(
        '{"timestamp":"2026-09-07T00:00:00+0000","client_ip":"203.0.113.9","geo_country":"germany","geo_city":"berlin",'
        '"host":"cdn.example.org","url":"/one.mp3?a=1","request_method":"GET","request_protocol":"HTTP/2",'
        '"request_referer":"","request_user_agent":"Overcast/3.0","response_state":"HIT","response_status":200,'
        '"response_reason":"OK","response_body_size":28800000,"fastly_server":"cache-fra-1","fastly_is_edge":true}'
    ),
    reference="https://www.fastly.com/documentation/guides/integrations/streaming-logs/custom-log-formats/",
    tells_range=False,
    lateness="minutes; the range only if the format is given a key request_range",
)
LOGPUSH: Final = LogFormat(
    name="cloudflare",
    title="Cloudflare Logpush, data set http_requests",
    fits=lambda line: "ClientIP" in (keys := json_keys(line)) and not keys.isdisjoint(LOGPUSH_FIELDS["url"]),
    open=lambda: JsonReader(LOGPUSH_FIELDS),
    example=(
        '{"ClientIP":"203.0.113.9","ClientRequestHost":"cdn.example.org","ClientRequestMethod":"GET",'
        '"ClientRequestURI":"/one.mp3","ClientRequestReferer":"","ClientRequestUserAgent":"Overcast/3.0",'
        '"EdgeResponseStatus":206,"EdgeResponseBytes":960512,"EdgeStartTimestamp":"2026-09-07T00:00:00Z",'
        '"RayID":"5d1a2b3c4d5e6f70","RequestHeaders":{"range":"bytes=0-959999"}}'
    ),
    reference="https://developers.cloudflare.com/logs/reference/log-fields/zone/http_requests/",
    tells_range=True,
    tells_bytes="body and headers",
    tells_request_id=True,
    lateness="minutes; the range only with the custom field RequestHeaders range",
)
CADDY: Final = LogFormat(
    name="caddy",
    title="Caddy's JSON access log",
    fits=lambda line: (
        '"uri"' in line and ('"remote_' in line or '"client_ip"' in line) and _fits_caddy(json_keys(line))
    ),
    open=CaddyReader,
    example=(
        '{"level":"info","ts":1788739200.042,"logger":"http.log.access.log0","msg":"handled request","request":'
        '{"remote_ip":"203.0.113.9","remote_port":"41342","client_ip":"203.0.113.9","proto":"HTTP/2.0","method":"GET",'
        '"host":"cdn.example.org","uri":"/one.mp3","headers":{"User-Agent":["Overcast/3.0"],"Range":["bytes=0-"]}},'
        '"bytes_read":0,"user_id":"","duration":0.9,"size":28800000,"status":206,"resp_headers":{"Server":["Caddy"]}}'
    ),
    reference="https://caddyserver.com/docs/caddyfile/directives/log",
    tells_range=True,
)
