"""The dashboard's tiles: what was heard and what it brought, each beside the days that it is compared with.

What nobody measured has no figure, and against days that were not all measured there is no change to tell.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from castline.measure.figures.query import run_query
from castline.model.query import Answer
from castline.report.numbers import NO_VALUE, format_value
from castline.store.pool import Connection
from castline.web.pages.campaign_data import NOTHING, CampaignRow, Earned, compute_joint_roi, find_currency
from castline.web.query import MetricQuery

_PARTLY: Final = "Change not measurable: not every day was measured."
_SOME_DAYS: Final = "Not every day was measured."
_UNMEASURED: Final = "Not measured: no request of these days was counted."
_NO_ORDERS: Final = "Not measured: no conversion had come in by then."


@dataclass(frozen=True, slots=True)
class Kpi:
    """One tile. `change_rate` is against the days before, None where there is nothing to compare with."""

    metric: str
    label: str
    value: str
    change_rate: float | None = None
    note: str = ""
    unit: str = ""


def load_listening_kpis(connection: Connection, owner_id: UUID, query: MetricQuery, days: Answer) -> tuple[Kpi, ...]:
    """Downloads, consumers and episodes heard; `days` are the downloads by day."""
    consumers = run_query(connection, owner_id, query.ask(measure="consumers", comparison=query.comparison))
    kpis = (
        _count(Kpi("downloads", "Downloads", NO_VALUE), days),
        _count(Kpi("consumers", "Consumers", NO_VALUE), consumers),
        _count_episodes(connection, owner_id, query),
    )
    if _can_compare(days):
        return kpis
    is_partly = days.compared is not None and days.compared.counting.measured_day_count > 0
    return tuple(replace(kpi, change_rate=None, note=kpi.note or (_PARTLY if is_partly else "")) for kpi in kpis)


def _count(kpi: Kpi, answer: Answer) -> Kpi:
    """The tile with the answer's figure and its change, or with why there is none."""
    if answer.withheld:
        return replace(kpi, note=f"{answer.withheld.detail[:1].upper()}{answer.withheld.detail[1:]}.")
    if not answer.counting.measured_day_count:
        return replace(kpi, note=_UNMEASURED)
    count, before = answer.total or 0, (answer.compared.total if answer.compared else 0) or 0
    error_rate = answer.counting.error_rate
    note = f"Estimate ± {error_rate:.1%}: raw downloads of these days are gone." if error_rate else kpi.note
    return replace(kpi, value=f"{count:,}", change_rate=_change(count, before), note=note)


def _count_episodes(connection: Connection, owner_id: UUID, query: MetricQuery) -> Kpi:
    """How many episodes had a download in the days, and in those that they are compared with."""
    kpi = Kpi("episodes", "Episodes heard", NO_VALUE)
    answer = run_query(connection, owner_id, query.ask(dimensions=("episode",), comparison=query.comparison))
    if answer.withheld:
        return kpi
    if not answer.counting.measured_day_count:
        return replace(kpi, note=_UNMEASURED)
    before = len(answer.compared.rows) if answer.compared else 0
    return replace(kpi, value=f"{len(answer.rows):,}", change_rate=_change(len(answer.rows), before))


def name_money_kpis(
    campaigns: tuple[CampaignRow, ...],
    earned: tuple[Earned, Earned | None],
    days: Answer,
    conversions_from: datetime | None,
) -> tuple[Kpi, ...]:
    """Orders, revenue and return. Before the first conversion came in, at `conversions_from`, nobody knows of any.

    Where no day that they are compared with was measured, there was no listener to credit them to, and no change to
    tell; where only some were, codes were credited still: the change stands, with a word of it.
    """
    kpis = _money_kpis(campaigns, earned[0], earned[1] or NOTHING)
    if conversions_from is None or conversions_from >= days.query.period.end_at:
        # The return is of whole flights to date: it is known once any conversion has come in.
        count = len(kpis) if conversions_from is None and campaigns else 2
        unknown = (replace(kpi, value=NO_VALUE, change_rate=None, note=_NO_ORDERS, unit="") for kpi in kpis[:count])
        return (*unknown, *kpis[count:])
    if _can_compare(days):
        return kpis
    before = days.compared
    if before is None or not before.counting.measured_day_count or conversions_from >= before.query.period.end_at:
        return tuple(replace(kpi, change_rate=None) for kpi in kpis)
    return tuple(replace(kpi, note=kpi.note or _SOME_DAYS) if kpi.change_rate is not None else kpi for kpi in kpis)


def _money_kpis(campaigns: tuple[CampaignRow, ...], earned: Earned, before: Earned) -> tuple[Kpi, ...]:
    orders = Kpi(
        "credited_orders",
        "Attributed orders",
        format_value(earned.orders, "share", ""),
        _change(earned.orders, before.orders),
    )
    currency = find_currency(campaigns, earned)
    if currency is None:
        none = "No campaign in these days."
        return (
            orders,
            Kpi("net_revenue", "Attributed revenue", NO_VALUE, note=none),
            Kpi("roi_rate", "Return on investment", NO_VALUE, note=none),
        )
    revenue = earned.net_revenue.get(currency, Decimal(0))
    others = sorted(({row.currency for row in campaigns} | set(earned.net_revenue)) - {currency})
    beside = f"without {', '.join(others)}" if others else ""
    roi = compute_joint_roi(campaigns, currency)
    return (
        orders,
        Kpi(
            "net_revenue",
            "Attributed revenue",
            format_value(revenue, "money", currency),
            _change(revenue, before.net_revenue.get(currency, Decimal(0))),
            beside,
            currency,
        ),
        Kpi(
            "roi_rate",
            "Return on investment",
            NO_VALUE if roi is None else format_value(roi, "rate", currency),
            note=f"{currency} campaigns, whole flights to date",
        ),
    )


def _can_compare(days: Answer) -> bool:
    """True if every day was measured, and every one that they are compared with."""
    return _is_measured(days) and days.compared is not None and _is_measured(days.compared)


def _is_measured(days: Answer) -> bool:
    return not days.withheld and days.counting.is_whole


def _change(value: int | Decimal, before: int | Decimal) -> float | None:
    return float((Decimal(value) - before) / before) if before > 0 else None
