"""Figures as canonical bytes and their hash."""

from hashlib import sha256
from typing import Final

import msgspec

from castline.base.errors import Terminal
from castline.model.figures import ReportFigures

# Fields in the order of their names too, so that canonical JSON is the same read back by anyone who sorts keys.
_ENCODER: Final = msgspec.json.Encoder(decimal_format="number", order="sorted")
_ID_LENGTH: Final = 12  # 48 bits: enough to tell an account's reports apart and short enough to read out


class FiguresUnreadable(Terminal):
    """These are not the figures of a report: {detail}"""


def freeze_figures(figures: ReportFigures) -> bytes:
    """The figures as JSON with sorted keys and exact decimals: equal figures give equal bytes."""
    return _ENCODER.encode(figures)


def thaw_figures(content: bytes) -> ReportFigures:
    """The figures of frozen bytes. Raises FiguresUnreadable."""
    try:
        return msgspec.json.decode(content, type=ReportFigures)
    except msgspec.MsgspecError as error:
        raise FiguresUnreadable(detail=str(error)) from error


def compute_hash(frozen: bytes) -> bytes:
    """SHA-256 of frozen figures, which every format of a report shares."""
    return sha256(frozen).digest()


def name_report(content_hash: bytes) -> str:
    """The id that stands on a report: the beginning of its hash, so that equal figures have one id."""
    return content_hash.hex()[:_ID_LENGTH].upper()
