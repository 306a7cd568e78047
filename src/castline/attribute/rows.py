"""Credits as rows of `attribution_events`: written as text by the engine that computed them, all at once."""

from pathlib import Path
from typing import Final
from uuid import UUID

import duckdb

from castline.attribute.window import MODEL_VERSION

CREDITS_OUT: Final = "credits_out.csv"
_MOMENT: Final = (
    "strftime({0}, '%Y-%m-%dT%H:%M:%S') || if(epoch_us({0}) % 1000000 = 0, '', strftime({0}, '.%f')) || '+00:00'"
)
_TOUCHED_BY: Final = {
    "promo_code": "promo_code",
    "utm_source": "utm_source",
    "utm_medium": "utm_medium",
    "utm_campaign": "utm_campaign",
    "pixel_id": "if(method = 'pixel', pixel_id, null)",
    "referrer": "referrer",
    "custom_tracking_id": "custom_tracking_id",
    "matched_key": "matched_key",
}
_CONVERTED: Final = {
    name: name for name in ("conversion_type", "conversion_value", "currency", "order_id", "product_id")
}
# What the credit rests on, kept so that it can be explained after the raw rows are gone (ruling 10b).
_RESTS_ON: Final = {
    "content_hash": "content_hash",
    "touched_at": _MOMENT.format("touched_at"),
    "first_touched_at": _MOMENT.format("first_touched_at"),
    "touch_count": "touch_count",
    "told_count": "told_count",
    "consumer_count": "consumer_count",
    "evidence_from": _MOMENT.format("order_evidence_from"),
    "via_conversion_id": "via_conversion_id::varchar",
} | {name: f"if(listener_event_id is null, null, {name})" for name in ("platform", "country_code", "device_type")}


def _object_of(members: dict[str, str]) -> str:
    """The expression of a JSON object that leaves out what is null."""
    parts = ", ".join(f"'\"{name}\":' || to_json({text})::varchar" for name, text in members.items())
    return f"'{{' || concat_ws(',', {parts}) || '}}'"


# In the order of the model's fields (castline.model.conversion.AttributionEvent).
_ROWS: Final = f"""
    select event_id, strftime(occurred_at, '%Y-%m-%d %H:%M:%S.%f+00'), campaign_id, podcast_id, episode_id, method,
        {_object_of(_TOUCHED_BY)}, {_object_of(_CONVERTED)}, listener_event_id, external_user_id, session_id, device_id,
        null, '{{}}', {_object_of(_RESTS_ON)}, conversion_id,
        if(matched_key = 'household', '\\x' || listener_key, null),
        (credit_units // 10000000000)::varchar || '.' || lpad((credit_units % 10000000000)::varchar, 10, '0'),
        tier, probability, '{MODEL_VERSION}', $run_id
    from changed
    order by occurred_at, event_id
"""


def write_rows(memory: duckdb.DuckDBPyConnection, folder: Path, run_id: UUID) -> Path:
    """The changed credits are in a file of the folder, one line each, as `copy_credits` takes them."""
    target = folder / CREDITS_OUT
    rows = _ROWS.replace("$run_id", f"'{run_id}'")
    memory.execute(f"copy ({rows}) to '{target}' (format csv, header false, nullstr '\\N')")
    return target
