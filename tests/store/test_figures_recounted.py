"""Every figure of the store, counted once more by plain Python from what `measure count` says of the same requests.

The recount knows no table and no rule: it has the verdicts, the requests' own times, and calendars.
"""

import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import combinations
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from castline.ingest.logs.landing import import_log
from castline.measure.figures.audience import compute_audience, compute_overlap
from castline.measure.figures.pacing import HORIZONS, load_pacing
from castline.measure.figures.query import run_query
from castline.measure.run import measure
from castline.model.account import User
from castline.model.query import GRAINS, Dimension, Filters, Grain, Query
from castline.store.entities.shows import load_episodes
from castline.store.pool import Store
from make import make_account
from make_logs import EPISODE_BYTES, EPISODE_SECONDS, MINUTE_BYTES, MONDAY, Line, make_listened_show, write_log
from run_castline import Castline
from store.asking import find_bucket

pytestmark = pytest.mark.store
# From Monday 7 September on: clocks change in Lord Howe on 4 October (by half an hour), in Oslo on 25 October and in
# Havana, at midnight, on 1 November.
DAYS = 58
ZONES = ("UTC", "Europe/Oslo", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Havana", "Pacific/Apia")
SHOWS = (("one", "two"), ("three", "four"), ("five",))
AGENTS = (
    "Overcast/3.0 (+http://overcast.fm/; iOS podcast app)",
    "Pocket Casts",
    "AntennaPod/3.4.0",
    "AppleCoreMedia/1.0.0.21F90 (iPhone; U; CPU OS 17_5_1 like Mac OS X; en_us)",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Googlebot/2.1 (+http://www.google.com/bot.html)",
    "atc/1.0 watchOS/10.5 model/Watch6,1",
)


@dataclass(frozen=True, slots=True)
class Heard:
    """One download as the recount has it."""

    at: datetime
    episode: str
    agent: str
    consumer: str


@dataclass(frozen=True, slots=True)
class World:
    """What was heard, and the ids of shows and episodes by the names of the episodes."""

    heard: list[Heard]
    show_of: dict[str, UUID]
    episode_of: dict[str, UUID]
    app_of: dict[str, str]
    published: dict[str, date]

    def members(self, item: Heard, dimensions: tuple[Dimension, ...]) -> tuple[str, ...]:
        """What the download is of each dimension."""
        names = {
            "show": str(self.show_of[item.episode]),
            "episode": str(self.episode_of[item.episode]),
            "app": self.app_of[item.agent],
        }
        return tuple(names[name] for name in dimensions)


def draw_lines(rng: random.Random) -> list[Line]:
    """Requests of 120 addresses: whole files, pieces that meet or overlap, probes, other methods, other answers."""
    names = [name for show in SHOWS for name in show]
    lines = []
    for _ in range(900):
        line = Line(
            rng.randrange(DAYS * 86_400),
            rng.choice(["81.2.69.{}", "2a02:c7f:1234:{}::1"]).format(rng.randrange(1, 60)),
            rng.choice(AGENTS),
            f"/{rng.choice(names)}.mp3",
        )
        kind = rng.randrange(8)
        if kind == 0:
            lines.append(line.but(method="HEAD"))
        elif kind == 1:
            lines.append(line.but(status=404, sent=120))
        elif kind == 2:
            lines.append(line.but(status=206, sent=2, range="bytes=0-1"))
        elif kind in {3, 4}:
            start = 0
            for _ in range(rng.randrange(1, 4)):
                size = rng.randrange(MINUTE_BYTES // 4, MINUTE_BYTES)
                piece = line.but(
                    after=line.after + rng.randrange(0, 40_000),
                    status=206,
                    sent=size,
                    range=f"bytes={start}-{start + size - 1}",
                )
                lines.append(piece)
                start += rng.choice([size, size // 2])
        else:
            lines.append(line)
            if kind == 7:
                lines.append(line.but(after=line.after + rng.randrange(0, 90_000)))
    return sorted((line for line in lines if line.after < DAYS * 86_400), key=lambda line: line.after)


def judge(castline: Castline, folder: Path, lines: list[Line]) -> list[Heard]:
    """The downloads that the command finds in the requests: each at the time of its first request."""
    rows = [
        {
            "id": number,
            "time": (MONDAY + timedelta(seconds=line.after)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "ip": line.address,
            "user_agent": line.agent,
            "method": line.method,
            "status": line.status,
            "range": line.range,
            "bytes_sent": line.sent,
            "url": f"https://cdn.example.org{line.path}",
            "referer": None,
            "episode": line.path[1:-4],
            "file_bytes": EPISODE_BYTES,
            "duration_seconds": EPISODE_SECONDS,
            "header_bytes": None,
        }
        for number, line in enumerate(lines)
    ]
    path = folder / "requests.ndjson"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    told = castline("measure", "count", "--input", str(path), "--json")
    verdicts = [json.loads(text) for text in told.out.splitlines()]
    windows = defaultdict(list)
    for verdict in verdicts:
        if verdict["download_id"]:
            windows[verdict["download_id"]].append(verdict)
    heard = []
    for members in windows.values():
        first = min(members, key=lambda item: (lines[item["id"]].after, item["id"]))
        line = lines[first["id"]]
        at = MONDAY + timedelta(seconds=line.after)
        heard.append(Heard(at, line.path[1:-4], line.agent, first["consumer_id"]))
    assert len(heard) == sum(verdict["verdict"] == "counted" for verdict in verdicts)
    return heard


@pytest.fixture(scope="module")
def account(store: Store) -> User:
    return make_account(store)


@pytest.fixture(scope="module")
def world(store: Store, account: User, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Three shows, whose random requests went through log, landing zone and ledger."""
    tmp_path = tmp_path_factory.mktemp("recounted")
    castline = Castline(tmp_path / "data", {"DATABASE_URL": store.dsn, "CASTLINE_ACCOUNT": account.email})
    rng = random.Random(11)  # noqa: S311  # repeatable, no secret
    lines = draw_lines(rng)
    shows = [make_listened_show(store, account.user_id, *names) for names in SHOWS]
    published = {name: MONDAY.date() + timedelta(days=rng.randrange(0, 40)) for show in SHOWS for name in show}
    with store.account(account.user_id) as connection:
        for name, day in published.items():
            connection.execute("update episodes set publish_date = %s where guid = %s", (day, f"{name}.mp3"))
        found = [(show.podcast_id, load_episodes(connection, account.user_id, show.podcast_id)) for show in shows]
    # Two logs, of which the second overlaps the first in time.
    halves = (lines[::2], lines[1::2])
    for number, half in enumerate(halves):
        import_log(store, account.user_id, write_log(tmp_path / f"{number}.log", half), host="cdn.example.org")
    measure(store, account.user_id)
    agents = castline("agents", "classify", given="\n".join(AGENTS).encode())
    told = [json.loads(text) for text in agents.out.splitlines()]
    return World(
        judge(castline, tmp_path, lines),
        {episode.guid[:-4]: show_id for show_id, episodes in found for episode in episodes},
        {episode.guid[:-4]: episode.episode_id for _, episodes in found for episode in episodes},
        {row["user_agent"]: row["name"] for row in told},
        published,
    )


def label(start_at: datetime | None, grain: Grain, zone: ZoneInfo) -> datetime | date | None:
    if start_at is None:
        return None
    return start_at.astimezone(UTC) if grain == "hour" else start_at.astimezone(zone).date()


def iter_within(world: World, first_on: date, last_on: date, zone: ZoneInfo) -> Iterator[Heard]:
    yield from (item for item in world.heard if first_on <= item.at.astimezone(zone).date() <= last_on)


@pytest.fixture
def spans() -> list[tuple[date, date]]:
    start = MONDAY.date()
    return [(start, start + timedelta(days=DAYS - 1)), (start + timedelta(days=25), start + timedelta(days=56))]


def test_every_figure_is_what_plain_python_counts(
    store: Store, account: User, world: World, spans: list[tuple[date, date]]
) -> None:
    assert len(world.heard) > 300
    splits: tuple[tuple[Dimension, ...], ...] = ((), ("show",), ("episode",), ("app",), ("app", "episode"))
    wrong: list[object] = []
    with store.account(account.user_id) as connection:
        for tz in ZONES:
            zone = ZoneInfo(tz)
            for first_on, last_on in spans:
                within = list(iter_within(world, first_on, last_on, zone))
                for grain in GRAINS:
                    for dimensions in splits:
                        query = Query(first_on, last_on, "downloads", dimensions, grain, tz)
                        wanted = Counter(
                            (find_bucket(item.at, grain, zone), world.members(item, dimensions)) for item in within
                        )
                        answer = run_query(connection, account.user_id, query)
                        found = {
                            (label(row.start_at, grain, zone), row.members): row.value
                            for row in answer.rows
                            if row.value
                        }
                        if found != wanted:
                            wrong.append((query, answer.counting.counted_from))
                        starts = [row.start_at for row in answer.rows if not dimensions]
                        if len(starts) != len({label(start, grain, zone) for start in starts}):
                            wrong.append((query, "a bucket twice"))
    assert wrong == []


def test_consumers_are_the_sets_that_plain_python_unites(
    store: Store, account: User, world: World, spans: list[tuple[date, date]]
) -> None:
    wrong: list[object] = []
    with store.account(account.user_id) as connection:
        for tz in ZONES:
            zone = ZoneInfo(tz)
            first_on, last_on = spans[1]
            for grain in GRAINS:
                sets = defaultdict(set)
                for item in iter_within(world, first_on, last_on, zone):
                    sets[find_bucket(item.at, grain, zone), (str(world.show_of[item.episode]),)].add(item.consumer)
                answer = run_query(
                    connection, account.user_id, Query(first_on, last_on, "consumers", ("show",), grain, tz)
                )
                found = {(label(row.start_at, grain, zone), row.members): row.value for row in answer.rows if row.value}
                if found != {key: len(who) for key, who in sets.items()}:
                    wrong.append((tz, grain, answer.counting.counted_from))
            wrong += [(tz, "audience")] * (not _audiences_agree(world, connection, account, zone, tz))
    assert wrong == []


def _audiences_agree(world: World, connection: object, account: User, zone: ZoneInfo, tz: str) -> bool:
    day = MONDAY.date() + timedelta(days=40)
    ends = {
        "day": (day, day),
        "week": (day - timedelta(days=day.weekday()), day - timedelta(days=day.weekday()) + timedelta(days=6)),
        "days_28": (day - timedelta(days=27), day),
        "month": (day.replace(day=1), (day.replace(day=1) + timedelta(days=31)).replace(day=1) - timedelta(days=1)),
    }
    rows = compute_audience(connection, account.user_id, day, tz=tz)  # type: ignore[arg-type]  # an open connection
    for row in rows:
        shows = {row.podcast_id} if row.podcast_id else set(world.show_of.values())
        within = iter_within(world, *ends[row.span], zone)
        if row.consumers != len({item.consumer for item in within if world.show_of[item.episode] in shows}):
            return False
    return len(rows) == 4 * (len(SHOWS) + 1)


def test_what_shows_share_and_how_episodes_begin_is_what_plain_python_counts(
    store: Store, account: User, world: World, spans: list[tuple[date, date]]
) -> None:
    as_of = MONDAY.date() + timedelta(days=50)
    with store.account(account.user_id) as connection:
        overlap = compute_overlap(connection, account.user_id, Query(*spans[0], "consumers"))
        pacing = load_pacing(connection, account.user_id, as_of)
    sets = defaultdict(set)
    for item in world.heard:
        sets[world.show_of[item.episode]].add(item.consumer)
    both = {frozenset(pair): len(sets[pair[0]] & sets[pair[1]]) for pair in combinations(sets, 2)}
    assert {frozenset((row.first_id, row.second_id)): row.both_consumers for row in overlap.rows} == both
    assert sum(both.values()) > 0
    measured_from = min(item.at.date() for item in world.heard)
    for begun in pacing:
        published = world.published[begun.episode[:-4]]
        ages = [(heard.at.date() - published).days for heard in world.heard if f"{heard.episode}.mp3" == begun.episode]
        wanted = [
            sum(0 <= age < days for age in ages)
            if published + timedelta(days=days) <= as_of and measured_from <= published
            else None
            for days in HORIZONS
        ]
        assert [pace.downloads for pace in begun.paces] == wanted
    assert len(pacing) == len(world.published)


def test_filters_of_two_dimensions_let_through_what_plain_python_does(
    store: Store, account: User, world: World, spans: list[tuple[date, date]]
) -> None:
    app = Counter(world.app_of[item.agent] for item in world.heard).most_common(1)[0][0]
    filters = Filters(episode_ids=(world.episode_of["one"], world.episode_of["five"]), apps=(app,))
    for tz in ZONES:
        within = iter_within(world, *spans[0], ZoneInfo(tz))
        wanted = sum(item.episode in {"one", "five"} and world.app_of[item.agent] == app for item in within)
        with store.account(account.user_id) as connection:
            answer = run_query(connection, account.user_id, Query(*spans[0], tz=tz, filters=filters))
        assert (answer.total, answer.counting.counted_from) == (wanted, "listener_events")
        assert wanted > 5
