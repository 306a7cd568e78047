"""Built reports, and what a report asks of the other tables."""

from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Final
from uuid import UUID

from psycopg import Connection
from psycopg.types.json import Jsonb

from castline.base.period import Period
from castline.model.campaign import Campaign
from castline.model.figures import ConversionCounts, RawConversions, TableUse
from castline.model.lineage import Batch, Run
from castline.model.report import Report
from castline.store.provenance.ledger import OpenRun
from castline.store.rows import find_one, load_all, save
from castline.store.sql import load_sql

_SQL: Final = load_sql("reports")


@dataclass(frozen=True, slots=True)
class Scope:
    """What a report asks for: a campaign, its episodes, the flight so far with its first and last UTC day.

    The sponsor's orders count from the flight's start to `orders_end_at`, for an order comes later than the ad; what is
    credited to the campaign counts whenever it was before `as_of`.
    """

    campaign: Campaign
    episode_ids: tuple[UUID, ...]
    period: Period
    first_on: date
    last_on: date
    orders_end_at: datetime
    as_of: datetime

    @property
    def facts(self) -> dict[str, object]:
        """The parameters that the queries share."""
        return {
            "tenant": self.campaign.user_id,
            "campaign_id": self.campaign.campaign_id,
            "podcast_id": self.campaign.podcast_id,
            "sponsor_id": self.campaign.sponsor_id,
            "episode_ids": list(self.episode_ids),
            "start_at": self.period.start_at,
            "end_at": self.period.end_at,
            "orders_end_at": self.orders_end_at,
            "as_of": self.as_of,
            "first_on": self.first_on,
            "last_on": self.last_on,
        }


def save_report(run: OpenRun, report: Report) -> None:
    """The file is on record, as part of the run."""
    facts = {item.name: getattr(report, item.name) for item in fields(report)}
    save(run.connection, _SQL["save_report"], facts | {"tenant": run.owner_id, "metadata": Jsonb(report.metadata)})


def load_reports(
    connection: Connection, owner_id: UUID, campaign_id: UUID | None = None, *, row_limit: int = 1000
) -> list[Report]:
    """The account's files, newest first; of one campaign if it is named."""
    facts = {"tenant": owner_id, "campaign_id": campaign_id, "row_limit": row_limit}
    return load_all(connection, Report, _SQL["load_reports"], facts)


def count_sponsor_conversions(connection: Connection, scope: Scope) -> ConversionCounts:
    """The sponsor's orders by where their credit went."""
    counted = find_one(connection, ConversionCounts, _SQL["count_sponsor_conversions"], scope.facts)
    return counted or ConversionCounts(0, 0, 0, 0, 0)


def count_raw_conversions(connection: Connection, scope: Scope) -> list[RawConversions]:
    """How many records told of the orders that each method has credited to the campaign."""
    return load_all(connection, RawConversions, _SQL["count_raw_conversions"], scope.facts)


def count_rows_used(connection: Connection, scope: Scope) -> list[TableUse]:
    """How many rows of each table the campaign's figures rest on."""
    facts = scope.facts | {"members": [str(episode_id) for episode_id in scope.episode_ids]}
    return load_all(connection, TableUse, _SQL["count_rows_used"], facts)


def load_batches_used(connection: Connection, scope: Scope) -> list[Batch]:
    """The files and bodies that the campaign's figures rest on, oldest first."""
    return load_all(connection, Batch, _SQL["load_batches_used"], scope.facts)


def load_runs_used(connection: Connection, scope: Scope, batch_ids: list[UUID]) -> list[Run]:
    """The newest run of each job that wrote rows which the campaign's figures rest on."""
    return load_all(connection, Run, _SQL["load_runs_used"], scope.facts | {"batch_ids": batch_ids})
