"""Heads on the pages' port, read as strictly as at the intake's own.

h11 takes bare line feeds, folded headers, a length told twice or beside chunks; a proxy in front may read those
otherwise, and what one of the two takes for a body is a request to the other.
"""

from typing import Final

import h11

from castline.intake.request import BadRequest, parse_head

_END: Final = b"\r\n\r\n"
_ANY: Final = 2**63  # h11 bounds the head, and the API its bodies


class StrictHead(h11.Connection):
    """Raises what h11 raises, for every head that the intake would refuse for its shape."""

    _seen = 0  # how much of the head was looked at: what drips in is not read from its start each time

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        if self.their_state is h11.IDLE:
            self._seen = _check(self.trailing_data[0], self._seen)
        else:
            self._seen = 0
        return super().next_event()


def _check(data: bytes, seen: int) -> int:
    """How much has come of a head, all of it well formed, of which so much was `seen` to be.

    Raises h11.RemoteProtocolError.
    """
    new = data[max(seen - len(_END) + 1, 0) :]
    end = new.find(_END)
    if end < 0:
        # A line feed that the new part begins with was seen with what stands before it.
        if new[seen > 0 :].count(b"\n") != new.count(b"\r\n"):
            raise h11.RemoteProtocolError("a line ends in a bare line feed")
        return len(data)
    try:
        parse_head(data[: len(data) - len(new) + end + len(_END)], path_bytes=_ANY, body_bytes=_ANY)
    except BadRequest as refusal:
        raise h11.RemoteProtocolError(refusal.detail, error_status_hint=refusal.status) from refusal
    return 0
