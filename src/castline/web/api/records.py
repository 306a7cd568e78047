"""/api/v1: conversions in, campaigns and requests out. Every request acts for the account of its key."""

from datetime import date
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query
from starlette.requests import Request
from starlette.responses import Response

from castline.base.clock import now
from castline.model.campaign import Campaign
from castline.model.listening import VerdictCount
from castline.model.roi import RoiFigures
from castline.roi.compute import compute_roi
from castline.store.entities.campaigns import find_campaign, load_campaigns
from castline.store.listening.downloads import load_waterfall
from castline.store.payload import encode_json
from castline.web.api.delivery import DELIVERY_SCHEMA, DeliveryResult, receive_delivery
from castline.web.api.etag import answer_json
from castline.web.api.key_access import Reader, Writer
from castline.web.api.openapi import describe_refusals
from castline.web.context import context_of
from castline.web.query import MetricQuery

router: Final = APIRouter(prefix="/api/v1")
_REFUSALS: Final = describe_refusals(401, 403, 422, 429, 503)
_MISSING: Final = describe_refusals(401, 403, 404, 422, 429, 503)


async def read_body(request: Request) -> bytes:
    """The body as it came, for its hash is the delivery's identity."""
    return await request.body()


@router.post(
    "/conversions",
    tags=["conversions"],
    summary="Tell of orders, sign-ups, visits and refunds",
    response_model=DeliveryResult,
    responses=describe_refusals(401, 403, 413, 422, 429, 503),
    openapi_extra={"requestBody": DELIVERY_SCHEMA},
)
def receive(
    request: Request,
    response: Response,
    key: Writer,
    body: Annotated[bytes, Depends(read_body)],
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=255)] = None,
) -> Response:
    """One conversion, a list, or `{"conversions": [...]}`. What is answered is committed.

    A refused record does not stop the others: it is counted, named with its field, and kept in quarantine. The same
    record again is a duplicate and changes nothing, with or without an `Idempotency-Key`.
    """
    answer = receive_delivery(context_of(request), key, body, idempotency_key)
    headers = dict(response.headers) | answer.headers
    return Response(encode_json(answer.body), answer.status, headers, media_type=answer.media_type)


@router.get(
    "/campaigns", tags=["figures"], summary="Every campaign", response_model=list[Campaign], responses=_REFUSALS
)
def list_campaigns(request: Request, response: Response, key: Reader) -> Response:
    """The campaigns of the key's account, newest flight first."""
    with context_of(request).store.account(key.user_id) as connection:
        campaigns = load_campaigns(connection, key.user_id)
    return answer_json(request, response, campaigns)


@router.get(
    "/campaigns/{campaign_id}/roi",
    tags=["figures"],
    summary="What a campaign cost and brought",
    response_model=RoiFigures,
    responses=_MISSING,
)
def show_roi(request: Request, response: Response, key: Reader, campaign_id: UUID) -> Response:
    """The campaign's figures as of now, in its currency; exact numbers, to the minor unit."""
    with context_of(request).store.account(key.user_id) as connection:
        campaign = find_campaign(connection, key.user_id, str(campaign_id))
        figures = compute_roi(connection, key.user_id, campaign, as_of=now())
    return answer_json(request, response, figures, volatile=("as_of",))


@router.get(
    "/waterfall",
    tags=["figures"],
    summary="Where every request went",
    response_model=list[VerdictCount],
    responses=_REFUSALS,
)
def show_waterfall(
    request: Request,
    response: Response,
    key: Reader,
    first_on: Annotated[date | None, Query(alias="from")] = None,
    last_on: Annotated[date | None, Query(alias="to")] = None,
) -> Response:
    """Requests by verdict and reason: they sum to the requests received. Without days: over all there are."""
    period = MetricQuery(first_on or date(2000, 1, 1), last_on or now().date()).period if first_on or last_on else None
    with context_of(request).store.account(key.user_id) as connection:
        rows = load_waterfall(connection, key.user_id, period)
    return answer_json(request, response, rows)
