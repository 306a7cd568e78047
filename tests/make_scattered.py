"""Random downloads with ads over the days in which clocks change, as measuring leaves them."""

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import polars as pl

from castline.measure.rules.ads import DELIVERED, DELIVERIES_SCHEMA, MISSED, NOT_KNOWN
from castline.model.account import User
from castline.store.pool import Store
from make_listening import APPS, Download, judged_of, make_listened, save_judged

CAMPAIGNS = sorted(str(UUID(int=number)) for number in (7, 8, 9))
# The clocks of Oslo and of Lord Howe (by half an hour) change in the days from here on.
FIRST = date(2026, 3, 27)


def make_scattered(store: Store, account: User, rng: random.Random) -> tuple[list[UUID], list[UUID]]:
    """500 downloads of twelve days, some with up to three ads; the shows and the episodes."""
    start = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC)
    shows = [make_listened(store, account.user_id, title, [start] * 2) for title in ("One", "Two", "Three")]
    downloads = []
    for _ in range(500):
        podcast_id, episodes = rng.choice(shows)
        at = start + timedelta(seconds=rng.randrange(12 * 86_400))
        who = (rng.randrange(60), rng.choice(APPS), rng.choice(["SE", "NO", None]), rng.choice(["mobile", "desktop"]))
        downloads.append(Download(at, rng.choice(episodes), podcast_id, *who, rng.choice([None, "hls", "prefix"])))
    judged = judged_of(downloads)
    ads = [
        (place, rng.choice(CAMPAIGNS), str(uuid4()), rng.choice([DELIVERED, MISSED, NOT_KNOWN]))
        for place in range(len(downloads))
        for _ in range(rng.choice([0, 0, 1, 2, 3]))
    ]
    deliveries = pl.DataFrame(ads, schema=DELIVERIES_SCHEMA, orient="row")
    save_judged(store, account.user_id, replace(judged, deliveries=deliveries))
    return [show for show, _ in shows], [episode for _, episodes in shows for episode in episodes]
