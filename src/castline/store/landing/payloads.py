"""Every fetched or received body, kept once under its content's hash, compressed: the root of provenance."""

import gzip
import hashlib
import os
from pathlib import Path
from tempfile import NamedTemporaryFile
from uuid import UUID

from castline.store.folders import make_private_folder


def hash_content(body: bytes) -> bytes:
    """SHA-256 of the body, the identity of a batch."""
    return hashlib.sha256(body).digest()


def save_payload(landing_dir: Path, owner_id: UUID, body: bytes) -> str:
    """The body lies in the landing zone; returns its place below `landing_dir`.

    Written beside and renamed, so that a reader sees the whole body or none. The same body is written once.
    """
    digest = hash_content(body).hex()
    place = Path("payloads") / str(owner_id) / digest[:2] / f"{digest}.gz"
    target = landing_dir / place
    if not target.exists():
        make_private_folder(landing_dir.parent, target.parent)
        with NamedTemporaryFile(dir=target.parent, delete=False) as beside:
            beside.write(gzip.compress(body, compresslevel=6, mtime=0))
            beside.flush()
            os.fsync(beside.fileno())
        Path(beside.name).replace(target)
    return str(place)
