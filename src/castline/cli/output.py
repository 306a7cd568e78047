"""What commands print: one JSON document or a table on stdout, messages and progress on stderr."""

import errno
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Final, TypeVar

import click
import msgspec

Item = TypeVar("Item")

_json = msgspec.json.Encoder(decimal_format="number")
MOST: Final = 1_000_000  # rows that one list may be asked for
_under_way: list[int] = []  # how long the line is that tells of work under way; empty when there is none
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def show_json(value: object) -> None:
    """One line of JSON is on stdout; keys stand in the order of the value's fields."""
    _clear_progress()
    click.echo(_json.encode(value))


def show_lines(blocks: Iterable[bytes]) -> None:
    """Blocks of whole lines are on stdout. Raises OSError where it is closed: what was asked for would be nowhere."""
    _clear_progress()
    if sys.stdout is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    sys.stdout.flush()
    sys.stdout.buffer.writelines(blocks)
    sys.stdout.buffer.flush()


def show_table(rows: Iterable[Mapping[str, object]], columns: Sequence[str], *, title: str | None = None) -> None:
    """A table of the named columns is on stdout, numbers to the right; stderr says so if there is no row."""
    from rich.console import Console  # the start stays fast
    from rich.table import Table

    _clear_progress()
    rows = list(rows)
    table = Table(title=title, box=None, header_style="bold", pad_edge=False)
    for column in columns:
        numeric = bool(rows) and all(_is_number(row.get(column)) for row in rows)
        table.add_column(column.replace("_", " "), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    is_terminal = sys.stdout is not None and sys.stdout.isatty()
    width = None if is_terminal else 200
    Console(file=sys.stdout, width=width, highlight=False, soft_wrap=False).print(table)
    if not rows:
        say("none")


def say(message: str) -> None:
    """A message for people is on stderr."""
    _clear_progress()
    click.echo(message, err=True)


def show_progress(told: str) -> None:
    """How far the work has come is on the last line of stderr, until anything else is shown. For terminals only."""
    _clear_progress()
    click.echo(told, nl=False, err=True)
    _under_way.append(len(told))


def _clear_progress() -> None:
    if _under_way:
        click.echo(f"\r{' ' * _under_way.pop()}\r", nl=False, err=True)


@contextmanager
def progress(items: Sequence[Item], label: str) -> Iterator[Iterable[Item]]:
    """The items, with a bar on stderr when that is a terminal."""
    if not sys.stderr.isatty():
        yield items
        return
    with click.progressbar(items, label=label, file=sys.stderr) as bar:
        yield bar


def _is_number(content: object) -> bool:
    return content is None or (
        not isinstance(content, bool | str)
        and str(content).replace(",", "").lstrip("-").split(" ")[0].replace(".", "").isdigit()
    )


def _cell(content: object) -> str:
    if content is None:
        return "-"
    if isinstance(content, bool):
        return "yes" if content else "no"
    if isinstance(content, datetime):
        return f"{content:%Y-%m-%d %H:%M}"
    if isinstance(content, int):
        return f"{content:,}"
    return str(content)
