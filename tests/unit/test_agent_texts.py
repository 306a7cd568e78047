"""User agents as logs and proxies mangle them, apps that show pages, and machines under an app's name."""

from urllib.parse import quote

import pytest

from castline.measure.agents.classifier import Agent, classify_agent
from castline.measure.agents.repair import repair_agent, spell_words
from castline.measure.agents.rules import load_agent_rules
from castline.measure.agents.views import find_view_name

_IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
_ANDROID_VIEW = (
    "Mozilla/5.0 (Linux; Android 15; Pixel 9 Build/AP4A.250105.002; wv) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Version/4.0 Chrome/131.0.6778.200 Mobile Safari/537.36"
)
_ANDROID = "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko)"
_WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
_MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("Morning%20Show/3%20CFNetwork/1494", "Morning Show/3 CFNetwork/1494"),
        ("Morning%2520Show/3%2520CFNetwork/1494", "Morning Show/3 CFNetwork/1494"),
        ("Mozilla/5.0+(compatible;+Finder/2.0;+http://finder.example/)", "Mozilla/5.0 (compatible; Finder/2.0; http://finder.example/)"),
        (r"\xE6\x92\xAD\xE5\xAE\xA2/1709 CFNetwork/1390", "播客/1709 CFNetwork/1390"),
        (r"\x22Castro 2024/1402\x22", "Castro 2024/1402"),
        (r"\"Castro 2024/1402\"", "Castro 2024/1402"),
        ("  'Castro 2024/1402' \t", "Castro 2024/1402"),
        ("User-Agent: Castro 2024/1402", "Castro 2024/1402"),
        ("grpc-c++/1.48", "grpc-c++/1.48"),
        ("100% Radio/2", "100% Radio/2"),
        ("Radio+ Plus/2", "Radio+ Plus/2"),
    ],
)  # fmt: skip
def test_what_a_log_wrote_is_mended_to_what_was_sent(written: str, sent: str) -> None:
    assert repair_agent(written) == sent


def test_every_example_is_told_alike_however_a_log_encodes_it() -> None:
    examples = [example for rule in load_agent_rules().entries for example in rule.examples if "%" not in example]
    assert len(examples) > 400
    for example in examples:
        expected = classify_agent(example)
        once = quote(example, safe="/()")
        for written in (once, quote(once, safe="/()"), f'"{example}"', f"  {example} ", example.replace(" ", r"\x20")):
            assert classify_agent(written) == expected, written


@pytest.mark.parametrize(
    ("text", "kind", "name", "device"),
    [
        ("overcast/3.0 (+http://overcast.fm/; ios podcast app)", "app", "Overcast", "mobile"),
        ("PODCASTS/1754.1 CFNETWORK/1498.700.2 DARWIN/23.6.0", "app", "Apple Podcasts", "mobile"),
        (f"{_WINDOWS} Chrome/131.0.0.0 Safari/537.36".lower(), "browser", "Chrome", "desktop"),
        (f"{_WINDOWS} Chrome/131.0.0.0 Safari/537.36".upper(), "browser", "Chrome", "desktop"),
        ("pocketcasts/1.0 (pocket casts feed parser; +http://pocketcasts.com/)", "bot", "pocketcasts", None),
        ("quiet-mobile-show/2", "app", "quiet-mobile-show", "mobile"),
    ],
)
def test_a_text_of_one_case_is_read_without_regard_to_case(text: str, kind: str, name: str, device: str | None) -> None:
    agent = classify_agent(text)
    assert (agent.type, agent.name, agent.device_type) == (kind, name, device)


def test_a_browser_whose_beginning_was_lost_is_that_browser() -> None:
    agent = classify_agent(
        "5.0 (Linux; Android 11; V2026) Mozilla/5.0 (Linux; Android 11; V2026) AppleWebKit/537.36 Chrome/98.0"
    )
    assert (agent.type, agent.name, agent.device_type) == ("browser", "Chrome", "mobile")


def test_words_of_systems_are_spelled_only_where_a_text_has_one_case() -> None:
    assert spell_words("Watch Mobile/2 cfnetwork/1") == "Watch Mobile/2 cfnetwork/1"
    assert spell_words("watch mobile/2 cfnetwork/1") == "watch mobile/2 CFNetwork/1"
    assert spell_words("MOZILLA/5.0 (IPHONE; LIKE MAC OS X) MOBILE") == "Mozilla/5.0 (iPhone; like Mac OS X) Mobile"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (f"{_IPHONE} Mobile/22C152 Evening Paper/7.1", "Evening Paper"),
        (f"{_IPHONE} Mobile/22C152 WebViewApp EveningPaper/7.1 (iPhone15,2)", "EveningPaper"),
        (f"{_ANDROID_VIEW} EveningPaper/7.1", "EveningPaper"),
        (f"{_WINDOWS} EveningPaper/7.1.2 Chrome/124.0.6367.243 Electron/30.1.2 Safari/537.36", "EveningPaper"),
        (f"{_MAC} Evening Paper", "Evening Paper"),
        (_ANDROID_VIEW, None),
        (f"{_IPHONE} Mobile/22C152", None),
        (f"{_IPHONE} Version/18.2 Mobile/15E148 Safari/604.1", None),
        (f"{_WINDOWS} Chrome/131.0.0.0 Safari/537.36 EveningPaper/7", None),
        (f"{_ANDROID_VIEW.replace('; wv', '')} EveningPaper/7.1", "EveningPaper"),
        (f"{_IPHONE} Mobile/22C152 Safari/604.1 EveningPaper/7.1", "EveningPaper"),
        (f"{_IPHONE} Mobile/22C152;EveningPaper/7.1 (iPhone15,2)", "EveningPaper"),
        (f"{_IPHONE} EveningPaper/7.1 Version/18.2 Mobile/15E148 Safari/604.1", "EveningPaper"),
        (f"{_IPHONE} Version/18.2 Mobile/15E148 Safari/604.1 play.paper.org", None),
        (f"{_IPHONE} CriOS/131.0.6778.73 Mobile/15E148 Safari/604.1", None),
        (f"{_MAC} Version/17.4 Saf", None),
        (f"{_WINDOWS} Chrome/124.0.6367.243 Electron/30.1.2 Saf", None),
    ],
)
def test_an_app_is_found_in_what_its_view_of_pages_says(text: str, name: str | None) -> None:
    assert find_view_name(text) == name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            f"{_IPHONE} Mobile/22C152 EveningPaper/7.1",
            Agent("app", "EveningPaper", "eveningpaper", "Apple iPhone", "mobile", "ios", is_self_named=True),
        ),
        (
            f"{_ANDROID_VIEW} TwitterAndroid",
            Agent("app", "Twitter", "twitter", "Android Phone", "mobile", "android"),
        ),
        (
            f"{_WINDOWS} PandoraApp/15.0.3 Chrome/69.0.3497.128 Electron/4.2.10 Safari/537.36",
            Agent("app", "Pandora", "pandora", "Windows Computer", "desktop", "windows"),
        ),
        (
            f"{_ANDROID_VIEW} QuietBrowser/3.1",
            Agent("browser", "QuietBrowser", None, "Android Phone", "mobile", "android", is_self_named=True),
        ),
        (f"{_ANDROID_VIEW} (compatible; QuietBot/3.1)", Agent("bot", "QuietBot", is_bot=True)),
        (
            f"{_ANDROID} Chrome/131.0.0.0 Mobile Safari/537.36 Evening/12.2",
            Agent("browser", "Evening", None, "Android Phone", "mobile", "android", is_self_named=True),
        ),
        (
            "Mozilla/5.0 (Linux; Android 15; Pixel 9) EveningPaper/7.1",
            Agent("app", "EveningPaper", "eveningpaper", "Android Phone", "mobile", "android", is_self_named=True),
        ),
    ],
)
def test_an_app_that_shows_a_page_is_that_app(text: str, expected: Agent) -> None:
    assert classify_agent(text) == expected


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("StitcherBot (MP3 search of some service)", "StitcherBot"),
        ("PandoraRSSCrawler/2.0 (someone@pandora.example)", "PandoraRSSCrawler"),
        ("Mozilla/5.0 (compatible; TikTok-Bot/2.0)", "TikTok-Bot"),
        ("Spotify-Ads-Verifier/1.0", "Spotify-Ads-Verifier"),
        ("podcast-archiver/v1.9 (https://archiver.example)", "podcast-archiver"),
        (f"{_WINDOWS[:-1]}; compatible; pagelooker) Chrome/126.0.0.0 Safari/537.36", "pagelooker"),
        (f"{_WINDOWS} Chrome/126.0.0.0 Safari/537.36 (https://pictures.example)", "Mozilla"),
        (f"{_WINDOWS} Chrome/126.0.0.0 Safari/537.36 (ops@survey.example)", "Mozilla"),
        ("../../../../etc/passwd", "Undeclared machines"),
        ("Quiet-HttpAsyncClient/4.1", "Quiet-HttpAsyncClient"),
    ],
)
def test_a_machine_stays_one_under_the_name_of_an_app_or_a_browser(text: str, name: str) -> None:
    assert classify_agent(text) == Agent("bot", name, is_bot=True)


@pytest.mark.parametrize(
    "text",
    [
        "Tweetbot/53300 CFNetwork/1335.0.3 Darwin/21.6.0",
        "Quiet Scanner Radio/5.1 (Linux;Android 14) ExoPlayerLib/2.19.1",
        "Overcast Fetcher Show/5 CFNetwork/1494.0.7 Darwin/23.4.0",
        f"{_WINDOWS} Notion/2.0.8 Chrome/124.0.6367.243 Electron/30.1.2 Safari/537.36",
        f"{_ANDROID_VIEW} Viber/22.1.0.0",
        "Quiet/1.0 (Podcast Player; +https://quiet.example)",
        "Fountain.fm/1.1",
    ],
)
def test_no_word_of_machines_hides_a_listeners_app(text: str) -> None:
    agent = classify_agent(text)
    assert (agent.type, agent.is_bot) == ("app", False)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("com.google.GooglePodcasts/2.0.10 iSL/3.4 iPhone/16.4 hw/iPhone14_5 (gzip)", "Google Podcasts"),
        ("Fountain.fm/1.1", "Fountain"),
        ("YouTubeMusic/6.45.2 CFNetwork/1494 Darwin/23.4.0", "YouTube Music"),
        ("EveningApp/3 CFNetwork/1494 Darwin/23.4.0", "EveningApp"),
        ("Nokia6303/5.0 (06.61) Profile/MIDP-2.1 Mozilla/5.0 AppleWebKit/420 (KHTML, like Gecko)", "Generic WebKit"),
    ],
)  # fmt: skip
def test_a_known_name_is_known_in_a_package_and_in_front_of_its_domain(text: str, name: str) -> None:
    assert classify_agent(text).name == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("EveningMobile/3 CFNetwork/1494 Darwin/23.4.0", "EveningMobile"),
        (f"{_ANDROID_VIEW} EveningMobile/7.1", "Evening"),
        ("EveningiOSApp/7.1 (iOS/17.1)", "Evening"),
        ("WEVEAndroid", "WEVE"),
        ("Evening - Dalvik/2.1.0 (Linux; U; Android 14; Pixel 9)", "Evening"),
        ("evening-linux-app/1.0.0 Electron/28.1.4", "evening"),
        ("Evening Show iOS Version 2.6.11, Build 90", "Evening Show"),
        ("org.example.eveningpaper/1.7 (Linux;Android 14) ExoPlayerLib/2.19.1", "Eveningpaper"),
        ("com.example.EveningPaper.android/1.7 (Linux;Android 14) ExoPlayerLib/2.19.1", "EveningPaper"),
        ("com.evening.mediaplayer/1.7 (Linux;Android 14) ExoPlayerLib/2.19.1", "Evening"),
        ("com.example.eveningapp/1.7(iPhone15,2; ios 17.1; en-GB)", "Evening"),
        ("com.android.player/1.7 (Linux;Android 14) ExoPlayerLib/2.19.1", "com.android.player"),
        ("Evening - Podcast Player/1.7 (Android 14)", "Evening"),
        ("Evening-Windows/1.7", "Evening"),
        ("AppleCoreMedia/1.0.0.22F76 (iPhone; U; CPU OS 18_5 like Mac OS X; en_us) Evening/1.7", "Evening"),
        ("Dalvik/2.1.0 (Linux; U; Android 15; Pixel 9 Build/AP4A) EveningAndroid/1.7", "Evening"),
        ("com.evening.app/1.7 (Linux;Android 14) ExoPlayerLib/2.19.1", "Evening"),
        ("com.evening.ios/1.7 iOS/18.0 (iPhone16,1)", "Evening"),
        ("Studio 54/1.7 (Linux;Android 14) ExoPlayerLib/2.19.1", "Studio 54"),
        ("Evening Show 54 (Linux;Android 14) ExoPlayerLib/2.19.1", "Evening Show"),
    ],
)
def test_an_unknown_app_is_named_without_its_package_system_and_kit(text: str, name: str) -> None:
    agent = classify_agent(text)
    assert (agent.type, agent.name, agent.is_self_named) == ("app", name, True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Roku/DVP-12.5 (12.5.0.4178-88)", ("smart_tv", "roku")),
        (f"{_ANDROID_VIEW.replace('Pixel 9', 'AFTMM')}", ("smart_tv", "fireos")),
        (f"{_ANDROID_VIEW.replace('Pixel 9', 'BRAVIA 4K UR3')}", ("smart_tv", "android")),
        ("Mozilla/5.0 (SMART-TV; LINUX; Tizen 7.0) AppleWebKit/537.36 (KHTML, like Gecko)", ("smart_tv", "tizen")),
        ("Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 (KHTML, like Gecko)", ("smart_tv", "webos")),
        (f"{_ANDROID_VIEW.replace('Pixel 9', 'gminfo37')}", ("car", "android")),
        (f"{_ANDROID_VIEW.replace('Pixel 9', 'SM-R890')}", ("watch", "android")),
        ("Spotify/4.4.1.0 Volvo/32 (Volvo)", ("car", None)),
        ("Evening/3.2 (iPhone; iOS 18.0; CarPlay)", ("car", "ios")),
        ("EveningiOS/2.0.0", ("mobile", "ios")),
        ("Spotify/124800325 Win32_x86_64/0 (PC desktop)", ("desktop", "windows")),
        ("Mozilla/5.0 (X11; Linux armv7l) AppleWebKit/537.36 (KHTML, like Gecko) CrKey/1.56.5", ("smart_tv", "cast")),
    ],
)  # fmt: skip
def test_a_device_has_the_system_that_its_text_names(text: str, expected: tuple[str, str | None]) -> None:
    agent = classify_agent(text)
    assert (agent.device_type, agent.device_os) == expected
