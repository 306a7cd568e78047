"""Tables, drains and templates: logs as hosts export them, and odd characters as each server writes them."""

import csv
import io
import json
from pathlib import Path

import pytest

from castline.base.errors import InvalidInput
from castline.sources.logs.reading import NotAnAccessLog, ReadAs
from castline.sources.logs.table import find_format
from read_log import Read, say

TOLD = {
    "timestamp": "2026-09-07T00:00:00Z", "ip": "2001:db8::1", "host": "cdn.example.org", "method": "GET",
    "url": "/one.mp3?a=1,2", "status": "206", "bytes_sent": "960000", "range": "bytes=0-959999", "referer": "",
    "user_agent": 'My "quoted", App/1.0',
}  # fmt: skip


def _table(told: dict[str, str], separator: str) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator="\r\n").writerows([list(told), list(told.values())])
    return text.getvalue()


def _only(path: Path, text: str, written: str | None = None) -> dict[str, object]:
    """What the only request of the log says."""
    read = Read(path / "x.log", text, ReadAs(find_format(written)) if written else None)
    assert read.refused == []
    (row,) = read.rows
    return say(row)


@pytest.mark.parametrize("separator", [",", "\t", ";", "|"])
def test_a_table_with_the_usual_names_is_a_log(separator: str, tmp_path: Path) -> None:
    row = _only(tmp_path, _table(TOLD, separator))
    assert {name: row[name] for name in ("address", "host", "method", "path", "status", "bytes_sent", "range")} == {
        "address": "2001:db8::1", "host": "cdn.example.org", "method": "GET", "path": "/one.mp3", "status": 206,
        "bytes_sent": 960_000, "range": "bytes=0-959999",
    }  # fmt: skip
    assert row["user_agent"] == 'My "quoted", App/1.0'


def test_a_table_without_a_method_means_get_and_a_request_line_tells_its_own(tmp_path: Path) -> None:
    bare = {name: told for name, told in TOLD.items() if name != "method"}
    assert _only(tmp_path, _table(bare, ","))["method"] == "GET"
    line = {name: told for name, told in bare.items() if name != "url"} | {"request": "HEAD /two.mp3 HTTP/1.1"}
    row = _only(tmp_path, _table(line, ","))
    assert (row["method"], row["path"]) == ("HEAD", "/two.mp3")


@pytest.mark.parametrize("separator", [",", "\t"])
def test_cdn77_says_the_same_as_json_and_as_a_table(separator: str, tmp_path: Path) -> None:
    told = json.loads(find_format("cdn77").example)
    table = _table({name: str(value) for name, value in told.items()}, separator)
    assert _only(tmp_path, table) == _only(tmp_path, json.dumps(told))


def test_vercel_posts_objects_or_arrays_of_them_and_an_empty_message_hides_neither(tmp_path: Path) -> None:
    example = find_format("vercel").example
    assert '"message":""' in example
    one = _only(tmp_path, example)
    assert (one["path"], one["user_agent"], one["host"]) == ("/one.mp3", "Overcast/3.0", "cdn.example.org")
    read = Read(tmp_path / "x.log", f"[{example},{example}]")
    assert [say(row) for row in read.rows] == [one, one]


def test_objects_of_an_empty_message_are_refused_and_not_passed_over(tmp_path: Path) -> None:
    with pytest.raises(NotAnAccessLog):
        Read(tmp_path / "x.log", '{"id":"1","message":""}\n' * 3)
    log = f"{find_format('json').example}\n" + '{"id":"1","message":""}\n' * 3
    assert [number for number, _ in Read(tmp_path / "y.log", log).refused] == [2, 3, 4]


def test_a_blank_line_of_a_container_is_blank(tmp_path: Path) -> None:
    line = json.dumps({"log": find_format("combined").example + "\n", "stream": "stdout"})
    read = Read(tmp_path / "x.log", f'{line}\n{{"log":"\\n","stream":"stdout"}}\n{line}\n')
    assert (read.numbers, read.refused) == ([1, 3], [])


@pytest.mark.parametrize(
    ("address", "bare"), [("203.0.113.9:37652", "203.0.113.9"), ("[2001:db8::1]:37652", "2001:db8::1")]
)
def test_envoys_json_tells_the_address_in_front_of_the_port(address: str, bare: str, tmp_path: Path) -> None:
    told = json.loads(find_format("envoy-json").example) | {"downstream_remote_address": address}
    assert _only(tmp_path, json.dumps(told))["address"] == bare


def test_edgios_document_holds_its_requests_under_logs(tmp_path: Path) -> None:
    request = {
        "timestamp": 1788739200.042, "client_ip": "203.0.113.9", "host": "cdn.example.org", "method": "GET",
        "url": "https://cdn.example.org/one.mp3", "status_code": 200, "bytes_out": 28_800_512,
        "user_agent": "Overcast/3.0",
    }  # fmt: skip
    row = _only(tmp_path, json.dumps({"AgentID": "x", "Seq": 1, "Logs": [request]}))
    assert (row["path"], row["bytes_sent"]) == ("/one.mp3", 28_800_512)


@pytest.mark.parametrize(
    ("written", "agent"),
    [
        ("J#C3#A4ger/1.0 (Gr#C3#B6#C3#9Fe)", "J\u00e4ger/1.0 (Gr\u00f6\u00dfe)"),
        ("#22quoted#22/1.0", '"quoted"/1.0'),
        ("Caf#E9/1.0", "Caf\ufffd/1.0"),
        ("PodcastAddict/v5 - 100%", "PodcastAddict/v5 - 100%"),
    ],
)
def test_haproxys_codes_are_the_bytes_of_utf_8(written: str, agent: str, tmp_path: Path) -> None:
    line = find_format("haproxy").example.replace("Overcast/3.0 (+http://overcast.fm/; iOS podcast app)", written)
    assert _only(tmp_path, line)["user_agent"] == agent
    assert _only(tmp_path, line, "haproxy:host,user-agent,range")["user_agent"] == agent


@pytest.mark.parametrize("form", ['\\{"%Y-%m-%dT%H:%M:%S%z"\\}', '{"%Y-%m-%dT%H:%M:%S%z"}', '"%Y-%m-%dT%H:%M:%S%z"'])
def test_fastlys_functions_are_read_through(form: str, tmp_path: Path) -> None:
    written = (
        f"fastly:%{{strftime({form}, time.start)}}V %{{req.http.Fastly-Client-IP}}V %{{req.method}}V %{{req.url}}V %>s "
        '%{resp.body_bytes_written}V "%{json.escape(req.http.User-Agent)}V" '
        '"%{if(req.http.Range, req.http.Range, "-")}V"'
    )
    row = _only(
        tmp_path,
        '2026-09-07T02:00:00+0200 203.0.113.9 GET /one.mp3 206 960000 "My \\"own\\" App/1" "bytes=0-959999"',
        written,
    )
    assert (str(row["time"]), row["user_agent"]) == ("2026-09-07 00:00:00+00:00", 'My "own" App/1')
    assert row["range"] == "bytes=0-959999"


def test_fastlys_first_version_writes_the_time_of_http(tmp_path: Path) -> None:
    line = '203.0.113.9 "-" "-" Mon, 07 Sep 2026 00:00:00 GMT "GET /one.mp3 HTTP/1.1" 200 28800000'
    row = _only(tmp_path, line, 'fastly:%h %l %u %t "%r" %>s %b')
    assert (str(row["time"]), row["path"]) == ("2026-09-07 00:00:00+00:00", "/one.mp3")


def test_a_plus_of_its_own_stays_behind_a_blank(tmp_path: Path) -> None:
    bot = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
    example = find_format("w3c").example
    log = example.replace("Overcast/3.0+(+http://overcast.fm/;+iOS)", bot.replace(" ", "+"))
    assert log != example
    assert _only(tmp_path, log)["user_agent"] == bot


def test_the_header_of_a_w3c_log_may_have_tabs_between_its_fields(tmp_path: Path) -> None:
    header = "#Version: 1.0\n#Fields: c-ip\tcs-method\tcs-uri\tsc-status\tdate\ttime\tcs(User-Agent)\n"
    row = "203.0.113.9\tGET\thttps://cdn.example.org/one.mp3\t200\t2026-09-07\t00:00:00\tOvercast/3.0\n"
    assert _only(tmp_path, header + row)["path"] == "/one.mp3"


_HAPROXY = (
    'log-format "%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq %hr %hs '
    '%{+Q}r"'
)
_ENVOY = (
    'envoy:[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%" %RESPONSE_CODE% %BYTES_SENT% '
    '"%REQ(USER-AGENT)%" %DOWNSTREAM_REMOTE_ADDRESS%\\n'
)


def test_haproxys_own_format_is_read_as_its_template(tmp_path: Path) -> None:
    example = find_format("haproxy").example
    for line in (example, example.replace("203.0.113.9:", "2001:db8::1:")):
        assert _only(tmp_path, line, f"haproxy:{_HAPROXY}") == _only(tmp_path, line)
    bare = example.replace("{cdn.example.org|Overcast/3.0 (+http://overcast.fm/; iOS podcast app)|bytes=0-959999} ", "")
    row = _only(tmp_path, bare, f"haproxy:{_HAPROXY}")
    assert (row["path"], row["user_agent"], row["bytes_sent"]) == ("/one.mp3", "", 960_512)


@pytest.mark.parametrize(
    ("written", "line"),
    [
        ('haproxy:%ci %Ts %HM %HU %ST %B "%[capture.req.hdr(0)]" %{+Q}[req.hdr(User-Agent)]',
         '2001:db8::1 1788739200 GET /one.mp3?a=1 206 960000 "x y" "My \\"own\\" App/1"'),
        ("haproxy:log-format %[src]\\ [%T]\\ %[method]\\ %[path]\\ %[status]\\ %[bytes_out]\\ %{+Q}[hdr(user-agent)]",
         '2001:db8::1 [07/Sep/2026:00:00:00 +0000] GET /one.mp3 206 960000 "My \\"own\\" App/1"'),
        (_ENVOY,
         '[2026-09-07T00:00:00.000Z] "GET /one.mp3" 206 960000 "My \\"own\\" App/1" [2001:db8::1]:41342'),
    ],
)  # fmt: skip
def test_a_pasted_template_of_a_proxy_is_read(written: str, line: str, tmp_path: Path) -> None:
    row = _only(tmp_path, line, written)
    assert {name: row[name] for name in ("address", "method", "path", "status", "bytes_sent", "user_agent")} == {
        "address": "2001:db8::1", "method": "GET", "path": "/one.mp3", "status": 206, "bytes_sent": 960_000,
        "user_agent": 'My "own" App/1',
    }  # fmt: skip
    assert str(row["time"]) == "2026-09-07 00:00:00+00:00"


@pytest.mark.parametrize("written", ["haproxy:%ci %HM %HU", "envoy:%START_TIME% %REQ(:PATH)%"])
def test_a_template_that_does_not_tell_time_or_address_is_refused(written: str) -> None:
    with pytest.raises(InvalidInput, match=r"tells no (?:time|client address)"):
        find_format(written)
