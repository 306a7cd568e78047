"""The socket to listen on, bound before anything says that it answers."""

import socket

from castline.base.errors import Terminal


class AddressTaken(Terminal):
    """castline cannot listen on {host}:{port}: {detail}"""

    fix = "Choose another with --port, or --port 0 for any free one."


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises AddressTaken."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        sock = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise AddressTaken(host=host, port=port, detail=error.strerror or error) from error
    sock.settimeout(0)
    return sock


def page_address(sock: socket.socket) -> str:
    """The address of the pages that are served on the socket."""
    host, port = sock.getsockname()[:2]
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{name}:{port}"
