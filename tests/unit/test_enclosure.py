import pytest

from castline.sources.enclosure import path_key, strip_prefixes, url_key

REAL = "https://cdn.example.com/show/ep%201.mp3?token=1"
BARE = "cdn.example.com/show/ep%201.mp3?token=1"


@pytest.mark.parametrize(
    "prefix",
    [
        "https://op3.dev/e/",
        "https://op3.dev/e,pg=9b024349-ccf0-5f69-a609-6b82873eab3c/",
        "https://op3.dev/e/pg=9b024349-ccf0-5f69-a609-6b82873eab3c/",
        "https://pod.example.org/e,s=1/pg=9b024349/",
        "https://dts.podtrac.com/redirect.mp3/",
        "https://dts.podtrac.com/redirect.m4a/",
        "https://www.podtrac.com/pts/redirect.mp3/",
        "https://play.podtrac.com/ABC-Show/",
        "https://chrt.fm/track/ABC123/",
        "https://chtbl.com/track/12345/",
        "https://pdst.fm/e/",
        "https://mgln.ai/e/433/",
        "https://mgln.ai/track/",
        "https://pscrb.fm/rss/p/",
        "https://verifi.podscribe.com/rss/p/",
        "https://prfx.byspotify.com/e/",
        "https://claritaspod.com/measure/",
        "https://clrtpod.com/m/",
        "https://arttrk.com/p/CRMDA/",
        "https://pdcn.co/e/",
        "https://swap.fm/track/rMcaufTT/",
        "https://tracking.swap.fm/track/rMcaufTT/",
        "https://2.gum.fm/",
        "https://2.gum.fm/TOKEN/",
        "https://s.gum.fm/s-64df757f86d495f3f8ac7af4/",
        "https://s.gum.fm/r1/64df757f86d495f3f8ac7af4/",
        "https://adbarker.com/stream/asdfASDf1345/",
        "https://media.blubrry.com/show_name/",
        "https://media.blubrry.com/show_name/p/",
        "https://pfx.vpixl.com/6qj4J/",
        "https://pfx.veritonicmetrics.com/quj9X/",
        "https://pdrl.fm/b85a46/",
        "https://growx.podkite.com/https/1234ASDF/",
        "https://p.podderapp.com/2544644999/",
        "https://r.zen.ai/r/",
        "https://t.glystn.com/v2/track/PID-1234abcd/",
        "https://letscast.fm/track/https://",
        "https://prefix.up.audio/s/",
        # deep, as feeds have them
        "https://www.podtrac.com/pts/redirect.mp3/pdst.fm/e/pscrb.fm/rss/p/clrtpod.com/m/mgln.ai/e/204/",
        "https://op3.dev/e/dts.podtrac.com/redirect.mp3/chrt.fm/track/X/media.blubrry.com/show/",
        # scheme segments, letter case, port, doubled slashes
        "https://op3.dev/e/https://",
        "https://op3.dev/e/https:/",
        "https://op3.dev/e/https/",
        "HTTPS://OP3.dev:443/e/",
        "https://op3.dev/e//",
        "https://op3.dev/e/https://pdst.fm/e/",
    ],
)
def test_a_tracking_prefix_leaves_the_real_address(prefix: str) -> None:
    assert strip_prefixes(prefix + BARE) == REAL


@pytest.mark.parametrize(
    ("url", "real"),
    [
        (
            "https://op3.dev/e/https%3A%2F%2Fcdn.example.com%2Fa%2520b.mp3%3Ft%3D1",
            "https://cdn.example.com/a%20b.mp3?t=1",
        ),
        ("https://pdst.fm/e/cdn.example.com%2Fa.mp3", "https://cdn.example.com/a.mp3"),
        ("https://op3.dev/e/pdst.fm%2Fe%2Fcdn.example.com%2Fa.mp3", "https://cdn.example.com/a.mp3"),
        ("http://pdst.fm/e/cdn.example.com/a.mp3", "http://cdn.example.com/a.mp3"),
        ("https://op3.dev/e/http://cdn.example.com/a.mp3", "http://cdn.example.com/a.mp3"),
        ("https://op3.dev/e/127.0.0.1:8000/a.mp3", "https://127.0.0.1:8000/a.mp3"),
    ],
)
def test_encoded_and_schemed_targets_are_found(url: str, real: str) -> None:
    assert strip_prefixes(url) == real


@pytest.mark.parametrize(
    "url",
    [
        "https://rss.art19.com/episodes/c.mp3?rss_browser=x",
        "https://traffic.megaphone.fm/ADV123.mp3",
        "https://media.blubrry.com/show/a.mp3",  # hosted there, no redirect to another host
        "https://op3.dev/",
        "https://op3.dev/e/",
        "https://op3.dev/api/docs",
        "https://example.com/op3.dev/e/cdn.example.com/a.mp3",
        "https://dts.podtrac.com/redirect.mp3/",
        "ftp://op3.dev/e/cdn.example.com/a.mp3",
        "no address at all",
        "https://[::1",
        "",
    ],
)
def test_what_is_no_prefix_stays_as_it_is(url: str) -> None:
    assert strip_prefixes(url) == url


def test_a_prefix_that_nests_without_end_ends() -> None:
    assert strip_prefixes("https://" + "pdst.fm/e/" * 500 + BARE).endswith(BARE)


@pytest.mark.parametrize(
    "url",
    [
        "https://cdn.example.com/show/ep%201.mp3",
        "http://cdn.example.com:80/show/ep 1.mp3?x=1#t",
        "https://www.cdn.example.com./show//ep%201.mp3",
        "HTTPS://user:secret@CDN.example.com:443/%73how/ep%201.mp3",
        "https://op3.dev/e/cdn.example.com/show/ep%201.mp3",
    ],
)
def test_the_same_file_has_one_key(url: str) -> None:
    assert (url_key(url), path_key(url)) == ("cdn.example.com/show/ep%201.mp3", "/show/ep%201.mp3")


def test_keys_tell_files_ports_and_letters_apart() -> None:
    urls = [
        "https://a.com/1.mp3",
        "https://a.com/2.mp3",
        "https://a.com:8443/1.mp3",
        "https://a.com/é.mp3",
        "https://a.com",
    ]
    keys = ["a.com/1.mp3", "a.com/2.mp3", "a.com:8443/1.mp3", "a.com/%C3%A9.mp3", "a.com/"]
    assert [url_key(url) for url in urls] == keys


def test_a_path_from_a_log_has_the_key_of_its_address() -> None:
    assert path_key("/show/ep%201.mp3?download=1") == path_key("https://op3.dev/e/a.com/show/ep 1.mp3")
