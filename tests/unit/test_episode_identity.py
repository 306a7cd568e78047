"""An episode stays one episode under another guid, host or prefix; two episodes stay two."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from castline.ingest.feeds.identity import Known, KnownEpisode, match_episodes
from castline.model.feed import FeedEpisode
from make import make_id

PUBLISHED = datetime(2026, 3, 1, 6, tzinfo=UTC)
STORED = KnownEpisode(make_id(1), "guid-1", "cdn.example.org/1.mp3", "One: The Start", PUBLISHED)


def _item(
    guid: str = "guid-1", url: str = "https://cdn.example.org/1.mp3", title: str = "One: The Start"
) -> FeedEpisode:
    return FeedEpisode(guid=guid, guid_source="guid", title=title, audio_url=url, publish_date=PUBLISHED)


def _matched(known: Known, *items: FeedEpisode) -> list[UUID | None]:
    return [match.known.episode_id if match.known else None for match in match_episodes(known, items)]


@pytest.mark.parametrize(
    "item",
    [
        pytest.param(_item(), id="nothing changed"),
        pytest.param(_item(url="https://elsewhere.example.net/a.mp3", title="Renamed"), id="same guid"),
        pytest.param(_item(guid="new", title="Renamed"), id="same enclosure"),
        pytest.param(
            _item(guid="new", url="https://op3.dev/e/cdn.example.org/1.mp3", title="Renamed"), id="behind a prefix"
        ),
        pytest.param(_item(guid="new", url="https://elsewhere.example.net/a.mp3"), id="same title and date"),
    ],
)
def test_a_changed_item_is_still_its_episode(item: FeedEpisode) -> None:
    assert _matched(Known((STORED,)), item) == [STORED.episode_id]


def test_former_names_find_the_episode() -> None:
    known = Known((STORED,), {"old-guid": make_id(1)}, {"old.example.org/1.mp3": make_id(1)})
    assert _matched(known, _item("old-guid", "https://x.example/2.mp3", "Other")) == [make_id(1)]
    assert _matched(known, _item("unheard", "https://old.example.org/1.mp3", "Other")) == [make_id(1)]


def test_an_enclosure_shared_with_an_episode_still_in_the_feed_makes_a_new_episode() -> None:
    items = (_item(), _item(guid="rerun", title="One, again"))
    assert _matched(Known((STORED,)), *items) == [STORED.episode_id, None]


def test_two_items_with_the_weak_key_of_one_episode_are_two_new_episodes() -> None:
    items = (_item("a", "https://x.example/a.mp3"), _item("b", "https://x.example/b.mp3"))
    assert _matched(Known((STORED,)), *items) == [None, None]


def test_a_title_without_a_date_joins_nothing() -> None:
    item = replace(_item("new", "https://x.example/a.mp3"), publish_date=None)
    assert _matched(Known((STORED,)), item) == [None]


@given(st.permutations(range(6)))
def test_the_order_of_items_changes_no_match(order: list[int]) -> None:
    stored = tuple(
        KnownEpisode(make_id(n), f"g{n}", f"cdn.example.org/{n}.mp3", f"Part {n}", PUBLISHED) for n in range(4)
    )
    items = [_item(f"g{n}" if n < 3 else f"new{n}", f"https://cdn.example.org/{n}.mp3", f"Part {n}") for n in range(6)]
    matched = match_episodes(Known(stored), [items[place] for place in order])
    assert {match.item.guid: match.known.episode_id if match.known else None for match in matched} == {
        "g0": make_id(0), "g1": make_id(1), "g2": make_id(2), "new3": make_id(3), "new4": None, "new5": None,
    }  # fmt: skip
