"""/api/v1/ad-plays: what players say they played of ads, for programs."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from castline.measure.figures.ad_plays import AdPlays, compute_ad_plays
from castline.model.query import Filters
from castline.model.query import Query as Figures
from castline.store.entities.campaigns import find_campaign
from castline.store.entities.shows import find_podcast
from castline.web.api.etag import answer_json
from castline.web.api.figures import FirstDay, LastDay, Zone
from castline.web.api.key_access import Reader
from castline.web.api.openapi import describe_refusals
from castline.web.context import context_of

router: Final = APIRouter(prefix="/api/v1", tags=["figures"])
_REFUSALS: Final = describe_refusals(401, 403, 404, 422, 429, 503)
_MOST: Final = 100


@router.get("/ad-plays", summary="Ads that players say they played", response_model=AdPlays, responses=_REFUSALS)
def show_ad_plays(  # noqa: PLR0913, PLR0917  # a handler has a parameter for each of the address
    request: Request,
    response: Response,
    key: Reader,
    first_on: FirstDay,
    last_on: LastDay,
    show: Annotated[list[UUID] | None, Query(max_length=_MOST)] = None,
    campaign: Annotated[list[UUID] | None, Query(max_length=_MOST)] = None,
    tz: Zone = "UTC",
) -> Response:
    """By campaign the plays that began on these days, and how many came to each quarter and to the end.

    A row without a campaign holds the plays whose campaign nobody knows. Without rows no player told of any.
    """
    query = Figures(first_on, last_on, tz=tz, filters=Filters(tuple(show or ()), campaign_ids=tuple(campaign or ())))
    with context_of(request).store.snapshot(key.user_id) as connection:
        for podcast_id in query.filters.podcast_ids:
            find_podcast(connection, key.user_id, str(podcast_id))
        for campaign_id in query.filters.campaign_ids:
            find_campaign(connection, key.user_id, str(campaign_id))
        found = compute_ad_plays(connection, key.user_id, query)
    return answer_json(request, response, found)
