"""A report's JSON checked without the store: its hashes, its arithmetic, and every figure made anew."""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from castline.base.errors import CastlineError, SourceUnreadable, Terminal
from castline.report.formats.json import FORMAT, render_json
from castline.report.frozen import compute_hash, name_report, thaw_figures
from castline.report.layout import lay_out
from castline.report.recompute import Difference, recompute
from castline.store.payload import decode_json, encode_json

_MOST_SHOWN: Final = 20


class NotAReport(Terminal):
    """{source} is not a report in JSON: {detail}"""

    fix = "`castline report verify` reads the .json that `castline report build --format json` wrote."


@dataclass(frozen=True, slots=True)
class Verification:
    """What checking found. `differences` is empty where the file is what castline wrote."""

    report_id: str
    content_hash: str
    figure_count: int
    differences: tuple[Difference, ...]


def verify_file(path: Path) -> Verification:
    """The verdict on a file. Raises SourceUnreadable, NotAReport."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SourceUnreadable(source=path, detail=error.strerror or type(error).__name__) from error
    return verify_report(content, source=str(path))


def verify_report(content: bytes, *, source: str = "the file") -> Verification:
    """The verdict on a report's JSON: hashes, arithmetic and each figure. Raises NotAReport."""
    payload = _parse(content, source)
    found = [*_check_hashes(payload), *_check_figures(payload, source)]
    return Verification(
        str(payload.get("report_id")),
        str(payload.get("content_hash")),
        len(payload["figures"]),
        tuple(found[:_MOST_SHOWN]),
    )


def _parse(content: bytes, source: str) -> dict[str, Any]:
    try:
        payload = decode_json(content)
    except ValueError as error:
        raise NotAReport(source=source, detail=str(error)) from error
    if not isinstance(payload, dict) or payload.get("format") != FORMAT:
        raise NotAReport(source=source, detail=f"its format is not {FORMAT}")
    if not isinstance(payload.get("inputs"), dict) or not isinstance(payload.get("figures"), list):
        raise NotAReport(source=source, detail="it has no inputs or no figures")
    return payload


def _check_hashes(payload: dict[str, Any]) -> Iterator[Difference]:
    content_hash = compute_hash(encode_json(payload["inputs"]))
    rest = {name: value for name, value in payload.items() if name != "file_hash"}
    for name, computed in (
        ("content_hash", content_hash.hex()),
        ("report_id", name_report(content_hash)),
        ("file_hash", sha256(encode_json(rest)).hexdigest()),
    ):
        if payload.get(name) != computed:
            yield Difference(name, str(payload.get(name)), computed)


def _check_figures(payload: dict[str, Any], source: str) -> Iterator[Difference]:
    try:
        figures = thaw_figures(encode_json(payload["inputs"]))
    except CastlineError as error:
        raise NotAReport(source=source, detail=error.message) from error
    yield from recompute(figures)
    anew = decode_json(render_json(lay_out(figures)))
    stated, computed = _values(payload["figures"], source), _values(anew["figures"], source)
    for name in (*computed, *(name for name in stated if name not in computed)):
        if stated.get(name) != computed.get(name):
            yield Difference(name, str(stated.get(name, "nothing")), str(computed.get(name, "nothing")))


def _values(figures: list[dict[str, Any]], source: str) -> dict[str, str]:
    """Each figure's value as text, by its place."""
    if not all(isinstance(figure, dict) for figure in figures):
        raise NotAReport(source=source, detail="its figures are no objects")
    return {_place(figure): f"{figure.get('value')}{_reason(figure)}" for figure in figures}


def _place(figure: dict[str, Any]) -> str:
    return ".".join(str(figure[part]) for part in ("section", "table", "row", "name") if part in figure)


def _reason(figure: dict[str, Any]) -> str:
    return f" ({figure['missing']})" if "missing" in figure else ""
