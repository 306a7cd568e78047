"""What stands before every handler: known names only, no endless bodies, and the security headers on every answer."""

from collections.abc import Mapping
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from castline.intake.answer import EVENTS_PATH
from castline.intake.request import BODY_BYTES
from castline.web.origin import Origins

MiB: Final = 1 << 20
_FORM_BYTES: Final = 64 * 1024
_API_BYTES: Final = 8 * MiB
_EVENTS: Final = EVENTS_PATH.decode()

# No inline script or style anywhere, nothing from elsewhere; charts are SVG with presentation attributes.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self';"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": _POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cache-control": "no-store",
}
_LONG: Final = "max-age=31536000; includeSubDomains"


class BodyTooLarge(HTTPException):
    """More came than the path takes, though nobody had announced it."""

    def __init__(self, limit: int) -> None:
        super().__init__(413, f"The body is larger than {limit} bytes. Send it in several requests.")


class Guard:
    """An ASGI application around another: refuses what no handler should see, and dresses every answer."""

    def __init__(self, app: ASGIApp, origins: Origins) -> None:
        self._app = app
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        dressed = self._dressed(send, secure=self._origins.is_secure(headers.get("host", "")))
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await refusal(scope, receive, dressed)
            return
        await self._app(scope, _capped(receive, _limit(scope)), dressed)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        if not self._origins.knows(headers.get("host", "")):
            return PlainTextResponse("This server does not answer to that name.\n", 421)
        if "transfer-encoding" in headers and "content-length" in headers:
            # Whoever stands before us may go by the other one, and take the rest for the next request.
            told = {"connection": "close"}
            return PlainTextResponse("The body's length is told in two ways.\n", 400, told)
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > _limit(scope):
            return _too_large(scope)
        return None

    @staticmethod
    def _dressed(send: Send, *, secure: bool) -> Send:
        async def send_dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if secure:
                    headers.setdefault("strict-transport-security", _LONG)
            await send(message)

        return send_dressed


def _limit(scope: Scope) -> int:
    if scope["path"] == _EVENTS:
        return BODY_BYTES
    return _API_BYTES if scope["path"].startswith("/api/") else _FORM_BYTES


def _capped(receive: Receive, limit: int) -> Receive:
    taken = 0

    async def receive_capped() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > limit:
            raise BodyTooLarge(limit)
        return message

    return receive_capped


def _too_large(scope: Scope) -> Response:
    limit = _limit(scope)
    if not scope["path"].startswith("/api/"):
        return PlainTextResponse(f"The body is larger than {limit} bytes.\n", 413)
    problem = {
        "type": "urn:castline:problem:body_too_large",
        "title": "body too large",
        "status": 413,
        "code": "body_too_large",
        "detail": f"The body is larger than {limit} bytes.",
        "fix": "Send it in several requests.",
    }
    return JSONResponse(problem, 413, media_type="application/problem+json")
