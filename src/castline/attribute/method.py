"""What a method of attribution is: how it finds the campaigns that a conversion was touched by.

A method speaks SQL over named tables of one account: `conversions` with `codes` and `utm_keys`, `campaigns`,
`exposures`, `households`, and for `matched` also `told`, the touches that conversions say themselves. Its queries give
touches: one row per conversion and campaign, or more.
"""

from dataclasses import dataclass
from typing import Final

from castline.model.vocab import AttributionMethod

# The columns of a touch. `strength`: of an order's touches only the strongest count, 1 is strongest. `touched_at`: when
# the campaign was met. `evidence_from`: the earliest raw row that the touch rests on, null where it rests on none.
TOUCH_COLUMNS: Final = (
    "conversion_id uuid",
    "campaign_id uuid",
    "method varchar",
    "matched_key varchar",
    "strength integer",
    "tier varchar",
    "probability decimal(6, 5)",
    "touched_at timestamp",
    "listener_event_id uuid",
    "episode_id uuid",
    "evidence_from timestamp",
    "consumer_count integer",
    "via_conversion_id uuid",
)


@dataclass(frozen=True, slots=True)
class Method:
    """One method. `told` reads what the conversion itself says; `matched` knows its person again somewhere else."""

    name: AttributionMethod
    told: str | None = None
    matched: str | None = None


# What a conversion says is taken as said: confirmed, with probability 1, and it rests on no raw listening.
SAID: Final = """'confirmed' as tier, 1 as probability, conversions.occurred_at as touched_at,
    null::uuid as listener_event_id, null::uuid as episode_id, null::timestamp as evidence_from,
    null::integer as consumer_count, null::uuid as via_conversion_id"""

# A key of a campaign is good from the campaign's start until a window after its end: episodes are heard late.
IN_TIME: Final = """conversions.occurred_at >= campaigns.start_at and conversions.occurred_at < campaigns.tail_at
    and (conversions.sponsor_id is null or conversions.sponsor_id = campaigns.sponsor_id)"""

# Two campaigns of a sponsor with one key: the later one took it over.
LATEST: Final = """qualify campaigns.start_at =
    max(campaigns.start_at) over (partition by conversions.conversion_id, campaigns.sponsor_id)"""
