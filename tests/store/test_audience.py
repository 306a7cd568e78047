"""Consumers as sets: unions, overlap, and how far players say that they listened. Every number is counted on paper."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from castline.measure.figures.audience import (
    ListenThrough,
    Overlap,
    OverlapRow,
    compute_audience,
    compute_listen_through,
    compute_overlap,
)
from castline.measure.figures.pacing import load_pacing
from castline.model.account import User
from castline.model.query import Query
from castline.store.pool import Store
from make import make_account
from make_listening import Download, make_downloads, make_listened

pytestmark = pytest.mark.store
FRIDAY = datetime(2026, 3, 27, 12, tzinfo=UTC)
MARCH = Query(date(2026, 3, 1), date(2026, 3, 31))


def hear(store: Store, owner_id: UUID) -> tuple[UUID, UUID, UUID]:
    """Listeners 1, 2, 3 hear One on Friday; 3, 4 hear Two on Friday; 1 hears One and 5 hears Two 20 days earlier.

    Nobody hears Three.
    """
    one, [first] = make_listened(store, owner_id, "One", [FRIDAY - timedelta(days=25)])
    two, [second] = make_listened(store, owner_id, "Two", [FRIDAY - timedelta(days=25)])
    three, _ = make_listened(store, owner_id, "Three", [FRIDAY])
    before = FRIDAY - timedelta(days=20)
    heard = [(FRIDAY, first, one, 1), (FRIDAY, first, one, 2), (FRIDAY, first, one, 3), (FRIDAY, second, two, 3)]
    heard += [(FRIDAY, second, two, 4), (before, first, one, 1), (before, second, two, 5)]
    make_downloads(store, owner_id, [Download(*item) for item in heard])
    return one, two, three


def test_an_account_counts_a_listener_of_two_shows_once(store: Store, account: User) -> None:
    hear(store, account.user_id)
    with store.account(account.user_id) as connection:
        rows = compute_audience(connection, account.user_id, FRIDAY.date())
    # The 7th of March is 20 days before the 27th: outside its week, inside its 28 days and its month.
    assert {(row.span, row.show): row.consumers for row in rows} == {
        ("day", "One"): 3, ("day", "Two"): 2, ("day", "Three"): 0, ("day", "all"): 4,
        ("week", "One"): 3, ("week", "Two"): 2, ("week", "Three"): 0, ("week", "all"): 4,
        ("days_28", "One"): 3, ("days_28", "Two"): 3, ("days_28", "Three"): 0, ("days_28", "all"): 5,
        ("month", "One"): 3, ("month", "Two"): 3, ("month", "Three"): 0, ("month", "all"): 5,
    }  # fmt: skip
    assert {(row.span, row.first_on, row.last_on) for row in rows} == {
        ("day", date(2026, 3, 27), date(2026, 3, 27)),
        ("week", date(2026, 3, 23), date(2026, 3, 29)),
        ("days_28", date(2026, 2, 28), date(2026, 3, 27)),
        ("month", date(2026, 3, 1), date(2026, 3, 31)),
    }


def test_two_shows_share_the_listeners_of_both(store: Store, account: User) -> None:
    one, two, _ = hear(store, account.user_id)
    other = make_account(store)
    hear(store, other.user_id)
    with store.account(account.user_id) as connection:
        found = compute_overlap(connection, account.user_id, MARCH)
    # One has 1, 2, 3; Two has 3, 4, 5; both have 3; the union has five.
    facts = {one: ("One", 3), two: ("Two", 3)}
    first, second = sorted((one, two))
    row = OverlapRow(first, *facts[first], second, *facts[second], 1, 1 / 3, 1 / 3, 1 / 5)
    assert found == Overlap(MARCH.first_on, MARCH.last_on, (row,), None)


def test_overlap_of_days_whose_raw_downloads_are_gone_is_withheld(store: Store, account: User) -> None:
    one, _, _ = hear(store, account.user_id)
    with store.ingest(account.user_id) as connection:
        connection.execute("delete from listener_events where podcast_id = %s", (one,))
    with store.account(account.user_id) as connection:
        found = compute_overlap(connection, account.user_id, MARCH)
        rows = compute_audience(connection, account.user_id, FRIDAY.date())
    assert found.rows == ()
    assert found.withheld is not None
    assert {row.consumers for row in rows} == {None}
    assert {row.withheld.reason for row in rows if row.withheld} == {"raw_not_kept"}


def test_episodes_are_aligned_by_their_release(store: Store, account: User) -> None:
    one, two, _ = hear(store, account.user_id)
    with store.account(account.user_id) as connection:
        found = load_pacing(connection, account.user_id, date(2026, 4, 1), [one, two])
    # Measuring begins on the 7th of March, after both were published on the 2nd: their first days are not known.
    assert {item.episode: item.paces[0].downloads for item in found} == {"One 0": None, "Two 0": None}
    fresh, [episode] = make_listened(store, account.user_id, "Fresh", [FRIDAY])
    days = [FRIDAY, FRIDAY + timedelta(days=1), FRIDAY + timedelta(days=1), FRIDAY - timedelta(days=1)]
    make_downloads(store, account.user_id, [Download(at, episode, fresh, place) for place, at in enumerate(days)])
    with store.account(account.user_id) as connection:
        [item] = load_pacing(connection, account.user_id, date(2026, 3, 31), [fresh])
    assert [pace.downloads for pace in item.paces] == [1, 3, None, None, None, None]
    assert item.by_age == (1, 2, 0, 0)


def tell(
    store: Store, owner_id: UUID, podcast_id: UUID, episode_id: UUID, told: list[tuple[str, str, float | None]]
) -> None:
    with store.ingest(owner_id) as connection:
        for kind, session, rate in told:
            connection.execute(
                "insert into listener_events (event_id, timestamp, podcast_id, episode_id, event_type, session_id,"
                " completion_rate, run_id) values (%s, %s, %s, %s, %s, %s, %s, %s)",
                (uuid4(), FRIDAY, podcast_id, episode_id, kind, session, rate, uuid4()),
            )


def test_listen_through_is_of_the_plays_that_players_told_of(store: Store, account: User) -> None:
    show, episodes = make_listened(store, account.user_id, "Told", [FRIDAY, FRIDAY])
    make_downloads(store, account.user_id, [Download(FRIDAY, item, show) for item in episodes])
    told = [("listen_start", "a", None), ("listen_complete", "a", 1.0), ("listen_start", "b", 0.5)]
    told += [("listen_start", "c", None), ("listen_start", "a", 0.25)]
    tell(store, account.user_id, show, episodes[0], told)
    with store.account(account.user_id) as connection:
        found = compute_listen_through(connection, account.user_id, MARCH)
    # Of three plays one was heard to its end; two told how far: (1 + 0.5) / 2.
    assert found == [
        ListenThrough(episodes[0], show, "Told 0", 3, 1, 1 / 3, 0.75, None),
        ListenThrough(episodes[1], show, "Told 1", 0, 0, None, None, "no_player_told"),
    ]
