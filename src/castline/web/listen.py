"""The socket to listen on, bound before anything says that it answers."""

import os
import socket

from castline.base.errors import Terminal


class AddressTaken(Terminal):
    """castline cannot listen on {host}:{port}: {detail}"""

    fix = "Choose another port with --port, 0 for any free one; --host takes an address of this machine."


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises AddressTaken."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        sock = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise AddressTaken(host=host, port=port, detail=_explain(error)) from error
    sock.settimeout(0)
    return sock


def _explain(error: OSError) -> str:
    """The system's words: Python adds to them what it was doing, and names that are not found have negative numbers."""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)


def page_address(sock: socket.socket) -> str:
    """The address of the pages that are served on the socket."""
    host, port = sock.getsockname()[:2]
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{name}:{port}"
