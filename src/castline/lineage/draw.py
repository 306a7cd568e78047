"""The graph as text for people, as Mermaid and as DOT for pages."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from castline.lineage.graph import Edge, TableLineage


def render_text(tables: Iterable[TableLineage]) -> str:
    """One block per table, each fact in a line."""
    return "\n\n".join(_block(table) for table in tables)


def render_mermaid(edges: Iterable[Edge]) -> str:
    """A Mermaid flowchart, each pair of tables joined once."""
    pairs = _pairs(edges)
    nodes = sorted({name for pair in pairs for name in pair})
    lines = [f'    {_node(name)}["{name}"]' for name in nodes]
    return "\n".join(["flowchart LR", *lines, *(f"    {_node(start)} --> {_node(end)}" for start, end in pairs)])


def render_dot(edges: Iterable[Edge]) -> str:
    """A DOT digraph, each pair of tables joined once."""
    lines = (f'    "{start}" -> "{end}";' for start, end in _pairs(edges))
    return "\n".join(["digraph lineage {", "    rankdir=LR;", *lines, "}"])


DRAWINGS: Final[Mapping[str, Callable[[Iterable[Edge]], str]]] = {"mermaid": render_mermaid, "dot": render_dot}


def _block(table: TableLineage) -> str:
    facts = (
        ("grain", table.grain),
        ("owner", table.owner),
        ("source", table.source),
        ("filled by", table.built),
        ("transforms", table.transforms),
        ("dependencies", ", ".join(table.dependencies)),
        ("downstream", table.downstream),
        ("fed by", ", ".join(table.upstream_tables)),
        ("feeds", ", ".join(table.downstream_tables)),
        ("jobs", ", ".join(table.jobs)),
        ("kept", table.retention),
    )
    lines = (f"  {name:<13}{text}" for name, text in facts if text)
    return "\n".join([f"{table.table} - {table.purpose}", *lines])


def _pairs(edges: Iterable[Edge]) -> list[tuple[str, str]]:
    return sorted({(edge.upstream, edge.downstream) for edge in edges})


def _node(name: str) -> str:
    return name.replace(" ", "_")
