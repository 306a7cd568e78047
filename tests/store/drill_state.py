"""What an account's data are, apart from the ids that every account has of its own: what a drill compares."""

from typing import Any, Final
from uuid import UUID

from castline.store.pool import Store

_QUERIES: Final = {
    "batches": """
        select kind, source, encode(content_hash, 'hex'), received_count, accepted_count, refused_count,
            first_at, last_at
        from batches where user_id = %(tenant)s
    """,
    "quarantine": """
        select batches.source, line_number, reason, detail, payload
        from quarantine join batches using (batch_id) where quarantine.user_id = %(tenant)s
    """,
    "dirty_days": "select day_on from dirty_days where user_id = %(tenant)s",
    "listener_events": """
        select event.timestamp, guid, event_type, platform, country_code, device_type, device_os, user_agent,
            ip_address, event.metadata
        from my_listener_events as event left join episodes using (episode_id)
    """,
    "hourly_metrics": """
        select hour_at, podcasts.title, metric, dimension, coalesce(guid, member), value
        from my_hourly_metrics join podcasts using (podcast_id) left join episodes on episode_id::text = member
    """,
    "daily_metrics": """
        select day_on, podcasts.title, metric, dimension, coalesce(guid, member), value
        from my_daily_metrics join podcasts using (podcast_id) left join episodes on episode_id::text = member
    """,
    "request_verdicts": """
        select day_on, batches.source, guid, verdict, reason, request_count
        from request_verdicts join batches using (batch_id) left join episodes using (episode_id)
        where request_verdicts.user_id = %(tenant)s
    """,
    "conversions": """
        select source, occurred_at, conversion_type, order_id, conversion_value, currency, promo_code,
            utm_source, utm_medium, utm_campaign, custom_tracking_id, sponsors.name
        from conversions left join sponsors using (sponsor_id) where conversions.user_id = %(tenant)s
    """,
    "refunds": """
        select source, order_id, occurred_at, amount, currency, reason
        from refunds where user_id = %(tenant)s
    """,
    "exchange_rates": "select base, quote, rate_on, rate from exchange_rates where user_id = %(tenant)s",
    "attribution_events": """
        select event.timestamp, campaigns.name, guid, attribution_method, attribution_data, conversion_data, credit,
            tier, probability, model_version, conversions.order_id
        from my_attribution_events as event
        join campaigns using (campaign_id)
        join conversions using (conversion_id)
        left join episodes on episodes.episode_id = event.episode_id
    """,
}


def load_state(store: Store, owner_id: UUID) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of the account's data, without ids and keys that are the account's own, in one order.

    A key that a source did not give is a hash with the sponsor's id in it, so it is one of these.
    """
    with store.account(owner_id) as connection:
        return {
            name: sorted(connection.execute(query, {"tenant": owner_id}).fetchall(), key=repr)
            for name, query in _QUERIES.items()
        }
