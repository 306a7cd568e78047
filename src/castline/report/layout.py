"""Figures laid out as sections and tables: every format shows this and nothing else."""

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from typing import Final

from castline.base.money import Money
from castline.measure.rules.reasons import REASONS
from castline.model.figures import (
    AudienceDimension,
    Column,
    Document,
    Figure,
    Missing,
    PlacementDelivery,
    ReportFigures,
    Section,
    Table,
    Unit,
    Value,
)
from castline.model.roi import NO_CONVERSION, RoiFigures
from castline.report.definitions import load_definitions, name_metric
from castline.report.delivery import ADS_UNKNOWN, NO_PLACEMENT, Delivered, add_up_delivery
from castline.report.frozen import compute_hash, freeze_figures, name_report
from castline.report.played_ads import iter_played_tables
from castline.report.sources import lay_out_provenance
from castline.report.trend import describe_measured, iter_measured, iter_trend_tables
from castline.report.words import find_word, name_term

FLIGHT: Final = "flight"
DUE: Final = "due on "
DIMENSIONS: Final[Mapping[AudienceDimension, tuple[str, str]]] = {
    "app": ("Apps", "App"),
    "country": ("Countries", "Country"),
    "device": ("Devices", "Device"),
}
_DELIVERED: Final = (
    "Delivered counts downloads of the campaign's episodes within the flight, from the air day on. It is a part of what"
    " is counted for the whole show. Ads delivered are those downloads with which the ad itself was sent whole; where"
    " that is measurable, over / under is of them."
)
_ADS_UNKNOWN: Final = Missing(ADS_UNKNOWN)
_WHOLE_SHOW: Final = (
    "Requests for any episode of the show within the flight: received = counted + repeated + too little sent + not a"
    " listener. What is delivered for the campaign are those counted that fetched its episodes."
)
_NO_CONTRACT: Final = Missing("no number of downloads was contracted")
NOT_MEASURED: Final = Missing("no request of this flight was measured")
_DAY_UNKNOWN: Final = Missing("this day was not measured")
_NO_PLACEMENT: Final = Missing(NO_PLACEMENT)
_NOT_SHARED: Final = Missing("the fee is not split by placement")


def lay_out(figures: ReportFigures) -> Document:
    """The figures as a document; the same figures give the same document."""
    content_hash = compute_hash(freeze_figures(figures))
    return Document(
        figures=figures,
        report_id=name_report(content_hash),
        content_hash=content_hash.hex(),
        currency=figures.subject.currency,
        sections=(
            _subject(figures),
            _summary(figures),
            _delivery(figures),
            _audience(figures),
            _attribution(figures),
            _return(figures),
            _counting(figures),
            lay_out_provenance(figures),
        ),
        definitions=tuple(load_definitions().values()),
    )


def _subject(figures: ReportFigures) -> Section:
    subject = figures.subject
    last_on = (subject.flight.end_at - timedelta(microseconds=1)).date()
    facts: tuple[tuple[str, str, Value, Unit], ...] = (
        ("sponsor", "Sponsor", subject.sponsor, "text"),
        ("campaign", "Campaign", subject.campaign, "text"),
        ("shows", "Shows", ", ".join(subject.shows), "text"),
        ("status", "Status", subject.status, "text"),
        ("flight_first_on", "Flight from", subject.flight.start_at.date(), "date"),
        ("flight_last_on", "Flight to", last_on, "date"),
        ("as_of", "As of", figures.as_of, "moment"),
        ("currency", "Currency", subject.currency, "text"),
        ("methods", "Measured by", ", ".join(find_word("method", method) for method in subject.methods), "text"),
    )
    return Section("subject", "Campaign", tuple(Figure(*fact) for fact in facts))


def _figure(metric: str, label: str, value: Value, unit: Unit, *, name: str = "") -> Figure:
    return Figure(name or metric, label, value, unit, name_metric(metric), FLIGHT)


def _column(metric: str, label: str, unit: Unit, *, name: str = "") -> Column:
    return Column(name or metric, label, unit, name_metric(metric), FLIGHT)


def _known(value: int | Decimal | None, reason: str) -> Value:
    return Missing(reason) if value is None else value


def _earned(roi: RoiFigures, value: int | Decimal | None, reason: str = "") -> Value:
    """What the campaign brought; before any conversion came in nobody knows."""
    return _known(value, reason) if roi.has_conversions else Missing(NO_CONVERSION)


def _share(part: int, whole: int) -> Decimal:
    """The part as a rate, to a ten-thousandth of a percent."""
    return (Decimal(part) / whole).quantize(Decimal("0.000001"))


def _measured(count: int, figures: ReportFigures) -> Value:
    """The count, unless nothing was measured at all: then it is unknown and not zero."""
    return count if figures.counting or figures.roi.impressions else NOT_MEASURED


def lay_out_ads(figures: ReportFigures) -> Figure:
    """How many ads the placements delivered together, or why nobody knows: for pages, beside the summary."""
    placed = [item for item in figures.placements if item.kind]
    found = add_up_delivery([Delivered(item.contracted, item.delivered, item.ads_delivered) for item in placed])
    value = Missing(found.reason) if found.ads is None else _measured(found.ads, figures)
    return _figure("ads_delivered", "Ads delivered", value, "count")


def _delivery_rate(figures: ReportFigures) -> Value:
    delivered = _measured(figures.delivered_contracted, figures)
    if figures.contracted is None or isinstance(delivered, Missing):
        return _NO_CONTRACT if figures.contracted is None else delivered
    if not figures.contracted:
        return Missing("nothing was contracted")
    return _share(figures.delivered_contracted, figures.contracted)


def _over_delivery(placement: PlacementDelivery, figures: ReportFigures) -> Value:
    delivered = _measured(placement.paced, figures)
    if placement.contracted is None or isinstance(delivered, Missing):
        return _NO_CONTRACT if placement.contracted is None else delivered
    return placement.paced - placement.contracted


def _summary(figures: ReportFigures) -> Section:
    roi, contracted = figures.roi, figures.contracted
    earned = partial(_earned, roi)
    no_orders = "no order was credited"
    no_values = "no order of known value was credited"
    return Section(
        "summary",
        "At a glance",
        (
            _figure(
                "impressions",
                "Delivered downloads",
                _measured(figures.roi.impressions, figures),
                "count",
                name="delivered",
            ),
            _figure("contracted", "Contracted downloads", _known(contracted, _NO_CONTRACT.reason), "count"),
            _figure("delivery_rate", "Delivered of contracted", _delivery_rate(figures), "rate"),
            _figure("cost_per_mille", "eCPM", _known(roi.cost_per_mille, "nothing was delivered"), "money"),
            _figure("credited_orders", "Conversions", earned(roi.credited_orders), "share"),
            _figure(
                "credited_orders", "Modeled conversions", earned(roi.modeled_orders), "share", name="modeled_orders"
            ),
            _figure("net_revenue", "Attributed revenue", earned(roi.net_revenue), "money"),
            _figure(
                "net_revenue",
                "Modeled revenue",
                earned(roi.modeled_net_revenue),
                "money",
                name="modeled_net_revenue",
            ),
            _figure("roas", "ROAS", earned(roi.roas, "nothing was spent yet"), "ratio"),
            _figure("roi_rate", "ROI", earned(roi.roi_rate, "the campaign cost nothing"), "rate"),
            _figure("cost_per_acquisition", "CPA", earned(roi.cost_per_acquisition, no_orders), "money"),
            _figure("average_order_value", "Average order", earned(roi.average_order_value, no_values), "money"),
            _figure("break_even_orders", "Orders to break even", earned(roi.break_even_orders, no_values), "count"),
            _figure("visits", "Visits", earned(roi.visit_count), "count"),
        ),
    )


def _delivery(figures: ReportFigures) -> Section:
    placements = Table(
        "placements",
        "By placement",
        (
            Column("show", "Show", "text"),
            Column("episode", "Episode", "text"),
            Column("air_on", "Aired", "date"),
            Column("kind", "Kind", "text"),
            Column("position", "Position", "text"),
            _column("contracted", "Contracted", "count"),
            _column("impressions", "Delivered", "count", name="delivered"),
            _column("ads_delivered", "Ads delivered", "count"),
            _column("over_delivery", "Over / under", "count"),
            _column("delivered_days", "7 days", "count", name="delivered_days_7"),
            _column("delivered_days", "30 days", "count", name="delivered_days_30"),
            _column("delivered_days", "60 days", "count", name="delivered_days_60"),
            _column("spend", "Spend", "money"),
            _column("cost_per_mille", "CPM", "money"),
        ),
        tuple(_placement(placement, figures) for placement in figures.placements),
        _DELIVERED if figures.placements else "No episode of this campaign is on the air.",
    )
    daily = Table(
        "daily",
        "By day",
        (Column("day_on", "Day", "date"), _column("downloads", "Downloads", "count")),
        tuple((day.day_on, _DAY_UNKNOWN if day.downloads is None else day.downloads) for day in figures.daily),
        describe_measured(figures.daily),
    )
    tables = (placements, daily, *iter_trend_tables(figures))
    return Section("delivery", "Delivery", tuple(iter_measured(figures)), tables)


def _placement(placement: PlacementDelivery, figures: ReportFigures) -> tuple[Value, ...]:
    contracted = placement.contracted
    return (
        placement.show,
        placement.episode,
        placement.air_on,
        name_term("kind", placement.kind) if placement.kind else _NO_PLACEMENT,
        name_term("position", placement.position) if placement.position else _NO_PLACEMENT,
        _NO_CONTRACT if contracted is None else contracted,
        _measured(placement.delivered, figures),
        _ADS_UNKNOWN if placement.ads_delivered is None else placement.ads_delivered,
        _over_delivery(placement, figures),
        _after_days(placement.delivered_days_7, placement.air_on, 7, figures),
        _after_days(placement.delivered_days_30, placement.air_on, 30, figures),
        _after_days(placement.delivered_days_60, placement.air_on, 60, figures),
        _NOT_SHARED if placement.spend is None else placement.spend,
        _placement_cpm(placement, figures.subject.currency),
    )


def _after_days(count: int | None, air_on: date, days: int, figures: ReportFigures) -> Value:
    if count is not None:
        return count
    due_on = air_on + timedelta(days=days)
    if due_on > figures.as_of.date():
        return Missing(f"{DUE}{due_on:%Y-%m-%d}")
    return Missing("not every one of these days was measured")


def _placement_cpm(placement: PlacementDelivery, currency: str) -> Value:
    if placement.spend is None:
        return _NOT_SHARED
    if not placement.delivered:
        return Missing("nothing was delivered")
    return Money(placement.spend * 1000 / placement.delivered, currency).rounded().amount


def _audience(figures: ReportFigures) -> Section:
    note = (
        "" if figures.audience_base else "No rows of this flight are kept, so apps, countries and devices are unknown."
    )
    return Section(
        "audience",
        "Audience",
        (_figure("downloads", "Downloads these shares are of", figures.audience_base, "count", name="base"),),
        tuple(
            Table(
                dimension,
                title,
                (
                    Column("member", singular, "text"),
                    _column("downloads", "Downloads", "count"),
                    _column("share", "Share", "rate"),
                ),
                tuple(
                    (name_term(dimension, item.member), item.downloads, _share(item.downloads, figures.audience_base))
                    for item in figures.audience
                    if item.dimension == dimension
                ),
                note,
            )
            for dimension, (title, singular) in DIMENSIONS.items()
        )
        + tuple(iter_played_tables(figures)),
    )


def _attribution(figures: ReportFigures) -> Section:
    raw = {(item.method, item.tier): item.record_count for item in figures.raw_conversions}
    methods = Table(
        "methods",
        "By method",
        (
            Column("tier", "Tier", "text"),
            Column("method", "Method", "text"),
            _column("raw_conversions", "Raw records", "count"),
            _column("credited_orders", "Deduplicated orders", "share"),
            _column("gross_revenue", "Gross revenue", "money"),
            _column("refunds", "Refunds", "money"),
            _column("net_revenue", "Net revenue", "money"),
        ),
        tuple(
            (
                name_term("tier", item.tier),
                name_term("method", item.method),
                raw.get((item.method, item.tier), 0),
                item.credited_orders,
                item.gross_revenue,
                item.refunds,
                item.net_revenue,
            )
            for item in figures.roi.methods
        ),
        "" if figures.roi.methods else "No conversion was credited to this campaign.",
    )
    counts = figures.conversions
    return Section(
        "attribution",
        "Attribution",
        (
            _figure("raw_conversions", "Records received", counts.record_count, "count", name="records"),
            _figure("orders", "Orders they tell of", counts.order_count, "count"),
            _figure("orders", "Credited here", counts.credited_here, "count", name="here"),
            _figure("orders", "Credited elsewhere", counts.credited_elsewhere, "count", name="elsewhere"),
            _figure("unattributed", "Credited to nobody", counts.unattributed, "count"),
            _figure("valued_orders", "Of known value", _earned(figures.roi, figures.roi.valued_orders), "share"),
            _figure("unconverted", "Without a rate", figures.roi.unconverted_count, "count"),
        ),
        (methods,),
    )


def _return(figures: ReportFigures) -> Section:
    roi = figures.roi
    return Section(
        "return",
        "Return",
        (
            _figure("gross_revenue", "Gross revenue", _earned(roi, roi.gross_revenue), "money"),
            _figure("refunds", "Refunds", _earned(roi, roi.refunds), "money"),
            _figure("net_revenue", "Net revenue", _earned(roi, roi.net_revenue), "money"),
            _figure("cost", "Cost", roi.cost, "money"),
            _figure("return", "Return", _earned(roi, roi.net_revenue - roi.cost), "money"),
            _figure("spend", "Spend so far", roi.spend, "money"),
        ),
    )


def _explain(reason: str) -> Value:
    return REASONS[reason] if reason in REASONS else Missing("this version has no explanation of the reason")


def _counting(figures: ReportFigures) -> Section:
    steps = figures.counting
    table = Table(
        "verdicts",
        "Where every request went",
        (
            Column("verdict", "Verdict", "text"),
            Column("reason", "Reason", "text"),
            Column("meaning", "Which requests", "text"),
            _column("requests", "Requests", "count"),
        ),
        tuple(
            (
                name_term("verdict", step.verdict),
                name_term("reason", step.reason),
                _explain(step.reason),
                step.request_count,
            )
            for step in steps
        ),
        _WHOLE_SHOW if steps else "No request of this flight was measured.",
    )
    received = sum(step.request_count for step in steps)
    return Section(
        "counting",
        "From requests to downloads",
        (
            _figure("requests", "Requests received", received, "count", name="received"),
            *(
                _figure(
                    "requests",
                    label,
                    sum(s.request_count for s in steps if s.verdict == verdict),
                    "count",
                    name=verdict,
                )
                for verdict, label in (
                    ("counted", "Counted (whole show)"),
                    ("duplicate", "Repeated"),
                    ("partial", "Too little sent"),
                    ("dropped", "Not a listener"),
                )
            ),
        ),
        (table,),
    )
