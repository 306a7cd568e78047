"""Items made ahead in a thread are the same items, with the same errors, and none more than one ahead."""

from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from threading import Event, current_thread
from threading import enumerate as enumerate_threads

import pytest

from castline.base.ahead import read_ahead


def test_items_come_in_their_order() -> None:
    assert list(read_ahead(iter(range(1000)))) == list(range(1000))


def test_an_error_comes_behind_the_items_before_it() -> None:
    def break_off() -> Iterator[int]:
        yield 1
        raise ValueError("no second")

    taken: list[int] = []
    with pytest.raises(ValueError, match="no second"):
        taken.extend(read_ahead(break_off()))
    assert taken == [1]


def test_at_most_one_item_waits_and_one_is_under_way() -> None:
    made: list[int] = []
    third = Event()

    def make() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            if number == 2:
                third.set()
            yield number

    with closing(read_ahead(make())) as items:
        assert next(items) == 0
        assert third.wait(10)
    assert made == [0, 1, 2]


def test_who_stops_taking_leaves_no_thread() -> None:
    before = set(enumerate_threads())
    with closing(read_ahead(iter(range(100)))) as items:
        next(items)
    assert set(enumerate_threads()) <= before


@pytest.mark.parametrize("wanted", [1, 100])
def test_the_source_is_closed_when_its_last_item_was_made_and_when_nobody_takes_more(wanted: int) -> None:
    closed_in: list[str] = []

    def make() -> Iterator[int]:
        try:
            yield from range(100)
        finally:
            closed_in.append(current_thread().name)

    source = make()
    with closing(read_ahead(source)) as items:
        assert list(islice(items, wanted)) == list(range(wanted))
    assert closed_in == ["read-ahead"]
