"""Writes docs/reference/ from the code: `python tests/docs/reference.py` from the root of a clone.

Each page is a function of the code alone; a test compares the files with what these functions say.
"""

import importlib
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

import castline
from castline.base.config import load_settings
from castline.base.errors import CastlineError
from castline.catalogue.flows import load_jobs
from castline.catalogue.metrics import load_metrics
from castline.catalogue.tables import Column, Table, load_tables
from castline.cli.main import COMMANDS
from castline.cli.main import castline as root_command
from castline.lineage.draw import render_mermaid
from castline.lineage.graph import compute_edges, describe_retention, describe_table

FOLDER: Final = Path(__file__).parents[2] / "docs" / "reference"
SETTINGS: Final = {
    "CASTLINE_DATA_DIR": "Where castline keeps its own server, the landing zone and reports; "
    "`castline` below `XDG_DATA_HOME` by default.",
    "XDG_DATA_HOME": "The user's data folder; `~/.local/share` by default.",
    "DATABASE_URL": "Any PostgreSQL 15 to 18, as a libpq address; without it castline runs a server of its own.",
    "REDIS_URL": "Sessions and cache in this Redis; without it they are in PostgreSQL.",
    "CASTLINE_ACCOUNT": "The account's e-mail address that commands act for, where there is more than one.",
    "CASTLINE_PRIVACY_IP": "`full`, `truncated` (the network, /24 or /48; the default) or `none`: what is kept of "
    "listeners' addresses.",
    "CASTLINE_PUBLIC_URL": "The address under which pages and pixels are reached; `http://127.0.0.1:8321` by default.",
    "CASTLINE_ALLOW_PRIVATE_ADDRESSES": "`yes` lets feeds be fetched from private and loopback addresses; `no` by "
    "default.",
    "CASTLINE_SECRET_KEY": "At least 32 characters from which the keys of listener hashes are derived; without it a "
    "file in the data folder holds one.",
    "CASTLINE_TRUSTED_PROXIES": "Networks whose `X-Forwarded-For` is believed, separated by commas; none by default.",
}
_NOTE: Final = "<!-- Made by tests/docs/reference.py from the code; a test compares. -->\n"


class _Asked(dict[str, str]):
    """An empty environment that remembers what was asked of it."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def get(self, key: str, default: object = None) -> object:  # type: ignore[override]
        self.names.append(key)
        return default


def render_schema() -> str:
    """One section per table with all its columns."""
    parts = [_NOTE, "# Schema\n", "Types are PostgreSQL's. *Personal* says what a column tells of a person.\n"]
    parts += [_table_section(table) for table in load_tables().values()]
    return "\n".join(parts)


def render_lineage() -> str:
    """The graph, the jobs, and where each table's rows come from and go to."""
    jobs = [
        f"| `{job.name}` | {job.purpose} | {_names(job.inputs)} | {_names(job.outputs)} | {job.schedule} |"
        for job in load_jobs().values()
    ]
    written = [edge for edge in compute_edges() if edge.kind != "refers"]
    parts = [_NOTE, "# Lineage\n", "`castline lineage` prints the same from the same declarations.\n"]
    parts += ["## Graph\n", "```mermaid", render_mermaid(written), "```\n", "## Jobs\n"]
    parts += ["| job | what is true after it | reads | writes | when |", "|---|---|---|---|---|", *jobs, ""]
    parts += ["## Tables\n", *(_lineage_section(table) for table in load_tables().values())]
    return "\n".join(parts)


def render_metrics() -> str:
    """One row per metric."""
    rows = [
        f"| `{metric.name}` | {metric.title} | {metric.unit} | {metric.formula} | {metric.version} "
        f"| [{metric.method.removesuffix('.md')}](../method/{metric.method}) |"
        for metric in load_metrics().values()
    ]
    head = "| metric | title | unit | formula | version | method |\n|---|---|---|---|---|---|"
    return "\n".join([_NOTE, "# Metrics\n", head, *rows, ""])


def render_commands() -> str:
    """One section per command with its help as it is printed."""
    context = click.Context(root_command, info_name="castline", terminal_width=100, **root_command.context_settings)
    parts = [_NOTE, "# Commands\n", *_command_sections(root_command, context)]
    return "\n".join(parts)


def render_settings() -> str:
    """One row per environment variable, in the order they are read."""
    rows = [f"| `{name}` | {SETTINGS[name]} |" for name in iter_settings()]
    return "\n".join([_NOTE, "# Settings\n", "| variable | what it decides |\n|---|---|", *rows, ""])


def iter_settings() -> list[str]:
    """Every environment variable that the settings are made of, sorted."""
    asked = _Asked()
    load_settings(asked)
    return sorted(set(asked.names))


def render_errors() -> str:
    """One row per error: its code, its message and its fix."""
    rows = [
        f"| `{_code(error)}` | {_message(error)} | {_cell(error.fix) or '-'} | {error.exit_code} |"
        for error in iter_errors()
    ]
    head = "| code | message | fix | exit code |\n|---|---|---|---|"
    return "\n".join([_NOTE, "# Errors\n", "Words in braces are facts of the case.\n", head, *rows, ""])


def iter_errors() -> list[type[CastlineError]]:
    """Every error of the tree, by its code."""
    for module in pkgutil.walk_packages(castline.__path__, "castline."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found, waiting = set[type[CastlineError]](), [CastlineError]
    while waiting:
        error = waiting.pop()
        if error not in found and error.__module__.startswith("castline."):
            found.add(error)
            waiting += error.__subclasses__()
    return sorted(found, key=_code)


PAGES: Final = {
    "schema.md": render_schema,
    "lineage.md": render_lineage,
    "metrics.md": render_metrics,
    "cli.md": render_commands,
    "settings.md": render_settings,
    "errors.md": render_errors,
}


def _table_section(table: Table) -> str:
    rows = [_column_row(name, column) for name, column in table.columns.items()]
    indexes = [
        f"- `{name}` on `{index.on}`: {index.reason}" + (f" (`{index.serves}`)" if index.serves else "")
        for name, index in table.indexes.items()
    ]
    facts = [
        f"## {table.name}\n",
        f"{table.purpose}\n",
        f"- Grain: {table.grain}.",
        f"- Owner: `{table.owner}`.",
        f"- Key: {', '.join(f'`{name}`' for name in table.key) or 'none'}.",
        f"- Kept {describe_retention(table)}.",
    ]
    if table.cut:
        facts.append(f"- Cut by {table.cut.by} of `{table.cut.column}`.")
    head = (
        "| column | type | required | default | unit | personal | source | meaning |\n|---|---|---|---|---|---|---|---|"
    )
    return "\n".join([*facts, "", head, *rows, "", *indexes, *([""] if indexes else [])])


def _column_row(name: str, column: Column) -> str:
    cells = [
        f"`{name}`",
        f"`{column.type}`" + (f" → {column.references}" if column.references else ""),
        "yes" if column.required else "",
        f"`{column.default}`" if column.default else "",
        column.unit or "",
        "" if column.personal == "none" else column.personal,
        column.source,
        column.meaning,
    ]
    return "| " + " | ".join(map(_cell, cells)) + " |"


def _lineage_section(table: Table) -> str:
    lineage = describe_table(table)
    facts = [
        ("Source", lineage.source),
        ("Filled today by", lineage.built),
        ("Transforms", lineage.transforms),
        ("Dependencies", ", ".join(lineage.dependencies) or "none"),
        ("Downstream", lineage.downstream),
        ("Jobs", ", ".join(lineage.jobs)),
        ("Kept", lineage.retention),
    ]
    return "\n".join([f"### {table.name}\n", *(f"- {name}: {text}" for name, text in facts if text), ""])


def _command_sections(command: click.Command, context: click.Context) -> Iterator[str]:
    level = "#" * min(context.command_path.count(" ") + 2, 6)
    text = command.get_help(context).rstrip()
    yield f"{level} {context.command_path}\n\n```\n{text}\n```\n"
    if isinstance(command, click.Group):
        names = COMMANDS if command is root_command else command.list_commands(context)
        for name in names:
            child = command.get_command(context, name)
            if child is not None:
                yield from _command_sections(
                    child, click.Context(child, info_name=name, parent=context, terminal_width=100)
                )


def _code(error: type[CastlineError]) -> str:
    return error.__new__(error).code


def _message(error: type[CastlineError]) -> str:
    return _cell(" ".join((error.__doc__ or "").strip().split("\n\n")[0].split()))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "-"


def main() -> None:
    """Every page is as the code has it."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, render in PAGES.items():
        (FOLDER / name).write_text(render(), "utf-8")
        sys.stdout.write(f"{FOLDER / name}\n")


if __name__ == "__main__":
    main()
