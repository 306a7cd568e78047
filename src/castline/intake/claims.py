"""Which account a redirect or a player's event belongs to.

In this order: the account that the prefix names (`a=`), the show that it names (`pg=`), the account that has an episode
at the address (where several have, the one that had its show first), the only account that has episodes on the host,
the only account there is. What is left belongs to nobody and is counted.
"""

from collections.abc import Collection, Iterable
from typing import Final
from uuid import UUID

from castline.intake.beacon import EpisodeName
from castline.intake.target import Target
from castline.sources.enclosure import url_key
from castline.store.entities.claims import (
    EpisodeClaim,
    OwnerClaim,
    find_audio_claims,
    find_guid_claims,
    find_host_claims,
    find_id_claims,
    find_show_claims,
    load_owners,
)
from castline.store.pool import Store

_SHORTEST_ACCOUNT: Final = 8  # characters of its id, as the dashboard shows it


def find_target_owners(store: Store, targets: Iterable[Target]) -> dict[bytes, UUID | None]:
    """The account of each target by its address and arguments, see `target_key`; None where nobody claims it."""
    wanted = {target_key(target): target for target in targets}
    keys = {name: url_key(target.url.decode("ascii")) for name, target in wanted.items()}
    with store.system() as connection:
        owners = load_owners(connection)
        shows = _first(find_show_claims(connection, {guid for one in wanted.values() if (guid := _show_guid(one))}))
        episodes = _first(find_audio_claims(connection, set(keys.values())))
        hosts = _first(find_host_claims(connection, {key.partition("/")[0] for key in keys.values()}))
    only = owners[0].owner_id if len(owners) == 1 else None
    found: dict[bytes, UUID | None] = {}
    for name, target in wanted.items():
        named = target.arguments.get("a", "").lower()
        if len(named) >= _SHORTEST_ACCOUNT:
            found[name] = _by_prefix(owners, named)
            continue
        host = keys[name].partition("/")[0]
        found[name] = shows.get(_show_guid(target)) or episodes.get(keys[name]) or hosts.get(host) or only
    return found


def target_key(target: Target) -> bytes:
    """What `find_target_owners` knows a target by."""
    return b"%b\n%b\n%b" % (target.url, target.arguments.get("a", "").encode(), _show_guid(target).encode())


def find_episodes(store: Store, names: Collection[EpisodeName]) -> dict[EpisodeName, EpisodeClaim]:
    """The episode of each name that some account has; where a name says several things, the first known one decides."""
    keys = {name: url_key(name.url) for name in names if name.url}
    with store.system() as connection:
        by_id = {claim.name: claim for claim in find_id_claims(connection, {name.id for name in names if name.id})}
        by_key = _first_episodes(find_audio_claims(connection, set(keys.values())))
        told = find_guid_claims(connection, {name.guid for name in names if name.guid})
    by_guid = _first_episodes(told)
    of_show: dict[tuple[str, str | None], EpisodeClaim] = {}
    for one in told:
        of_show.setdefault((one.name, one.show_guid), one)
    found = {}
    for name in names:
        claim: EpisodeClaim | None = by_id.get(str(name.id)) or by_key.get(keys.get(name, ""))
        if claim is None and name.guid:
            claim = of_show.get((name.guid, name.podcast_guid)) if name.podcast_guid else by_guid.get(name.guid)
        if claim is not None:
            found[name] = claim
    return found


def _show_guid(target: Target) -> str:
    return target.arguments.get("pg", "").lower()


def _by_prefix(owners: Iterable[OwnerClaim], named: str) -> UUID | None:
    fitting = [owner.owner_id for owner in owners if owner.name.startswith(named)]
    return fitting[0] if len(fitting) == 1 else None


def _first(claims: Iterable[OwnerClaim | EpisodeClaim]) -> dict[str, UUID]:
    found: dict[str, UUID] = {}
    for claim in claims:
        found.setdefault(claim.name, claim.owner_id)
    return found


def _first_episodes(claims: Iterable[EpisodeClaim]) -> dict[str, EpisodeClaim]:
    found: dict[str, EpisodeClaim] = {}
    for claim in claims:
        found.setdefault(claim.name, claim)
    return found
