"""KeyCDN's raw logs: fields between bars, some in quotes; the range stands last.

KeyCDN, "KeyCDN Log Format". It sets the last part of every address to 0, so that neighbours look like one listener.
"""

from typing import Final

from castline.sources.logs.format import LogFormat
from castline.sources.logs.pattern import PatternReader, fits_patterns

_LINE: Final = (
    r"^(?P<stamp>[0-9]{10}(?:\.[0-9]{1,6})?)\|[0-9A-Za-z-]*\|(?P<address>[^|]*)\|(?P<status>[0-9]{3})"
    r"\|(?P<bytes_sent>[0-9]{1,18})\|[^|]*\|[^|]*\|(?P<host>[^|]*)\|[A-Za-z_-]*\|\"(?P<request>.*?)\"\|\[[^\]]*\]"
    r"\|\"(?P<referer>.*?)\"\|\"(?P<user_agent>.*?)\"(?:\|.*?)??(?:\|(?P<range>bytes=[0-9, -]*|-))?$"
)
_KEPT: Final = ("stamp", "address", "host", "request", "status", "bytes_sent", "referer", "user_agent", "range")
KEYCDN: Final = LogFormat(
    name="keycdn",
    title="KeyCDN",
    fits=fits_patterns(_LINE),
    open=lambda: PatternReader((_LINE,), _KEPT),
    example=(
        '1788739200.042|defr|203.0.113.0|206|960000|uid1234|zid4321|cdn.example.org|HIT|"GET /one.mp3 HTTP/1.1"|'
        '[07/Sep/2026:02:00:00 +0200]|"-"|"Overcast/3.0 (+http://overcast.fm/; iOS podcast app)"|https|TLSv1.3|DE|BE|'
        '"AS3320 Deutsche Telekom AG"|bytes=0-959999'
    ),
    reference="https://www.keycdn.com/support/cdn-log-format",
    tells_range=True,
    lateness="minutes; it cuts addresses, so that neighbours look like one listener",
)
