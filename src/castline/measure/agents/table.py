"""The user agents of a set of requests: each distinct text once, mended, with what it says it is."""

from typing import Final

import polars as pl

from castline.measure.agents.classifier import AgentClassifier
from castline.measure.agents.repair import repair_agent

_SCHEMA: Final = pl.Schema(
    {
        "agent": pl.UInt32(),
        "user_agent": pl.String(),
        "user_agent_is_empty": pl.Boolean(),
        "user_agent_is_false": pl.Boolean(),
        "is_bot": pl.Boolean(),
        "is_watch": pl.Boolean(),
        "app": pl.String(),
        "is_known_app": pl.Boolean(),
        "platform": pl.String(),
        "device_type": pl.String(),
        "device_os": pl.String(),
    }
)
FLAGS: Final = ("agent", "user_agent_is_empty", "user_agent_is_false", "is_bot", "is_watch")


def describe_agents(user_agents: pl.Series, classifier: AgentClassifier) -> tuple[pl.DataFrame, pl.DataFrame]:
    """One row per distinct mended text with what it says; and per text as it came `user_agent` and FLAGS.

    Texts that differ only by what is mended are one agent.
    """
    texts = user_agents.unique().sort().to_list()
    mended = [repair_agent(text) for text in texts]
    agents = _describe(sorted(set(mended)), classifier)
    came = pl.DataFrame({"user_agent": texts, "mended": mended}, schema={"user_agent": pl.String, "mended": pl.String})
    flags = agents.select(pl.col("user_agent").alias("mended"), *FLAGS)
    return agents, came.join(flags, on="mended", how="left", maintain_order="left").drop("mended")


def is_watch_agent(text: str) -> bool:
    """True for an Apple Watch, which asks again for what the phone already loaded (PTM v2.3, step 1.4)."""
    return "(null)/(null) watchOS" in text or (text.startswith("atc/") and "watchOS" in text)


def _describe(texts: list[str], classifier: AgentClassifier) -> pl.DataFrame:
    found = classifier.classify_all(texts)
    watches = [is_watch_agent(text) for text in texts]
    return pl.DataFrame(
        {
            "agent": range(len(texts)),
            "user_agent": texts,
            "user_agent_is_empty": [not text.strip(" -") for text in texts],
            "user_agent_is_false": [agent.is_false for agent in found],
            "is_bot": [agent.is_bot and not watch for agent, watch in zip(found, watches, strict=True)],
            "is_watch": watches,
            "app": [agent.name or "unknown" for agent in found],
            "is_known_app": [agent.type == "app" and not agent.is_self_named for agent in found],
            "platform": [agent.platform for agent in found],
            "device_type": [agent.device_type for agent in found],
            "device_os": [agent.device_os for agent in found],
        },
        schema=_SCHEMA,
    )
