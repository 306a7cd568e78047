"""The folders below the data folder: personal data and figures lie in them, so they are private from the first."""

import os
from pathlib import Path


def make_data_folder(data_dir: Path) -> None:
    """The data folder is there; one that was missing may be listed by nobody else.

    Root's is passed through by the database server's own user. Folders above it get the usual permissions.
    """
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    data_dir.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, exist_ok=True)


def make_private_folder(data_dir: Path, folder: Path) -> Path:
    """The folder below the data folder is there; what of it was missing belongs to this user alone."""
    make_data_folder(data_dir)
    for place in reversed([folder, *folder.parents]):
        if data_dir in place.parents:
            place.mkdir(mode=0o700, exist_ok=True)
    return folder
