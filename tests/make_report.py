"""A report's figures by hand, for tests of layout and formats. Each number can be followed on paper."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from castline.base.money import minor_unit
from castline.base.period import Period
from castline.model.figures import (
    AudienceShare,
    BatchUse,
    ConversionCounts,
    DayDownloads,
    ListUse,
    PlacementDelivery,
    Provenance,
    RawConversions,
    ReportFigures,
    RunUse,
    Subject,
    TableUse,
)
from castline.model.listening import VerdictCount
from castline.model.roi import MethodFigures, RoiFigures
from castline.model.vocab import AttributionMethod, AttributionTier
from make import make_id

FLIGHT = Period(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 31, tzinfo=UTC))
AS_OF = datetime(2026, 4, 10, 9, 30, tzinfo=UTC)


def make_figures(
    *,
    sponsor: str = "Harbour Coffee",
    campaign: str = "Autumn blend",
    show: str = "The Long Tide",
    currency: str = "USD",
    placement_count: int = 2,
) -> ReportFigures:
    """A campaign of `placement_count` placements of 1,500 downloads and 500 of cost each, and 40 orders of 60."""
    return ReportFigures(
        as_of=AS_OF,
        subject=Subject(
            campaign_id=make_id(7),
            campaign=campaign,
            sponsor=sponsor,
            shows=(show,),
            status="active",
            flight=FLIGHT,
            currency=currency,
            fee=_money(500 * placement_count, currency),
            methods=("promo_code", "utm"),
        ),
        # 30 days of 50 downloads for each placement: 1,500.
        daily=tuple(DayDownloads(day, 50 * placement_count) for day in FLIGHT.iter_days()),
        placements=tuple(_placement(number, show, currency) for number in range(placement_count)),
        audience=(
            AudienceShare("app", "Apple Podcasts", 900),
            AudienceShare("app", "Overcast", 300),
            AudienceShare("country", "DE", 1200),
            AudienceShare("device", "mobile", 1000),
            AudienceShare("device", "desktop", 200),
        ),
        audience_base=1200,
        raw_conversions=(
            RawConversions("promo_code", "confirmed", 33),
            RawConversions("utm", "confirmed", 12),
            RawConversions("pixel", "modeled", 9),
        ),
        conversions=ConversionCounts(
            record_count=70, order_count=64, credited_here=48, credited_elsewhere=6, unattributed=10
        ),
        roi=make_roi(placement_count, currency),
        counting=(
            VerdictCount("counted", "one_minute", 1500 * placement_count),
            VerdictCount("duplicate", "same_window", 210),
            VerdictCount("partial", "under_one_minute", 33),
            VerdictCount("dropped", "bot", 120),
        ),
        provenance=_provenance(),
    )


def make_roi(placement_count: int, currency: str) -> RoiFigures:
    """Two placements: cost 1,000; 40 orders of 60 are 2,400 gross, 100 refunded, 2,300 net.

    ROI (2,300 - 1,000) / 1,000 = 1.3; ROAS 2.3; CPA 1,000 / 40 = 25; CPM 1,000 / 3,000 x 1,000 = 333.33; average order
    60; break-even 1,000 / 60 = 16.67, so 17 orders.
    """
    cost, net = _money(500 * placement_count, currency), _money(2300, currency)
    impressions = 1500 * placement_count
    return RoiFigures(
        campaign_id=make_id(7),
        period=FLIGHT,
        as_of=AS_OF,
        currency=currency,
        cost=cost,
        spend=cost,
        impressions=impressions,
        credited_orders=Decimal(40),
        valued_orders=Decimal(40),
        gross_revenue=_money(2400, currency),
        refunds=_money(-100, currency),
        net_revenue=net,
        roi_rate=(net - cost) / cost,
        roas=net / cost,
        cost_per_acquisition=_money(cost / 40, currency),
        cost_per_mille=_money(cost / impressions * 1000, currency),
        average_order_value=_money(60, currency),
        break_even_orders=-(-500 * placement_count // 60),
        modeled_orders=Decimal("7.5"),
        modeled_net_revenue=_money(450, currency),
        unconverted_count=3,
        visit_count=11,
        methods=(
            _method("promo_code", "confirmed", "30", 1800, -100, currency),
            _method("utm", "confirmed", "10", 600, 0, currency),
            _method("pixel", "modeled", "7.5", 450, 0, currency),
        ),
        model_version="equal-30d/1",
    )


def empty(figures: ReportFigures) -> ReportFigures:
    """The same campaign, of which nothing was measured and for which nobody ordered."""
    nothing = Decimal(0)
    roi = replace(
        figures.roi,
        impressions=0,
        credited_orders=nothing,
        valued_orders=nothing,
        gross_revenue=nothing,
        refunds=nothing,
        net_revenue=nothing,
        roi_rate=Decimal(-1),
        roas=nothing,
        cost_per_acquisition=None,
        cost_per_mille=None,
        average_order_value=None,
        break_even_orders=None,
        modeled_orders=nothing,
        modeled_net_revenue=nothing,
        unconverted_count=0,
        visit_count=0,
        methods=(),
    )
    silent = [replace(item, delivered=0, delivered_days_7=None, delivered_days_30=None) for item in figures.placements]
    return replace(
        figures,
        daily=tuple(replace(day, downloads=0) for day in figures.daily),
        placements=tuple(silent),
        audience=(),
        audience_base=0,
        raw_conversions=(),
        conversions=ConversionCounts(0, 0, 0, 0, 0),
        roi=roi,
        counting=(),
        provenance=replace(figures.provenance, batches=(), runs=(), listening_until=None, conversions_until=None),
    )


@contextmanager
def file_size_limit(byte_count: int) -> Iterator[None]:
    """No file of this process grows beyond the limit, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (byte_count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _money(amount: int | Decimal, currency: str) -> Decimal:
    return Decimal(amount).quantize(minor_unit(currency))


def _placement(number: int, show: str, currency: str) -> PlacementDelivery:
    """Odd ones were sold 2,000 downloads, even ones 1,000; the sixtieth day of none is over."""
    return PlacementDelivery(
        show=show,
        episode=f"Number {number + 1}",
        air_on=date(2026, 3, 1) + timedelta(days=number % 10),
        kind="host-read",
        position=("pre", "mid", "post")[number % 3],
        contracted=2000 if number % 2 else 1000,
        delivered=1500,
        delivered_days_7=350,
        delivered_days_30=1500 if number == 0 else None,
        delivered_days_60=None,
        spend=_money(500, currency),
    )


def _method(  # noqa: PLR0913, PLR0917  # one row of the table
    method: AttributionMethod, tier: AttributionTier, orders: str, gross: int, refunds: int, currency: str
) -> MethodFigures:
    amounts = (_money(gross, currency), _money(refunds, currency), _money(gross + refunds, currency))
    return MethodFigures(method, tier, Decimal(orders), Decimal(orders), *amounts)


def _provenance() -> Provenance:
    return Provenance(
        code_version="0.1.0",
        ip_privacy="truncated",
        listening_until=datetime(2026, 4, 9, 23, 59, 4, tzinfo=UTC),
        conversions_until=datetime(2026, 4, 9, 20, 1, tzinfo=UTC),
        batches=(BatchUse("access_log", "march.log.gz", "ab" * 32, 3365, 3363, 2, AS_OF - timedelta(hours=1)),),
        runs=(RunUse("measure.run", make_id(99), "0.1.0", {"filter": "1"}, AS_OF - timedelta(minutes=50)),),
        tables=(TableUse("listener_events", 3000), TableUse("attribution_events", 54)),
        lists=(ListUse("IP to Country", "2026.6", date(2026, 6, 1)), ListUse("Agents", "1.67", None)),
        restatements=(),
        notes=("Intervals on ROAS and lift: not measurable yet.",),
    )


def untold(figures: ReportFigures) -> ReportFigures:
    """The same campaign before its account was told of any conversion."""
    nobody = empty(figures)
    roi = replace(nobody.roi, roi_rate=None, roas=None, has_conversions=False)
    return replace(nobody, roi=roi)
