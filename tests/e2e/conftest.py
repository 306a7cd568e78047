"""Fixtures: castline on an empty data folder, and castline with an account whose server keeps running."""

from collections.abc import Iterator

import pytest

from castline.store.embedded.server import remove_embedded, start_embedded
from run_castline import Castline


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Castline]:
    """castline on a data folder where nothing is yet."""
    castline = Castline(tmp_path_factory.mktemp("e2e") / "data")
    yield castline
    remove_embedded(castline.data_dir)


@pytest.fixture(scope="module")
def castline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Castline]:
    """castline with an account; its server runs from one command to the next."""
    castline = Castline(tmp_path_factory.mktemp("e2e") / "data")
    with start_embedded(castline.data_dir):
        castline.well("admin", "create", "--email", "ada@example.org", "--name", "Ada", "--generate")
        yield castline
    remove_embedded(castline.data_dir)
