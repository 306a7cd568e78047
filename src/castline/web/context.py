"""What every request can reach: the store, the doors beside it, and the settings."""

from dataclasses import dataclass
from ipaddress import ip_address
from typing import cast

from starlette.requests import HTTPConnection

from castline.accounts.limit import Limits
from castline.base.config import Settings
from castline.ingest.spool import Spool
from castline.store.cache import Cache, open_cache
from castline.store.pool import Store
from castline.store.sessions import SessionStore, open_sessions
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
    spool: Spool


def open_context(store: Store, settings: Settings) -> Context:
    """Everything that requests share, over this store."""
    cache = open_cache(store)
    return Context(
        store=store,
        settings=settings,
        sessions=open_sessions(store),
        cache=cache,
        limits=Limits(cache),
        origins=Origins(settings.public_url),
        spool=Spool(settings.data_dir / "intake"),
    )


def context_of(request: HTTPConnection) -> Context:
    """The application's context."""
    return cast(Context, request.app.state.context)


def client_address(request: HTTPConnection) -> str | None:
    """The address that the request came from; proxies are believed only where the settings name them.

    X-Forwarded-For is read from its end: each trusted proxy vouches for the one before it, and whatever stands left of
    the first address that is no proxy of ours could have been written by anybody.
    """
    trusted = context_of(request).settings.trusted_proxies
    address = request.client.host if request.client else None
    hops = [hop.strip() for line in request.headers.getlist("x-forwarded-for") for hop in line.split(",")]
    while address is not None and hops and _is_in(address, trusted):
        address = _bare(hops.pop())
    return address


def _is_in(text: str, networks: tuple[object, ...]) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return any(mapped in network for network in networks)  # type: ignore[operator]  # both families


def _bare(hop: str) -> str:
    """An address as some proxies write it, `[2001:db8::1]:443` or `192.0.2.1:443`, without brackets and port."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop
