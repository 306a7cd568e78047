"""Answers as bytes."""

import time
from http import HTTPStatus
from typing import Final
from wsgiref.handlers import format_date_time

from castline.intake.answer import REDIRECT_HEADERS, Answer, compute_failed

_NO_BODY: Final = frozenset({204, 304})


def encode_answer(answer: Answer, *, is_head: bool, connection: bytes) -> tuple[bytes, bytes]:
    """The answer, and what is sent instead where its record could not be kept.

    `connection` is told where HTTP's version does not say it.
    """
    sent = _encode(answer, is_head=is_head, connection=connection)
    failed = compute_failed(answer)
    return sent, sent if failed is answer else _encode(failed, is_head=is_head, connection=connection)


def encode_refusal(status: int, detail: str) -> bytes:
    """An answer that ends the connection."""
    text = Answer(status, ((b"Content-Type", b"text/plain; charset=utf-8"),), f"{detail}\n".encode())
    return _encode(text, is_head=False, connection=b"close")


def encode_redirect_start(at: float) -> bytes:
    """The answer of a redirect up to the address that it leads to; true for a second."""
    headers = b"".join(name + b": " + value + b"\r\n" for name, value in REDIRECT_HEADERS)
    return b"HTTP/1.1 302 Found\r\nDate: %b\r\nContent-Length: 0\r\n%bLocation: " % (_date(at), headers)


def _encode(answer: Answer, *, is_head: bool, connection: bytes) -> bytes:
    lines = [
        b"HTTP/1.1 %d %b" % (answer.status, HTTPStatus(answer.status).phrase.encode()),
        b"Date: " + _date(time.time()),
        *(name + b": " + value for name, value in answer.headers),
    ]
    if answer.status not in _NO_BODY:
        lines.append(b"Content-Length: %d" % len(answer.body))
    if connection:
        lines.append(b"Connection: " + connection)
    body = b"" if is_head or answer.status in _NO_BODY else answer.body
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def _date(at: float) -> bytes:
    return format_date_time(at).encode()
