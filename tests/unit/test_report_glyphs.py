"""Characters without a font are found by script and replaced."""

import pytest

from castline.report.formats.glyphs import find_uncovered, is_right_to_left, replace_uncovered


def test_scripts_without_a_font_are_named() -> None:
    assert find_uncovered("Café 한국 ߒ 海辺 مرحبا 🎧") == {"Hangul": "국한", "Nko": "ߒ"}


def test_what_the_fonts_have_is_left_as_it_is() -> None:
    text = "Čeština, Ελληνικά, Русский, हिन्दी, 海辺のラジオ, مرحبا, 🎧, − – “x”"
    assert (find_uncovered(text), replace_uncovered(text)) == ({}, text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a한b", "a\ufffdb"), ("a\tb\nc", "a b c"), ("a\x07b\x00", "ab"), ("x\ufe0fy", "x\ufe0fy"), ("plain", "plain")],
)
def test_replacing_leaves_one_line_that_can_be_set(text: str, shown: str) -> None:
    assert replace_uncovered(text) == shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("مرحبا Autumn", True),
        ("Autumn مرحبا", False),
        ("٢٠٢٦ — مرحبا", True),
        ("123", False),
        ("", False),
        ("שלום", True),
    ],
)
def test_the_first_letter_sets_the_direction(text: str, expected: bool) -> None:
    assert is_right_to_left(text) is expected
