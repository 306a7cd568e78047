"""`castline episode`: the episodes of shows, their files, and the addresses that are theirs."""

import click

from castline.base.errors import EXIT_SOURCE
from castline.base.text import count_noun
from castline.cli.output import json_option, say, show_json, show_table


@click.group()
def episode() -> None:
    """The episodes of a show, their files and addresses."""


@episode.command("list")
@click.argument("show", required=False)
@json_option
def list_episodes(show: str | None, as_json: bool) -> None:
    """List the episodes of the account or of one show, newest first."""
    from castline.cli.session import open_account
    from castline.store.entities.shows import find_podcast, load_episodes

    with open_account() as acting, acting.store.account(acting.owner_id) as connection:
        podcast_id = find_podcast(connection, acting.owner_id, show).podcast_id if show else None
        episodes = load_episodes(connection, acting.owner_id, podcast_id)
    if as_json:
        show_json(episodes)
        return
    rows = [
        {
            "id": str(one.episode_id)[:8],
            "published": f"{one.publish_date:%Y-%m-%d}",
            "seconds": one.duration_seconds,
            "title": one.title,
        }
        for one in episodes
    ]
    show_table(rows, ["id", "published", "seconds", "title"])


@episode.command("probe")
@click.argument("show", required=False)
@click.option("--newest", type=click.IntRange(1, 1000), help="How many of each show; 3 by default.")
@click.option("--force", is_flag=True, help="Also files that were read before and did not change.")
@json_option
def probe(show: str | None, newest: int | None, force: bool, as_json: bool) -> None:
    """Read the first bytes of the newest files: how large their header is, and their size and bit rate.

    A show's other episodes go by the reading of the one published nearest to them. A few kilobytes of each file are
    asked for by range.
    """
    from castline.cli.session import open_account
    from castline.ingest.feeds.probes import NEWEST, probe_files
    from castline.store.entities.shows import find_podcast

    with open_account() as acting:
        with acting.store.account(acting.owner_id) as connection:
            chosen = [find_podcast(connection, acting.owner_id, show).podcast_id] if show else None
        outcomes = probe_files(acting.store, acting.owner_id, chosen, newest=newest or NEWEST, force=force)
    if as_json:
        show_json(outcomes)
    else:
        columns = ["podcast", "episode", "container", "header_bytes", "file_bytes", "feed_bytes", "bits_per_second"]
        show_table([{name: getattr(one, name) for name in columns} for one in outcomes], columns)
        for one in outcomes:
            if one.error:
                say(f"{one.episode}: {one.error}")
        if not outcomes:
            say("every file that is asked for has been read, and none changed since; --force reads them again")
    if outcomes and all(one.error for one in outcomes):
        raise SystemExit(EXIT_SOURCE)


@episode.command("map")
@click.argument("pattern")
@click.option("--episode", "episode_ref", metavar="REF", help="Addresses of the pattern are this episode's.")
@click.option("--show", metavar="REF", help="They are this show's: the pattern names the episode by {guid} or {file}.")
@json_option
def map_addresses(pattern: str, episode_ref: str | None, show: str | None, as_json: bool) -> None:
    """Say which addresses are an episode's or a show's that no feed names.

    PATTERN is a host and path, such as cdn.example.org/hls/7/**, or a path alone: * stands for a part of a name, ** for
    any part, {guid} for an episode's guid, {file} for the name of its enclosure's file without the ending.
    """
    from castline.cli.session import open_account
    from castline.ingest.url_patterns import map_pattern

    if (episode_ref is None) == (show is None):
        raise click.UsageError("give one of --episode and --show")
    with open_account() as acting:
        mapped = map_pattern(acting.store, acting.owner_id, pattern, episode=episode_ref, show=show)
    if as_json:
        show_json(mapped)
    else:
        days = count_noun(mapped.marked_days, "day with unmatched requests waits", "days with unmatched requests wait")
        say(f"Mapped; {days} to be measured again.")


@episode.command("unmap")
@click.argument("pattern")
@json_option
def unmap(pattern: str, as_json: bool) -> None:
    """Take a pattern back; what was counted by it stays until its days are measured again."""
    from castline.cli.session import open_account
    from castline.ingest.url_patterns import unmap_pattern

    with open_account() as acting:
        unmap_pattern(acting.store, acting.owner_id, pattern)
    if as_json:
        show_json({"pattern": pattern})
    else:
        say("Taken back.")


@episode.command("patterns")
@json_option
def patterns(as_json: bool) -> None:
    """List the patterns of addresses."""
    from castline.cli.session import open_account
    from castline.store.entities.addresses import load_url_patterns
    from castline.store.entities.shows import load_episodes, load_podcasts

    with open_account() as acting, acting.store.account(acting.owner_id) as connection:
        found = load_url_patterns(connection, acting.owner_id)
        shows = {one.podcast_id: one.title for one in load_podcasts(connection, acting.owner_id)}
        titles = {one.episode_id: one.title for one in load_episodes(connection, acting.owner_id)} if found else {}
    if as_json:
        show_json(found)
        return
    rows = [
        {
            "pattern": one.pattern,
            "show": shows.get(one.podcast_id),
            "episode": titles.get(one.episode_id) if one.episode_id else None,
        }
        for one in found
    ]
    show_table(rows, ["pattern", "show", "episode"])
