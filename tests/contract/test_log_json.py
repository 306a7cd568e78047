"""JSON logs: a line says the same whether it is read by itself or with thousands of others."""

import json
from pathlib import Path

import pytest

from castline.sources.logs.format import LogFormat
from castline.sources.logs.json_logs import SERVER_FIELDS
from castline.sources.logs.ndjson import JsonReader
from castline.sources.logs.reading import ReadAs
from castline.sources.logs.table import LOG_FORMATS, find_format
from read_log import Read, say

# More than are read one by one.
MANY = 2_500
AGENTS = [
    "back\\slash/2.0",
    'My "quoted" App/1.0',
    "Tab\there",
    "J\u00e4ger/1.0",
    "\U0001f600/2",
    "[brack]",
    "{brace}",
    "-",
    "",
]


def _caddy(agent: object, **headers: object) -> str:
    request = {
        "remote_ip": "203.0.113.9", "method": "GET", "host": "cdn.example.org", "uri": "/one.mp3",
        "headers": {"User-Agent": agent, "Range": ["bytes=0-959999"], **headers},
    }  # fmt: skip
    return json.dumps({"ts": 1788739200.042, "request": request, "size": 960_000, "status": 206})


LINES = [
    *(_caddy([agent]) for agent in AGENTS),
    *(_caddy(agent) for agent in AGENTS),
    *(_caddy(agent) for agent in (None, 7, True, [], ["a", "b"], [1], [None, "b"], {"k": "v"}, [["n"], "z"])),
    _caddy(["NUL\0"]),
    _caddy(["half"]).replace("half", "\\ud83d"),
    _caddy(["nginx"]).replace("nginx", "\\x22nginx\\x22"),
    _caddy(["Overcast/3.0"], **{"X-Forwarded-For": ["198.51.100.1", "192.0.2.1"]}),
    _caddy(["Overcast/3.0"]) + ",",
    "  " + _caddy(["Overcast/3.0"]),
    _caddy(["Overcast/3.0"])[:-20],
    "[1]",
    "null",
    "rubbish",
    '{"level":"info","msg":"autosaved config"}',
]


def test_a_line_says_the_same_by_itself_and_among_thousands(tmp_path: Path) -> None:
    forwarded = ReadAs(find_format("caddy"), trust_forwarded=True)
    few = Read(tmp_path / "few.log", "\n".join(LINES), forwarded)
    rows = MANY // len(LINES) + 1
    many = Read(tmp_path / "many.log", "\n".join(LINES * rows), forwarded)
    assert [say(row) for row in many.rows] == [say(row) for row in few.rows] * rows
    assert len(many.refused) == len(few.refused) * rows
    agents = [row["user_agent"] for row in few.rows]
    assert agents[:7] == agents[9:16] == AGENTS[:7]
    assert agents[18:27] == ["", "7", "true", "", "a", "1", "b", "", "n"]


@pytest.mark.parametrize(
    "log_format", [one for one in LOG_FORMATS if isinstance(one.open(), JsonReader)], ids=lambda one: one.name
)
def test_thousands_of_lines_of_a_json_format_say_what_one_says(log_format: LogFormat, tmp_path: Path) -> None:
    example = log_format.example
    (one,) = Read(tmp_path / "one.log", example).rows
    many = Read(tmp_path / "many.log", f"{example}\n" * MANY)
    assert many.requests.drop("line_number").unique().to_dicts() == [
        {name: told for name, told in one.items() if name != "line_number"}
    ]
    assert (many.requests.height, many.refused) == (MANY, [])


def test_many_lines_that_have_to_be_mended_are_all_read(tmp_path: Path) -> None:
    line = find_format("json").example.replace("Overcast/3.0", "\\x22Overcast\\x22")
    read = Read(tmp_path / "x.log", f"{line}\n" * MANY)
    assert (set(read.requests["user_agent"]), read.requests.height) == ({'"Overcast"'}, MANY)


def test_a_key_that_only_late_lines_have_is_found_in_them(tmp_path: Path) -> None:
    line = find_format("json").example.replace('"http_range":"bytes=0-959999",', "")
    late = line.replace('"status"', '"range":"bytes=5-9","status"')
    read = Read(tmp_path / "x.log", f"{line}\n" * MANY + f"{late}\n")
    assert [row["range"] for row in read.rows[-2:]] == [None, "bytes=5-9"]


def test_a_line_with_every_name_that_is_known_is_a_line_like_others(tmp_path: Path) -> None:
    names = {key for keys in SERVER_FIELDS.values() for key in keys}
    line = json.dumps(dict.fromkeys(sorted(names), "") | json.loads(find_format("json").example))
    read = Read(tmp_path / "x.log", f"{line}\n" * MANY, ReadAs(find_format("json")))
    assert (read.requests.height, set(read.requests["path"]), read.refused) == (MANY, {"/one.mp3"}, [])
