"""Conversions that came by a campaign's link.

The most specific value that the campaign names has to be the same (utm_campaign, or utm_source where it names no
utm_campaign); of the others none may contradict.
"""

from typing import Final

from castline.attribute.method import IN_TIME, LATEST, SAID, Method

METHOD: Final = Method(
    "utm",
    told=f"""
        select conversions.conversion_id, campaigns.campaign_id, 'utm' as method,
            case when campaigns.utm_campaign is null then 'utm_source' else 'utm_campaign' end as matched_key,
            2 as strength, {SAID}
        from conversions
        join utm_keys using (conversion_id)
        join campaigns using (utm_key)
        where coalesce(campaigns.utm_source = lower(trim(conversions.utm_source)), true)
            and coalesce(campaigns.utm_medium = lower(trim(conversions.utm_medium)), true)
            and {IN_TIME}
        {LATEST}
    """,
)
