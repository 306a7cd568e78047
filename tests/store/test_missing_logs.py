"""Which days no log covers is known from the logs' own first and last lines, however small the show."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from castline.ingest.logs.landing import import_log
from castline.ingest.segment_log import LOG_FOLDER, REQUEST, LogWriter, encode_record
from castline.intake.drain import drain_intake
from castline.measure.figures.pacing import load_pacing
from castline.measure.figures.query import run_query
from castline.measure.run import measure
from castline.model.account import User
from castline.model.campaign import NewSponsor
from castline.model.query import Answer, Query
from castline.report.collect import collect_figures
from castline.report.layout import lay_out
from castline.store.entities.campaigns import NewCampaign, create_campaign, create_sponsor
from castline.store.entities.shows import load_podcasts
from castline.store.pool import Store
from make import make_account
from make_logs import MONDAY, OVERCAST, Line, make_listened_show, write_log

pytestmark = pytest.mark.store
FIRST_ON = MONDAY.date()
WEEK = Query(FIRST_ON, FIRST_ON + timedelta(days=6), grain="day")


@pytest.fixture(autouse=True)
def _show(store: Store, account: User) -> None:
    make_listened_show(store, account.user_id)


def on(*days: float) -> list[Line]:
    """One download at a moment of each day, counted from Monday's midnight."""
    return [Line(after=int(day * 86_400), address=f"198.51.100.{number}") for number, day in enumerate(days)]


def take_in(store: Store, account: User, folder: Path, **logs: list[Line]) -> None:
    for name, lines in logs.items():
        import_log(store, account.user_id, write_log(folder / f"{name}.log", lines), host="cdn.example.org")


def ask(store: Store, account: User) -> Answer:
    with store.snapshot(account.user_id) as connection:
        return run_query(connection, account.user_id, WEEK)


def told(answer: Answer) -> tuple[list[int | None], list[tuple[str, int, int]]]:
    """The days' values, and each gap with its first and last day of the week."""
    gaps = [item for item in answer.annotations if item.kind == "gap"]
    places = [(item.title, (item.first_on - FIRST_ON).days, (item.last_on - FIRST_ON).days) for item in gaps]
    return [row.value for row in answer.rows], places


def test_a_day_that_lies_between_two_logs_has_no_value_though_a_download_a_day_is_usual(
    store: Store, account: User, tmp_path: Path
) -> None:
    take_in(store, account, tmp_path, one=on(0.2, 1.5), two=on(4.1, 6.9))
    measure(store, account.user_id)
    answer = ask(store, account)
    # The second log begins on Friday: Saturday had no download, Wednesday and Thursday nobody knows.
    assert told(answer) == ([1, 1, None, None, 1, 0, 1], [("No log", 2, 3)])
    assert (answer.counting.measured_day_count, answer.counting.is_whole) == (5, False)
    [gap] = [item for item in answer.annotations if item.kind == "gap"]
    assert gap.detail == "No log that came in covers 2 days: it is missing, or the server was down."


def test_a_log_that_comes_later_fills_the_days_once_they_are_counted(
    store: Store, account: User, tmp_path: Path
) -> None:
    take_in(store, account, tmp_path, one=on(0.2, 1.5), two=on(4.1, 6.9))
    measure(store, account.user_id)
    take_in(store, account, tmp_path, late=on(2.3, 2.4))
    assert told(ask(store, account)) == (
        [1, 1, None, None, 1, 0, 1],
        [("Not counted yet", 2, 2), ("No log", 3, 3)],
    )
    measure(store, account.user_id)
    assert told(ask(store, account)) == ([1, 1, 2, None, 1, 0, 1], [("No log", 3, 3)])


def test_a_day_without_a_line_within_a_log_that_grew_is_a_zero(store: Store, account: User, tmp_path: Path) -> None:
    first = on(0.2, 1.5)
    take_in(store, account, tmp_path, access=first)
    take_in(store, account, tmp_path, access=[*first, *on(4.1, 6.9)])
    measure(store, account.user_id)
    assert told(ask(store, account)) == ([1, 1, 0, 0, 1, 0, 1], [])


def test_logs_that_overlap_cover_what_lies_in_any_of_them(store: Store, account: User, tmp_path: Path) -> None:
    # Two servers: one log of the whole week with a line at its ends, and daily ones that stop on Tuesday.
    take_in(store, account, tmp_path, whole=on(0.1, 6.9), monday=on(0.5), tuesday=on(1.5))
    measure(store, account.user_id)
    assert told(ask(store, account)) == ([1, 1, 0, 0, 0, 0, 1], [])


def test_the_intake_covers_the_days_between_what_it_took(own_store: Store) -> None:
    store = replace(own_store, settings=replace(own_store.settings, secret_key="k" * 32))
    owner = make_account(store)
    make_listened_show(store, owner.user_id)
    head = f"GET /e/cdn.example.org/one.mp3 HTTP/1.1\r\nHost: pod.example\r\nUser-Agent: {OVERCAST}\r\n\r\n".encode()
    for day in (0, 3, 6):
        at_us = int((MONDAY + timedelta(days=day, hours=5)).timestamp() * 1_000_000)
        log = LogWriter(store.settings.data_dir / LOG_FOLDER)
        log.append([encode_record(REQUEST, at_us, b"198.51.100.7", head)])
        log.close()
        drain_intake(store)
    measure(store, owner.user_id)
    assert told(ask(store, owner)) == ([1, 0, 0, 1, 0, 0, 1], [])


def test_first_days_with_a_missing_log_or_after_the_newest_request_have_no_count(
    store: Store, account: User, tmp_path: Path
) -> None:
    take_in(store, account, tmp_path, one=on(0.2, 1.5), two=on(4.1, 6.9))
    measure(store, account.user_id)
    with store.account(account.user_id) as connection:
        for name, day in (("one.mp3", 0), ("two.mp3", 4)):
            published = MONDAY + timedelta(days=day)
            connection.execute("update episodes set publish_date = %s where guid = %s", (published, name))
        found = load_pacing(connection, account.user_id, FIRST_ON + timedelta(days=60))
    first = {item.episode: [pace.downloads for pace in item.paces] for item in found}
    # Three days of the first hold Wednesday, of which there is no log; of the second seven reach behind the last log.
    assert first == {"one.mp3": [1] + [None] * 5, "two.mp3": [0, 0] + [None] * 4}


def test_a_report_names_the_days_without_a_log_and_on_how_many_it_rests(
    store: Store, account: User, tmp_path: Path
) -> None:
    take_in(store, account, tmp_path, one=on(0.2, 1.5), two=on(4.1, 6.9))
    measure(store, account.user_id)
    with store.account(account.user_id) as connection:
        [show] = load_podcasts(connection, account.user_id)
        sponsor = create_sponsor(connection, account.user_id, NewSponsor("Harbour Coffee"))
        flight = (MONDAY, MONDAY + timedelta(days=7))
        new = NewCampaign("Autumn", show.podcast_id, sponsor.sponsor_id, *flight, Decimal(100))
        campaign = create_campaign(connection, account.user_id, new)
        released = "update episodes set publish_date = %s where guid = 'two.mp3' and podcast_id = %s"
        connection.execute(released, (MONDAY + timedelta(days=4), show.podcast_id))
    document = lay_out(collect_figures(store, account.user_id, campaign, MONDAY + timedelta(days=8)))
    delivery = document.section("delivery")
    assert [figure.value for figure in delivery.figures] == [5, 7]
    lost_on, released_on = FIRST_ON + timedelta(days=2), FIRST_ON + timedelta(days=4)
    detail = "No log that came in covers 2 days: it is missing, or the server was down."
    _, _, notes = delivery.tables
    assert notes.rows == (
        ("No log", 1, lost_on, lost_on + timedelta(days=1), detail),
        ("Released", 2, released_on, released_on, "two.mp3"),
    )
