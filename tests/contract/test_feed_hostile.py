# ruff: noqa: E501  # documents stand in one line, as they are sent
"""Input made to hurt ends within two seconds and 300 MB, with a reason. Each case runs in a process of its own."""

import gzip
import json
import subprocess
import sys
from collections.abc import Callable

import pytest

pytest.importorskip("resource", reason="no resource module on this system: memory cannot be measured")

CPU_SECONDS = 2.0
MEMORY_MB = 300

_CHILD = """
import json, resource, sys
from castline.base.errors import CastlineError
from castline.sources.feeds.rss import parse_feed
data = sys.stdin.buffer.read()
before = resource.getrusage(resource.RUSAGE_SELF)
try:
    feed = parse_feed(data, source="hostile")
    answer = ["read", feed.show.title[:40], len(feed.episodes), sorted({one.code for one in feed.problems})]
except CastlineError as error:
    answer = [error.code, error.message]
after = resource.getrusage(resource.RUSAGE_SELF)
children = resource.getrusage(resource.RUSAGE_CHILDREN)
cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime + children.ru_utime + children.ru_stime
peak = after.ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)
if sys.platform == "linux":  # where ru_maxrss starts at the parent's size
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
print(json.dumps({"answer": answer, "cpu": cpu, "memory": peak}))
"""

HEAD = b'<?xml version="1.0"?><rss version="2.0"><channel><title>T</title>'
ITEM = b'<item><title>a</title><guid>g</guid><enclosure url="http://e.com/a.mp3" type="audio/mpeg"/></item>'
END = b"</channel></rss>"
LAUGHS = b"".join(b'<!ENTITY a%d "%s">' % (n + 1, b"&a%d;" % n * 10) for n in range(12))

HEAVY = "feed_too_heavy"
CASES: dict[str, tuple[Callable[[], bytes], str]] = {
    "a gzip bomb of zeros": (lambda: gzip.compress(b"\0" * 300_000_000), HEAVY),
    "a gzip bomb of tags": (lambda: gzip.compress(HEAD + b"<a/>" * 7_000_000), HEAVY),
    "a bomb in a bomb": (lambda: gzip.compress(gzip.compress(b" " * 100_000_000)), HEAVY),
    "deep nesting": (lambda: HEAD + b"<a>" * 3_000_000, HEAVY),
    "items in items": (lambda: HEAD + b"<item>" * 1_000_000, HEAVY),
    "an attribute flood": (lambda: HEAD + b"<a " + b" ".join(b'a%d=""' % n for n in range(1_000_000)) + b"/>" + END, HEAVY),
    "a namespace flood": (lambda: b"<rss " + b" ".join(b'xmlns:n%d="u%d"' % (n, n) for n in range(60_000)) + b"><channel>" + b"<n9:a/>" * 200_000 + END, HEAVY),
    "a node flood": (lambda: HEAD + b"<a/>" * 5_000_000 + END, HEAVY),
    "a node flood between items": (lambda: HEAD + (b"<a/>" * 15_000 + ITEM) * 300 + END, HEAVY),
    "an item flood": (lambda: HEAD + b"<item/>" * 2_000_000 + END, HEAVY),
    "a flood of new tags": (lambda: HEAD + b"".join(b"<item>" + b"".join(b"<t%d/>" % (k * 50 + j) for j in range(50)) + b"</item>" for k in range(30_000)), HEAVY),
    "one huge text": (lambda: HEAD + b"<description>" + b"x" * 20_000_000 + b"</description>" + END, HEAVY),
    "one huge name": (lambda: HEAD + b"<" + b"a" * 20_000_000 + b">", HEAVY),
    "one huge attribute": (lambda: HEAD + b'<a b="' + b"x" * 20_000_000 + b'"/>', HEAVY),
    "ampersands": (lambda: HEAD + b"<description>" + b"&" * 3_900_000 + b"</description>" + END, HEAVY),
    "angle brackets": (lambda: HEAD + b"<" * 10_000_000, HEAVY),
    "mismatched tags": (lambda: HEAD + (b"<a></b>" * 4000 + ITEM) * 500 + END, HEAVY),
    "open CDATA": (lambda: HEAD + b"<![CDATA[" * 2_000_000, HEAVY),
    "open comments": (lambda: HEAD + b"<!--" * 5_000_000, HEAVY),
    "processing instructions": (lambda: b"<?a " * 5_000_000, "not_a_feed"),
    "document types": (lambda: b"<!DOCTYPE " * 2_000_000, "not_a_feed"),
    "an open document type": (lambda: b"<!DOCTYPE a [" + b"\"'[<!--" * 2_000_000, "not_a_feed"),
    "undecodable bytes": (lambda: HEAD + b"<description>" + b"\x92" * 20_000_000, HEAVY),
    "nested JSON": (lambda: b"[" * 20_000_000, "not_a_feed"),
    "nested JSON items": (lambda: b'{"version":"https://jsonfeed.org/version/1","items":' + b"[" * 5_000_000, "not_a_feed"),
    "a flood of JSON items": (lambda: b'{"version":"https://jsonfeed.org/version/1","items":[' + b"{}," * 8_000_000 + b"{}]}", HEAVY),
    "too many bytes": (lambda: b"<rss>" + b" " * 34_000_000, HEAVY),
}  # fmt: skip


def run(data: bytes) -> dict[str, object]:
    done = subprocess.run([sys.executable, "-c", _CHILD], input=data, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize("name", CASES)
def test_hostile_input_ends_in_time_and_memory_with_a_named_reason(name: str) -> None:
    make, code = CASES[name]
    result = run(make())
    answer, cpu, memory = result["answer"], result["cpu"], result["memory"]
    assert isinstance(answer, list)
    assert isinstance(cpu, float)
    assert isinstance(memory, float)
    assert answer[0] == code, answer
    assert cpu < CPU_SECONDS, f"{cpu} seconds: {answer}"
    assert memory < MEMORY_MB, f"{memory} MB: {answer}"


def test_entities_are_never_expanded_and_the_feed_is_still_read() -> None:
    doctype = b'<!DOCTYPE r [<!ENTITY a0 "lol">' + LAUGHS + b'<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    data = HEAD.replace(b"?>", b"?>" + doctype, 1).replace(b"T<", b"&a12;&x;<") + ITEM + END
    result = run(data)
    assert result["answer"] == ["read", "&a12;&x;", 1, ["declarations_ignored", "no_date", "not_well_formed"]]


def test_a_parameter_entity_and_an_external_document_type_fetch_nothing() -> None:
    doctype = b'<!DOCTYPE r SYSTEM "http://127.0.0.1:9/x.dtd" [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]>'
    result = run(HEAD.replace(b"?>", b"?>" + doctype, 1) + ITEM + END)
    assert result["answer"] == ["read", "T", 1, ["declarations_ignored", "no_date"]]
