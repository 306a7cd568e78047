"""What every request can reach: the store, the doors beside it, and the settings."""

from dataclasses import dataclass
from typing import cast

from starlette.requests import HTTPConnection

from castline.accounts.limit import Limits
from castline.base.config import Settings
from castline.ingest.segment_log import LOG_FOLDER, LogWriter
from castline.sources.proxies import find_client
from castline.store.access.sessions import SessionStore, open_sessions
from castline.store.cache import Cache, open_cache
from castline.store.pool import Store
from castline.web.hit_limit import HitLimit
from castline.web.origin import Origins


@dataclass(frozen=True, slots=True)
class Context:
    """Shared by every request of one application."""

    store: Store
    settings: Settings
    sessions: SessionStore
    cache: Cache
    limits: Limits
    origins: Origins
    intake: LogWriter
    hit_limit: HitLimit


def open_context(store: Store, settings: Settings) -> Context:
    """Everything that requests share, over this store."""
    cache = open_cache(store)
    intake = LogWriter(settings.data_dir / LOG_FOLDER, is_strict=True)
    return Context(
        store=store,
        settings=settings,
        sessions=open_sessions(store),
        cache=cache,
        limits=Limits(cache),
        origins=Origins(settings.public_url),
        intake=intake,
        hit_limit=HitLimit(intake),
    )


def context_of(request: HTTPConnection) -> Context:
    """The application's context."""
    return cast(Context, request.app.state.context)


def client_address(request: HTTPConnection) -> str | None:
    """The address that the request came from; proxies are believed only where the settings name them."""
    peer = request.client.host if request.client else None
    forwarded = request.headers.getlist("x-forwarded-for")
    return find_client(peer, forwarded, context_of(request).settings.trusted_proxies)
