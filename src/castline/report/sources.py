"""The pages that say where the figures come from."""

from castline.model.figures import Column, Figure, Missing, Provenance, ReportFigures, Section, Table, Value
from castline.report.definitions import name_metric
from castline.report.words import name_term


def lay_out_provenance(figures: ReportFigures) -> Section:
    """Versions, dates, runs, batches, row counts, restatements and notes."""
    provenance = figures.provenance
    return Section(
        "provenance",
        "Provenance",
        _facts(figures),
        (
            _runs(provenance),
            _tables(provenance),
            _batches(provenance),
            _lists(provenance),
            _lines("restatements", "Restatements", provenance.restatements, "None is on record."),
            _lines("notes", "Notes", provenance.notes, ""),
        ),
    )


def _facts(figures: ReportFigures) -> tuple[Figure, ...]:
    provenance = figures.provenance
    unmeasured = Missing("nothing was measured yet")
    return (
        Figure("code_version", "castline", provenance.code_version, "text"),
        Figure("model_version", "Attribution model", figures.roi.model_version, "text"),
        Figure("ip_privacy", "Addresses are kept", name_term("ip", provenance.ip_privacy), "text"),
        Figure("listening_until", "Listening until", provenance.listening_until or unmeasured, "moment"),
        Figure(
            "conversions_until",
            "Conversions until",
            provenance.conversions_until or Missing("no conversion was received"),
            "moment",
        ),
    )


def _runs(provenance: Provenance) -> Table:
    return Table(
        "runs",
        "Runs",
        (
            Column("job", "Job", "text"),
            Column("run_id", "Run", "text"),
            Column("code_version", "Version", "text"),
            Column("rules", "Rules", "text"),
            Column("finished_at", "Finished", "moment"),
        ),
        tuple(
            (
                run.job,
                str(run.run_id),
                run.code_version,
                ", ".join(f"{name} {version}" for name, version in sorted(run.rule_versions.items())),
                run.finished_at,
            )
            for run in provenance.runs
        ),
        "" if provenance.runs else "No run is in the ledger.",
    )


def _tables(provenance: Provenance) -> Table:
    return Table(
        "tables",
        "Rows used",
        (Column("table", "Table", "text"), Column("row_count", "Rows", "count", name_metric("rows"))),
        tuple((use.table, use.row_count) for use in provenance.tables),
    )


def _batches(provenance: Provenance) -> Table:
    counted = name_metric("batch_rows")
    return Table(
        "batches",
        "What came in",
        (
            Column("kind", "Kind", "text"),
            Column("source", "Source", "text"),
            Column("content_hash", "SHA-256", "text"),
            Column("received_count", "Received", "count", counted),
            Column("accepted_count", "Accepted", "count", counted),
            Column("refused_count", "Refused", "count", counted),
            Column("received_at", "At", "moment"),
        ),
        tuple(
            (
                name_term("batch", batch.kind),
                batch.source,
                batch.content_hash,
                batch.received_count,
                batch.accepted_count,
                batch.refused_count,
                batch.received_at,
            )
            for batch in provenance.batches
        ),
        "" if provenance.batches else "Nothing came in as a file or body.",
    )


def _lists(provenance: Provenance) -> Table:
    undated = Missing("its maker states no date")
    return Table(
        "lists",
        "Lists and their dates",
        (Column("title", "List", "text"), Column("version", "Version", "text"), Column("built_on", "Date", "date")),
        tuple((item.title, item.version, item.built_on or undated) for item in provenance.lists),
    )


def _lines(name: str, title: str, lines: tuple[str, ...], none: str) -> Table:
    rows: tuple[tuple[Value, ...], ...] = tuple((line,) for line in lines)
    return Table(name, title, (Column("text", title, "text"),), rows, "" if rows else none)
