"""A campaign's report: figures collected, checked a second time, laid out once, rendered in every format asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

from castline.base.clock import now
from castline.model.campaign import Campaign
from castline.model.figures import Document
from castline.model.lineage import DatasetUse
from castline.model.report import Report
from castline.model.vocab import ReportFormat
from castline.report.collect import collect_figures
from castline.report.files import name_part, staged
from castline.report.formats.table import RENDERERS
from castline.report.frozen import freeze_figures
from castline.report.layout import lay_out
from castline.report.recompute import check_arithmetic
from castline.store.pool import Store
from castline.store.provenance.ledger import OpenRun, open_run
from castline.store.provenance.reports import save_report

JOB: Final = "report.build"
TEMPLATE: Final = "sponsor_report/1"


@dataclass(frozen=True, slots=True)
class _File:
    """One rendered file and where it lies."""

    format: ReportFormat
    path: Path
    content: bytes


def build_report(  # noqa: PLR0913  # who, what, how, where and when
    store: Store,
    owner_id: UUID,
    campaign: Campaign,
    formats: Sequence[ReportFormat],
    output_dir: Path,
    *,
    as_of: datetime | None = None,
) -> list[Report]:
    """One file per format lies in the folder, each with its row, all in one run.

    The same figures give the same bytes. Raises FiguresDiffer if a second computation disagrees, OutputUnavailable if
    the folder cannot be written; then no file and no row is left.
    """
    moment = (as_of or now()).replace(microsecond=0)
    parameters = {"campaign_id": str(campaign.campaign_id), "formats": list(formats), "as_of": moment.isoformat()}
    with staged(output_dir.absolute()) as staging:
        with open_run(store, owner_id, JOB, role="app", parameters=parameters) as run:
            document = prepare_report(store, owner_id, campaign, moment)
            reports = []
            for name in formats:
                content = RENDERERS[name].render(document)
                path = staging.write(name_file(document, name), content)
                reports.append(_record(run, document, _File(name, path, content)))
            _note_uses(run, document, reports)
            staging.publish()
        return reports


def prepare_report(store: Store, owner_id: UUID, campaign: Campaign, as_of: datetime) -> Document:
    """The campaign's report before it has a format: what a page shows and files hold. Raises FiguresDiffer."""
    figures = collect_figures(store, owner_id, campaign, as_of)
    check_arithmetic(figures)
    return lay_out(figures)


def name_file(document: Document, name: ReportFormat) -> str:
    """The file's name: sponsor, campaign, day and report id."""
    subject = document.figures.subject
    parts = (name_part(subject.sponsor), name_part(subject.campaign), f"{document.figures.as_of:%Y-%m-%d}")
    return f"{'_'.join(parts)}_{document.report_id}.{RENDERERS[name].suffix}"


def _record(run: OpenRun, document: Document, file: _File) -> Report:
    figures = document.figures
    report = Report(
        report_id=uuid4(),
        user_id=run.owner_id,
        campaign_id=figures.subject.campaign_id,
        template_id=TEMPLATE,
        report_type="sponsor_report",
        format=file.format,
        file_url=file.path.as_uri(),
        file_size_bytes=len(file.content),
        includes_roi=True,
        includes_attribution=True,
        includes_benchmarks=False,
        date_range_start=figures.subject.flight.start_at,
        date_range_end=min(figures.subject.flight.end_at, figures.as_of),
        generated_at=now(),
        metadata={
            "report": document.report_id,
            "as_of": figures.as_of.isoformat(),
            "file_hash": sha256(file.content).hexdigest(),
            # Text and not an object: jsonb would write numbers in its own way, and the hash is of these bytes.
            "inputs": freeze_figures(figures).decode(),
        },
        content_hash=bytes.fromhex(document.content_hash),
        run_id=run.run_id,
    )
    save_report(run, report)
    return report


def _note_uses(run: OpenRun, document: Document, reports: Sequence[Report]) -> None:
    provenance = document.figures.provenance
    reference = f"campaign {document.figures.subject.campaign_id}"
    run.uses.extend(DatasetUse("input", use.table, reference, use.row_count) for use in provenance.tables)
    content_hash = bytes.fromhex(document.content_hash)
    run.uses.append(DatasetUse("output", "reports", f"report {document.report_id}", len(reports), content_hash))
    run.rule_versions |= {"template": TEMPLATE, "attribution_model": document.figures.roi.model_version}
    run.count("files", len(reports))
    run.count("bytes", sum(report.file_size_bytes or 0 for report in reports))
    run.watermark_at = provenance.listening_until
