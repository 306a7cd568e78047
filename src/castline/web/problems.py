"""Errors as answers: RFC 9457 problems for machines, a page for people, and one table from error to status."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from castline.accounts.limit import TooMany
from castline.accounts.session import SignInRefused
from castline.accounts.token import KeyRefused, ScopeMissing
from castline.base.errors import CastlineError, Conflict, InvalidInput, NotFound, Transient
from castline.store.pool import NotAllowed
from castline.web.api.key_access import spent_headers
from castline.web.pages.render import render_page

_log = logging.getLogger(__name__)

# The first class that fits decides.
STATUSES: Final[tuple[tuple[type[CastlineError], int], ...]] = (
    (KeyRefused, 401),
    (SignInRefused, 401),
    (ScopeMissing, 403),
    (NotAllowed, 404),
    (NotFound, 404),
    (Conflict, 409),
    (InvalidInput, 422),
    (TooMany, 429),
    (Transient, 503),
)
_RETRY_SECONDS: Final = 5
_UNKNOWN: Final = "There is nothing here, or nothing of yours."


def add_error_answers(app: FastAPI) -> None:
    """Every error leaves as a problem below /api/, as a page elsewhere, and never as a traceback."""
    app.add_exception_handler(CastlineError, _answer_castline)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_exception_handler(ClientDisconnect, _answer_nobody)
    app.add_exception_handler(Exception, _answer_unexpected)


def status_of(error: CastlineError) -> int:
    """The HTTP status of an error."""
    return next((status for kind, status in STATUSES if isinstance(error, kind)), 500)


def build_problem(status: int, code: str, detail: str, fix: str = "") -> dict[str, object]:
    """The members of an RFC 9457 problem; `code` is stable, `fix` is how to mend it."""
    problem: dict[str, object] = {
        "type": f"urn:castline:problem:{code}",
        "title": code.replace("_", " "),
        "status": status,
        "code": code,
        "detail": detail,
    }
    return problem | ({"fix": fix} if fix else {})


def _answer_castline(request: Request, error: Exception) -> Response:
    if not isinstance(error, CastlineError):
        raise TypeError(type(error).__name__)
    status = status_of(error)
    if status == HTTPStatus.NOT_FOUND:
        # One answer for what is not there and for what is another account's.
        return _answer(request, build_problem(404, "not_found", _UNKNOWN), {})
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("%s %s: %s", request.method, request.url.path, error.message)
    headers = _headers_of(error)
    return _answer(request, build_problem(status, error.code, error.message, error.advice), headers)


def _headers_of(error: CastlineError) -> dict[str, str]:
    if isinstance(error, Transient):
        wait = {"retry-after": str(max(1, round(error.retry_after or _RETRY_SECONDS)))}
        return wait | (spent_headers(error) if isinstance(error, TooMany) else {})
    return {"www-authenticate": 'Bearer realm="castline"'} if isinstance(error, KeyRefused) else {}


def _answer_invalid(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise TypeError(type(error).__name__)
    errors = [
        {"field": ".".join(str(part) for part in item["loc"][1:]) or str(item["loc"][0]), "detail": item["msg"]}
        for item in error.errors()
    ]
    detail = "; ".join(f"{item['field']}: {item['detail']}" for item in errors)
    if any(item["loc"][0] == "path" for item in error.errors()):
        return _answer(request, build_problem(404, "not_found", _UNKNOWN), {})
    return _answer(request, build_problem(422, "invalid_input", detail) | {"errors": errors}, {})


def _answer_http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise TypeError(type(error).__name__)
    if error.status_code < HTTPStatus.BAD_REQUEST:
        return Response(None, error.status_code, error.headers)
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_").replace("-", "_")
    detail = _UNKNOWN if error.status_code == HTTPStatus.NOT_FOUND else str(error.detail)
    return _answer(request, build_problem(error.status_code, code, detail), error.headers or {})


def _answer_nobody(request: Request, error: Exception) -> Response:  # noqa: ARG001  # starlette's signature
    # The client went in the middle of its body: no fault of ours, and no reason to fill the log.
    return Response(None, 400)


def _answer_unexpected(request: Request, error: Exception) -> Response:
    _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    detail = "castline failed on this request; its log says why."
    return _answer(request, build_problem(500, "internal_error", detail), {})


def _answer(request: Request, problem: dict[str, object], headers: Mapping[str, str]) -> Response:
    status = int(str(problem["status"]))
    if request.url.path.startswith("/api/"):
        return JSONResponse(problem, status, dict(headers), media_type="application/problem+json")
    return render_page(request, "error.html", {"problem": problem}, status=status, headers=headers)
