"""Comparisons, shares, beginnings and a second source's count, recounted by plain Python over days of changing clocks.

Every human request of the log is one download by construction, so the recount needs no rule: only calendars and sets.
"""

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import combinations
from pathlib import Path
from statistics import median
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from castline.ingest.logs.landing import import_log
from castline.measure.figures.pacing import HORIZONS
from castline.measure.figures.query import run_query
from castline.measure.figures.reconcile import Explanation, Reconciliation
from castline.measure.figures.reconcile_file import reconcile_rows
from castline.measure.run import measure
from castline.model.account import User
from castline.model.query import COMPARISONS, Comparison, Filters, Grain, Query
from castline.sources.daily_csv import parse_daily
from castline.store.entities.shows import load_episodes
from castline.store.pool import Store
from make import make_account
from make_logs import MONDAY, Line, make_listened_show, write_log
from run_castline import Castline

pytestmark = pytest.mark.store
# From Monday 27 July on; clocks change in Oslo on 25 October and in New York on 1 November.
START, DAYS = MONDAY - timedelta(days=42), 100
FIRST_ON = START.date()
ZONES = ("UTC", "Europe/Oslo", "America/New_York")
SHOWS = (("one", "two", "three", "four", "five"), ("other",))
RELEASED = {"one": 0, "two": 2, "three": 9, "four": 30, "five": 80, "other": 1}  # days after the first
AGENTS = ("Overcast/3.0 (+http://overcast.fm/; iOS podcast app)", "AntennaPod/3.4.0")
BOT = "Googlebot/2.1 (+http://www.google.com/bot.html)"


@dataclass(frozen=True, slots=True)
class World:
    """The downloads, the bots' requests, and the ids of shows and episodes by the names of the episodes."""

    heard: list[Line]
    bots: list[Line]
    show_of: dict[str, UUID]
    episode_of: dict[str, UUID]

    def count(self, zone: ZoneInfo, wanted: Callable[[Line], bool] = bool) -> Counter[date]:
        """Downloads by the days of the zone."""
        return Counter(day_of(line, zone) for line in self.heard if wanted(line))


def day_of(line: Line, zone: ZoneInfo) -> date:
    return (MONDAY + timedelta(seconds=line.after)).astimezone(zone).date()


def name_of(line: Line) -> str:
    return line.path[1:-4]


def draw_lines(rng: random.Random) -> tuple[list[Line], list[Line]]:
    """Downloads of 300 listeners, none twice for one episode on a UTC day, and bots that ask as they do."""
    heard: dict[object, Line] = {}
    bots = []
    for _ in range(3_000):
        name = rng.choice(SHOWS[0]) if rng.random() < 0.7 else "other"
        after = rng.randrange(RELEASED[name] * 86_400, DAYS * 86_400) - 42 * 86_400
        place = rng.randrange(200) if name != "other" else rng.randrange(120, 300)
        line = Line(after, f"81.2.{place // 100}.{place % 100 + 1}", rng.choice(AGENTS), f"/{name}.mp3")
        heard[line.address, line.agent, name, after // 86_400] = line
        if rng.random() < 0.12:
            bots.append(Line(after + 1, f"66.249.66.{rng.randrange(250)}", BOT, f"/{name}.mp3"))
    return [*heard.values()], bots


@pytest.fixture(scope="module")
def account(store: Store) -> User:
    return make_account(store)


@pytest.fixture(scope="module")
def world(store: Store, account: User, tmp_path_factory: pytest.TempPathFactory) -> World:
    heard, bots = draw_lines(random.Random(3))  # noqa: S311  # repeatable, no secret
    shows = [make_listened_show(store, account.user_id, *names) for names in SHOWS]
    with store.account(account.user_id) as connection:
        for name, days in RELEASED.items():
            released = START + timedelta(days=days)
            connection.execute(
                "update episodes set publish_date = %s where guid = %s and podcast_id = any(%s)",
                (released, f"{name}.mp3", [show.podcast_id for show in shows]),
            )
        found = [item for show in shows for item in load_episodes(connection, account.user_id, show.podcast_id)]
    lines = sorted([*heard, *bots], key=lambda line: line.after)
    path = tmp_path_factory.mktemp("compared") / "access.log"
    import_log(store, account.user_id, write_log(path, lines), host="cdn.example.org")
    measure(store, account.user_id)
    names = {item.guid[:-4]: item for item in found}
    return World(
        heard,
        bots,
        {name: item.podcast_id for name, item in names.items()},
        {name: item.episode_id for name, item in names.items()},
    )


def find_earlier(query: Query, comparison: Comparison) -> tuple[date, date]:
    """The days compared with, by the calendar."""
    span = (query.last_on - query.first_on).days + 1
    if comparison == "year":
        return query.first_on.replace(year=2025), query.last_on.replace(year=2025)
    days = {"previous": span, "weekdays": (span + 6) // 7 * 7, "year_weekdays": 364}[comparison]
    return query.first_on - timedelta(days=days), query.last_on - timedelta(days=days)


@pytest.mark.parametrize("tz", ZONES)
def test_each_comparison_is_what_calendars_say(store: Store, account: User, world: World, tz: str) -> None:
    plain = world.count(ZoneInfo(tz))
    spans = [
        (FIRST_ON + timedelta(days=first), FIRST_ON + timedelta(days=last)) for first, last in ((60, 92), (88, 97))
    ]
    grains: tuple[Grain, ...] = ("day", "none")
    for comparison in [name for name in COMPARISONS if name not in {"none", "release_aligned"}]:
        for first_on, last_on in spans:
            for grain in grains:
                query = Query(first_on, last_on, grain=grain, tz=tz, comparison=comparison)
                with store.account(account.user_id) as connection:
                    answer = run_query(connection, account.user_id, query)
                assert answer.compared is not None
                first, last = find_earlier(query, comparison)
                assert (answer.compared.query.first_on, answer.compared.query.last_on) == (first, last)
                for part in (answer, answer.compared):
                    count = part.query.day_count
                    days = [part.query.first_on + timedelta(days=place) for place in range(count)]
                    known = [plain[day] if day >= FIRST_ON else None for day in days]
                    whole = sum(value for value in known if value) if any(day >= FIRST_ON for day in days) else None
                    assert [row.value for row in part.rows] == (known if grain == "day" else [whole])


@pytest.mark.parametrize("tz", ZONES)
def test_the_release_before_is_the_one_that_calendars_find(store: Store, account: User, world: World, tz: str) -> None:
    zone = ZoneInfo(tz)
    plain = world.count(zone, lambda line: name_of(line) != "other")
    released = [(START + timedelta(days=RELEASED[name])).astimezone(zone).date() for name in ("four", "five")]
    query = Query(released[1], released[1] + timedelta(days=9), tz=tz, comparison="release_aligned")
    query = replace(query, filters=Filters(podcast_ids=(world.show_of["one"],)))
    with store.account(account.user_id) as connection:
        answer = run_query(connection, account.user_id, query)
    assert answer.compared is not None
    wanted = [sum(plain[first + timedelta(days=place)] for place in range(10)) for first in (released[1], released[0])]
    assert [answer.total, answer.compared.total] == wanted
    assert min(wanted) > 50


@pytest.mark.parametrize("tz", ZONES)
def test_what_two_shows_share_is_told_on_the_command_line(
    store: Store, account: User, world: World, tz: str, tmp_path: Path
) -> None:
    first_on, last_on = FIRST_ON + timedelta(days=85), FIRST_ON + timedelta(days=98)
    sets: dict[UUID, set[tuple[str, str]]] = {}
    for line in world.heard:
        if first_on <= day_of(line, ZoneInfo(tz)) <= last_on:
            sets.setdefault(world.show_of[name_of(line)], set()).add((line.address, line.agent))
    castline = Castline(tmp_path, {"DATABASE_URL": store.dsn, "CASTLINE_ACCOUNT": account.email})
    told = castline.well("measure", "overlap", "--from", str(first_on), "--to", str(last_on), "--tz", tz)
    [(one, other)] = combinations(sorted(sets), 2)
    [row] = told["rows"]
    found = (row["first_consumers"], row["second_consumers"], row["both_consumers"])
    assert found == (len(sets[one]), len(sets[other]), len(sets[one] & sets[other]))
    assert float(row["jaccard_rate"]) == pytest.approx(found[2] / len(sets[one] | sets[other]))
    assert found[2] > 10


def test_every_beginning_up_to_90_days_and_its_pace_are_recounted(
    store: Store, account: User, world: World, tmp_path: Path
) -> None:
    as_of = FIRST_ON + timedelta(days=99)
    castline = Castline(tmp_path, {"DATABASE_URL": store.dsn, "CASTLINE_ACCOUNT": account.email})
    told = {row["episode"][:-4]: row["paces"] for row in castline.well("measure", "pacing", "--as-of", str(as_of))}
    plain: dict[str, dict[int, int | None]] = {}
    for name, day in RELEASED.items():
        ages = [(day_of(line, ZoneInfo("UTC")) - FIRST_ON).days - day for line in world.heard if name_of(line) == name]
        plain[name] = {days: sum(0 <= age < days for age in ages) if day + days <= 99 else None for days in HORIZONS}
    assert {name: [pace["downloads"] for pace in paces] for name, paces in told.items()} == {
        name: list(counts.values()) for name, counts in plain.items()
    }
    assert sum(counts[90] is not None for counts in plain.values()) == 4
    for name in SHOWS[0]:
        for pace in told[name]:
            others = [plain[key][pace["days"]] for key in SHOWS[0] if key != name]
            known = [count for count in others if count is not None]
            own = plain[name][pace["days"]]
            usual = median(known) if len(known) >= 3 else None
            assert (pace["median"], pace["median_count"]) == (usual, len(known))
            wanted = pytest.approx(own / usual) if usual and own is not None else None
            assert (pace["pace_rate"] if pace["pace_rate"] is None else float(pace["pace_rate"])) == wanted


def reconcile_series(store: Store, account: User, world: World, theirs: Mapping[date, int]) -> Reconciliation:
    """Their count of the first show, by day, beside ours."""
    show = world.show_of["one"]
    text = "date,show,downloads\n" + "".join(f"{day},{show},{count}\n" for day, count in sorted(theirs.items()))
    with store.snapshot(account.user_id) as connection:
        found = reconcile_rows(connection, account.user_id, parse_daily(text.encode(), source="theirs.csv"))
    assert found.refused == ()
    [pair] = found.pairs
    return pair


def test_a_second_source_is_reconciled_and_its_difference_explained_by_rule(
    store: Store, account: User, world: World
) -> None:
    def is_first(line: Line) -> bool:
        return name_of(line) != "other"

    utc = ZoneInfo("UTC")
    ours = world.count(utc, is_first)
    days = [FIRST_ON + timedelta(days=place) for place in range(5, 95)]
    same = reconcile_series(store, account, world, {day: ours[day] for day in days})
    whole = sum(ours[day] for day in days)
    assert (same.whole.ours, same.whole.theirs, same.is_flagged, same.explanation) == (whole, whole, False, None)
    # They count bots, too: some 12 % more.
    bots = Counter(day_of(line, utc) for line in world.bots if is_first(line))
    more = reconcile_series(store, account, world, {day: ours[day] + bots[day] for day in days})
    extra = sum(bots[day] for day in days)
    assert more.whole.difference_rate == pytest.approx(extra / whole)
    assert (more.whole.is_flagged, more.explanation) == (True, Explanation(("bots",), 0, 0.0))
    # Their days begin two hours before ours; the sum is near ours, and days are flagged.
    east = world.count(ZoneInfo("Etc/GMT-2"), is_first)
    moved = reconcile_series(store, account, world, {day: east[day] for day in days})
    assert (moved.whole.is_flagged, moved.is_flagged) == (False, True)
    assert moved.explanation == Explanation((), 2, 0.0)
    # One more on every second day are within what two vendors agree on; twice as many on some days nothing explains.
    near = {day: ours[day] + place % 2 for place, day in enumerate(days)}
    assert not reconcile_series(store, account, world, near).whole.is_flagged
    far = reconcile_series(store, account, world, {day: ours[day] * (1 + day.day % 2) for day in days})
    assert (far.whole.is_flagged, far.explanation) == (True, None)
