"""Answers that a program may keep: the same content has the same tag, and is not sent twice."""

from hashlib import sha256

from starlette.requests import Request
from starlette.responses import Response

from castline.store.payload import decode_json, encode_json


def answer_json(request: Request, response: Response, value: object, *, volatile: tuple[str, ...] = ()) -> Response:
    """The value as JSON, or 304 if the program has it; `volatile` members do not make it another content."""
    content = encode_json(value)
    tagged = content
    if volatile:
        tagged = encode_json({name: item for name, item in decode_json(content).items() if name not in volatile})
    tag = f'"{sha256(tagged).hexdigest()[:32]}"'
    headers = dict(response.headers) | {"etag": tag, "cache-control": "private, no-cache"}
    headers.pop("content-length", None)
    if tag in [item.strip() for item in request.headers.get("if-none-match", "").split(",")]:
        return Response(None, 304, headers)
    return Response(content, headers=headers, media_type="application/json")
