"""The application: pages for people, /api/v1 for programs, the pixel for sponsors' pages."""

import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from fastapi import FastAPI
from starlette.types import ASGIApp

from castline import __version__
from castline.accounts.session import IDLE
from castline.base.clock import now
from castline.base.config import Settings
from castline.base.errors import CastlineError
from castline.intake.server import IntakeOptions, IntakeServer
from castline.store.pool import Store
from castline.web import health
from castline.web.api import ad_plays, figures, records
from castline.web.api.openapi import describe_app
from castline.web.context import Context, open_context
from castline.web.guard import Guard
from castline.web.hits import intake, pixel
from castline.web.pages import board, campaign, files, quarantine, sign_in
from castline.web.problems import add_error_answers

_log = logging.getLogger(__name__)
_SWEEP_SECONDS: Final = 60.0


class _Application(FastAPI):
    """FastAPI with the guard outermost, so that not even an error page leaves without its headers."""

    def build_middleware_stack(self) -> ASGIApp:
        return Guard(super().build_middleware_stack(), self.state.context.origins)

    def openapi(self) -> dict[str, Any]:
        return describe_app(self)


def create_app(store: Store, settings: Settings) -> FastAPI:
    """The web application over an open store; what it takes in waits for a drain (castline.intake.run)."""
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
    for part in (files, sign_in, board, quarantine, campaign, records, figures, ad_plays, pixel, intake, health):
        app.include_router(part.router)
    add_error_answers(app)
    return app


@asynccontextmanager
async def _live(app: FastAPI) -> AsyncIterator[None]:
    context: Context = app.state.context
    stop = threading.Event()
    sweep = threading.Thread(target=_sweep, args=(context, stop), name="sweep", daemon=True)
    sweep.start()
    desk = IntakeServer(context.settings.data_dir, IntakeOptions("strict", context.settings.trusted_proxies))
    desk.begin()
    app.state.desk = desk  # castline.web.hits.short_way's
    yield
    await desk.drain()
    stop.set()
    sweep.join(timeout=30)
    _tell_refused(context)
    context.intake.close()


def _sweep(context: Context, stop: threading.Event) -> None:
    """Sessions and cache entries that nobody can use any more take no room, looked at every so often."""
    while not stop.wait(_SWEEP_SECONDS):
        _tell_refused(context)
        try:
            context.sessions.delete_ended(now(), IDLE)
            context.cache.delete_expired()
        except CastlineError as error:
            _log.info("what has expired is deleted later: %s", error.message)


def _tell_refused(context: Context) -> None:
    try:
        context.hit_limit.flush()
    except OSError as error:
        _log.error("how many pixel hits were too many is told later: %s", error)
