"""Each conformance vector, written from the rules, ends as it says."""

from typing import Any, Final

import pytest

from castline.base.config import Settings
from castline.measure.conformance import check_vector, iter_lines, load_vectors
from castline.measure.count import count_requests
from castline.measure.rules.table import own_rulebook
from castline.model.measurement import MeasureSettings

_LEAST: Final = 150


@pytest.mark.parametrize(
    "vector", [pytest.param(item, id=f"{item['rule']}: {item['about']}") for item in load_vectors()]
)
def test_the_vector_ends_as_the_rule_says(vector: dict[str, Any], settings: Settings) -> None:
    result = check_vector(vector, settings)
    assert result.found == result.expected
    assert result.passes


def test_there_are_150_vectors_and_more_and_no_two_alike() -> None:
    names = [(item["rule"], item["about"]) for item in load_vectors()]
    assert len(names) >= _LEAST
    assert len(set(names)) == len(names)


def test_the_requests_of_a_window_that_counts_share_its_download_and_others_have_none(settings: Settings) -> None:
    vector = {
        "requests": [
            {"status": 206, "range": "bytes=0-29999", "bytes_sent": 30_000},
            {"status": 206, "range": "bytes=30000-59999", "bytes_sent": 30_000},
            {},
            {"method": "HEAD"},
            {"episode": "e2", "bytes_sent": 9},
            {"user_agent": "", "ip": "203.0.113.9"},
        ]
    }
    found = count_requests(iter_lines(vector), own_rulebook(MeasureSettings()), settings, "file").verdicts
    first = found[0].download_id
    assert first is not None
    assert [item.download_id for item in found] == [first, first, first, None, None, None]
    assert [item.consumer_id is None for item in found] == [False, False, False, False, False, True]
    assert len({item.consumer_id for item in found[:5]}) == 1


def test_the_first_downloads_of_an_address_count_up_to_its_ceiling(settings: Settings) -> None:
    vector = {"requests": [{"episode": f"e{number}"} for number in (1, 2, 3, 3)] + [{"ip": "203.0.113.6"}]}
    book = own_rulebook(MeasureSettings(max_downloads_per_ip_window=2))
    found = count_requests(iter_lines(vector), book, settings, "file").verdicts
    assert [item.reason for item in found] == ["one_minute"] * 2 + ["address_ceiling"] * 2 + ["one_minute"]


def test_a_watch_counts_where_the_setting_says_so(settings: Settings) -> None:
    watch = {"user_agent": "atc/1.0 watchOS/6.2 model/Watch3,3 hwp/t8004 build/17T529 (6; dt:155)"}
    book = own_rulebook(MeasureSettings(drop_watch_duplicates=False))
    found = count_requests(iter_lines({"requests": [watch]}), book, settings, "file").verdicts
    assert [item.verdict for item in found] == ["counted"]
