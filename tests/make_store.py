"""A store of a workload's own: made for it, and gone when it ends."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from castline.base.config import Settings
from castline.store.embedded.server import remove_embedded
from castline.store.pool import Store, open_store


@contextmanager
def open_folder() -> Iterator[Path]:
    """An empty folder that every user may pass: root's server runs as a user of its own."""
    with tempfile.TemporaryDirectory(prefix="castline-bench-") as place:
        folder = Path(place)
        folder.chmod(0o711)
        yield folder


@contextmanager
def open_own_store(folder: Path) -> Iterator[Store]:
    """A migrated store on a server of its own below the folder."""
    settings = Settings(data_dir=folder / "data")
    try:
        with open_store(settings) as store:
            yield store
    finally:
        remove_embedded(settings.data_dir)
