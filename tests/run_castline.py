"""The command line as a user has it: a process of its own, a data folder of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

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
        taken = {"DATABASE_URL", "REDIS_URL", "CASTLINE_ACCOUNT"}
        inherited = {name: text for name, text in os.environ.items() if name not in taken}
        own = {"CASTLINE_DATA_DIR": str(self.data_dir), "PYTHONPATH": _SOURCE}
        done = subprocess.run(
            [sys.executable, "-m", "castline", *words],
            input=given,
            capture_output=True,
            timeout=_SECONDS,
            cwd=self.data_dir.parent,
            env=inherited | own | self.environ | environ,
            check=False,
        )
        out, err = done.stdout.decode(), done.stderr.decode()
        assert "Traceback" not in out + err, err
        return Ended(done.returncode, out, err)

    def well(self, *words: str) -> Any:
        """What the command says as JSON; it has ended with exit code 0."""
        ended = self(*words, "--json")
        assert ended.code == 0, ended.err
        return ended.said if ended.out.strip() else None
