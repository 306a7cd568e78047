"""/api/v1 over real HTTP: keys and their scopes, deliveries, problems."""

import json
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from castline.base.config import Settings
from castline.model.account import User
from castline.store.money.conversions import load_conversions
from castline.store.pool import Store
from castline.store.provenance.ledger import load_quarantine
from make import make_account
from web.browser import Answered, Browser
from web.conftest import Caller, make_closed_pool, run_server

pytestmark = pytest.mark.store


def order(**facts: object) -> dict[str, object]:
    return {"occurred_at": "2026-03-01T09:30:00Z", "order_id": uuid4().hex, "value": "79.90", "currency": "USD"} | facts


def tell(browser: Browser, key: dict[str, str], body: object, **headers: str) -> Answered:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return browser.ask("POST", "/api/v1/conversions", sent, key | {"Content-Type": "application/json"} | headers)


@pytest.mark.parametrize(
    ("header", "detail"),
    [
        ({}, "the request has no Authorization header with one"),
        ({"Authorization": "Bearer nonsense"}, "it has not the form of one"),
        ({"Authorization": "Bearer cl_aaaaaaaa_" + "a" * 32}, "there is no such key"),
    ],
)
def test_without_a_valid_key_every_route_answers_401(browser: Browser, header: dict[str, str], detail: str) -> None:
    for path in ("/api/v1/campaigns", "/api/v1/waterfall", f"/api/v1/campaigns/{uuid4()}/roi"):
        answered = browser.ask("GET", path, headers=header)
        assert answered.status == 401
        assert answered.headers["www-authenticate"] == 'Bearer realm="castline"'
        assert answered.json["detail"] == f"The API key is not valid: {detail}"


def test_a_session_is_no_key(signed_in: Browser) -> None:
    assert signed_in.get("/api/v1/campaigns").status == 401


def test_a_key_may_only_do_what_its_scope_names(browser: Browser, person: User, key_of: Caller) -> None:
    refused = tell(browser, key_of(person, "read"), order())
    assert (refused.status, refused.json["code"]) == (403, "scope_missing")
    assert "conversions:write" in refused.json["fix"]
    assert browser.ask("GET", "/api/v1/campaigns", headers=key_of(person, "conversions:write")).status == 403


@pytest.mark.parametrize("shape", ["single", "list", "object"])
def test_a_delivery_is_one_record_a_list_or_an_object(
    browser: Browser, store: Store, person: User, key_of: Caller, shape: str
) -> None:
    record = order()
    body: Any = {"single": record, "list": [record], "object": {"conversions": [record]}}[shape]
    answered = tell(browser, key_of(person), body)
    assert answered.status == 200
    assert {name: answered.json[name] for name in ("received", "accepted", "duplicate", "refused_count")} == {
        "received": 1,
        "accepted": 1,
        "duplicate": 0,
        "refused_count": 0,
    }
    with store.account(person.user_id) as connection:
        [kept] = load_conversions(connection, person.user_id)
    assert (kept.order_id, str(kept.conversion_value), kept.currency) == (record["order_id"], "79.9000", "USD")


def test_one_bad_record_does_not_stop_the_others_and_waits_in_quarantine(
    browser: Browser, store: Store, person: User, key_of: Caller
) -> None:
    records = [order(), order(currency="XYZ"), order(occurred_at="yesterday"), "text", order(nonsense=1), order()]
    answered = tell(browser, key_of(person), records)
    assert (answered.status, answered.json["accepted"], answered.json["refused_count"]) == (200, 2, 4)
    assert [(item["index"], item["field"]) for item in answered.json["refused"]] == [
        (1, "currency"),
        (2, "occurred_at"),
        (3, "record"),
        (4, "nonsense"),
    ]
    with store.account(person.user_id) as connection:
        waiting = load_quarantine(connection, person.user_id)
    assert sorted(row.line_number for row in waiting) == [2, 3, 4, 5]


def test_a_delivery_of_which_nothing_can_be_taken_is_a_problem(browser: Browser, person: User, key_of: Caller) -> None:
    answered = tell(browser, key_of(person), order(currency="XYZ"))
    assert (answered.status, answered.headers["content-type"]) == (422, "application/problem+json")
    assert (answered.json["code"], answered.json["received"]) == ("all_refused", 1)
    assert answered.json["detail"] == "currency: 'XYZ' is no ISO 4217 currency code, such as USD"


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"text"', b"{}" * 3, b"\xff\xfe", b'{"conversions": 7}', b"[" * 90000]
)
def test_a_body_that_is_none_is_a_problem_and_no_traceback(
    browser: Browser, person: User, key_of: Caller, body: bytes
) -> None:
    answered = tell(browser, key_of(person), body)
    assert (answered.status, answered.json["code"]) == (422, "not_json")


def test_the_same_delivery_again_changes_nothing(browser: Browser, store: Store, person: User, key_of: Caller) -> None:
    body, key = json.dumps([order(), order()]).encode(), key_of(person)
    first, second = tell(browser, key, body), tell(browser, key, body)
    assert (first.json["accepted"], second.json["accepted"], second.json["duplicate"]) == (2, 0, 2)
    assert second.json["already_imported"] is True
    with store.account(person.user_id) as connection:
        assert len(load_conversions(connection, person.user_id)) == 2


def test_the_same_record_in_another_delivery_is_a_duplicate(browser: Browser, person: User, key_of: Caller) -> None:
    record, key = order(), key_of(person)
    tell(browser, key, [record])
    again = tell(browser, key, [record, order()])
    assert (again.json["accepted"], again.json["duplicate"]) == (1, 1)


def test_a_repeated_idempotency_key_gives_the_first_answer_again(
    browser: Browser, person: User, key_of: Caller
) -> None:
    body, key = json.dumps(order()).encode(), key_of(person)
    name = {"Idempotency-Key": uuid4().hex}
    first, again = tell(browser, key, body, **name), tell(browser, key, body, **name)
    assert first.json == again.json
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    other = tell(browser, key, order(), **name)
    assert (other.status, other.json["code"]) == (422, "key_reused")


def test_an_idempotency_key_of_another_account_is_another_key(
    browser: Browser, store: Store, person: User, key_of: Caller
) -> None:
    name = {"Idempotency-Key": uuid4().hex}
    tell(browser, key_of(person), order(), **name)
    assert tell(browser, key_of(make_account(store)), order(), **name).status == 200


def test_answers_say_what_is_left_of_the_allowance(browser: Browser, person: User, key_of: Caller) -> None:
    key = key_of(person)
    answers = [browser.ask("GET", "/api/v1/campaigns", headers=key) for _ in range(2)]
    assert [item.headers["ratelimit-policy"] for item in answers] == ['"key";q=600;w=60'] * 2
    assert [item.headers["ratelimit"].split(";t=")[0] for item in answers] == ['"key";r=599', '"key";r=598']


def test_a_spent_allowance_is_429_and_says_when_to_go_on(browser: Browser, person: User, key_of: Caller) -> None:
    key = key_of(person)
    last = [browser.ask("GET", "/api/v1/campaigns", headers=key) for _ in range(601)][-1]
    assert (last.status, last.json["code"]) == (429, "too_many")
    assert 1 <= int(last.headers["retry-after"]) <= 60
    assert last.headers["ratelimit"].startswith('"key";r=0;t=')


def test_the_same_content_is_not_sent_twice(browser: Browser, person: User, key_of: Caller) -> None:
    key = key_of(person)
    first = browser.ask("GET", "/api/v1/campaigns", headers=key)
    again = browser.ask("GET", "/api/v1/campaigns", headers=key | {"If-None-Match": first.headers["etag"]})
    assert (first.status, first.json, again.status, again.body) == (200, [], 304, b"")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=2026-03-01", "to"),
        ("from=x&to=2026-03-01", "from"),
        ("from=2026-03-02&to=2026-03-01", "to"),
        ("from=2026-03-01&to=2026-03-02&dimension=shoe", "dimension"),
        ("from=2026-03-01&to=2026-03-02&metric=clicks", "metric"),
    ],
)
def test_a_parameter_that_cannot_be_used_is_named(
    browser: Browser, person: User, key_of: Caller, query: str, field: str
) -> None:
    answered = browser.ask("GET", f"/api/v1/metrics/daily?{query}", headers=key_of(person))
    assert (answered.status, answered.json["code"]) == (422, "invalid_input")
    assert answered.json["detail"].startswith(f"{field}: ")


def test_the_description_is_openapi_3_1_and_describes_every_problem(browser: Browser) -> None:
    schema = browser.get("/api/v1/openapi.json").json
    assert schema["openapi"].startswith("3.1")
    assert set(schema["paths"]) == {
        "/api/v1/conversions",
        "/api/v1/metrics",
        "/api/v1/metrics/daily",
        "/api/v1/pacing",
        "/api/v1/ad-plays",
        "/api/v1/campaigns",
        "/api/v1/campaigns/{campaign_id}/roi",
        "/api/v1/waterfall",
        "/api/v1/health",
        "/p/{campaign_id}.gif",
    }
    refused = schema["paths"]["/api/v1/conversions"]["post"]["responses"]
    assert {"200", "401", "403", "413", "422", "429", "503"} == set(refused)


def test_without_its_database_the_api_answers_503_and_says_when_to_come_back(
    store: Store, web_settings: Settings, person: User, key_of: Caller
) -> None:
    key = key_of(person)
    gone = replace(store, dsn="postgresql://127.0.0.1:1/none", _pool=make_closed_pool())
    with run_server(gone, web_settings) as port:
        answered = tell(Browser(port), key, order())
        assert (answered.status, answered.json["code"]) == (503, "database_unavailable")
        assert answered.headers["retry-after"] == "5"
        page = Browser(port, {"castline": "x" * 43}).get("/")
        assert page.status == 503
        assert "Traceback" not in page.text
