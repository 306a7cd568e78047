"""How `castline measure query` shows an answer to people: its members by their names, and what it was counted from."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final
from uuid import UUID

from castline.cli.output import say, show_table
from castline.model.query import Dimension

if TYPE_CHECKING:
    from castline.model.measurement import Stretch
    from castline.model.query import Answer, AnswerRow
    from castline.store.pool import Connection

_FORMATS: Final = {"hour": "%Y-%m-%d %H:%M%z", "day": "%Y-%m-%d", "week": "%G-W%V", "month": "%Y-%m"}


def name_members(connection: "Connection", owner_id: UUID, dimensions: Sequence[Dimension]) -> Mapping[str, str]:
    """What people call the shows, episodes, campaigns and placements of the account, by id, if they are asked for.

    A name that two of them have tells the beginning of the id, too.
    """
    named: dict[str, str] = {}
    for dimension in dimensions:
        told = dict(_iter_names(connection, owner_id, dimension))
        counts = Counter(told.values())
        named |= {key: name if counts[name] == 1 else f"{name} ({key[:8]})" for key, name in told.items()}
    return named


def _iter_names(connection: "Connection", owner_id: UUID, dimension: Dimension) -> Iterator[tuple[str, str]]:
    from castline.store.entities.campaigns import load_campaigns, load_placements
    from castline.store.entities.shows import load_episodes, load_podcasts

    if dimension == "show":
        yield from ((str(one.podcast_id), one.title) for one in load_podcasts(connection, owner_id))
    elif dimension == "episode":
        yield from ((str(one.episode_id), one.title) for one in load_episodes(connection, owner_id))
    elif dimension == "campaign":
        yield from ((str(one.campaign_id), one.name) for one in load_campaigns(connection, owner_id))
    elif dimension == "placement":
        titles = {one.episode_id: one.title for one in load_episodes(connection, owner_id)}
        for placement in load_placements(connection, owner_id):
            yield str(placement.placement_id), f"{titles[placement.episode_id]}, {placement.position}-roll"


def show_answer(answer: "Answer", names: Mapping[str, str]) -> None:
    """The answer as a table, its members by their names, and how it was counted beside it."""
    counting = answer.counting
    if answer.withheld:
        say(answer.withheld.detail)
    else:
        columns = (["time"] if answer.query.grain != "none" else []) + [*answer.query.dimensions, answer.query.measure]
        show_table([_row(answer, row, names) for row in answer.rows], columns)
        if answer.not_measurable:
            say(f"{answer.not_measurable:,} more ads are not measurable: nobody knows whether they were sent")
    if counting.basis == "sketch":
        say(f"{describe_basis(counting.error_rate)} (19 of 20 times): raw downloads of these days are gone")
    fresh = f"{counting.measured_at:%Y-%m-%d %H:%M} UTC" if counting.measured_at else "never"
    say(f"{answer.query.first_on} to {answer.query.last_on}, days of {answer.query.tz}")
    if not counting.is_whole:
        days = f"{counting.measured_day_count:,} of {counting.day_count:,} days"
        say(f"measured on {days}: nothing is known of the others")
    say(f"{counting.metric} from {counting.counted_from}, last counted {fresh}")
    if counting.settings:
        say(f"counted by the settings {_name_settings(counting.settings)}")
    say(f"provisional from {counting.provisional_from} on")
    for item in answer.annotations:
        days = f"{item.first_on}" if item.last_on == item.first_on else f"{item.first_on} to {item.last_on}"
        say(f"{days}: {item.title}: {item.detail}{f' {item.source}' if item.source else ''}")


def _name_settings(stretches: "tuple[Stretch, ...]") -> str:
    """The one version, or each with the last day that was counted by it."""
    if len(stretches) == 1:
        return stretches[0].version or "not told"
    return ", ".join(f"{part.version or 'not told'} until {part.last_on}" for part in stretches)


def describe_basis(error_rate: float) -> str:
    """Whether a figure is exact, or how far it may be off."""
    return f"estimate ± {error_rate:.1%}" if error_rate else "exact"


def _row(answer: "Answer", row: "AnswerRow", names: Mapping[str, str]) -> dict[str, object]:
    asked = answer.query
    time = {"time": row.start_at.strftime(_FORMATS[asked.grain])} if row.start_at else {}
    members = (names.get(member, member) for member in row.members)
    return time | dict(zip(asked.dimensions, members, strict=True)) | {asked.measure: row.value}
