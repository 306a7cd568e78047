"""Which days a query is compared with, where releases decide. Method: docs/method/metrics.md#comparison"""

from dataclasses import replace
from typing import Final
from uuid import UUID

from castline.model.query import Query, Withheld
from castline.store.listening.annotations import PublishedEpisode, load_releases
from castline.store.pool import Connection

_SEVERAL: Final = Withheld(
    "several_releases",
    "not measurable: each show has releases of its own, so ask for one show or one episode to compare by release",
)
_FIRST: Final = Withheld("no_release_before", "not measurable: there is no earlier release to compare with")


def find_compared(connection: Connection, owner_id: UUID, query: Query) -> Query | Withheld | None:
    """The same question of the days that this one is compared with, None where with none, or why it cannot be.

    `release_aligned` are the days that lie around the release before as these lie around the newest one; asked of one
    episode, the question is of the episode before it, at the same age.
    """
    if query.comparison != "release_aligned":
        return query.compared()
    releases = load_releases(connection, owner_id, query)
    newest = _find_newest(releases, query)
    if newest is None:
        return (
            _SEVERAL
            if len(query.filters.episode_ids) > 1 or len({item.podcast_id for item in releases}) > 1
            else _FIRST
        )
    before = next(
        (item for item in releases if item.podcast_id == newest.podcast_id and item.publish_on < newest.publish_on),
        None,
    )
    if before is None:
        return _FIRST
    shift = newest.publish_on - before.publish_on
    earlier = query.on_days(query.first_on - shift, query.last_on - shift)
    if not query.filters.episode_ids:
        return earlier
    return replace(earlier, filters=replace(query.filters, episode_ids=(before.episode_id,)))


def _find_newest(releases: list[PublishedEpisode], query: Query) -> PublishedEpisode | None:
    """The release that the days are counted from: the one episode asked for, else the newest of the one show."""
    if query.filters.episode_ids:
        chosen = [item for item in releases if item.episode_id in query.filters.episode_ids]
        return chosen[0] if len(query.filters.episode_ids) == len(chosen) == 1 else None
    return releases[0] if len({item.podcast_id for item in releases}) == 1 else None
