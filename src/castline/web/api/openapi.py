"""What the OpenAPI file says beyond what the handlers' types say."""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

_MEANINGS: Final = {
    401: "No valid key",
    403: "The key has not the scope",
    404: "Not there, or not of the key's account: both are answered alike",
    413: "The body is larger than 8 MiB",
    422: "What is wrong, by field",
    429: "Too many requests with this key; Retry-After says when to go on",
    503: "The store is away and nothing was taken; Retry-After says when to try again",
}
_PROBLEM: Final[dict[str, Any]] = {
    "title": "Problem",
    "description": "RFC 9457. `code` is stable, `fix` says how to mend it.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "fix": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}


def describe_refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems that a route may answer with, for its OpenAPI entry."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": _MEANINGS[status], "content": content} for status in statuses}


def describe_app(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI 3.1 description of the application's machine routes."""
    if app.openapi_schema is None:
        schema = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
        schema.setdefault("components", {}).setdefault("schemas", {})["Problem"] = _PROBLEM
        app.openapi_schema = schema
    return app.openapi_schema
