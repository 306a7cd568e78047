"""Ads delivered agree with sets of cells counted one by one, and with figures worked out by hand."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from castline.measure.judge import judge
from castline.measure.rules.ads import DELIVERED, MISSED, NOT_KNOWN, Ad, compute_ad_span, find_ads, locate_ads
from castline.measure.rules.matching import EpisodeIndex, KnownEpisode
from castline.model.campaign import Placement
from castline.model.show import AdSlot, AudioKey
from castline.model.vocab import PlacementKind
from castline.report.delivery import AdCounts
from castline.store.landing.files import LANDED_SCHEMA
from make import make_id
from make_money import make_campaign

MONDAY: Final = datetime(2026, 9, 7, tzinfo=UTC)
APP: Final = "Overcast/3.0 (+http://overcast.fm/; iOS podcast app)"
# Two minutes at ten cells of fifty bytes a second; a minute is 600 cells.
SIZE, SECONDS, CELL = 1_200, 120, 50
INDEX: Final = EpisodeIndex([AudioKey(make_id(1), make_id(10), "cdn.example.org/1.mp3", SECONDS, SIZE * CELL)])


@dataclass(frozen=True, slots=True)
class Sent:
    """One response, in cells: `start` is None where the log does not tell the range, `size` where it tells no bytes."""

    start: int | None
    size: int | None
    status: int = 206
    delivery: str | None = None
    path: str = "/1.mp3"


def ad_of(kind: PlacementKind, start: str, end: str, *, seconds_known: bool = True) -> Ad:
    seconds = (Decimal(start), Decimal(end)) if seconds_known else None
    return Ad(make_id(7), make_id(8), make_id(10), kind, MONDAY, MONDAY + timedelta(days=30), seconds)


def states(sent: list[Sent], ads: list[Ad], index: EpisodeIndex = INDEX) -> list[int]:
    """The states of the ads of the one download that the responses are; none where they are no download."""
    rows = [
        {
            "batch": 0, "line_number": number, "time": MONDAY + timedelta(minutes=number), "listener_key": bytes(16),
            "ip": None, "country": None, "asn": None, "user_agent": APP, "method": "GET", "status": item.status,
            "range": None if item.start is None else f"bytes={item.start * CELL}-",
            "bytes_sent": None if item.size is None else item.size * CELL,
            "host": "cdn.example.org", "path": item.path, "referer": None, "request_id": None,
            "delivery": item.delivery,
        }
        for number, item in enumerate(sent)
    ]  # fmt: skip
    frame = pl.DataFrame(rows, schema={"batch": pl.UInt32(), **LANDED_SCHEMA})
    return judge(frame, index, ads=locate_ads(ads, index)).deliveries["state"].to_list()


def state_by_cells(sent: list[Sent], ad: Ad) -> int:
    """Every cell by itself: ten a second, no header."""
    first, end = (0, SIZE) if ad.seconds is None else (int(ad.seconds[0]) * 10, min(int(ad.seconds[1]) * 10, SIZE))
    first = 0 if ad.kind != "dynamic" else first
    needed = set(range(first, end))
    told = [item for item in sent if item.size is not None]
    got = {cell for item in told if item.start is not None for cell in range(item.start, item.start + (item.size or 0))}
    loose = [item.size or 0 for item in told if item.start is None and item.status == 206]
    whole = [item.size or 0 for item in told if item.status == 200]
    got |= {cell for size in whole for cell in range(size)}
    if needed <= got or any(size >= SIZE for size in loose):
        return DELIVERED
    if ad.seconds is None or len(told) < len(sent) or len(needed & got) + sum(loose) >= len(needed):
        return NOT_KNOWN
    return MISSED


_sent: Final = st.one_of(
    st.builds(Sent, st.integers(0, SIZE), st.integers(1, SIZE)),
    st.builds(Sent, st.none(), st.one_of(st.none(), st.integers(3, SIZE)), st.sampled_from([200, 206])),
)
_ads: Final = st.builds(
    lambda kind, start, length, known: ad_of(kind, str(start), str(start + length), seconds_known=known),
    st.sampled_from(["baked", "dynamic", "host-read"]),
    st.integers(0, SECONDS - 1),
    st.integers(1, 60),
    st.booleans(),
)


@settings(max_examples=150)
@given(st.lists(_sent, max_size=6), st.lists(_ads, min_size=1, max_size=4))
def test_ads_are_judged_as_cells_counted_one_by_one(sent: list[Sent], ads: list[Ad]) -> None:
    # The first response makes it a download, whatever follows.
    asked = [Sent(0, 600), *sent]
    assert states(asked, ads) == [state_by_cells(asked, ad) for ad in ads]
    # Nor does it matter in which order they came, or that one came twice.
    assert states([*reversed(asked), *asked], ads) == [state_by_cells([*asked, *asked], ad) for ad in ads]


def test_what_is_no_download_delivers_no_ad() -> None:
    # The ad lies in the first second and was sent, but a minute was not.
    assert states([Sent(0, 599)], [ad_of("baked", "0", "1")]) == []


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        # 80 to 100 s are the cells 800 to 999; a baked-in ad needs 0 to 999.
        ([Sent(0, 1_000)], [DELIVERED, DELIVERED]),
        ([Sent(0, 999)], [MISSED, MISSED]),
        ([Sent(0, 600), Sent(800, 200)], [MISSED, DELIVERED]),
        ([Sent(0, 600), Sent(801, 399)], [MISSED, MISSED]),
        ([Sent(0, 600), Sent(500, 350), Sent(850, 150)], [DELIVERED, DELIVERED]),
        # After the download counted more came, and it counts for the ad.
        ([Sent(0, 700, 200), Sent(700, 500)], [DELIVERED, DELIVERED]),
        ([Sent(None, 1_200)], [DELIVERED, DELIVERED]),
        ([Sent(None, None, 200)], [NOT_KNOWN, NOT_KNOWN]),
        ([Sent(None, None, 302, "prefix")], [NOT_KNOWN, NOT_KNOWN]),
        # 300 cells of an unknown place could be the missing 200 of the dynamic ad, not the missing 400 of the other.
        ([Sent(0, 600), Sent(None, 300)], [MISSED, NOT_KNOWN]),
    ],
)
def test_a_baked_in_ad_needs_all_before_it_and_a_dynamic_one_itself(sent: list[Sent], expected: list[int]) -> None:
    assert states(sent, [ad_of("baked", "80", "100"), ad_of("dynamic", "80", "100")]) == expected


# The same two minutes in files of their own: one of twice the size, one that the feed tells neither size nor rate of.
OTHERS: Final = EpisodeIndex(
    [
        AudioKey(make_id(1), make_id(10), "cdn.example.org/1.mp3", SECONDS, SIZE * CELL),
        AudioKey(make_id(1), make_id(10), "cdn.example.org/1.flac", SECONDS, 2 * SIZE * CELL, "file"),
        AudioKey(make_id(1), make_id(10), "cdn.example.org/1.ogg", SECONDS, None, "file"),
    ]
)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        # 80 to 100 s are the cells 1,600 to 1,999 of the larger file.
        ([Sent(0, 2_000, path="/1.flac")], [DELIVERED, DELIVERED]),
        ([Sent(0, 1_999, path="/1.flac")], [MISSED, MISSED]),
        ([Sent(0, 1_200, path="/1.flac"), Sent(1_600, 400, path="/1.flac")], [MISSED, DELIVERED]),
        ([Sent(0, 1_201, path="/1.flac"), Sent(1_201, 799, path="/1.flac")], [DELIVERED, DELIVERED]),
        # What one file brought, the other need not.
        ([Sent(0, 1_200, path="/1.flac"), Sent(600, 400)], [DELIVERED, DELIVERED]),
        ([Sent(0, 1_200, path="/1.flac"), Sent(601, 399)], [MISSED, DELIVERED]),
        ([Sent(None, 2_400, path="/1.flac")], [DELIVERED, DELIVERED]),
        ([Sent(0, 1_200, path="/1.flac"), Sent(None, 700, path="/1.flac")], [MISSED, NOT_KNOWN]),
        # Where nobody knows how large a file is, nobody knows where the ad lies in it.
        ([Sent(0, 600), Sent(0, 1_200, path="/1.ogg")], [NOT_KNOWN, NOT_KNOWN]),
    ],
)
def test_another_file_holds_the_same_seconds_at_its_own_rate(sent: list[Sent], expected: list[int]) -> None:
    assert states(sent, [ad_of("baked", "80", "100"), ad_of("dynamic", "80", "100")], OTHERS) == expected


def test_the_header_of_the_enclosure_is_no_audio_of_another_file() -> None:
    # 20,000 bytes of header and 500 a second; the other file has 1,000 a second and none.
    index = EpisodeIndex(
        [
            AudioKey(make_id(1), make_id(10), "cdn.example.org/1.mp3", SECONDS, 80_000, header_bytes=20_000),
            AudioKey(make_id(1), make_id(10), "cdn.example.org/1.flac", SECONDS, 120_000, "file"),
        ]
    )
    ads = [ad_of("baked", "80", "100"), ad_of("dynamic", "80", "100")]
    assert states([Sent(0, 2_000, path="/1.flac")], ads, index) == [DELIVERED, DELIVERED]
    assert states([Sent(0, 1_999, path="/1.flac")], ads, index) == [MISSED, MISSED]
    assert states([Sent(0, 2_400, path="/1.flac")], [ad_of("dynamic", "0", "120")], index) == [DELIVERED]


def test_an_ad_without_a_place_is_told_only_by_the_whole_file() -> None:
    homeless = [ad_of("host-read", "0", "1", seconds_known=False)]
    assert states([Sent(None, 1_200, 200)], homeless) == [DELIVERED]
    assert states([Sent(0, 600), Sent(500, 700)], homeless) == [DELIVERED]
    assert states([Sent(0, 1_100)], homeless) == [NOT_KNOWN]


def test_without_a_size_nobody_knows() -> None:
    index = EpisodeIndex([AudioKey(make_id(1), make_id(10), "cdn.example.org/1.mp3", SECONDS, None)])
    assert states([Sent(None, 1_200, 200)], [ad_of("baked", "80", "100")], index) == [NOT_KNOWN]


def test_an_ad_is_on_the_air_from_its_air_date_to_the_end_of_the_flight() -> None:
    # The download is of MONDAY 00:00:00, its window's first request.
    whole = [Sent(None, 1_200, 200)]
    for start, end, count in ((0, 1, 1), (1, 2, 0), (-1, 0, 0), (-1, 1, 1)):
        span = (MONDAY + timedelta(days=start), MONDAY + timedelta(days=end))
        ad = Ad(make_id(7), None, make_id(10), "baked", *span, (Decimal(0), Decimal(1)))
        assert states(whole, [ad]) == [DELIVERED] * count


@pytest.mark.parametrize(
    ("kind", "seconds", "header", "expected"),
    [
        # 48,000 bytes of header and 16,000 bytes a second, worked out by hand.
        ("baked", ("95", "155"), 48_000, (0, 48_000 + 155 * 16_000)),
        ("dynamic", ("95", "155"), 48_000, (48_000 + 95 * 16_000, 48_000 + 155 * 16_000)),
        ("dynamic", ("0", "30.5"), 48_000, (48_000, 48_000 + 488_000)),
        # Without the header the mean is 16,026.67 bytes a second: 1,522,533.3 rounds down, 2,484,133.3 up.
        ("dynamic", ("95", "155"), None, (1_522_533, 2_484_134)),
        ("host-read", ("1790", "1900"), 48_000, (0, 28_848_000)),
        ("baked", ("1800", "1830"), 48_000, None),
    ],
)
def test_seconds_become_bytes(
    kind: PlacementKind, seconds: tuple[str, str], header: int | None, expected: tuple[int, int] | None
) -> None:
    known = KnownEpisode(make_id(1), make_id(10), 28_848_000, None, False, 1_800, header)  # noqa: FBT003  # its place
    assert compute_ad_span(ad_of(kind, *seconds), known) == expected


@pytest.mark.parametrize(
    ("counts", "downloads", "expected"),
    [
        (AdCounts(90, 10, 0), 100, 90),
        (AdCounts(90, 5, 5), 100, 90),
        (AdCounts(90, 4, 6), 100, None),
        # Five downloads of a day that was measured before ads were; then six.
        (AdCounts(90, 5, 0), 100, 90),
        (AdCounts(90, 4, 0), 100, None),
        (AdCounts(0, 0, 0), 0, None),
        (AdCounts(0, 7, 0), 7, 0),
    ],
)
def test_a_placement_has_no_figure_where_too_much_is_unknown(
    counts: AdCounts, downloads: int, expected: int | None
) -> None:
    assert counts.find_delivered(downloads) == expected


def place(number: int, seconds: tuple[int, int] | None, *, campaign: UUID) -> Placement:
    start, end = (None, None) if seconds is None else map(Decimal, seconds)
    return Placement(
        make_id(number), campaign, make_id(10), "baked", "mid", start, end, None, None, None, MONDAY, MONDAY
    )


def slot(start: int, end: int, campaign: UUID | None) -> AdSlot:
    return AdSlot(Decimal(start), Decimal(end), campaign)


def test_slots_give_placements_their_seconds_and_stand_for_themselves_without_one() -> None:
    campaign = make_campaign()
    key = campaign.campaign_id

    def found(placements: list[Placement], slots: list[AdSlot]) -> list[tuple[UUID | None, tuple[int, int] | None]]:
        ads = find_ads([campaign], placements, {make_id(10): slots})
        return [(ad.placement_id, ad.seconds and (int(ad.seconds[0]), int(ad.seconds[1]))) for ad in ads]

    assert found([place(1, (60, 90), campaign=key)], [slot(60, 90, key)]) == [(make_id(1), (60, 90))]
    assert found([place(1, None, campaign=key)], [slot(60, 90, key)]) == [(make_id(1), (60, 90))]
    # Two slots for one placement: nobody knows which, and they are no ads beside it.
    assert found([place(1, None, campaign=key)], [slot(60, 90, key), slot(200, 230, key)]) == [(make_id(1), None)]
    assert found(
        [place(1, (60, 90), campaign=key), place(2, None, campaign=key)], [slot(60, 90, key), slot(5, 9, key)]
    ) == [(make_id(2), (5, 9)), (make_id(1), (60, 90))]
    assert found([], [slot(60, 90, key), slot(100, 130, None)]) == [(None, (60, 90))]
    assert found([], [slot(60, 90, make_id(99))]) == []
