"""Named SQL: one file per noun, beside its module in its room: blocks under `-- name:` lines, parameters as :name.

A block looks like

    -- name: load_campaign
    -- one row: the campaign, if it is the tenant's
    select ... from campaigns where campaign_id = :campaign_id

The name travels to the server as a leading comment, so that a slow query in its log names its caller.
"""

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final, LiteralString

_BLOCK: Final = re.compile(r"^-- name: ([a-z_0-9]+)\n", re.MULTILINE)
_PARAMETER: Final = re.compile(r"(?<![:\w]):([a-z_][a-z_0-9]*)")
_COMMENT: Final = re.compile(r"^\s*--.*\n?", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Query:
    """One named block: `text` is ready for the driver, `grain` is its comment on what a row is."""

    noun: str
    name: str
    grain: str
    text: LiteralString
    parameters: frozenset[str]


@cache
def load_sql(noun: str) -> Mapping[str, LiteralString]:
    """The texts of `<noun>.sql` by block name."""
    return {query.name: query.text for query in _parse(noun)}


def iter_queries() -> Iterator[Query]:
    """Every named query of the product, in order of file and place."""
    for noun in sorted(_find_files()):
        yield from _parse(noun)


@cache
def _find_files() -> Mapping[str, Traversable]:
    """Where the file of each noun lies: at the store's top, or in one of its rooms."""
    top = list(files("castline.store").iterdir())
    rooms = (room for room in top if room.is_dir() and room.name != "migrations")
    found = itertools.chain(top, *(room.iterdir() for room in rooms))
    return {entry.name.removesuffix(".sql"): entry for entry in found if entry.name.endswith(".sql")}


def _parse(noun: str) -> Iterator[Query]:
    pieces = _BLOCK.split(_find_files()[noun].read_text("utf-8"))
    for name, body in zip(pieces[1::2], pieces[2::2], strict=True):
        grain = " ".join(line.strip().removeprefix("--").strip() for line in _COMMENT.findall(body)[:1])
        bare = _COMMENT.sub("", body).strip().rstrip(";")
        text = _PARAMETER.sub(r"%(\1)s", bare.replace("%", "%%"))
        parameters = frozenset(_PARAMETER.findall(bare))
        yield Query(noun, name, grain, f"/* {noun}.{name} */ {text}", parameters)
