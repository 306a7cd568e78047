"""The command line: nouns with verbs. Data goes to stdout, messages to stderr, and every command has --json.

Modules are imported when their command runs, so that `castline --help` answers at once.
"""

import sys
from importlib import import_module
from typing import Final, NoReturn

import click

from castline import __version__
from castline.base.errors import EXIT_FAILURE, EXIT_USAGE, CastlineError, Terminal

# Name -> (module, help). The module holds a click command of the same name.
COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "about": ("about", "What is built in: licences, data and their dates."),
    "admin": ("admin", "Accounts, keys and the schema."),
    "agents": ("agents", "User agents: classify, and the lists that tell."),
    "attribution": ("attribution", "Credit conversions to campaigns."),
    "batch": ("ledger", "What came in: every delivered file and body."),
    "campaign": ("campaign", "What was sold: add, list, move on."),
    "conversion": ("conversion", "Orders, sign-ups and refunds."),
    "demo": ("demo", "A whole world, or your own feed and log, from input to report."),
    "doctor": ("doctor", "Check this installation and name each fix."),
    "episode": ("episode", "The episodes of a show, their files and addresses."),
    "feed": ("feed", "Shows from their feeds: add, parse, poll."),
    "geo": ("geo", "The country and network tables: show, update."),
    "intake": ("intake", "The redirect prefix and what players tell, answered without a database."),
    "lineage": ("lineage", "Where every table's rows come from and go to."),
    "log": ("log", "Access logs into the landing zone."),
    "measure": ("measure.group", "Requests to downloads, by the rules."),
    "quarantine": ("ledger", "Refused rows: list, replay."),
    "rate": ("rate", "Exchange rates for conversions in other currencies."),
    "report": ("report", "The sponsor's report in PDF, XLSX, CSV and JSON."),
    "retention": ("retention", "Delete what has passed its retention."),
    "roi": ("roi", "What a campaign cost and brought."),
    "run": ("ledger", "The ledger of runs."),
    "serve": ("serve", "Web and worker in one process."),
    "slot": ("slot", "Ad slots and placements by hand."),
    "sponsor": ("sponsor", "Who paid: add, list."),
    "web": ("serve", "The pages and the API alone."),
    "worker": ("serve", "The scheduled work alone."),
}


class SystemRefused(Terminal):
    """{place} cannot be used: {detail}"""

    fix = "Check that it exists, that you may read and write it, and that the disk has room."


class MisusedCommand(Terminal):
    """{detail}"""

    fix = "`{command} --help` shows what it takes."
    exit_code = EXIT_USAGE


class UnexpectedFault(Terminal):
    """castline met something it does not know: {kind}: {detail}"""

    fix = "This is a fault in castline; `castline --verbose ...` shows where it happened."


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"castline.cli.{COMMANDS[cmd_name][0]}")
        command = getattr(module, cmd_name)
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="castline")
@click.option("--account", metavar="EMAIL", envvar="CASTLINE_ACCOUNT", help="Act for this account.")
@click.option("-v", "--verbose", is_flag=True, help="Say more on stderr.")
@click.pass_context
def castline(ctx: click.Context, account: str | None, verbose: bool) -> None:
    """Open podcast analytics and sponsorship: every figure traceable to its source."""
    from castline.base.log import configure_log  # the start stays fast

    configure_log(verbose=verbose)
    ctx.obj = account


def main() -> NoReturn:
    """Runs one command and exits: 0 ok, 1 failure, 2 usage, 3 doctor, 4 quality gate, 5 source unavailable."""
    try:
        code = castline.main(prog_name="castline", standalone_mode=False)
    except click.exceptions.Abort:
        _say("stopped")
        sys.exit(130)
    except click.ClickException as error:
        _show_misuse(error)
        sys.exit(error.exit_code)
    except CastlineError as error:
        show_error(error)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader of our output left, as `head` does; what is still buffered has nowhere to go.
        sys.stdout = None
        sys.exit(EXIT_FAILURE)
    except Exception as error:  # noqa: BLE001  # the last door: a traceback tells people nothing
        show_error(_translate(error))
        sys.exit(EXIT_FAILURE)
    sys.exit(code if isinstance(code, int) else 0)


def _translate(error: Exception) -> CastlineError:
    """What the operating system refused, or a fault of ours, as an error for people; --verbose logs where."""
    from logging import getLogger

    getLogger(__name__).debug("where it happened", exc_info=error)
    if isinstance(error, OSError):
        # Writing to what is open already names no file, such as the output that another program reads.
        place = error.filename if error.filename is not None else "the output, or a file that is written,"
        return SystemRefused(place=place, detail=error.strerror or str(error))
    return UnexpectedFault(kind=type(error).__name__, detail=" ".join(str(error).split())[:500])


def _show_misuse(error: click.ClickException) -> None:
    """How the command is used and what was wrong is on stderr; as JSON when the command was asked for JSON."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    if "--json" in sys.argv and context is not None:
        show_error(MisusedCommand(detail=error.format_message(), command=context.command_path))
    else:
        error.show()


def show_error(error: CastlineError) -> None:
    """The error's message and its fix are on stderr; as JSON when the command was asked for JSON."""
    if "--json" in sys.argv:
        from castline.store.payload import encode_json

        body = {"error": error.code, "message": error.message, "fix": error.advice or None}
        _say(encode_json(body).decode())
        return
    _say(f"{click.style('error:', fg='red', bold=True)} {error.message}")
    if error.advice:
        _say(f"  {click.style('fix:', bold=True)} {error.advice}")


def _say(message: str) -> None:
    from castline.cli.output import say  # the start stays fast

    say(message)
