"""Tables of exchange rates: what is no rate is refused by its line, and the rest goes on."""

from datetime import date
from decimal import Decimal

from castline.model.lineage import Drop
from castline.model.roi import ExchangeRate
from castline.sources.conversions.rates import parse_rates

HEADER = "date,base,quote,rate\n"


def test_a_rate_of_any_size_is_taken_or_refused_and_stops_no_other() -> None:
    told = ("-1", "0", "1e99", "1e-99", "9" * 40, "0." + "1" * 13, "NaN", "1e999999", "1.1", "1.10000000000000000")
    lines = [f"2026-03-{day:02},EUR,USD,{rate}" for day, rate in enumerate(told, start=1)]
    rows = parse_rates((HEADER + "\n".join(lines)).encode(), source="r.csv")
    assert [row.line_number for row in rows if isinstance(row, Drop)] == list(range(2, 10))
    assert [row.value for row in rows if not isinstance(row, Drop)] == [
        ExchangeRate("EUR", "USD", date(2026, 3, 9), Decimal("1.1"), "r.csv"),
        ExchangeRate("EUR", "USD", date(2026, 3, 10), Decimal("1.1"), "r.csv"),
    ]
