"""Any Apache LogFormat and any nginx log_format string, compiled into a regular expression.

Apache: mod_log_config, "Custom Log Formats". nginx: ngx_http_log_module, `log_format`, and the variables of the core.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from castline.base.errors import InvalidInput
from castline.sources.logs.format import no_comments
from castline.sources.logs.rows import first_said, unescaped

_APACHE: Final = re.compile(
    r"%(?P<how>(?:[<>]|!?[0-9]{3}(?:,[0-9]{3})*)*)(?:\{((?:\\.|[^{}\\]|\{[^{}]*\})*)\})?(\^t[io]|[A-Za-z%])"
)
# Fastly's functions: the time's form, and the variables that a value is made of.
_VCL_TIME: Final = re.compile(r'strftime\(\\?\{?\s*"(.*?)"\s*\\?\}?\s*,')
_VCL_NAME: Final = re.compile(r"[a-z]+(?:\.[\w-]+)+")
_NGINX: Final = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
# A line of the configuration as it stands there, or what stands in its quotes.
_APACHE_LINE: Final = re.compile(
    r'(?:(?:LogFormat|CustomLog\s+\S+)\s+)?"((?:[^"\\]|\\.)*)"(?:\s+[\w-]+)?(?:\s+(?:env|expr)=\S+)?$', re.IGNORECASE
)
_PARTS: Final = r"'(?:[^'\\]|\\.)*'" + r'|"(?:[^"\\]|\\.)*"'
_NGINX_LINE: Final = re.compile(rf"(log_format\s+\S+\s+(?:escape=\w+\s+)?)?((?:(?:{_PARTS})\s*)+);?$", re.DOTALL)
NICKNAMES: Final = {
    "common": '%h %l %u %t "%r" %>s %b',
    "combined": '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"',
    "vhost_combined": '%v:%p %h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i"',
    "combinedio": '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" %I %O',
}
NGINX_COMBINED: Final = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"'
)
# Directive or variable -> (what it tells, rank): of several that tell the same, the lowest rank that says something.
_APACHE_FIELDS: Final = {
    "a": ("address", 0), "h": ("address", 1), "{c}a": ("address", 2),
    "r": ("request", 0), "m": ("method", 0), "U": ("url", 0), "q": ("query", 0), "s": ("status", 0),
    "B": ("bytes_sent", 0), "b": ("bytes_sent", 1), "O": ("bytes_sent", 2),
    "{host}i": ("host", 0), "V": ("host", 1), "v": ("host", 2),
    "{referer}i": ("referer", 0), "{user-agent}i": ("user_agent", 0),
    "{range}i": ("range", 0), "{content-range}o": ("range", 1), "{x-forwarded-for}i": ("forwarded", 0),
    "{cf-connecting-ip}i": ("forwarded", 1), "{true-client-ip}i": ("forwarded", 2), "{x-real-ip}i": ("forwarded", 3),
    "{unique_id}e": ("request_id", 0),
    # Fastly's: https://www.fastly.com/documentation/guides/integrations/streaming-logs/custom-log-formats/
    "{req.http.fastly-client-ip}V": ("address", 0), "{client.ip}V": ("address", 1),
    "{req.http.host}V": ("host", 0), "{req.url}V": ("url", 0), "{req.method}V": ("method", 0),
    "{req.http.range}V": ("range", 0), "{req.http.referer}V": ("referer", 0),
    "{req.http.user-agent}V": ("user_agent", 0), "{resp.status}V": ("status", 0),
    "{resp.body_bytes_written}V": ("bytes_sent", 0), "{req.http.x-forwarded-for}V": ("forwarded", 0),
    "{resp.bytes_written}V": ("bytes_sent", 1), "{req.request}V": ("method", 1),
    "{resp.http.content-range}V": ("range", 1), "{time.start.sec}V": ("stamp", 2),
    "{time.start.msec}V": ("stamp", 1), "{time.start.usec}V": ("stamp", 0),
}  # fmt: skip
_NGINX_FIELDS: Final = {
    "remote_addr": ("address", 0), "realip_remote_addr": ("address", 1), "binary_remote_addr": ("_ignored", 0),
    "time_local": ("stamp", 2), "time_iso8601": ("stamp", 1), "msec": ("stamp", 0),
    "request": ("request", 0), "request_method": ("method", 0), "request_uri": ("url", 0),
    "uri": ("url", 1), "document_uri": ("url", 2), "status": ("status", 0),
    "body_bytes_sent": ("bytes_sent", 0), "bytes_sent": ("bytes_sent", 1),
    "http_host": ("host", 0), "host": ("host", 1), "server_name": ("host", 2),
    "http_referer": ("referer", 0), "http_user_agent": ("user_agent", 0),
    "http_range": ("range", 0), "sent_http_content_range": ("range", 1),
    "http_x_forwarded_for": ("forwarded", 0), "proxy_add_x_forwarded_for": ("forwarded", 1),
    "http_cf_connecting_ip": ("forwarded", 2), "http_true_client_ip": ("forwarded", 3),
    "http_x_real_ip": ("forwarded", 4), "args": ("query", 0), "query_string": ("query", 1),
    "request_id": ("request_id", 0),
}  # fmt: skip
_SHAPES: Final = {
    "address": r"\S+", "status": r"[0-9]{3}|-", "bytes_sent": r"[0-9]{1,18}|-", "method": r"[A-Za-z]{1,20}|-|",
    "host": r'[^\s/|"]*', "scheme": "[a-z]*", "is_args": r"\??",
    "uri": r"[^? ]*", "document_uri": r"[^? ]*", "U": r"[^?]*?", "q": r"(?:\?.*?)?",
    # `bytes 0-99/1000` has a blank in it, and `bytes=0-1, 5-9` may have.
    "range": r"bytes ?[= ] ?[0-9*]*-?[0-9*]*(?:/[0-9*]+)?(?:, ?[0-9]*-[0-9]*)*|\S*",
}  # fmt: skip
_QUOTED: Final = r'(?:[^"\\]|\\.)*'
_ESCAPED_TEXTS: Final = ("request", "url", "referer", "user_agent", "forwarded", "host", "range")
_NEEDED: Final = (("stamp",), ("address", "forwarded"), ("request", "url"))
_NAMED: Final = {
    "stamp": "time", "address": "client address", "forwarded": "X-Forwarded-For", "request": "request line",
    "url": "address asked for",
}  # fmt: skip
# Directives of strftime that a time's text is parsed by, as the regular expression of what they write. The name of a
# zone is no offset, but for UTC's: lines with another do not fit.
_STRFTIME: Final = {
    "a": "[A-Za-z]+", "A": "[A-Za-z]+", "b": "[A-Za-z]+", "B": "[A-Za-z]+", "h": "[A-Za-z]+", "d": "[0-9]{1,2}",
    "e": " ?[0-9]{1,2}", "H": "[0-9]{2}", "I": "[0-9]{2}", "j": "[0-9]{3}", "m": "[0-9]{2}", "M": "[0-9]{2}",
    "p": "[AP]M", "S": "[0-9]{2}", "s": "[0-9]{1,11}", "y": "[0-9]{2}", "Y": "[0-9]{4}", "z": r"[+-][0-9]{4}",
    "Z": "(?:UTC|GMT|Z)", "T": "[0-9:]{8}", "F": "[0-9-]{10}", "D": "[0-9/]{8}", "R": "[0-9:]{5}", "%": "%",
}  # fmt: skip

_ZONES: Final = ("%z", "%s", "%Z")  # with one of these a time's form tells which zone its clock shows
_WHOLE_SECOND: Final = r"^(?P<second>\[?[0-9]{1,2}/[A-Za-z]{3}/[0-9]{4}:[0-9:]{8}|[0-9]{1,11})(?P<zone> .*|\]?)$"


@dataclass(slots=True)
class Compiled:
    """A format under compilation: groups of the expression in order, and what each tells, best rank first."""

    pattern: str = ""
    names: list[str] = field(default_factory=list)
    told: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    clock: list[tuple[str, str]] = field(default_factory=list)  # (group, strftime form) of composed times

    def add(self, shape: str, target: str | None, rank: int = 0) -> str:
        """The pattern goes on with a group of that shape; returns its name."""
        name = f"g{len(self.names)}"
        self.names.append(name)
        self.pattern += f"({shape})"
        if target is not None:
            self.told.setdefault(target, []).append((rank, name))
        return name


class DirectiveReader:
    """Reads the lines of one compiled format; `needs_forwarded` if it tells no address but a forwarded one."""

    def __init__(self, compiled: Compiled) -> None:
        self._pattern = f"^{compiled.pattern}\\r?$"
        self._loose = self._pattern.replace(_QUOTED, ".*?")
        self._names = compiled.names
        self._told = {target: [name for _, name in sorted(ranked)] for target, ranked in compiled.told.items()}
        self._clock = compiled.clock
        self.needs_forwarded = "address" not in compiled.told

    def read(self, numbered: pl.DataFrame) -> pl.DataFrame:
        """The lines that fit; those with quotes that nobody escaped are tried with looser quoting."""
        found = self._extract(numbered, self._pattern)
        if found.height < numbered.height and self._loose != self._pattern:
            missed = numbered.join(found, on="line_number", how="anti")
            found = pl.concat([found, self._extract(missed, self._loose)]).sort("line_number")
        return self._name(found)

    def find_comments(self, numbered: pl.DataFrame) -> pl.Series:
        """None: such logs have no header."""
        return no_comments(numbered)

    def _extract(self, numbered: pl.DataFrame, pattern: str) -> pl.DataFrame:
        groups = pl.col("line").str.extract_groups(pattern).struct.rename_fields(self._names).alias("groups")
        frame = numbered.select("line_number", groups).unnest("groups")
        # Every group takes part in a match, so the first is null only where nothing matched.
        return frame.filter(pl.col(self._names[0]).is_not_null())

    def _name(self, found: pl.DataFrame) -> pl.DataFrame:
        frame = found.select(
            "line_number",
            *(self._tell(target, names) for target, names in self._told.items() if target != "fraction"),
            *self._tell_time(),
        )
        if not {"method", "request"} & set(frame.columns):
            # Who writes no method into the log of a file server means GET.
            frame = frame.with_columns(method=pl.lit("GET"))
        return frame.with_columns(unescaped(name, frame) for name in _ESCAPED_TEXTS if name in frame.columns)

    def _tell(self, target: str, names: list[str]) -> pl.Expr:
        if target == "bytes_sent":
            return first_said(*names).fill_null("0").alias(target)
        if target == "stamp" and "fraction" in self._told:
            stamp, fraction = first_said(*names), pl.col(self._told["fraction"][0])
            parts = stamp.str.extract_groups(_WHOLE_SECOND).struct
            exact = pl.concat_str(parts.field("second"), pl.lit("."), fraction, parts.field("zone"))
            return exact.fill_null(stamp).alias(target)
        return first_said(*names).alias(target)

    def _tell_time(self) -> Iterator[pl.Expr]:
        if self._clock:
            text = pl.concat_str(*(pl.col(name) for name, _ in self._clock), separator=" ")
            form = " ".join(form for _, form in self._clock)
            parsed = text.str.to_datetime(form, time_unit="us", strict=False) + self._fraction()
            if any(zone in form for zone in _ZONES):
                aware = parsed if "%Z" not in form else parsed.dt.replace_time_zone("UTC")
                yield aware.cast(pl.Datetime("us", "UTC")).alias("time")
            elif "stamp" not in self._told:
                yield parsed.dt.strftime("%Y-%m-%dT%H:%M:%S%.6f").alias("stamp")

    def _fraction(self) -> pl.Expr:
        """What stands behind the second, where the format has it in a directive of its own."""
        digits = [pl.col(name).str.pad_end(6, "0").cast(pl.Int64) for name in self._told.get("fraction", ())]
        return pl.duration(microseconds=pl.coalesce(*digits, pl.lit(0)))


def compile_apache(text: str) -> DirectiveReader:
    """A reader of lines that Apache writes for this LogFormat, or for the nickname of a common one.

    Raises InvalidInput naming what the format does not tell.
    """
    text = _without_directive(text)
    text = NICKNAMES.get(text, text).replace('\\"', '"').replace("\\t", "\t")
    compiled = Compiled()
    for literal, match, quoted in _iter_parts(text, _APACHE):
        compiled.pattern += re.escape(literal)
        if match is not None:
            _add_apache(compiled, match, quoted=quoted)
    return open_compiled(compiled, text)


def compile_nginx(text: str) -> DirectiveReader:
    """A reader of lines that nginx writes for this log_format. Raises InvalidInput naming what it does not tell."""
    text = _joined(text)
    text = NGINX_COMBINED if text == "combined" else text.replace("\\t", "\t")
    compiled = Compiled()
    for literal, match, quoted in _iter_parts(text, _NGINX):
        compiled.pattern += re.escape(literal)
        if match is not None:
            name = match[1] or match[2]
            target, rank = _NGINX_FIELDS.get(name, (None, 0))
            shape = _QUOTED if quoted else _SHAPES.get(name) or _SHAPES.get(target or "") or ".*?"
            compiled.add(shape, target, rank)
    return open_compiled(compiled, text)


def _without_directive(text: str) -> str:
    """The format itself of a whole line of Apache's configuration, or of one in its quotes."""
    found = _APACHE_LINE.match(text.strip())
    return found[1] if found else text.strip()


def _joined(text: str) -> str:
    """The format itself of nginx's directive, whose parts in quotes follow each other."""
    found = _NGINX_LINE.match(text.strip())
    if found is None or not (found[1] or found[2].startswith("'")):
        return text.strip()
    return "".join(
        part[1:-1].replace("\\'", "'").replace('\\"', '"') for part in re.findall(_PARTS, found[2], re.DOTALL)
    )


def _iter_parts(text: str, directive: re.Pattern[str]) -> Iterator[tuple[str, re.Match[str] | None, bool]]:
    """(literal text, the directive behind it, whether that is all that stands between two quotes)."""
    place = 0
    for match in directive.finditer(text):
        literal = text[place : match.start()]
        place = match.end()
        yield literal, match, literal.endswith('"') and text[place : place + 1] == '"'
    yield text[place:], None, False


def _add_apache(compiled: Compiled, match: re.Match[str], *, quoted: bool) -> None:
    how, argument, letter = match.groups()
    if letter == "%":
        compiled.pattern += "%"
    elif letter == "t":
        _add_apache_time(compiled, argument)
    elif letter == "V" and (time := _VCL_TIME.search(argument or "")):
        _add_apache_time(compiled, time[1])
    else:
        key = letter if argument is None else f"{{{argument.lower()}}}{letter}"
        if letter == "V":
            named = (f"{{{name}}}V" for name in _VCL_NAME.findall(key))
            key = next((name for name in named if name in _APACHE_FIELDS), key)
        target, rank = _APACHE_FIELDS.get(key, (None, 0))
        # Of a request that was redirected inside the server, the listener got the last status.
        rank = {">": rank, "<": rank + 2}.get(how, rank + 1) if key == "s" else rank
        shape = _QUOTED if quoted else _SHAPES.get(letter) or _SHAPES.get(target or "") or ".*?"
        compiled.add(shape, target, rank)


def _add_apache_time(compiled: Compiled, argument: str | None) -> None:
    form = None if argument is None else argument.removeprefix("begin:").removeprefix("end:")
    if form is None:
        compiled.add(r"\[[^\]]+\]|[A-Z][a-z]{2}, [0-9A-Za-z :]{15,25} GMT", "stamp")  # the latter is Fastly's version 1
    elif form in {"sec", "msec", "usec"}:
        compiled.add("[0-9]{1,17}", "stamp", 1)
    elif form.endswith("_frac"):
        compiled.add("[0-9]{3}|[0-9]{6}", "fraction")
    else:
        parts = re.findall(r"%[A-Za-z%]|[^%]+|%", form)
        shape = "".join(_STRFTIME.get(part[1:], ".*?") if part[0] == "%" else re.escape(part) for part in parts)
        compiled.clock.append((compiled.add(shape, None), form))


def open_compiled(compiled: Compiled, text: str) -> DirectiveReader:
    """A reader of the lines of what was compiled of `text`. Raises InvalidInput naming what it does not tell."""
    told = set(compiled.told) | ({"stamp"} if compiled.clock else set())
    for names in _NEEDED:
        if not told.intersection(names):
            what = " nor ".join(_NAMED[name] for name in names)
            raise InvalidInput(field="--format", detail=f"the format {text!r} tells no {what}")
    return DirectiveReader(compiled)
