"""From a clean clone to the sponsor report: with pip and empty caches, then again with the caches warm.

Limits: 90 s with pip, 30 s with a warm cache (by uv where it is on the PATH). Beside them the time of an empty `venv`,
as a measure of the machine. Needs git and the network, or caches of one's own: --caches DIR keeps them between runs.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_LIMITS = {"pip": 90.0, "warm": 30.0}


@dataclass(frozen=True, slots=True)
class Measured:
    """One demo from its clone on; `said` is the end of what it complained of."""

    seconds: float
    exit_code: int
    said: str


def main() -> int:
    """Prints both times as JSON; 1 when one is over its limit or a demo failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--caches", type=Path, help="Keep the caches here; then the first run may be warm as well.")
    parser.add_argument("--lines", help="Log lines of the world; else as many as the demo makes by itself.")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="castline-bench-") as place:
        folder = Path(place)
        # Root's server runs as a user of its own, who must be able to pass.
        folder.chmod(0o711)
        caches = chosen.caches or folder / "caches"
        results = {
            "pip": _measure(folder / "pip", caches, chosen.lines, without_uv=True),
            "warm": _measure(folder / "warm", caches, chosen.lines, without_uv=shutil.which("uv") is None),
        }
        venv_seconds = _time([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")])
    is_within = all(run.exit_code == 0 and run.seconds <= _LIMITS[name] for name, run in results.items())
    print(
        json.dumps(
            {
                "workload": "demo",
                **{name: asdict(run) for name, run in results.items()},
                "limits": _LIMITS,
                "empty_venv_seconds": venv_seconds,
                "load": os.getloadavg()[0],
                "within_limit": is_within,
            }
        )
    )
    return 0 if is_within else 1


def _measure(folder: Path, caches: Path, lines: str | None, *, without_uv: bool) -> Measured:
    folder.mkdir()
    clone = folder / "clone"
    subprocess.run(["git", "clone", "--quiet", str(_ROOT), str(clone)], check=True)
    environ = os.environ | {
        "CASTLINE_DATA_DIR": str(folder / "data"),
        "PIP_CACHE_DIR": str(caches / "pip"),
        "UV_CACHE_DIR": str(caches / "uv"),
        "npm_config_cache": str(caches / "npm"),
        "PATH": _path(without_uv=without_uv),
    }
    # Not from inside an environment: whoever has a clean clone has none.
    for name in ("VIRTUAL_ENV", "PYTHONPATH", "DATABASE_URL"):
        environ.pop(name, None)
    words = [_plain_python(), "dev.py", "demo", *(["--lines", lines] if lines else []), "--json"]
    begin = time.perf_counter()
    done = subprocess.run(words, cwd=clone, env=environ, capture_output=True, text=True, check=False)
    seconds = round(time.perf_counter() - begin, 1)
    return Measured(seconds, done.returncode, done.stderr[-1000:] if done.returncode else "")


def _path(*, without_uv: bool) -> str:
    folders = os.environ.get("PATH", "").split(os.pathsep)
    if without_uv:
        folders = [folder for folder in folders if not (Path(folder) / "uv").exists()]
    return os.pathsep.join(folders)


def _plain_python() -> str:
    """The interpreter that this environment was made from."""
    return str(Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}")


def _time(words: list[str]) -> float:
    begin = time.perf_counter()
    subprocess.run(words, check=True)
    return round(time.perf_counter() - begin, 2)


if __name__ == "__main__":
    sys.exit(main())
