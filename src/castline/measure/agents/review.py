"""Which user agents no rule knows, by the requests they made: what the next edition of the table should name."""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import polars as pl

from castline.base.clock import now
from castline.base.period import Period
from castline.measure.agents.classifier import open_classifier
from castline.measure.agents.rules import AgentType
from castline.store.landing.files import decode_parts, load_requests
from castline.store.listening.downloads import LOG_KIND, load_log_batches
from castline.store.pool import Store


@dataclass(frozen=True, slots=True)
class UnknownAgent:
    """A user agent that no rule knows; `name` is what it calls itself, where it does."""

    user_agent: str
    type: AgentType
    name: str | None
    request_count: int


@dataclass(frozen=True, slots=True)
class AgentReview:
    """The requests of a period by how their agent was recognised.

    `typed_count` counts the requests whose agent has a type, `named_count` those whose agent a rule names, of
    `request_count` with an agent at all.
    """

    request_count: int
    typed_count: int
    named_count: int
    agents: tuple[UnknownAgent, ...]


def load_unknown_agents(store: Store, owner_id: UUID, period: Period | None = None, *, limit: int = 100) -> AgentReview:
    """The agents of the landed requests that no rule names, the most asking first; by default of the last 30 days."""
    today = now().date()
    period = period or Period.of_days(today - timedelta(days=29), today)
    counts = _count_agents(store, owner_id, period)
    classifier = open_classifier(store.settings)
    found = [(text, classifier.classify(text), count) for text, count in counts.items() if text.strip(" -")]
    unknown = [
        UnknownAgent(text, agent.type, agent.name, count)
        for text, agent, count in found
        if agent.is_self_named or agent.type == "unknown"
    ]
    unknown.sort(key=lambda agent: (agent.type != "unknown", -agent.request_count, agent.user_agent))
    return AgentReview(
        sum(count for _, _, count in found),
        sum(count for _, agent, count in found if agent.type != "unknown"),
        sum(count for _, agent, count in found if agent.type != "unknown" and not agent.is_self_named),
        tuple(unknown[:limit]),
    )


def _count_agents(store: Store, owner_id: UUID, period: Period) -> Counter[str]:
    """Requests per user agent, a day at a time."""
    counts: Counter[str] = Counter()
    with store.account(owner_id) as connection:
        batches = load_log_batches(connection, owner_id, period)
        days = {part.day_on for batch in batches for part in decode_parts(batch)} & set(period.iter_days())
        for day in sorted(days):
            requests = load_requests(store.settings.landing_dir, owner_id, LOG_KIND, batches, [day])
            per_agent = requests.select(pl.col("user_agent").fill_null("")).group_by("user_agent").len()
            counts.update(dict(per_agent.iter_rows()))
    return counts
