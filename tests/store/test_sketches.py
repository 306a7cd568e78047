"""Consumers when raw downloads are gone: estimates that lie where the exact figures lay, and say that they are some."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest

from castline.ingest.logs.landing import import_log
from castline.measure.figures.audience import AudienceRow, Overlap, compute_audience, compute_overlap
from castline.measure.figures.query import run_query
from castline.measure.rows.sketch import ERROR_RATE
from castline.measure.run import measure
from castline.model.campaign import NewSponsor
from castline.model.query import Answer, Filters, Query
from castline.store.entities.campaigns import (
    NewCampaign,
    NewPlacement,
    create_campaign,
    create_placement,
    create_sponsor,
)
from castline.store.entities.shows import load_episodes
from castline.store.pool import Store
from castline.store.upkeep.retention import apply_retention
from make import make_account
from make_logs import MONDAY, Line, make_listened_show, write_log
from run_castline import Castline

pytestmark = pytest.mark.store
DAY = MONDAY.date()
WEEK = Query(DAY, DAY + timedelta(days=6), "consumers")
SURE = 2 * ERROR_RATE  # of a few hundred listeners five standard errors
NETWORKS = ("192.0.2", "198.51.100", "203.0.113")
GONE = MONDAY + timedelta(days=110)


@dataclass(frozen=True, slots=True)
class Heard:
    """Listeners 0 to 399 hear `one` on Monday and 200 to 499 on Tuesday, 300 to 699 `three` of another show then.

    A campaign's ad is in `one` on Tuesday.
    """

    store: Store
    owner_id: UUID
    email: str
    shows: tuple[UUID, UUID]
    campaign_id: UUID

    def ask(self, query: Query) -> Answer:
        with self.store.account(self.owner_id) as connection:
            return run_query(connection, self.owner_id, query)

    def audience(self) -> list[AudienceRow]:
        with self.store.account(self.owner_id) as connection:
            return compute_audience(connection, self.owner_id, DAY + timedelta(days=1))

    def overlap(self, query: Query = WEEK) -> Overlap:
        with self.store.account(self.owner_id) as connection:
            return compute_overlap(connection, self.owner_id, query)

    def save(self, statement: str, *facts: object) -> None:
        with self.store.ingest(self.owner_id) as connection:
            connection.execute(statement, facts)


@pytest.fixture
def heard(own_store: Store, tmp_path: Path) -> Heard:
    store, account = own_store, make_account(own_store)
    owner_id = account.user_id
    shows = tuple(make_listened_show(store, owner_id, *names).podcast_id for names in (("one", "two"), ("three",)))
    with store.account(owner_id) as connection:
        sponsor = create_sponsor(connection, owner_id, NewSponsor("Acme"))
        flight = (MONDAY + timedelta(days=1), MONDAY + timedelta(days=7))
        wanted = NewCampaign("First", shows[0], sponsor.sponsor_id, *flight, Decimal(100))
        campaign = create_campaign(connection, owner_id, wanted)
        [episode] = [item for item in load_episodes(connection, owner_id) if item.title == "one.mp3"]
        place = (Decimal(0), Decimal(30))
        placed = NewPlacement(campaign.campaign_id, episode.episode_id, "pre", "host-read", *place)
        create_placement(connection, owner_id, placed)
    said = [("/one.mp3", 0, range(400)), ("/one.mp3", 1, range(200, 500)), ("/three.mp3", 1, range(300, 700))]
    lines = [
        Line(day * 86_400 + 30 * listener, f"{NETWORKS[listener // 250]}.{listener % 250}", path=path, range="-")
        for path, day, listeners in said
        for listener in listeners
    ]
    import_log(store, owner_id, write_log(tmp_path / "access.log", lines), host="cdn.example.org")
    assert measure(store, owner_id).download_count == 1_100
    return Heard(store, owner_id, account.email, (shows[0], shows[1]), campaign.campaign_id)


def test_figures_outlive_the_raw_downloads_as_estimates(heard: Heard) -> None:
    exact = {(row.span, row.podcast_id): row.consumers for row in heard.audience()}
    one, three = heard.shows
    assert {key: value for key, value in exact.items() if key[0] == "week"} == {
        ("week", one): 500, ("week", three): 400, ("week", None): 700,
    }  # fmt: skip
    assert {(row.basis, row.error_rate) for row in heard.audience()} == {("exact", 0.0)}
    apply_retention(heard.store, at=GONE)
    rows = heard.audience()
    for row in rows:
        assert row.withheld is None
        assert row.consumers == pytest.approx(exact[row.span, row.podcast_id], rel=SURE)
    # Days of a show are stored as they were counted; every union is estimated.
    assert {(row.basis, row.error_rate) for row in rows} == {("sketch", ERROR_RATE)}
    by_day = heard.ask(replace(WEEK, grain="day", dimensions=("show",)))
    assert (by_day.counting.basis, by_day.counting.counted_from) == ("exact", "daily_metrics")
    by_week = heard.ask(replace(WEEK, grain="week", dimensions=("show",)))
    assert (by_week.counting.basis, by_week.counting.counted_from) == ("sketch", "consumer_sketches")
    assert {row.members: row.value for row in by_week.rows} == {
        (str(one),): pytest.approx(500, rel=SURE),
        (str(three),): pytest.approx(400, rel=SURE),
    }


def test_a_period_that_reaches_behind_raw_downloads_is_estimated_as_a_whole(heard: Heard) -> None:
    heard.save("delete from listener_events where timestamp < %s", MONDAY + timedelta(days=1))
    answer = heard.ask(WEEK)
    assert answer.counting.basis == "sketch"
    assert answer.total == pytest.approx(700, rel=SURE)
    tuesday = heard.ask(replace(WEEK, first_on=DAY + timedelta(days=1)))
    assert (tuesday.counting.basis, tuesday.total) == ("exact", 500)


def test_a_campaigns_listeners_are_kept_apart(heard: Heard) -> None:
    query = replace(WEEK, filters=Filters(campaign_ids=(heard.campaign_id,)))
    assert (heard.ask(query).total, heard.ask(query).counting.basis) == (300, "exact")
    apply_retention(heard.store, at=GONE)
    assert heard.ask(query).total == pytest.approx(300, rel=SURE)
    elsewhere = replace(query, filters=replace(query.filters, podcast_ids=heard.shows[1:]))
    assert (heard.ask(elsewhere).total, heard.ask(elsewhere).counting.basis) == (0, "sketch")


def test_overlap_is_told_where_its_error_is_the_smaller_part(heard: Heard) -> None:
    [exact] = heard.overlap().rows
    assert (exact.both_consumers, exact.both_error_count) == (200, 0)
    apply_retention(heard.store, at=GONE)
    found = heard.overlap()
    [row] = found.rows
    # 1.6 % of a union of 700 listeners.
    assert (found.basis, found.error_rate) == ("sketch", ERROR_RATE)
    assert row.both_error_count == pytest.approx(11, abs=1)
    assert row.both_consumers == pytest.approx(200, abs=2 * row.both_error_count)
    # On Monday nobody heard the other show: there is no pair. One shared listener would be within the error: none.
    assert heard.overlap(replace(WEEK, last_on=DAY)).rows == ()
    heard.save(
        "update consumer_sketches set registers = substring(registers for 8) where podcast_id = %s", heard.shows[1]
    )
    [few] = heard.overlap().rows
    assert (few.both_consumers, few.jaccard_rate, few.both_error_count > 0) == (None, None, True)


def test_the_command_line_says_that_a_figure_is_an_estimate(heard: Heard, tmp_path: Path) -> None:
    castline = Castline(tmp_path / "data", {"DATABASE_URL": heard.store.dsn, "CASTLINE_ACCOUNT": heard.email})
    span = ("--from", str(WEEK.first_on), "--to", str(WEEK.last_on))
    asked = (("audience", "--day", str(DAY)), ("overlap", *span), ("query", "--metric", "consumers", *span))
    exact = [castline("measure", *one) for one in asked]
    assert [one.code for one in exact] == [0, 0, 0]
    assert not [one for one in exact if "estimate" in one.out + one.err]
    apply_retention(heard.store, at=GONE)
    audience, overlap, query = (castline("measure", *one) for one in asked)
    assert [one.code for one in (audience, overlap, query)] == [0, 0, 0]
    assert audience.out.count("estimate ± 1.6%") == len(heard.audience())
    assert "error" in overlap.out.splitlines()[0]
    assert "consumers: estimate ± 1.6% (19 of 20 times)" in overlap.err
    assert "estimate ± 1.6% (19 of 20 times): raw downloads of these days are gone" in query.err
    assert "consumers/1 from consumer_sketches" in query.err


def test_measuring_again_gives_the_same_sets(heard: Heard) -> None:
    def load() -> list[tuple[object, ...]]:
        with heard.store.account(heard.owner_id) as connection:
            return connection.execute(
                "select day_on, podcast_id, campaign_id, key_id, registers from consumer_sketches order by 1, 2, 3"
            ).fetchall()

    before = load()
    measure(heard.store, heard.owner_id, period=WEEK.period)
    one, three = heard.shows
    tuesday = DAY + timedelta(days=1)
    assert load() == before
    assert {row[:3] for row in before} == {
        (DAY, one, None), (tuesday, one, None), (tuesday, one, heard.campaign_id), (tuesday, three, None),
    }  # fmt: skip


def test_what_no_set_was_kept_of_is_withheld(heard: Heard) -> None:
    apply_retention(heard.store, at=GONE)
    reasons = {}
    for name, query in {
        "zone": replace(WEEK, tz="Europe/Oslo"),
        "app": replace(WEEK, dimensions=("app",)),
        "before": replace(WEEK, last_on=DAY),
    }.items():
        if name == "before":
            heard.save("delete from consumer_sketches where day_on = %s", DAY)
        answer = heard.ask(query)
        assert answer.withheld is not None
        reasons[name] = (answer.rows, answer.counting.basis, answer.withheld.reason)
    assert reasons == dict.fromkeys(("zone", "app", "before"), ((), "exact", "raw_not_kept"))


def test_sets_of_two_secrets_have_no_union(heard: Heard) -> None:
    apply_retention(heard.store, at=GONE)
    heard.save("update consumer_sketches set key_id = 'another' where day_on = %s", DAY)
    whole = heard.ask(WEEK)
    assert whole.withheld is not None
    assert (whole.rows, whole.withheld.reason) == ((), "secret_changed")
    assert heard.overlap().withheld == whole.withheld
    by_day = heard.ask(replace(WEEK, grain="day"))
    assert [row.value for row in by_day.rows][:2] == [pytest.approx(400, rel=SURE), pytest.approx(500, rel=SURE)]
    assert heard.ask(replace(WEEK, first_on=date(2026, 1, 1), last_on=DAY)).total == pytest.approx(400, rel=SURE)
