"""The catalogue is whole, and it holds the specification's own words on lineage and retention."""

import re
from pathlib import Path

import pytest

from castline.catalogue.flows import load_jobs
from castline.catalogue.metrics import load_metrics
from castline.catalogue.tables import UnknownTable, find_table, load_tables, parents_first, tenant_parent
from castline.lineage.draw import render_dot, render_mermaid, render_text
from castline.lineage.graph import Edge, compute_edges, describe_table

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT.parent / "shared" / "spec" / "schema-and-lineage.md"
OUTSIDE = {
    "feed",
    "access_log",
    "landing_player_events",
    "landing_requests",
    "media_file",
    "orders",
    "player_events",
    "rate table",
    "landing zone",
    "every table with a retention rule",
    "every time-series table",
}


@pytest.fixture
def document() -> str:
    if not DOCUMENT.is_file():
        pytest.skip("no ../shared/spec: the specification's document is not here")
    return DOCUMENT.read_text()


def _bullets(document: str) -> dict[str, dict[str, str]]:
    """The "Data Lineage" bullets by table."""
    found = {}
    for section in re.split(r"^### \d+\. ", document, flags=re.MULTILINE)[1:]:
        table = re.search(r"\*\*Table:\*\* `(\w+)`", section)
        assert table
        lines = re.findall(r"^- \*\*(Source|Transforms|Dependencies|Downstream):\*\* (.+)$", section, re.MULTILINE)
        found[table[1]] = dict(lines)
    return found


def test_the_specifications_lineage_of_its_nine_tables_stands_in_the_catalogue(document: str) -> None:
    ours = {
        name: {
            "Source": table.source,
            "Transforms": table.transforms,
            "Dependencies": ", ".join(parent.replace("_", " ").title() for parent in table.dependencies) or "None",
            "Downstream": table.downstream,
        }
        for name, table in load_tables().items()
    }
    said = _bullets(document)
    assert len(said) == 9
    assert {name: ours[name] for name in said} == said


def test_every_table_says_what_it_is_for_who_owns_it_and_how_long_it_is_kept() -> None:
    for table in load_tables().values():
        assert table.purpose
        assert table.grain
        assert table.source
        assert table.retention.reason
        assert (ROOT / "src" / Path(*table.owner.split("."))).with_suffix(".py").is_file(), table.owner


def test_every_column_says_what_it_means_and_who_fills_it() -> None:
    for table in load_tables().values():
        for name, column in table.columns.items():
            assert column.meaning.endswith("."), (table.name, name)
            assert column.source, (table.name, name)
            assert column.unit or not column.type.startswith(("timestamptz", "date")), (table.name, name)


def test_a_rule_of_retention_names_a_moment_of_its_own_table() -> None:
    for table in load_tables().values():
        rule = table.retention
        if rule.how in {"rows", "partitions"}:
            assert table.columns[str(rule.by)].type in {"timestamptz", "date"}
            assert re.fullmatch(r"\d+ (days?|years?)", rule.keep)
        if rule.how == "with_parent":
            parent = load_tables()[table.references[str(rule.by)]]
            assert parent.retention.keep == rule.keep
        assert (rule.how == "partitions") is (table.cut is not None)


def test_every_row_finds_its_account_through_its_parents() -> None:
    shared = {"cache_entries", "schema_migrations"}
    assert {name for name, table in load_tables().items() if table.tenant is None} == shared
    for table in load_tables().values():
        parent = tenant_parent(table)
        assert parent is None or parent.tenant is not None


def test_parents_come_before_their_children() -> None:
    seen = set[str]()
    for table in parents_first():
        assert set(table.references.values()) <= seen | {table.name}
        seen.add(table.name)
    assert seen == load_tables().keys()


def test_jobs_read_and_write_tables_of_the_catalogue_or_named_places() -> None:
    named = {name for job in load_jobs().values() for name in (*job.inputs, *job.outputs)}
    assert named - load_tables().keys() <= OUTSIDE


def test_metrics_are_stored_in_tables_of_the_catalogue() -> None:
    assert {name for metric in load_metrics().values() for name in metric.stored} <= load_tables().keys()


def test_every_job_that_the_code_runs_is_in_the_catalogue() -> None:
    source = "\n".join(path.read_text() for path in sorted((ROOT / "src").rglob("*.py")))
    named = set(re.findall(r"open_run\(\s*[\w.]+,\s*[\w.]+,\s*\"([a-z._]+)\"", source))
    named |= set(re.findall(r"^JOB: Final = \"([a-z._]+)\"", source, re.MULTILINE))
    scheduled = {"partitions.make"}  # in the scheduler's table only: it writes no rows
    assert named | scheduled == load_jobs().keys()


def test_every_data_set_in_the_ledger_is_in_the_catalogue() -> None:
    source = "\n".join(path.read_text() for path in sorted((ROOT / "src").rglob("*.py")))
    used = set(re.findall(r"DatasetUse\(\s*\"(?:input|output)\",\s*\"([^\"]+)\"", source))
    assert used - load_tables().keys() <= OUTSIDE
    assert used


def test_an_unknown_table_is_an_error_with_a_fix() -> None:
    with pytest.raises(UnknownTable, match="No table nope is in the catalogue") as raised:
        find_table("nope")
    assert "castline lineage" in raised.value.advice


def test_the_lineage_of_credit_goes_back_to_requests_and_orders() -> None:
    lineage = describe_table(find_table("attribution_events"))
    assert {"conversions", "listener_events", "campaigns"} <= set(lineage.upstream_tables)
    assert "reports" in lineage.downstream_tables
    assert Edge("landing_requests", "listener_events", "written by", "measure.run") in compute_edges()


def test_a_drawing_joins_each_pair_once() -> None:
    edges = [Edge("a", "b", "depends"), Edge("a", "b", "refers", "a_id"), Edge("b", "the world", "written by", "x.y")]
    assert render_dot(edges) == ('digraph lineage {\n    rankdir=LR;\n    "a" -> "b";\n    "b" -> "the world";\n}')
    assert render_mermaid(edges) == (
        'flowchart LR\n    a["a"]\n    b["b"]\n    the_world["the world"]\n    a --> b\n    b --> the_world'
    )


def test_the_text_names_every_table() -> None:
    text = render_text(describe_table(table) for table in load_tables().values())
    assert [line.split(" - ")[0] for line in text.splitlines() if line and not line.startswith(" ")] == list(
        load_tables()
    )
