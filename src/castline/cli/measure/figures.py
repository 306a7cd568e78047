"""The figures of `castline measure`: one query, audiences, episodes from their release on, and another's count."""

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import UUID

import click

from castline.base.errors import EXIT_QUALITY, SourceUnreadable
from castline.cli.days import DAY
from castline.cli.measure.answers import describe_basis, name_members, show_answer
from castline.cli.output import json_option, say, show_json, show_table
from castline.model.query import (
    COMPARISONS,
    DIMENSIONS,
    EARLIEST,
    GRAINS,
    MEASURES,
    SOURCES,
    Comparison,
    Dimension,
    Filters,
    Grain,
    Measure,
    Query,
)

if TYPE_CHECKING:
    from castline.measure.figures.reconcile import Reconciliation
    from castline.store.pool import Connection

_DEFAULT_DAYS: Final = 28
_SHOWN_DAYS: Final = 20

_from = click.option("--from", "first", type=DAY, help="The first day; 28 days to the last by default.")
_to = click.option("--to", "last", type=DAY, help="The last day, included; today by default.")
_shows = click.option("--show", "shows", multiple=True, help="A show's title, feed or id; may be given several times.")
_zone = click.option("--tz", default="UTC", show_default=True, help="The time zone whose days are meant.")


@click.command("query")
@click.option("--metric", type=click.Choice(MEASURES), default="downloads", show_default=True)
@click.option("--by", "grain", type=click.Choice(GRAINS), default="none", show_default=True, help="How time is split.")
@click.option("--dimension", "dimensions", multiple=True, type=click.Choice(DIMENSIONS), help="Up to two.")
@click.option("--compare", "comparison", type=click.Choice(COMPARISONS), default="none", show_default=True)
@_from
@_to
@_shows
@click.option("--episode", "episodes", multiple=True, help="Only this episode: title, guid or id.")
@click.option("--app", "apps", multiple=True, help="Only this app.")
@click.option("--country", "countries", multiple=True, help="Only this country: two letters, or unknown.")
@click.option("--device", "devices", multiple=True, help="Only this kind of device.")
@click.option("--campaign", "campaigns", multiple=True, help="Only downloads that carried this campaign.")
@click.option("--source", "sources", multiple=True, type=click.Choice(SOURCES), help="Only what was seen this way.")
@_zone
@json_option
def query(
    *,
    metric: Measure,
    grain: Grain,
    dimensions: tuple[Dimension, ...],
    comparison: Comparison,
    first: datetime | None,
    last: datetime | None,
    shows: tuple[str, ...],
    episodes: tuple[str, ...],
    apps: tuple[str, ...],
    countries: tuple[str, ...],
    devices: tuple[str, ...],
    campaigns: tuple[str, ...],
    sources: tuple[str, ...],
    tz: str,
    as_json: bool,
) -> None:
    """A figure by time and dimension, with the table it was counted from and how fresh it is."""
    from castline.cli.session import open_account
    from castline.measure.figures.query import run_query
    from castline.store.entities.shows import find_episode

    with open_account() as acting, acting.store.snapshot(acting.owner_id) as connection:
        filters = Filters(
            _find_shows(connection, acting.owner_id, shows),
            tuple(find_episode(connection, acting.owner_id, ref).episode_id for ref in episodes),
            apps,
            tuple(code.upper() if code != "unknown" else code for code in countries),
            devices,
            _find_campaigns(connection, acting.owner_id, campaigns),
            sources,
        )
        asked = Query(*_days(first, last), metric, dimensions, grain, tz, filters, comparison)
        answer = run_query(connection, acting.owner_id, asked)
        names = {} if as_json else name_members(connection, acting.owner_id, dimensions)
    if as_json:
        show_json(answer)
        return
    show_answer(answer, names)
    if answer.compared:
        say(f"\ncompared with {answer.compared.query.first_on} to {answer.compared.query.last_on}")
        show_answer(answer.compared, names)


@click.command("audience")
@click.option(
    "--day", type=DAY, help="The day; its week and month, and 28 days to it, are shown too. Default: the last."
)
@_shows
@_zone
@json_option
def audience(day: datetime | None, shows: tuple[str, ...], tz: str, as_json: bool) -> None:
    """Consumers of a day, its ISO week, the 28 days to it and its month: unions of sets, never sums.

    Exact while raw downloads are kept, estimates with their error beyond.
    """
    from castline.cli.session import open_account
    from castline.measure.figures.audience import compute_audience
    from castline.store.listening.metrics import find_counting

    with open_account() as acting, acting.store.snapshot(acting.owner_id) as connection:
        newest_on = find_counting(connection, acting.owner_id).last_on
        chosen = day.date() if day else newest_on or _today()
        wanted = _find_shows(connection, acting.owner_id, shows)
        rows = compute_audience(connection, acting.owner_id, chosen, tz=tz, podcast_ids=wanted)
    if as_json:
        show_json(rows)
        return
    show_table(
        [
            {"span": row.span, "from": row.first_on, "to": row.last_on, "show": row.show, "consumers": row.consumers}
            | {"basis": None if row.withheld else describe_basis(row.error_rate)}
            for row in rows
        ],
        ["span", "from", "to", "show", "consumers", "basis"],
    )
    for detail in sorted({row.withheld.detail for row in rows if row.withheld}):
        say(detail)


@click.command("overlap")
@_from
@_to
@_shows
@_zone
@json_option
def overlap(first: datetime | None, last: datetime | None, shows: tuple[str, ...], tz: str, as_json: bool) -> None:
    """Consumers that each pair of shows has in common."""
    from castline.cli.session import open_account
    from castline.measure.figures.audience import compute_overlap

    with open_account() as acting, acting.store.snapshot(acting.owner_id) as connection:
        filters = Filters(podcast_ids=_find_shows(connection, acting.owner_id, shows))
        found = compute_overlap(
            connection, acting.owner_id, Query(*_days(first, last), "consumers", tz=tz, filters=filters)
        )
    if as_json:
        show_json(found)
        return
    if found.withheld:
        say(found.withheld.detail)
    rows = [
        {
            "show": row.first_show,
            "consumers": row.first_consumers,
            "other": row.second_show,
            "its_consumers": row.second_consumers,
            "both": row.both_consumers,
            "error": row.both_error_count,
            "of_union": None if row.jaccard_rate is None else f"{row.jaccard_rate:.1%}",
        }
        for row in found.rows
    ]
    estimated = ["error"] if found.basis == "sketch" else []
    show_table(rows, ["show", "consumers", "other", "its_consumers", "both", *estimated, "of_union"])
    if estimated:
        say(f"consumers: {describe_basis(found.error_rate)} (19 of 20 times); both: withheld below twice its error")


@click.command("pacing")
@_shows
@click.option("--as-of", type=DAY, help="As known on the morning of this day; today by default.")
@click.option("--aligned", is_flag=True, help="Downloads by age in days, so that releases can be laid over each other.")
@json_option
def pacing(shows: tuple[str, ...], as_of: datetime | None, aligned: bool, as_json: bool) -> None:
    """Episodes' first 1, 3, 7, 30, 60 and 90 days beside the show's median."""
    from castline.cli.session import open_account
    from castline.measure.figures.pacing import HORIZONS, load_pacing

    with open_account() as acting, acting.store.snapshot(acting.owner_id) as connection:
        wanted = _find_shows(connection, acting.owner_id, shows)
        day = as_of.date() if as_of else _today()
        found = load_pacing(connection, acting.owner_id, day, wanted or None)
    if as_json:
        show_json(found)
        return
    if aligned:
        ages = [str(age) for age in range(max((len(item.by_age) for item in found), default=0))][:_SHOWN_DAYS]
        show_table(
            [{"episode": item.episode} | dict(zip(ages, item.by_age, strict=False)) for item in found],
            ["episode", *ages],
        )
        return
    names = [f"days_{days}" for days in HORIZONS]
    rows = [
        {"episode": item.episode, "published": item.publish_on}
        | {name: _pace(pace.downloads, pace.pace_rate) for name, pace in zip(names, item.paces, strict=True)}
        for item in found
    ]
    show_table(rows, ["episode", "published", *names])


def _pace(downloads: int | None, rate: float | None) -> str | None:
    if downloads is None:
        return None
    return f"{downloads:,}" if rate is None else f"{downloads:,} ({rate:.2f})"


@click.command("listen-through")
@_from
@_to
@_shows
@_zone
@json_option
def listen_through(
    first: datetime | None, last: datetime | None, shows: tuple[str, ...], tz: str, as_json: bool
) -> None:
    """How far listeners came in each episode, where players tell it."""
    from castline.cli.session import open_account
    from castline.measure.figures.audience import compute_listen_through

    with open_account() as acting, acting.store.snapshot(acting.owner_id) as connection:
        filters = Filters(podcast_ids=_find_shows(connection, acting.owner_id, shows))
        found = compute_listen_through(connection, acting.owner_id, Query(*_days(first, last), tz=tz, filters=filters))
    if as_json:
        show_json(found)
        return
    rows = [
        {
            "episode": row.episode,
            "plays": row.play_count,
            "to_the_end": None if row.listen_through_rate is None else f"{row.listen_through_rate:.1%}",
            "heard": None if row.mean_completion_rate is None else f"{row.mean_completion_rate:.1%}",
            "reason": row.reason,
        }
        for row in found
    ]
    show_table(rows, ["episode", "plays", "to_the_end", "heard", "reason"])


@click.command("ad-plays")
@_from
@_to
@_shows
@click.option("--campaign", "campaigns", multiple=True, help="Only this campaign: name or id.")
@_zone
@json_option
def ad_plays(
    *,
    first: datetime | None,
    last: datetime | None,
    shows: tuple[str, ...],
    campaigns: tuple[str, ...],
    tz: str,
    as_json: bool,
) -> None:
    """Ads that players say they played, by campaign: starts, quarters and ends."""
    from castline.cli.session import open_account
    from castline.measure.figures.ad_plays import compute_ad_plays

    with open_account() as acting, acting.store.snapshot(acting.owner_id) as connection:
        filters = Filters(
            podcast_ids=_find_shows(connection, acting.owner_id, shows),
            campaign_ids=_find_campaigns(connection, acting.owner_id, campaigns),
        )
        found = compute_ad_plays(connection, acting.owner_id, Query(*_days(first, last), tz=tz, filters=filters))
    if as_json:
        show_json(found)
        return
    columns = ["campaign", "plays", "first_quarter", "half", "third_quarter", "complete", "skips", "completion_rate"]
    show_table([{name: getattr(row, name) for name in columns} for row in found.campaigns], columns)


@click.command("reconcile")
@click.argument("path", metavar="FILE.csv", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--show", "ref", help="The show of rows that name none.")
@_zone
@json_option
def reconcile(path: Path, ref: str | None, tz: str, as_json: bool) -> int:
    """Another service's daily figures beside ours; exit code 4 if any differs by more than 5 %."""
    from castline.cli.session import open_account
    from castline.measure.figures.reconcile_file import reconcile_rows
    from castline.sources.daily_csv import parse_daily
    from castline.store.entities.shows import find_podcast

    try:
        rows = parse_daily(path.read_bytes(), source=str(path))
    except OSError as error:
        raise SourceUnreadable(source=path, detail=error.strerror or str(error)) from error
    with open_account() as acting, acting.store.snapshot(acting.owner_id) as connection:
        show = find_podcast(connection, acting.owner_id, ref) if ref else None
        found = reconcile_rows(connection, acting.owner_id, rows, show=show, tz=tz)
    if as_json:
        show_json({"is_flagged": found.is_flagged, "pairs": found.pairs, "refused": found.refused})
    else:
        _show_pairs(found.pairs)
    for drop in found.refused[:_SHOWN_DAYS]:
        say(f"line {drop.line_number}: {drop.detail}")
    return EXIT_QUALITY if found.is_flagged else 0


def _show_pairs(pairs: "tuple[Reconciliation, ...]") -> None:
    rows = [
        {
            "what": pair.name,
            "ours": pair.whole.ours,
            "theirs": pair.whole.theirs,
            "difference": "-" if pair.whole.difference_rate is None else f"{pair.whole.difference_rate:+.1%}",
            "flagged": "yes" if pair.whole.is_flagged else "no",
            "flagged_days": sum(day.difference.is_flagged for day in pair.days if day.difference),
            "explained_by": _explained(pair),
        }
        for pair in pairs
    ]
    show_table(rows, ["what", "ours", "theirs", "difference", "flagged", "flagged_days", "explained_by"])


def _explained(pair: "Reconciliation") -> str | None:
    if pair.explanation is None:
        return None
    shift = pair.explanation.shift_hours
    return f"days that begin {shift:+} hours before ours" if shift else " + ".join(pair.explanation.rules)


def _find_shows(connection: "Connection", owner_id: UUID, refs: tuple[str, ...]) -> tuple[UUID, ...]:
    from castline.store.entities.shows import find_podcast

    return tuple(find_podcast(connection, owner_id, ref).podcast_id for ref in refs)


def _find_campaigns(connection: "Connection", owner_id: UUID, refs: tuple[str, ...]) -> tuple[UUID, ...]:
    from castline.store.entities.campaigns import find_campaign

    return tuple(find_campaign(connection, owner_id, ref).campaign_id for ref in refs)


def _days(first: datetime | None, last: datetime | None) -> tuple[date, date]:
    last_on = last.date() if last else _today()
    return first.date() if first else max(last_on, EARLIEST) - timedelta(days=_DEFAULT_DAYS - 1), last_on


def _today() -> date:
    from castline.base.clock import now

    return now().date()


FIGURES: Final[tuple[click.Command, ...]] = (query, audience, overlap, pacing, listen_through, ad_plays, reconcile)
