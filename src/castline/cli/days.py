"""Days as options: how they are written, and what is said of one that is none."""

from datetime import datetime
from typing import Any, Final

import click


class _Day(click.ParamType[datetime]):
    name = "day"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:  # noqa: ARG002  # click's signature
        return "YYYY-MM-DD"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            return value if isinstance(value, datetime) else datetime.strptime(value, "%Y-%m-%d")  # noqa: DTZ007
        except ValueError:
            self.fail(f"{value!r} is no day such as 2026-03-31.", param, ctx)


DAY: Final = _Day()
first_day = click.option("--from", "first", type=DAY, help="The first UTC day.")
last_day = click.option("--to", "last", type=DAY, help="The last UTC day, included.")
