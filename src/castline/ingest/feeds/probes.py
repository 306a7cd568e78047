"""Files are asked what their own header says; the newest episodes of each show, again when file or artwork change."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from castline.base.clock import now
from castline.base.errors import CastlineError
from castline.ingest.feeds.file_facts import marking_days
from castline.model.lineage import DatasetUse
from castline.sources.media_probe import probe_media
from castline.store.entities.addresses import FileProbe, ProbeTarget, load_probe_targets, save_probe
from castline.store.pool import Store
from castline.store.provenance.ledger import OpenRun, open_run

# Shows change their artwork or their encoder for all that follows, so the newest few tell.
NEWEST: Final = 3


@dataclass(frozen=True, slots=True)
class ProbeOutcome:
    """One file that was asked: what it said, or why it said nothing."""

    podcast: str
    episode: str
    episode_id: UUID
    audio_url: str
    container: str | None = None
    header_bytes: int | None = None
    file_bytes: int | None = None
    feed_bytes: int | None = None
    bits_per_second: int | None = None
    error: str | None = None


def probe_files(
    store: Store,
    owner_id: UUID,
    podcast_ids: Sequence[UUID] | None = None,
    *,
    newest: int = NEWEST,
    force: bool = False,
) -> list[ProbeOutcome]:
    """The newest files of each show that were never read, or changed since, are read; with `force` all of them."""
    with store.account(owner_id) as connection:
        targets = load_probe_targets(connection, owner_id, podcast_ids, newest=newest)
    due = [target for target in targets if force or target.is_due]
    # No transaction waits for a server: what was read is written afterwards.
    read = list(_iter_probes(store, due))
    if not due:
        return []
    with open_run(store, owner_id, "episode.probe", role="app", parameters={"newest": newest}) as run:
        for podcast_id in sorted({target.podcast_id for target in due}):
            of_show = [item for target, item in zip(due, read, strict=True) if target.podcast_id == podcast_id]
            with marking_days(run, podcast_id):
                _save(run, of_show)
        run.uses.append(DatasetUse("output", "file_probes", "headers", sum(probe is not None for probe, _ in read)))
    return [outcome for _, outcome in read]


def _save(run: OpenRun, read: Sequence[tuple[FileProbe | None, ProbeOutcome]]) -> None:
    for probe, outcome in read:
        run.count("failed" if probe is None else "read")
        if probe is not None:
            save_probe(run.connection, run.owner_id, probe)
        run.uses.append(DatasetUse("input", "media_file", outcome.audio_url, 1))


def _iter_probes(store: Store, targets: Sequence[ProbeTarget]) -> Iterator[tuple[FileProbe | None, ProbeOutcome]]:
    for target in targets:
        place = (target.podcast, target.title, target.episode_id, target.audio_url)
        try:
            header, size = probe_media(target.audio_url, allow_private_addresses=store.settings.allow_private_addresses)
        except CastlineError as error:
            yield None, ProbeOutcome(*place, feed_bytes=target.audio_bytes, error=error.message)
            continue
        rate = header.bits_per_second
        yield (
            FileProbe(
                target.episode_id,
                target.audio_url,
                target.image_url,
                header.container,
                header.header_bytes,
                size,
                rate,
                now(),
            ),
            ProbeOutcome(*place, header.container, header.header_bytes, size, target.audio_bytes, rate),
        )
