"""The processor time of a warm PDF, beside an almost empty document in the same run. Limit: 100 ms.

Every round sets other figures, names and days, so that nothing that the compiler remembers is the whole answer.
"""

import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import typst

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from castline.base.assets import asset_path
from castline.model.figures import Document
from castline.report.formats.table import RENDERERS
from castline.report.layout import lay_out
from make_report import make_figures

_ROUNDS = 25
_LIMIT_MS = 100.0
_PLACEMENTS = 6
_EMPTY = '#set document(title: "Empty")\n#set text(font: "Noto Sans")\n= #sys.inputs.words\n'


def main() -> int:
    """Prints the medians as JSON; 1 when the PDF takes longer than its limit."""
    chance = random.Random(7)  # noqa: S311  # figures of a bench, not secrets
    documents = [_vary(number, chance) for number in range(_ROUNDS + 1)]
    cold_ms = _measure(lambda: RENDERERS["pdf"].render(documents[0]))
    taken: dict[str, list[float]] = {name: [] for name in (*RENDERERS, "empty")}
    with tempfile.TemporaryDirectory() as folder:
        set_empty = _prepare_empty(Path(folder))
        set_empty("warm")
        for number, document in enumerate(documents[1:]):
            for name, renderer in RENDERERS.items():
                taken[name].append(_measure(partial(renderer.render, document)))
            taken["empty"].append(_measure(partial(set_empty, f"round {number}")))
    medians = {f"{name}_ms": round(statistics.median(times), 2) for name, times in taken.items()}
    is_within = medians["pdf_ms"] <= _LIMIT_MS
    facts = {
        "workload": "report",
        **medians,
        "worst_pdf_ms": round(max(taken["pdf"]), 2),
        "cold_pdf_ms": round(cold_ms, 1),
        "limit_ms": _LIMIT_MS,
        "clock": "processor time of all threads",
        "rounds": _ROUNDS,
        "load": os.getloadavg()[0],
        "within_limit": is_within,
    }
    print(json.dumps(facts))
    return 0 if is_within else 1


def _vary(number: int, chance: random.Random) -> Document:
    figures = make_figures(
        sponsor=f"Sponsor {number}", campaign=f"Campaign {chance.random()}", placement_count=_PLACEMENTS
    )
    daily = tuple(replace(day, downloads=chance.randrange(2000)) for day in figures.daily)
    placements = tuple(replace(item, delivered=chance.randrange(1, 5000)) for item in figures.placements)
    as_of = datetime(2026, 4, 10, number % 24, tzinfo=UTC)
    return lay_out(replace(figures, daily=daily, placements=placements, as_of=as_of))


def _prepare_empty(folder: Path) -> Callable[[str], object]:
    (folder / "empty.typ").write_text(_EMPTY, "utf-8")
    fonts = typst.Fonts(
        include_system_fonts=False,
        include_embedded_fonts=False,
        font_paths=[str(asset_path("fonts/NotoSans-Regular.ttf").parent)],
    )
    compiler = typst.Compiler(str(folder / "empty.typ"), root=str(folder), font_paths=fonts)
    return lambda words: compiler.compile(format="pdf", sys_inputs={"words": words}, pdf_standards=["ua-1"])


def _measure(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return (time.process_time() - begin) * 1000


if __name__ == "__main__":
    sys.exit(main())
