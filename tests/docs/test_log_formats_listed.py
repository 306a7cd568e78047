"""The how-to's table of log formats and `castline log formats` name the same."""

import re
from pathlib import Path

from castline.sources.logs.table import LOG_FORMATS, WRITTEN_FORMATS

_HOW_TO = Path(__file__).parents[2] / "docs/how-to/import-logs.md"
_OWN = {"castline"}  # what castline's own intake writes is landed by itself


def test_the_how_to_lists_every_format_and_no_other() -> None:
    table = _HOW_TO.read_text().partition("## What each format tells")[2].partition("\n- ")[0]
    choices = [row.split("|")[2] for row in table.splitlines() if row.startswith("| ")][1:]
    listed = {name for choice in choices for name in re.findall(r"`([a-z0-9-]+)(?=[:`])", choice)}
    assert listed == ({one.name for one in LOG_FORMATS} - _OWN) | WRITTEN_FORMATS.keys()
