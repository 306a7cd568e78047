"""The command line as a user has it: a process of its own, a data folder of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

import castline

_SECONDS = 240
_SOURCE = str(Path(castline.__file__).parents[1])


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> Any:
        """Its only JSON document, numbers exact."""
        return json.loads(self.out, parse_float=Decimal)


@dataclass(frozen=True, slots=True)
class Castline:
    """Runs commands on one data folder."""

    data_dir: Path
    environ: dict[str, str] = field(default_factory=dict)

    def __call__(self, *words: str, given: bytes = b"", **environ: str) -> Ended:
        """The command has ended, well or not, `given` this to read; no command ever shows a traceback."""
        done = self._run(words, given, environ, subprocess.PIPE)
        out, err = done.stdout.decode(), done.stderr.decode()
        assert "Traceback" not in out + err, err
        return Ended(done.returncode, out, err)

    def into(self, path: Path, *words: str) -> Ended:
        """The command has ended, its output written to `path`."""
        with path.open("wb") as file:
            done = self._run(words, b"", {}, file)
        err = done.stderr.decode()
        assert "Traceback" not in err, err
        return Ended(done.returncode, "", err)

    def _run(
        self, words: Sequence[str], given: bytes, environ: Mapping[str, str], out: int | BinaryIO
    ) -> subprocess.CompletedProcess[bytes]:
        taken = {"DATABASE_URL", "REDIS_URL", "CASTLINE_ACCOUNT"}
        inherited = {name: text for name, text in os.environ.items() if name not in taken}
        own = {"CASTLINE_DATA_DIR": str(self.data_dir), "PYTHONPATH": _SOURCE}
        return subprocess.run(
            [sys.executable, "-m", "castline", *words],
            input=given,
            stdout=out,
            stderr=subprocess.PIPE,
            timeout=_SECONDS,
            cwd=self.data_dir.parent,
            env={**inherited, **own, **self.environ, **environ},
            check=False,
        )

    def well(self, *words: str) -> Any:
        """What the command says as JSON; it has ended with exit code 0."""
        ended = self(*words, "--json")
        assert ended.code == 0, ended.err
        return ended.said if ended.out.strip() else None
