"""Every format that a report can have: a new one is a file and a row here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from castline.base.errors import InvalidInput
from castline.model.figures import Document
from castline.model.vocab import ReportFormat
from castline.report.formats.csv import render_csv
from castline.report.formats.excel import render_excel
from castline.report.formats.json import render_json
from castline.report.formats.pdf import render_pdf


@dataclass(frozen=True, slots=True)
class Renderer:
    """How a document becomes a file. `render` is pure: the same document gives the same bytes."""

    suffix: str
    media_type: str
    render: Callable[[Document], bytes]


# By the stored value of `reports.format`; people say xlsx where it says excel (ruling 10b).
RENDERERS: Final[Mapping[ReportFormat, Renderer]] = {
    "pdf": Renderer("pdf", "application/pdf", render_pdf),
    "excel": Renderer("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", render_excel),
    "csv": Renderer("csv", "text/csv; charset=utf-8", render_csv),
    "json": Renderer("json", "application/json", render_json),
}


def parse_formats(text: str) -> tuple[ReportFormat, ...]:
    """The formats of a list such as `pdf,xlsx`, each once. Raises InvalidInput."""
    names = {renderer.suffix: name for name, renderer in RENDERERS.items()} | {name: name for name in RENDERERS}
    wanted = [part.strip().lower() for part in text.split(",") if part.strip()]
    for part in wanted:
        if part not in names:
            raise InvalidInput(field="--format", detail=f"{part!r} is none of pdf, xlsx, csv, json")
    if not wanted:
        raise InvalidInput(field="--format", detail="names no format")
    return tuple(dict.fromkeys(names[part] for part in wanted))
