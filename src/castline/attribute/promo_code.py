"""Orders that bear a campaign's promo code, in any case and among others."""

from typing import Final

from castline.attribute.method import IN_TIME, LATEST, SAID, Method

METHOD: Final = Method(
    "promo_code",
    told=f"""
        select conversions.conversion_id, campaigns.campaign_id, 'promo_code' as method, 'promo_code' as matched_key,
            1 as strength, {SAID}
        from conversions
        join codes using (conversion_id)
        join campaigns on campaigns.promo_code = codes.code
        where {IN_TIME}
        {LATEST}
    """,
)
