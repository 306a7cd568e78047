"""The layout of the source: what import-linter and ruff cannot see."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import castline

SOURCE = Path(castline.__file__).parent
ROOT = SOURCE.parents[1]
MODULES = sorted(path for path in SOURCE.rglob("*.py") if "__pycache__" not in path.parts)
EVERYTHING = sorted([*MODULES, *(ROOT / "tests").rglob("*.py"), *(ROOT / "bench").rglob("*.py")])
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers"}
_FILE_LINES = 400
_FUNCTION_LINES = 60


def test_every_package_folder_has_its_init() -> None:
    folders = {path.parent for path in MODULES}
    assert [folder for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [path for path in EVERYTHING if VAGUE & set(path.stem.split("_")) or VAGUE & set(path.parts)] == []


def test_the_sql_of_a_noun_lies_in_one_file_beside_its_module() -> None:
    found = [path for path in (SOURCE / "store").rglob("*.sql") if path.parent.name != "migrations"]
    assert [path for path in found if not path.with_suffix(".py").is_file()] == []
    assert sorted(path.stem for path in found) == sorted({path.stem for path in found})


def test_no_file_is_longer_than_four_hundred_lines() -> None:
    texts = [*EVERYTHING, *SOURCE.rglob("*.sql"), *SOURCE.rglob("*.toml")]
    lengths = {path.relative_to(ROOT): len(path.read_text("utf-8").splitlines()) for path in texts}
    assert {path: lines for path, lines in lengths.items() if lines > _FILE_LINES} == {}


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_function_is_longer_than_sixty_lines(path: Path) -> None:
    lengths = {node.name: (node.end_lineno or 0) - node.lineno + 1 for node in _functions(path)}
    assert {name: lines for name, lines in lengths.items() if lines > _FUNCTION_LINES} == {}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_imports_by_whole_names_only(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    relative = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level]
    starred = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and any(name.name == "*" for name in node.names)
    ]
    assert relative + starred == []
