"""Files that appear whole or not at all."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from uuid import uuid4

from castline.base.errors import Terminal

_WORD_BYTES: Final = 60  # two of them and the rest stay below the 255 bytes that file systems allow
_UNSAFE: Final = re.compile(r"[\W_]+")


class OutputUnavailable(Terminal):
    """The report could not be written to {path}: {detail}"""

    fix = "Make room, or choose another folder with --output; nothing was left behind."


@dataclass(slots=True)
class Staging:
    """Files on their way into a folder: hidden until `publish`, gone again if what follows fails."""

    folder: Path
    waiting: dict[Path, Path] = field(default_factory=dict)
    appeared: list[Path] = field(default_factory=list)

    def write(self, name: str, content: bytes) -> Path:
        """The content is on the disk, hidden; the path is where it will appear."""
        path = self.folder / name
        hidden = self.folder / f".{uuid4().hex}.part"
        self.waiting[path] = hidden
        with _translated(self.folder), hidden.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        return path

    def publish(self) -> None:
        """Every written file is where it belongs."""
        with _translated(self.folder):
            for path, hidden in self.waiting.items():
                existed = path.exists()
                hidden.replace(path)
                if not existed:
                    self.appeared.append(path)
        self.waiting.clear()


@contextmanager
def staged(folder: Path) -> Iterator[Staging]:
    """A staging into the folder, which is made if need be. Raises OutputUnavailable; a failure leaves no new file."""
    staging = Staging(folder)
    with _translated(folder):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        yield staging
    except BaseException:
        _remove(staging)
        raise


@contextmanager
def _translated(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputUnavailable(path=folder, detail=error.strerror or type(error).__name__) from error


def _remove(staging: Staging) -> None:
    for path in (*staging.waiting.values(), *staging.appeared):
        with suppress(OSError):
            path.unlink(missing_ok=True)


def name_part(text: str) -> str:
    """The text as a part of a file name: letters and digits of any script, joined by hyphens; never empty."""
    words = _UNSAFE.sub("-", text).strip("-").lower()
    cut = words.encode()[:_WORD_BYTES].decode(errors="ignore").strip("-")
    return cut or "report"
