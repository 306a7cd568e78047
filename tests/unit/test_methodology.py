"""The description of methodology says what the settings in use say."""

from castline.measure.behaviour.suspects import BEHAVIOURS
from castline.measure.judge import OUTCOMES
from castline.measure.methodology import render_method
from castline.measure.rules.table import own_rulebook
from castline.model.measurement import MeasureSettings


def test_every_reason_and_version_is_described() -> None:
    book = own_rulebook(MeasureSettings())
    page = render_method(book)
    assert [reason for _, reason in OUTCOMES if f"`{reason}`" not in page] == []
    assert [version for version in book.versions.values() if version not in page] == []


def test_the_limits_of_behaviour_are_told_where_they_apply() -> None:
    limits = [f"{name.replace('_', ' ')} {value:g}" for rule in BEHAVIOURS for name, value in rule.limits.items()]
    told = render_method(own_rulebook(MeasureSettings()))
    assert [limit for limit in limits if limit not in told] == []
    untold = render_method(own_rulebook(MeasureSettings(drop_behaviour=False)))
    assert "## Behaviour" not in untold


def test_other_settings_make_another_page_and_another_version() -> None:
    pages = {
        render_method(own_rulebook(settings)): settings.version
        for settings in (
            MeasureSettings(),
            MeasureSettings(window="last_touch"),
            MeasureSettings(tz="Europe/Oslo"),
            MeasureSettings(two_byte_probe="drop"),
            MeasureSettings(max_downloads_per_ip_window=20),
        )
    }
    assert len(set(pages.values())) == len(pages) == 5
