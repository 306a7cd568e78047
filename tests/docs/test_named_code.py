"""Modules, names and files of the code that the documentation names are there."""

import re
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), ROOT / "bench" / "README.md", *(ROOT / "docs").rglob("*.md")])
_MODULE = re.compile(r"`(castline(?:\.[a-z_]+)+)`")
_FILE = re.compile(r"`((?:[a-z_]+/)+[a-z_]+\.(?:py|toml|json|typ|sql))`")
_NO_MODULES = {"castline.conf"}  # a file that PostgreSQL reads
_PLACES = (ROOT, ROOT / "src", ROOT / "src" / "castline")


def has_name(name: str) -> bool:
    """Whether it is a module or package of ours, or a name in one."""
    parent, _, last = name.rpartition(".")
    with suppress(ModuleNotFoundError):
        return bool(import_module(name))
    with suppress(ModuleNotFoundError):
        return hasattr(import_module(parent), last)
    return False


def find_missing(text: str) -> list[str]:
    """What the page names of the code that is not there; a file's path begins at the root or in the package."""
    files = [name for name in _FILE.findall(text) if not any((place / name).is_file() for place in _PLACES)]
    modules = [name for name in _MODULE.findall(text) if name not in _NO_MODULES and not has_name(name)]
    return modules + files


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_names_of_the_code_is_there(page: Path) -> None:
    assert find_missing(page.read_text("utf-8")) == []


def test_the_check_finds_what_it_is_for() -> None:
    there = "`castline.store`, `castline.store.pool`, `castline.store.pool.open_store`, `report/layout.py`"
    gone = ["castline.gone.at.all", "castline.store.gone", "castline.store.pool.gone", "report/gone.py"]
    assert find_missing(f"{there}, {', '.join(f'`{name}`' for name in gone)}") == gone
