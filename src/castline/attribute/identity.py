"""The same person seen twice: a conversion that says nothing of a campaign, after one that did."""

from castline.attribute.window import WINDOW_SQL
from castline.model.vocab import AttributionMethod


def known_again(method: AttributionMethod, keys: tuple[str, ...], strength: int) -> str:
    """Touches of conversions whose person (by any of the columns `keys`) bore a campaign's key up to a window before.

    The sponsor has to be the same, and known.
    """
    return " union all ".join(_known_by(method, key, strength) for key in keys)


def _known_by(method: AttributionMethod, key: str, strength: int) -> str:
    return f"""
        select later.conversion_id, told.campaign_id, '{method}' as method, '{key}' as matched_key,
            {strength} as strength, 'confirmed' as tier, 1 as probability, told.touched_at,
            null::uuid as listener_event_id, null::uuid as episode_id, null::timestamp as evidence_from,
            null::integer as consumer_count, earlier.conversion_id as via_conversion_id
        from conversions as later
        join conversions as earlier
            on earlier.{key} = later.{key}
            and earlier.known_sponsor_id = later.known_sponsor_id
            and earlier.occurred_at < later.occurred_at
            and earlier.occurred_at >= later.occurred_at - {WINDOW_SQL}
        join told on told.conversion_id = earlier.conversion_id
    """
