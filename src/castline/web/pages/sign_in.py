"""The way in and out, and which account to act for."""

import hmac
import secrets
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Form
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from castline.accounts.limit import TooMany
from castline.accounts.session import Attempt, SignInRefused, load_accounts, sign_in, switch_account
from castline.base.clock import now
from castline.store.access.accounts import load_users
from castline.web.context import client_address, context_of
from castline.web.pages.render import render_page
from castline.web.pages.signed_in import (
    Visitor,
    drop_cookie,
    find_signed_in,
    session_cookie,
    set_cookie,
    sign_in_cookie,
)

router: Final = APIRouter(include_in_schema=False)
Text = Annotated[str, Form(max_length=1024)]


@router.get("/sign-in")
def show_sign_in(request: Request, next: str = "/") -> Response:  # noqa: A002  # the parameter's name in the address
    """The sign-in form; whoever is signed in already goes on."""
    if find_signed_in(request):
        return RedirectResponse(_own_path(next), 303)
    return _form(request, next)


@router.post("/sign-in")
def do_sign_in(
    request: Request,
    email: Text,
    password: Text,
    csrf_token: Text,
    next: Text = "/",  # noqa: A002
) -> Response:
    """A new session, or the form again with the reason."""
    context = context_of(request)
    if not context.origins.is_own(request.headers):
        raise HTTPException(403, "The form does not come from a page of this server.")
    kept = request.cookies.get(sign_in_cookie(request), "")
    if not kept or not hmac.compare_digest(kept.encode(), csrf_token.encode()):
        return _form(request, next, problem="The form was too old. Please try again.", status=403)
    attempt = Attempt(email, password, client_address(request) or "unknown", request.headers.get("user-agent"))
    try:
        signed = sign_in(context.store, context.sessions, context.limits, attempt, at=now())
    except SignInRefused as error:
        return _form(request, next, problem=error.message, email=email, status=401)
    except TooMany as error:
        return _form(request, next, problem=error.message, email=email, status=429)
    response = RedirectResponse(_own_path(next), 303)
    drop_cookie(request, response, sign_in_cookie(request))
    set_cookie(request, response, session_cookie(request), signed.session_id)
    return response


@router.post("/sign-out")
def do_sign_out(request: Request, visitor: Visitor) -> Response:
    """The session is over."""
    context_of(request).sessions.delete(visitor.session)
    response = RedirectResponse("/sign-in", 303)
    drop_cookie(request, response, session_cookie(request))
    response.headers["clear-site-data"] = '"cache"'
    return response


@router.get("/account")
def show_account(request: Request, visitor: Visitor) -> Response:
    """Who is signed in, for which accounts they may act, and where they are signed in."""
    context = context_of(request)
    facts = {
        "accounts": load_accounts(context.store, visitor.access.user),
        "sessions": context.sessions.load(visitor.session.user_id),
        "current": visitor.session.session_hash,
    }
    return render_page(request, "account.html", facts)


@router.post("/account/switch")
def do_switch(request: Request, visitor: Visitor, owner_id: Annotated[UUID, Form()]) -> Response:
    """The browser acts for another account, under a new session."""
    context = context_of(request)
    switched = switch_account(context.store, context.sessions, visitor.session, owner_id, at=now())
    response = RedirectResponse("/", 303)
    set_cookie(request, response, session_cookie(request), switched.session_id)
    return response


@router.post("/account/revoke")
def do_revoke(request: Request, visitor: Visitor, session_hash: Annotated[str, Form(max_length=64)]) -> Response:
    """One of the person's own sessions is over; any other hash changes nothing."""
    context = context_of(request)
    for session in context.sessions.load(visitor.session.user_id):
        if session.session_hash.hex() == session_hash:
            context.sessions.delete(session)
    return RedirectResponse("/account", 303)


def _form(request: Request, target: str, *, problem: str = "", email: str = "", status: int = 200) -> Response:
    token = secrets.token_urlsafe(32)
    with context_of(request).store.system() as connection:
        is_new = not load_users(connection)
    facts = {"token": token, "next": _own_path(target), "problem": problem, "email": email, "is_new": is_new}
    response = render_page(request, "sign_in.html", facts, status=status)
    set_cookie(request, response, sign_in_cookie(request), token)
    return response


def _own_path(target: str) -> str:
    """The target if it is a path of ours, else the dashboard: nobody is sent elsewhere after signing in."""
    is_path = target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable()
    return target if is_path else "/"
