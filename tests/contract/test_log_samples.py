"""What servers and CDNs write, line by line, and what castline reads out of it."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from castline.base.errors import InvalidInput
from castline.sources.logs.format import LogFormat
from castline.sources.logs.reading import ReadAs
from castline.sources.logs.table import find_format
from read_log import MIDNIGHT, Read, say

WRITTEN: list[tuple[str, str, dict[str, object]]] = [
    (
        r'apache:%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\" \"%{X-Forwarded-For}i\" \"%{Range}i\" %D',
        (
            '203.0.113.9 - frank [07/Sep/2026:02:00:00 +0200] "GET /one.mp3?x=1 HTTP/1.1" 206 - "-" "A \\"b\\""'
            ' "198.51.100.1, 10.0.0.1" "bytes=0-1" 123'
        ),
        {"address": "203.0.113.9", "status": 206, "bytes_sent": 0, "user_agent": 'A "b"', "range": "bytes=0-1"},
    ),
    (
        "apache:%{%Y-%m-%d %H:%M:%S}t.%{msec_frac}t %{%z}t %a %{c}a %V %m %U%q %s %B %O",
        "2026-09-06 23:00:00.250 -0100 203.0.113.9 10.0.0.1 Cdn.Example.org GET /one.mp3?x=1 200 100 420",
        {
            "time": MIDNIGHT.replace(microsecond=250_000), "address": "203.0.113.9", "host": "cdn.example.org",
            "status": 200, "bytes_sent": 100, "user_agent": "",
        },
    ),
    (
        'apache:%{begin:usec}t %v:%p %h "%!200,304{Referer}i" "%r" %<s %b',
        '1788739200000000 cdn.example.org:443 203.0.113.9 "http://a/" "GET /one.mp3 HTTP/2.0" 200 7',
        {
            "address": "203.0.113.9", "host": "cdn.example.org", "referer": "http://a/", "bytes_sent": 7,
            "status": 200, "user_agent": "",
        },
    ),
    (
        "apache:vhost_combined",
        'cdn.example.org:443 203.0.113.9 - - [07/Sep/2026:00:00:00 +0000] "GET /one.mp3 HTTP/1.1" 200 7 "-" "UA"',
        {"host": "cdn.example.org", "address": "203.0.113.9", "bytes_sent": 7, "user_agent": "UA", "status": 200},
    ),
    (
        (
            'nginx:$remote_addr [$time_iso8601] $host $request_method $uri$is_args$args $status $body_bytes_sent'
            ' "$http_range" "$http_user_agent"'
        ),
        (
            '203.0.113.9 [2026-09-07T02:00:00+02:00] cdn.example.org GET /one.mp3?x=1 206 100 "bytes=0-99"'
            ' "UA \\x22x\\x22"'
        ),
        {
            "address": "203.0.113.9", "host": "cdn.example.org", "status": 206, "bytes_sent": 100,
            "range": "bytes=0-99", "user_agent": 'UA "x"',
        },
    ),
    (
        "nginx:${msec}|$remote_addr|$request_uri|$status|$bytes_sent|$http_user_agent",
        "1788739200.000|203.0.113.9|/one.mp3?x|206|100|UA | x",
        {"address": "203.0.113.9", "status": 206, "bytes_sent": 100, "user_agent": "UA | x"},
    ),
    (
        'fastly:%{Fastly-Client-IP}i %{req.http.Fastly-Client-IP}V %t "%r" %>s %b "%{req.http.Range}V"',
        '- 203.0.113.9 [07/Sep/2026:00:00:00 +0000] "GET /one.mp3 HTTP/1.1" 206 9 "bytes=0-8"',
        {"address": "203.0.113.9", "status": 206, "bytes_sent": 9, "range": "bytes=0-8", "user_agent": ""},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("written", "line", "expected"), WRITTEN)
def test_a_written_format_reads_what_its_server_writes(
    written: str, line: str, expected: dict[str, object], tmp_path: Path
) -> None:
    read = Read(tmp_path / "x.log", f"{line}\nrubbish\n", ReadAs(find_format(written)))
    assert [say(row) for row in read.rows] == [{"time": MIDNIGHT, "method": "GET", "path": "/one.mp3"} | expected]
    assert read.refused == [(2, "malformed_line")]


def test_quotes_that_nobody_escaped_are_read_by_what_stands_around_them(tmp_path: Path) -> None:
    line = '203.0.113.9 [07/Sep/2026:00:00:00 +0000] "GET /one.mp3 HTTP/1.1" 200 7 "the "best" app" end'
    written = 'nginx:$remote_addr [$time_local] "$request" $status $bytes_sent "$http_user_agent" end'
    (row,) = Read(tmp_path / "x.log", line, ReadAs(find_format(written))).rows
    assert row["user_agent"] == 'the "best" app'


@pytest.mark.parametrize(
    ("written", "lacks"),
    [
        ("nginx:$remote_addr $request", "tells no time"),
        ("nginx:$time_local $request", "tells no client address"),
        ("apache:%h %t %>s", "tells no request line nor address asked for"),
        ("cloudfront-realtime:timestamp,c-ip", "lack cs-uri-stem"),
        ("nonsense", "'nonsense' is none of combined, cloudfront"),
        ("nonsense:%h", "is none of"),
    ],
)
def test_a_format_that_cannot_do_says_what_is_missing(written: str, lacks: str) -> None:
    with pytest.raises(InvalidInput, match=lacks):
        find_format(written)


def test_lines_from_a_syslog_server_lose_what_it_put_in_front(tmp_path: Path) -> None:
    lines = [
        f"<190>Sep  7 00:00:00 web1 nginx: {find_format('combined').example}",
        f"<134>2026-09-07T00:00:00Z cache-fra1 PodLog[62959]: {find_format('combined').example}",
    ]
    read = Read(tmp_path / "x.log", "\n".join(lines))
    assert [row["address"] for row in read.rows] == ["203.0.113.9", "203.0.113.9"]


def _cloudfront(**changed: str) -> str:
    names = (
        "date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent)"
        " cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken"
        " x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version fle-status"
        " fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len"
        " sc-range-start sc-range-end"
    ).split()
    return "\t".join(changed.get(name, text) for name, text in zip(names, _line_fields(), strict=True))


def _line_fields() -> list[str]:
    return find_format("cloudfront").example.split("\t")


def test_cloudfront_tells_range_and_host_and_its_agents_are_decoded_once_or_twice(tmp_path: Path) -> None:
    agents = [
        "Overcast/3.0%20(+http://overcast.fm/;%20iOS%20podcast%20app)",
        "Overcast/3.0%2520(+http://overcast.fm/;%2520iOS%2520podcast%2520app)",
        "My%2520App/1%20CFNetwork/1.0",
    ]
    part = {"sc-status": "206", "sc-range-start": "0", "sc-range-end": "959999", "cs-uri-stem": "/a%20b.mp3"}
    lines = [_cloudfront(**part, **{"cs(User-Agent)": agent}) for agent in agents]
    head = "#Version: 1.0\n#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status"
    head += " cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header"
    head += " cs-protocol cs-bytes time-taken x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type"
    head += " cs-protocol-version fle-status fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type"
    head += " sc-content-type sc-content-len sc-range-start sc-range-end\n"
    read = Read(tmp_path / "x.log", head + "\n".join(lines))
    assert [row["user_agent"] for row in read.rows] == [
        "Overcast/3.0 (+http://overcast.fm/; iOS podcast app)",
        "Overcast/3.0 (+http://overcast.fm/; iOS podcast app)",
        "My%20App/1 CFNetwork/1.0",
    ]
    assert {(row["range"], row["host"], row["path"]) for row in read.rows} == {
        ("bytes=0-959999", "cdn.example.org", "/a%20b.mp3")
    }
    assert (read.numbers, read.refused) == ([3, 4, 5], [])


def test_cloudfront_fields_may_change_in_the_middle_of_a_file(tmp_path: Path) -> None:
    short = (
        "#Fields: time date c-ip cs-uri-stem sc-status cs-method\n00:00:00\t2026-09-07\t203.0.113.9\t/b.mp3\t200\tGET"
    )
    text = f"{_cloudfront()}\n{short}\n{_cloudfront()}\n"
    read = Read(tmp_path / "x.log", text)
    assert [(row["line_number"], row["path"], row["time"]) for row in read.rows] == [
        (1, "/one.mp3", MIDNIGHT),
        (3, "/b.mp3", MIDNIGHT),
    ]
    assert read.refused == [(4, "bad_time")]


def test_a_cloudfront_request_has_one_id_in_every_kind_of_log(tmp_path: Path) -> None:
    found = [
        Read(tmp_path / "x.log", text).requests["request_id"][0]
        for text in (
            _cloudfront(**{"x-edge-request-id": "SAME=="}),
            _with_id(find_format("cloudfront-json"), "SOX4xwn4XV6Q4rgb7XiVGOHms_BGlTAC4KyHmureZmBNrjGdRLiNIQ=="),
            _with_id(find_format("cloudfront-realtime"), "MRVMF7KydIvxMWfJIglgwHQwZsbG2IhRJ07sn9AkKUFSHS9EXAMPLE=="),
        )
    ]
    assert len(set(found)) == 1
    assert len(found[0]) == 16


def _with_id(log_format: LogFormat, text: str) -> str:
    return log_format.example.replace(text, "SAME==")


def test_cloudfront_real_time_fields_may_be_chosen(tmp_path: Path) -> None:
    chosen = find_format("cloudfront-realtime:c-ip,timestamp,cs-uri-stem,sc-status,sc-bytes,cs-method")
    read = Read(tmp_path / "x.log", "203.0.113.9\t1788739200.042\t/one.mp3\t200\t7\tGET\nx\ty\n", ReadAs(chosen))
    assert [(row["address"], row["path"], row["bytes_sent"]) for row in read.rows] == [("203.0.113.9", "/one.mp3", 7)]
    assert read.refused == [(2, "malformed_line")]


@pytest.mark.parametrize(
    "stamp",
    ['"2026-09-07T00:00:00Z"', '"2026-09-07T02:00:00+02:00"', "1788739200", "1788739200000", "1788739200000000000"],
)
def test_logpush_times_come_in_each_of_its_forms(stamp: str, tmp_path: Path) -> None:
    text = find_format("cloudflare").example.replace('"2026-09-07T00:00:00Z"', stamp)
    (row,) = Read(tmp_path / "x.log", text).rows
    assert say(row) == {
        "time": MIDNIGHT, "address": "203.0.113.9", "host": "cdn.example.org", "method": "GET", "path": "/one.mp3",
        "status": 206, "bytes_sent": 960_512, "user_agent": "Overcast/3.0", "range": "bytes=0-959999",
    }  # fmt: skip


def test_s3_lines_of_every_age_and_operation_are_read(tmp_path: Path) -> None:
    example = find_format("s3").example
    old = example.partition(" s9lzHYr")[0]
    no_request = example.replace('"GET /one.mp3 HTTP/1.1"', "-").replace("REST.GET.OBJECT", "S3.EXPIRE.OBJECT")
    read = Read(tmp_path / "x.log", f"{example}\n{old}\n{no_request}")
    assert [(row["path"], row["host"], row["bytes_sent"]) for row in read.rows] == [
        ("/one.mp3", "audio.s3.us-west-1.amazonaws.com", 960_000),
        ("/one.mp3", None, 960_000),
        (None, "audio.s3.us-west-1.amazonaws.com", 960_000),
    ]


def test_a_bar_in_a_bunny_agent_stays_there(tmp_path: Path) -> None:
    text = find_format("bunny").example.replace("Overcast/3.0", "Over|cast/3.0")
    (row,) = Read(tmp_path / "x.log", text).rows
    assert row["user_agent"] == "Over|cast/3.0 (+http://overcast.fm/; iOS podcast app)"


def test_caddy_of_old_gives_address_and_port_together(tmp_path: Path) -> None:
    for text, address in (
        ('"remote_addr":"203.0.113.9:4711"', "203.0.113.9"),
        ('"remote_addr":"[2001:db8::1]:9"', "2001:db8::1"),
    ):
        line = find_format("caddy").example.replace(
            '"remote_ip":"203.0.113.9","remote_port":"41342","client_ip":"203.0.113.9"', text
        )
        assert [row["address"] for row in Read(tmp_path / "x.log", line).rows] == [address]


def test_json_with_the_escapes_of_nginx_without_escape_json_is_read(tmp_path: Path) -> None:
    line = find_format("json").example
    read = Read(tmp_path / "x.log", "\n".join([line, line.replace("Overcast/3.0", r"A \x22b\x22 \xC3")]))
    assert [row["user_agent"] for row in read.rows] == ["Overcast/3.0", 'A "b" Ã']


def test_op3_names_a_listener_by_its_own_hash_and_a_redirect_by_its_mode(tmp_path: Path) -> None:
    header = "time,url,hashedIpAddress,agentName,countryCode"
    rows = [
        "2026-09-07T00:00:00.000Z,https://op3.dev/e/cdn.example.org/one.mp3,abc,Overcast,US",
        '2026-09-07T00:00:00.000Z,"https://op3.dev/e,pg=1/cdn.example.org/two.mp3",def,"Apple, Inc.",DE',
        '2026-09-07T00:00:00.000Z,"open,x,y,z',
    ]
    read = Read(tmp_path / "x.csv", "\r\n".join([header, *rows]) + "\r\n")
    expected = {"time": MIDNIGHT, "method": "GET", "status": 302, "delivery": "prefix", "host": "cdn.example.org"}
    assert [say(row) for row in read.rows] == [
        expected | {"listener": "op3:abc", "country": "US", "path": "/one.mp3", "user_agent": "Overcast"},
        expected | {"listener": "op3:def", "country": "DE", "path": "/two.mp3", "user_agent": "Apple, Inc."},
    ]
    assert read.refused == [(4, "malformed_line")]


def test_an_op3_field_beyond_what_a_table_holds_is_refused(tmp_path: Path) -> None:
    lines = [
        "time,url,hashedIpAddress",
        f'2026-09-07T00:00:00Z,"{"x" * 200_000}",abc',
        "2026-09-07T00:00:00Z,/one.mp3,abc",
    ]
    read = Read(tmp_path / "x.csv", "\n".join(lines))
    assert (read.numbers, read.refused) == ([3], [(2, "malformed_line")])


@pytest.mark.parametrize("form", ["[{0},{0}]", '{{"rows":[{0},\n{0}],"queryTime":12}}', "\ufeff[\n  {0},\n  {0}\n]\n"])
def test_a_json_export_that_is_one_document_has_a_request_per_row(form: str, tmp_path: Path) -> None:
    read = Read(tmp_path / "x.json", form.format(find_format("op3-json").example))
    assert (read.file.format_name, read.numbers, read.refused) == ("op3-json", [1, 2], [])


def _forwarded(tmp_path: Path, header: str, *proxies: str, trust: bool = True) -> object:
    written = find_format('nginx:$remote_addr [$time_local] "$request" "$http_x_forwarded_for"')
    line = f'10.0.0.1 [07/Sep/2026:00:00:00 +0000] "GET /one.mp3 HTTP/1.1" "{header}"'
    networks = tuple(ip_network(text) for text in proxies)
    (row,) = Read(tmp_path / "x.log", line, ReadAs(written, trust, networks)).rows
    return row["address"]


@pytest.mark.parametrize(
    ("header", "proxies", "address"),
    [
        ("198.51.100.1", (), "198.51.100.1"),
        ("6.6.6.6, 198.51.100.1", (), "198.51.100.1"),
        ("6.6.6.6, 198.51.100.1, 10.0.0.2", ("10.0.0.0/8",), "198.51.100.1"),
        ("198.51.100.1", ("192.0.2.0/24",), "10.0.0.1"),
        ("unknown", (), "10.0.0.1"),
        ("-", (), "10.0.0.1"),
        ("198.51.100.1:5544", (), "198.51.100.1"),
        ("[2001:db8::7]:5544", (), "2001:db8::7"),
        ("', drop table", (), "10.0.0.1"),
    ],
)
def test_only_what_a_trusted_proxy_appended_is_believed(
    header: str, proxies: tuple[str, ...], address: str, tmp_path: Path
) -> None:
    assert _forwarded(tmp_path, header, *proxies) == address


def test_a_forwarded_address_is_ignored_unless_asked_for(tmp_path: Path) -> None:
    assert _forwarded(tmp_path, "198.51.100.1", trust=False) == "10.0.0.1"
