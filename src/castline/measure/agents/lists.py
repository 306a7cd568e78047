"""Lists of other projects that stand below our own rules: web crawlers, and apps as of the list's first version."""

import json
from functools import cache
from importlib.metadata import version
from importlib.resources import files

import msgspec


class ListedApp(msgspec.Struct, frozen=True):
    """An app of the older list."""

    pattern: str
    name: str
    is_bot: bool


@cache
def load_crawler_patterns() -> tuple[str, ...]:
    """The patterns of the web bot list. They call podcast apps bots, so every app rule is tried before them."""
    entries = json.loads(files("crawleruseragents").joinpath("crawler-user-agents.json").read_bytes())
    return tuple(entry["pattern"] for entry in entries)


@cache
def load_listed_apps() -> tuple[ListedApp, ...]:
    """The entries that name an app; the list's own parser matches from the start of the text."""
    entries = json.loads(files("podcast_app_user_agents").joinpath("data/src/user-agents.json").read_bytes())
    return tuple(
        ListedApp(f"^(?:{pattern})", entry["app"], bool(entry.get("bot")))
        for entry in entries
        if entry.get("app")
        for pattern in entry.get("user_agents", [])
    )


def list_versions() -> dict[str, str]:
    """The version of each list."""
    return {name: version(name) for name in ("crawler-user-agents", "podcast-app-user-agents")}
