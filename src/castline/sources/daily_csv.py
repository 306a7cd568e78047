"""Daily figures that another service exported: date, downloads, and the show or episode where the file tells it."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from castline.base.errors import InvalidInput, SourceUnreadable
from castline.base.text import normalise_name
from castline.model.lineage import Drop
from castline.sources.table_file import Table, TableRow, parse_table

_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "day_on": ("date", "day", "day_on", "time", "timestamp"),
    "count": (
        "downloads", "count", "value", "total", "total_downloads", "unique_downloads", "iab_downloads", "plays",
        "listens",
    ),
    "show": ("show", "podcast", "podcast_title", "show_title", "show_name", "podcast_name", "podcast_id", "feed"),
    "episode": ("episode", "episode_title", "episode_name", "title", "guid", "episode_guid", "episode_id"),
}  # fmt: skip
_REQUIRED: Final = ("day_on", "count")
_FORMATS: Final = ("%Y/%m/%d", "%d.%m.%Y", "%b %d, %Y", "%Y%m%d")


class NotDailyFigures(SourceUnreadable):
    """{source}, line {line}, is no header of daily figures: no column for {missing}; its columns are {found}."""

    fix = "The columns are date,downloads and, where there are several, show and episode."


@dataclass(frozen=True, slots=True)
class DailyFigure:
    """What the other service counted on one day; show and episode are as it names them, None where it does not."""

    line_number: int
    day_on: date
    show: str | None
    episode: str | None
    count: int


def parse_daily(data: bytes, *, source: str) -> list[DailyFigure | Drop]:
    """Every row of the file as a figure or a Drop. Raises NoRows, NotDailyFigures."""
    known = {name for names in _NAMES.values() for name in names}
    table = parse_table(data, source=source, known=lambda name: normalise_name(name) in known)
    places = _match_header(table, source)
    return [_parse_row(row, len(table.header), places) for row in table.rows]


def _match_header(table: Table, source: str) -> dict[str, int]:
    names = [normalise_name(name) for name in table.header]
    places = {
        field: names.index(hit)
        for field, ours in _NAMES.items()
        if (hit := next((name for name in ours if name in names), None))
    }
    if missing := [field for field in _REQUIRED if field not in places]:
        wanted = ", ".join(_NAMES[field][0] for field in missing)
        found = ", ".join(table.header[:20])
        raise NotDailyFigures(source=source, line=table.header_line, missing=wanted, found=found)
    return places


def _parse_row(row: TableRow, width: int, places: dict[str, int]) -> DailyFigure | Drop:
    if row.fault or len(row.cells) != width:
        fault = row.fault or f"has {len(row.cells)} cells where the header has {width}"
        return Drop(row.line_number, "malformed_row", fault, row.text)
    cell = {field: row.cells[place].strip() for field, place in places.items()}
    try:
        return DailyFigure(
            row.line_number,
            _parse_day(cell["day_on"]),
            cell.get("show") or None,
            cell.get("episode") or None,
            _parse_count(cell["count"]),
        )
    except InvalidInput as error:
        return Drop(row.line_number, f"bad_{error.facts['field']}", error.message, row.text)


def _parse_day(text: str) -> date:
    try:
        return datetime.fromisoformat(text).date()
    except ValueError:
        pass
    # Day and month in figures between slashes mean different days on two sides of an ocean: they are not guessed.
    for form in _FORMATS:
        try:
            return datetime.strptime(text, form).date()  # noqa: DTZ007  # a bare date
        except ValueError:
            continue
    raise InvalidInput(field="date", detail=f"{text[:40]!r} is no day, such as 2026-03-01")


def _parse_count(text: str) -> int:
    plain = text.replace(",", "").replace(" ", "").replace("\u00a0", "").replace("\u202f", "")
    if not plain.isascii() or not plain.removesuffix(".0").isdigit():
        raise InvalidInput(field="downloads", detail=f"{text[:40]!r} is no count")
    return int(plain.removesuffix(".0"))
