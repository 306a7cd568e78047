"""Any log-format of HAProxy and any text_format of Envoy, pasted from the configuration.

HAProxy, "Configuration Manual", section 8.2.6; Envoy, "Access logging", command operators.
"""

import re
from typing import Final

from castline.sources.logs.directives import Compiled, DirectiveReader, open_compiled

_QUOTED: Final = r'(?:[^"\\]|\\.)*'
_ADDRESS: Final = r"[0-9A-Fa-f.:]+?"
_HAPROXY: Final = re.compile(r"%(?:\{([^}]*)\})?(?:\[((?:\"[^\"]*\"|[^\]])*)\]|([A-Za-z]+|%))")
_HAPROXY_LINE: Final = re.compile(r"^(?:log-format\s+)?(?:\"((?:[^\"\\]|\\.)*)\"|(.*))$", re.DOTALL)
_CAPTURED: Final = r"\{[^}]*\}|"
_MAY_BE_NOTHING: Final = ("hr", "hs")
_DATE: Final = r"[0-9]{1,2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9:]{8}(?:\.[0-9]+)?(?: [+-][0-9]{4})?"
# What a name tells, its rank among those that tell the same, and its shape.
_HAPROXY_NAMES: Final = {
    "ci": ("address", 0, _ADDRESS), "cp": (None, 0, "[0-9]+"),
    "t": ("stamp", 2, _DATE), "tr": ("stamp", 1, _DATE), "T": ("stamp", 2, _DATE),
    "Tl": ("stamp", 2, _DATE), "trg": ("stamp", 0, _DATE), "trl": ("stamp", 0, _DATE), "Ts": ("stamp", 3, "[0-9]+"),
    "r": ("request", 0, ".*?"), "HM": ("method", 0, r"\S*"), "HU": ("url", 0, r"\S*"), "HP": ("url", 1, r"\S*"),
    "HPO": ("url", 2, r"\S*"), "HQ": ("query", 0, r"\S*"), "ST": ("status", 0, "-?[0-9]+"),
    "B": ("bytes_sent", 0, r"\+?[0-9]+"), "ID": ("request_id", 0, r"\S*"), "hr": ("captured", 0, _CAPTURED),
    "hs": (None, 0, _CAPTURED),
}  # fmt: skip
_HAPROXY_SAMPLES: Final = {
    "src": ("address", 0), "method": ("method", 0), "path": ("url", 1), "pathq": ("url", 0), "url": ("url", 0),
    "query": ("query", 0), "status": ("status", 0), "bytes_out": ("bytes_sent", 0), "unique-id": ("request_id", 0),
    "date": ("stamp", 3), "request_date": ("stamp", 2), "accept_date": ("stamp", 3),
}  # fmt: skip
_HAPROXY_HEADER: Final = re.compile(r"^(?:req\.)?(?:f?hdr|hdr_ip)\(\s*\"?([\w-]+)", re.IGNORECASE)
_HEADERS: Final = {
    ":method": "method", ":path": "url", "x-envoy-original-path": "url", ":authority": "host", "host": "host",
    "user-agent": "user_agent", "referer": "referer", "range": "range", "x-forwarded-for": "forwarded",
    "x-request-id": "request_id",
}  # fmt: skip
_ENVOY: Final = re.compile(r"%([A-Z_]+)(?:\(([^)]*)\))?(?::[0-9]+)?%")
_ENVOY_NAMES: Final = {
    "START_TIME": ("stamp", 0, ".*?"), "RESPONSE_CODE": ("status", 0, "[0-9]{1,3}"),
    "BYTES_SENT": ("bytes_sent", 0, "[0-9]+"), "STREAM_ID": ("request_id", 1, r"\S*"),
    "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT": ("address", 0, _ADDRESS),
    "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT": ("address", 1, _ADDRESS),
}  # fmt: skip
_WITH_PORT: Final = {"DOWNSTREAM_REMOTE_ADDRESS": 0, "DOWNSTREAM_DIRECT_REMOTE_ADDRESS": 1}


def compile_haproxy(text: str) -> DirectiveReader:
    """A reader of lines of this log-format; captured headers are told as `captured`. Raises InvalidInput."""
    found = _HAPROXY_LINE.match(text.strip())
    text = (found[1] or found[2] or "" if found else text).replace("\\ ", " ").replace('\\"', '"')
    compiled, place, before = Compiled(), 0, ""
    for match in _HAPROXY.finditer(text):
        literal = re.escape(text[place : match.start()])
        # Where nothing is captured, its blank is left out, too.
        compiled.pattern += f"{literal}?" if before in _MAY_BE_NOTHING and literal == r"\ " else literal
        before = match[3]
        is_quoted = text[: match.start()].endswith('"') and text[match.end() :].startswith('"')
        _add_haproxy(compiled, match, is_quoted=is_quoted)
        place = match.end()
    compiled.pattern += re.escape(text[place:])
    return open_compiled(compiled, text)


def _add_haproxy(compiled: Compiled, match: re.Match[str], *, is_quoted: bool) -> None:
    flags, sample, name = match.groups()
    if name == "%":
        compiled.pattern += "%"
        return
    target, rank, shape = _HAPROXY_NAMES.get(name, (None, 0, ".*?")) if name else _of_sample(sample)
    own_quotes = "+Q" in (flags or "") and name != "hr"
    compiled.pattern += '"' if own_quotes else ""
    compiled.add(_QUOTED if own_quotes or is_quoted else shape, target, rank)
    compiled.pattern += '"' if own_quotes else ""


def _of_sample(sample: str) -> tuple[str | None, int, str]:
    if (header := _HAPROXY_HEADER.match(sample)) is not None:
        return _HEADERS.get(header[1].lower()), 0, ".*?"
    name = re.split(r"[(,]", sample, maxsplit=1)[0]
    target, rank = _HAPROXY_SAMPLES.get(name, (None, 0))
    return target, rank, r"\S*" if target else ".*?"


def compile_envoy(text: str) -> DirectiveReader:
    """A reader of lines of this text_format. Raises InvalidInput."""
    text = text.strip().strip('"' if text.strip().startswith('"[') else "'").removesuffix("\\n")
    compiled, place = Compiled(), 0
    for match in _ENVOY.finditer(text):
        compiled.pattern += re.escape(text[place : match.start()])
        is_quoted = text[: match.start()].endswith('"') and text[match.end() :].startswith('"')
        _add_envoy(compiled, match[1], match[2] or "", is_quoted=is_quoted)
        place = match.end()
    compiled.pattern += re.escape(text[place:])
    return open_compiled(compiled, text)


def _add_envoy(compiled: Compiled, name: str, argument: str, *, is_quoted: bool) -> None:
    if name in _WITH_PORT:
        compiled.pattern += r"\[?"
        compiled.add(_ADDRESS, "address", _WITH_PORT[name])
        compiled.pattern += r"\]?:[0-9]+"
        return
    target, rank, shape = _ENVOY_NAMES.get(name, (None, 0, ".*?"))
    if name == "REQ":
        target = next((_HEADERS[header] for header in argument.lower().split("?") if header in _HEADERS), None)
    elif name == "RESP" and argument.lower() == "content-range":
        target, rank = "range", 1
    compiled.add(_QUOTED if is_quoted else shape, target, rank)
