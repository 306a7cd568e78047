"""The installation's master secret, from which each use derives a key of its own."""

import os
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from secrets import token_bytes, token_hex
from typing import Final
from uuid import UUID

from castline.base.config import Settings
from castline.base.errors import ConfigurationError
from castline.store.folders import make_data_folder

_SECRET_BYTES: Final = 32
_FILE: Final = "secret.key"


def derive_key(settings: Settings, purpose: str, owner_id: UUID) -> bytes:
    """32 bytes that only this installation can make for this purpose and account; the same each time.

    `purpose` has at most 16 ASCII characters. Raises ConfigurationError when the secret cannot be read or made.
    """
    return _derive_key(settings.data_dir, settings.secret_key, purpose, owner_id)


@lru_cache(maxsize=4096)
def _derive_key(data_dir: Path, secret_key: str | None, purpose: str, owner_id: UUID) -> bytes:
    master = secret_key.encode() if secret_key else _load_master(data_dir)
    # A master longer than BLAKE2b's 64 key bytes is brought to 32 first; a fixed-length one is hashed just the same.
    root = blake2b(master, digest_size=_SECRET_BYTES, person=b"castline-root").digest()
    return blake2b(owner_id.bytes, key=root, digest_size=_SECRET_BYTES, person=purpose.encode()).digest()


def _load_master(data_dir: Path) -> bytes:
    path = data_dir / _FILE
    try:
        if not path.exists():
            _create_master(path)
        master = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(setting="CASTLINE_DATA_DIR", detail=f"{path}: {error.strerror}") from error
    if len(master) != _SECRET_BYTES:
        raise ConfigurationError(
            setting="CASTLINE_DATA_DIR", detail=f"{path} holds {len(master)} bytes, not {_SECRET_BYTES}: restore it"
        )
    return master


def _create_master(path: Path) -> None:
    """The file is there, whole and readable by its owner only, whoever of several processes made it."""
    make_data_folder(path.parent)
    draft = path.with_name(f".{path.name}.{token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(token_bytes(_SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
        # Unlike a rename, a link never replaces the secret that another process made in the meantime.
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        draft.unlink(missing_ok=True)
