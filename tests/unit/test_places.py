"""Addresses: one key per household, a truncated network, and the place that a table tells."""

import gzip
import stat
from datetime import date
from pathlib import Path
from uuid import UUID

import pytest

from castline.base.config import Settings, load_settings
from castline.base.errors import ConfigurationError, InvalidInput, SourceUnreadable
from castline.ingest.geo_tables import load_geo_table, save_geo_table
from castline.ingest.places import compute_places, listener_key, truncate_ip

OWNER, OTHER = UUID(int=1), UUID(int=2)


@pytest.fixture
def here(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("203.0.113.9", "::ffff:203.0.113.9", True),
        ("203.0.113.9", "::FFFF:cb00:7109", True),
        ("2001:db8:1:2::3", "2001:db8:1:2:ffff:ffff:ffff:ffff", True),
        ("fe80::1%eth0", "fe80::1", True),
        ("203.0.113.9", "203.0.113.8", False),
        ("2001:db8:1:2::3", "2001:db8:1:3::3", False),
    ],
)
def test_a_household_has_one_key(here: Settings, one: str, other: str, is_same: bool) -> None:
    keys = [listener_key(here, OWNER, address) for address in (one, other)]
    assert (keys[0] == keys[1]) is is_same
    assert len(keys[0]) == 16


def test_each_account_and_each_installation_has_keys_of_its_own(here: Settings, tmp_path: Path) -> None:
    elsewhere = Settings(data_dir=tmp_path / "elsewhere")
    keys = {listener_key(settings, owner, "203.0.113.9") for settings in (here, elsewhere) for owner in (OWNER, OTHER)}
    assert len(keys) == 4


def test_the_secret_is_made_once_and_for_its_owner_only(here: Settings) -> None:
    first = listener_key(here, OWNER, "203.0.113.9")
    path = here.data_dir / "secret.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(path.read_bytes()) == 32
    assert listener_key(Settings(data_dir=here.data_dir), OWNER, "203.0.113.9") == first
    assert [item.name for item in here.data_dir.iterdir()] == ["secret.key"]


def test_a_damaged_secret_is_not_replaced(here: Settings) -> None:
    here.data_dir.mkdir()
    (here.data_dir / "secret.key").write_bytes(b"short")
    with pytest.raises(ConfigurationError, match="holds 5 bytes"):
        listener_key(here, UUID(int=77), "203.0.113.9")


def test_a_secret_in_the_environment_needs_no_file(tmp_path: Path) -> None:
    environ = {"CASTLINE_DATA_DIR": str(tmp_path / "data"), "CASTLINE_SECRET_KEY": "s" * 32}
    settings = load_settings(environ)
    assert len(listener_key(settings, OWNER, "203.0.113.9")) == 16
    assert not settings.data_dir.exists()
    assert "sss" not in repr(settings)
    with pytest.raises(ConfigurationError, match="CASTLINE_SECRET_KEY"):
        load_settings(environ | {"CASTLINE_SECRET_KEY": "short"})


@pytest.mark.parametrize(
    "text", ["", "x", "1.2.3", "1.2.3.4.5", "1.2.3.999", "1.2.3.4 ", ":::", "12345::", "1.2.3.4\0"]
)
def test_what_is_no_address_has_no_key(here: Settings, text: str) -> None:
    with pytest.raises(InvalidInput, match="ip_address"):
        listener_key(here, OWNER, text)
    assert truncate_ip(text, "full") is None


@pytest.mark.parametrize(
    ("text", "full", "truncated"),
    [
        ("203.0.113.9", "203.0.113.9", "203.0.113.0/24"),
        ("::ffff:203.0.113.9", "203.0.113.9", "203.0.113.0/24"),
        ("2001:DB8:1:2::3", "2001:db8:1:2::3", "2001:db8:1::/48"),
    ],
)
def test_an_address_is_kept_as_the_setting_says(text: str, full: str, truncated: str) -> None:
    assert [truncate_ip(text, privacy) for privacy in ("full", "truncated", "none")] == [full, truncated, None]


def test_many_addresses_are_the_same_as_each(here: Settings) -> None:
    addresses = ["203.0.113.9", "2001:db8:1:2::3", "nonsense", "::ffff:8.8.8.8", "73.32.0.1"]
    places = compute_places(here, OWNER, addresses)
    keys = [None if text == "nonsense" else listener_key(here, OWNER, text) for text in addresses]
    assert places["listener_key"].to_list() == keys
    assert places["ip"].to_list() == [truncate_ip(text, "truncated") for text in addresses]
    assert places["country"].to_list()[3:] == ["US", "US"]
    assert places["asn"][3] == 15169
    assert compute_places(here, OWNER, []).height == 0


def test_an_operators_own_tables_take_the_place_of_the_bundled_ones(here: Settings, tmp_path: Path) -> None:
    four, six = tmp_path / "four.csv", tmp_path / "six.csv"
    four.write_text("203.0.113.0,203.0.113.127,SE\n203.0.113.200,203.0.113.255,NO\n")
    six.write_text("2001:db8::,2001:db8:ffff:ffff:ffff:ffff:ffff:ffff,FI\n")
    facts = save_geo_table(here, [six, four], built_on=date(2026, 11, 1))
    assert (facts.kind, facts.origin, facts.built_on) == ("country", "six.csv", date(2026, 11, 1))
    addresses = ["203.0.113.9", "203.0.113.150", "203.0.113.201", "2001:db8:7::1", "8.8.8.8"]
    assert compute_places(here, OWNER, addresses)["country"].to_list() == ["SE", None, "NO", "FI", None]
    networks = tmp_path / "asn.csv"
    networks.write_text('203.0.113.0,203.0.113.255,64500,"Example, Inc."\n')
    assert save_geo_table(here, [networks]).kind == "asn"
    assert compute_places(here, OWNER, ["203.0.113.9"]).select("country", "asn").row(0) == ("SE", 64500)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it holds no row"),
        ("203.0.113.0,203.0.113.255\n", "line 1:"),
        ("203.0.113.0,203.0.113.255,SE\n203.0.114.0,203.0.113.255,SE\n", "line 2: 203.0.114.0 to 203.0.113.255 is"),
        ("203.0.113.0,203.0.113.255,SE\n203.0.114.0,203.0.114.255,Sweden\n", "line 2: 'Sweden' is no country code"),
        ("[" * 200_000, "field larger than field limit"),
        ("203.0.113.0,203.0.113.255,SE\nx,203.0.114.255,SE\n", "line 2: 'x' does not appear"),
    ],
)  # fmt: skip
def test_a_table_that_is_none_is_refused_and_the_old_one_stays(
    here: Settings, tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(SourceUnreadable) as caught:
        save_geo_table(here, [path])
    assert said in caught.value.message
    assert load_geo_table(here, "country").facts.origin == "bundled"


def test_a_table_is_taken_gzipped_as_it_is_downloaded(tmp_path: Path) -> None:
    path = tmp_path / "countries.csv.gz"
    path.write_bytes(gzip.compress(b"192.0.2.0,192.0.2.255,DE\n"))
    facts = save_geo_table(Settings(data_dir=tmp_path), [path])
    assert (facts.kind, facts.range_count > 0, facts.origin) == ("country", True, "countries.csv.gz")
    path.write_bytes(gzip.compress(b"192.0.2.0,192.0.2.255,DE\n")[:-9])
    with pytest.raises(SourceUnreadable, match=r"countries\.csv\.gz cannot be read"):
        save_geo_table(Settings(data_dir=tmp_path), [path])
