"""CDN77's real-time logs: JSON lines, or a table of the same fields under a header.

CDN77, "Real-time Logs": JSON, CSV or TSV, in batches of half a minute.
"""

from typing import Final

from castline.sources.logs.format import LogFormat
from castline.sources.logs.headed import HeadedReader, columns_of, try_split_header
from castline.sources.logs.ndjson import JsonReader, json_keys

_FIELDS: Final = {
    "stamp": ("timestamp",),
    "address": ("clientIP",),
    "forwarded": ("clientRequestXForwardedFor",),
    "country": ("clientCountry",),
    "host": ("clientRequestHost",),
    "method": ("clientRequestMethod",),
    "url": ("clientRequestURI",),
    "status": ("responseStatus",),
    "bytes_sent": ("responseBytes",),
    "referer": ("clientRequestReferer",),
    "user_agent": ("clientRequestUserAgent",),
    "range": ("clientRequestRange", "responseContentRange"),
}
_NEEDED: Final = (("timestamp",), ("clientIP",), ("clientRequestURI",))
_COLUMNS: Final = columns_of(_NEEDED, _FIELDS)
_REFERENCE: Final = "https://client.cdn77.com/support/knowledgebase/traffic-logs/real-time-logs"
CDN77: Final = LogFormat(
    name="cdn77",
    title="CDN77 real-time logs, JSON",
    fits=lambda line: all(not json_keys(line).isdisjoint(some) for some in _NEEDED),
    open=lambda: JsonReader(_FIELDS),
    example=(
        '{"timestamp":"2026-09-07T00:00:00.042Z","resourceID":1234567890,"cacheStatus":"HIT","clientCountry":"DE",'
        '"clientIP":"203.0.113.9","clientRequestHost":"cdn.example.org","clientRequestMethod":"GET",'
        '"clientRequestRange":"bytes=0-959999","clientRequestReferer":"","clientRequestURI":"/one.mp3",'
        '"clientRequestUserAgent":"Overcast/3.0","responseBytes":960512,"responseStatus":206}'
    ),
    reference=_REFERENCE,
    tells_range=True,
    tells_bytes="body and headers",
    lateness="a minute or so",
)
CDN77_TABLE: Final = LogFormat(
    name="cdn77-csv",
    title="CDN77 real-time logs, CSV or TSV",
    fits=lambda line: try_split_header(line, _COLUMNS) is not None,
    open=lambda: HeadedReader(_COLUMNS),
    example=(
        "timestamp\tcacheStatus\tclientIP\tclientRequestHost\tclientRequestMethod\tclientRequestRange\tclientRequestURI\t"
        "clientRequestUserAgent\tresponseBytes\tresponseStatus\n"
        "2026-09-07T00:00:00.042Z\tHIT\t203.0.113.9\tcdn.example.org\tGET\tbytes=0-959999\t/one.mp3\tOvercast/3.0\t960512\t206"
    ),
    reference=_REFERENCE,
    tells_range=True,
    tells_bytes="body and headers",
    lateness=CDN77.lateness,
)
