"""Conversions matched with listening or with an earlier visit: by device, by session, by household.

A household is an address. What it is worth depends on how many it serves: up to four consumers (user agents that
listened there, or people who converted there) are one household; with more, the listener and the buyer are less likely
the same, and from forty on an address says nothing.
"""

from typing import Final

from castline.attribute.identity import known_again
from castline.attribute.method import Method
from castline.attribute.window import WINDOW_SQL

HOUSEHOLD_CONSUMERS: Final = 4  # a phone, a tablet, a speaker and a computer
CROWD_CONSUMERS: Final = 40
BEST_PROBABILITY: Final = "0.95"  # a visitor, a neighbour's Wi-Fi, an address that moved on
CONFIRMED_PROBABILITY: Final = "0.9"

_KNOWN_DEVICES: Final = known_again("pixel", ("device_id", "session_id"), 6)

_HEARD_BY_DEVICE: Final = " union all ".join(
    f"""
        select conversions.conversion_id, exposures.campaign_id, 'pixel' as method, '{key}' as matched_key,
            6 as strength, 'confirmed' as tier, 1 as probability, exposures.heard_at as touched_at,
            exposures.event_id as listener_event_id, exposures.episode_id, exposures.heard_at as evidence_from,
            null::integer as consumer_count, null::uuid as via_conversion_id
        from conversions
        join exposures
            on exposures.{key} = conversions.{key}
            and exposures.sponsor_id = conversions.known_sponsor_id
            and exposures.heard_at < conversions.occurred_at
            and exposures.heard_at >= conversions.occurred_at - {WINDOW_SQL}
    """
    for key in ("device_id", "session_id")
)

_HEARD_AT_HOME: Final = f"""
    select households.conversion_id, exposures.campaign_id, 'pixel' as method, 'household' as matched_key,
        case when households.probability >= {CONFIRMED_PROBABILITY} then 7 else 8 end as strength,
        case when households.probability >= {CONFIRMED_PROBABILITY} then 'confirmed' else 'modeled' end as tier,
        households.probability, exposures.heard_at as touched_at, exposures.event_id as listener_event_id,
        exposures.episode_id, households.evidence_from, households.consumer_count, null::uuid as via_conversion_id
    from households
    join exposures
        on exposures.listener_key = households.listener_key
        and exposures.sponsor_id = households.known_sponsor_id
        and exposures.heard_at < households.occurred_at
        and exposures.heard_at >= households.occurred_at - {WINDOW_SQL}
"""

# Run before the methods: what each address is worth at the moment of each conversion. Addresses that are crowded on
# one day alone are left out first, so that a shared exit of a mobile network is never joined agent by agent.
HOUSEHOLD_STEPS: Final = (
    f"""
    create temp table keyed as
    select conversion_id, known_sponsor_id, occurred_at, listener_key,
        (occurred_at - {WINDOW_SQL})::date as first_on, occurred_at::date as last_on,
        coalesce(email_hash, 'u ' || external_user_id, 'd ' || device_id) as person
    from conversions
    where listener_key is not null
    """,
    f"""
    create temp table crowded_days as
    select listener_key, heard_on
    from agents
    group by listener_key, heard_on
    having count(*) > {CROWD_CONSUMERS}
    """,
    """
    create temp table quiet as
    select keyed.*
    from keyed
    anti join crowded_days
        on crowded_days.listener_key = keyed.listener_key
        and crowded_days.heard_on between keyed.first_on and keyed.last_on
    """,
    """
    create temp table agent_counts as
    select quiet.conversion_id, count(distinct agents.agent) as agent_count, min(agents.heard_at) as evidence_from
    from quiet
    join agents
        on agents.listener_key = quiet.listener_key
        and agents.heard_on between quiet.first_on and quiet.last_on
    group by quiet.conversion_id
    """,
    """
    create temp table people as
    select distinct listener_key, last_on, person
    from keyed
    where person is not null
    """,
    """
    create temp table people_counts as
    select days.listener_key, days.last_on, count(distinct people.person) as person_count
    from (select distinct listener_key, first_on, last_on from quiet) as days
    join people
        on people.listener_key = days.listener_key
        and people.last_on between days.first_on and days.last_on
    group by days.listener_key, days.last_on
    """,
    f"""
    create temp table households as
    select quiet.conversion_id, quiet.known_sponsor_id, quiet.occurred_at, quiet.listener_key, evidence_from,
        greatest(agent_count, coalesce(person_count, 0))::integer as consumer_count,
        (
            {BEST_PROBABILITY} * least(1, {HOUSEHOLD_CONSUMERS} / greatest(agent_count, coalesce(person_count, 0), 1))
        )::decimal(6, 5) as probability
    from quiet
    join agent_counts using (conversion_id)
    left join people_counts using (listener_key, last_on)
    where greatest(agent_count, coalesce(person_count, 0)) <= {CROWD_CONSUMERS}
    """,
)

METHOD: Final = Method("pixel", matched=f"{_KNOWN_DEVICES} union all {_HEARD_BY_DEVICE} union all {_HEARD_AT_HOME}")
