import io
import json
from ipaddress import ip_address
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from castline.base.errors import InvalidInput
from castline.base.ranges import AddressRange, pack_ranges


def look_up(packed: bytes, text: str) -> str:
    address = ip_address(text)
    table = np.load(io.BytesIO(packed))
    number = int(address) if address.version == 4 else int(address) >> 64
    starts = table[f"v{address.version}_start"]
    at = int(np.searchsorted(starts, starts.dtype.type(number), side="right")) - 1
    labels = table["labels"].tobytes().decode().split("\n")
    return str(labels[table[f"v{address.version}_label"][at]])


def span(first: str, last: str, label: str) -> AddressRange:
    begin, end = ip_address(first), ip_address(last)
    return AddressRange(begin.max_prefixlen, int(begin), int(end), label)


def test_an_address_has_the_label_of_the_range_around_it_and_none_in_a_gap() -> None:
    packed = pack_ranges(
        [
            span("1.0.0.0", "1.0.0.255", "AU"),
            span("1.0.1.0", "1.0.3.255", "CN"),
            span("9.0.0.0", "9.0.0.0", "JP"),
            span("2001:200::", "2001:200:ffff:ffff:ffff:ffff:ffff:ffff", "JP"),
        ],
        {"name": "test"},
    )
    asked = ["0.255.255.255", "1.0.0.0", "1.0.0.255", "1.0.1.0", "1.0.4.0", "9.0.0.0", "9.0.0.1", "255.255.255.255"]
    assert [look_up(packed, text) for text in asked] == ["", "AU", "AU", "CN", "", "JP", "", ""]
    asked = ["::1", "2001:1ff::", "2001:200::1", "2001:200:ffff::", "2001:201::", "ffff::"]
    assert [look_up(packed, text) for text in asked] == ["", "", "JP", "JP", "", ""]


def test_a_range_that_reaches_the_last_address_ends_there() -> None:
    packed = pack_ranges(
        [span("224.0.0.0", "255.255.255.255", "ZZ"), span("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ZZ")],
        {},
    )
    asked = ["223.255.255.255", "255.255.255.255", "feff::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]
    assert [look_up(packed, text) for text in asked] == ["", "ZZ", "", "ZZ"]


def test_a_network_smaller_than_a_household_counts_only_where_it_starts_one() -> None:
    packed = pack_ranges(
        [span("2001:db8::", "2001:db8::ff", "DE"), span("2001:db8::100", "2001:db8:0:1::ff", "FR")], {}
    )
    asked = ["2001:db8::1", "2001:db8::200", "2001:db8:0:1::", "2001:db8:0:2::"]
    assert [look_up(packed, text) for text in asked] == ["DE", "DE", "FR", ""]


def test_of_two_overlapping_ranges_the_earlier_one_wins() -> None:
    packed = pack_ranges([span("5.0.0.0", "5.0.0.9", "DE"), span("5.0.0.5", "5.0.0.19", "FR")], {})
    assert [look_up(packed, text) for text in ["5.0.0.9", "5.0.0.10", "5.0.0.20"]] == ["DE", "FR", ""]


def test_the_same_ranges_and_facts_give_the_same_bytes() -> None:
    ranges = [span("5.0.0.0", "5.0.0.9", "Ünïversité 東京")]
    first, again = (pack_ranges(ranges, {"b": "2", "a": "1"}) for _ in range(2))
    assert first == again
    assert json.loads(np.load(io.BytesIO(first))["facts"].tobytes()) == {"a": "1", "b": "2"}
    assert look_up(first, "5.0.0.1") == "Ünïversité 東京"


@pytest.mark.parametrize(("first", "last", "label"), [(2, 1, "DE"), (1, 2, "D\nE")])
def test_a_range_that_is_none_is_refused(first: int, last: int, label: str) -> None:
    with pytest.raises(InvalidInput, match="address range"):
        pack_ranges([AddressRange(32, first, last, label)], {})


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 8), st.sampled_from("abc")), max_size=8), st.integers(0, 60)
)
def test_any_table_agrees_with_asking_the_ranges_one_by_one(parts: list[tuple[int, int, str]], asked: int) -> None:
    ranges = [AddressRange(32, first, first + more, label) for first, more, label in sorted(parts)]
    expected = next((item.label for item in ranges if item.first <= asked <= item.last), "")
    assert look_up(pack_ranges(ranges, {}), str(ip_address(asked))) == expected


def test_a_big_table_is_looked_up_in_one_go() -> None:
    random = Random(7)  # noqa: S311  # any edges will do, the same ones each time
    edges = sorted(random.sample(range(2**32), 2000))
    ranges = [AddressRange(32, edges[i], edges[i + 1] - 1, f"L{i % 7}") for i in range(0, 2000, 2)]
    table = np.load(io.BytesIO(pack_ranges(ranges, {})))
    asked = np.array([item.first for item in ranges], dtype=np.uint32)
    found = table["v4_label"][np.searchsorted(table["v4_start"], asked, side="right") - 1]
    labels = np.array(table["labels"].tobytes().decode().split("\n"))
    assert labels[found].tolist() == [item.label for item in ranges]
