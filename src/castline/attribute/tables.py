"""The named tables that attribution works on: one account's facts, in memory."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import duckdb
import polars as pl

from castline.attribute.exposure import Span
from castline.attribute.pixel import HOUSEHOLD_STEPS
from castline.attribute.window import WINDOW
from castline.model.campaign import Campaign

_CONVERSIONS: Final = {
    "conversion_id": "uuid",
    "sponsor_id": "uuid",
    "occurred_at": "timestamp",
    "conversion_type": "varchar",
    "order_id": "varchar",
    "product_id": "varchar",
    "conversion_value": "decimal(14, 4)",
    "currency": "varchar",
    "promo_code": "varchar",
    "utm_source": "varchar",
    "utm_medium": "varchar",
    "utm_campaign": "varchar",
    "campaign_id": "uuid",
    "custom_tracking_id": "varchar",
    "external_user_id": "varchar",
    "session_id": "varchar",
    "device_id": "varchar",
    "email_hash": "varchar",
    "listener_key": "varchar",
    "pixel_id": "varchar",
    "referrer": "varchar",
}
_LISTENING: Final = {
    "event_id": "uuid",
    "heard_at": "timestamp",
    "podcast_id": "uuid",
    "episode_id": "uuid",
    "campaign_id": "uuid",
    "listener_key": "varchar",
    "session_id": "varchar",
    "device_id": "varchar",
    "agent": "varchar",
    "platform": "varchar",
    "country_code": "varchar",
    "device_type": "varchar",
    "missed": "varchar",
}
_CREDITS: Final = {
    "event_id": "uuid",
    "credited_at": "timestamp",
    "conversion_id": "uuid",
    "content_hash": "varchar",
    "evidence_from": "timestamp",
}
CONVERSIONS_FILE: Final = "conversions.csv"
LISTENING_FILE: Final = "listening.csv"
CREDITS_FILE: Final = "credits.csv"
_ROWS_FILES: Final = (
    ("conversions", CONVERSIONS_FILE, _CONVERSIONS),
    ("listening", LISTENING_FILE, _LISTENING),
    ("credits", CREDITS_FILE, _CREDITS),
)
_LIMITS: Final[dict[str, str | bool | int | float | list[str]]] = {
    "threads": 2,
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}

# What the methods join on, made of what was exported. A code field may hold several codes.
PREPARED: Final = (
    """
    create temp table codes as
    select distinct conversion_id, lower(trim(code)) as code
    from conversions, unnest(list_append(string_split_regex(promo_code, '[,;]'), promo_code)) as parts (code)
    where trim(code) <> ''
    """,
    """
    create temp table utm_keys as
    select conversion_id, 'campaign ' || lower(trim(utm_campaign)) as utm_key
    from conversions
    where utm_campaign is not null
    union all
    select conversion_id, 'source ' || lower(trim(utm_source))
    from conversions
    where utm_source is not null
    """,
    """
    create temp table exposures as
    select listening.event_id, heard_at, listening.episode_id, listening.listener_key, listening.session_id,
        listening.device_id, spans.campaign_id, spans.sponsor_id
    from listening
    join spans
        on spans.podcast_id = listening.podcast_id
        and (spans.episode_id is null or spans.episode_id = listening.episode_id)
        and heard_at >= spans.start_at
        and heard_at < spans.end_at
    where (listening.campaign_id is null or listening.campaign_id = spans.campaign_id)
        and not coalesce(contains(listening.missed, spans.campaign_id::varchar), false)
    """,
    """
    create temp table agents as
    select listener_key, heard_at::date as heard_on, agent, min(heard_at) as heard_at
    from listening
    where listener_key is not null
    group by all
    """,
)


def load_tables(
    memory: duckdb.DuckDBPyConnection, folder: Path, campaigns: Sequence[Campaign], spans: Sequence[Span]
) -> None:
    """The exported files, the campaigns and their spans are tables, and `codes`, `utm_keys`, `exposures` are made."""
    for name, file, columns in _ROWS_FILES:
        typed = ", ".join(f"'{column}': '{kind}'" for column, kind in columns.items())
        memory.execute(
            f"create temp table {name} as select * from read_csv(?, header = false, auto_detect = false, delim = ',',"
            f" quote = '\"', escape = '\"', new_line = '\\n', parallel = false, max_line_size = 8388608,"
            f" columns = {{{typed}}})",
            [str(folder / file)],
        )
    _load_campaigns(memory, campaigns)
    _load_spans(memory, spans)
    for statement in PREPARED:
        memory.execute(statement)


def compute_households(memory: duckdb.DuckDBPyConnection) -> None:
    """The table `households` is there: what each address is worth at the moment of each conversion."""
    for statement in HOUSEHOLD_STEPS:
        memory.execute(statement)


def open_memory(folder: Path) -> duckdb.DuckDBPyConnection:
    """An empty database in memory, which spills into the folder and loads nothing from elsewhere."""
    return duckdb.connect(":memory:", config=_LIMITS | {"temp_directory": str(folder)})


_MOMENT: Final = pl.Datetime("us", "UTC")
_KEYS: Final = ("promo_code", "utm_source", "utm_medium", "utm_campaign", "custom_tracking_id")


def _load_campaigns(memory: duckdb.DuckDBPyConnection, campaigns: Sequence[Campaign]) -> None:
    ids = dict.fromkeys(("campaign_id", "sponsor_id", "podcast_id"), pl.String)
    rows = [
        [str(getattr(item, name)) for name in ids]
        + [getattr(item.attribution_config, name) for name in _KEYS]
        + [item.start_date, item.end_date, item.end_date + WINDOW]
        for item in campaigns
    ]
    schema = ids | dict.fromkeys(_KEYS, pl.String) | dict.fromkeys(("start_at", "end_at", "tail_at"), _MOMENT)
    given = pl.DataFrame(rows, schema=schema, orient="row").with_columns(
        pl.col("start_at", "end_at", "tail_at").dt.replace_time_zone(None)
    )
    memory.register("given_campaigns", given.to_arrow())
    memory.execute(
        f"""
        create temp table campaigns as
        select campaign_id::uuid as campaign_id, sponsor_id::uuid as sponsor_id, podcast_id::uuid as podcast_id,
            start_at, end_at, tail_at, {", ".join(f"nullif(lower(trim({name})), '') as {name}" for name in _KEYS)},
            coalesce(
                'campaign ' || nullif(lower(trim(given_campaigns.utm_campaign)), ''),
                'source ' || nullif(lower(trim(given_campaigns.utm_source)), '')
            ) as utm_key
        from given_campaigns
        """
    )


def _load_spans(memory: duckdb.DuckDBPyConnection, spans: Sequence[Span]) -> None:
    ids = ("campaign_id", "sponsor_id", "podcast_id", "episode_id")
    rows = [
        [None if getattr(span, name) is None else str(getattr(span, name)) for name in ids]
        + [span.start_at, span.end_at]
        for span in spans
    ]
    schema = dict.fromkeys(ids, pl.String) | dict.fromkeys(("start_at", "end_at"), _MOMENT)
    given = pl.DataFrame(rows, schema=schema, orient="row").with_columns(
        pl.col("start_at", "end_at").dt.replace_time_zone(None)
    )
    memory.register("given_spans", given.to_arrow())
    names = ", ".join(f"{name}::uuid as {name}" for name in ids)
    memory.execute(f"create temp table spans as select start_at, end_at, {names} from given_spans")
