"""Where the files lie that the build hook fetched for us, and whose they are."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import msgspec

from castline.base.errors import Terminal

ASSETS: Final = Path(__file__).parents[1] / "assets"


class MissingAsset(Terminal):
    """The file {name} is not in this installation: {detail}"""

    fix = "Install castline again; its build fetches these files (in a clone, `python3 dev.py sync --force`)."


@dataclass(frozen=True, slots=True)
class Asset:
    """One bundled file of another project; `built_on` is None where its maker states no date."""

    name: str
    title: str
    version: str
    licence: str
    licence_file: str
    credit: str
    built_on: date | None
    source: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class _Manifest:
    assets: tuple[Asset, ...]


def iter_assets() -> tuple[Asset, ...]:
    """Every bundled file as the build listed it. Raises MissingAsset where the package was not built."""
    try:
        content = asset_path("manifest.json").read_bytes()
        return msgspec.json.decode(content, type=_Manifest).assets
    except msgspec.MsgspecError as error:
        raise MissingAsset(name="manifest.json", detail=str(error)) from error


def asset_path(name: str) -> Path:
    """The file `name`, such as `fonts/NotoSans-Regular.ttf`. Raises MissingAsset."""
    path = ASSETS / name
    if not path.is_file():
        raise MissingAsset(name=name, detail=f"nothing is at {path}")
    return path
