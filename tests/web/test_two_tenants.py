"""Two accounts over every route there is: another's id answers exactly as an unknown one.

A new route is covered by being there: its parameters are filled by name, and a name that is not known here fails.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple
from uuid import uuid4

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import RouteContext, iter_route_contexts

from castline.accounts.person import NewAccount, create_account
from castline.accounts.token import issue_key
from castline.base.config import Settings
from castline.model.account import User
from castline.store.pool import Store
from castline.web.app import create_app
from web.browser import Answered, Browser
from web.conftest import PASSWORD
from web.world import World, make_world

pytestmark = pytest.mark.store

# What is written nowhere but in the other account.
THEIRS = "zebracrossing"
# Parameters that are no ids of an account's things, with a value that works.
PLAIN = {
    "digest": "000000000000",
    "name": "app.css",
    "rest": "cdn.example.org/1.mp3",
    "metric": "downloads",
    "dimension": "app",
    "tz": "Europe/Oslo",
    "grain": "day",
    "compare": "previous",
    "app": "Overcast",
    "country": "SE",
    "device": "mobile",
    "source": "file",
    "as_of": "2026-09-30",
    "from": "2026-09-01",
    "to": "2026-09-30",
    "format": "csv",
    "next": "/",
    "email": "nobody@example.org",
    "password": "not the password at all",
    "csrf_token": "",
}
# Routes that carry no id and are not asked for by a signed-in account.
UNSIGNED = {"/sign-in", "/favicon.ico", "/api/v1/health", "/api/v1/openapi.json"}


# Routes that read ids from where no declaration says so: a body of JSON, the dashboard's address.
TELLS_IDS = {"/api/v1/conversions", "/"}


class Two(NamedTuple):
    mine: User
    my_key: dict[str, str]
    their_ids: dict[str, str]
    my_ids: dict[str, str]


class Ask(NamedTuple):
    """One operation and the names of its parameters."""

    method: str
    path: str
    in_path: tuple[str, ...]
    in_query: tuple[str, ...]
    in_form: tuple[str, ...]

    @property
    def ids(self) -> set[str]:
        return {*self.in_path, *self.in_query, *self.in_form} - set(PLAIN)


@pytest.fixture(scope="module")
def two(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Two:
    people = [
        create_account(store, NewAccount(f"{uuid4().hex}@example.org", name, PASSWORD)) for name in ("Mine", THEIRS)
    ]
    worlds = [
        make_world(store, person.user_id, tmp_path_factory.mktemp("world"), name=person.name) for person in people
    ]
    secret = issue_key(store, people[0].user_id, "test", ("read", "conversions:write"), 1).secret
    key = {"Authorization": f"Bearer {secret}"}
    return Two(people[0], key, ids_of(people[1], worlds[1]), ids_of(people[0], worlds[0]))


def ids_of(person: User, world: World) -> dict[str, str]:
    return {
        "campaign_id": str(world.campaign.campaign_id),
        "report_id": str(world.reports[0].report_id),
        "show": str(world.show.podcast_id),
        "episode": str(world.episode_id),
        "campaign": str(world.campaign.campaign_id),
        "owner_id": str(person.user_id),
        "session_hash": uuid4().hex * 2,
    }


@pytest.fixture(scope="module")
def asks(store: Store, web_settings: Settings) -> list[Ask]:
    app = create_app(store, web_settings)
    return [ask for context in iter_route_contexts(app.routes) for ask in read_route(context)]


def read_route(context: RouteContext) -> list[Ask]:
    names = [
        tuple(iter_names(context.dependant, place)) if hasattr(context, "dependant") else ()
        for place in ("path", "query", "body")
    ]
    return [Ask(method, str(context.path), *names) for method in sorted(context.methods or ()) if method != "HEAD"]


def iter_names(dependant: Dependant, place: str) -> Iterator[str]:
    """The parameters of a place, also of what the route depends on."""
    yield from (parameter.alias for parameter in getattr(dependant, f"{place}_params"))
    for part in dependant.dependencies:
        yield from iter_names(part, place)


def send(browser: Browser, two: Two, ask: Ask, ids: dict[str, str]) -> Answered:
    """The answer to the operation with these ids, as somebody signed in to my account or with my key."""
    values = PLAIN | ids
    path = ask.path.replace(":path}", "}").format(**values)
    if ask.in_query:
        path += "?" + "&".join(f"{name}={values[name]}" for name in ask.in_query)
    if ask.path == "/":
        path += f"?show={ids['show']}"  # the dashboard reads its address itself
    if ask.path.startswith("/api/"):
        body = order_that_names(ids["campaign_id"]) if ask.method == "POST" else None
        return browser.ask(ask.method, path, body, two.my_key)
    if ask.path not in UNSIGNED:
        assert browser.sign_in(two.mine.email, PASSWORD).status == 303
    if ask.method == "GET":
        return browser.get(path)
    fields = {name: values[name] for name in ask.in_form}
    token = browser.csrf_token() if ask.path not in UNSIGNED else ""
    return browser.post(path, fields | {"csrf_token": token})


def order_that_names(campaign_id: str) -> bytes:
    return f'{{"occurred_at": "2026-09-10", "order_id": "{uuid4()}", "campaign_id": "{campaign_id}"}}'.encode()


def test_every_parameter_of_every_route_is_known_here(asks: list[Ask], two: Two) -> None:
    assert len(asks) >= 20
    unknown = {(ask.path, name) for ask in asks for name in ask.ids - set(two.my_ids)}
    assert unknown == set()


def test_anothers_id_answers_exactly_as_an_unknown_one(port: int, asks: list[Ask], two: Two) -> None:
    differing = []
    for ask in asks:
        if not ask.ids and ask.path not in TELLS_IDS:
            continue
        unknown_ids = {name: str(uuid4()) if len(value) == 36 else value[::-1] for name, value in two.their_ids.items()}
        theirs = send(Browser(port), two, ask, two.their_ids)
        unknown = send(Browser(port), two, ask, unknown_ids)
        if comparable(theirs) != comparable(unknown):
            differing.append((ask.method, ask.path, comparable(theirs), comparable(unknown)))
    assert differing == []


def comparable(answered: Answered) -> tuple[int, str, str]:
    """What the asker can tell answers apart by, without what is new in every answer: ids and tokens."""
    text = re.sub(r'name="csrf_token" value="[^"]*"', "", answered.body.decode("latin-1"))
    return (
        answered.status,
        answered.headers.get("content-type", ""),
        re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID", text),
    )


def test_no_answer_holds_anything_of_the_other_account(port: int, asks: list[Ask], two: Two) -> None:
    for ask in asks:
        for ids in (two.my_ids, two.their_ids):
            text = send(Browser(port), two, ask, ids).body.decode("latin-1")
            assert THEIRS not in text, ask
            if ids is two.my_ids:
                assert not [value for value in two.their_ids.values() if value in text], ask


def test_my_own_ids_are_answered(port: int, asks: list[Ask], two: Two) -> None:
    """Without this the tests above could pass because nothing answers at all."""
    answered = {
        (ask.method, ask.path): send(Browser(port), two, ask, two.my_ids).status
        for ask in asks
        if ask.ids and ask.path != "/p/{campaign_id}.gif"
    }
    assert answered == {
        ("GET", "/api/v1/metrics"): 200,
        ("GET", "/api/v1/metrics/daily"): 200,
        ("GET", "/api/v1/pacing"): 200,
        ("GET", "/api/v1/ad-plays"): 200,
        ("GET", "/api/v1/campaigns/{campaign_id}/roi"): 200,
        ("GET", "/campaigns/{campaign_id}"): 200,
        ("POST", "/campaigns/{campaign_id}/report"): 303,
        ("GET", "/reports/{report_id}"): 200,
        ("POST", "/account/switch"): 303,
        ("POST", "/account/revoke"): 303,
    }
