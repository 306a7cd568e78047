"""Addresses that name no file by themselves: parameters, segments of streams, patterns of the operator."""

from collections.abc import Mapping
from uuid import UUID

import polars as pl
import pytest

from castline.base.errors import InvalidInput
from castline.measure.rules.addresses import AMBIGUOUS, NO_EPISODE
from castline.measure.rules.matching import EpisodeIndex
from castline.model.show import AudioKey, UrlPattern
from castline.sources.url_query import naming_key, parse_parameters
from make import make_id

SHOW = make_id(1)


def script(number: int, query: str, *, guid: str | None = None) -> AudioKey:
    """An episode behind a script."""
    url = f"https://example.org/download.php?{query}"
    return AudioKey(
        SHOW, make_id(number), "example.org/download.php", 1_800, 28_800_000, audio_url=url, guid=guid or str(number)
    )


def stream(number: int, key: str, bits: int | None = None) -> AudioKey:
    return AudioKey(SHOW, make_id(number), key, 1_800, None, "stream", bits_per_second=bits)


def file(number: int, key: str) -> AudioKey:
    return AudioKey(SHOW, make_id(number), key, 1_800, 28_800_000, guid=f"guid-{number}")


def found(index: EpisodeIndex, host: str | None, path: str) -> int:
    """The number of the episode's id, or what else `find` says."""
    number = index.find(host, path)
    return number if number < 0 else index.episodes[number].episode_id.int


IDS = EpisodeIndex([script(7, "id=7&utm_source=feed"), script(8, "id=8&utm_source=feed"), script(9, "ID=9&token=x")])


@pytest.mark.parametrize(
    ("host", "path", "expected"),
    [
        ("example.org", "/download.php?id=7", 7),
        ("example.org", "/download.php?token=later&id=8&utm_campaign=7", 8),
        (None, "/download.php?id=9", 9),
        ("origin.internal", "/download.php?id=8", 8),
        ("example.org", "/download.php?id=10", AMBIGUOUS),
        ("example.org", "/download.php", AMBIGUOUS),
        ("example.org", "/download.php?utm_source=feed", AMBIGUOUS),
        ("example.org", "/other.php?id=7", NO_EPISODE),
    ],
)
def test_parameters_that_differ_between_episodes_tell_them_apart(host: str | None, path: str, expected: int) -> None:
    assert found(IDS, host, path) == expected


def test_where_no_parameter_alone_tells_episodes_apart_all_of_them_do() -> None:
    index = EpisodeIndex(
        [script(1, "season=1&number=1"), script(2, "season=1&number=2"), script(3, "season=2&number=1")]
    )
    paths = ("season=1&number=2", "number=1&season=2&ref=app", "number=1", "season=3&number=1")
    assert [found(index, "example.org", f"/download.php?{path}") for path in paths] == [2, 3, AMBIGUOUS, AMBIGUOUS]


def test_what_tracks_never_tells_episodes_apart() -> None:
    index = EpisodeIndex([script(1, "utm_campaign=one&session=1"), script(2, "utm_campaign=two&session=2")])
    assert found(index, "example.org", "/download.php?utm_campaign=two&session=2") == AMBIGUOUS


def test_two_parameters_that_name_different_episodes_name_none() -> None:
    index = EpisodeIndex([script(1, "id=1&slug=one"), script(2, "id=2&slug=two")])
    paths = ("id=1&slug=one", "slug=two", "id=1&slug=two")
    assert [found(index, "example.org", f"/download.php?{path}") for path in paths] == [1, 2, AMBIGUOUS]


def test_an_address_of_one_episode_needs_no_parameters() -> None:
    index = EpisodeIndex([script(7, "id=7")])
    assert found(index, "example.org", "/download.php?id=8") == 7


STREAMS = EpisodeIndex(
    [
        file(1, "cdn.example.org/one.mp3"),
        file(2, "cdn.example.org/two.mp3"),
        stream(1, "cdn.example.org/hls/one/master.m3u8"),
        stream(2, "cdn.example.org/hls/two.m3u8"),
        stream(3, "cdn.example.org/hls/three.m3u8"),
    ]
)


@pytest.mark.parametrize(
    ("host", "path", "expected"),
    [
        ("cdn.example.org", "/hls/one/master.m3u8", 1),
        ("cdn.example.org", "/hls/one/64k/index.m3u8?token=1", 1),
        ("cdn.example.org", "/hls/one/64k/00017.ts?token=1", 1),
        (None, "/hls/one/64k/seg-17.aac", 1),
        ("edge-7.internal", "/hls/one/init.mp4", 1),
        # Two playlists share a folder: a segment begins with its playlist's name.
        ("cdn.example.org", "/hls/two_00017.ts", 2),
        ("cdn.example.org", "/hls/three/00017.ts", 3),
        ("cdn.example.org", "/hls/three17.ts", AMBIGUOUS),
        ("cdn.example.org", "/hls/other/00017.ts", AMBIGUOUS),
        # A file that only lies there is none of the stream's.
        ("cdn.example.org", "/hls/one/trailer.mp3", NO_EPISODE),
        ("cdn.example.org", "/hls/one/cover.jpg", NO_EPISODE),
        ("cdn.example.org", "/two.mp3", 2),
        ("cdn.example.org", "/segment1.ts", NO_EPISODE),
    ],
)
def test_a_segment_is_of_the_playlist_whose_folder_it_lies_below(host: str | None, path: str, expected: int) -> None:
    assert found(STREAMS, host, path) == expected


def test_a_stream_and_another_file_have_sizes_of_their_own() -> None:
    # 64 kbit/s are 8,000 bytes a second: a minute of the stream is half of one of the enclosure, 960,000 bytes.
    index = EpisodeIndex(
        [
            file(1, "cdn.example.org/one.mp3"),
            stream(1, "cdn.example.org/hls/master.m3u8", 64_000),
            AudioKey(SHOW, make_id(1), "cdn.example.org/one.opus", 1_800, 7_200_000, "file"),
        ]
    )
    paths = ["/one.mp3", "/hls/1.ts", "/one.opus", "/none.mp3"]
    requests = pl.DataFrame(
        {"host": ["cdn.example.org"] * 4, "path": paths, "delivery": [None, None, "file", None]},
        schema_overrides={"delivery": pl.String},
    )
    matched = index.match(requests).drop("host", "path")
    enclosures: dict[str, object] = dict.fromkeys(("own_bytes", "own_needed", "own_whole"))
    assert matched.rows(named=True) == [
        {"delivery": None, "episode": 0, "is_other_file": False} | enclosures,
        {"delivery": "hls", "episode": 0, "is_other_file": False, "own_bytes": 14_400_000, "own_needed": 480_000,
         "own_whole": False},
        {"delivery": "file", "episode": 0, "is_other_file": True, "own_bytes": 7_200_000, "own_needed": 240_000,
         "own_whole": False},
        {"delivery": None, "episode": -1, "is_other_file": False} | enclosures,
    ]  # fmt: skip
    assert (index.episodes[0].file_bytes, index.episodes[0].needed_bytes) == (28_800_000, 960_000)


EPISODES = (file(1, "cdn.example.org/a/one.mp3"), file(2, "cdn.example.org/a/two.mp3"))


@pytest.mark.parametrize(
    ("pattern", "episode", "matches"),
    [
        ("media.example.net/x/*", 1, {"/x/anything.mp3": 1, "/x/y/z.mp3": NO_EPISODE}),
        ("media.example.net/x/**", 1, {"/x/y/z.mp3": 1, "/y/z.mp3": NO_EPISODE}),
        ("/x/one-*k.mp3", 1, {"/x/one-64k.mp3?s=1": 1, "/x/one-64k.ogg": NO_EPISODE}),
        ("media.example.net/{guid}/audio", None, {"/guid-2/audio": 2, "/guid-3/audio": NO_EPISODE}),
        ("media.example.net/**/{file}.*", None, {"/v2/two.opus": 2, "/a/b/one.aac": 1, "/a/three.mp3": NO_EPISODE}),
        ("https://WWW.media.example.net/caf%C3%A9/*", 1, {"/café/x": 1, "/caf%c3%a9/x": 1}),
        ("media.example.net/(a|b).mp3", 1, {"/a.mp3": NO_EPISODE, "/(a|b).mp3": 1}),
    ],
)
def test_a_pattern_of_the_operator_leads_to_an_episode(
    pattern: str, episode: int | None, matches: Mapping[str, int]
) -> None:
    index = EpisodeIndex(EPISODES, [UrlPattern(pattern, SHOW, None if episode is None else make_id(episode))])
    assert {path: found(index, "media.example.net", path) for path in matches} == matches


def test_the_pattern_with_the_most_letters_decides_and_a_key_before_it() -> None:
    patterns = [
        UrlPattern("/a/**", SHOW, make_id(1)),
        UrlPattern("/a/b/**", SHOW, make_id(2)),
        UrlPattern("/c/*.mp3", SHOW, make_id(1)),
        UrlPattern("/c/**mp3.", SHOW, make_id(2)),
        UrlPattern("/c/**.mp3", SHOW, make_id(2)),
    ]
    index = EpisodeIndex(EPISODES, patterns)
    wanted = {"/a/x": 1, "/a/b/x": 2, "/a/two.mp3": 2, "/c/x.mp3": AMBIGUOUS, "/c/d/x.mp3": 2}
    assert {path: found(index, "cdn.example.org", path) for path in wanted} == wanted


@pytest.mark.parametrize("pattern", ["", "no-slash", "x/" * 2_049])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidInput, match="pattern"):
        UrlPattern(pattern, SHOW, make_id(1))


def test_a_show_needs_a_pattern_that_names_the_episode() -> None:
    with pytest.raises(InvalidInput, match="which episode"):
        UrlPattern("cdn.example.org/*", SHOW, None)


def test_parameters_are_read_behind_prefixes_and_without_what_tracks() -> None:
    url = "https://www.podtrac.com/pts/redirect.mp3/example.org/get?Episode=7&utm_medium=x&awCollectionId=1&b=#t=2"
    assert dict(parse_parameters(url)) == {"episode": "7", "b": ""}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a.org/get.php?id=7&x=1&token=2", "a.org/get.php?id=7"),
        ("https://a.org/get.php?token=2", "a.org/get.php"),
        ("https://a.org/one.mp3?id=7", "a.org/one.mp3"),
        ("https://a.org/get?ep=2&SHOW=1&id=7", "a.org/get?ep=2&id=7"),
    ],
)
def test_without_a_feed_a_script_is_known_by_the_parameters_that_name_files(url: str, expected: str) -> None:
    assert naming_key(url, expected.partition("?")[0]) == expected


def test_ids_are_those_of_the_episodes() -> None:
    assert [known.episode_id for known in IDS.episodes] == [UUID(int=number) for number in (7, 8, 9)]
