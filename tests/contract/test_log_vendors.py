"""Logs of CDNs, clouds and proxies as their publishers describe them, in the variants that people choose."""

import json
from pathlib import Path

import pytest

from castline.base.errors import InvalidInput
from castline.sources.logs.reading import NotAnAccessLog, ReadAs
from castline.sources.logs.table import find_format, try_recognise
from read_log import MIDNIGHT, Read

AGENT = "Overcast/3.0 (+http://overcast.fm/; iOS podcast app)"
WANTED = {
    "address": "203.0.113.9", "method": "GET", "path": "/one.mp3", "status": 206, "bytes_sent": 960_000,
    "user_agent": AGENT,
}  # fmt: skip


def _one(path: Path, text: str, read_as: ReadAs | None = None) -> dict[str, object]:
    """The only request of a log of which nothing else may be left."""
    read = Read(path / "x.log", text, read_as)
    assert read.refused == []
    (row,) = read.rows
    return row


def _same(row: dict[str, object]) -> dict[str, object]:
    return {name: row[name] for name in WANTED}


def _named(written: str) -> ReadAs:
    return ReadAs(find_format(written))


LOGPUSH = {
    "ClientIP": "203.0.113.9", "ClientRequestHost": "cdn.example.org", "ClientRequestMethod": "GET",
    "ClientRequestURI": "/one.mp3?x=1,2", "ClientRequestUserAgent": AGENT, "EdgeResponseStatus": 206,
    "EdgeResponseBodyBytes": 960_000, "EdgeStartTimestamp": 1788739200000000000, "RayID": "5d1a",
}  # fmt: skip


@pytest.mark.parametrize("separator", [",", "\t", ";", "|"])
def test_logpush_as_csv_has_its_fields_under_a_header_with_any_separator(separator: str, tmp_path: Path) -> None:
    row = separator.join(json.dumps(told) for told in LOGPUSH.values())
    read = Read(tmp_path / "x.csv", f"{separator.join(LOGPUSH)}\n{row}\n{row}\r\n")
    assert [_same(found) for found in read.rows] == [WANTED] * 2
    assert (read.file.format_name, read.numbers, read.refused) == ("cloudflare-csv", [2, 3], [])
    bare = Read(tmp_path / "y.csv", f"{row}\n", _named(f"cloudflare:{','.join(LOGPUSH)}"))
    assert [_same(found) for found in bare.rows] == [WANTED]
    ids = {found["request_id"] for found in (*read.rows, *bare.rows, *Read(tmp_path / "z", json.dumps(LOGPUSH)).rows)}
    assert len(ids) == 1


def test_quotes_within_a_csv_field_stay_and_an_open_one_ends_with_its_line(tmp_path: Path) -> None:
    head = "ClientRequestUserAgent,ClientIP,ClientRequestURI,EdgeStartTimestamp"
    rest = "203.0.113.9,/one.mp3,1788739200"
    agents = [r'"My \"cool\", app"', '"My ""cool"", app"', '"open', r'"back\\slash"', '"5"" tall"']
    read = Read(tmp_path / "x.csv", "\n".join([head, *(f"{agent},{rest}" for agent in agents)]))
    assert [row["user_agent"] for row in read.rows] == ['My "cool", app', 'My "cool", app', "back\\slash", '5" tall']
    assert read.refused == [(4, "malformed_line")]


def test_logpush_tells_the_range_where_it_pushes_the_headers(tmp_path: Path) -> None:
    told = LOGPUSH | {"RequestHeaders": {"range": "bytes=0-959999", "x": 'a"b'}}
    row = ",".join(json.dumps(json.dumps(value) if isinstance(value, dict) else value) for value in told.values())
    assert _one(tmp_path, f"{','.join(told)}\n{row}\n")["range"] == "bytes=0-959999"


def test_a_header_in_the_middle_of_a_file_names_the_rows_behind_it(tmp_path: Path) -> None:
    first = "ClientIP,EdgeStartTimestamp,ClientRequestURI\n203.0.113.9,1788739200,/a.mp3\n"
    second = "ClientRequestURI\tClientIP\tEdgeStartTimestamp\n/b.mp3\t203.0.113.9\t1788739200\n"
    read = Read(tmp_path / "x.csv", first + second)
    assert [row["path"] for row in read.rows] == ["/a.mp3", "/b.mp3"]
    assert read.numbers == [2, 4]


@pytest.mark.parametrize(
    ("written", "lacks"),
    [
        ("cloudflare:ClientIP,RayID", "lack EdgeStartTimestamp and EdgeEndTimestamp"),
        ("akamai:cliIP,reqTimeSec", "lack reqPath"),
        ("cloudfront:date,time,c-ip", "lack cs-uri-stem"),
        ("cloudfront:c-ip,cs-uri-stem", "lack date, time"),
        ("haproxy:host,range", "lack user-agent"),
    ],
)
def test_chosen_fields_that_cannot_do_are_refused_with_what_is_missing(written: str, lacks: str) -> None:
    with pytest.raises(InvalidInput, match=lacks):
        find_format(written)


CLOUDFRONT = {
    "cs-uri-stem": "/one.mp3", "c-ip": "203.0.113.9", "date": "2026-09-07", "time": "00:00:00", "cs-method": "GET",
    "sc-status": "206", "sc-bytes": "960000", "cs(User-Agent)": AGENT.replace(" ", "%20"), "sc-range-start": "0",
    "sc-range-end": "959999", "x-edge-request-id": "SAME==",
}  # fmt: skip


def test_cloudfront_v2_without_a_header_is_read_by_its_chosen_fields(tmp_path: Path) -> None:
    for separator in ("\t", ",", "|", ";"):
        line = separator.join(CLOUDFRONT.values())
        if separator == ";":
            line = line.replace("%20(+http://overcast.fm/;", "%20(+http://overcast.fm/%3B")
        row = _one(tmp_path, f"{line}\n", _named(f"cloudfront:{','.join(CLOUDFRONT)}"))
        assert (_same(row), row["time"], row["range"]) == (WANTED, MIDNIGHT, "bytes=0-959999")


def test_cloudfront_v2_with_chosen_fields_in_any_order_is_found_out_by_its_header(tmp_path: Path) -> None:
    text = f"#Version: 1.0\n#Fields: {' '.join(CLOUDFRONT)}\n" + "\t".join(CLOUDFRONT.values())
    read = Read(tmp_path / "x.log", text)
    assert (read.file.format_name, [_same(row) for row in read.rows]) == ("cloudfront", [WANTED])


def test_cloudfront_json_tells_the_range_of_its_headers_and_has_the_id_of_every_kind(tmp_path: Path) -> None:
    told = {name: value for name, value in CLOUDFRONT.items() if not name.startswith("sc-range")}
    row = _one(tmp_path, json.dumps(told | {"cs-headers": "host:a%0Arange:bytes=0-959999%0A"}))
    assert (_same(row), row["range"]) == (WANTED, "bytes=0-959999")
    standard = "\t".join(CLOUDFRONT.values())
    ids = {row["request_id"], _one(tmp_path, standard, _named(f"cloudfront:{','.join(CLOUDFRONT)}"))["request_id"]}
    assert len(ids) == 1


IIS = (
    "#Software: Microsoft Internet Information Services 10.0\r\n#Version: 1.0\r\n#Date: 2026-09-07 00:00:00\r\n"
    "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer)"
    " sc-status sc-substatus sc-win32-status sc-bytes cs-bytes time-taken{more}\r\n"
    "2026-09-07 00:00:00 10.0.0.4 GET /one.mp3 - 443 - {address} {agent} - 206 0 0 960000 220 812{told}\r\n"
)


def test_iis_writes_a_plus_for_a_blank_and_keeps_that_of_an_address(tmp_path: Path) -> None:
    agent = AGENT.replace(" ", "+")
    row = _one(tmp_path, IIS.format(more="", address="203.0.113.9", agent=agent, told=""))
    assert (_same(row), row["time"], row["referer"]) == (WANTED, MIDNIGHT, None)
    more = {"more": " cs(Range) X-Forwarded-For", "told": " bytes=0-959999 203.0.113.9", "address": "10.0.0.1"}
    row = _one(tmp_path, IIS.format(agent=agent, **more), ReadAs(trust_forwarded=True))
    assert (_same(row), row["range"]) == (WANTED, "bytes=0-959999")


def test_w3c_logs_of_others_with_whole_addresses_are_read(tmp_path: Path) -> None:
    fields = "date time cs-ip cs-method cs-uri sc-status sc-bytes time-taken cs(Referer) cs(User-Agent)"
    line = [
        "2026-09-07",
        "00:00:00",
        "203.0.113.9",
        "GET",
        "/cdn.example.org/one.mp3",
        "206",
        "960000",
        "1",
        "-",
        AGENT,
    ]
    read = Read(tmp_path / "x.log", f"#Version: 1.0\n#Fields: {fields}\n" + "\t".join(line))
    assert read.file.format_name == "w3c"
    assert [_same(row) for row in read.rows] == [WANTED | {"path": "/cdn.example.org/one.mp3"}]


AKAMAI = {
    "version": 2, "reqTimeSec": "1788739200.042", "cliIP": "203.0.113.9", "statusCode": "206", "bytes": "960000",
    "reqHost": "cdn.example.org", "reqMethod": "GET", "reqPath": "one.mp3", "range": "0-959999", "country": "DE",
}  # fmt: skip


@pytest.mark.parametrize(
    "agent", [AGENT.replace(" ", "%20"), "Overcast%2F3.0+%28%2Bhttp%3A%2F%2Fovercast.fm%2F%3B+iOS+podcast+app%29"]
)
def test_akamai_tells_odd_characters_in_either_of_its_ways(agent: str, tmp_path: Path) -> None:
    told = AKAMAI | {"UA": agent}
    row = _one(tmp_path, json.dumps(told))
    assert (_same(row), row["range"], row["country"]) == (WANTED, "bytes=0-959999", "DE")
    for separator in (" ", "\t"):
        line = separator.join(str(value) for value in told.values())
        assert _same(_one(tmp_path, line, _named(f"akamai:{','.join(told)}"))) == WANTED


GOOGLE = {
    "httpRequest": {
        "requestMethod": "GET", "requestUrl": "https://cdn.example.org:443/one.mp3?x=1", "status": 206,
        "responseSize": "960000", "userAgent": AGENT, "remoteIp": "203.0.113.9",
    },
    "insertId": "1qqk5", "timestamp": "2026-09-07T00:00:00Z", "severity": "INFO",
}  # fmt: skip


@pytest.mark.parametrize("form", [json.dumps(GOOGLE), json.dumps([GOOGLE], indent=2)])
def test_google_cloud_gives_entries_by_line_or_as_a_printed_list(form: str, tmp_path: Path) -> None:
    row = _one(tmp_path, form)
    assert (_same(row), row["time"]) == (WANTED, MIDNIGHT)


def test_google_storage_quotes_every_field(tmp_path: Path) -> None:
    example = find_format("google-storage").example
    row = _one(tmp_path, example.replace("Overcast/3.0 (+http://overcast.fm/;", 'My ""cool"" app ('))
    assert row["user_agent"] == 'My "cool" app ( iOS podcast app)'


AZURE = {
    "time": "2026-09-07T00:00:00.0000000Z", "category": "FrontDoorAccessLog",
    "operationName": "Microsoft.Cdn/Profiles/AccessLog/Write", "properties": {
        "trackingReference": "0xm", "httpMethod": "GET", "requestUri": "https://cdn.example.org:443/one.mp3",
        "responseBytes": "960000", "userAgent": AGENT, "clientIp": "198.51.100.1", "socketIp": "203.0.113.9",
        "httpStatusCode": "206",
    },
}  # fmt: skip
BLOB = {
    "time": "2026-09-07T00:00:00.0000000Z", "category": "StorageRead", "operationName": "GetBlob", "statusCode": 206,
    "callerIpAddress": "203.0.113.9:62289", "correlationId": "bf26", "uri":
    "https://cdn.example.org:443/one.mp3?sv=2026", "properties": {"userAgentHeader": AGENT, "responseBodySize": 960000},
}  # fmt: skip


@pytest.mark.parametrize("told", [AZURE, BLOB], ids=["front door", "blob"])
def test_azure_gives_resource_logs_by_line_and_in_records(told: dict[str, object], tmp_path: Path) -> None:
    forms = (json.dumps(told), json.dumps({"records": [told]}), json.dumps({"records": [told]}, indent=4))
    assert [_same(_one(tmp_path, form)) for form in forms] == [WANTED] * 3


def test_azure_believes_a_forwarded_address_only_where_it_is_told_to(tmp_path: Path) -> None:
    addresses = [_one(tmp_path, json.dumps(AZURE), ReadAs(trust_forwarded=trust))["address"] for trust in (False, True)]
    assert addresses == ["203.0.113.9", "198.51.100.1"]
    read = Read(tmp_path / "x", json.dumps(BLOB | {"operationName": "GetBlobProperties"}))
    assert [row["method"] for row in read.rows] == ["HEAD"]


def test_keycdn_of_both_ages_is_read(tmp_path: Path) -> None:
    front = (
        '1788739200.042|defr|203.0.113.9|206|960000|uid1|zid4|cdn.example.org|HIT|"GET /one.mp3 HTTP/1.1"'
        f'|[07/Sep/2026:02:00:00 +0200]|"-"|"{AGENT}"'
    )
    new = _one(tmp_path, f'{front}|https|TLSv1.3|DE|BE|"AS3320 Deutsche Telekom AG, x|y"|bytes=0-959999')
    old = _one(tmp_path, f'{front}|http|DE|Germany|Berlin|BE|52.5|13.4|"AS3320 Deutsche Telekom AG"')
    assert [_same(row) for row in (new, old)] == [WANTED] * 2
    assert [row["range"] for row in (new, old)] == ["bytes=0-959999", None]


def test_gcore_quotes_every_field_and_adds_more_behind(tmp_path: Path) -> None:
    example = find_format("gcore").example
    row = _one(tmp_path, f'{example} "new" "fields"')
    assert (_same(row), row["range"], row["host"]) == (WANTED, "bytes=0-959999", "cdn.example.org")
    odd = _one(tmp_path, example.replace("Overcast/3.0", r"My \"cool\" app"))
    assert odd["user_agent"] == 'My "cool" app (+http://overcast.fm/; iOS podcast app)'


def test_traefik_tells_headers_only_if_it_keeps_them(tmp_path: Path) -> None:
    told = json.loads(find_format("traefik").example)
    bare = {name: value for name, value in told.items() if not name.startswith("request_")}
    row = _one(tmp_path, json.dumps(bare))
    assert (row["address"], row["path"], row["user_agent"], row["range"]) == ("203.0.113.9", "/one.mp3", "", None)
    assert _one(tmp_path, json.dumps(told))["range"] == "bytes=0-959999"


def test_an_object_with_two_of_traefiks_keys_and_no_client_of_it_is_another_servers(tmp_path: Path) -> None:
    told = json.loads(find_format("json").example) | {"RequestMethod": "GET", "RequestPath": "/two.mp3"}
    read = Read(tmp_path / "x.log", json.dumps(told))
    assert (read.file.format_name, read.rows[0]["path"]) == ("json", "/one.mp3")


HAPROXY = (
    "203.0.113.9:41342 [07/Sep/2026:00:00:00.042] https-in~ audio/srv1 10/0/30/69/109 206 960000 - - ---- 1/1/1/1/0 0/0"
    '{captured} "GET /one.mp3 HTTP/1.1"'
)


@pytest.mark.parametrize(
    ("captured", "written"),
    [
        (f" {{cdn.example.org|{AGENT}|bytes=0-959999}}", "haproxy"),
        (f" {{{AGENT}|bytes=0-959999}} {{nginx}}", "haproxy"),
        (f" {{bytes=0-959999|text/1.0|{AGENT}}}", "haproxy:range,accept,user-agent"),
    ],
)
def test_haproxy_tells_captured_headers_by_shape_or_by_name(captured: str, written: str, tmp_path: Path) -> None:
    line = HAPROXY.replace("{captured}", captured)
    for front in ("", "Sep  7 00:00:00 localhost haproxy[14389]: ", "<134>Sep  7 00:00:00 haproxy[14389]: "):
        row = _one(tmp_path, f"{front}{line}\n", _named(written))
        assert (_same(row), row["range"]) == (WANTED, "bytes=0-959999")


@pytest.mark.parametrize(
    ("captured", "host", "agent"),
    [
        ("localhost|Overcast/3.0 (+x)", "localhost", "Overcast/3.0 (+x)"),
        ("cdn.example.org|en-US|Overcast/3.0", "cdn.example.org", "Overcast/3.0"),
        ("keep-alive|Overcast/3.0", None, "Overcast/3.0"),
        ("keep-alive|Mozilla (X11)|bytes=0-1", None, "Mozilla (X11)"),
        ("cdn.example.org|Overcast", "cdn.example.org", "Overcast"),
        ("cdn.example.org|podcasts.apple.com|gzip", "cdn.example.org", "gzip"),
        ("cdn.example.org|podcasts.apple.com", "cdn.example.org", ""),
    ],
)
def test_haproxy_takes_a_bare_word_for_an_agent_only_where_nothing_else_is_one(
    captured: str, host: str | None, agent: str, tmp_path: Path
) -> None:
    row = _one(tmp_path, HAPROXY.replace("{captured}", f" {{{captured}}}"))
    assert (row["host"], row["user_agent"]) == (host, agent)


def test_haproxy_writes_what_separates_its_fields_as_codes_and_cuts_long_lines(tmp_path: Path) -> None:
    line = HAPROXY.replace("{captured}", " {My/1 #7Bcool#7D #7C app}")
    assert _one(tmp_path, line)["user_agent"] == "My/1 {cool} | app"
    assert _one(tmp_path, line[:-10])["path"] == "/one.mp3"
    httpslog = f"{line} 0/0000000000000000/0/0/0 cdn.example.org/TLSv1.3/TLS_AES_256_GCM_SHA384"
    assert _one(tmp_path, httpslog)["path"] == "/one.mp3"


def test_envoys_own_default_tells_the_forwarded_address_alone(tmp_path: Path) -> None:
    line = (
        '[2026-09-07T00:00:00.000Z] "GET /one.mp3 HTTP/2" 206 - 0 960000 226 100 "198.51.100.1, 203.0.113.9"'
        f' "{AGENT}" "cc21d9b0-cf5c-432b-8c7e-98aeb7988cd2" "cdn.example.org" "tcp://10.0.2.1:80"'
    )
    row = _one(tmp_path, line, ReadAs(trust_forwarded=True))
    assert (_same(row), row["host"]) == (WANTED, "cdn.example.org")
    assert _one(tmp_path, line)["address"] is None


def test_load_balancers_name_the_whole_address(tmp_path: Path) -> None:
    line = find_format("alb").example.replace("Overcast/3.0", AGENT).replace("960512", "960000")
    assert _same(_one(tmp_path, line)) == WANTED


LIKE_COMBINED = {
    "traefik": '{} 4711 "audio@docker" "http://10.0.0.2:80" 12ms',
    "lighttpd": "{}",
    "varnish": "{}",
    "ingress": "{} 220 0.012 [default-audio-80] [] 10.44.1.27:80 960000 0.012 206 cc21d9b0cf5c432b8c7e98aeb7988cd2",
    "icecast": "{} 812",
}


@pytest.mark.parametrize("kind", LIKE_COMBINED)
def test_servers_that_write_nearly_the_combined_format_are_read_as_such(kind: str, tmp_path: Path) -> None:
    host = "cdn.example.org" if kind == "lighttpd" else "-"
    asked = "http://cdn.example.org/one.mp3" if kind == "varnish" else "/one.mp3"
    line = f'203.0.113.9 {host} - [07/Sep/2026:00:00:00 +0000] "GET {asked} HTTP/1.1" 206 960000 "-" "{AGENT}"'
    read = Read(tmp_path / "x.log", LIKE_COMBINED[kind].format(line) + "\n")
    assert (read.file.format_name, [_same(row) for row in read.rows]) == ("combined", [WANTED])


def test_lighttpd_names_its_host_where_the_format_is_written(tmp_path: Path) -> None:
    line = (
        f'203.0.113.9 cdn.example.org - [07/Sep/2026:00:00:00 +0000] "GET /one.mp3 HTTP/1.1" 206 960000 "-" "{AGENT}"'
    )
    written = r'apache:%h %V %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"'
    row = _one(tmp_path, line, _named(written))
    assert (_same(row), row["host"]) == (WANTED, "cdn.example.org")


@pytest.mark.parametrize(
    "line",
    [
        '{"httpRequest": "none", "timestamp": "2026-09-07T00:00:00Z"}',
        '{"cliIP": "203.0.113.9", "reqTimeSec": "x", "reqPath": null}',
        '{"time": "x", "operationName": "GetBlob", "properties": [], "uri": "/", "callerIpAddress": 5}',
        '{"RequestPath": {}, "RequestMethod": ["GET"], "ClientHost": 5}',
    ],
)
def test_objects_of_the_right_keys_and_the_wrong_kind_are_refused(line: str, tmp_path: Path) -> None:
    log_format = try_recognise([line])
    assert log_format is not None
    read = Read(tmp_path / "x.log", f"{log_format.example}\n{line}\n")
    assert read.requests.height == 1
    assert [number for number, _ in read.refused] == [2]


def test_a_table_whose_header_was_lost_says_that_it_is_none(tmp_path: Path) -> None:
    with pytest.raises(NotAnAccessLog):
        Read(tmp_path / "x.csv", '"203.0.113.9",1506702504433000200,"3a6050bcbe121a87"\n')
