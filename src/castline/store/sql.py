"""Named SQL: one file per noun beside its module, blocks under `-- name:` lines, parameters written :name.

A block looks like

    -- name: load_campaign
    -- one row: the campaign, if it is the tenant's
    select ... from campaigns where campaign_id = :campaign_id

The name travels to the server as a leading comment, so that a slow query in its log names its caller.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
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
    for entry in sorted(files("castline.store").iterdir(), key=lambda item: item.name):
        if entry.name.endswith(".sql"):
            yield from _parse(entry.name.removesuffix(".sql"))


def _parse(noun: str) -> Iterator[Query]:
    source = files("castline.store").joinpath(f"{noun}.sql").read_text("utf-8")
    pieces = _BLOCK.split(source)
    for name, body in zip(pieces[1::2], pieces[2::2], strict=True):
        grain = " ".join(line.strip().removeprefix("--").strip() for line in _COMMENT.findall(body)[:1])
        bare = _COMMENT.sub("", body).strip().rstrip(";")
        text = _PARAMETER.sub(r"%(\1)s", bare.replace("%", "%%"))
        parameters = frozenset(_PARAMETER.findall(bare))
        yield Query(noun, name, grain, f"/* {noun}.{name} */ {text}", parameters)
