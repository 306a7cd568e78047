"""Messages for people go to stderr through one logger; data goes to stdout and never through here."""

import logging
import sys


def configure_log(*, verbose: bool) -> None:
    """Messages at INFO (or DEBUG) and above reach stderr, one line each."""
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(levelname)s %(name)s: %(message)s",
    )
    if not verbose:
        for chatty in ("asyncio", "procrastinate"):
            logging.getLogger(chatty).setLevel(logging.WARNING)
