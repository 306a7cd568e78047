"""Tables of address ranges, packed so that a million addresses are looked up by one `numpy.searchsorted`.

A packed table is an `.npz` file of six arrays. `v4_start` (uint32) and `v6_start` (uint64, the first half of the
address) ascend from 0, so every address falls behind some start; `v4_label` and `v6_label` (uint32) number the label
that holds from that start to the next. `labels` (uint8) is UTF-8 text, one label a line; the first is empty: unknown.
`facts` (uint8) is a JSON object that says what the table is and when it was built.

Standard library only: the build hook packs the bundled tables with it before anything is installed.
"""

import io
import json
import sys
import zipfile
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from castline.base.errors import InvalidInput

_ALIGNMENT: Final = 64  # NPY format 1.0: magic, version, header length and header fill a multiple of it
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # a fixed time makes the same table the same bytes


@dataclass(frozen=True, slots=True)
class AddressRange:
    """The addresses `first` to `last`, both included, as numbers of `bits` (32 or 128) bits."""

    bits: int
    first: int
    last: int
    label: str


def pack_ranges(ranges: Iterable[AddressRange], facts: Mapping[str, str]) -> bytes:
    """The packed table of `ranges`, which ascend within each family; of two that overlap the earlier one wins.

    Raises InvalidInput for a range that ends before it starts and for a label of more than one line.
    """
    numbers = {"": 0}
    # A network smaller than /64 is one household: 588 of 345,868 IPv6 rows of DB-IP (June 2026) are finer.
    families = {32: _Family("I", bits=32, shift=0), 128: _Family("Q", bits=64, shift=64)}
    for item in ranges:
        if item.first > item.last or "\n" in item.label:
            raise InvalidInput(field="address range", detail=f"{item.first}-{item.last} {item.label!r} is none")
        families[item.bits].add(item, numbers.setdefault(item.label, len(numbers)))
    arrays = {
        f"v{version}_{part}": value for version, bits in ((4, 32), (6, 128)) for part, value in families[bits].parts()
    }
    arrays["labels"] = array("B", "\n".join(numbers).encode())
    arrays["facts"] = array("B", json.dumps(dict(facts), sort_keys=True).encode())
    return _archive(arrays)


class _Family:
    """Where each label of one address family begins; what no range covers is unknown."""

    def __init__(self, typecode: str, *, bits: int, shift: int) -> None:
        self._starts = array(typecode, [0])
        self._labels = array("I", [0])
        self._limit = 1 << bits
        self._shift = shift
        self._covered = 0

    def add(self, item: AddressRange, label: int) -> None:
        # The first half of an IPv6 address belongs to the range that holds the half's lowest address.
        first = max(-(-item.first >> self._shift), self._covered)
        after = (item.last >> self._shift) + 1
        if first >= after:
            return
        self._begin(self._covered, 0)
        self._begin(first, label)
        self._covered = after

    def parts(self) -> tuple[tuple[str, "array[int]"], tuple[str, "array[int]"]]:
        if self._covered < self._limit:
            self._begin(self._covered, 0)
        return ("start", self._starts), ("label", self._labels)

    def _begin(self, start: int, label: int) -> None:
        if self._starts[-1] == start:
            self._starts.pop()
            self._labels.pop()
        if not self._labels or self._labels[-1] != label:
            self._starts.append(start)
            self._labels.append(label)


def _archive(arrays: Mapping[str, "array[int]"]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, values in arrays.items():
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", _EPOCH), _npy(values))
    return file.getvalue()


def _npy(values: "array[int]") -> bytes:
    """`values` as numpy.load expects them: the NPY format 1.0 of numpy.lib.format, little-endian."""
    little = array(values.typecode, values)
    if sys.byteorder == "big":
        little.byteswap()
    kind = f"<u{values.itemsize}" if values.itemsize > 1 else "|u1"
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': ({len(values)},), }}".encode()
    magic = b"\x93NUMPY\x01\x00"
    padding = -(len(magic) + 2 + len(header) + 1) % _ALIGNMENT
    header += b" " * padding + b"\n"
    return magic + len(header).to_bytes(2, "little") + header + little.tobytes()
