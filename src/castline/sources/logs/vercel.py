"""Vercel's log drains: one object per request, or an array of them, with what the edge saw under `proxy`."""

from typing import Final

from castline.sources.logs.format import LogFormat
from castline.sources.logs.ndjson import JsonReader, json_keys

_FIELDS: Final = {
    "stamp": ("proxy/timestamp", "timestamp", "timestampInMs"),
    "address": ("proxy/clientIp",),
    "host": ("proxy/host", "host"),
    "method": ("proxy/method",),
    "url": ("proxy/path", "path"),
    "status": ("proxy/statusCode", "statusCode"),
    "bytes_sent": ("proxy/responseByteSize",),
    "referer": ("proxy/referer",),
    "user_agent": ("proxy/userAgent",),
    "request_id": ("requestId",),
}
VERCEL: Final = LogFormat(
    name="vercel",
    title="Vercel's log drains",
    fits=lambda line: {"proxy", "deploymentId"} <= json_keys(line),
    open=lambda: JsonReader(_FIELDS),
    example=(
        '{"id":"1788739200042","deploymentId":"dpl_233NRGRjVZX1caZrXWtz5g1TAksD","source":"static","host":"x.vercel.app",'
        '"timestamp":1788739200042,"level":"info","message":"","path":"/one.mp3","requestId":"643af4e3-975a-4cc7-9e7a",'
        '"statusCode":200,"proxy":{"timestamp":1788739200042,"method":"GET","host":"cdn.example.org","path":"/one.mp3",'
        '"userAgent":["Overcast/3.0"],"referer":"","statusCode":200,"clientIp":"203.0.113.9","region":"fra1",'
        '"scheme":"https","responseByteSize":28800000}}'
    ),
    reference="https://vercel.com/docs/drains/reference/logs",
    tells_request_id=True,
    lateness="seconds",
)
