"""Conversions that bear a campaign's own tracking id."""

from typing import Final

from castline.attribute.method import IN_TIME, LATEST, SAID, Method

METHOD: Final = Method(
    "custom",
    told=f"""
        select conversions.conversion_id, campaigns.campaign_id, 'custom' as method,
            'custom_tracking_id' as matched_key, 5 as strength, {SAID}
        from conversions
        join campaigns on campaigns.custom_tracking_id = lower(trim(conversions.custom_tracking_id))
        where {IN_TIME}
        {LATEST}
    """,
)
