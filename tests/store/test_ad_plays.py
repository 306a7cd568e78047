"""Ads that players say they played, from the intake to the figure of each campaign."""

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest
from msgspec import UNSET

from castline.base.clock import now
from castline.ingest.segment_log import EVENTS, LOG_FOLDER, LogWriter, encode_record
from castline.intake.drain import drain_intake
from castline.measure.figures.ad_plays import CampaignAdPlays, compute_ad_plays
from castline.model.campaign import NewSponsor
from castline.model.figures import PlayedAds
from castline.model.query import Filters, Query
from castline.report.collect import collect_figures
from castline.store.entities.campaigns import NewCampaign, create_campaign, create_sponsor, find_campaign
from castline.store.entities.shows import create_episode, create_podcast, load_podcasts
from castline.store.pool import Store
from make import make_account
from make_logs import EPISODE_SECONDS

pytestmark = pytest.mark.store
NOON = now().replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=2)
DAY = NOON.date()


@pytest.fixture
def here(store: Store, tmp_path: Path) -> Store:
    """The store over a data folder of this test alone."""
    return replace(store, settings=replace(store.settings, data_dir=tmp_path, secret_key="k" * 32))


@pytest.fixture
def owner_id(here: Store) -> UUID:
    """An account with a show at its own host, of one episode `one.mp3`."""
    owner_id = make_account(here).user_id
    url = f"https://{owner_id.hex}.example.net/one.mp3"
    with here.account(owner_id) as connection:
        podcast_id = create_podcast(connection, owner_id, "Show", f"https://{owner_id.hex}.example.net/feed")
        facts: dict[str, object] = {
            "guid": "one", "title": "One", "description": None, "audio_url": url,
            "duration_seconds": EPISODE_SECONDS, "publish_date": NOON, "link": None, "author": None,
            "categories": [], "explicit": False, "transcript_url": None, "metadata": {},
            "audio_bytes": 1_000_000, "audio_key": url.removeprefix("https://"), "publish_date_is_first_seen": False,
        }  # fmt: skip
        create_episode(connection, podcast_id, facts)
    return owner_id


def make_campaign(store: Store, owner_id: UUID, name: str) -> UUID:
    with store.account(owner_id) as connection:
        sponsor = create_sponsor(connection, owner_id, NewSponsor(f"Sponsor of {name}"))
        flight = (NOON - timedelta(days=7), NOON + timedelta(days=7))
        [show] = load_podcasts(connection, owner_id)
        new = NewCampaign(name, show.podcast_id, sponsor.sponsor_id, *flight, Decimal(100))
        return create_campaign(connection, owner_id, new).campaign_id


def told(owner_id: UUID, session: str, *events: Mapping[str, object]) -> bytes:
    """A delivery of the session, whose playback began at noon."""
    episode = {"url": f"https://{owner_id.hex}.example.net/one.mp3"}
    body = {"session": {"id": session, "started_at": NOON.isoformat(), "episode": episode}, "events": list(events)}
    head = "POST /v1/events HTTP/1.1\r\nuser-agent: Overcast/3.0\r\n\r\n"
    return encode_record(EVENTS, time.time_ns() // 1000, b"198.51.100.7", head.encode() + json.dumps(body).encode())


def ad(kind: str, named: Mapping[str, str], percent: int | None = None, at: datetime = NOON) -> dict[str, object]:
    told = {"type": kind, "at": at.isoformat(), "percent": percent, **named}
    return {"id": json.dumps(told), **told}


def take_in(store: Store, *records: bytes) -> None:
    log = LogWriter(store.settings.data_dir / LOG_FOLDER)
    log.append(list(records))
    log.close()
    drain_intake(store)


def plays(store: Store, owner_id: UUID, *, campaigns: tuple[UUID, ...] = (), days: int = 0) -> list[CampaignAdPlays]:
    query = Query(DAY + timedelta(days=days), DAY + timedelta(days=days), filters=Filters(campaign_ids=campaigns))
    with store.account(owner_id) as connection:
        found = compute_ad_plays(connection, owner_id, query)
    assert found.metric == "ad_plays/1"
    return list(found.campaigns)


def test_each_play_counts_once_up_to_where_it_came(here: Store, owner_id: UUID) -> None:
    first, second = make_campaign(here, owner_id, "First"), make_campaign(here, owner_id, "Second")
    spot = {"ad_id": "spot", "campaign_id": str(first)}
    take_in(
        here,
        # To the end, told twice; to the half; skipped after a quarter; started alone.
        told(owner_id, "s1", ad("ad_start", spot), *[ad("ad_progress", spot, percent) for percent in (25, 50, 75)]),
        told(owner_id, "s1", ad("ad_complete", spot)),
        told(owner_id, "s1", ad("ad_complete", spot)),
        told(owner_id, "s2", ad("ad_start", spot), ad("ad_progress", spot, 25)),
        told(owner_id, "s3", ad("ad_start", spot), ad("ad_progress", spot, 25), ad("ad_skip", spot)),
        told(owner_id, "s4", ad("ad_start", spot)),
        # The end alone is a play as well; another campaign's; one whose campaign nobody knows; a quarter alone is none.
        told(owner_id, "s5", ad("ad_complete", {"campaign_id": str(second)})),
        told(owner_id, "s6", ad("ad_start", {"ad_id": "who"})),
        told(owner_id, "s7", ad("ad_progress", spot, 50)),
    )
    # Progress that comes later moves the play further, and never back.
    take_in(here, told(owner_id, "s2", ad("ad_progress", spot, 50)))
    take_in(here, told(owner_id, "s2", ad("ad_progress", spot, 25)))
    one = CampaignAdPlays(first, "First", 4, 3, 2, 1, 1, 1, Decimal("0.2500"))
    other = CampaignAdPlays(second, "Second", 1, 1, 1, 1, 1, 0, Decimal("1.0000"))
    unknown = CampaignAdPlays(None, None, 1, 0, 0, 0, 0, 0, Decimal("0.0000"))
    assert plays(here, owner_id) == [one, other, unknown]
    assert plays(here, owner_id, campaigns=(second,)) == [other]
    assert plays(here, make_account(here).user_id) == []


def test_the_campaigns_report_has_them_and_another_campaigns_has_none(here: Store, owner_id: UUID) -> None:
    first, second = make_campaign(here, owner_id, "First"), make_campaign(here, owner_id, "Second")
    spot = {"ad_id": "spot", "campaign_id": str(first)}
    take_in(here, told(owner_id, "s1", ad("ad_start", spot), ad("ad_progress", spot, 50), ad("ad_skip", spot)))
    found = {}
    for campaign_id in (first, second):
        with here.account(owner_id) as connection:
            campaign = find_campaign(connection, owner_id, str(campaign_id))
        found[campaign_id] = collect_figures(here, owner_id, campaign, now()).played_ads
    first_on = (NOON - timedelta(days=7)).date()
    assert found == {first: PlayedAds(first_on, 1, 1, 1, 0, 0, 1), second: UNSET}


def test_progress_may_come_before_the_start_and_a_play_is_of_the_day_it_began(here: Store, owner_id: UUID) -> None:
    campaign = make_campaign(here, owner_id, "First")
    spot = {"ad_id": "spot", "campaign_id": str(campaign)}
    late = NOON.replace(hour=23, minute=59)
    take_in(here, told(owner_id, "s1", ad("ad_progress", spot, 75, at=late)))
    assert plays(here, owner_id) == []
    take_in(here, told(owner_id, "s1", ad("ad_start", spot, at=late)))
    take_in(here, told(owner_id, "s1", ad("ad_complete", spot, at=late + timedelta(minutes=2))))
    assert plays(here, owner_id) == [CampaignAdPlays(campaign, "First", 1, 1, 1, 1, 1, 0, Decimal("1.0000"))]
    assert plays(here, owner_id, days=1) == []
