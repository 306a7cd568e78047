"""Fingerprints of 128 bits, a million at once: the same for the same content, in every file and on every machine."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

Words = npt.NDArray[np.uint64]
_BYTES: Final = 16
# The step and the finisher of SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
_STEP: Final = np.uint64(0x9E3779B97F4A7C15)
_FIRST: Final = np.uint64(0xBF58476D1CE4E5B9)
_SECOND: Final = np.uint64(0x94D049BB133111EB)


@dataclass(frozen=True, slots=True, eq=False)
class Fingerprints:
    """A fingerprint per place, in two halves, where one `is_told`."""

    high: Words
    low: Words
    is_told: npt.NDArray[np.bool_]

    def at(self, places: npt.NDArray[np.integer]) -> "Fingerprints":
        """The fingerprints at these places."""
        return Fingerprints(self.high[places], self.low[places], self.is_told[places])

    def spread(self, places: npt.NDArray[np.integer], count: int) -> "Fingerprints":
        """So many places, with each of these at its own."""
        spread = Fingerprints(np.zeros(count, np.uint64), np.zeros(count, np.uint64), np.zeros(count, np.bool_))
        spread.high[places], spread.low[places], spread.is_told[places] = self.high, self.low, self.is_told
        return spread

    def joined(self, other: "Fingerprints") -> "Fingerprints":
        """The fingerprints of each of these followed by each of the others."""
        return Fingerprints(_join(self.high, other.high), _join(self.low, other.low), self.is_told & other.is_told)

    def joined_with_numbers(self, numbers: npt.NDArray[np.int64]) -> "Fingerprints":
        """The fingerprints of each of these followed by a number."""
        words = numbers.astype(np.uint64)
        return Fingerprints(_join(self.high, words), _join(self.low, words), self.is_told)

    def columns(self, name: str) -> list[pl.Series]:
        """Both halves as columns, null where none is told."""
        untold = ~pl.Series(self.is_told)
        halves = (("high", self.high), ("low", self.low))
        return [pl.Series(f"{name}_{half}", words).set(untold, None) for half, words in halves]

    def to_texts(self) -> list[str | None]:
        """Each as 32 hexadecimal digits."""
        digits = np.stack([self.high, self.low], axis=1).astype(">u8").tobytes().hex()
        starts = range(0, len(digits), 2 * _BYTES)
        return [digits[at : at + 2 * _BYTES] if told else None for at, told in zip(starts, self.is_told, strict=True)]


def hash_texts(texts: Sequence[str]) -> Fingerprints:
    """The fingerprint of each text."""
    return read_digests([hash_bytes(text.encode()) for text in texts])


def hash_bytes(content: bytes) -> bytes:
    """The content's fingerprint, as 16 bytes."""
    return blake2b(content, digest_size=_BYTES).digest()


def read_digests(digests: Sequence[bytes]) -> Fingerprints:
    """Fingerprints that `hash_bytes` gave."""
    words = np.frombuffer(b"".join(digests), ">u8").reshape(-1, 2).astype(np.uint64)
    return Fingerprints(words[:, 0], words[:, 1], np.ones(len(words), np.bool_))


def _join(state: Words, words: Words) -> Words:
    mixed = (state + _STEP) ^ words
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _FIRST
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _SECOND
    return mixed ^ (mixed >> np.uint64(31))
