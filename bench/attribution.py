"""Seconds to attribute many orders against millions of downloads, and milliseconds until their figures stand.

Every order is credited and written, then the same orders again with nothing to change; then the figures of all
campaigns as the dashboard asks for them. The peer is PostgreSQL in the same server and the same run: one plain join of
orders with downloads of their households, the last before each order, which knows no campaigns, shares nothing and
writes nothing. Limits: the first run 20 times the peer at most, the figures 200 ms.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TypeVar
from uuid import UUID, uuid4

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from castline.attribute.engine import AttributionResult, attribute
from castline.ingest.conversions.receive import receive_conversions
from castline.model.campaign import AttributionConfig, NewSponsor
from castline.model.conversion import ConversionInput
from castline.roi.books import load_books
from castline.roi.compute import compute_from_books
from castline.store.entities.campaigns import NewCampaign, create_campaign, create_sponsor, load_campaigns
from castline.store.pool import Store
from make_many import DAYS, FIRST, World, indexed_afterwards, make_world
from make_store import open_folder, open_own_store

Found = TypeVar("Found")
_SPONSORS, _CAMPAIGNS = 6, 24
_PEER_TIMES, _FIGURES_LIMIT_MS = 20.0, 200.0
_ROUNDS = 5
_HEARD_RATE = 0.4
_START = datetime.combine(FIRST, datetime.min.time(), UTC)
_PEER = """
    select count(*)
    from (
        select distinct on (conversion_id) conversion_id, event_id
        from conversions
        join listener_events
            on listener_events.listener_key = conversions.listener_key
            and timestamp < occurred_at
            and timestamp >= occurred_at - interval '30 days'
        order by conversion_id, timestamp desc
    ) as matched
"""


@dataclass(frozen=True, slots=True)
class Timed:
    """How long the parts took, and what was found."""

    first: float
    again: float
    peer: float
    figures_ms: float
    result: AttributionResult


def main() -> int:
    """Prints the times as JSON; 1 beyond a limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=60_000)
    parser.add_argument("--rows", type=int, default=2_000_000, help="Downloads.")
    chosen = parser.parse_args()
    with open_folder() as folder, open_own_store(folder) as store:
        timed = _run(store, chosen.rows, chosen.orders)
    ratio = timed.first / timed.peer
    is_within = ratio <= _PEER_TIMES and timed.figures_ms <= _FIGURES_LIMIT_MS
    print(json.dumps(_describe(timed, chosen) | {"peer_ratio": round(ratio, 2), "within_limit": is_within}))
    return 0 if is_within else 1


def _describe(timed: Timed, chosen: argparse.Namespace) -> dict[str, object]:
    return {
        "workload": "attribution",
        "orders": chosen.orders,
        "downloads": chosen.rows,
        "credits": timed.result.written,
        "methods": timed.result.methods,
        "first_seconds": round(timed.first, 2),
        "again_seconds": round(timed.again, 2),
        "peer_join_seconds": round(timed.peer, 2),
        "figures_ms": round(timed.figures_ms, 1),
        "limit_ms": _FIGURES_LIMIT_MS,
        "load": round(os.getloadavg()[0], 2),
    }


def _run(store: Store, rows: int, orders: int) -> Timed:
    with indexed_afterwards(store):
        world = make_world(store, rows)
    make_campaigns(world)
    make_orders(world, orders)
    with store.owner() as connection:
        connection.execute("analyze")
    peer, _ = _time(lambda: _join(store))
    first, result = _time(lambda: attribute(store, world.owner_id))
    again, _ = _time(lambda: attribute(store, world.owner_id))
    figures = [_time(lambda: compute_all(world))[0] for _ in range(_ROUNDS)]
    return Timed(first, again, peer, statistics.median(figures) * 1000, result)


def _time(work: Callable[[], Found]) -> tuple[float, Found]:
    started = time.perf_counter()
    found = work()
    return time.perf_counter() - started, found


def _join(store: Store) -> None:
    with store.owner() as connection:
        connection.execute(_PEER).fetchall()


def make_campaigns(world: World) -> None:
    """Campaigns of some sponsors over all shows, each with a code, all days long."""
    with world.store.account(world.owner_id) as connection:
        sponsors = [
            create_sponsor(connection, world.owner_id, NewSponsor(f"Sponsor {number}")).sponsor_id
            for number in range(_SPONSORS)
        ]
        for number in range(_CAMPAIGNS):
            create_campaign(
                connection,
                world.owner_id,
                NewCampaign(
                    name=f"Campaign {number}",
                    podcast_id=world.podcast_ids[number % len(world.podcast_ids)],
                    sponsor_id=sponsors[number % _SPONSORS],
                    start_date=_START,
                    end_date=_START + timedelta(days=DAYS),
                    campaign_value=Decimal(5000),
                    currency="USD",
                    attribution_config=AttributionConfig(promo_code=f"CODE{number}"),
                ),
            )


def make_orders(world: World, count: int) -> None:
    """Half of the orders say a code, and two fifths come from an address that listened."""
    rng = np.random.default_rng(5)
    keys = world.listeners.gather(rng.integers(0, len(world.listeners), count)).to_list()
    at, code, cents, heard = (
        values.tolist()
        for values in (
            rng.integers(0, DAYS * 86_400, count),
            rng.integers(0, 2 * _CAMPAIGNS, count),
            rng.integers(500, 50_000, count),
            rng.random(count) < _HEARD_RATE,
        )
    )
    rows = [
        ConversionInput(
            occurred_at=_START + timedelta(seconds=at[number]),
            order_id=f"order-{number}",
            conversion_value=Decimal(cents[number]) / 100,
            currency="USD",
            promo_code=f"CODE{code[number]}" if code[number] < _CAMPAIGNS else None,
            sponsor=f"Sponsor {code[number] % _SPONSORS}",
        )
        for number in range(count)
    ]
    receive_conversions(world.store, world.owner_id, rows, source="api", content_hash=uuid4().bytes, name="orders")
    _place(world, {f"order-{number}": keys[number] for number in range(count) if heard[number]})


def _place(world: World, homes: dict[str, bytes]) -> None:
    """The orders came from the addresses of these listeners."""
    with world.store.owner() as connection:
        connection.execute("create temp table homes (order_id text, listener_key bytea) on commit drop")
        with connection.cursor().copy("copy homes from stdin") as copy:
            for item in homes.items():
                copy.write_row(item)
        connection.execute("grant select on homes to castline_system")
        connection.execute("select set_config('role', 'castline_system', true)")
        connection.execute(
            "update conversions set listener_key = homes.listener_key from homes"
            " where homes.order_id = conversions.order_id"
        )


def compute_all(world: World) -> dict[UUID, Decimal]:
    """The net revenue of every campaign at the four moments that the dashboard asks for."""
    as_of = _START + timedelta(days=DAYS)
    earlier = [as_of - timedelta(days=days) for days in (56, 28)]
    with world.store.snapshot(world.owner_id) as connection:
        campaigns = load_campaigns(connection, world.owner_id)
        books = load_books(connection, world.owner_id, campaigns, as_of=as_of, earlier=earlier)
        return {
            item.campaign_id: sum(
                (compute_from_books(books, item, as_of=moment).net_revenue for moment in books.moments), Decimal(0)
            )
            for item in campaigns
        }


if __name__ == "__main__":
    sys.exit(main())
