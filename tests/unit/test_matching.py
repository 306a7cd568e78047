"""Requests find their episode by host and path, or by path alone."""

from uuid import UUID

import pytest

from castline.measure.rules.addresses import AMBIGUOUS, NO_EPISODE
from castline.measure.rules.matching import EpisodeIndex
from castline.model.show import AudioKey

_KEYS = (
    ("cdn.example.org/a/one.mp3", 10),
    ("old.example.net/one-before.mp3", 10),
    ("cdn.example.org/two.mp3", 11),
    ("other.example.com/two.mp3", 12),
    ("cdn.example.org/same.mp3", 13),
    ("cdn.example.org/same.mp3", 14),
)
INDEX = EpisodeIndex(AudioKey(UUID(int=1), UUID(int=number), key, 1_800, 28_800_000) for key, number in _KEYS)


@pytest.mark.parametrize(
    ("host", "path", "episode"),
    [
        ("cdn.example.org", "/a/one.mp3", 10),
        ("WWW.cdn.example.org:443", "/a//one.mp3", 10),
        ("old.example.net", "/one-before.mp3", 10),
        ("cdn.example.org", "/a/%6Fne.mp3", 10),
        # What CloudFront and S3 write of %6F and of %256F.
        ("cdn.example.org", "/a/%256Fne.mp3", 10),
        (None, "/a/%25256Fne.mp3", 10),
        ("cdn.example.org", "/a/%25.mp3", NO_EPISODE),
        ("op3.dev", "/e/pdst.fm/e/https%3A%2F%2Fcdn.example.org%2Fa%2Fone.mp3", 10),
        (None, "/a/one.mp3", 10),
        # An origin server behind the CDN answers under a name of its own.
        ("origin-7.internal", "/a/one.mp3", 10),
        ("cdn.example.org", "/two.mp3", 11),
        ("other.example.com", "/two.mp3", 12),
        (None, "/two.mp3", AMBIGUOUS),
        ("origin-7.internal", "/two.mp3", AMBIGUOUS),
        ("cdn.example.org", "/same.mp3", AMBIGUOUS),
        # A host that serves episodes does not serve this one.
        ("old.example.net", "/a/one.mp3", NO_EPISODE),
        (None, "/robots.txt", NO_EPISODE),
        (None, None, NO_EPISODE),
        ("[broken", "/x", NO_EPISODE),
    ],
)
def test_a_request_finds_its_episode(host: str | None, path: str | None, episode: int) -> None:
    found = INDEX.find(host, path)
    assert (found if found < 0 else INDEX.episodes[found].episode_id.int) == episode
