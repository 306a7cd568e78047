"""The one error tree: what went wrong, where, and how to mend it.

The first paragraph of an error's docstring is its message, filled with the facts it was raised with. `fix` is the
advice shown below it. Refused data is no error: it is a `Drop` (castline.model.lineage), counted and kept.
"""

import re
from typing import ClassVar, Final

from castline.base.text import printable

EXIT_FAILURE: Final = 1
EXIT_USAGE: Final = 2
EXIT_DOCTOR: Final = 3
EXIT_QUALITY: Final = 4
EXIT_SOURCE: Final = 5


class CastlineError(Exception):
    """castline could not do this: {detail}"""

    fix: ClassVar[str] = ""
    exit_code: ClassVar[int] = EXIT_FAILURE

    def __init__(self, **facts: object) -> None:
        self.facts = facts
        super().__init__(self.message)

    @property
    def code(self) -> str:
        """The error's stable name in JSON output and API problems: `unknown_currency`."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", type(self).__name__).lower()

    @property
    def message(self) -> str:
        """The docstring's first paragraph with this error's facts filled in, on one line that any terminal takes."""
        template = " ".join((type(self).__doc__ or "").strip().split("\n\n")[0].split())
        return printable(template.format_map(_Facts(self.facts)))

    @property
    def advice(self) -> str:
        """How to mend it, with this error's facts filled in; empty when there is nothing to advise."""
        return printable(self.fix.format_map(_Facts(self.facts)))


class _Facts(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return f"<{key}>"


class Terminal(CastlineError):
    """Trying again changes nothing: {detail}"""


class Transient(CastlineError):
    """It may work later: {detail}

    `retry_after` is in seconds, None when the other side did not say.
    """

    def __init__(self, *, retry_after: float | None = None, **facts: object) -> None:
        self.retry_after = retry_after
        super().__init__(**facts)


class InvalidInput(Terminal):
    """{field}: {detail}"""

    exit_code = EXIT_USAGE


class NotFound(Terminal):
    """No {noun} {key} in this account."""

    fix = "`castline {listed_by}` shows what there is."

    def __init__(self, **facts: object) -> None:
        super().__init__(**({"listed_by": f"{facts.get('noun')} list"} | facts))


class Ambiguous(Terminal):
    """{noun} {key} fits {count} rows: {candidates}"""

    fix = "Give the whole id."
    exit_code = EXIT_USAGE


class Conflict(Terminal):
    """{noun} {key} exists already: {detail}"""


class ConfigurationError(Terminal):
    """The setting {setting} cannot be used: {detail}"""

    fix = "Correct {setting}, or unset it to get its default."
    exit_code = EXIT_USAGE


class DatabaseUnavailable(Transient):
    """No PostgreSQL answers at {address}: {detail}"""

    fix = "Start it, or unset DATABASE_URL to let castline run its own server; `castline doctor` checks each step."


class SchemaOutdated(Terminal):
    """The database is at schema version {found}; this castline needs {needed}."""

    fix = "Run `castline admin migrate`."


class SourceUnavailable(Transient):
    """{source} could not be fetched: {detail}"""

    fix = "Check the address and this machine's network, then try again."
    exit_code = EXIT_SOURCE


class SourceUnreadable(Terminal):
    """{source} cannot be read: {detail}"""

    exit_code = EXIT_FAILURE
