"""Each deviation of the database from the specification's document is listed with its reason, and each one is real."""

import re
from pathlib import Path

import psycopg
import pytest

from castline.store.migrate import apply_migrations
from castline.store.pool import Store
from store.beside import make_schema
from store.facts import iter_differences, load_facts

pytestmark = pytest.mark.store
ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT.parent / "shared" / "spec" / "schema-and-lineage.md"
LIST = ROOT / "docs" / "design" / "schema-deviations.md"
TABLES = "users podcasts episodes sponsors campaigns listener_events attribution_events transcripts reports".split()


@pytest.fixture
def document() -> str:
    if not DOCUMENT.is_file():
        pytest.skip("no ../shared/spec: the specification's document is not here")
    return DOCUMENT.read_text()


def _listed() -> list[tuple[str, str, str, str]]:
    rows = re.findall(r"^\| `([^`]+)` \| (.+?) \| (.+?) \| (.+?) \|$", LIST.read_text(), re.MULTILINE)
    return [(what, _bare(document), _bare(here), why) for what, document, here, why in rows]


def _bare(cell: str) -> str:
    return cell.strip("`").replace("\\|", "|")


def _statements(document: str) -> str:
    """The document's SQL without the calls of an extension that the server need not have."""
    blocks = re.findall(r"```sql\n(.*?)```", document, re.DOTALL)
    return re.sub(r"SELECT create_hypertable\([^)]*\);", "", "\n".join(blocks))


def test_the_list_of_deviations_is_exactly_what_differs(store: Store, empty_dsn: str, document: str) -> None:
    apply_migrations(empty_dsn)
    with make_schema(store) as documents, psycopg.connect(documents) as theirs, psycopg.connect(empty_dsn) as ours:
        theirs.execute(_statements(document).encode())
        differences = list(iter_differences(load_facts(theirs, TABLES), load_facts(ours, TABLES)))
    assert [(what, said, here) for what, said, here, _ in _listed()] == sorted(differences)


def test_every_listed_deviation_has_its_reason() -> None:
    assert all(why.strip() for *_, why in _listed())
    assert _listed()
