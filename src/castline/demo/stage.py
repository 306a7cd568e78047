"""Where the demo plays: a data folder of its own, its own server, and the commands that a reader would type."""

import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from castline.base.errors import EXIT_USAGE, Terminal
from castline.store.embedded.server import remove_embedded
from castline.store.folders import make_data_folder

# Runs one command of the CLI as typed, with --json; gives what it printed, decoded.
RunCommand = Callable[[Sequence[str]], Any]
MARK: Final = "this-is-a-demo"
EMAIL: Final = "demo@castline.example"


class NotADemoFolder(Terminal):
    """The folder {folder} holds something other than a demo, and the demo starts afresh."""

    fix = "Point CASTLINE_DATA_DIR to an empty or missing folder, or unset it."
    exit_code = EXIT_USAGE


class NoDemoYet(Terminal):
    """There is no demo in {folder} yet."""

    fix = "`castline demo` makes one."


class CommandFailed(Terminal):
    """`{command}` ended with exit code {code}: {detail}"""

    fix = "{advice}"


@dataclass(frozen=True, slots=True)
class Stage:
    """A demo under way: `do` runs a command and shows it."""

    data_dir: Path
    output: Path
    run_command: RunCommand
    progress: Progress
    shown: list[str]

    def do(self, *words: str, brief: str | None = None) -> Any:
        """The decoded output of one command; `brief` stands for it where the words would fill the screen."""
        line = f"castline {brief or shlex.join(words)}"
        kind = " ".join(word for word in words[:2] if word.isascii() and word.islower())
        if kind not in self.shown:
            self.progress.console.print(f"[dim]$[/] {line}", highlight=False, soft_wrap=True, markup=True)
            self.shown.append(kind)
        self.progress.update(self.progress.task_ids[0], description=f"castline {kind}")
        found = self.run_command(words)
        self.progress.advance(self.progress.task_ids[0])
        return found

    def note(self, text: str) -> None:
        """What happens without a command is told."""
        self.progress.console.print(f"[dim]#[/] {text}", highlight=False, soft_wrap=True)


def open_demo_account(stage: Stage) -> dict[str, Any]:
    """The account that the demo acts for, with its password."""
    account: dict[str, Any] = stage.do(
        "admin", "create", "--email", EMAIL, "--name", "Demo", "--tier", "professional", "--generate"
    )
    return account


def demo_folder(environ: dict[str, str] | None = None) -> Path:
    """The demo's data folder: CASTLINE_DATA_DIR, else `castline-demo` beside where castline keeps its own."""
    environ = dict(os.environ) if environ is None else environ
    if chosen := environ.get("CASTLINE_DATA_DIR"):
        return Path(chosen).expanduser().absolute()
    base = environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "castline-demo"


def clear_folder(folder: Path) -> None:
    """The folder is an empty demo folder. Raises NotADemoFolder, EmbeddedBusy."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARK).exists():
            raise NotADemoFolder(folder=folder)
        remove_embedded(folder)
        shutil.rmtree(folder)
    make_data_folder(folder)
    (folder / MARK).write_text("castline demo may delete this folder.\n", encoding="utf-8")


@contextmanager
def demo_environment(folder: Path) -> Iterator[None]:
    """Commands act on the demo's folder and account, may fetch from the loopback interface, and trust its word."""
    changed = {
        "CASTLINE_DATA_DIR": str(folder),
        "CASTLINE_ACCOUNT": EMAIL,
        "CASTLINE_ALLOW_PRIVATE_ADDRESSES": "yes",
        "CASTLINE_TRUSTED_PROXIES": "127.0.0.1/32",
    }
    # The demo starts afresh each time, which nobody wants of a database of their own.
    taken = {name: os.environ.get(name) for name in (*changed, "DATABASE_URL")}
    os.environ.pop("DATABASE_URL", None)
    os.environ.update(changed)
    try:
        yield
    finally:
        for name, text in taken.items():
            if text is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = text


@contextmanager
def show_progress(total: int) -> Iterator[Progress]:
    """A progress bar on stderr while the context lasts; without a terminal only the commands are shown."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        progress.add_task("castline", total=total)
        yield progress


def castline_command() -> str:
    """How this castline is called from a shell."""
    own = Path(sys.argv[0])
    return str(own) if own.name == "castline" else f"{shlex.quote(sys.executable)} -m castline"


def dashboard_command(folder: Path) -> str:
    """The line that opens the dashboard on the demo's world."""
    return f"CASTLINE_DATA_DIR={shlex.quote(str(folder))} {castline_command()} serve"
