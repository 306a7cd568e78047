"""Ids and verdicts of a file of requests come out as the rules say, whatever stands in a portion of lines."""

import json
from typing import Any

import msgspec
import pytest

from castline.base.config import Settings
from castline.measure.conformance import BASE
from castline.measure.count import Count, count_requests
from castline.measure.requests.ids import find_id_column, iter_ids, read_ids
from castline.measure.rules.table import own_rulebook
from castline.model.measurement import MeasureSettings, Window

_MIXED: list[Any] = ["a", 7, None, 7.5, 2**63, -(2**115), 1 << 130, "7", "", 0, -0.5, "\N{HOT BEVERAGE}"]


def _count(requests: list[dict[str, Any]], settings: Settings, window: Window = "calendar") -> Count:
    lines = [json.dumps(BASE | request).encode() for request in requests]
    return count_requests(lines, own_rulebook(MeasureSettings(window=window)), settings, "file")


@pytest.mark.parametrize("ids", [_MIXED, ["a", "b"], [1, 2, None], [None], [2**61, -1], [1.5], []])
def test_ids_come_out_as_they_went_in(ids: list[Any]) -> None:
    rows = read_ids(range(1, len(ids) + 1), ids)
    out = list(iter_ids(rows))
    assert [(type(one), one) for one in out] == [(type(one), one) for one in ids]
    column = find_id_column(rows)
    assert column is None or column.to_list() == ids


@pytest.mark.parametrize("ids", [_MIXED, ['b\n"\\\u2028\x01', "a", None], [3, None, 2**61], [1.5, 2]])
def test_lines_of_json_are_those_of_the_verdicts_one_by_one(ids: list[Any], settings: Settings) -> None:
    found = _count([{"id": one, "episode": f"e{place % 3}"} for place, one in enumerate(ids)], settings)
    one_by_one = b"".join(msgspec.json.encode(verdict) + b"\n" for verdict in found.iter_verdicts())
    assert b"".join(found.iter_json()) == one_by_one
    assert [json.loads(line)["id"] for line in one_by_one.splitlines()] == ids


def test_lines_of_more_than_a_portion_stand_in_their_order_beside_broken_ones(settings: Settings) -> None:
    good = json.dumps(BASE | {"method": "HEAD"}).encode()
    lines = [b"no json" if place % 20_000 == 7 else good for place in range(50_000)]
    found = count_requests(lines, own_rulebook(MeasureSettings()), settings, "file")
    assert [line.line_number for line in found.broken] == [8, 20_008, 40_008]
    reasons = [verdict.reason for verdict in found.iter_verdicts()]
    assert [place for place, reason in enumerate(reasons) if reason != "method"] == [7, 20_007, 40_007]


def test_a_consumer_is_the_same_in_every_file_and_window_and_for_every_episode(settings: Settings) -> None:
    first, second = _count([{"id": 1}, {"id": 2, "episode": "e2"}], settings).verdicts
    other = _count([{"ip": "198.51.100.1"}, {"time": "2026-12-01T00:00:00Z"}], settings, "first_touch").verdicts[1]
    # Worked out once: whoever stored ids of one version finds them again in the next.
    assert {first.consumer_id, second.consumer_id, other.consumer_id} == {"e31f7bc8285359029675a0148b481ad1"}
    assert first.download_id == "31dc3df94e047ec219d4b81924814445"
    assert second.download_id == "eb25f1b2969343b912f12a3a33497c94"


def test_a_download_keeps_its_id_whatever_else_the_file_holds_and_in_any_order(settings: Settings) -> None:
    alone = _count([{"id": 1}, {"id": 2, "time": "2026-09-07T13:00:00Z"}], settings).verdicts
    others: list[dict[str, Any]] = [{"id": 9, "ip": "203.0.113.9"}, {"id": 1}, {"id": 8, "episode": "e2"}]
    among = _count([{"id": 2, "time": "2026-09-07T13:00:00Z"}, *others], settings).verdicts
    assert {item.download_id for item in alone} == {among[0].download_id, among[2].download_id}
    assert len({item.download_id for item in among}) == 3


def test_no_address_has_the_id_of_a_digest(settings: Settings) -> None:
    # Sixteen digits are as many bytes as a network of IPv6 has.
    found = _count([{"ip": "2001:db8:1:2::1"}, {"ip": "20010db800010002"}, {"ip": "sha256:20010DB800010002"}], settings)
    network, digest, named = (item.consumer_id for item in found.verdicts)
    assert digest == named
    assert digest != network
