"""Logs as vendors' descriptions allow them and their users set them up, beside the plain samples of each format."""

import gzip
import json
from pathlib import Path

import pytest

from castline.base.errors import InvalidInput
from castline.sources.logs.file import LogFile
from castline.sources.logs.reading import NotAnAccessLog, ReadAs
from castline.sources.logs.table import find_format
from read_log import MIDNIGHT, Read

AGENT = "Overcast/3.0 (+http://overcast.fm/; iOS podcast app)"
ENCODED = "Overcast/3.0%20(+http://overcast.fm/;%20iOS%20podcast%20app)"
COMBINED = f'203.0.113.9 - - [07/Sep/2026:00:00:00 +0000] "GET /one.mp3 HTTP/1.1" 206 960000 "-" "{AGENT}"'
WANTED = {"address": "203.0.113.9", "method": "GET", "path": "/one.mp3", "status": 206, "bytes_sent": 960000}
OWNER = "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"
FASTLY = {
    "timestamp": "2026-09-07T00:00:00+0000", "client_ip": "203.0.113.9", "host": "cdn.example.org", "url": "/one.mp3",
    "request_method": "GET", "request_user_agent": AGENT, "response_status": 206, "response_body_size": 960000,
    "fastly_server": "cache-fra-1", "fastly_is_edge": True,
}  # fmt: skip
CADDY = {
    "level": "info", "ts": 1788739200, "logger": "http.log.access", "msg": "handled request", "size": 960000,
    "status": 206, "request": {
        "remote_ip": "203.0.113.9", "method": "GET", "host": "cdn.example.org", "uri": "/one.mp3",
        "headers": {"User-Agent": [AGENT]},
    },
}  # fmt: skip
LOGPUSH = {
    "ClientIP": "203.0.113.9", "ClientRequestHost": "cdn.example.org", "ClientRequestMethod": "GET",
    "ClientRequestURI": "/one.mp3", "ClientRequestUserAgent": AGENT, "EdgeResponseStatus": 206,
    "EdgeResponseBodyBytes": 960000, "EdgeStartTimestamp": "2026-09-07T00:00:00Z", "RayID": "5d1a",
}  # fmt: skip


def _same(row: dict[str, object]) -> dict[str, object]:
    return {name: row[name] for name in WANTED}


def _one(path: Path, text: str, read_as: ReadAs | None = None) -> dict[str, object]:
    """The only request of a log of which nothing else may be left."""
    read = Read(path / "x.log", text, read_as)
    assert read.refused == []
    (row,) = read.rows
    return row


SYSLOG = [
    "<190>Sep  7 00:00:00 web1 nginx: ",
    "Sep  7 00:00:00 web1 nginx: ",
    "2026-09-07T00:00:00.123456+00:00 web1 nginx[123]: ",
    "<134>2026-09-07T00:00:00Z cache-sjc3128 LogTest[62959]: ",
    '<134>1 2026-09-07T00:00:00Z cache-fra1 LogTest 62959 - [token@41058 tag="fastly" x="a\\"]b"] ',
    "184 <134>1 2026-09-07T00:00:00+00:00 cache-fra1 LogTest 62959 - - ",
    "2026-09-07T00:00:00.123456789Z stdout F ",
]


@pytest.mark.parametrize("prefix", SYSLOG)
@pytest.mark.parametrize("line", [COMBINED, json.dumps(FASTLY)], ids=["text", "json"])
def test_what_a_collector_wrote_in_front_of_a_line_is_left_out(prefix: str, line: str, tmp_path: Path) -> None:
    row = _one(tmp_path, f"{prefix}{line}\n")
    assert (_same(row), row["time"], row["user_agent"]) == (WANTED, MIDNIGHT, AGENT)


def test_a_written_format_that_has_the_collectors_words_in_it_keeps_them(tmp_path: Path) -> None:
    written = find_format('apache:<134>1 - host app - - - %h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"')
    assert _same(_one(tmp_path, f"<134>1 - host app - - - {COMBINED}\n", ReadAs(written))) == WANTED


def test_nginx_main_tells_the_forwarded_address_behind_the_agent(tmp_path: Path) -> None:
    lines = [f'{COMBINED} "{hops}"' for hops in ("198.51.100.1", "10.1.2.3, 2001:db8::5", "-", "not an address")]
    read = Read(tmp_path / "x.log", "\n".join(lines), ReadAs(trust_forwarded=True))
    expected = ["198.51.100.1", "2001:db8::5", "203.0.113.9", "203.0.113.9"]
    assert [row["address"] for row in read.rows] == expected
    assert {row["address"] for row in Read(tmp_path / "y.log", "\n".join(lines)).rows} == {"203.0.113.9"}


@pytest.mark.parametrize("behind", ['"127.0.0.1:8080"', "0.123", "12:30:05", "unix:/run/app.sock"])
def test_what_else_stands_behind_the_agent_is_no_forwarded_address(behind: str, tmp_path: Path) -> None:
    read = Read(tmp_path / "x.log", f"{COMBINED} {behind}\n", ReadAs(trust_forwarded=True))
    assert [row["address"] for row in read.rows] == ["203.0.113.9"]


def test_that_no_line_tells_a_forwarded_address_is_said(tmp_path: Path) -> None:
    read = Read(tmp_path / "x.log", f"{COMBINED}\n", ReadAs(trust_forwarded=True))
    assert read.file.problem == "no line tells X-Forwarded-For: each address is the one that the server saw"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_log_that_windows_tools_saved_anew_is_read(encoding: str, tmp_path: Path) -> None:
    lines = f"\ufeff{COMBINED}\r\n{COMBINED.replace('Overcast', 'Müller')}\r\n".encode(encoding)
    agents = [str(row["user_agent"])[:8] for row in Read(tmp_path / "x.log", lines).rows]
    assert agents == ["Overcast", "Müller/3"]


def test_a_file_whose_lines_end_in_carriage_returns_only_is_no_single_request(tmp_path: Path) -> None:
    with pytest.raises(NotAnAccessLog):
        Read(tmp_path / "x.log", f"{COMBINED}\r" * 3)


def test_a_range_of_many_parts_is_kept_whole_and_one_beyond_the_limit_refused(tmp_path: Path) -> None:
    long = "bytes=" + ",".join(f"{first}-{first + 50}" for first in range(0, 60_000, 100))
    assert len(long) > 6_000
    read = Read(tmp_path / "x.log", f'{COMBINED} "{long}"\n{COMBINED} "{long},{long[6:]}"\n')
    assert [row["range"] for row in read.rows] == [long]
    assert read.refused == [(2, "range_too_long")]


def _cloudfront(separator: str, **changed: str) -> str:
    fields = {
        "date": "2026-09-07", "time": "00:00:00", "c-ip": "203.0.113.9", "cs-method": "GET",
        "cs-uri-stem": "/one.mp3", "sc-status": "206", "sc-bytes": "960000", "cs(User-Agent)": ENCODED,
        "x-forwarded-for": "198.51.100.3,%20203.0.113.77", "sc-range-start": "0", "sc-range-end": "959999",
    }  # fmt: skip
    fields |= changed
    return f"#Version: 1.0\n#Fields: {' '.join(fields)}\n{separator.join(fields.values())}\n"


@pytest.mark.parametrize("separator", ["\t", " ", ",", ";", "|"])
def test_cloudfront_v2_may_put_another_separator_between_fields(separator: str, tmp_path: Path) -> None:
    row = _one(tmp_path, _cloudfront(separator, **{"cs(User-Agent)": "Overcast", "x-forwarded-for": "-"}))
    assert (_same(row), row["time"], row["range"]) == (WANTED, MIDNIGHT, "bytes=0-959999")


def test_cloudfront_v2_may_tell_milliseconds_instead_of_date_and_time(tmp_path: Path) -> None:
    text = _cloudfront("\t").replace("#Fields: date time", "#Fields: x-note timestamp(ms)")
    row = _one(tmp_path, text.replace("2026-09-07\t00:00:00", "-\t1788739200042"))
    assert str(row["time"]) == "2026-09-07 00:00:00.042000+00:00"


def test_cloudfronts_forwarded_addresses_are_encoded(tmp_path: Path) -> None:
    assert _one(tmp_path, _cloudfront("\t"), ReadAs(trust_forwarded=True))["address"] == "203.0.113.77"


def test_cloudfront_real_time_with_chosen_fields_is_not_taken_for_all_of_them(tmp_path: Path) -> None:
    line = f"1788739200.042\t203.0.113.9\t206\t960000\tGET\td1.cloudfront.net\t/one.mp3\t{ENCODED}\t0\t959999"
    with pytest.raises(NotAnAccessLog, match="cloudfront-realtime"):
        Read(tmp_path / "x.log", f"{line}\n")
    chosen = find_format(
        "cloudfront-realtime:timestamp,c-ip,sc-status,sc-bytes,cs-method,cs-host,cs-uri-stem,cs-user-agent,"
        "sc-range-start,sc-range-end"
    )
    assert _same(_one(tmp_path, f"{line}\n", ReadAs(chosen))) == WANTED


def _s3(agent: str, *, operation: str = "REST.GET.OBJECT", behind: str = " - id= SigV4 EC Auth cdn.example.org") -> str:
    return (
        f"{OWNER} audio [07/Sep/2026:00:00:00 +0000] 203.0.113.9 - 3E57427F3EXAMPLE {operation} one.mp3"
        f' "GET /one.mp3 HTTP/1.1" 206 - 960000 28800000 70 10 "-" "{agent}"{behind}\n'
    )


@pytest.mark.parametrize("agent", [AGENT, 'My "cool" app', 'ends in a quote"'])
def test_s3_writes_an_agent_as_it_came(agent: str, tmp_path: Path) -> None:
    row = _one(tmp_path, _s3(agent))
    assert (_same(row), row["user_agent"], row["host"]) == (WANTED, agent, "cdn.example.org")


def test_s3_lines_of_every_age_and_operation_are_requests(tmp_path: Path) -> None:
    behind = ["", " -", " - id= SigV4 EC Auth cdn.example.org TLSV1.2 arn:aws:s3:::a Yes us-east-1 new"]
    lines = [_s3(AGENT, behind=one) for one in behind] + [_s3(AGENT, operation="SOAP.CreateBucket")]
    read = Read(tmp_path / "x.log", "".join(lines))
    assert read.refused == []
    assert [row["host"] for row in read.rows] == [None, None, "cdn.example.org", "cdn.example.org"]


def _bunny(behind: str = "", *, agent: str = AGENT, url: str = "https://cdn.example.org/one.mp3") -> str:
    return (
        f"HIT|206|1788739200042|960512|390|203.0.113.9|-|{url}|DE|{agent}|322b688bd63fb63f2babe9de30a5d262|DE{behind}\n"
    )


@pytest.mark.parametrize(
    ("behind", "range_"), [("|960000|bytes=0-959999|-", "bytes=0-959999"), ("|960000|-|-", None), ("|960000||", None)]
)
def test_bunnys_extended_logging_tells_body_and_range(behind: str, range_: str | None, tmp_path: Path) -> None:
    row = _one(tmp_path, _bunny(behind))
    assert (_same(row), row["range"], row["user_agent"]) == (WANTED, range_, AGENT)


def test_a_bar_in_bunnys_agent_or_url_stays_there(tmp_path: Path) -> None:
    assert _one(tmp_path, _bunny(agent="a|b|c"))["user_agent"] == "a|b|c"
    assert _one(tmp_path, _bunny("|960000|-|-", agent="a|b"))["user_agent"] == "a|b"
    assert _one(tmp_path, _bunny(url="https://cdn.example.org/a|b.mp3"))["path"] == "/a|b.mp3"


@pytest.mark.parametrize(
    "told", ["2026/09/07 00:00:00.000", "2026-09-07T02:00:00.000+0200", "Mon, 07 Sep 2026 00:00:00 GMT", 1788739200e3]
)
def test_caddy_writes_times_in_its_users_way(told: object, tmp_path: Path) -> None:
    row = _one(tmp_path, json.dumps(CADDY | {"ts": told}))
    assert (_same(row), row["time"], row["user_agent"]) == (WANTED, MIDNIGHT, AGENT)


def test_caddys_other_messages_are_no_requests(tmp_path: Path) -> None:
    other = {"level": "info", "ts": 1788739200, "msg": "serving initial configuration"}
    read = Read(tmp_path / "x.log", f"{json.dumps(other)}\n{json.dumps(CADDY)}\n")
    assert (read.numbers, read.refused) == ([2], [(1, "malformed_line")])


def test_of_several_forwarded_headers_the_last_counts(tmp_path: Path) -> None:
    request = dict(CADDY["request"]) | {"headers": {"X-Forwarded-For": ["198.51.100.4", "198.51.100.5"]}}  # type: ignore[call-overload]
    text = json.dumps(CADDY | {"request": request})
    assert _one(tmp_path, text, ReadAs(trust_forwarded=True))["address"] == "198.51.100.5"


@pytest.mark.parametrize("told", ["2026-09-07T00:00:00Z", 1788739200, 1788739200000000000])
def test_logpush_times_have_three_forms(told: object, tmp_path: Path) -> None:
    row = _one(tmp_path, json.dumps(LOGPUSH | {"EdgeStartTimestamp": told, "ClientCountry": "de"}))
    assert (_same(row), row["time"], row["country"]) == (WANTED, MIDNIGHT, "DE")


def test_keys_that_few_lines_have_are_found_there(tmp_path: Path) -> None:
    lines = [json.dumps(LOGPUSH)] * 100 + [json.dumps(LOGPUSH | {"RequestHeaders": {"range": "bytes=0-1"}})]
    assert Read(tmp_path / "x.log", "\n".join(lines)).requests["range"].to_list() == [None] * 100 + ["bytes=0-1"]


def test_one_line_of_another_shape_does_not_spoil_the_others(tmp_path: Path) -> None:
    odd = [CADDY | {"request": "none"}, CADDY | {"request": {**dict(CADDY["request"]), "headers": ["x"]}}]  # type: ignore[call-overload]
    lines = [json.dumps(CADDY)] * 400 + [json.dumps(one) for one in odd] + ["[]", "5"]
    read = Read(tmp_path / "x.log", "\n".join(lines))
    assert read.requests["user_agent"].to_list() == [AGENT] * 400 + [""]
    assert read.refused == [(number, "malformed_line") for number in (401, 403, 404)]


@pytest.mark.parametrize(
    ("written", "agent"),
    [
        (r"a \x22b\x22 \xC3\xA4", 'a "b" ä'),
        (r"cut \ud83d here", "cut \N{REPLACEMENT CHARACTER} here"),
        (r"nul \u0000 here", "nul \N{REPLACEMENT CHARACTER} here"),
        (r"\ud83d\ude00", "\N{GRINNING FACE}"),
    ],
)
def test_json_that_is_not_quite_is_mended(written: str, agent: str, tmp_path: Path) -> None:
    lines = json.dumps(FASTLY | {"request_user_agent": "@"}).replace("@", written)
    assert _one(tmp_path, lines)["user_agent"] == agent


def test_an_array_that_is_printed_over_lines_too_long_for_one_document_is_read_by_its_lines(tmp_path: Path) -> None:
    line = json.dumps(FASTLY)
    read = Read(tmp_path / "x.log", f"[\n{line},\n{line}\n]\n[{line},\n{line}]\n")
    assert [_same(row) for row in read.rows] == [WANTED] * 4
    assert read.refused == []


def test_op3_gives_rows_as_arrays_and_its_key_rows_anywhere(tmp_path: Path) -> None:
    row = {"time": "2026-09-07T00:00:00Z", "url": "https://op3.dev/e/cdn.example.org/one.mp3", "hashedIpAddress": "5f"}
    arrays = {"queryTime": 12, "rows": [list(row), list(row.values())]}
    objects = {"queryTime": 12, "continuationToken": "x", "rows": [row]}
    for document in (arrays, objects):
        found = _one(tmp_path, json.dumps(document))
        assert (found["listener"], found["host"], found["path"]) == ("op3:5f", "cdn.example.org", "/one.mp3")


def test_a_method_that_stands_alone_as_the_request_is_one(tmp_path: Path) -> None:
    told = {name: value for name, value in FASTLY.items() if name != "request_method"}
    assert _one(tmp_path, json.dumps(told | {"request": "HEAD"}))["method"] == "HEAD"
    assert _one(tmp_path, json.dumps(told))["method"] == "GET"


APACHE = r"%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\""
NGINX = '$remote_addr - $remote_user [$time_local] "$request" $status $bytes_sent "$http_referer" "$http_user_agent"'


@pytest.mark.parametrize(
    "written",
    [
        f'apache:"{APACHE}"',
        f'apache:LogFormat "{APACHE}" combined',
        f'apache:CustomLog logs/access_log "{APACHE}" env=!dontlog',
        f"nginx:{NGINX}",
        f"nginx:'{NGINX}'",
        f"nginx:log_format main '{NGINX[:40]}'\n    '{NGINX[40:]}';",
    ],
)
def test_a_format_may_be_copied_from_the_configuration_as_it_stands_there(written: str, tmp_path: Path) -> None:
    row = _one(tmp_path, COMBINED, ReadAs(find_format(written)))
    assert (_same(row), row["user_agent"]) == (WANTED, AGENT)


def test_quotes_around_single_fields_are_no_quotes_around_the_format(tmp_path: Path) -> None:
    for written in (
        'apache:"%h" "%r" %t %>s %b',
        'nginx:"$remote_addr" "$request" [$time_local] $status $body_bytes_sent',
    ):
        line = '"203.0.113.9" "GET /one.mp3 HTTP/1.1" [07/Sep/2026:00:00:00 +0000] 206 960000'
        assert _same(_one(tmp_path, line, ReadAs(find_format(written)))) == WANTED


@pytest.mark.parametrize(
    "written",
    ['apache:%{X-Forwarded-For}i %t "%r" %>s %b', 'nginx:$http_x_real_ip [$time_local] "$request" $status $bytes_sent'],
)
def test_a_format_with_no_address_but_the_forwarded_one_needs_leave_to_believe_it(written: str, tmp_path: Path) -> None:
    line = '198.51.100.1 [07/Sep/2026:00:00:00 +0000] "GET /one.mp3 HTTP/1.1" 206 960000'
    row = _one(tmp_path, line, ReadAs(find_format(written), trust_forwarded=True))
    assert _same(row) == WANTED | {"address": "198.51.100.1"}
    with pytest.raises(InvalidInput, match="--trust-forwarded takes it"):
        Read(tmp_path / "y.log", line, ReadAs(find_format(written)))


def test_unquoted_fields_of_several_words_are_told_apart(tmp_path: Path) -> None:
    written = "nginx:$time_iso8601|$remote_addr|$request_method|$scheme://$host$request_uri|$status|$body_bytes_sent"
    line = "2026-09-07T02:00:00+02:00|203.0.113.9|GET|https://cdn.example.org/one.mp3?x=1|206|960000"
    row = _one(tmp_path, line, ReadAs(find_format(written)))
    assert (_same(row), row["host"]) == (WANTED, "cdn.example.org")
    written = 'apache:%h %t "%r" %<s %>s %b %{Content-Range}o %{Content-Length}o'
    line = (
        '203.0.113.9 [07/Sep/2026:00:00:00 +0000] "GET /one.mp3 HTTP/1.1" 302 206 960000 bytes 0-959999/28800000 960000'
    )
    row = _one(tmp_path, line, ReadAs(find_format(written)))
    assert (_same(row), row["range"]) == (WANTED, "bytes=0-959999")


@pytest.mark.parametrize("asked", ["$uri$is_args$args", '$uri "$args"'])
def test_parameters_that_nginx_tells_apart_belong_to_the_address(asked: str, tmp_path: Path) -> None:
    written = find_format(f"nginx:$remote_addr [$time_local] {asked} $status $body_bytes_sent")
    told = "/one.mp3?episode=5" if "is_args" in asked else '/one.mp3 "episode=5"'
    line = f"203.0.113.9 [07/Sep/2026:00:00:00 +0000] {told} 206 960000"
    assert _one(tmp_path, line, ReadAs(written))["path"] == "/one.mp3?episode=5"


def test_a_zone_that_is_only_named_is_no_time_but_for_utc(tmp_path: Path) -> None:
    written = find_format('apache:%h %{%d %b %Y %T %Z}t "%r" %>s %b')
    lines = [f'203.0.113.9 07 Sep 2026 00:00:00 {zone} "GET /one.mp3 HTTP/1.1" 206 960000' for zone in ("UTC", "CEST")]
    read = Read(tmp_path / "x.log", "\n".join(lines), ReadAs(written))
    assert ([row["time"] for row in read.rows], read.refused) == ([MIDNIGHT], [(2, "malformed_line")])


def test_a_server_whose_format_was_changed_within_a_file_is_read_on(tmp_path: Path) -> None:
    lines = [COMBINED, json.dumps(FASTLY), "rubbish", COMBINED, json.dumps(FASTLY), _s3(AGENT).rstrip()]
    read = Read(tmp_path / "x.log", "\n".join(lines))
    assert (read.numbers, [_same(row) for row in read.rows]) == ([1, 2, 4, 5, 6], [WANTED] * 5)
    assert read.refused == [(3, "malformed_line")]
    assert read.file.format_name == "combined, fastly, s3"
    only = Read(tmp_path / "y.log", "\n".join(lines), ReadAs(find_format("combined")))
    assert (only.numbers, only.file.format_name) == ([1, 4], "combined")


def test_a_file_of_millions_of_tiny_lines_is_read_in_portions(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(b"x\n" * 2_000_001)
    portions = list(LogFile(path).iter_lines())
    counts = [portion.text.count(b"\n") for portion in portions]
    assert (max(counts) <= 750_000, sum(counts)) == (True, 2_000_001)
    assert [portion.first_line for portion in portions] == [1 + sum(counts[:place]) for place in range(len(counts))]


@pytest.mark.parametrize("start", [b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"x\x01", b"x\x9c"])
def test_a_block_that_begins_like_compressed_data_is_text_all_the_same(start: bytes, tmp_path: Path) -> None:
    block = b"\n".join([start + b" rubbish", COMBINED.encode(), b""])
    read = Read(tmp_path / "x.log", gzip.compress(block))
    assert (read.numbers, read.refused) == ([2], [(1, "malformed_line")])
    rows = b"\n".join([start + b"\t2", _cloudfront("\t").encode()])
    read = Read(tmp_path / "y.log", gzip.compress(rows), ReadAs(find_format("cloudfront")))
    assert (read.numbers, read.refused) == ([4], [(1, "malformed_line")])
