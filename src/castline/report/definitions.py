"""How each figure of a report is counted: the catalogue's metrics, and those that only a report shows."""

from collections.abc import Mapping
from functools import cache
from typing import Final

from castline.catalogue.metrics import load_metrics
from castline.model.figures import Definition

_OWN: Final = (
    Definition("batch_rows", 1, "lines or records of the delivered file, as they were taken in"),
    Definition("contracted", 1, "downloads or ads agreed for the placement, as entered"),
    Definition("cost", 1, "the campaign's fee, as entered"),
    Definition(
        "delivered_days",
        1,
        "downloads of the placement's episode in its first 7, 30 and 60 UTC days on the air, whether or not the flight"
        " is over; shown once those days are over",
    ),
    Definition("delivery_rate", 2, "ads delivered where they are measurable, else impressions / contracted"),
    Definition(
        "over_delivery",
        2,
        "ads delivered where they are measurable, else impressions, less contracted; below zero is owed",
    ),
    Definition("measured_days", 1, "UTC days of the flight whose requests were counted, and all of them beside"),
    Definition(
        "orders",
        1,
        "distinct orders that the sponsor's records tell of, within the flight and 60 days after; no visits",
    ),
    Definition("raw_conversions", 1, "records as they were received: one order may be told by several of them"),
    Definition("return", 1, "net_revenue - cost"),
    Definition("rows", 1, "rows of the table that the figures rest on"),
    Definition("share", 1, "downloads of the member / downloads whose rows are still kept"),
    Definition("unattributed", 1, "orders of this sponsor that no campaign was credited for"),
    Definition("unconverted", 1, "credited orders left out of revenue for want of an exchange rate"),
    Definition("visits", 1, "credited visits; they carry no revenue and are no orders"),
)
_SHARED: Final = (
    "ad_plays",
    "ads_delivered",
    "average_order_value",
    "break_even_orders",
    "cost_per_acquisition",
    "cost_per_mille",
    "credited_orders",
    "downloads",
    "first_days",
    "gross_revenue",
    "impressions",
    "net_revenue",
    "pace_rate",
    "refunds",
    "requests",
    "roas",
    "roi_rate",
    "spend",
    "valued_orders",
)


@cache
def load_definitions() -> Mapping[str, Definition]:
    """Every definition that a report's figures name, by metric."""
    metrics = load_metrics()
    shared = (Definition(name, metrics[name].version, metrics[name].formula) for name in _SHARED)
    return {item.metric: item for item in sorted((*shared, *_OWN), key=lambda item: item.metric)}


def name_metric(metric: str) -> str:
    """The metric's id with the version of its definition, such as `roas/1`."""
    return load_definitions()[metric].name
