"""What holds for every row of METHODS."""

from collections.abc import Iterator
from typing import get_args

import duckdb
import pytest

from castline.attribute.credit import find_touches, match_touches, share_credit
from castline.attribute.method import TOUCH_COLUMNS, Method
from castline.attribute.methods import METHODS
from castline.attribute.pixel import HOUSEHOLD_STEPS
from castline.attribute.tables import PREPARED
from castline.model.vocab import AttributionMethod
from make import make_id

ACME, SPRING, OTHERS, SHOW, EPISODE = (make_id(number) for number in range(1, 6))
# What each method needs to be told of a conversion, and nothing else.
EVIDENCE: dict[AttributionMethod, str] = {
    "promo_code": "promo_code = 'SPRING'",
    "utm": "utm_campaign = 'Spring'",
    "direct": f"campaign_id = '{SPRING}'",
    "custom": "custom_tracking_id = 't-1'",
    "pixel": "listener_key = 'aa'",
}
TABLES = (
    """
    create table conversions (
        conversion_id uuid, sponsor_id uuid, occurred_at timestamp, conversion_type varchar, order_id varchar,
        product_id varchar, conversion_value decimal(14, 4), currency varchar, promo_code varchar, utm_source varchar,
        utm_medium varchar, utm_campaign varchar, campaign_id uuid, custom_tracking_id varchar,
        external_user_id varchar, session_id varchar, device_id varchar, email_hash varchar, listener_key varchar,
        pixel_id varchar, referrer varchar
    )
    """,
    """
    create table campaigns (
        campaign_id uuid, sponsor_id uuid, podcast_id uuid, start_at timestamp, end_at timestamp, tail_at timestamp,
        promo_code varchar, utm_source varchar, utm_medium varchar, utm_campaign varchar, custom_tracking_id varchar,
        utm_key varchar
    )
    """,
    """
    create table spans (
        campaign_id uuid, sponsor_id uuid, podcast_id uuid, episode_id uuid, start_at timestamp, end_at timestamp
    )
    """,
    """
    create table listening (
        event_id uuid, heard_at timestamp, podcast_id uuid, episode_id uuid, campaign_id uuid, listener_key varchar,
        session_id varchar, device_id varchar, agent varchar, missed varchar
    )
    """,
)


@pytest.fixture
def memory() -> Iterator[duckdb.DuckDBPyConnection]:
    """A campaign of March 2026 with every key, one download of it on the 5th, and one order on the 10th."""
    memory = duckdb.connect(":memory:")
    for statement in TABLES:
        memory.execute(statement)
    memory.execute(
        f"insert into campaigns values ('{SPRING}', '{ACME}', '{SHOW}', '2026-03-01', '2026-04-01', '2026-05-01',"
        " 'spring', null, null, 'spring', 't-1', 'campaign spring')"
    )
    memory.execute(f"insert into spans values ('{SPRING}', '{ACME}', '{SHOW}', null, '2026-03-01', '2026-04-01')")
    memory.execute(
        f"insert into listening values ('{make_id(50)}', '2026-03-05', '{SHOW}', '{EPISODE}', null, 'aa', 's', 'd', '',"
        " null)"
    )
    memory.execute(
        "insert into conversions (conversion_id, sponsor_id, occurred_at, conversion_type, order_id)"
        f" values ('{make_id(100)}', '{ACME}', '2026-03-10', 'purchase', '1')"
    )
    yield memory
    memory.close()


def found(memory: duckdb.DuckDBPyConnection, methods: tuple[Method, ...] = METHODS) -> list[tuple[object, ...]]:
    for statement in PREPARED:
        memory.execute(statement)
    find_touches(memory, methods)
    for statement in HOUSEHOLD_STEPS:
        memory.execute(statement)
    match_touches(memory, methods)
    share_credit(memory)
    return memory.execute("select conversion_id, campaign_id, method, credit_units from shares").fetchall()


def test_there_is_one_row_for_every_method_of_the_vocabulary() -> None:
    assert sorted(method.name for method in METHODS) == sorted(get_args(AttributionMethod))


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_its_touches_have_the_columns_of_a_touch(memory: duckdb.DuckDBPyConnection, method: Method) -> None:
    found(memory)
    names = sorted(column.split()[0] for column in TOUCH_COLUMNS)
    for query in filter(None, (method.told, method.matched)):
        assert sorted(item[0] for item in memory.execute(query).description or ()) == names


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_its_own_evidence_brings_the_whole_order(memory: duckdb.DuckDBPyConnection, method: Method) -> None:
    memory.execute(f"update conversions set {EVIDENCE[method.name]}")
    assert found(memory, (method,)) == [(make_id(100), SPRING, method.name, 10**10)]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_without_evidence_nothing_is_credited(memory: duckdb.DuckDBPyConnection, method: Method) -> None:
    assert found(memory, (method,)) == []


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_nothing_is_credited_to_another_sponsor(memory: duckdb.DuckDBPyConnection, method: Method) -> None:
    memory.execute(f"update conversions set {EVIDENCE[method.name]}, sponsor_id = '{OTHERS}'")
    assert found(memory, (method,)) == []


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_nothing_is_credited_before_the_campaign_starts(memory: duckdb.DuckDBPyConnection, method: Method) -> None:
    memory.execute(f"update conversions set {EVIDENCE[method.name]}, occurred_at = '2026-02-28 23:59:59'")
    assert found(memory, (method,)) == []


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_the_row_twice_changes_no_credit(memory: duckdb.DuckDBPyConnection, method: Method) -> None:
    memory.execute(f"update conversions set {EVIDENCE[method.name]}")
    memory.execute(
        f"insert into conversions by name select * replace ('{make_id(101)}'::uuid as conversion_id) from conversions"
    )
    assert found(memory, (method,)) == [(make_id(100), SPRING, method.name, 10**10)]
