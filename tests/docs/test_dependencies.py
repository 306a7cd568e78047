"""Every dependency has its record, with the range of pyproject.toml and the licence of the installed package."""

import re
import tomllib
from importlib.metadata import PackageMetadata, PackageNotFoundError, metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RECORD = ROOT / "docs" / "design" / "dependencies.md"
_ROW = re.compile(r"^\| ([a-z0-9-]+) \| (\S*) ?\| (\S+) \| (.+?) \| (.+?) \|$", re.MULTILINE)
_NEED = re.compile(r"^([A-Za-z0-9-]+)(?:\[[a-z,]+\])?([^;\s]*)")


def _listed() -> dict[str, tuple[str, str]]:
    rows = _ROW.findall(RECORD.read_text())
    return {name: (wanted, licence) for name, wanted, licence, *_ in rows if name != "package"}


def _declared() -> dict[str, str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    needs = [
        *project["project"]["dependencies"],
        *project["dependency-groups"]["dev"],
        *project["build-system"]["requires"],
    ]
    return {match[1]: match[2] for need in needs if (match := _NEED.match(need))}


def test_the_record_lists_every_dependency_with_its_range_and_no_other() -> None:
    assert {name: wanted for name, (wanted, _) in _listed().items()} == _declared()


@pytest.mark.parametrize("name", sorted(_listed()))
def test_a_recorded_licence_is_the_one_that_the_package_states(name: str) -> None:
    try:
        stated = _stated(metadata(name))
    except PackageNotFoundError:
        pytest.skip(f"{name} is needed for building only and not installed here")
    family = _listed()[name][1].split("-")[0]
    assert not stated.strip() or family in stated


def _stated(facts: PackageMetadata) -> str:
    """Everything the package says of its licence; empty where it only ships the text."""
    classifiers = [line for line in facts.get_all("Classifier") or [] if line.startswith("License")]
    texts = [*(facts.get_all("License-Expression") or []), *(facts.get_all("License") or [])]
    return " ".join([*(text[:60] for text in texts), *classifiers])
