"""The dashboard: the account's figures for some days, each beside the days before and with how it is counted."""

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from castline.base.clock import now
from castline.base.errors import InvalidInput
from castline.catalogue.metrics import load_metrics
from castline.measure.methodology import iter_deviations, iter_rules
from castline.model.query import Comparison
from castline.report.charts import ChartStyle, render_daily_chart
from castline.store.provenance.measure_settings import load_live_settings, load_stretches
from castline.web.context import context_of
from castline.web.pages.board_data import load_board
from castline.web.pages.releases import render_release_chart
from castline.web.pages.render import render_page
from castline.web.pages.signed_in import Visitor
from castline.web.query import RANGES

router: Final = APIRouter(include_in_schema=False)
CHART: Final = ChartStyle(width=960, height=240, family="inherit", font_size=12)
COMPARISON_NAMES: Final[dict[Comparison, str]] = {
    "previous": "the days before",
    "weekdays": "the same weekdays before",
    "year": "the year before",
    "year_weekdays": "52 weeks before",
    "release_aligned": "the release before",
    "none": "nothing",
}
# Figures of this page alone.
_HOW: Final = {"episodes": "count of episodes with at least one download in the days"}


@router.get("/")
def show_board(request: Request, visitor: Visitor) -> Response:
    """The dashboard for the days and the show in the address; what cannot be understood there is said, not guessed."""
    context = context_of(request)
    parameters = {name: value for name, value in request.query_params.items() if value}
    problem = ""
    try:
        board = load_board(context.store, context.cache, visitor.access.owner_id, parameters, at=now())
    except InvalidInput as error:
        problem = error.message
        board = load_board(context.store, context.cache, visitor.access.owner_id, {}, at=now())
    facts = {
        "board": board,
        "problem": problem,
        "ranges": RANGES,
        "chart": render_daily_chart(board.days, CHART, marks=[item.first_on for item in board.annotations]),
        "release_chart": render_release_chart(board.releases),
        "comparisons": COMPARISON_NAMES,
        "how": {name: metric.formula for name, metric in load_metrics().items()} | _HOW,
    }
    return render_page(request, "board.html", facts, status=422 if problem else 200)


@router.get("/method")
def show_method(request: Request, visitor: Visitor) -> Response:
    """How every figure is counted, and by which settings the account's downloads are."""
    owner_id = visitor.access.owner_id
    with context_of(request).store.snapshot(owner_id) as connection:
        settings, stretches = load_live_settings(connection, owner_id), load_stretches(connection, owner_id)
    facts = {
        "metrics": load_metrics().values(),
        "settings": settings,
        "rules": list(iter_rules(settings)),
        "deviations": list(iter_deviations(settings)),
        "stretches": stretches,
    }
    return render_page(request, "method.html", facts)
