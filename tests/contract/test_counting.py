"""Counting agrees with the plain counter on generated requests, in every window, whatever the order of the lines."""

import random

import pytest

from castline.base.config import Settings
from castline.measure.count import count_requests
from castline.measure.rules.table import own_rulebook
from castline.model.measurement import WINDOWS, Delivery, MeasureSettings, Window
from make_requests import BOT, MACHINE, make_request, write_lines
from oracle import Rules, count


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize(("mode", "tz", "number"), [("file", "Europe/Oslo", 30_000), ("prefix", "UTC", 5_000)])
def test_generated_requests_end_as_the_plain_counter_says(
    window: Window, mode: Delivery, tz: str, number: int, settings: Settings
) -> None:
    chance = random.Random(f"{window} {mode}")  # noqa: S311  # the same requests each time
    requests = [make_request(chance, place) for place in range(number)]
    # Some come twice, and the lines stand in any order.
    asked = requests + chance.sample(requests, number // 50)
    chance.shuffle(asked)
    book = own_rulebook(MeasureSettings(window=window, tz=tz))
    found = count_requests(write_lines(asked, chance), book, settings, mode).verdicts
    rules = Rules(window, tz, mode, is_bot=lambda agent: agent == BOT, is_machine=lambda ip: ip == MACHINE)
    assert [(item.verdict, item.reason) for item in found] == count(asked, rules)
    assert {item.verdict for item in found} == {"counted", "dropped", "duplicate"} | (
        {"partial"} if mode == "file" else set()
    )
    downloads = [item.download_id for item in found if item.verdict == "counted"]
    assert len(set(downloads)) == len(downloads)
