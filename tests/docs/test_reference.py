"""The reference is there and says what the code says."""

import re
from collections.abc import Iterator

import click
import pytest

from castline.catalogue.metrics import load_metrics
from castline.cli.main import COMMANDS
from castline.cli.main import castline as root_command
from docs.reference import FOLDER, PAGES, SETTINGS, iter_errors, iter_settings

ROOT = FOLDER.parents[1]


@pytest.mark.parametrize("name", PAGES)
def test_a_reference_page_is_as_the_code_has_it(name: str) -> None:
    assert (FOLDER / name).read_text("utf-8") == PAGES[name](), "run `python tests/docs/reference.py`"


def test_every_setting_that_is_read_is_described_and_no_other() -> None:
    assert iter_settings() == sorted(SETTINGS)


def test_every_error_has_a_message_of_its_own() -> None:
    assert [error.__name__ for error in iter_errors() if "__doc__" not in vars(error) or not error.__doc__] == []


def test_every_metric_has_its_method_page() -> None:
    folder = ROOT / "docs" / "method"
    assert {metric.method for metric in load_metrics().values() if not (folder / metric.method).is_file()} == set()


def _commands(command: click.Command, path: str, context: click.Context) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name in COMMANDS if command is root_command else command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            yield from _commands(child, f"{path} {name}", click.Context(child, info_name=name, parent=context))


def test_every_command_says_what_it_does() -> None:
    every = _commands(root_command, "castline", click.Context(root_command))
    assert [path for path, command in every if not command.help] == []


def test_every_command_that_answers_with_data_can_answer_in_json() -> None:
    wordless = {
        path
        for path, command in _commands(root_command, "castline", click.Context(root_command))
        if not isinstance(command, click.Group) and "as_json" not in {option.name for option in command.params}
    }
    # These run until they are stopped, or only say that something is done.
    assert {path.split()[1] for path in wordless} <= {"serve", "web", "worker", "admin"}


def test_every_page_that_the_code_names_is_there() -> None:
    named = {
        match
        for path in (ROOT / "src").rglob("*.py")
        for match in re.findall(r"docs/[a-z-]+/[a-z-]+\.md", path.read_text("utf-8"))
    }
    assert {name for name in named if not (ROOT / name).is_file()} == set()
