"""`castline feed`: shows from their feeds."""

import sys
from typing import Any

import click

from castline.base.errors import EXIT_FAILURE, EXIT_SOURCE, CastlineError
from castline.base.text import count_noun, printable
from castline.cli.output import json_option, progress, say, show_json, show_table


@click.group()
def feed() -> None:
    """Shows from their feeds."""


@feed.command("add")
@click.argument("source", metavar="URL|FILE")
@json_option
def add(source: str, as_json: bool) -> None:
    """Add the show of a feed to the account, with its episodes."""
    from castline.cli.session import open_account
    from castline.ingest.feeds.polling import add_feed

    with open_account() as acting:
        outcome = add_feed(acting.store, acting.owner_id, source)
    if as_json:
        show_json(outcome)
        return
    counts = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in outcome.counts.items() if count)
    say(f"{outcome.title}: {outcome.status}; {counts}")
    if outcome.problem_count:
        say(f"{count_noun(outcome.problem_count, 'problem')} in the feed; `castline feed parse` tells more")


@feed.command("parse")
@click.argument("sources", nargs=-1, required=True, metavar="URL|FILE|-...")
@json_option
@click.pass_context
def parse(ctx: click.Context, sources: tuple[str, ...], as_json: bool) -> None:
    """Read feeds without storing them: episodes, and every problem. With --json one line per feed.

    A source of - is the one feed that comes through standard input.
    """
    from castline.base.config import load_settings
    from castline.ingest.feeds.polling import STDIN, read_feed, read_feed_stream
    from castline.sources.feeds.line import failure_line, to_line

    settings, code = load_settings(), 0
    with progress(sources, "reading feeds") as each:
        for source in each:
            advice = ""
            try:
                is_stream = source == STDIN
                line = to_line(read_feed_stream(sys.stdin.buffer) if is_stream else read_feed(settings, source))
            except CastlineError as error:
                code = max(code, EXIT_SOURCE if error.exit_code == EXIT_SOURCE else EXIT_FAILURE)
                line, advice = failure_line(source, error), error.advice
            line["source"] = printable(source)
            if as_json:
                show_json(line)
            else:
                _show_feed(line, advice)
    ctx.exit(code)


def _show_feed(line: dict[str, Any], advice: str) -> None:
    show = line["show"]
    if show is None:
        say(line["problems"][0]["message"])
        if advice:
            say(f"  fix: {advice}")
        return
    episodes, items = count_noun(len(line["episodes"]), "episode"), count_noun(line["item_count"], "item")
    say(f"{show['title']} ({line['source']}): {episodes} of {items}")
    columns = ["publish_date", "duration_seconds", "title", "guid"]
    show_table([{name: episode[name] for name in columns} for episode in line["episodes"]], columns)
    for problem in line["problems"]:
        place = f" (line {problem['line']})" if "line" in problem else ""
        say(f"{problem['code']}{place}: {problem['message']}")


@feed.command("poll")
@click.argument("shows", nargs=-1, metavar="[SHOW...]")
@click.option("--force", is_flag=True, help="Read again what says it did not change.")
@json_option
@click.pass_context
def poll(ctx: click.Context, shows: tuple[str, ...], force: bool, as_json: bool) -> None:
    """Ask every feed of the account, or these, for what is new."""
    from castline.cli.session import open_account
    from castline.ingest.feeds.polling import poll_feeds
    from castline.store.entities.shows import find_podcast

    with open_account() as acting:
        podcast_ids = None
        if shows:
            with acting.store.account(acting.owner_id) as connection:
                podcast_ids = [find_podcast(connection, acting.owner_id, ref).podcast_id for ref in shows]
        outcomes = poll_feeds(acting.store, acting.owner_id, podcast_ids, force=force)
    if as_json:
        show_json(outcomes)
    else:
        rows = [
            {
                "show": outcome.title,
                "status": outcome.status,
                "created": outcome.counts.get("created", 0),
                "changed": outcome.counts.get("changed", 0),
                "problems": outcome.problem_count,
                "error": outcome.error,
            }
            for outcome in outcomes
        ]
        show_table(rows, ["show", "status", "created", "changed", "problems", "error"])
    ctx.exit(EXIT_SOURCE if any(outcome.status == "failed" for outcome in outcomes) else 0)


@feed.command("list")
@json_option
def list_feeds(as_json: bool) -> None:
    """List the account's shows."""
    from castline.cli.session import open_account
    from castline.store.entities.shows import load_podcasts

    with open_account() as acting, acting.store.account(acting.owner_id) as connection:
        shows = load_podcasts(connection, acting.owner_id)
    if as_json:
        show_json(shows)
        return
    rows = [
        {
            "id": str(one.podcast_id)[:8],
            "title": one.title,
            "status": one.ingestion_status,
            "last_read": f"{one.last_ingested_at:%Y-%m-%d %H:%M}" if one.last_ingested_at else None,
            "feed": one.feed_url,
        }
        for one in shows
    ]
    show_table(rows, ["id", "title", "status", "last_read", "feed"])
