import hashlib
import re
from datetime import date

import numpy as np
import pytest
from fontTools.ttLib import TTFont  # type: ignore[import-untyped]  # it ships no types

from castline.base import assets
from castline.base.assets import MissingAsset, asset_path, iter_assets


def test_every_listed_file_is_there_with_the_bytes_that_were_listed() -> None:
    listed = {asset.name: (asset.size_bytes, asset.sha256) for asset in iter_assets()}
    contents = {name: asset_path(name).read_bytes() for name in listed}
    assert {name: (len(data), hashlib.sha256(data).hexdigest()) for name, data in contents.items()} == listed


def test_no_file_of_others_lies_there_unlisted() -> None:
    listed = {asset.name for asset in iter_assets()} | {asset.licence_file for asset in iter_assets()}
    present = {path.relative_to(assets.ASSETS).as_posix() for path in assets.ASSETS.rglob("*") if path.is_file()}
    assert present == listed | {"manifest.json"}


def test_each_file_names_its_licence_with_the_text_and_its_source() -> None:
    for asset in iter_assets():
        assert asset.licence in {"0BSD", "MIT", "OFL-1.1", "CC-BY-4.0"}
        assert len(asset_path(asset.licence_file).read_text()) > 200
        assert re.fullmatch(r"npm:\S+@" + re.escape(asset.version), asset.source)


def test_address_tables_and_fonts_state_when_they_were_built() -> None:
    dated = {asset.name: asset.built_on for asset in iter_assets() if asset.name.startswith(("geo/", "fonts/"))}
    assert all(isinstance(day, date) and day > date(2025, 1, 1) for day in dated.values())
    assert {name for name in dated if name.startswith("geo/")} == {"geo/country.npz", "geo/asn.npz"}


@pytest.mark.parametrize(
    ("name", "family", "text"),
    [
        ("fonts/NotoSans-Regular.ttf", "Noto Sans", "Añ–Ж€"),
        ("fonts/NotoSans-Bold.ttf", "Noto Sans", "Añ–Ж€"),
        ("fonts/NotoSansArabic-Regular.ttf", "Noto Sans Arabic", "مرحبا"),
        ("fonts/NotoSansArabic-Bold.ttf", "Noto Sans Arabic", "مرحبا"),
        ("fonts/NotoSansJP-Regular.ttf", "Noto Sans JP", "東京タワーの番組"),
        ("fonts/NotoSansJP-Bold.ttf", "Noto Sans JP", "東京タワーの番組"),
        ("fonts/NotoEmoji-Regular.ttf", "Noto Emoji", "🎙🚀"),
    ],
)
def test_a_font_is_truetype_of_its_family_and_covers_its_script(name: str, family: str, text: str) -> None:
    with TTFont(asset_path(name)) as font:
        assert font.sfntVersion == "\x00\x01\x00\x00"
        assert font["name"].getBestFamilyName() == family
        assert {ord(character) for character in text} <= set(font.getBestCmap())


@pytest.mark.parametrize(
    ("table", "address", "label"),
    [("country", 0x08080808, "US"), ("country", 0x85_0B_00_01, "JP"), ("asn", 0x01010101, "13335 Cloudflare, Inc.")],
)
def test_the_bundled_tables_know_well_known_addresses(table: str, address: int, label: str) -> None:
    with np.load(asset_path(f"geo/{table}.npz")) as arrays:
        at = np.searchsorted(arrays["v4_start"], np.uint32(address), side="right") - 1
        labels = arrays["labels"].tobytes().decode().split("\n")
        assert labels[arrays["v4_label"][at]] == label


def test_scripts_define_the_global_that_pages_use() -> None:
    for name, word in (("js/htmx.min.js", "var htmx="), ("js/uplot.min.js", "var uPlot=")):
        assert word in asset_path(name).read_text()


def test_a_file_that_was_not_built_is_named_with_the_way_to_get_it() -> None:
    with pytest.raises(MissingAsset, match=r"fonts/Nothing\.ttf") as caught:
        asset_path("fonts/Nothing.ttf")
    assert "Install castline again" in caught.value.advice
