"""/api/v1/metrics and /api/v1/pacing: the one query that page, report and command line ask, for programs."""

from datetime import date
from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from castline.base.errors import InvalidInput, NotFound
from castline.measure.figures.pacing import EpisodePacing, load_pacing
from castline.measure.figures.query import run_query
from castline.model.listening import DailyMetric
from castline.model.query import Answer, Comparison, Dimension, Filters, Grain, Measure, Source
from castline.model.query import Query as Figures
from castline.store.entities.shows import load_podcasts
from castline.store.listening.overview import find_extent
from castline.store.pool import Connection
from castline.web.api.etag import answer_json
from castline.web.api.key_access import Reader
from castline.web.api.openapi import describe_refusals
from castline.web.context import context_of

router: Final = APIRouter(prefix="/api/v1", tags=["figures"])
_REFUSALS: Final = describe_refusals(401, 403, 404, 422, 429, 503)
_Text = Annotated[str, Query(min_length=1, max_length=255)]
_MOST_MEMBERS: Final = 100


def read_filters(  # noqa: PLR0913, PLR0917  # a parameter for each of the address
    show: Annotated[list[UUID] | None, Query(max_length=_MOST_MEMBERS)] = None,
    episode: Annotated[list[UUID] | None, Query(max_length=_MOST_MEMBERS)] = None,
    app: Annotated[list[_Text] | None, Query(max_length=_MOST_MEMBERS)] = None,
    country: Annotated[list[_Text] | None, Query(max_length=_MOST_MEMBERS)] = None,
    device: Annotated[list[_Text] | None, Query(max_length=_MOST_MEMBERS)] = None,
    campaign: Annotated[list[UUID] | None, Query(max_length=_MOST_MEMBERS)] = None,
    source: Annotated[list[Source] | None, Query(max_length=_MOST_MEMBERS)] = None,
) -> Filters:
    """Only these; each may be given several times."""
    return Filters(
        tuple(show or ()),
        tuple(episode or ()),
        tuple(app or ()),
        tuple(code if code == "unknown" else code.upper() for code in country or ()),
        tuple(device or ()),
        tuple(campaign or ()),
        tuple(source or ()),
    )


Filtered = Annotated[Filters, Depends(read_filters)]
FirstDay = Annotated[date, Query(alias="from", description="The first day.")]
LastDay = Annotated[date, Query(alias="to", description="The last day, included.")]
Zone = Annotated[str, Query(description="The time zone whose days are meant, such as Europe/Oslo.")]


@router.get("/metrics", summary="A figure by time and dimension", response_model=Answer, responses=_REFUSALS)
def show_metrics(  # noqa: PLR0913, PLR0917  # a handler has a parameter for each of the address
    request: Request,
    response: Response,
    key: Reader,
    filters: Filtered,
    first_on: FirstDay,
    last_on: LastDay,
    metric: Measure = "downloads",
    dimension: Annotated[list[Dimension] | None, Query(max_length=2)] = None,
    grain: Grain = "none",
    compare: Comparison = "none",
    tz: Zone = "UTC",
) -> Response:
    """The figures, the table they were counted from and how fresh they are, and the same of the days compared with.

    Without dimensions each bucket of the grain has a row: 0 was measured, null was not. Where no table can tell the
    figure, there are no rows and `withheld` says why.
    """
    query = Figures(first_on, last_on, metric, tuple(dimension or ()), grain, tz, filters, compare)
    with context_of(request).store.snapshot(key.user_id) as connection:
        _check_shows(connection, key.user_id, filters)
        answer = run_query(connection, key.user_id, query)
    return answer_json(request, response, answer)


@router.get("/metrics/daily", summary="A metric by day", response_model=list[DailyMetric], responses=_REFUSALS)
def show_daily(  # noqa: PLR0913, PLR0917  # a handler has a parameter for each of the address
    request: Request,
    response: Response,
    key: Reader,
    filters: Filtered,
    first_on: FirstDay,
    last_on: LastDay,
    metric: Measure = "downloads",
    dimension: Literal["total", "episode", "app", "country", "device", "campaign", "source"] = "total",
    tz: Zone = "UTC",
) -> Response:
    """One row per day, show and member of the dimension; a day without any is left out.

    Days are those of the time zone. Where the figures of a part of these days are no longer kept, the answer is a
    problem that says so.
    """
    members: tuple[Dimension, ...] = () if dimension == "total" else (dimension,)
    query = Figures(first_on, last_on, metric, ("show", *members), "day", tz, filters)
    with context_of(request).store.snapshot(key.user_id) as connection:
        _check_shows(connection, key.user_id, filters)
        answer = run_query(connection, key.user_id, query)
    if answer.withheld:
        raise InvalidInput(field="from", detail=answer.withheld.detail)
    rows = [
        DailyMetric(row.start_at.date(), UUID(row.members[0]), metric, dimension, (*row.members, "")[1], row.value)
        for row in answer.rows
        if row.start_at and row.value is not None
    ]
    # By day and show, and there the most first, as the rows stand already.
    return answer_json(request, response, sorted(rows, key=lambda row: (row.day_on, row.podcast_id)))


@router.get(
    "/pacing", summary="Episodes from their release on", response_model=list[EpisodePacing], responses=_REFUSALS
)
def show_pacing(
    request: Request,
    response: Response,
    key: Reader,
    show: Annotated[list[UUID] | None, Query(max_length=_MOST_MEMBERS)] = None,
    as_of: Annotated[date | None, Query(description="As known on this morning; after the last measured day.")] = None,
) -> Response:
    """Each episode's first 1, 3, 7, 30, 60 and 90 days beside the median of its show's others, newest first."""
    filters = Filters(podcast_ids=tuple(show or ()))
    with context_of(request).store.snapshot(key.user_id) as connection:
        _check_shows(connection, key.user_id, filters)
        newest_on = find_extent(connection, key.user_id).last_on
        as_of_on = as_of or (date.fromordinal(newest_on.toordinal() + 1) if newest_on else date(1990, 1, 1))
        rows = load_pacing(connection, key.user_id, as_of_on, filters.podcast_ids or None)
    return answer_json(request, response, rows)


def _check_shows(connection: Connection, owner_id: UUID, filters: Filters) -> None:
    """Every show of the filter is the account's. Raises NotFound."""
    known = {podcast.podcast_id for podcast in load_podcasts(connection, owner_id)} if filters.podcast_ids else set()
    for podcast_id in filters.podcast_ids:
        if podcast_id not in known:
            raise NotFound(noun="show", key=podcast_id, listed_by="feed list")
