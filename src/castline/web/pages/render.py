"""Pages from templates: escaped by default, in the language of the product, with assets that browsers may keep."""

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Final, Literal

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from castline import __version__
from castline.base.assets import asset_path
from castline.base.money import Money
from castline.model.figures import Missing
from castline.report.numbers import MINUS, NO_VALUE, format_value
from castline.report.words import Vocabulary, find_word

_HASH_LENGTH: Final = 12
_CODED: Final[frozenset[Vocabulary]] = frozenset({"app", "country", "device", "source"})
_ASSET: Final = re.compile(rb"asset\(([^)]+)\)")
Ours = Literal["static", "assets"]


def render_page(
    request: Request,
    template: str,
    facts: Mapping[str, object],
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> HTMLResponse:
    """The page of a template; `facts` are its variables, beside whoever is signed in."""
    signed_in = getattr(request.state, "signed_in", None)
    shared = {
        "access": signed_in.access if signed_in else None,
        "csrf_token": signed_in.session.csrf_token if signed_in else None,
        "path": request.url.path,
        "version": __version__,
    }
    content = _environment().get_template(template).render(shared | dict(facts))
    return HTMLResponse(content, status, dict(headers or {}))


@cache
def find_file(place: Ours, name: str) -> tuple[bytes, str]:
    """A file that pages load, and the hash that its address bears. Raises FileNotFoundError."""
    if place == "static":
        content = files("castline.web").joinpath("static", name).read_bytes()
        if name.endswith(".css"):
            content = _ASSET.sub(lambda found: file_url("assets", found[1].decode()).encode(), content)
    else:
        content = asset_path(name).read_bytes()
    return content, sha256(content).hexdigest()[:_HASH_LENGTH]


def file_url(place: Ours, name: str) -> str:
    """The address of a file; another content has another address, so browsers may keep it for ever."""
    return f"/{place}/{find_file(place, name)[1]}/{name}"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("castline.web"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["file_url"] = file_url
    environment.filters |= {
        "count": show_count,
        "rate": show_rate,
        "money": show_money,
        "day": show_day,
        "last_day": show_last_day,
        "moment": show_moment,
        "value": format_value,
        "why": show_reason,
        "word": show_word,
        "svg": Markup,  # only our own chart writer's output, which escapes what it is given
    }
    return environment


def show_count(value: int | Decimal | None) -> str:
    """A count with thousands apart; a fraction of a credit with two digits."""
    if value is None:
        return NO_VALUE
    if isinstance(value, Decimal) and value != value.to_integral_value():
        return f"{value:,.2f}"
    return f"{int(value):,}"


def show_rate(value: Decimal | float | None) -> str:
    """A rate as a percentage with one digit."""
    return NO_VALUE if value is None else f"{float(value) * 100:,.1f} %".replace("-", MINUS)


def show_money(value: Decimal | None, currency: str) -> str:
    """An amount to its minor unit with its currency."""
    return NO_VALUE if value is None else str(Money(value, currency)).replace("-", MINUS)


def show_day(value: date | datetime | None) -> str:
    """A day such as 3 Mar 2026."""
    return NO_VALUE if value is None else f"{value.day} {value:%b %Y}"


def show_last_day(end_at: datetime) -> str:
    """The last day before an end that is not included."""
    return show_day(end_at - timedelta(microseconds=1))


def show_word(code: str, dimension: str) -> str:
    """What people read for a member of a dimension; titles of episodes are words already."""
    return find_word(dimension, code) if dimension in _CODED else code


def show_reason(value: object) -> str:
    """Why there is no value; empty where there is one."""
    return value.reason if isinstance(value, Missing) else ""


def show_moment(value: datetime | None) -> str:
    """A moment such as 3 Mar 2026, 09:30 UTC."""
    return NO_VALUE if value is None else f"{value.day} {value:%b %Y, %H:%M} UTC"
