"""CSV files of conversions: names, encodings, delimiters, amounts, times, and rows that are refused."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from castline.base.errors import InvalidInput
from castline.model.conversion import ConversionInput, RefundInput
from castline.model.lineage import Drop
from castline.sources.conversions.csv import CsvOptions, NotConversions, ParsedRow, UnknownColumn, parse_conversions
from castline.sources.conversions.fields import Reading, hash_email, parse_money, parse_time
from castline.sources.table_file import NoRows, detect_encoding

TYPED = Reading(localised=True)
HEADER = "order_id,occurred_at,value,currency,code\n"


def read(text: str | bytes, **options: object) -> list[ParsedRow | Drop]:
    data = text if isinstance(text, bytes) else text.encode()
    return list(parse_conversions(data, source="orders.csv", options=CsvOptions(**options)).rows)  # type: ignore[arg-type]


def values(text: str | bytes, **options: object) -> list[object]:
    return [row.value if isinstance(row, ParsedRow) else row for row in read(text, **options)]


def test_a_plain_row_is_an_order() -> None:
    assert values(HEADER + "1001,2026-03-01T09:30:00Z,99.95,usd,SPRING\n") == [
        ConversionInput(
            occurred_at=datetime(2026, 3, 1, 9, 30, tzinfo=UTC),
            order_id="1001",
            conversion_value=Decimal("99.95"),
            currency="USD",
            promo_code="SPRING",
        )
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_usual_delimiters_and_encodings_read_alike(delimiter: str, encoding: str) -> None:
    lines = [
        ["Order ID", "Created At", "Revenue", "Currency", "Coupon"],
        ["1", "2026-03-01", "9.50", "EUR", "Frühling"],
        ["2", "2026-03-02", "1.50", "EUR", "été"],
    ]
    data = "\r\n".join(delimiter.join(line) for line in lines).encode(encoding)
    assert [(item.order_id, item.promo_code) for item in values(data) if isinstance(item, ConversionInput)] == [
        ("1", "Frühling"),
        ("2", "été"),
    ]


def test_japanese_exports_are_read() -> None:
    text = HEADER + "1,2026-03-01,1200,JPY,春の特別割引\n2,2026-03-02,800,JPY,ポッドキャスト\n"
    assert detect_encoding(text.encode("cp932")) == "cp932"
    assert [item.promo_code for item in values(text.encode("cp932")) if isinstance(item, ConversionInput)] == [
        "春の特別割引",
        "ポッドキャスト",
    ]


def test_excels_separator_line_is_followed() -> None:
    assert len(values("sep=;\norder_id;date;value;currency\n1;2026-03-01;9,99;EUR\n")) == 1


def test_each_bad_row_names_its_line_and_field_and_the_rest_goes_on() -> None:
    text = (
        "order_id,occurred_at,value,currency,note\n"
        '1,2026-03-01,10,USD,"two\nlines"\n'
        "2,2026-03-01,10,XXZ,\n"
        "3,yesterday,10,USD,\n"
        '4,2026-03-01,"1,234",USD,\n'
        "5,2026-03-01,10,,\n"
        "6,2026-03-01\n"
        '7,2026-03-01,10,USD,"open\n'
        "8,2026-03-01,-10,USD,\n"
        "9,2026-03-01,10,USD,fine\n"
    )
    rows = read(text)
    assert [(row.line_number, row.reason) for row in rows if isinstance(row, Drop)] == [
        (4, "unknown_currency"),
        (5, "invalid_field"),
        (6, "invalid_field"),
        (7, "missing_field"),
        (8, "malformed_row"),
        (9, "malformed_row"),
        (10, "invalid_field"),
    ]
    drops = [row for row in rows if isinstance(row, Drop)]
    assert drops[0].detail == "currency: 'XXZ' is no ISO 4217 currency code, such as USD"
    assert drops[0].payload == "2,2026-03-01,10,XXZ,"
    assert [row.value.order_id for row in rows if isinstance(row, ParsedRow)] == ["1", "9"]
    assert [row.line_number for row in rows if isinstance(row, ParsedRow)] == [2, 11]


@pytest.mark.parametrize(
    ("kind", "amount", "reason", "signed"),
    [
        ("refund", "-10.00", "refund", "-10.00"),
        ("refund", "10.00", "refund", "-10.00"),
        ("Chargeback", "25", "chargeback", "-25"),
        ("reversal", "-25", "reversal", "25"),
    ],
)
def test_a_refund_has_the_sign_of_its_kind(kind: str, amount: str, reason: str, signed: str) -> None:
    assert values(f"type,order_id,date,amount,currency\n{kind},1,2026-03-05,{amount},USD\n") == [
        RefundInput(
            order_id="1",
            occurred_at=datetime(2026, 3, 5, tzinfo=UTC),
            amount=Decimal(signed),
            currency="USD",
            reason=reason,  # type: ignore[arg-type]
        )
    ]


def test_an_email_is_kept_as_its_hash_only() -> None:
    row = values("order_id,date,email\n1,2026-03-01, Ada@Example.ORG \n")[0]
    assert isinstance(row, ConversionInput)
    assert row.email_hash == hash_email("ada@example.org")
    assert "example" not in repr(row).lower()


def test_naive_times_are_of_the_given_zone() -> None:
    row = values("order_id,date\n1,2026-03-01 10:00\n2,2026-07-01 10:00\n", zone_name="Europe/Berlin")
    assert [item.occurred_at.hour for item in row if isinstance(item, ConversionInput)] == [9, 8]


def test_columns_can_be_named_by_hand() -> None:
    text = 'Bestellung,Datum,Betrag\n1,2026-03-01,"9,95"\n'
    options = {"Bestellung": "order_id", "Datum": "occurred_at", "Betrag": "conversion_value"}
    row = values(text, columns=options, currency="EUR")[0]
    assert isinstance(row, ConversionInput)
    assert (row.order_id, row.conversion_value, row.currency) == ("1", Decimal("9.95"), "EUR")
    with pytest.raises(UnknownColumn, match="there is no column"):
        values(text, columns={"Nichts": "order_id"})
    with pytest.raises(UnknownColumn, match="is none of"):
        values(text, columns={"Datum": "when"})


def test_of_two_columns_for_one_field_the_better_name_wins() -> None:
    row = values("order_id,created_at,occurred_at,total,value,currency\n1,2020-01-01,2026-03-01,5,7,USD\n")[0]
    assert isinstance(row, ConversionInput)
    assert (row.occurred_at, row.conversion_value) == (datetime(2026, 3, 1, tzinfo=UTC), Decimal(7))


def test_a_file_without_a_header_says_what_it_needs() -> None:
    with pytest.raises(NotConversions, match=r"line 1, .*no column for occurred_at; its columns are 1001, x"):
        read("1001,x\n1002,y\n")
    with pytest.raises(NoRows):
        read("\n \n")


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("1.234,50", "1234.50"),
        ("1,234.50", "1234.50"),
        ("1 234,50", "1234.50"),
        ("1\u00a0234,50", "1234.50"),
        ("1'234.50", "1234.50"),
        ("1,234,567", "1234567"),
        ("1.234.567,8", "1234567.8"),
        ("99,95", "99.95"),
        ("0.234", "0.234"),
        ("1234.567", "1234.567"),
        ("12", "12"),
        ("-12.5", "-12.5"),
    ],
)
def test_amounts_as_people_write_them(text: str, amount: str) -> None:
    assert parse_money(text, "USD", TYPED, field="value") == (Decimal(amount), "USD")


@pytest.mark.parametrize(
    "text", ["1,234", "1.234", "1.234.5", "1,23,456", "$1,234", "9 x", "9 EUR", "1e3", "NaN", "--1", "12,345.6,7"]
)
def test_amounts_that_could_be_two_numbers_or_none_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="value: "):
        parse_money(text, "USD", TYPED, field="value")


def test_three_decimals_are_plain_in_a_currency_that_has_them() -> None:
    assert parse_money("1.234", "KWD", TYPED, field="value") == (Decimal("1.234"), "KWD")


def test_a_currency_that_is_none_is_no_matter_of_the_rows() -> None:
    with pytest.raises(InvalidInput, match="--currency: 'DOLLAR' is no ISO 4217"):
        read(HEADER, currency="DOLLAR")


@pytest.mark.parametrize(
    ("cells", "kept"),
    [
        ('"$1,234.50",USD', ("1234.50", "USD")),
        ('"$1,234.50",CAD', ("1234.50", "CAD")),
        ('"1.234,50 €",', ("1234.50", "EUR")),
        ("EUR 12,", ("12", "EUR")),
        ('"£1,000.00",', ("1000.00", "GBP")),
        ("$12.50 USD,", ("12.50", "USD")),
    ],
)
def test_an_amount_may_tell_its_currency(cells: str, kept: tuple[str, str]) -> None:
    (row,) = values(f"order_id,date,value,currency\n1,2026-03-01,{cells}\n")
    assert isinstance(row, ConversionInput)
    assert (row.conversion_value, row.currency) == (Decimal(kept[0]), kept[1])


@pytest.mark.parametrize(
    ("cells", "drop"),
    [
        (
            '"$1,234.50",',
            (
                "missing_field",
                (
                    "currency: is missing: '$' is written for AUD, CAD, USD, ARS; add a column `currency`, or give"
                    " --currency"
                ),
            ),
        ),
        (
            "5 €,USD",
            (
                "invalid_field",
                "conversion_value: '5 €' contradicts the currency USD of the row; correct the one that is wrong",
            ),
        ),
        (
            '"$1,234",USD',
            (
                "invalid_field",
                "conversion_value: '$1,234' could be one thousand or a fraction; write it plainly, such as 1234.00",
            ),
        ),
    ],
)
def test_an_amount_of_no_certain_currency_waits_and_says_how_to_mend_it(cells: str, drop: tuple[str, str]) -> None:
    (row,) = values(f"order_id,date,value,currency\n1,2026-03-01,{cells}\n")
    assert isinstance(row, Drop)
    assert (row.reason, row.detail) == drop


def test_a_sign_of_several_currencies_is_of_the_default_that_writes_it() -> None:
    text = "order_id,date,value\n1,2026-03-01,$5\n2,2026-03-01,€5\n3,2026-03-01,5\n4,2026-03-01,₩500\n"
    rows = values(text, currency="cad")
    assert [item.currency for item in rows if isinstance(item, ConversionInput)] == ["CAD", "EUR", "CAD"]
    assert [item.reason for item in rows if isinstance(item, Drop)] == ["invalid_field"]


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01T09:30:00Z",
        "2026-03-01 09:30:00",
        "2026-03-01 09:30:00 UTC",
        "2026-03-01 04:30:00 -0500",
        "2026-03-01T10:30:00+01:00",
        "2026/3/1 09:30",
        "1772357400",
        "1772357400000",
        "1772357400.0",
    ],
)
def test_times_as_sources_write_them(text: str) -> None:
    assert parse_time(text, UTC) == datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["03/01/2026", "46082.5", "0", "1999-12-31", "2026-02-30", "", None, "0001-01-01T00:00+14:00"]
)
def test_times_that_could_mean_anything_are_refused(text: str | None) -> None:
    with pytest.raises(InvalidInput, match="occurred_at: "):
        parse_time(text, UTC)
