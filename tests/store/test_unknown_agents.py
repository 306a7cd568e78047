"""The user agents that no rule names, by the requests they made."""

from datetime import timedelta
from pathlib import Path

import pytest

from castline.base.period import Period
from castline.ingest.logs.landing import import_log
from castline.measure.agents.review import AgentReview, UnknownAgent, load_unknown_agents
from castline.model.account import User
from castline.store.pool import Store
from make import make_account
from make_logs import MONDAY, Line, make_listened_show, write_log

pytestmark = pytest.mark.store
DAY = MONDAY.date()
NEW = "Brand New Show/3 CFNetwork/1494 Darwin/23.4.0"


def test_agents_without_a_rule_are_listed_by_their_requests(store: Store, account: User, tmp_path: Path) -> None:
    make_listened_show(store, account.user_id)
    agents = [NEW, "Castro 2023.3/1402", "%%", NEW, "-", "curl/8.5.0"]
    lines = [Line(after=60 * number, agent=agent) for number, agent in enumerate(agents)]
    late = Line(after=86_400 * 3, agent="LaterShow/1.0 (Android 13)")
    import_log(store, account.user_id, write_log(tmp_path / "access.log", [*lines, late]))
    week = Period.of_days(DAY, DAY + timedelta(days=6))
    unknown = UnknownAgent("%%", "unknown", None, 1)
    new = UnknownAgent(NEW, "app", "Brand New Show", 2)
    later = UnknownAgent("LaterShow/1.0 (Android 13)", "app", "LaterShow", 1)
    # Six of seven requests say who they are; %% has no type; Castro and curl have a rule.
    assert load_unknown_agents(store, account.user_id, week) == AgentReview(6, 5, 2, (unknown, new, later))
    first = Period.of_days(DAY, DAY)
    assert load_unknown_agents(store, account.user_id, first, limit=1) == AgentReview(5, 4, 2, (unknown,))
    assert load_unknown_agents(store, make_account(store).user_id, week) == AgentReview(0, 0, 0, ())
