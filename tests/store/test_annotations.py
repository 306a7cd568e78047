"""What a trend says of its days, and releases that are laid beside each other."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from castline.model.account import User
from castline.model.measurement import RestatedDay, Stretch
from castline.model.query import Annotation, Filters, Query, Withheld
from castline.store.listening.downloads import VerdictRow, save_verdicts
from castline.store.pool import Store
from castline.store.provenance.ledger import open_run
from castline.store.provenance.restatements import save_restatements
from make_listening import Download, make_downloads, make_listened
from store.asking import ask

pytestmark = pytest.mark.store
MONDAY = datetime(2026, 3, 2, 6, tzinfo=UTC)
# The second episode came ten days after the first, on a Thursday evening; the third with it.
RELEASED = (MONDAY, MONDAY + timedelta(days=10, hours=12), MONDAY + timedelta(days=10, hours=13))
THURSDAY = date(2026, 3, 12)


def heard(store: Store, account: User, title: str = "One") -> tuple[UUID, list[UUID]]:
    """A show: its first episode with 9 downloads on each of twenty days, its second with 5 from its release on."""
    podcast_id, episodes = make_listened(store, account.user_id, title, RELEASED)
    plan = [(episodes[0], MONDAY, 20, 9), (episodes[1], RELEASED[1], 10, 5)]
    downloads = [
        Download(first + timedelta(days=day, minutes=number), episode_id, podcast_id, number)
        for episode_id, first, days, count in plan
        for day in range(days)
        for number in range(count)
    ]
    make_downloads(store, account.user_id, downloads)
    return podcast_id, episodes


def test_days_are_laid_beside_those_of_the_release_before(store: Store, account: User) -> None:
    _, episodes = heard(store, account)
    query = Query(THURSDAY, THURSDAY + timedelta(days=2), grain="day", comparison="release_aligned")
    answer = ask(store, account.user_id, query)
    # 9 of the first episode and 5 of the second a day; ten days before, the first alone.
    assert [row.value for row in answer.rows] == [14, 14, 14]
    assert answer.compared is not None
    assert [row.value for row in answer.compared.rows] == [9, 9, 9]
    assert (answer.compared.query.first_on, answer.compared.query.last_on) == (date(2026, 3, 2), date(2026, 3, 4))
    # Asked of the second episode alone, it is the first at the same age.
    alone = ask(store, account.user_id, replace(query, filters=Filters(episode_ids=(episodes[1],)), grain="none"))
    assert alone.compared is not None
    assert (alone.total, alone.compared.total) == (15, 27)
    assert alone.compared.query.filters == Filters(episode_ids=(episodes[0],))
    consumers = ask(store, account.user_id, replace(query, measure="consumers", grain="none"))
    assert (consumers.total, consumers.compared and consumers.compared.total) == (9, 9)


def test_a_release_day_is_that_of_the_zone(store: Store, account: User) -> None:
    heard(store, account)
    # 18:00 UTC on Thursday is Friday in Tokyo, where the first release is Monday, too: eleven days.
    query = Query(date(2026, 3, 13), date(2026, 3, 14), tz="Asia/Tokyo", comparison="release_aligned")
    answer = ask(store, account.user_id, query)
    assert answer.compared is not None
    assert answer.compared.query.first_on == date(2026, 3, 2)


def test_what_has_no_one_release_before_is_not_compared(store: Store, account: User) -> None:
    podcast_id, episodes = heard(store, account)
    query = Query(date(2026, 3, 3), date(2026, 3, 4), comparison="release_aligned")
    first = ask(store, account.user_id, query)
    detail = "not measurable: there is no earlier release to compare with"
    assert first.compared is not None
    assert (first.total, first.compared.withheld) == (18, Withheld("no_release_before", detail))
    heard(store, account, "Two")
    two = ask(store, account.user_id, query)
    several = ask(store, account.user_id, replace(query, filters=Filters(episode_ids=tuple(episodes[:2]))))
    for answer in (two, several):
        assert answer.compared is not None
        assert answer.compared.withheld is not None
        assert (answer.compared.rows, answer.compared.withheld.reason) == ((), "several_releases")
    one = replace(query, first_on=THURSDAY, last_on=THURSDAY, filters=Filters(podcast_ids=(podcast_id,)))
    compared = ask(store, account.user_id, one).compared
    assert compared is not None
    assert compared.total == 9


def test_a_trend_tells_of_platforms_whose_apps_it_is_about(store: Store, account: User) -> None:
    autumn = Query(date(2023, 9, 1), date(2023, 9, 30), grain="day")
    [apple] = ask(store, account.user_id, autumn).annotations
    assert (apple.kind, apple.first_on, apple.title) == ("platform", date(2023, 9, 18), "iOS 17")
    assert apple.source.startswith("https://")
    assert ask(store, account.user_id, replace(autumn, filters=Filters(apps=("Overcast",)))).annotations == ()
    assert ask(store, account.user_id, replace(autumn, filters=Filters(apps=("Apple Podcasts",)))).annotations == (
        apple,
    )
    assert ask(store, account.user_id, replace(autumn, grain="none")).annotations == ()


def test_a_trend_tells_of_its_releases_gaps_settings_and_restatements(store: Store, account: User) -> None:
    podcast_id, _ = heard(store, account)
    with open_run(store, account.user_id, "measure.run") as run:
        run.rule_versions = {"settings": "old", "rules": "1"}
    with open_run(store, account.user_id, "measure.run") as later:
        later.rule_versions = {"settings": "new", "rules": "2"}
    days = [date(2026, 3, day) for day in range(2, 22) if day not in {6, 7, 15}]
    change = RestatedDay(date(2026, 3, 4), podcast_id, 12, 9, "late_data", "old", "old")
    with store.ingest(account.user_id) as connection:
        # Nothing came in on the 6th, 7th and 15th; the days from the 10th on were counted by the later run.
        batch_id = uuid4()
        connection.execute(
            "insert into batches (batch_id, user_id, run_id, kind, source, content_hash, received_count,"
            " accepted_count, refused_count) values (%s, %s, %s, 'access_log', 'a.log', 'x', 1, 1, 0)",
            (batch_id, account.user_id, run.run_id),
        )
        rows = [VerdictRow(day, batch_id, podcast_id, None, "dropped", "method", 1) for day in days]
        save_verdicts(connection, account.user_id, run.run_id, rows)
        connection.execute(
            "update daily_metrics set run_id = case when day_on < '2026-03-10' then %s else %s end"
            " where podcast_id = %s",
            (run.run_id, later.run_id, podcast_id),
        )
        save_restatements(connection, account.user_id, run.run_id, [change])
    answer = ask(store, account.user_id, Query(date(2026, 3, 2), date(2026, 3, 21), grain="week"))
    today = datetime.now(UTC).date()
    gap = "Not one request of {} came in: the server was down, or its log is missing."

    def on(day: int) -> tuple[date, date]:
        return date(2026, 3, day), date(2026, 3, day)

    assert answer.annotations == (
        Annotation("release", *on(2), "Released", "One 0"),
        Annotation(
            "restatement", *on(4), "Restated", f"-3 downloads after the day was final, last on {today}: late data."
        ),
        Annotation("gap", date(2026, 3, 6), date(2026, 3, 7), "No requests", gap.format("2 days")),
        Annotation("rules", *on(10), "Other rules", "Counted by the rules 2 from here on, by 1 before."),
        Annotation("settings", *on(10), "Other settings", "Counted by the settings new from here on, by old before."),
        Annotation("release", *on(12), "Released", "2 episodes"),
        Annotation("gap", *on(15), "No requests", gap.format("1 day")),
    )
    stretches = (
        Stretch("old", date(2026, 3, 2), date(2026, 3, 9), 8),
        Stretch("new", date(2026, 3, 10), date(2026, 3, 21), 12),
    )
    assert answer.counting.settings == stretches
    whole = ask(store, account.user_id, Query(date(2026, 3, 2), date(2026, 3, 9)))
    assert (whole.annotations, whole.counting.settings) == ((), stretches[:1])
