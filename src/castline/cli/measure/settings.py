"""How an account counts: `castline measure settings`, `recount`, `method`, `restatements`."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from castline.base.errors import EXIT_USAGE, InvalidInput, Terminal
from castline.base.period import Period
from castline.base.text import count_noun
from castline.cli.days import first_day, last_day
from castline.cli.output import json_option, say, show_json, show_progress, show_table
from castline.model.measurement import PROBE_POLICIES, WINDOWS, Adoption, MeasureSettings, Stretch

if TYPE_CHECKING:
    from castline.measure.adopt import AdoptionResult
    from castline.measure.recount import Recount

_SWITCHED: Final = {
    "drop_watch_duplicates": "What an Apple Watch loads again after its phone.",
    "drop_data_centres": "Requests from data centres and VPNs.",
    "drop_preload_pages": "What validators, editors and preloading pages ask for.",
    "drop_behaviour": "Whoever behaves as no people do: sweeps, bursts, farms.",
}
_SWITCH: Final = "drop_"
Command = TypeVar("Command", bound=Callable[..., object])


def settings_options(command: Command) -> Command:
    """The command takes every parameter of counting; what is not given is None."""
    options = [
        click.option("--window", type=click.Choice(WINDOWS), help="The time in which a listener counts once."),
        click.option("--tz", help="The time zone of calendar days, such as Europe/Oslo."),
        click.option(
            "--probe",
            "two_byte_probe",
            type=click.Choice(PROBE_POLICIES),
            help="What a two-byte probe is that came alone through a prefix.",
        ),
        click.option(
            "--ceiling",
            "max_downloads_per_ip_window",
            type=click.IntRange(min=0),
            help="How many downloads of one address count on a day, 0 for all.",
        ),
        *(_switch(field.name) for field in fields(MeasureSettings) if field.name.startswith(_SWITCH)),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def _switch(name: str) -> Callable[[Command], Command]:
    word = name.removeprefix(_SWITCH).replace("_", "-")
    return click.option(f"--drop-{word}/--count-{word}", name, default=None, help=_SWITCHED[name])


def change_settings(settings: MeasureSettings, given: Mapping[str, Any]) -> MeasureSettings:
    """The settings with the options that were given. Raises ConfigurationError."""
    told = {name: value for name, value in given.items() if value is not None}
    if told.get("max_downloads_per_ip_window") == 0:
        told["max_downloads_per_ip_window"] = None
    return replace(settings, **told)


class DaysMissing(Terminal):
    """--from, --to: {detail}"""

    fix = "Give the first and the last day: --from 2026-09-01 --to 2026-09-30."
    exit_code = EXIT_USAGE


@click.command("settings")
@click.option("--history", is_flag=True, help="Every adoption, the newest first.")
@json_option
def settings(history: bool, as_json: bool) -> None:
    """How the account counts, since when and why, and which days stand under which settings."""
    from castline.cli.session import open_account
    from castline.store.provenance.measure_settings import load_adoptions, load_stretches

    with open_account() as acting, acting.store.account(acting.owner_id) as connection:
        adoptions = load_adoptions(connection, acting.owner_id)
        stretches = load_stretches(connection, acting.owner_id)
    if history:
        _show_history(adoptions, as_json=as_json)
        return
    live = adoptions[0].settings if adoptions else MeasureSettings()
    if as_json:
        newest = adoptions[0] if adoptions else None
        show_json({"version": live.version, "settings": live, "adoption": newest, "days": stretches})
        return
    since = f"since {adoptions[0].adopted_at:%F %H:%M} UTC: {adoptions[0].reason}" if adoptions else "the defaults"
    say(f"{live.version}, {since}")
    rows = [{"parameter": field.name, "value": _told(getattr(live, field.name))} for field in fields(live)]
    show_table(rows, ["parameter", "value"])
    _show_stretches(stretches, live.version)


@click.command("recount")
@settings_options
@first_day
@last_day
@click.option("--adopt", is_flag=True, help="Count so from now on, and measure the days, or all that can be, again.")
@click.option("--reason", help="Why, for the history; with --adopt.")
@json_option
def recount(
    first: datetime | None, last: datetime | None, adopt: bool, reason: str | None, as_json: bool, **given: object
) -> None:
    """Count days again under other settings and show what would change; with --adopt it becomes so.

    What is not given stays as the account has it. Without --adopt nothing is written.
    """
    from castline.cli.session import open_account
    from castline.measure.adopt import Wish, adopt_settings
    from castline.measure.recount import compute_recount
    from castline.store.provenance.measure_settings import load_live_settings

    if adopt and not (reason or "").strip():
        raise InvalidInput(field="--reason", detail="say why the settings are adopted: the history keeps it")
    if (first is None or last is None) and not (adopt and first is last is None):
        raise DaysMissing(detail="say which days to count again")
    if first is not None and last is not None and last < first:
        raise DaysMissing(detail=f"the last day {last.date()} is before the first, {first.date()}")
    period = None if first is None or last is None else Period.of_days(first.date(), last.date())
    with open_account() as acting:
        with acting.store.account(acting.owner_id) as connection:
            wanted = change_settings(load_live_settings(connection, acting.owner_id), given)
        found = None
        if period is not None:
            found = compute_recount(acting.store, acting.owner_id, period, wanted, report=_reporter())
        if not adopt:
            _show_recount(found, as_json=as_json)
            return
        if not as_json:
            _show_recount(found, as_json=False)
        wish = Wish(wanted, acting.owner_id, reason or "", period)
        result = adopt_settings(acting.store, acting.owner_id, wish)
    _show_adoption(result, found, as_json=as_json)


@click.command("method")
@settings_options
@json_option
def method(as_json: bool, **given: object) -> None:
    """How downloads are counted, written from the settings and tables in use.

    Without options the account's; with options those settings over the defaults, which needs no store.
    """
    from castline.base.config import load_settings
    from castline.measure.methodology import render_method
    from castline.measure.rules.table import open_rulebook

    is_asked = any(value is not None for value in given.values())
    counting, stretches = (change_settings(MeasureSettings(), given), []) if is_asked else _load_counting()
    book = open_rulebook(load_settings(), counting)
    if as_json:
        show_json({"settings": book.settings, "versions": book.versions, "days": stretches})
        return
    click.echo(render_method(book, stretches), nl=False)


def _load_counting() -> tuple[MeasureSettings, list[Stretch]]:
    """The account's settings and what stands under which; the defaults where there is no account yet."""
    from castline.cli.session import NoAccount, open_account
    from castline.store.provenance.measure_settings import load_live_settings, load_stretches

    try:
        with open_account() as acting, acting.store.account(acting.owner_id) as connection:
            live = load_live_settings(connection, acting.owner_id)
            return live, load_stretches(connection, acting.owner_id)
    except NoAccount:
        say("there is no account yet: these are the defaults")
        return MeasureSettings(), []


@click.command("restatements")
@first_day
@last_day
@json_option
def restatements(first: datetime | None, last: datetime | None, as_json: bool) -> None:
    """What counting again changed on days that were final, the newest first."""
    from castline.base.clock import now
    from castline.cli.session import open_account
    from castline.store.provenance.restatements import load_restatements

    period = None
    if first or last:
        period = Period.of_days(first.date() if first else date(1970, 1, 1), last.date() if last else now().date())
    with open_account() as acting, acting.store.account(acting.owner_id) as connection:
        found = load_restatements(connection, acting.owner_id, period)
    if as_json:
        show_json(found)
        return
    rows = [
        {"restated": f"{row.restated_at:%F %H:%M}", "day": row.day_on, "show": row.show, "before": row.before_count}
        | {"after": row.after_count, "cause": row.cause.replace("_", " "), "settings": row.settings_after}
        for row in found
    ]
    show_table(rows, ["restated", "day", "show", "before", "after", "cause", "settings"])


def _show_recount(found: "Recount | None", *, as_json: bool) -> None:
    if as_json:
        show_json(found)
        return
    if found is None:
        return
    for day in found.missing_days:
        say(f"{day} is left out: part of its requests has passed its retention")
    rows = [
        {"verdict": row.verdict, "reason": row.reason, "before": row.before_count, "after": row.after_count}
        | {"change": row.after_count - row.before_count}
        for row in found.differences
    ]
    before, after = found.download_counts
    say(f"{before:,} downloads under {found.before}, {after:,} under {found.after}")
    show_table(rows, ["verdict", "reason", "before", "after", "change"])


def _show_adoption(result: "AdoptionResult", found: "Recount | None", *, as_json: bool) -> None:
    if as_json:
        show_json({"recount": found, "adoption": result})
        return
    again = count_noun(len(result.measured_days), "day was", "days were")
    say(f"the account counts by {result.after} from now on; {again} measured again")
    _show_stretches(result.stretches, result.after)


def _show_history(adoptions: Sequence[Adoption], *, as_json: bool) -> None:
    if as_json:
        show_json(adoptions)
        return
    rows = [
        {"adopted": f"{row.adopted_at:%F %H:%M}", "version": row.version, "reason": row.reason} for row in adoptions
    ]
    show_table(rows, ["adopted", "version", "reason"])


def _show_stretches(stretches: Sequence[Stretch], live: str) -> None:
    rows = [
        {"from": row.first_on, "to": row.last_on, "days": row.day_count, "settings": row.version}
        | {"in use": row.version == live}
        for row in stretches
    ]
    if rows:
        show_table(rows, ["from", "to", "days", "settings", "in use"], title="Measured days")


def _told(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


COUNTING: Final = (settings, recount, method, restatements)


def _reporter() -> "Callable[[float], object] | None":
    """Tells a terminal how much is counted again."""
    if not sys.stderr.isatty():
        return None
    return lambda done: show_progress(f"{done:.0%} counted again")
