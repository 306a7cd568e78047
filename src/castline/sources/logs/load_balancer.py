"""Access logs of Amazon's application load balancers.

AWS, "Access log entries": later fields may be added behind.
"""

from typing import Final

from castline.sources.logs.format import LogFormat
from castline.sources.logs.pattern import PatternReader, fits_patterns

_LINE: Final = (
    r"^(?:https?|h2|grpcs|wss?) (?P<stamp>[0-9]{4}-[0-9T:.-]+Z) \S+ \[?(?P<address>[0-9A-Fa-f.:]+)\]?:[0-9]+ \S+ \S+"
    r" \S+ \S+ (?P<status>[0-9]{3}|-) \S+ [0-9-]+ (?P<bytes_sent>[0-9]{1,18}) \"(?P<request>.*?)\""
    r" \"(?P<user_agent>(?:[^\"\\]|\\.)*)\"(?: .*)?$"
)
_KEPT: Final = ("stamp", "address", "request", "status", "bytes_sent", "user_agent")
LOAD_BALANCER: Final = LogFormat(
    name="alb",
    title="Amazon's application load balancer",
    fits=fits_patterns(_LINE),
    open=lambda: PatternReader((_LINE,), _KEPT),
    example=(
        "https 2026-09-07T00:00:00.042000Z app/audio/50dc6c495c0c9188 203.0.113.9:41342 10.0.0.1:80 0.001 0.042 0.000"
        ' 206 206 220 960512 "GET https://cdn.example.org:443/one.mp3 HTTP/1.1" "Overcast/3.0"'
        " ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:aws:elasticloadbalancing:targetgroup/audio"
        ' "Root=1-58337281-1d84f3d73c47ec4e58577259" "cdn.example.org" "-" 0 2026-09-07T00:00:00.001000Z "forward"'
    ),
    reference="https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html",
    tells_bytes="body and headers",
    lateness="five minutes",
)
