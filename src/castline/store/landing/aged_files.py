"""The files of the landing zone by their age: requests by their UTC day, payloads by the day they were written."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

_DAY: Final = re.compile(r"(?<!\d)(\d{4}-\d{2}-\d{2})(?!\d)")


def iter_landed_files(landing_dir: Path) -> Iterator[tuple[Path, date]]:
    """Every file with its day: the one that its path names, else the UTC day it was written."""
    if not landing_dir.is_dir():
        return
    for path in sorted(landing_dir.rglob("*")):
        if path.is_file():
            yield path, _named_day(path.relative_to(landing_dir)) or _written_on(path)


def remove_file(path: Path, landing_dir: Path) -> None:
    """The file is gone, and so is every folder that it leaves empty."""
    path.unlink(missing_ok=True)
    for folder in path.parents:
        if folder == landing_dir or landing_dir not in folder.parents:
            return
        try:
            folder.rmdir()
        except OSError:  # somebody has written there again
            return


def _named_day(path: Path) -> date | None:
    for part in reversed(path.parts):
        if match := _DAY.search(part):
            try:
                return date.fromisoformat(match[1])
            except ValueError:
                continue
    return None


def _written_on(path: Path) -> date:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).date()
