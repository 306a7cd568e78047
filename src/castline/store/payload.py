"""JSON between PostgreSQL and Python: exact decimals both ways, keys in one order: equal values are equal bytes."""

from decimal import Decimal
from typing import Any

import msgspec

_encoder = msgspec.json.Encoder(decimal_format="number", order="deterministic")
_decoder = msgspec.json.Decoder(float_hook=Decimal)


def encode_json(value: object) -> bytes:
    """Compact JSON of dataclasses, mappings, UUIDs, times and decimals; equal values give equal bytes."""
    return _encoder.encode(value)


def decode_json(data: bytes | str) -> Any:
    """The JSON's values, with every fraction as an exact Decimal."""
    return _decoder.decode(data)
