"""Objects below a prefix of an S3 bucket, or of any server that speaks its protocol.

Region, endpoint and credentials come from the AWS variables of the environment, as for every other tool.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from castline.base.errors import EXIT_SOURCE, InvalidInput, SourceUnavailable, SourceUnreadable

if TYPE_CHECKING:
    from obstore.store import S3Store

_SCHEME: Final = "s3://"
_REFUSED: Final = re.compile(r"status code: (?:301|400|401|403|404)\b")
_CHUNK_BYTES: Final = 8 * 1024 * 1024


class BucketRefused(SourceUnreadable):
    """{source} may not be read: {detail}"""

    fix = "Set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION; AWS_ENDPOINT_URL for a server of your own."
    exit_code = EXIT_SOURCE


@dataclass(frozen=True, slots=True)
class BucketObject:
    """An object as listed; `tag` changes with its content."""

    bucket: str
    key: str
    tag: str
    size_bytes: int

    @property
    def url(self) -> str:
        return f"{_SCHEME}{self.bucket}/{self.key}"


def is_bucket_url(text: str) -> bool:
    """Whether this names a bucket instead of a file."""
    return text.startswith(_SCHEME)


def iter_objects(url: str) -> Iterator[BucketObject]:
    """Every object whose key begins with what stands behind the bucket's name, by key, empty ones left out.

    Raises InvalidInput, BucketRefused, SourceUnavailable.
    """
    bucket, _, prefix = url.removeprefix(_SCHEME).partition("/")
    if not bucket:
        raise InvalidInput(field="FILE", detail=f"{url!r} names no bucket, where s3://BUCKET/PREFIX is expected")
    # The listing goes by whole segments of keys; the last one of ours may be a part of one.
    folder = prefix.rpartition("/")[0]
    found = []
    with _Translated(url):
        for page in _open(bucket).list(folder or None, chunk_size=1000):
            for entry in page:
                if entry["path"].startswith(prefix) and entry["size"]:
                    tag = (entry.get("e_tag") or entry["last_modified"].isoformat()).strip('"')
                    found.append(BucketObject(bucket, entry["path"], tag, entry["size"]))
    yield from sorted(found, key=lambda item: item.key)


def fetch_object(item: BucketObject, folder: Path) -> Path:
    """The object's content is in a file of its own name in the folder. Raises BucketRefused, SourceUnavailable."""
    target = folder / (item.key.rpartition("/")[2] or "object")
    with _Translated(item.url), target.open("wb") as file:
        for chunk in _open(item.bucket).get(item.key).stream(min_chunk_size=_CHUNK_BYTES):
            file.write(chunk)
    return target


def _open(bucket: str) -> "S3Store":
    from obstore.store import S3Store  # noqa: PLC0415  # only who reads buckets waits for it

    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    client = {"allow_http": endpoint.startswith("http://"), "connect_timeout": "10s"}
    return S3Store(
        bucket,
        client_options=client,  # type: ignore[arg-type]  # its keys are literal types
        retry_config={"max_retries": 3},
    )


class _Translated:
    """Errors of the client become ours, with the object's name."""

    def __init__(self, url: str) -> None:
        self._url = url

    def __enter__(self) -> None: ...

    def __exit__(self, _: object, error: BaseException | None, trace: object) -> None:
        if error is None or not isinstance(error, Exception):
            return
        from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError  # noqa: PLC0415

        said = " ".join(str(error).split("\n")[0].split())[:300]
        if isinstance(error, PermissionDeniedError | UnauthenticatedError) or _REFUSED.search(said):
            raise BucketRefused(source=self._url, detail=said) from error
        if isinstance(error, FileNotFoundError):
            raise BucketRefused(source=self._url, detail="there is no such bucket or object") from error
        if isinstance(error, BaseError):
            raise SourceUnavailable(source=self._url, detail=said) from error
