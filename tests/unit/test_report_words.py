"""Codes in words: every code that a report can hold has one, and files for machines keep the code."""

import csv
from io import StringIO
from typing import get_args

import pytest

from castline.measure.agents.rules import DeviceType
from castline.measure.judge import OUTCOMES
from castline.model.query import SOURCES
from castline.model.vocab import AttributionMethod, AttributionTier, PlacementKind, PlacementPosition
from castline.report.formats.csv import render_csv
from castline.report.formats.json import render_json
from castline.report.layout import lay_out
from castline.report.numbers import format_value
from castline.report.words import Vocabulary, find_word, load_countries
from castline.store.payload import decode_json
from make_report import make_figures

CODES: dict[Vocabulary, tuple[str, ...]] = {
    "device": get_args(DeviceType),
    "verdict": tuple(dict.fromkeys(verdict for verdict, _ in OUTCOMES)),
    "reason": tuple(dict.fromkeys(reason for _, reason in OUTCOMES)),
    "tier": get_args(AttributionTier),
    "method": get_args(AttributionMethod),
    "kind": get_args(PlacementKind),
    "position": get_args(PlacementPosition),
    "source": SOURCES,
    "country": ("US", "GB", "SA", "CI", "KR", "XK"),
}


@pytest.mark.parametrize(("vocabulary", "code"), [(name, code) for name, codes in CODES.items() for code in codes])
def test_no_code_is_shown_as_it_is_stored(vocabulary: Vocabulary, code: str) -> None:
    word = find_word(vocabulary, code)
    assert "_" not in word
    assert word[0].isupper()


def test_two_codes_of_a_vocabulary_never_share_a_word() -> None:
    words = {name: [find_word(name, code) for code in codes] for name, codes in CODES.items()}
    assert {name: len(set(found)) for name, found in words.items()} == {
        name: len(found) for name, found in words.items()
    }


def test_countries_have_the_names_that_people_read() -> None:
    assert [find_word("country", code) for code in ("US", "GB", "JP", "BA", "CI")] == [
        "United States",
        "United Kingdom",
        "Japan",
        "Bosnia and Herzegovina",
        "Côte d\N{RIGHT SINGLE QUOTATION MARK}Ivoire",
    ]
    assert len(load_countries()) > 240


def test_what_nobody_knows_and_what_has_no_word_are_readable() -> None:
    assert (find_word("device", "unknown"), find_word("country", ""), find_word("app", "unknown")) == ("Unknown",) * 3
    assert (find_word("reason", "some_new_rule"), find_word("country", "ZZ")) == ("Some new rule", "ZZ")
    assert find_word("app", "my_player") == "my_player"  # what an app calls itself is left alone


def test_people_read_words_and_programs_read_codes() -> None:
    document = lay_out(make_figures())
    [verdicts] = document.section("counting").tables
    assert [format_value(cell, "text", "USD") for cell in verdicts.rows[2][:3]] == [
        "Too little sent",
        "Less than a minute of audio",
        "the union of the bytes sent so far is less than header and one minute",
    ]
    rows = list(csv.DictReader(StringIO(render_csv(document).decode())))
    told = [row["value"] for row in rows if (row["table"], row["row"]) == ("verdicts", "3")]
    assert told[:2] == ["partial", "under_one_minute"]
    figures = decode_json(render_json(document))["figures"]
    device = next(item for item in figures if item.get("table") == "device" and item["name"] == "member")
    assert (device["value"], device["word"]) == ("mobile", "Phone or tablet")
