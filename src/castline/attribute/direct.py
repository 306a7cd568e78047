"""Identity or campaign named by the advertiser itself: the campaign's id, or a customer it knows.

A customer is known by the hash of the e-mail address or by the advertiser's own number.
"""

from typing import Final

from castline.attribute.identity import known_again
from castline.attribute.method import SAID, Method

METHOD: Final = Method(
    "direct",
    # Whoever names the campaign knows better than a window; only before its start nothing can come of it.
    told=f"""
        select conversions.conversion_id, campaigns.campaign_id, 'direct' as method, 'campaign_id' as matched_key,
            3 as strength, {SAID}
        from conversions
        join campaigns using (campaign_id)
        where conversions.occurred_at >= campaigns.start_at
            and (conversions.sponsor_id is null or conversions.sponsor_id = campaigns.sponsor_id)
    """,
    matched=known_again("direct", ("email_hash", "external_user_id"), 4),
)
