"""User agents of machines: libraries, what is built with them, services of systems, and what is none of these."""

import pytest

from castline.measure.agents.classifier import Agent, classify_agent
from castline.measure.agents.names import has_address_of_another

_WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36"


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("Go-http-client/1.1", "library", "Go Http Client"),
        ("GuzzleHttp/7 curl/8.5.0 PHP/8.3.6-1+0~2024", "library", "Guzzle"),
        ("go-resty/2.10.0 (https://github.com/go-resty/resty)", "library", "resty (go)"),
        ("Go-http-client/1.1 (+https://quiet.example/about)", "bot", "Go Http Client"),
        ("Python-urllib/3.11 (ops@quiet.example)", "bot", "urllib (python)"),
        ("quiet/2.1 aiohttp/3.9.3", "bot", "quiet"),
        ("Quiet/2.1 (Apache-HttpClient/4.5.14)", "bot", "Quiet"),
        ("PHP/8.1.2", "bot", "PHP"),
        ("HTTPie/3.2.1", "bot", "HTTPie"),
        ("Scrapy/2.11.0 (+https://scrapy.org)", "bot", "Scrapy (python)"),
    ],
)
def test_a_library_is_one_until_somebody_built_with_it_speaks(text: str, kind: str, name: str) -> None:
    agent = classify_agent(text)
    assert (agent.type, agent.name, agent.is_bot, agent.device_type) == (kind, name, True, None)


@pytest.mark.parametrize(
    ("text", "is_of_another"),
    [
        ("quiet/1 (+https://quiet.example)", False),
        ("quiet/1 (+https://loud.example)", True),
        ("quiet/1 (someone@loud.example)", True),
        ("quiet/1 loud.example", False),
        ("(https://loud.example)", False),
    ],
)
def test_an_address_is_of_another_if_the_name_in_front_is_not_in_it(text: str, is_of_another: bool) -> None:
    assert has_address_of_another(text) == is_of_another


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Quiet Link Tester/2", "Quiet Link Tester"),
        ("QuietResizer/2.0", "QuietResizer"),
        ("quiet-agent/1.0", "quiet-agent"),
        ("QuietFeeds/1.0 (12 subscribers)", "QuietFeeds"),
        ("quiet rss2html.php v2", "quiet rss2html.php"),
        ("docker/26.1.3 go/go1.21.10 git-commit/8e96db1", "docker"),
        ("Mozilla/5.0 (X11; Linux x86_64; Headless Chrome) Quiet", "Headless browsers"),
        ("swcd (unknown version) CFNetwork/1494.0.7 Darwin/23.4.0", "System services"),
        ("parsecd/1.0 (iPhone15,2; iPhone OS 17.4) CFNetwork/1494.0.7 Darwin/23.4.0", "System services"),
        (f"{_WINDOWS} (KHTML, like Gecko; Quiet Widget Server) Chrome/124.0.0.0 Safari/537.36", "Quiet Widget Server"),
        ("&lt;quiet&gt;", "Undeclared machines"),
    ],
)  # fmt: skip
def test_what_machines_alone_say_tells_a_machine(text: str, name: str) -> None:
    assert classify_agent(text) == Agent("bot", name, is_bot=True)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Quiet/1.5 (AppleTv Apple TV 4; tvOS16.2) libcurl/7.58.0", "app"),
        ("Quiet Tester Radio/3 CFNetwork/1494.0.7 Darwin/23.4.0", "app"),
        ("Secret Agent Radio/4.1 (Linux;Android 14) ExoPlayerLib/2.19.1", "app"),
        (f"{_WINDOWS} (KHTML, like Gecko, Safari/528.16) Quiet/0.6", "browser"),
        ("okhttp/4.12.0", "library"),
        ("Google-Speech-Actions", "app"),
        ("MozacFetch/128.0.20240701", "library"),
        ("Mozilla/4.5 (compatible; OmniWeb/4.0.5; Mac_PowerPC)", "browser"),
        ("WhatsApp/2.24.10.1 A", "app"),
        ("samsung-agent/1.1", "app"),
    ],
)
def test_what_listeners_may_say_tells_no_machine(text: str, kind: str) -> None:
    assert classify_agent(text).type == kind


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", "Slackbot-LinkExpanding"),
        ("Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)", "UptimeRobot"),
        ("Podscribe/2.1", "Podscribe"),
        ("Microsoft-CryptoAPI/10.0", "Microsoft-CryptoAPI"),
        ("LangChain/0.2", "LangChain"),
        ("quiet/2.1 python-requests/2.31.0", "quiet"),
        ("Mozilla/5.0 (Quiet; +https://quiet.example)", "Quiet"),
        ("quiet-audio-ingest/1.0", "quiet-audio-ingest"),
        (f"{_WINDOWS} (KHTML, like Gecko) HeadlessChrome/119.0.0.0 Safari/537.36", "Headless browsers"),
    ],
)
def test_a_machine_of_a_kind_has_the_name_it_gives_itself(text: str, name: str) -> None:
    assert classify_agent(text) == Agent("bot", name, is_bot=True)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("https://www.quiet.example/find", "quiet.example"),
        ("Quiet/1.01 (compatible; Win16; I)", "Quiet"),
    ],
)
def test_what_has_the_shape_of_a_machine_is_one(text: str, name: str) -> None:
    assert classify_agent(text) == Agent("bot", name, is_bot=True)


def test_an_address_is_no_part_of_a_name() -> None:
    assert classify_agent("quiet - https://quiet.example/about").name == "quiet"
