"""The pixel: answers at once and always, once the hit is in the log and on the disk; the drain does the rest."""

import logging
import time
from typing import Final
from uuid import UUID, uuid4

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from castline.base.clock import now
from castline.ingest.segment_log import PIXEL, LogWriter, encode_record
from castline.sources.conversions.pixel_hit import PixelHit
from castline.web.context import client_address, context_of
from castline.web.hit_limit import WINDOW_SECONDS

_log = logging.getLogger(__name__)
router: Final = APIRouter(tags=["pixel"])

# The smallest transparent GIF: 43 bytes.
GIF: Final = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")
_HEADERS: Final = {
    "cache-control": "no-store, max-age=0",
    "cross-origin-resource-policy": "cross-origin",
    "tk": "N",
}
_LONGEST: Final = 8_192  # the whole query; browsers and proxies carry no more
_PARAMETERS: Final = 60
_VALUE_LENGTH: Final = 4_096
_USER_AGENT_LENGTH: Final = 500


@router.get("/p/{campaign_id}.gif", response_class=Response, summary="Record a visit or an order on a sponsor's page")
def show_pixel(campaign_id: str, request: Request) -> Response:
    """A transparent GIF of one pixel, whatever comes; the hit is on the disk before it is answered.

    Parameters: `order_id`, `value`, `currency`, `code`, `utm_source`, `utm_medium`, `utm_campaign`, `dl` (the page's
    address), `dr` (its referrer). With an order id or a value it is an order, without one a visit. `Sec-GPC: 1` and
    `DNT: 1` are honoured: address and user agent are not kept, so that nobody can be matched by household. An address
    that brings more than 1,200 hits a minute is answered 429, and its further hits are counted only.
    """
    hit = _read_hit(campaign_id, request)
    status = 200
    if hit is not None and not context_of(request).hit_limit.admits(client_address(request), hit.campaign_id):
        return Response(GIF, 429, media_type="image/gif", headers=_HEADERS | {"retry-after": str(int(WINDOW_SECONDS))})
    if hit is not None:
        try:
            _keep(context_of(request).intake, hit)
        except OSError as error:
            # The page gets its picture all the same, but nobody is told that the hit was taken.
            _log.error("a pixel hit was lost: %s", error)
            status = 503
    return Response(GIF, status, media_type="image/gif", headers=_HEADERS)


def _keep(log: LogWriter, hit: PixelHit) -> None:
    """The hit is on the disk; hits that come together share one sync. Raises OSError where the disk takes no more."""
    # The address stands in the hit, or nowhere: some asked that it not be kept.
    log.wait_synced(log.append([encode_record(PIXEL, time.time_ns() // 1000, b"", msgspec.json.encode(hit))]))


def _read_hit(campaign_id: str, request: Request) -> PixelHit | None:
    try:
        campaign = UUID(campaign_id)
    except ValueError:
        return None
    if len(request.url.query) > _LONGEST:
        return None
    wants_privacy = request.headers.get("sec-gpc") == "1" or request.headers.get("dnt") == "1"
    items = list(request.query_params.items())[:_PARAMETERS]
    return PixelHit(
        hit_id=uuid4(),
        campaign_id=campaign,
        occurred_at=now(),
        parameters={name: value[:_VALUE_LENGTH] for name, value in items},
        address=None if wants_privacy else client_address(request),
        user_agent=None if wants_privacy else (request.headers.get("user-agent") or "")[:_USER_AGENT_LENGTH] or None,
        referrer=request.headers.get("referer"),
        asked_for_privacy=wants_privacy,
    )
