"""castline serve, web, worker: the long-running parts, together or apart."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import click

from castline.base.config import Settings, load_settings
from castline.base.errors import InvalidInput
from castline.cli.output import say
from castline.cli.signals import set_on_signal

if TYPE_CHECKING:
    from castline.store.pool import Store

PORT: Final = 8321
_LAST_PORT: Final = 65535
_CONNECTIONS: Final = 10
_WORKER_SECONDS: Final = 10.0  # the worker itself gives a job eight
_address_options = (
    click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on."),
    click.option("--port", default=PORT, show_default=True, type=click.IntRange(0, 65535), help="0: any free one."),
    click.option(
        "--plain-http", is_flag=True, help="Listen beyond this machine although CASTLINE_PUBLIC_URL is no https."
    ),
)


def _with_address(command: "click.decorators.FC") -> "click.decorators.FC":
    for option in reversed(_address_options):
        command = option(command)
    return command


@click.command()
@_with_address
@click.option("--open", "open_page", is_flag=True, help="Open the dashboard in a browser.")
@click.option("--intake-port", type=click.IntRange(0, 65535), help="For redirects and players; the next after --port.")
def serve(host: str, port: int, plain_http: bool, open_page: bool, intake_port: int | None) -> None:
    """Serve the pages, the API and the intake, and do the scheduled work, until it is stopped."""
    settings = load_settings()
    check_host(settings, host, plain_http=plain_http)
    if intake_port is None:
        intake_port = port + 1 if 0 < port < _LAST_PORT else 0
    with _opened(settings) as store, _working(store) as work, _taking_in(store, host, intake_port):
        run_web(store, host, port, open_page=open_page)
        work.stop.set()  # its grace and that of the intake are one
    work.leave()


@click.command()
@_with_address
def web(host: str, port: int, plain_http: bool) -> None:
    """Serve the pages and the API alone."""
    settings = load_settings()
    check_host(settings, host, plain_http=plain_http)
    with _opened(settings) as store, _landing(store):
        run_web(store, host, port)


@click.command()
def worker() -> None:
    """Do the scheduled work alone, until it is stopped."""
    with _opened(load_settings()) as store, _working(store) as work:
        set_on_signal(work.stop)
        say("The worker works; stop it with Ctrl+C.")
        work.stop.wait()
    work.leave()


def check_host(settings: Settings, host: str, *, plain_http: bool) -> None:
    """Passwords may travel to whoever can reach this address. Raises InvalidInput where that is not safe."""
    if is_loopback(host) or urlsplit(settings.public_url).scheme == "https":
        return
    if not plain_http:
        raise InvalidInput(
            field="--host",
            detail=f"{host} is reachable from other machines, and passwords would cross the network in the clear."
            " Put a proxy with TLS before it and set CASTLINE_PUBLIC_URL to its https address, or say --plain-http",
        )
    say(f"warning: {host} is served without TLS; whoever shares the network can read passwords and keys.")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def run_web(store: "Store", host: str, port: int, *, open_page: bool = False) -> None:
    """Serves until SIGTERM or SIGINT; open requests are answered first."""
    import uvicorn

    from castline.intake.room import raise_limit
    from castline.web.app import create_app
    from castline.web.hits.short_way import ShortWay
    from castline.web.listen import bind, page_address

    raise_limit()
    with bind(host, port) as sock:
        address = page_address(sock)
        settings = store.settings
        if is_loopback(host) and urlsplit(settings.public_url).scheme == "http":
            # What pages say of themselves (the pixel's address) is where they are really served.
            settings = replace(settings, public_url=address)
        app = create_app(replace(store, settings=settings), settings)
        config = uvicorn.Config(
            app,
            http=ShortWay,
            log_level="warning",
            access_log=False,
            proxy_headers=False,  # whom to believe is the settings' to say, see castline.web.context
            server_header=False,
            timeout_graceful_shutdown=20,
        )
        server = uvicorn.Server(config)
        for number in (signal.SIGTERM, signal.SIGINT):
            # uvicorn listens once it runs and raises the signal again at its end; then the store has to be closed yet.
            signal.signal(number, lambda *_: setattr(server, "should_exit", True))
        say(f"castline answers at {address} (Ctrl+C stops it)")
        if open_page:
            click.launch(address)
        server.run(sockets=[sock])


@contextmanager
def _opened(settings: Settings) -> "Iterator[Store]":
    from castline.store.pool import open_store

    with open_store(settings, connection_count=_CONNECTIONS) as store:
        yield store


@contextmanager
def _taking_in(store: "Store", host: str, port: int) -> Iterator[None]:
    """The intake answers on a port of its own, and what it takes is landed, beside what the block does."""
    from castline.intake.run import intake_beside
    from castline.intake.server import IntakeOptions
    from castline.web.listen import AddressTaken, bind, page_address

    options = IntakeOptions(trusted_proxies=store.settings.trusted_proxies)
    with ExitStack() as stack:
        stack.enter_context(_landing(store))
        try:
            sock = stack.enter_context(bind(host, port))
        except AddressTaken as error:
            say(f"warning: {error.message}; the pages' own port takes redirects and events meanwhile, more slowly.")
        else:
            stack.enter_context(intake_beside(store.settings.data_dir, sock, options))
            say(f"castline takes in at {page_address(sock)}")
        yield


def _landing(store: "Store") -> AbstractContextManager[None]:
    """What was taken in, here or by another process over the same data folder, is landed beside what the block does."""
    from castline.intake.run import drain_beside

    return drain_beside(lambda: nullcontext(store))


@dataclass(frozen=True, slots=True)
class _Work:
    """The scheduled work, in a thread."""

    thread: threading.Thread
    stop: threading.Event

    def leave(self) -> None:
        """The process ends even if a job still computes: its transaction was rolled back, so nothing is half done."""
        if self.thread.is_alive():
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)


@contextmanager
def _working(store: "Store") -> Iterator[_Work]:
    """The scheduled work goes on in a thread beside what the block does."""
    from castline.jobs.worker import run_worker

    stop = threading.Event()
    thread = threading.Thread(target=run_worker, args=(store, stop), name="worker", daemon=True)
    thread.start()
    try:
        yield _Work(thread, stop)
    finally:
        stop.set()
        thread.join(timeout=_WORKER_SECONDS)
