"""The pages' figures, by the golden numbers of the world behind them."""

import re
from pathlib import Path
from uuid import uuid4

import pytest

from castline.accounts.person import NewAccount, create_account
from castline.ingest.logs.landing import import_log
from castline.measure.run import measure
from castline.model.account import User
from castline.store.pool import Store
from make_logs import Line, make_listened_show, write_log
from web.browser import Browser
from web.conftest import PASSWORD
from web.world import LAST_DAY, World, make_campaign, make_world

pytestmark = pytest.mark.store


@pytest.fixture(scope="module")
def owner(store: Store) -> User:
    return create_account(store, NewAccount(f"{uuid4().hex}@example.org", "Nova", PASSWORD))


@pytest.fixture(scope="module")
def world(store: Store, owner: User, tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(
        store, owner.user_id, tmp_path_factory.mktemp("world"), name="Herbst <b>&\u062e\u0631\u064a\u0641"
    )


@pytest.fixture
def reader(browser: Browser, owner: User, world: World) -> Browser:
    assert browser.sign_in(owner.email, PASSWORD).status == 303
    return browser


def tiles(text: str) -> dict[str, str]:
    """The value of each tile by its label."""
    found = re.findall(r"<h3>([^<]+)</h3>\s*<p class=\"value\">(.*?)</p>", text)
    return {label: re.sub(r"<[^>]+>", "", value).strip() for label, value in found}


def test_the_dashboard_tells_the_worlds_figures(reader: Browser) -> None:
    page = reader.get("/?range=28d")
    assert page.status == 200
    assert tiles(page.text) == {
        "Downloads": "301",
        "Consumers": "301",
        "Episodes heard": "2",
        "Attributed orders": "3",
        "Attributed revenue": "150.00 USD",
        "Return on investment": "50.0\N{NO-BREAK SPACE}%",
    }


def test_a_period_is_compared_with_as_many_days_before(reader: Browser) -> None:
    # The last 7 days: 7 x 15 + (7 + .. + 13) = 175; the 7 before: 7 x 15 + (0 + .. + 6) = 126; 175 / 126 = 1.3889.
    text = reader.get("/?range=7d").text
    assert tiles(text)["Downloads"] == "175"
    assert '38.9 %<span class="hidden"> more than from 2026-09-07 to 2026-09-13</span>' in text
    # All three orders are of the first week.
    assert tiles(text)["Attributed orders"] == "0"
    assert '100.0 %<span class="hidden"> less than' in text


def test_no_change_is_told_against_days_that_nobody_measured(reader: Browser) -> None:
    # The ten days before 11 September begin on the 1st; the world's first request is of the 7th.
    text = reader.get("/?from=2026-09-11&to=2026-09-20").text
    listening = text[text.index(">Downloads<") : text.index(">Attributed orders<")]
    assert "more than from" not in listening
    assert "more than from" in text[text.index(">Attributed orders<") :]
    assert int(tiles(text)["Downloads"]) > 0
    # Some of the earlier days were measured.
    assert "Change not measurable: not every day was measured." in listening
    assert "Measured on" not in text


def test_a_sum_over_days_of_which_some_were_measured_says_so(reader: Browser) -> None:
    text = reader.get("/?from=2026-09-01&to=2026-09-10").text
    assert "Measured on 4 of 10 days: nothing is known of the others." in text


def test_own_days_and_a_show_can_be_asked_for(reader: Browser, world: World) -> None:
    text = reader.get(f"/?from=2026-09-07&to=2026-09-08&show={world.show.podcast_id}").text
    assert tiles(text)["Downloads"] == "31"
    assert '<input type="date" name="to" value="2026-09-08" required>' in text
    assert re.search(rf'<option value="{world.show.podcast_id}"[^>]*selected>', text)


def test_a_comparison_can_be_chosen_or_left(reader: Browser) -> None:
    # The last 7 days: 175; the same weekdays before are the 7 days before: 126. A year before nothing was measured.
    assert "38.9 %" in reader.get("/?range=7d&compare=weekdays").text
    year = reader.get("/?range=7d&compare=year").text
    assert "no earlier days" in year[year.index(">Downloads<") : year.index(">Attributed orders<")]
    alone = reader.get("/?range=7d&compare=none").text
    assert "no earlier days" not in alone
    assert 'class="key before"' not in alone
    assert tiles(alone)["Downloads"] == "175"


def test_days_are_those_of_the_zone_that_is_asked_for(reader: Browser) -> None:
    # `one` is heard from 01:00 UTC on and `two` from 12:06: west of Greenwich the day's `one` is the evening before.
    assert tiles(reader.get("/?from=2026-09-08&to=2026-09-08").text)["Downloads"] == "16"
    # In New York (UTC-4) the 8th has the 5 of its own noon, and the 12 that `one` has in the UTC night of the 9th.
    there = reader.get("/?from=2026-09-08&to=2026-09-08&tz=America/New_York").text
    assert tiles(there)["Downloads"] == "17"
    assert 'name="tz" value="America/New_York"' in there


def test_a_filter_narrows_the_listening_and_stays_in_every_link(reader: Browser) -> None:
    text = reader.get("/?range=28d").text
    address = re.search(r'<a class="member" href="(/\?[^"]*episode=[^"]*)"', text)
    assert address is not None
    one = reader.get(address[1].replace("&amp;", "&")).text
    # Fourteen days of `one`: 14 x 10 + (0 + .. + 13) = 231; orders are of all listening.
    assert (tiles(one)["Downloads"], tiles(one)["Attributed orders"]) == ("231", "3")
    assert 'class="chip"' in one
    episode = address[1].split("episode=")[1]
    assert f"range=7d&amp;episode={episode}" in one
    assert f'<input type="hidden" name="episode" value="{episode}">' in one


def test_the_page_tells_and_filters_by_how_downloads_were_seen(reader: Browser) -> None:
    text = reader.get("/?range=28d").text
    assert 'id="source-title">Sources</h2>' in text
    address = re.search(r'<a class="member" href="(/\?[^"]*source=file)" data-swap>([^<]+)</a>', text)
    assert address is not None
    assert address[2] == "Log of files"
    chosen = reader.get(address[1].replace("&amp;", "&")).text
    assert tiles(chosen)["Downloads"] == "301"
    assert '<span class="faint">source</span> <bdi>Log of files</bdi>' in chosen
    assert tiles(reader.get("/?range=28d&source=prefix").text)["Downloads"] == "0"


def test_a_filter_beyond_raw_retention_is_refused_with_the_reason(
    store: Store, signed_in: Browser, person: User, tmp_path: Path
) -> None:
    make_listened_show(store, person.user_id)
    import_log(store, person.user_id, write_log(tmp_path / "a.log", [Line()]), host="cdn.example.org")
    measure(store, person.user_id)
    with store.ingest(person.user_id) as connection:
        connection.execute(
            "delete from listener_events where podcast_id in (select podcast_id from podcasts where user_id = %s)",
            (person.user_id,),
        )
    text = signed_in.get("/?app=Overcast&country=SE").text
    assert tiles(text)["Downloads"] == "\N{EM DASH}"
    assert (
        "Not measurable: it needs raw downloads, which are kept for 90 days, and those of 2026-09-07 are gone." in text
    )


def test_episodes_are_shown_from_their_release_on(reader: Browser) -> None:
    text = reader.get("/").text.split('id="releases-title"')[1].split('id="campaigns-title"')[0]
    assert "Downloads since release of" in text or "<polyline" not in text
    assert re.findall(r'<th scope="col" class="end">(\d+ days?)</th>', text)[:6] == [
        "1 day",
        "3 days",
        "7 days",
        "30 days",
        "60 days",
        "90 days",
    ]


def test_refused_rows_are_told_with_reason_count_source_and_remedy(
    store: Store, signed_in: Browser, person: User, tmp_path: Path
) -> None:
    assert "Nothing waits" in signed_in.get("/quarantine").text
    make_listened_show(store, person.user_id)
    path = write_log(tmp_path / "night <b>.log", [Line(after=number) for number in range(40)])
    with path.open("a") as file:
        file.write("no line of a log\nnor this\n")
    import_log(store, person.user_id, path, host="cdn.example.org")
    assert '<a class="warn-text" href="/quarantine">2 rows in quarantine</a>' in signed_in.get("/").text
    text = signed_in.get("/quarantine").text
    assert "Malformed line" in text
    assert "2 rows were refused and wait" in text
    assert "night &lt;b&gt;.log" in text
    assert "import it again with --format" in text


def test_lines_that_are_no_request_stand_beside_the_waterfall_of_the_days_that_their_log_reaches_into(
    store: Store, signed_in: Browser, person: User, tmp_path: Path
) -> None:
    make_listened_show(store, person.user_id)
    path = write_log(tmp_path / "night.log", [Line(after=number) for number in range(40)])
    with path.open("a") as file:
        file.write("no line of a log\nor this\n")
    import_log(store, person.user_id, path, host="cdn.example.org")
    measure(store, person.user_id)
    said = '<a href="/quarantine">2 lines</a> of the logs that reach into these days were no request'
    assert said in signed_in.get("/?from=2026-09-07&to=2026-09-13").text
    for days in ("from=2026-09-08&to=2026-09-14", "from=2026-08-31&to=2026-09-06"):
        assert "were no request" not in signed_in.get(f"/?{days}").text


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("from=soon", "from: &#39;soon&#39; is no day"),
        ("range=forever", "range: &#39;forever&#39; is none of"),
        ("from=2026-09-02&to=2026-09-01", "to: 2026-09-01 is before the first day"),
        ("show=00000000-0000-4000-8000-000000000001", "show: there is no such show in this account"),
        ("show=1", "show: &#39;1&#39; is no id of a show"),
        ("episode=1", "episode: &#39;1&#39; is no id of an episode"),
        ("tz=Mars/Olympus", "tz: &#39;Mars/Olympus&#39; is no time zone"),
        ("source=logs", "source: &#39;logs&#39; is none of file, hls, prefix, player"),
        ("compare=luck", "compare: &#39;luck&#39; is none of"),
    ],
)
def test_what_the_address_asks_and_cannot_have_is_said(reader: Browser, query: str, said: str) -> None:
    page = reader.get(f"/?{query}")
    assert page.status == 422
    assert said in page.text
    assert tiles(page.text)["Downloads"] == "301"


def test_the_waterfall_sums_from_received_to_counted(reader: Browser) -> None:
    text = reader.get("/").text.split('id="waterfall-title"')[1]
    numbers = [
        int(found.replace(",", "")) for found in re.findall(r'<td class="end[^"]*">\N{MINUS SIGN}?([\d,]+)</td>', text)
    ]
    received, counted = numbers[0], numbers[-1]
    # 301 downloads, 14 repeated requests, 14 probes.
    assert (received, counted, sum(numbers[1:])) == (329, 301, 329)


def test_the_page_says_how_fresh_it_is(reader: Browser) -> None:
    text = reader.get("/").text
    assert "Requests until <strong>20 Sep 2026, 12:06 UTC</strong>" in text
    assert "Conversions until <strong>12 Sep 2026, 12:00 UTC</strong>" in text
    assert "<span>Counted <strong>" in text


def test_every_tile_says_how_it_is_counted(reader: Browser) -> None:
    text = reader.get("/").text
    assert text.count("How counted</summary><p>") == 6
    assert "count of windows (listener, episode, UTC day)" in text
    assert 'href="/method#roi_rate"' in text


def test_countries_name_whose_table_they_come_from(reader: Browser) -> None:
    text = reader.get("/").text
    assert '<a href="https://db-ip.com" rel="noreferrer">IP Geolocation by DB-IP</a>, CC BY 4.0' in text


def test_the_campaigns_page_shows_its_report(reader: Browser, world: World) -> None:
    page = reader.get(f"/campaigns/{world.campaign.campaign_id}")
    shown = tiles(page.text)
    assert page.status == 200
    assert (shown["Delivered downloads"], shown["Conversions"]) == ("301", "3")
    assert (shown["Attributed revenue"], shown["Modeled revenue"]) == ("150.00 USD", "0.00 USD")
    assert shown["ROI"] == "50.0\N{NO-BREAK SPACE}%"
    assert "Herbst &lt;b&gt;&amp;" in page.text
    assert "<b>&" not in page.text


def test_a_built_report_is_the_file_and_a_new_one_can_be_built(reader: Browser, world: World) -> None:
    [report] = world.reports
    answered = reader.get(f"/reports/{report.report_id}")
    assert (answered.status, answered.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert len(answered.body) == report.file_size_bytes
    assert answered.headers["content-disposition"].startswith("attachment; filename*=UTF-8''")
    page = f"/campaigns/{world.campaign.campaign_id}/report"
    built = reader.post(page, {"csrf_token": reader.csrf_token(), "format": "json"})
    assert built.status == 303
    assert reader.get(built.headers["location"]).headers["content-type"] == "application/json"
    wrong = reader.post(page, {"csrf_token": reader.csrf_token(), "format": "docx"})
    assert wrong.status == 422


def test_a_file_that_is_gone_is_said_to_be_gone(reader: Browser, world: World, store: Store) -> None:
    page = f"/campaigns/{world.campaign.campaign_id}/report"
    built = reader.post(page, {"csrf_token": reader.csrf_token(), "format": "csv"}).headers["location"]
    for path in (store.settings.data_dir / "reports" / str(world.owner_id)).glob("*.csv"):
        path.unlink()
    gone = reader.get(built)
    assert gone.status == 410
    assert "Build the report again" in gone.text


def test_the_daily_figures_of_the_api_are_the_pages(
    browser: Browser, world: World, owner: User, key_of: "object"
) -> None:
    key = key_of(owner, "read")  # type: ignore[operator]  # the fixture's function
    path = f"/api/v1/metrics/daily?from=2026-09-07&to={LAST_DAY}"
    rows = browser.ask("GET", path, headers=key).json
    assert [row["value"] for row in rows] == [15 + day for day in range(14)]
    assert {row["podcast_id"] for row in rows} == {str(world.show.podcast_id)}
    roi = browser.ask("GET", f"/api/v1/campaigns/{world.campaign.campaign_id}/roi", headers=key).json
    assert (roi["net_revenue"], roi["roi_rate"], roi["credited_orders"]) == (150, 0.5, 3)
    falls = browser.ask("GET", "/api/v1/waterfall", headers=key).json
    assert sum(row["request_count"] for row in falls) == 329


def test_the_api_answers_the_one_query_with_filters_and_a_comparison(
    browser: Browser, world: World, owner: User, key_of: "object"
) -> None:
    key = key_of(owner, "read")  # type: ignore[operator]  # the fixture's function
    asked = f"/api/v1/metrics?from=2026-09-14&to={LAST_DAY}"
    answer = browser.ask("GET", f"{asked}&compare=previous", headers=key).json
    # As on the page: 175 in the last 7 days, 126 in the 7 before.
    assert [row["value"] for row in answer["rows"]] == [175]
    assert [row["value"] for row in answer["compared"]["rows"]] == [126]
    assert answer["counting"]["counted_from"] == "daily_metrics"
    episodes = browser.ask("GET", f"{asked}&dimension=episode", headers=key).json["rows"]
    members = [row["members"][0] for row in episodes]
    assert [row["value"] for row in episodes] == [140, 35]  # 7 x 10 + (7 + .. + 13); 7 x 5
    only = browser.ask("GET", f"{asked}&episode={members[1]}&grain=day", headers=key).json["rows"]
    assert [row["value"] for row in only] == [5] * 7
    both = browser.ask("GET", f"{asked}&episode={members[0]}&episode={members[1]}", headers=key).json
    assert both["rows"][0]["value"] == 175
    crossed = browser.ask("GET", f"{asked}&episode={members[0]}&device=mobile", headers=key).json
    assert crossed["counting"]["counted_from"] == "listener_events"
    files = browser.ask("GET", f"{asked}&source=file&source=hls", headers=key).json
    assert ([row["value"] for row in files["rows"]], files["counting"]["counted_from"]) == ([175], "daily_metrics")
    assert browser.ask("GET", f"{asked}&source=prefix", headers=key).json["rows"][0]["value"] == 0
    assert browser.ask("GET", f"{asked}&source=logs", headers=key).status == 422
    pacing = browser.ask("GET", f"/api/v1/pacing?show={world.show.podcast_id}", headers=key).json
    assert {item["episode_id"] for item in pacing} == set(members)
    assert [pace["days"] for pace in pacing[0]["paces"]] == [1, 3, 7, 30, 60, 90]


def test_with_no_source_the_page_says_how_to_begin(signed_in: Browser) -> None:
    text = signed_in.get("/").text
    assert "No source yet" in text
    assert "castline feed add" in text


def test_a_campaign_without_any_source_is_listed_and_no_download_is_called_zero(
    store: Store, signed_in: Browser, person: User
) -> None:
    make_campaign(store, person.user_id, make_listened_show(store, person.user_id), "Autumn")
    text = signed_in.get(f"/?from=2026-09-07&to={LAST_DAY}").text
    assert "No source yet" in text
    assert 'href="/campaigns/' in text
    assert 'id="kpi-title"' not in text
    assert 'id="daily-title"' not in text


def test_an_empty_quarantine_counts_nothing(signed_in: Browser) -> None:
    text = signed_in.get("/quarantine").text
    assert "Nothing waits: whatever came in was taken." in text
    assert "were refused" not in text


def test_a_source_without_hits_is_told_apart(store: Store, signed_in: Browser, person: User, tmp_path: Path) -> None:
    make_listened_show(store, person.user_id)
    import_log(store, person.user_id, write_log(tmp_path / "a.log", [Line(path="/other.html")]), host="cdn.example.org")
    text = signed_in.get("/").text
    assert "A source, but no download" in text
    assert "castline measure run" in text  # its day waits
    measure(store, person.user_id)
    text = signed_in.get("/").text
    assert "A source, but no download" in text
    assert "not those of the feed" in text


def test_a_really_small_number_is_shown_as_one(store: Store, signed_in: Browser, person: User, tmp_path: Path) -> None:
    make_listened_show(store, person.user_id)
    import_log(store, person.user_id, write_log(tmp_path / "a.log", [Line()]), host="cdn.example.org")
    measure(store, person.user_id)
    text = signed_in.get("/").text
    assert "A small number, and a true one" in text
    assert tiles(text)["Downloads"] == "1"
    assert "Nothing in these days" in signed_in.get("/?from=2026-01-01&to=2026-01-31").text


def test_a_new_figure_is_on_the_page_at_once(store: Store, signed_in: Browser, person: User, tmp_path: Path) -> None:
    make_listened_show(store, person.user_id)
    for number, address in enumerate(("198.51.100.1", "198.51.100.2"), start=1):
        path = write_log(tmp_path / f"{number}.log", [Line(address=address)])
        import_log(store, person.user_id, path, host="cdn.example.org")
        measure(store, person.user_id)
        assert tiles(signed_in.get("/").text)["Downloads"] == str(number)
