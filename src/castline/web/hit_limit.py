"""How many pixel hits one address may bring: counted in this process, for a pixel answers without any store.

Generous, since an office or a town can share an address, and refusals are counted per campaign in the intake's log.
"""

import threading
import time
from collections import Counter
from ipaddress import ip_address
from typing import Final
from uuid import UUID

import msgspec

from castline.base.clock import now
from castline.ingest.places import try_pack_address
from castline.ingest.segment_log import REFUSED, LogWriter, RefusedHits, encode_record

HITS_PER_WINDOW: Final = 1_200  # twenty a second from one address
WINDOW_SECONDS: Final = 60.0
_ADDRESSES: Final = 100_000  # more at once are not told apart, and not limited


class HitLimit:
    """Counts hits by address in windows of a minute."""

    def __init__(self, log: LogWriter) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._hits: dict[bytes, int] = {}
        self._refused: Counter[UUID] = Counter()
        self._begun_at = time.monotonic()

    def admits(self, address: str | None, campaign_id: UUID) -> bool:
        """Whether one more hit of the address is taken; one that is not is counted for the campaign.

        Addresses that are not public are a proxy's of one's own, and stand for everybody behind it.
        """
        key = _try_key(address)
        with self._lock:
            self._turn()
            if key is None or (key not in self._hits and len(self._hits) >= _ADDRESSES):
                return True
            self._hits[key] = self._hits.get(key, 0) + 1
            if self._hits[key] <= HITS_PER_WINDOW:
                return True
            self._refused[campaign_id] += 1
            return False

    def flush(self) -> None:
        """The refusals so far stand in the log. Raises OSError where the disk takes no more."""
        with self._lock:
            self._tell()

    def _turn(self) -> None:
        """A window that is over is forgotten."""
        if time.monotonic() - self._begun_at >= WINDOW_SECONDS:
            self._hits.clear()
            self._begun_at = time.monotonic()

    def _tell(self) -> None:
        if not self._refused:
            return
        at = now()
        told = [RefusedHits(campaign_id, at, count) for campaign_id, count in self._refused.items()]
        at_us = time.time_ns() // 1000
        self._log.append([encode_record(REFUSED, at_us, b"", msgspec.json.encode(one)) for one in told])
        self._refused.clear()


def _try_key(address: str | None) -> bytes | None:
    """IPv4 whole, IPv6 by its /64; None for what is no public address."""
    packed = try_pack_address(address or "")
    if address is None or packed is None:
        return None
    found = ip_address(address.partition("%")[0])
    return packed if (getattr(found, "ipv4_mapped", None) or found).is_global else None
