"""Consumers of UTC days as sets that outlive raw downloads: made of judged days, united when they are asked for.

Method: docs/method/consumers.md
"""

from collections import defaultdict
from datetime import datetime
from uuid import UUID

import numpy as np
import polars as pl

from castline.measure.judge import Judged
from castline.measure.rows.events import hash_words, mix_words, number_values
from castline.measure.rows.sketch import Registers, Words, compute_sketches, merge_sketches
from castline.measure.rules.ads import DELIVERED
from castline.model.query import Query
from castline.store.listening.sketches import DaySketch, load_sketches
from castline.store.pool import Connection

Sets = dict[tuple[datetime | None, UUID | None], Registers]


def sketch_days(judged: Judged, owner_id: UUID, key_id: str) -> list[DaySketch]:
    """The listeners of each day and show, and those whom each campaign's ad was delivered to; the same each time."""
    downloads = judged.downloads
    if downloads.is_empty():
        return []
    words = hash_consumers(judged, owner_id)
    days, of_day = number_values(downloads["day_on"])
    shows, of_episode = number_values(judged.episodes["podcast_id"])
    groups = of_day * len(shows) + of_episode[downloads["episode"].to_numpy()]
    sent = judged.deliveries.filter(pl.col("state") == DELIVERED).select("download", "campaign_id")
    places = sent["download"].to_numpy()
    campaigns, of_delivery = number_values(sent["campaign_id"])
    width = len(campaigns) + 1
    sketches = compute_sketches(
        np.concatenate((groups * width, groups[places] * width + 1 + of_delivery)),
        np.concatenate((words, words[places])),
    )
    rows = []
    for number, registers in sketches.items():
        group, campaign = divmod(number, width)
        day, show = divmod(group, len(shows))
        campaign_id = UUID(campaigns[campaign - 1]) if campaign else None
        rows.append(DaySketch(days[day], UUID(shows[show]), campaign_id, key_id, registers))
    return rows


def unite_sets(connection: Connection, owner_id: UUID, query: Query, *, by_show: bool) -> Sets:
    """The union of the consumers in each of the query's buckets, of each show or of all (None)."""
    found: dict[tuple[datetime | None, UUID | None], list[bytes]] = defaultdict(list)
    for row in load_sketches(connection, owner_id, query):
        found[row.start_at, row.podcast_id if by_show else None].append(row.registers)
    return {key: merge_sketches(sketches) for key, sketches in found.items()}


def hash_consumers(judged: Judged, owner_id: UUID) -> Words:
    """A hash of (address, user agent) per download: the address's key is one already, the agent's is made once."""
    keys = judged.downloads["listener_key"].bin.head(8).bin.reinterpret(dtype=pl.UInt64, endianness="big").to_numpy()
    agents = hash_words(judged.agents["user_agent"], b"agent" + owner_id.bytes)[:, 0]
    return mix_words(keys ^ agents[judged.downloads["agent"].to_numpy()])
