"""The return over campaigns."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from castline.model.vocab import CampaignStatus
from castline.report.delivery import add_up_delivery
from castline.web.pages.campaign_data import CampaignRow, compute_joint_roi


def row(status: CampaignStatus, cost: int, net: int) -> CampaignRow:
    return CampaignRow(
        campaign_id=UUID(int=1),
        name="Autumn",
        show="Show",
        sponsor="Sponsor",
        status=status,
        start_date=datetime(2026, 9, 1, tzinfo=UTC),
        end_date=datetime(2026, 10, 1, tzinfo=UTC),
        currency="USD",
        cost=Decimal(cost),
        downloads=0,
        delivery=add_up_delivery([]),
        credited_orders=Decimal(0),
        net_revenue=Decimal(net),
        roi_rate=None,
        roas=None,
    )


def test_a_draft_costs_nothing_yet() -> None:
    # (150 - 100) / 100; with the draft's fee it would be -0.75.
    assert compute_joint_roi([row("active", 100, 150), row("draft", 500, 0)], "USD") == Decimal("0.5")
    assert compute_joint_roi([row("draft", 500, 0)], "USD") is None
