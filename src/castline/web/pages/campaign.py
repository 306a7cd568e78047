"""A campaign's page: its report before it is a file, and the files there are. Nothing here is computed a second way."""

from pathlib import Path
from typing import Annotated, Final
from urllib.parse import quote, unquote, urlsplit
from uuid import UUID

from fastapi import APIRouter, Form
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from castline.base.clock import now
from castline.base.errors import NotFound
from castline.model.campaign import Campaign
from castline.model.figures import Document, Figure, ReportFigures
from castline.model.report import Report
from castline.report.build import build_report, prepare_report
from castline.report.charts import render_daily_chart
from castline.report.formats.table import RENDERERS, parse_formats
from castline.report.layout import lay_out_ads
from castline.report.trend import describe_measured, list_marks
from castline.store.entities.campaigns import find_campaign, find_sponsor
from castline.store.entities.shows import find_podcast
from castline.store.folders import make_private_folder
from castline.store.provenance.reports import load_reports
from castline.web.context import Context, context_of
from castline.web.pages.board import CHART
from castline.web.pages.render import render_page
from castline.web.pages.signed_in import Visitor

router: Final = APIRouter(include_in_schema=False)
_SHOWN: Final = ("delivery", "attribution", "return", "audience", "counting", "provenance")
_FILES_SHOWN: Final = 40


@router.get("/campaigns/{campaign_id}")
def show_campaign(request: Request, visitor: Visitor, campaign_id: UUID) -> Response:
    """Delivery, attribution by method, return and provenance, as the report has them at this moment."""
    context, owner_id = context_of(request), visitor.access.owner_id
    campaign = _find(context, owner_id, campaign_id)
    with context.store.account(owner_id) as connection:
        sponsor = find_sponsor(connection, owner_id, str(campaign.sponsor_id))
        show = find_podcast(connection, owner_id, str(campaign.podcast_id))
        files = load_reports(connection, owner_id, campaign_id, row_limit=_FILES_SHOWN)
    at = now()
    document = prepare_report(context.store, owner_id, campaign, at) if campaign.start_date < at else None
    facts = {
        "campaign": campaign,
        "sponsor": sponsor,
        "show": show,
        "document": document,
        "summary": _summary(document),
        "sections": _sections(document),
        "definitions": {item.name: item.explained for item in document.definitions} if document else {},
        "chart": _draw_days(document.figures) if document else "",
        "marks": list_marks(document.figures) if document else (),
        "measured": describe_measured(document.figures.daily) if document else "",
        "files": files,
        "suffixes": {name: renderer.suffix for name, renderer in RENDERERS.items()},
        "pixel_url": f"{context.settings.public_url}/p/{campaign_id}.gif",
        "may_write": visitor.access.may_write,
    }
    return render_page(request, "campaign.html", facts)


@router.post("/campaigns/{campaign_id}/report")
def do_build(
    request: Request,
    visitor: Visitor,
    campaign_id: UUID,
    format: Annotated[str, Form(max_length=40)],  # noqa: A002
) -> Response:
    """The report is built in one format, and the browser goes on to the file."""
    if not visitor.access.may_write:
        raise HTTPException(403, "A viewer may read reports and not build them.")
    context, owner_id = context_of(request), visitor.access.owner_id
    campaign = _find(context, owner_id, campaign_id)
    data_dir = context.settings.data_dir
    folder = make_private_folder(data_dir, data_dir / "reports" / str(owner_id))
    [report, *_] = build_report(context.store, owner_id, campaign, parse_formats(format), folder)
    return RedirectResponse(f"/reports/{report.report_id}", 303)


@router.get("/reports/{report_id}")
def show_report(request: Request, visitor: Visitor, report_id: UUID) -> Response:
    """The file as it was built, if it still lies where it was put."""
    context, owner_id = context_of(request), visitor.access.owner_id
    with context.store.account(owner_id) as connection:
        found = [report for report in load_reports(connection, owner_id) if report.report_id == report_id]
    if not found:
        raise NotFound(noun="report", key=report_id)
    path = _path_of(found[0])
    try:
        content = path.read_bytes()
    except OSError:
        raise HTTPException(410, "The file is no longer where it was built. Build the report again.") from None
    kind = RENDERERS[found[0].format]
    headers = {
        "content-disposition": f"attachment; filename*=UTF-8''{quote(path.name)}",
        "content-security-policy": "default-src 'none'; sandbox",
    }
    return Response(content, media_type=kind.media_type, headers=headers)


def _find(context: Context, owner_id: UUID, campaign_id: UUID) -> Campaign:
    with context.store.account(owner_id) as connection:
        return find_campaign(connection, owner_id, str(campaign_id))


def _path_of(report: Report) -> Path:
    return Path(unquote(urlsplit(report.file_url or "").path))


def _summary(document: Document | None) -> list[Figure]:
    """The report's figures at a glance, with the ads that its placements tell of behind the downloads."""
    if document is None:
        return []
    first, *others = document.section("summary").figures
    return [first, lay_out_ads(document.figures), *others]


def _draw_days(figures: ReportFigures) -> str:
    series = [(day.day_on, day.downloads) for day in figures.daily]
    return render_daily_chart(series, CHART, marks=list_marks(figures))


def _sections(document: Document | None) -> list[object]:
    return [document.section(name) for name in _SHOWN] if document else []
