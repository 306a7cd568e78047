"""Google Cloud: entries of Cloud Logging (load balancer, CDN, Media CDN, Cloud Run), and usage logs of Cloud Storage.

Google, "LogEntry", "HttpRequest", and "Usage logs & storage logs".
"""

from typing import Final

from castline.sources.logs.format import LogFormat
from castline.sources.logs.headed import HeadedReader, columns_of, try_split_header
from castline.sources.logs.ndjson import JsonReader, json_keys

_ENTRY: Final = {
    "stamp": ("timestamp", "receiveTimestamp"),
    "address": ("httpRequest/remoteIp",),
    "method": ("httpRequest/requestMethod",),
    "url": ("httpRequest/requestUrl",),
    "status": ("httpRequest/status",),
    "bytes_sent": ("httpRequest/responseSize",),
    "referer": ("httpRequest/referer",),
    "user_agent": ("httpRequest/userAgent",),
    "request_id": ("insertId",),
}
_STORAGE_NAMES: Final = (
    "time_micros c_ip c_ip_type c_ip_region cs_method cs_uri sc_status cs_bytes sc_bytes time_taken_micros cs_host"
    " cs_referer cs_user_agent s_request_id cs_operation cs_bucket cs_object"
).split()


_STORAGE: Final = columns_of(
    (("time_micros",), ("c_ip",), ("cs_uri",), ("sc_status",)),
    {
        "stamp": ("time_micros",),
        "address": ("c_ip",),
        "country": ("c_ip_region",),
        "host": ("cs_host",),
        "method": ("cs_method",),
        "url": ("cs_uri",),
        "status": ("sc_status",),
        "bytes_sent": ("sc_bytes",),
        "referer": ("cs_referer",),
        "user_agent": ("cs_user_agent",),
        "request_id": ("s_request_id",),
    },
)
GOOGLE: Final = LogFormat(
    name="google",
    title="Google Cloud CDN, load balancers and Cloud Run: entries of Cloud Logging",
    fits=lambda line: "httpRequest" in json_keys(line),
    open=lambda: JsonReader(_ENTRY),
    example=(
        '{"insertId":"1qqk5h3g4z1g0p","httpRequest":{"requestMethod":"GET","requestUrl":'
        '"https://cdn.example.org/one.mp3","requestSize":"220","status":206,"responseSize":"960512",'
        '"userAgent":"Overcast/3.0 (+http://overcast.fm/; iOS podcast app)","remoteIp":"203.0.113.9","cacheHit":true,'
        '"latency":"0.011s"},"resource":{"type":"http_load_balancer"},"timestamp":"2026-09-07T00:00:00.042Z",'
        '"severity":"INFO","logName":"projects/p/logs/requests"}'
    ),
    reference="https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry#HttpRequest",
    tells_bytes="body and headers",
    tells_request_id=True,
    lateness="seconds; in Cloud Storage hourly",
)
STORAGE: Final = LogFormat(
    name="google-storage",
    title="Google Cloud Storage usage logs",
    fits=lambda line: try_split_header(line, _STORAGE) is not None,
    open=lambda: HeadedReader(_STORAGE, _STORAGE_NAMES, ","),
    example=(
        ",".join(f'"{name}"' for name in _STORAGE_NAMES) + '\n"1788739200042000","203.0.113.9","1","","GET",'
        '"/one.mp3","206","0","960000","52000","storage.googleapis.com","",'
        '"Overcast/3.0 (+http://overcast.fm/; iOS podcast app)","AEnB2UqZ","GET_Object","audio","one.mp3"'
    ),
    reference="https://cloud.google.com/storage/docs/access-logs",
    tells_request_id=True,
    lateness="an hour or more, without a promise",
)
