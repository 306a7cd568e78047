"""A feed as one JSON line, the output of `castline feed parse --json`."""

from dataclasses import fields, is_dataclass
from datetime import UTC, datetime

from castline.base.errors import CastlineError
from castline.model.feed import Feed, FeedExtras, FeedProblem

Line = dict[str, object]


def to_line(feed: Feed) -> Line:
    """The feed as plain JSON values: times in ISO 8601 with Z, nothing left out but what is empty of the extras."""
    show = _plain(feed.show)
    if isinstance(show, dict):
        show["category"] = feed.show.category
    return {
        "source": feed.source,
        "show": show,
        "episodes": [_plain(episode) for episode in feed.episodes],
        "problems": [_problem(problem) for problem in feed.problems],
        "item_count": feed.item_count,
    }


def failure_line(source: str, error: CastlineError) -> Line:
    """The line of a source that could not be read as a feed at all."""
    problem = {"code": error.code, "message": error.message}
    return {"source": source, "show": None, "episodes": [], "problems": [problem], "item_count": 0}


def _problem(problem: FeedProblem) -> Line:
    line: Line = {"code": problem.code, "message": problem.message}
    if problem.line is not None:
        line["line"] = problem.line
    if problem.item is not None:
        line["item"] = problem.item
    return line


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if is_dataclass(value) and not isinstance(value, type):
        return _members(value)
    return value


def _members(value: object) -> Line:
    members: Line = {}
    for name in _names(type(value)):
        found = getattr(value, name)
        if isinstance(found, FeedExtras):
            members |= _members(found)
        else:
            members[name] = _plain(found)
    return members


def _names(kind: type) -> tuple[str, ...]:
    return tuple(one.name for one in fields(kind))
