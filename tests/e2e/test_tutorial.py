"""The tutorial as a reader types it: each command ends well, and what the page says comes out comes out."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import castline
from castline.store.embedded.server import remove_embedded, start_embedded

PAGE = Path(__file__).parents[2] / "docs" / "tutorial.md"
_BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_SECONDS = 200


@dataclass(frozen=True, slots=True)
class Step:
    """A block of commands, and the lines that the page shows next as their output."""

    commands: str
    shown: tuple[str, ...]


def read_steps(text: str) -> list[Step]:
    """The page's commands in their order, each block with the output that follows it."""
    steps: list[Step] = []
    for kind, body in _BLOCK.findall(text):
        if kind == "sh":
            steps.append(Step(body, ()))
        else:
            steps[-1] = Step(steps[-1].commands, tuple(squeeze(line) for line in body.splitlines()))
    return steps


def squeeze(line: str) -> str:
    return " ".join(line.split())


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A shell's variables with `castline` on the path and a data folder where nothing is yet."""
    programs, data_dir = tmp_path / "bin", tmp_path / "data"
    programs.mkdir()
    program = programs / "castline"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m castline "$@"\n')
    program.chmod(0o755)
    foreign = {"DATABASE_URL", "REDIS_URL", "CASTLINE_ACCOUNT"}
    inherited = {name: text for name, text in os.environ.items() if name not in foreign}
    with start_embedded(data_dir):
        yield inherited | {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PYTHONPATH": str(Path(castline.__file__).parents[1]),
            "CASTLINE_DATA_DIR": str(data_dir),
        }
    remove_embedded(data_dir)


def test_each_step_of_the_tutorial_does_what_the_page_says(environment: dict[str, str], tmp_path: Path) -> None:
    steps = read_steps(PAGE.read_text("utf-8"))
    assert [len(step.shown) for step in steps] == [0, 0, 7, 0, 5, 1]
    for step in steps:
        done = subprocess.run(
            ["/bin/sh", "-e"],
            input=step.commands,
            text=True,
            capture_output=True,
            timeout=_SECONDS,
            cwd=tmp_path,
            env=environment,
            check=False,
        )
        assert (done.returncode, "Traceback" in done.stderr) == (0, False), step.commands + done.stderr
        told = squeeze(done.stdout + done.stderr)
        assert [line for line in step.shown if line not in told] == []
