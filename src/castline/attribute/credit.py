"""One order, one credit: conversions become orders, and an order's strongest touches share it equally.

Method: docs/method/attribution.md
"""

from typing import Final

import duckdb

from castline.attribute.method import TOUCH_COLUMNS, Method

# A conversion whose sponsor nobody named has the one whose campaigns its own keys name, if they name one sponsor's.
_KNOWN_SPONSORS: Final = """
    create temp table named_sponsors as
    select conversion_id, any_value(sponsor_id) as sponsor_id
    from said
    join campaigns using (campaign_id)
    group by conversion_id
    having count(distinct sponsor_id) = 1
"""
_SPONSORED: Final = """
    update conversions
    set known_sponsor_id = coalesce(conversions.sponsor_id, named_sponsors.sponsor_id)
    from (
        select conversion_id, named_sponsors.sponsor_id
        from conversions
        left join named_sponsors using (conversion_id)
    ) as named_sponsors
    where named_sponsors.conversion_id = conversions.conversion_id
"""
_TOLD: Final = """
    create temp table told as
    select said.*
    from said
    join campaigns using (campaign_id)
    join conversions using (conversion_id)
    where conversions.known_sponsor_id = campaigns.sponsor_id
"""

# One order however many doors told of it; visits and conversions without a number are each their own. The earliest
# telling that has a value is the one that counts, and the earliest of all says when it was.
_ORDERS: Final = (
    """
    create temp table members as
    select conversion_id,
        case
            when order_id is not null and conversion_type <> 'visit' and known_sponsor_id is not null
            then known_sponsor_id::varchar || ' ' || order_id
            else conversion_id::varchar
        end as order_key
    from conversions
    """,
    """
    create temp table orders as
    select order_key, min(occurred_at) as occurred_at, count(*) as told_count,
        arg_min(
            conversion_id, {'has_none': conversion_value is null, 'at': occurred_at, 'id': conversion_id::varchar}
        ) as conversion_id
    from members
    join conversions using (conversion_id)
    group by order_key
    """,
)

# Of an order's touches only the strongest count, and of those one stands for each campaign: the last before the order.
_SHARES: Final = (
    """
    create temp table strongest as
    select order_key, touches.*
    from touches
    join members using (conversion_id)
    qualify strength = min(strength) over (partition by order_key)
    """,
    """
    create temp table chosen as
    select *, count(*) over (partition by order_key, campaign_id) as touch_count,
        min(touched_at) over (partition by order_key, campaign_id) as first_touched_at,
        min(evidence_from) over (partition by order_key) as order_evidence_from
    from strongest
    qualify row_number() over (
        partition by order_key, campaign_id
        order by touched_at desc, matched_key, listener_event_id, via_conversion_id, conversion_id
    ) = 1
    """,
    # Equal weights: every share is the same number of units, and the leftover units go to the smaller ids, as in
    # castline.base.money.split_by_weight.
    """
    create temp table shares as
    select *,
        (
            10000000000 // count(*) over (partition by order_key)
            + case
                when row_number() over (partition by order_key order by campaign_id::varchar)
                    <= 10000000000 % count(*) over (partition by order_key)
                then 1
                else 0
            end
        )::bigint as credit_units
    from chosen
    """,
)


def find_touches(memory: duckdb.DuckDBPyConnection, methods: tuple[Method, ...]) -> None:
    """The table `touches` holds what every method found, and every conversion's sponsor is known where it can be."""
    memory.execute(f"create temp table said ({', '.join(TOUCH_COLUMNS)})")
    for method in methods:
        if method.told:
            memory.execute(f"insert into said by name {method.told}")
    memory.execute("alter table conversions add column known_sponsor_id uuid")
    for statement in (_KNOWN_SPONSORS, _SPONSORED, _TOLD):
        memory.execute(statement)


def match_touches(memory: duckdb.DuckDBPyConnection, methods: tuple[Method, ...]) -> None:
    """The table `touches` also holds the conversions whose person or household was known again."""
    memory.execute("create temp table touches as from told")
    for method in methods:
        if method.matched:
            memory.execute(f"insert into touches by name {method.matched}")


def share_credit(memory: duckdb.DuckDBPyConnection) -> None:
    """The table `shares` has one row per order and credited campaign; an order's shares sum to 1 exactly."""
    for statement in (*_ORDERS, *_SHARES):
        memory.execute(statement)
