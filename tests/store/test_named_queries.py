"""Every named query: well-formed, known to the catalogue, runnable in its role, and bound to one account."""

import re
from pathlib import Path

import pytest
import sqlglot
from psycopg import errors
from sqlglot import exp

import castline
from castline.catalogue.tables import load_tables
from castline.store.pool import Store
from castline.store.sql import Query, iter_queries
from store.prepared import check_may_run, prepare

pytestmark = pytest.mark.store
QUERIES = {f"{query.noun}.{query.name}": query for query in iter_queries()}
SOURCE = Path(castline.__file__).parent
BEFORE_AN_ACCOUNT_IS_KNOWN = "sign-in: it finds out whose request this is; runs in the system role only"
OF_A_PERSON = "a person's own row, whichever accounts they work in; runs in the system role only"
FOR_THE_SCHEDULER = "which accounts have work to do; runs in the system role only"
BY_ITS_PARENT = "the row's policy asks whether its parent is the account's; the parent is named by its id"
ANY_ACCOUNTS_LISTENER = "the intake: it finds out whose episode was asked for; runs in the system role only"
WHO_MAY_COME_IN = {"accounts", "sessions"}  # users, memberships and sessions are the system role's to change
ACROSS_ACCOUNTS = {
    "accounts.create_user": "there is no account before it",
    "accounts.find_user": BEFORE_AN_ACCOUNT_IS_KNOWN,
    "accounts.find_user_by_email": BEFORE_AN_ACCOUNT_IS_KNOWN,
    "accounts.load_memberships_of": OF_A_PERSON,
    "accounts.load_users": "the administrator's list of accounts; runs in the system role only",
    "accounts.save_active": OF_A_PERSON,
    "accounts.save_login": OF_A_PERSON,
    "accounts.save_password": OF_A_PERSON,
    "claims.find_audio_claims": ANY_ACCOUNTS_LISTENER,
    "claims.find_guid_claims": ANY_ACCOUNTS_LISTENER,
    "claims.find_host_claims": ANY_ACCOUNTS_LISTENER,
    "claims.find_id_claims": ANY_ACCOUNTS_LISTENER,
    "claims.find_show_claims": ANY_ACCOUNTS_LISTENER,
    "claims.load_owners": ANY_ACCOUNTS_LISTENER,
    "health.load_titles": "the doctor asks which scripts the fonts must cover; runs in the system role only",
    "jobs.count_late_days": FOR_THE_SCHEDULER,
    "jobs.load_owners_to_attribute": FOR_THE_SCHEDULER,
    "jobs.load_owners_to_measure": FOR_THE_SCHEDULER,
    "keys.find_key_by_prefix": BEFORE_AN_ACCOUNT_IS_KNOWN,
    "ledger.save_dataset_use": BY_ITS_PARENT,
    "pixels.find_pixels": "a pixel is loaded by strangers: it finds out whose campaign it belongs to",
    "sessions.delete_ended_sessions": FOR_THE_SCHEDULER,
    "sessions.delete_session": OF_A_PERSON,
    "sessions.delete_sessions_of": OF_A_PERSON,
    "sessions.find_session": BEFORE_AN_ACCOUNT_IS_KNOWN,
    "sessions.load_sessions": OF_A_PERSON,
    "sessions.touch_session": OF_A_PERSON,
    "shows.create_episode": BY_ITS_PARENT,
    "shows.drop_alias": BY_ITS_PARENT,
    "shows.load_due_feeds": FOR_THE_SCHEDULER,
    "shows.save_alias": BY_ITS_PARENT,
    "shows.save_episode": BY_ITS_PARENT,
    "shows.save_feed_state": BY_ITS_PARENT,
}


def _tables_of(query: Query) -> set[str]:
    """Every table and view that the query names, its own CTEs left out."""
    text = re.sub(r"%\((\w+)\)s", r":\1", query.text).replace("%%", "%")
    tree = sqlglot.parse_one(text, dialect="postgres")
    own = {cte.alias for cte in tree.find_all(exp.CTE)}
    return {table.name for table in tree.find_all(exp.Table) if table.name} - own


def _without_strings(query: Query) -> str:
    return re.sub(r"'[^']*'", "''", query.text.split("*/", 1)[1])


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_names_only_tables_of_the_catalogue(name: str) -> None:
    known = load_tables().keys() | {f"my_{table.name}" for table in load_tables().values() if table.cut}
    assert _tables_of(QUERIES[name]) - known == set()


def test_every_query_on_an_accounts_tables_names_the_account_unless_it_is_listed_with_its_reason() -> None:
    owned = {table.name for table in load_tables().values() if table.tenant}
    unbound = {
        name
        for name, query in QUERIES.items()
        if {table.removeprefix("my_") for table in _tables_of(query)} & owned and "tenant" not in query.parameters
    }
    assert unbound == ACROSS_ACCOUNTS.keys()


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_says_what_a_row_is_and_is_in_lower_case(name: str) -> None:
    query = QUERIES[name]
    assert query.grain
    assert _without_strings(query) == _without_strings(query).lower()


def test_every_query_is_used() -> None:
    source = "\n".join(path.read_text() for path in sorted(SOURCE.rglob("*.py")))
    assert {name for name, query in QUERIES.items() if f'"{query.name}"' not in source} == set()


def test_query_names_are_unique_in_their_file() -> None:
    assert len(list(iter_queries())) == len(QUERIES)


@pytest.mark.parametrize("name", QUERIES)
def test_the_server_prepares_every_query(store: Store, name: str) -> None:
    with store.owner() as connection:
        prepared = prepare(connection, QUERIES[name])
    assert {parameter for parameter, _ in prepared.parameters} == QUERIES[name].parameters


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_runs_in_a_role_that_sees_one_account_unless_it_is_listed(store: Store, name: str) -> None:
    allowed = []
    for role in ("castline_app", "castline_ingest", "castline_system"):
        with store.owner() as connection:
            connection.execute("select set_config('role', %s, true)", (role,))
            try:
                with connection.transaction():
                    check_may_run(connection, QUERIES[name])
            except errors.InsufficientPrivilege:
                continue
            allowed.append(role)
    assert allowed
    assert allowed != ["castline_system"] or name in ACROSS_ACCOUNTS or QUERIES[name].noun in WHO_MAY_COME_IN
