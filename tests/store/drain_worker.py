"""A drain of the drill: lands and merges what comes in until it dies at the place that it was told."""

import importlib
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from castline.base.config import Settings
from castline.ingest.logs import merging
from castline.ingest.logs.merging import iter_owners, merge_landing
from castline.intake.drain import drain_intake
from castline.store.pool import open_store

# Each place where something is on the disk or in the database that was not a moment before: module, function, and
# whether death comes before or after it.
PLACES: dict[str, tuple[str, str, str]] = {
    "before the segment is taken apart": ("castline.intake.split", "_write_folder", "before"),
    "taken apart, before the segment is deleted": ("castline.intake.split", "_write_folder", "after"),
    "before the landing files have their names": ("castline.ingest.logs.landing", "Landing.publish", "before"),
    "landed, before the ledger's commit": ("castline.ingest.logs.landing", "Landing.publish", "after"),
    "requests committed, before their file is deleted": ("castline.intake.drain", "import_log", "after"),
    "players landed, before the ledger's commit": ("castline.intake.playback", "_record", "after"),
    "players committed, before their file is deleted": ("castline.intake.drain", "import_players", "after"),
    "hits saved, before the ledger's commit": ("castline.ingest.conversions.receive", "_save_delivery", "after"),
    "hits committed, before their file is deleted": ("castline.intake.drain", "import_hits", "after"),
    "merged, before the ledger's commit": ("castline.store.landing.merged_files", "_save_parts", "after"),
    "merge committed, before the replaced files go": ("castline.ingest.logs.merging", "remove_replaced", "before"),
    "replaced files gone": ("castline.ingest.logs.merging", "remove_replaced", "after"),
    "unclaimed ones kept, before their file is deleted": ("castline.intake.drain", "_keep_unclaimed", "after"),
}


def main() -> None:
    """Drains again and again; ends only by its own death."""
    settings = Settings(data_dir=Path(sys.argv[1]), database_url=sys.argv[2], secret_key="k" * 32)
    _arm(*PLACES[sys.argv[3]])
    merging._FEWEST_FILES = 2  # type: ignore[misc]  # a drill has no day to wait for more
    with open_store(settings) as store:
        while True:
            drain_intake(store)
            for owner_id in iter_owners(settings.landing_dir):
                merge_landing(store, owner_id)
            time.sleep(0.1)


def _arm(module: str, name: str, moment: str) -> None:
    holder: Any = importlib.import_module(module)
    *path, last = name.split(".")
    for part in path:
        holder = getattr(holder, part)
    original: Callable[..., object] = getattr(holder, last)

    def deadly(*given: object, **named: object) -> None:
        if moment == "after":
            original(*given, **named)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(holder, last, deadly)


if __name__ == "__main__":
    main()
