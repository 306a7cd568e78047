"""Who may look into the data folder."""

import os
import stat
from pathlib import Path
from uuid import uuid4

from castline.store.folders import make_private_folder
from castline.store.landing.files import Landing
from castline.store.landing.payloads import save_payload


def _modes(data_dir: Path) -> dict[str, int]:
    folders = [data_dir, *(path for path in data_dir.rglob("*") if path.is_dir())]
    return {str(path.relative_to(data_dir.parent)): stat.S_IMODE(path.stat().st_mode) for path in folders}


def test_what_lands_belongs_to_its_user_alone(tmp_path: Path) -> None:
    data_dir, owner_id = tmp_path / "data", uuid4()
    save_payload(data_dir / "landing", owner_id, b"a body")
    Landing(data_dir / "landing", owner_id, "access_log").close()
    modes = _modes(data_dir)
    # Root's folder is passed through by the database server's own user, and listed by nobody.
    assert modes.pop("data") == (0o711 if os.geteuid() == 0 else 0o700)
    assert {f"data/landing/payloads/{owner_id}", f"data/landing/requests/{owner_id}/access_log"} <= modes.keys()
    assert set(modes.values()) == {0o700}


def test_a_folder_that_was_opened_to_others_stays_open(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    (data_dir / "landing").mkdir(parents=True)
    (data_dir / "landing").chmod(0o750)
    make_private_folder(data_dir, data_dir / "landing" / "requests")
    assert _modes(data_dir)["data/landing"] == 0o750
    assert _modes(data_dir)["data/landing/requests"] == 0o700
