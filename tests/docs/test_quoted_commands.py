"""Every castline command that the documentation quotes exists, with the options that it is quoted with."""

import re
import shlex
from pathlib import Path

import click
import pytest

from castline.cli.main import castline

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
_FENCE = re.compile(r"^ *```[^\n]*\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
_INDENTED = re.compile(r"^ {4,}\S.*$", re.MULTILINE)
_INLINE = re.compile(r"`(castline [^`\n]+)`")


def quoted_commands(text: str) -> list[str]:
    """The command lines of a page: lines of code blocks that begin with castline, and inline code that does."""
    blocks = [*_FENCE.findall(text), *_INDENTED.findall(_FENCE.sub("", text))]
    lines = [line.strip().removeprefix("$ ") for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    lines = [re.sub(r"^(?:[A-Z_]+=\S+ )+", "", line) for line in lines]
    return [line for line in lines if line.startswith("castline ")] + _INLINE.findall(_FENCE.sub("", text))


def find_fault(line: str) -> str | None:
    """What is wrong with a quoted command, None if nothing is."""
    words = shlex.split(line, comments=True)[1:]
    command: click.Command = castline
    context = click.Context(castline)
    options = {option: item for item in castline.params for option in item.opts}
    while words and (taken := options.get(words[0])):
        words = words[1:] if getattr(taken, "is_flag", False) else words[2:]
    # A word in braces stands for any noun, dots for any command.
    while isinstance(command, click.Group) and words and not words[0].startswith(("-", "{", "...")):
        found = command.get_command(context, words[0])
        if found is None:
            return f"no command {words[0]!r}"
        command, words = found, words[1:]
    known = {option for item in command.params for option in (*item.opts, *item.secondary_opts)} | {"-h", "--help"}
    for word in words:
        option = word.strip("[]").partition("=")[0]
        if option.startswith("-") and option not in {"-", "--", *known}:
            return f"{command.name} has no option {option}"
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_quoted_commands_exist_with_their_options(page: Path) -> None:
    faults = {line: fault for line in quoted_commands(page.read_text("utf-8")) if (fault := find_fault(line))}
    assert faults == {}


def test_the_check_finds_what_it_is_for() -> None:
    assert find_fault("castline feed ad https://example.org/") == "no command 'ad'"
    assert find_fault("castline feed add --url https://example.org/") == "add has no option --url"
    assert find_fault("castline feed add https://example.org/ --json") is None
    assert find_fault("castline --account a@example.org feed add x --url y") == "add has no option --url"
    page = (
        "```\nCASTLINE_DATA_DIR=/x castline serve\n```\nand\n\n    castline about\n\nor `castline feed poll --force`\n"
    )
    assert quoted_commands(page) == ["castline serve", "castline about", "castline feed poll --force"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
    broken = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert broken == []
