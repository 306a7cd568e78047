"""Every page of the documentation can be reached from its beginning, and every link leads to a page and its part."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")])
INDEXES = (DOCS / "README.md", DOCS / "method" / "README.md", DOCS / "design" / "README.md")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_BLOCK = re.compile(r"^ *```.*?^ *```", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"`[^`\n]*`")


def find_links(text: str) -> list[str]:
    """Where the page's links lead, without those of other sites."""
    return [
        link
        for link in _LINK.findall(_INLINE.sub("", _BLOCK.sub("", text)))
        if "://" not in link and not link.startswith("mailto:")
    ]


def iter_anchors(text: str) -> Iterator[str]:
    """The anchors of the page's headings, as code hosts make them."""
    for heading in re.findall(r"^#+ +(.+?) *$", _BLOCK.sub("", text), re.MULTILINE):
        yield re.sub(r"[^\w\- ]", "", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()).replace(" ", "-")


def find_broken(page: Path) -> list[str]:
    """Links of the page that lead to no file, to a folder, or to no heading of their file."""
    broken = []
    for link in find_links(page.read_text("utf-8")):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.is_file() or (anchor and anchor not in iter_anchors(target.read_text("utf-8"))):
            broken.append(link)
    return broken


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_its_heading(page: Path) -> None:
    assert find_broken(page) == []


def test_every_page_is_linked_from_an_index() -> None:
    linked = {
        (index.parent / link.partition("#")[0]).resolve()
        for index in INDEXES
        for link in find_links(index.read_text("utf-8"))
    }
    pages = {page.resolve() for page in DOCS.rglob("*.md")} - {DOCS / "README.md"}
    assert sorted(str(page.relative_to(ROOT)) for page in pages - linked) == []


def test_the_readme_leads_to_the_documentation() -> None:
    assert "docs/README.md" in find_links((ROOT / "README.md").read_text("utf-8"))


def test_the_check_finds_what_it_is_for(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# Some `heading`, here\n```\n# no heading\n```\n")
    page = tmp_path / "page.md"
    page.write_text(
        "[a](other.md) [b](other.md#some-heading-here) [c](other.md#none) [d](gone.md) [e](.) [f](https://example.org/x)\n"
        "`[g](code.md)`\n"
    )
    assert find_broken(page) == ["other.md#none", "gone.md", "."]
