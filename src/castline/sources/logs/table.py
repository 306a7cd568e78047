"""The table of log formats: one row each; a format is found by name, or by what a file's first lines look like."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from castline.base.errors import InvalidInput
from castline.sources.logs import bunny, cloudfront, google, haproxy, intake, json_logs, op3, s3
from castline.sources.logs.akamai import AKAMAI, open_akamai
from castline.sources.logs.arranged import USUAL_PLACE, find_agent_place, open_arranged
from castline.sources.logs.azure import AZURE
from castline.sources.logs.cdn77 import CDN77, CDN77_TABLE
from castline.sources.logs.combined import CombinedReader, fits_combined
from castline.sources.logs.directives import compile_apache, compile_nginx
from castline.sources.logs.envoy import ENVOY, ENVOY_JSON
from castline.sources.logs.format import LogFormat, LogReader
from castline.sources.logs.gcore import GCORE
from castline.sources.logs.keycdn import KEYCDN
from castline.sources.logs.load_balancer import LOAD_BALANCER
from castline.sources.logs.logpush_csv import LOGPUSH_CSV, open_logpush
from castline.sources.logs.proxy_templates import compile_envoy
from castline.sources.logs.server_table import TABLE
from castline.sources.logs.traefik import TRAEFIK
from castline.sources.logs.vercel import VERCEL
from castline.sources.logs.w3c import W3C

COMBINED: Final = LogFormat(
    name="combined",
    title="nginx and Apache, common or combined, with a virtual host in front or fields behind, in any order",
    fits=fits_combined,
    open=CombinedReader,
    example='203.0.113.9 - - [07/Sep/2026:00:00:00 +0000] "GET /one.mp3 HTTP/1.1" 200 28800000 "-" "Overcast/3.0"',
    reference="https://httpd.apache.org/docs/2.4/logs.html#combined",
)
# The first that fits a line is taken, so the narrower ones stand before `json`, which takes any object with usual keys.
LOG_FORMATS: Final = (
    COMBINED,
    cloudfront.STANDARD,
    cloudfront.STANDARD_JSON,
    cloudfront.REALTIME,
    W3C,
    s3.S3,
    json_logs.LOGPUSH,
    LOGPUSH_CSV,
    json_logs.FASTLY,
    AKAMAI,
    google.GOOGLE,
    google.STORAGE,
    AZURE,
    LOAD_BALANCER,
    bunny.BUNNY,
    KEYCDN,
    GCORE,
    CDN77,
    CDN77_TABLE,
    VERCEL,
    json_logs.CADDY,
    TRAEFIK,
    haproxy.HAPROXY,
    ENVOY,
    ENVOY_JSON,
    op3.TABLE,
    op3.JSON,
    intake.INTAKE,
    TABLE,
    json_logs.SERVER,
)
_BY_NAME: Final = {log_format.name: log_format for log_format in LOG_FORMATS}
# What may stand before a colon, with what stands behind it.
WRITTEN_FORMATS: Final = {
    "combined": "the place of the agent among the fields behind the bytes, where it is not the second",
    "apache": "a LogFormat string of Apache, or one of its nicknames",
    "nginx": "a log_format string of nginx",
    "fastly": "a format string of Fastly",
    "cloudfront": "the fields of standard logs without a header, separated by commas",
    "cloudfront-realtime": "the fields of the configuration, separated by commas",
    "cloudflare": "the fields of Logpush as CSV without a header, separated by commas",
    "akamai": "the fields of a DataStream in structured form, by their names in JSON, separated by commas",
    "haproxy": "the request headers that are captured, separated by commas, or a log-format string",
    "envoy": "a text_format string of Envoy",
}
# Written formats that are a row of the table with fields of one's own.
_CHOSEN: Final[Mapping[str, tuple[LogFormat, Callable[[str], LogReader]]]] = {
    "combined": (COMBINED, open_arranged),
    "cloudfront": (cloudfront.STANDARD, cloudfront.open_standard),
    "cloudfront-realtime": (cloudfront.REALTIME, cloudfront.open_realtime),
    "cloudflare": (LOGPUSH_CSV, open_logpush),
    "akamai": (AKAMAI, open_akamai),
    "haproxy": (haproxy.HAPROXY, haproxy.open_haproxy),
    "envoy": (ENVOY, compile_envoy),
}
_USUAL_LENGTH: Final = 100_000
_BOOKS: Final = {
    "apache": "https://httpd.apache.org/docs/2.4/mod/mod_log_config.html#formats",
    "nginx": "https://nginx.org/en/docs/http/ngx_http_log_module.html#log_format",
    "fastly": json_logs.FASTLY.reference,
}


def find_format(text: str) -> LogFormat:
    """The format of that name, or the one written out behind `apache:`, `nginx:`, `fastly:`, `cloudfront-realtime:`.

    Raises InvalidInput for any other, and for a written one that does not tell time, address and URL.
    """
    kind, colon, written = text.partition(":")
    if colon and kind in WRITTEN_FORMATS:
        return _written_format(kind, written)
    if text in _BY_NAME:
        return _BY_NAME[text]
    names = [*_BY_NAME, *(f"{name}:..." for name in WRITTEN_FORMATS)]
    raise InvalidInput(field="--format", detail=f"{text!r} is none of {', '.join(names)}")


def try_recognise(lines: Sequence[str]) -> LogFormat | None:
    """The format of the first line that fits any; broken lines in front do not matter. None where none fits.

    A line of a length that attacks have is looked at only where there is no other.
    """
    usual = [line for line in lines if len(line) <= _USUAL_LENGTH] or lines
    found = next((log_format for line in usual for log_format in LOG_FORMATS if log_format.fits(line)), None)
    if found is COMBINED and (place := find_agent_place(usual)) != USUAL_PLACE:
        return _written_format("combined", str(place))
    return found


def describe_formats(formats: Iterable[LogFormat] = LOG_FORMATS) -> list[dict[str, object]]:
    """One row per format: what it is and what it tells."""
    return [
        {
            "name": log_format.name,
            "title": log_format.title,
            "range": log_format.tells_range,
            "bytes": log_format.tells_bytes,
            "request_id": log_format.tells_request_id,
            "arrives": log_format.lateness,
            "reference": log_format.reference,
        }
        for log_format in formats
    ]


def _written_format(kind: str, written: str) -> LogFormat:
    name = f"{kind}:{written}"
    if kind in _CHOSEN:
        log_format, open_chosen = _CHOSEN[kind]
        open_chosen(written)  # a wrong choice is told before anything is read
        return replace(log_format, name=name, family=log_format.id_space, open=lambda: open_chosen(written))
    reader = compile_nginx(written) if kind == "nginx" else compile_apache(written)
    return LogFormat(
        name=name,
        title=WRITTEN_FORMATS[kind],
        fits=lambda _: True,
        open=lambda: reader,
        example=written,
        reference=_BOOKS[kind],
        family="request-id",
        needs_forwarded=reader.needs_forwarded,
    )
