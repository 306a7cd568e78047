"""The application: pages for people, /api/v1 for programs, the pixel for sponsors' pages."""

import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Final

from fastapi import FastAPI
from starlette.types import ASGIApp

from castline import __version__
from castline.accounts.session import IDLE
from castline.base.clock import now
from castline.base.config import Settings
from castline.base.errors import CastlineError
from castline.ingest.drain import drain_spool
from castline.store.pool import Store
from castline.web import api, board, campaign, files, health, intake, pixel, sign_in
from castline.web.context import Context, open_context
from castline.web.guard import Guard
from castline.web.openapi import describe_app
from castline.web.problems import add_error_answers

_log = logging.getLogger(__name__)
_DRAIN_SECONDS: Final = 2.0
_SWEEP_EVERY: Final = timedelta(minutes=10)


class _Application(FastAPI):
    """FastAPI with the guard outermost, so that not even an error page leaves without its headers."""

    def build_middleware_stack(self) -> ASGIApp:
        return Guard(super().build_middleware_stack(), self.state.context.origins)

    def openapi(self) -> dict[str, Any]:
        return describe_app(self)


def create_app(store: Store, settings: Settings) -> FastAPI:
    """The web application over an open store; the spool of pixel hits is drained while it runs."""
    app = _Application(
        title="castline",
        version=__version__,
        summary="Podcast analytics and sponsorship: every figure traceable to its source.",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # its pages load scripts from elsewhere
        redoc_url=None,
        lifespan=_live,
        separate_input_output_schemas=False,
    )
    app.state.context = open_context(store, settings)
    for part in (files, sign_in, board, campaign, api, pixel, intake, health):
        app.include_router(part.router)
    add_error_answers(app)
    return app


@asynccontextmanager
async def _live(app: FastAPI) -> AsyncIterator[None]:
    context: Context = app.state.context
    stop = threading.Event()
    drain = threading.Thread(target=_drain, args=(context, stop), name="drain", daemon=True)
    drain.start()
    yield
    stop.set()
    drain.join(timeout=30)
    context.spool.close()
    context.intake.close()


def _drain(context: Context, stop: threading.Event) -> None:
    is_away, swept_at = False, now()
    while True:
        try:
            drain_spool(context.store, context.spool)
            if now() - swept_at >= _SWEEP_EVERY:
                swept_at = now()
                _sweep(context, swept_at)
            is_away = False
        except CastlineError as error:
            if not is_away:  # once, not every two seconds
                _log.warning("pixel hits wait on the disk: %s", error.message)
            is_away = True
        except Exception:  # noqa: BLE001  # nothing that a page sent may end the drain
            _log.exception("pixel hits wait on the disk")
        if stop.wait(_DRAIN_SECONDS):
            return


def _sweep(context: Context, at: datetime) -> None:
    """Sessions and cache entries that nobody can use any more take no room."""
    context.sessions.delete_ended(at, IDLE)
    context.cache.delete_expired()
