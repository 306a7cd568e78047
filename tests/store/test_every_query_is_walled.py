"""Every named query, asked as one account with another account's ids, keys and names: it finds and changes nothing."""

from contextlib import suppress
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg import Connection, Rollback, errors

from castline.catalogue.tables import load_tables
from castline.store.sql import Query, iter_queries
from store.fill import Pair, account_condition
from store.prepared import find_parameters, role_of

pytestmark = pytest.mark.store
BOUND = {f"{query.noun}.{query.name}": query for query in iter_queries() if "tenant" in query.parameters}
OWNED = [table for table in load_tables().values() if table.tenant]

INSIDE_JSON = {  # the filling leaves JSON empty
    "campaigns.find_code_holder",
    "downloads.find_log_by_file",
    "downloads.load_log_beginnings",
    "downloads.load_replays",
    "log_objects.load_log_objects",
}
# The filling has no players' events; test_ad_plays and test_plays ask as two accounts.
DOWNLOADS_ALONE = {"playback.count_ad_plays", "playback.count_plays"}
NO_GAPS = {"annotations.load_empty_days"}  # the filling leaves no day out; test_unmeasured_days asks of days left out


def _picture(connection: Connection, owner_id: UUID) -> dict[str, Any]:
    """Every row of the account, as one hash per table."""
    connection.execute("select set_config('role', 'castline_system', true)")
    found = {}
    for table in OWNED:
        text = f"select md5(string_agg(mine::text, ' ' order by mine::text)) from {table.name} as mine"
        where = f"where {account_condition(table)}"
        row = connection.execute(f"{text} {where}", {"owner_id": owner_id}).fetchone()
        assert row is not None
        found[table.name] = row[0]
    return found


def _act_as(connection: Connection, role: str, owner_id: UUID) -> None:
    connection.execute(
        "select set_config('role', %s, true), set_config('castline.tenant', %s, true)", (role, str(owner_id))
    )


def _traces(rows: list[tuple[Any, ...]], asked: dict[str, object], pair: Pair) -> set[str]:
    """What of the other account stands in the rows, beyond what the question itself said."""
    return {trace for trace in _known(pair) if trace in str(rows)} - {
        trace for trace in _known(pair) for value in asked.values() if trace in str(value)
    }


def _known(pair: Pair) -> set[str]:
    return {str(pair.theirs), *(str(value) for values in pair.their_ids.values() for value in values)}


def _unknown(value: object, pair: Pair) -> Any:
    """The same value with ids that nobody has in place of the other account's."""
    if isinstance(value, list):
        return [_unknown(one, pair) for one in value]
    if isinstance(value, UUID):
        return uuid4() if str(value) in _known(pair) else value
    if isinstance(value, str):
        return value.replace(str(pair.theirs), str(uuid4()))
    return value


def _check_answer(connection: Connection, query: Query, asked: dict[str, object], pair: Pair) -> None:
    """The answer holds nothing of the other account, and a reader's answer is the one that unknown ids get."""
    cursor = connection.execute(query.text, asked)
    rows = cursor.fetchall() if cursor.description else []
    assert _traces(rows, asked, pair) == set()
    if _is_reader(query):
        nobodys = {name: _unknown(value, pair) for name, value in asked.items()}
        assert rows == connection.execute(query.text, nobodys).fetchall()


def _is_reader(query: Query) -> bool:
    return "*/ select" in query.text or "*/ with" in query.text


@pytest.mark.parametrize("name", BOUND)
def test_a_query_asked_with_another_accounts_ids_finds_and_changes_nothing_of_it(pair: Pair, name: str) -> None:
    query = BOUND[name]
    with pair.store.owner() as connection:
        role = role_of(connection, query)
        before = _picture(connection, pair.theirs)
        asked = find_parameters(connection, query, pair.theirs) | {"tenant": pair.mine}
        # A row below another account's parent is refused as a whole; so is one that exists already.
        with suppress(errors.InsufficientPrivilege, errors.IntegrityError), connection.transaction():
            _act_as(connection, role, pair.mine)
            _check_answer(connection, query, asked, pair)
        assert _picture(connection, pair.theirs) == before
        connection.execute("reset role")
        raise Rollback


@pytest.mark.parametrize("name", BOUND)
def test_a_query_asked_in_another_accounts_name_finds_and_changes_nothing_of_it(pair: Pair, name: str) -> None:
    query = BOUND[name]
    with pair.store.owner() as connection:
        role = role_of(connection, query)
        if role == "castline_system":
            return  # who may come in: these run before an account is known
        before = _picture(connection, pair.theirs)
        asked = find_parameters(connection, query, pair.theirs) | {"tenant": pair.theirs}
        with suppress(errors.InsufficientPrivilege, errors.IntegrityError), connection.transaction():
            _act_as(connection, role, pair.mine)
            _check_answer(connection, query, asked, pair)
        assert _picture(connection, pair.theirs) == before
        connection.execute("reset role")
        raise Rollback


def test_the_same_questions_find_something_when_the_other_account_asks_them(pair: Pair) -> None:
    """Otherwise the two tests above would prove nothing."""
    silent = set()
    reading = {name: query for name, query in BOUND.items() if _is_reader(query)}
    for name, query in reading.items():
        with pair.store.owner() as connection:
            role = role_of(connection, query)
            connection.execute("select set_config('role', 'castline_system', true)")
            asked = find_parameters(connection, query, pair.theirs) | {"tenant": pair.theirs}
            _act_as(connection, role, pair.theirs)
            if not connection.execute(query.text, asked).fetchall():
                silent.add(name)
            connection.execute("reset role")
    assert silent == INSIDE_JSON | DOWNLOADS_ALONE | NO_GAPS
