"""Who is asking: the session of a cookie, the account it acts for, and the token that proves a form is ours."""

import hmac
from dataclasses import dataclass
from typing import Annotated, Final
from urllib.parse import quote

from fastapi import Depends
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from castline.accounts.session import IDLE, find_access, find_session
from castline.base.clock import now
from castline.model.account import Access, Session
from castline.web.context import context_of

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A request's session and what it may act for."""

    session: Session
    access: Access


def find_signed_in(request: Request) -> SignedIn | None:
    """Whoever the request's cookie signs in, None if nobody."""
    context = context_of(request)
    session_id = request.cookies.get(session_cookie(request))
    session = find_session(context.sessions, session_id, at=now()) if session_id else None
    access = find_access(context.store, session) if session else None
    if session is None or access is None:
        return None
    signed_in = SignedIn(session, access)
    request.state.signed_in = signed_in
    return signed_in


async def require_signed_in(request: Request) -> SignedIn:
    """Whoever is signed in; a browser that nobody is signed in with goes to the sign-in page.

    A request that changes something must also come from one of our own pages and bear the session's token.
    """
    from starlette.concurrency import run_in_threadpool  # noqa: PLC0415  # beside its one use

    signed_in = await run_in_threadpool(find_signed_in, request)
    if signed_in is None:
        raise _to_sign_in(request)
    if request.method not in SAFE_METHODS:
        await check_form(request, signed_in.session.csrf_token)
    return signed_in


async def check_form(request: Request, token: str) -> None:
    """The form was sent by one of our pages with this token. Raises HTTPException 403."""
    if not context_of(request).origins.is_own(request.headers):
        raise HTTPException(403, "The request does not come from a page of this server.")
    form = await request.form()
    given = request.headers.get("x-csrf-token") or form.get("csrf_token") or ""
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(), token.encode()):
        raise HTTPException(403, "The form is from an earlier session. Go back, load the page again, and repeat.")


def session_cookie(request: Request) -> str:
    """The session cookie's name: only https can have one that nothing but this very host can set."""
    return "__Host-castline" if _is_secure(request) else "castline"


def sign_in_cookie(request: Request) -> str:
    """The name of the cookie that the sign-in form's token must equal."""
    return "__Host-castline-form" if _is_secure(request) else "castline-form"


def set_cookie(request: Request, response: Response, name: str, value: str) -> None:
    """The browser keeps the value until it is closed, sends it here only, and shows it to no script."""
    response.set_cookie(name, value, path="/", secure=_is_secure(request), httponly=True, samesite="lax")


def drop_cookie(request: Request, response: Response, name: str) -> None:
    """The browser forgets the cookie."""
    response.delete_cookie(name, path="/", secure=_is_secure(request), httponly=True, samesite="lax")


def _is_secure(request: Request) -> bool:
    return context_of(request).origins.is_secure(request.headers.get("host", ""))


def _to_sign_in(request: Request) -> HTTPException:
    target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    address = f"/sign-in?next={quote(target, safe='')}"
    if request.headers.get("hx-request"):
        return HTTPException(
            401, f"The session ended after {IDLE.seconds // 60} idle minutes.", {"hx-redirect": address}
        )
    if request.method not in SAFE_METHODS:
        return HTTPException(401, "Sign in first.")
    return HTTPException(303, "Sign in first.", {"location": address})


Visitor = Annotated[SignedIn, Depends(require_signed_in)]
