"""What the operator says of addresses that no feed names."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from castline.base.clock import now
from castline.base.errors import NotFound
from castline.model.show import UrlPattern
from castline.store.entities.addresses import drop_url_pattern, save_url_pattern
from castline.store.entities.shows import find_episode, find_podcast, mark_unmatched_days
from castline.store.pool import Store
from castline.store.upkeep.retention import LANDING_KEPT


@dataclass(frozen=True, slots=True)
class MappedPattern:
    """A pattern as it is stored, and how many days with unmatched requests wait to be measured again."""

    pattern: str
    podcast_id: UUID
    episode_id: UUID | None
    marked_days: int


def map_pattern(
    store: Store, owner_id: UUID, pattern: str, *, episode: str | None = None, show: str | None = None
) -> MappedPattern:
    """Addresses of the pattern are the episode's, or those of the show's episode that the pattern names.

    Raises InvalidInput with the field's name, NotFound, Ambiguous.
    """
    with store.account(owner_id) as connection:
        if episode is not None:
            found = find_episode(connection, owner_id, episode)
            mapped = UrlPattern(pattern.strip(), found.podcast_id, found.episode_id)
        else:
            mapped = UrlPattern(pattern.strip(), find_podcast(connection, owner_id, show or "").podcast_id, None)
        save_url_pattern(connection, owner_id, mapped)
        # The oldest kept day may be deleted at any moment, so it is left alone.
        first_on = (now() - LANDING_KEPT).date() + timedelta(days=1)
        marked = mark_unmatched_days(connection, owner_id, first_on)
    return MappedPattern(mapped.pattern, mapped.podcast_id, mapped.episode_id, marked)


def unmap_pattern(store: Store, owner_id: UUID, pattern: str) -> None:
    """The pattern is gone. Raises NotFound."""
    with store.account(owner_id) as connection:
        if not drop_url_pattern(connection, owner_id, pattern.strip()):
            raise NotFound(noun="pattern", key=pattern, listed_by="episode patterns")
