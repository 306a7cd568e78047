"""Fixtures: one embedded server per test process, one migrated database on it, accounts as walls between tests."""

from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from castline.base.config import Settings
from castline.model.account import User
from castline.store.embedded.server import remove_embedded
from castline.store.pool import Store, open_store
from make import make_account

# A machine that others use pauses any example; how long one may take is the benchmarks' to say.
hypothesis.settings.register_profile("castline", deadline=None)
hypothesis.settings.load_profile("castline")

REFERENCE_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(data_dir=tmp_path_factory.mktemp("castline"), allow_private_addresses=True)


@pytest.fixture(scope="session")
def store(settings: Settings) -> Iterator[Store]:
    """A migrated store on a server of its own; tests keep apart by acting for accounts of their own."""
    with open_store(settings) as opened:
        yield opened
    remove_embedded(settings.data_dir)


@pytest.fixture
def account(store: Store) -> User:
    """A fresh account."""
    return make_account(store)


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """The folder of reference data; the test skips, and says so, where it is absent."""
    if not REFERENCE_DATA.is_dir():
        pytest.skip("no ../shared/data: the reference data are not here")
    return REFERENCE_DATA
