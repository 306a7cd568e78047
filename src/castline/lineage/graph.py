"""The graph of tables, derived from the catalogue: what feeds a table, and what it feeds."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from castline.catalogue.flows import load_jobs
from castline.catalogue.tables import Table, load_tables

_KINDS: Final = ("depends", "refers", "written by")


@dataclass(frozen=True, slots=True)
class Edge:
    """`upstream` feeds `downstream`: by the specification (depends), by a foreign key (refers), or through a job."""

    upstream: str
    downstream: str
    kind: str
    through: str = ""


@dataclass(frozen=True, slots=True)
class TableLineage:
    """Where one table's rows come from and go to."""

    table: str
    purpose: str
    grain: str
    owner: str
    source: str
    built: str
    transforms: str
    dependencies: tuple[str, ...]
    downstream: str
    retention: str
    upstream_tables: tuple[str, ...]
    downstream_tables: tuple[str, ...]
    jobs: tuple[str, ...]


def compute_edges() -> list[Edge]:
    """Every edge between two tables or between a place of the outside world and a table, each once per kind."""
    edges: dict[Edge, None] = {}
    for table in load_tables().values():
        for parent in table.dependencies:
            edges[Edge(parent, table.name, "depends")] = None
        for column, parent in table.references.items():
            if parent != table.name:
                edges[Edge(parent, table.name, "refers", column)] = None
    for job in load_jobs().values():
        for source in job.inputs:
            for target in job.outputs:
                if source != target:
                    edges[Edge(source, target, "written by", job.name)] = None
    return sorted(edges, key=lambda edge: (edge.downstream, _KINDS.index(edge.kind), edge.upstream, edge.through))


def describe_table(table: Table) -> TableLineage:
    """The lineage of one table: what the specification says of it, and what the graph adds."""
    edges = compute_edges()
    jobs = load_jobs().values()
    return TableLineage(
        table=table.name,
        purpose=table.purpose,
        grain=table.grain,
        owner=table.owner,
        source=table.source,
        built=table.built,
        transforms=table.transforms,
        dependencies=table.dependencies,
        downstream=table.downstream,
        retention=describe_retention(table),
        upstream_tables=_names(edge.upstream for edge in edges if edge.downstream == table.name),
        downstream_tables=_names(edge.downstream for edge in edges if edge.upstream == table.name),
        jobs=tuple(job.name for job in jobs if table.name in job.outputs),
    )


def describe_retention(table: Table) -> str:
    """How long a row stays, and why, in a line."""
    rule = table.retention
    match rule.how:
        case "never":
            kept = "indefinitely"
        case "job":
            kept = "until its job is done"
        case "with_parent":
            kept = f"{rule.keep}, with its {table.references[str(rule.by)]} row"
        case "partitions":
            kept = f"{rule.keep} after {rule.by}, by whole partitions"
        case "rows":
            kept = f"until {rule.by}" if rule.keep.startswith("0 ") else f"{rule.keep} after {rule.by}"
    return f"{kept}: {rule.reason}"


def _names(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(found)))
