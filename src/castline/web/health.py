"""Whether this server answers, for whatever watches it; says nothing about anybody's data."""

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request

from castline.web.context import context_of

router: Final = APIRouter(tags=["health"])


@router.get("/api/v1/health", summary="Whether the server and its store answer")
def show_health(request: Request) -> dict[str, str]:
    """`ok`, or 503 with the reason."""
    with context_of(request).store.system() as connection:
        connection.execute("select 1")
    return {"status": "ok"}
