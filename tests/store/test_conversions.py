"""Taking in conversions: once each, refusals apart, replays after the reason is gone."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest

from castline.base.clock import now
from castline.cli.sponsor import add_sponsor
from castline.ingest.conversions.files import import_conversions
from castline.ingest.conversions.rates import import_rates
from castline.ingest.conversions.receive import ConversionBatch, receive_conversions
from castline.ingest.conversions.replay import ReplayResult, replay
from castline.ingest.places import listener_key
from castline.model.account import User
from castline.model.conversion import ConversionInput, RefundInput
from castline.model.roi import ExchangeRate
from castline.sources.conversions.csv import CsvOptions
from castline.store.money.conversions import load_conversions, load_rates
from castline.store.pool import Store
from castline.store.provenance.ledger import load_batches, load_quarantine, load_runs

pytestmark = pytest.mark.store
HEADER = "order_id,occurred_at,value,currency,sponsor,ip,email\n"
AT = datetime(2026, 3, 1, 9, tzinfo=UTC)


def deliver(store: Store, owner_id: UUID, path: Path, text: str, **options: object) -> ConversionBatch:
    path.write_text(text, "utf-8")
    return import_conversions(store, owner_id, path, CsvOptions(**options))  # type: ignore[arg-type]


def counts(batch: ConversionBatch) -> tuple[int, int, int, int]:
    return batch.received, batch.accepted, batch.duplicate, batch.refused


def test_the_same_file_twice_changes_nothing(store: Store, account: User, tmp_path: Path) -> None:
    text = HEADER + "1,2026-03-01,10,USD,,,\n2,2026-03-02,20,USD,,,\n"
    first = deliver(store, account.user_id, tmp_path / "a.csv", text)
    again = deliver(store, account.user_id, tmp_path / "b.csv", text)
    assert (counts(first), first.already_imported) == ((2, 2, 0, 0), False)
    assert (counts(again), again.already_imported, again.batch_id) == ((2, 0, 2, 0), True, first.batch_id)
    with store.account(account.user_id) as connection:
        assert len(load_conversions(connection, account.user_id)) == 2


def test_the_same_file_with_other_options_stores_no_row_and_no_refusal_again(
    store: Store, account: User, tmp_path: Path
) -> None:
    for name in ("Acme", "Other"):
        add_sponsor(store, account.user_id, name, {})
    text = HEADER + "1,2026-03-01,10,USD,,,\n2,yesterday,20,USD,,,\n"
    first = deliver(store, account.user_id, tmp_path / "a.csv", text)
    again = deliver(store, account.user_id, tmp_path / "a.csv", text, sponsor="Acme", zone_name="Europe/Berlin")
    other_door = import_conversions(store, account.user_id, tmp_path / "a.csv", CsvOptions(), source="shop")
    assert [counts(batch) for batch in (first, again, other_door)] == [(2, 1, 0, 1), (2, 0, 1, 1), (2, 0, 1, 1)]
    assert again.already_imported
    with store.account(account.user_id) as connection:
        assert len(load_conversions(connection, account.user_id)) == 1
        assert [item.line_number for item in load_quarantine(connection, account.user_id)] == [3]
        assert len(load_batches(connection, account.user_id)) == 1


def test_options_that_make_a_refused_row_readable_take_it_once(store: Store, account: User, tmp_path: Path) -> None:
    text = HEADER + "1,2026-03-01,10,USD,,,\n2,2026-03-02,20,,,,\n3,yesterday,20,,,,\n"
    first = deliver(store, account.user_id, tmp_path / "a.csv", text)
    mended = [deliver(store, account.user_id, tmp_path / "a.csv", text, currency="EUR") for _ in range(2)]
    assert [counts(batch) for batch in (first, *mended)] == [(3, 1, 0, 2), (3, 1, 1, 1), (3, 0, 2, 1)]
    with store.account(account.user_id) as connection:
        found = load_conversions(connection, account.user_id)
        assert sorted((item.order_id, item.currency) for item in found) == [("1", "USD"), ("2", "EUR")]
        assert [item.line_number for item in load_quarantine(connection, account.user_id)] == [4]
        assert len(load_batches(connection, account.user_id)) == 1


def test_an_overlapping_file_adds_only_what_is_new(store: Store, account: User, tmp_path: Path) -> None:
    deliver(store, account.user_id, tmp_path / "a.csv", HEADER + "1,2026-03-01,10,USD,,,\n")
    more = deliver(
        store, account.user_id, tmp_path / "a.csv", HEADER + "1,2026-03-01,10.00,USD,,,\n2,2026-03-02,1,USD,,,\n"
    )
    assert counts(more) == (2, 1, 1, 0)


def test_the_same_key_with_another_body_waits_as_a_conflict(store: Store, account: User, tmp_path: Path) -> None:
    deliver(store, account.user_id, tmp_path / "a.csv", HEADER + "1,2026-03-01,10,USD,,,\n")
    changed = deliver(store, account.user_id, tmp_path / "a.csv", HEADER + "1,2026-03-01,11,USD,,,\n")
    assert counts(changed) == (1, 0, 0, 1)
    assert [(drop.line_number, drop.reason) for drop in changed.drops] == [(2, "conflict")]
    with store.account(account.user_id) as connection:
        assert [item.conversion_value for item in load_conversions(connection, account.user_id)] == [Decimal(10)]


def test_an_unknown_sponsor_waits_and_is_replayed_when_it_is_there(store: Store, account: User, tmp_path: Path) -> None:
    row = '1,2026-03-01,"1.234,50",EUR,Acme,203.0.113.77,ada@example.org'
    first = deliver(store, account.user_id, tmp_path / "a.csv", f"{HEADER}{row}\n2,2026-03-01,1,EUR,Nobody,,\n")
    assert [drop.reason for drop in first.drops] == ["unknown_sponsor", "unknown_sponsor"]
    with store.account(account.user_id) as connection:
        kept = load_quarantine(connection, account.user_id)
    assert all("ada@" not in item.payload and "203.0.113.77" not in item.payload for item in kept)
    add_sponsor(store, account.user_id, "acme", {})
    assert replay(store, account.user_id) == ReplayResult(2, 1, 0, 1)
    assert replay(store, account.user_id) == ReplayResult(1, 0, 0, 1)
    with store.account(account.user_id) as connection:
        found = load_conversions(connection, account.user_id)
        waiting = load_quarantine(connection, account.user_id)
    assert [(item.order_id, item.conversion_value, item.sponsor) for item in found] == [
        ("1", Decimal("1234.5"), "acme")
    ]
    assert [item.line_number for item in waiting] == [3]


def test_refused_json_bodies_are_replayed_too(store: Store, account: User) -> None:
    row = ConversionInput(occurred_at=AT, order_id="1", sponsor="Acme", campaign=None)
    batch = receive_conversions(store, account.user_id, [row], source="api", content_hash=b"1", name="body")
    assert counts(batch) == (1, 0, 0, 1)
    add_sponsor(store, account.user_id, "Acme", {})
    assert replay(store, account.user_id).accepted_count == 1


def test_refunds_of_one_order_are_rows_of_their_own(store: Store, account: User) -> None:
    rows = [
        RefundInput("1", AT, Decimal(-10), "USD"),
        RefundInput("1", AT + timedelta(hours=1), Decimal(-10), "USD"),
        RefundInput("1", AT, Decimal(-10), "USD"),
    ]
    batch = receive_conversions(store, account.user_id, rows, source="api", content_hash=b"1", name="body")
    assert counts(batch) == (3, 2, 1, 0)


def test_a_row_from_the_future_is_refused(store: Store, account: User) -> None:
    row = ConversionInput(occurred_at=now() + timedelta(days=3), order_id="1")
    batch = receive_conversions(store, account.user_id, [row], source="api", content_hash=b"1", name="body")
    assert [drop.reason for drop in batch.drops] == ["invalid_field"]


def test_an_address_becomes_a_key_and_a_network(store: Store, account: User) -> None:
    row = ConversionInput(occurred_at=AT, order_id="1", ip_address="::ffff:203.0.113.77")
    bad = ConversionInput(occurred_at=AT, order_id="2", ip_address="300.1.1.1")
    batch = receive_conversions(store, account.user_id, [row, bad], source="api", content_hash=b"1", name="body")
    assert [drop.detail.split(":")[0] for drop in batch.drops] == ["ip_address"]
    with store.account(account.user_id) as connection:
        kept = connection.execute("select listener_key, host(ip_address) from conversions").fetchall()
    assert kept == [(listener_key(store.settings, account.user_id, "203.0.113.77"), "203.0.113.0")]


def test_the_ledger_counts_what_came(store: Store, account: User, tmp_path: Path) -> None:
    deliver(store, account.user_id, tmp_path / "a.csv", HEADER + "1,2026-03-01,10,USD,,,\n2,x,20,USD,,,\n")
    with store.account(account.user_id) as connection:
        run = load_runs(connection, account.user_id)[0]
    assert (run.job, run.status, run.counts) == (
        "conversion.receive",
        "succeeded",
        {"received": 2, "accepted": 1, "duplicate": 0, "refused": 1},
    )


def test_rates_come_once_and_a_second_opinion_is_a_conflict(store: Store, account: User, tmp_path: Path) -> None:
    path = tmp_path / "rates.csv"
    path.write_text("date,base,quote,rate\n2026-03-01,EUR,USD,1.08\n2026-03-01,EUR,XXZ,1\n2026-03-02,EUR,EUR,1\n")
    first = import_rates(store, account.user_id, path)
    path.write_text("date;base;quote;rate\n2026-03-01;EUR;USD;1.080\n2026-03-02;EUR;USD;1.10\n2026-03-01;EUR;USD;1.2\n")
    second = import_rates(store, account.user_id, path)
    assert (counts(first), counts(second)) == ((3, 1, 0, 2), (3, 1, 1, 1))
    with store.account(account.user_id) as connection:
        assert load_rates(connection, account.user_id) == [
            ExchangeRate("EUR", "USD", datetime(2026, 3, 2, tzinfo=UTC).date(), Decimal("1.10"), "rates.csv"),
            ExchangeRate("EUR", "USD", datetime(2026, 3, 1, tzinfo=UTC).date(), Decimal("1.08"), "rates.csv"),
        ]


def test_the_rate_of_a_day_that_has_not_come_is_refused(store: Store, account: User, tmp_path: Path) -> None:
    today, far = now().date(), now().date() + timedelta(days=40)
    path = tmp_path / "rates.csv"
    path.write_text(f"date,base,quote,rate\n{far},EUR,USD,1.08\n{today},EUR,USD,1.07\n")
    batch = import_rates(store, account.user_id, path)
    assert counts(batch) == (2, 1, 0, 1)
    detail = f"date: {far} lies in the future; import its rate once it is known, in another file"
    assert [(drop.line_number, drop.reason, drop.detail) for drop in batch.drops] == [(2, "invalid_field", detail)]
    with store.account(account.user_id) as connection:
        assert [rate.rate_on for rate in load_rates(connection, account.user_id)] == [today]


def test_the_page_of_an_order_that_is_loaded_again_is_a_duplicate_unless_it_says_something_else(
    store: Store, account: User
) -> None:
    def load_page(minute: int, value: str, ip: str) -> ConversionBatch:
        page = ConversionInput(
            AT + timedelta(minutes=minute),
            "purchase",
            order_id="A-1",
            conversion_value=Decimal(value),
            currency="USD",
            ip_address=ip,
            user_agent=f"Browser/{minute}",
        )
        said = str(minute).encode()
        return receive_conversions(store, account.user_id, [page], source="pixel", content_hash=said, name="pixel")

    assert counts(load_page(0, "10", "192.0.2.1")) == (1, 1, 0, 0)
    assert counts(load_page(5, "10", "198.51.100.7")) == (1, 0, 1, 0)
    assert counts(load_page(9, "11", "192.0.2.1")) == (1, 0, 0, 1)
