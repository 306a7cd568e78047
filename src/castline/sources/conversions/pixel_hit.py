"""One hit of a pixel: what a sponsor's page says in an address, with the facts of the request around it.

Parameters go by any name that `castline.sources.conversions.fields` knows (`order_id`, `value`, `currency`, `code`,
`utm_campaign`, ...), beside `dl`, the page's own address, `dr`, the page's referrer, and `at`, the time of an event
that is told later than it happened. Others are ignored: cache
busters and the parameters of other pixels come along in practice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

from castline.base.errors import InvalidInput
from castline.base.text import normalise_name
from castline.sources.conversions.fields import FIELD_OF, Parsed, Reading, parse_facts, parse_time

_UTM: Final = ("utm_source", "utm_medium", "utm_campaign")
# What a page may not say of itself: these come from the request, or from the campaign whose pixel it is.
_NOT_FROM_PAGES: Final = frozenset({"occurred_at", "campaign", "sponsor", "ip_address", "user_agent", "email"})
_ORDER_SIGNS: Final = ("order_id", "conversion_value")
_ADDRESS_LENGTH: Final = 2048
_LATE: Final = timedelta(days=120)  # the longest window of attribution is 90 days, and reports are made after it
_CLOCK_SKEW: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class PixelHit:
    """A request for a pixel. Where the browser asked for privacy, `address` and `user_agent` are None."""

    hit_id: UUID
    campaign_id: UUID
    occurred_at: datetime
    parameters: dict[str, str]
    address: str | None
    user_agent: str | None
    referrer: str | None
    asked_for_privacy: bool


def parse_hit(hit: PixelHit, sponsor: str) -> Parsed:
    """The visit, order or other conversion that a hit tells of. Raises InvalidInput with the field.

    An order id or a value makes it a purchase unless its type is given, anything else is a visit. UTM values come from
    the parameters, else from the page's address.
    """
    facts: dict[str, object] = {}
    for name, value in hit.parameters.items():
        target = FIELD_OF.get(normalise_name(name))
        if target is not None and target not in _NOT_FROM_PAGES and value.strip():
            facts.setdefault(target, value)
    page = (hit.parameters.get("dl") or hit.referrer or "")[:_ADDRESS_LENGTH]
    facts = _utm_of(page) | facts
    facts.setdefault("conversion_type", "purchase" if any(sign in facts for sign in _ORDER_SIGNS) else "visit")
    if "order_id" not in facts:
        # An order is known by its id however often its page is loaded; anything else by the hit.
        facts.setdefault("source_key", str(hit.hit_id))
    facts |= {
        "occurred_at": _occurred_at(hit).isoformat(),
        "sponsor": sponsor,
        "ip_address": hit.address,
        "user_agent": hit.user_agent,
        "referrer": (hit.parameters.get("dr") or page or "")[:_ADDRESS_LENGTH] or None,
        "metadata": _metadata(hit, page),
    }
    return parse_facts(facts, Reading())


def _occurred_at(hit: PixelHit) -> datetime:
    """The request's own time, or the time that it tells of a while later."""
    told = hit.parameters.get("at", "").strip()
    if not told:
        return hit.occurred_at
    moment = parse_time(told, UTC)
    if not hit.occurred_at - _LATE <= moment <= hit.occurred_at + _CLOCK_SKEW:
        raise InvalidInput(field="at", detail=f"{told[:60]!r} is in the future or more than {_LATE.days} days ago")
    return moment


def _utm_of(page: str) -> dict[str, object]:
    try:
        query = urlsplit(page).query
    except ValueError:
        return {}
    found: dict[str, object] = {}
    for name, value in parse_qsl(query, max_num_fields=100) if query.count("&") < 100 else ():  # noqa: PLR2004  # as above
        if name in _UTM and value.strip():
            found.setdefault(name, value)
    return found


def _metadata(hit: PixelHit, page: str) -> Mapping[str, object]:
    facts: dict[str, object] = {"pixel_id": str(hit.campaign_id)}
    if page:
        facts["page"] = page.partition("#")[0]
    return facts | ({"privacy": "asked for"} if hit.asked_for_privacy else {})
