"""Gcore CDN's raw logs: nginx's variables, each in quotes, more of them over time.

Gcore, "Logs uploader", log format example.
"""

import re
from typing import Final

from castline.sources.logs.format import LogFormat
from castline.sources.logs.headed import HeadedReader, columns_of

_NAMES: Final = (
    "remote_addr dash remote_user time_local request status body_bytes_sent http_referer http_user_agent bytes_sent"
    " edgename scheme host request_time upstream_response_time request_length http_range"
).split()
_BEGINNING: Final = re.compile(
    r'"[0-9A-Fa-f.:]+" "-" "[^"]*" "\[[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[^"\]]*\]" "[^"]*" "[0-9]{3}" "[0-9]+" "'
)
_COLUMNS: Final = columns_of(
    (("time_local",), ("remote_addr",), ("status",)),
    {
        "stamp": ("time_local",),
        "address": ("remote_addr",),
        "host": ("host",),
        "request": ("request",),
        "status": ("status",),
        "bytes_sent": ("body_bytes_sent",),
        "referer": ("http_referer",),
        "user_agent": ("http_user_agent",),
        "range": ("http_range",),
    },
)
GCORE: Final = LogFormat(
    name="gcore",
    title="Gcore CDN",
    fits=lambda line: _BEGINNING.match(line) is not None,
    open=lambda: HeadedReader(_COLUMNS, _NAMES, " "),
    example=(
        '"203.0.113.9" "-" "-" "[07/Sep/2026:00:00:00 +0000]" "GET /one.mp3 HTTP/1.1" "206" "960000" "-" '
        '"Overcast/3.0 (+http://overcast.fm/; iOS podcast app)" "960512" "[fr5-up-gc12]" "https" "cdn.example.org" '
        '"0.101" "0.000" "220" "bytes=0-959999" "[fr5]" "HIT" "-" "-"'
    ),
    reference="https://gcore.com/docs/cdn/logs/logs-uploader",
    tells_range=True,
    lateness="minutes",
)
