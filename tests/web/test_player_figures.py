"""What players told, asked of the API: one figure by the query and by campaign, and none where nobody told."""

import json
import time
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from castline.base.clock import now
from castline.ingest.segment_log import EVENTS, LOG_FOLDER, LogWriter, encode_record
from castline.intake.drain import drain_intake
from castline.model.account import User
from castline.store.entities.shows import create_episode, create_podcast
from castline.store.pool import Store
from make_logs import EPISODE_SECONDS
from web.browser import Browser
from web.conftest import Caller

pytestmark = pytest.mark.store
NOON = now().replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=2)
DAY = NOON.date()
DAYS = f"from={DAY}&to={DAY}"


def make_episode(store: Store, owner_id: UUID) -> str:
    """The address of the one episode of a show."""
    url = f"https://{owner_id.hex}.example.net/one.mp3"
    facts: dict[str, object] = {
        "guid": "one", "title": "One", "description": None, "audio_url": url, "duration_seconds": EPISODE_SECONDS,
        "publish_date": NOON, "link": None, "author": None, "categories": [], "explicit": False,
        "transcript_url": None, "metadata": {}, "audio_bytes": 1_000_000, "audio_key": url.removeprefix("https://"),
        "publish_date_is_first_seen": False,
    }  # fmt: skip
    with store.account(owner_id) as connection:
        create_episode(connection, create_podcast(connection, owner_id, "Show", url + "/feed"), facts)
    return url


def tell(store: Store, url: str, *sessions: tuple[str, ...]) -> None:
    """One session for each list of events, all of them about one ad."""
    log = LogWriter(store.settings.data_dir / LOG_FOLDER)
    for number, kinds in enumerate(sessions):
        session = {"id": f"s{number}", "started_at": NOON.isoformat(), "episode": {"url": url}}
        events = [{"id": kind, "type": kind, "at": NOON.isoformat(), "ad_id": "spot"} for kind in kinds]
        body = json.dumps({"session": session, "events": events}).encode()
        head = b"POST /v1/events HTTP/1.1\r\nuser-agent: AntennaPod/3.4.0\r\n\r\n"
        log.append([encode_record(EVENTS, time.time_ns() // 1000, b"198.51.100.7", head + body)])
    log.close()
    drain_intake(store)


def test_plays_are_metrics_of_the_api(browser: Browser, store: Store, person: User, key_of: Caller) -> None:
    url, key = make_episode(store, person.user_id), key_of(person)

    def ask(rest: str) -> Any:
        return browser.ask("GET", f"/api/v1/metrics?{DAYS}&{rest}", headers=key)

    nobody = ask("metric=ad_plays").json
    assert (nobody["rows"], nobody["withheld"]["reason"]) == ([], "no_player_told")
    tell(store, url, ("ad_start", "ad_complete"), ("ad_start", "ad_skip"), ("ad_start", "complete"))
    found = {name: ask(f"metric={name}").json["rows"][0]["value"] for name in ("ad_plays", "ad_completes", "ad_skips")}
    assert found == {"ad_plays": 3, "ad_completes": 1, "ad_skips": 1}
    by_app = ask("metric=completed_plays&dimension=app&grain=day").json
    assert [(row["members"], row["value"]) for row in by_app["rows"]] == [(["AntennaPod"], 1)]
    [row] = browser.ask("GET", f"/api/v1/ad-plays?{DAYS}", headers=key).json["campaigns"]
    assert (row["campaign_id"], row["plays"], row["complete"], row["skips"]) == (None, 3, 1, 1)
    daily = browser.ask("GET", f"/api/v1/metrics/daily?{DAYS}&metric=plays&dimension=app", headers=key).json
    assert [(item["member"], item["value"]) for item in daily] == [("AntennaPod", 3)]


def test_a_plays_campaign_is_refused_with_the_metric_to_ask_instead(
    browser: Browser, person: User, key_of: Caller
) -> None:
    refused = browser.ask("GET", f"/api/v1/metrics?{DAYS}&metric=plays&dimension=campaign", headers=key_of(person))
    assert refused.status == 422
    assert "ask for `ad_plays`" in refused.json["detail"]
