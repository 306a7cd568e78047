"""The report as JSON: the frozen inputs, every figure made of them, and hashes, so that it can be verified later."""

from hashlib import sha256
from typing import Any, Final

import msgspec

from castline.model.figures import Document, Figure, Missing, Term
from castline.report.formats.cells import Cell, iter_cells
from castline.report.frozen import freeze_figures
from castline.store.payload import encode_json

FORMAT: Final = "castline-report/1"


def render_json(document: Document) -> bytes:
    """The document as indented JSON. `file_hash` is SHA-256 of all the rest in canonical form."""
    payload = {
        "format": FORMAT,
        "report_id": document.report_id,
        "content_hash": document.content_hash,
        "currency": document.currency,
        "inputs": msgspec.Raw(freeze_figures(document.figures)),
        "figures": [_figure(cell) for cell in iter_cells(document)],
        "definitions": {item.name: item.how for item in document.definitions},
    }
    return seal(payload)


def seal(payload: dict[str, Any]) -> bytes:
    """The payload with its hash, as it stands in a file."""
    sealed = payload | {"file_hash": sha256(encode_json(payload)).hexdigest()}
    return msgspec.json.format(encode_json(sealed), indent=2) + b"\n"


def _figure(cell: Cell) -> dict[str, Any]:
    figure = cell.figure
    place = {"section": cell.section} | ({"table": cell.table, "row": cell.row} if cell.row else {})
    counted = {"metric": figure.metric, "window": figure.window} if figure.metric else {}
    return place | {"name": figure.name, "label": figure.label, "unit": figure.unit} | _value(figure) | counted


def _value(figure: Figure) -> dict[str, Any]:
    if isinstance(figure.value, Missing):
        return {"value": None, "missing": figure.value.reason}
    if isinstance(figure.value, Term):
        return {"value": figure.value.code, "word": figure.value.word}
    return {"value": figure.value}
