"""`castline attribution run`: the account's credits are what its conversions, campaigns and listening give today.

Computed anew from everything each time, so the order in which things came makes no difference; only what changed is
written. Credit that rests on listening which retention has deleted stays as it is.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from uuid import UUID

import duckdb

from castline.attribute.credit import find_touches, match_touches, share_credit
from castline.attribute.exposure import Span, compute_spans, group_placements
from castline.attribute.methods import METHODS
from castline.attribute.rows import write_rows
from castline.attribute.tables import (
    CONVERSIONS_FILE,
    CREDITS_FILE,
    LISTENING_FILE,
    compute_households,
    load_tables,
    open_memory,
)
from castline.attribute.window import MODEL_VERSION, WINDOW
from castline.model.campaign import Campaign
from castline.model.lineage import DatasetUse
from castline.store.entities.campaigns import load_campaigns, load_placements
from castline.store.money.attribution import (
    copy_credits,
    delete_credits,
    expect_many_rows,
    export_rows,
    find_conversion_range,
    load_credit_weeks,
    lock_attribution,
)
from castline.store.pool import Store
from castline.store.provenance.ledger import OpenRun, open_run
from castline.store.statistics import analyse_fresh_tables
from castline.store.timeseries import ensure_partitions, list_partitions

JOB: Final = "attribution.run"


@dataclass(frozen=True, slots=True)
class AttributionResult:
    """What a run found: orders = attributed + unattributed, visits apart; credits written, removed and unchanged.

    `frozen` credits rest on listening that retention has deleted, and stay as they are.
    """

    run_id: UUID
    orders: int
    attributed: int
    unattributed: int
    visits: int
    attributed_visits: int
    written: int
    removed: int
    unchanged: int
    frozen: int
    methods: dict[str, int]
    model_version: str = MODEL_VERSION


def attribute(store: Store, owner_id: UUID) -> AttributionResult:
    """The account's credits are up to date: each order credited once or not at all."""
    analyse_fresh_tables(store)
    _make_room(store, owner_id)
    result = _attribute(store, owner_id)
    analyse_fresh_tables(store)
    return result


def _attribute(store: Store, owner_id: UUID) -> AttributionResult:
    with open_run(store, owner_id, JOB, parameters={"window_days": WINDOW.days}) as run:
        lock_attribution(run.connection, owner_id)
        campaigns, spans = _load_plan(run)
        with TemporaryDirectory(prefix="castline-") as name:
            folder = Path(name)
            _export(run, folder)
            with open_memory(folder) as memory:
                load_tables(memory, folder, campaigns, spans)
                find_touches(memory, METHODS)
                compute_households(memory)
                match_touches(memory, METHODS)
                share_credit(memory)
                result = _write(run, memory, folder)
        run.rule_versions["attribution"] = MODEL_VERSION
        return result


def _make_room(store: Store, owner_id: UUID) -> None:
    """The weeks that credit may fall into have their partitions.

    Only those of credit: a week without a partition of listening is one that retention has dropped (`_FROZEN`).
    """
    with store.account(owner_id) as connection:
        weeks = load_credit_weeks(connection, owner_id)
    # Each in a transaction of its own, for it takes locks in the order of its own partitions alone.
    for monday in weeks:
        with store.owner() as connection:
            ensure_partitions(connection, monday, monday + timedelta(days=6), tables=["attribution_events"])


def _load_plan(run: OpenRun) -> tuple[list[Campaign], list[Span]]:
    campaigns = load_campaigns(run.connection, run.owner_id)
    placed = group_placements(load_placements(run.connection, run.owner_id))
    spans = [span for item in campaigns for span in compute_spans(item, placed.get(item.campaign_id, ()))]
    return campaigns, spans


def _export(run: OpenRun, folder: Path) -> None:
    expect_many_rows(run.connection)
    mine: dict[str, object] = {"tenant": run.owner_id}
    moments = find_conversion_range(run.connection, run.owner_id)
    first_at, last_at = moments or (datetime(2000, 1, 1, tzinfo=UTC),) * 2
    # Whole days around the windows: what an address is worth counts by days.
    heard = {"first_at": first_at - WINDOW - timedelta(days=1), "end_at": last_at + timedelta(days=1)}
    export_rows(run.connection, "export_conversions", mine, folder / CONVERSIONS_FILE)
    export_rows(run.connection, "export_listening", mine | heard, folder / LISTENING_FILE)
    export_rows(run.connection, "export_credits", mine, folder / CREDITS_FILE)


# The rows as they should be. `content_hash` covers everything a row says, so that equal rows are left alone.
_FRESH: Final = """
    create temp table fresh as
    select *, sha256(rows_of_shares::varchar) as content_hash
    from (
        select orders.order_key, orders.occurred_at, orders.conversion_id, orders.told_count, shares.campaign_id,
            campaigns.podcast_id, shares.method, shares.matched_key, shares.tier, shares.probability,
            shares.credit_units, shares.listener_event_id, shares.episode_id, shares.touched_at,
            shares.first_touched_at, shares.touch_count, shares.order_evidence_from, shares.consumer_count,
            shares.via_conversion_id, conversions.conversion_type, conversions.conversion_value, conversions.currency,
            conversions.order_id, conversions.product_id, conversions.external_user_id, conversions.session_id,
            conversions.device_id, touched.promo_code, touched.utm_source, touched.utm_medium, touched.utm_campaign,
            touched.custom_tracking_id, touched.pixel_id, touched.referrer, touched.listener_key,
            listening.platform, listening.country_code, listening.device_type
        from shares
        join orders using (order_key)
        join campaigns using (campaign_id)
        join conversions on conversions.conversion_id = orders.conversion_id
        join conversions as touched on touched.conversion_id = shares.conversion_id
        left join listening on listening.event_id = shares.listener_event_id
    ) as rows_of_shares
"""
# Time bits first, so that inserts into the key's index stay local; then the hash of what the row is of.
_IDENTIFIED: Final = f"""
    create temp table identified as
    select *, (
        printf('%012x', epoch_ms(occurred_at)) || '8' || substr(seed, 1, 3) || '8' || substr(seed, 4, 15)
    )::uuid as event_id
    from (
        select *, sha256(conversion_id::varchar || ' ' || campaign_id::varchar || ' {MODEL_VERSION}') as seed
        from fresh
    )
"""
_FROZEN: Final = """
    create temp table frozen_orders as
    select distinct order_key
    from credits
    join members using (conversion_id)
    where evidence_from is not null
        and not list_contains($mondays, date_trunc('week', evidence_from)::date)
"""
_CHANGED: Final = """
    create temp table changed as
    select identified.*
    from identified
    anti join frozen_orders using (order_key)
    left join credits
        on credits.event_id = identified.event_id and credits.content_hash = identified.content_hash
    where credits.event_id is null
    order by occurred_at, event_id
"""
_GONE: Final = """
    select credits.event_id, credits.credited_at
    from credits
    join members using (conversion_id)
    anti join frozen_orders using (order_key)
    left join identified
        on identified.event_id = credits.event_id and identified.content_hash = credits.content_hash
    where identified.event_id is null
    order by credits.credited_at, credits.event_id
"""
_BY_METHOD: Final = """
    select method, count(distinct order_key)
    from identified
    where conversion_type <> 'visit'
    group by method
    order by method
"""
_SUMMARY: Final = """
    select
        count(*) filter (where not is_visit) as orders,
        count(*) filter (where not is_visit and is_credited) as attributed,
        count(*) filter (where is_visit) as visits,
        count(*) filter (where is_visit and is_credited) as attributed_visits,
        (select count(*) from credits join members using (conversion_id) join frozen_orders using (order_key)) as frozen
    from (
        select conversion_type = 'visit' as is_visit,
            order_key in (select order_key from shares)
            or order_key in (select order_key from frozen_orders) as is_credited
        from orders
        join conversions using (conversion_id)
    )
"""


def _write(run: OpenRun, memory: duckdb.DuckDBPyConnection, folder: Path) -> AttributionResult:
    mondays = [item.first_on for item in list_partitions(run.connection) if item.table == "listener_events"]
    memory.execute(_FRESH)
    memory.execute(_IDENTIFIED)
    memory.execute(_FROZEN, {"mondays": mondays or [date(1970, 1, 5)]})
    memory.execute(_CHANGED)
    gone = [(key, at.replace(tzinfo=UTC)) for key, at in memory.execute(_GONE).fetchall()]
    removed = delete_credits(run.connection, run.owner_id, gone)
    written = copy_credits(run.connection, write_rows(memory, folder, run.run_id))
    result = replace(_summarise(memory, run.run_id), written=written, removed=removed)
    result = replace(result, unchanged=result.unchanged - written)
    _note(run, memory, result)
    return result


def _summarise(memory: duckdb.DuckDBPyConnection, run_id: UUID) -> AttributionResult:
    row = memory.execute(_SUMMARY).fetchone()
    orders, attributed, visits, attributed_visits, frozen = map(int, row or (0,) * 5)
    methods = memory.execute(_BY_METHOD).fetchall()
    whole = _count(memory, "select count(*) from identified anti join frozen_orders using (order_key)")
    return AttributionResult(
        run_id=run_id,
        orders=orders,
        attributed=attributed,
        unattributed=orders - attributed,
        visits=visits,
        attributed_visits=attributed_visits,
        written=0,
        removed=0,
        unchanged=whole,
        frozen=frozen,
        methods={str(name): int(count) for name, count in methods},
    )


def _count(memory: duckdb.DuckDBPyConnection, query: str) -> int:
    row = memory.execute(query).fetchone()
    return int(row[0]) if row else 0


def _note(run: OpenRun, memory: duckdb.DuckDBPyConnection, result: AttributionResult) -> None:
    names = ("orders", "attributed", "unattributed", "visits", "attributed_visits", "written", "removed", "unchanged")
    run.counts |= {name: getattr(result, name) for name in (*names, "frozen")}
    run.counts |= {f"method_{name}": count for name, count in result.methods.items()}
    for dataset, table in (
        ("conversions", "conversions"),
        ("listener_events", "listening"),
        ("campaigns", "campaigns"),
    ):
        run.uses.append(DatasetUse("input", dataset, "account", _count(memory, f"select count(*) from {table}")))
    run.uses.append(DatasetUse("output", "attribution_events", "account", result.written))
