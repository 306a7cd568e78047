"""Programs: an API key in the Authorization header, its scope, and how much of its allowance is left."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import Request
from starlette.responses import Response

from castline.accounts.limit import Allowance, TooMany
from castline.accounts.token import KeyRefused, authenticate, check_scope
from castline.base.clock import now
from castline.model.account import ApiKey
from castline.model.vocab import Scope
from castline.web.context import context_of

_bearer = HTTPBearer(scheme_name="api_key", description="An API key: `Bearer cl_...`", auto_error=False)


def _require(scope: Scope) -> Callable[[Request, Response, HTTPAuthorizationCredentials | None], ApiKey]:
    def require_key(
        request: Request,
        response: Response,
        given: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    ) -> ApiKey:
        if given is None:
            raise KeyRefused(detail="the request has no Authorization header with one")
        context = context_of(request)
        key = authenticate(context.store, given.credentials, at=now())
        check_scope(key, scope)
        response.headers.update(limit_headers(context.limits.check_key(key.api_key_id)))
        return key

    return require_key


def limit_headers(allowance: Allowance) -> dict[str, str]:
    """What is left, as in draft-ietf-httpapi-ratelimit-headers-10."""
    return {
        "ratelimit-policy": f'"key";q={allowance.limit};w=60',
        "ratelimit": f'"key";r={allowance.remaining};t={allowance.reset_seconds}',
    }


def spent_headers(error: TooMany) -> dict[str, str]:
    """The same when nothing is left."""
    limit, left = error.facts.get("limit"), error.facts.get("seconds")
    return {"ratelimit-policy": f'"key";q={limit};w=60', "ratelimit": f'"key";r=0;t={left}'}


Reader = Annotated[ApiKey, Depends(_require("read"))]
Writer = Annotated[ApiKey, Depends(_require("conversions:write"))]
