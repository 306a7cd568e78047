"""The way in and out, over real HTTP."""

import time

import pytest

from castline.accounts.person import add_member
from castline.model.account import User
from castline.store.pool import Store
from make import make_account
from web.browser import Browser, token_of
from web.conftest import PASSWORD

pytestmark = pytest.mark.store


def test_a_page_without_a_session_leads_to_the_sign_in_form_and_back(browser: Browser, person: User) -> None:
    first = browser.get("/account?x=1")
    assert (first.status, first.headers["location"]) == (303, "/sign-in?next=%2Faccount%3Fx%3D1")
    form = browser.get(first.headers["location"])
    fields = {"email": person.email, "password": PASSWORD, "csrf_token": token_of(form), "next": "/account?x=1"}
    answered = browser.post("/sign-in", fields)
    assert (answered.status, answered.headers["location"]) == (303, "/account?x=1")
    assert browser.get("/account").status == 200


@pytest.mark.parametrize("target", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_nobody_is_sent_elsewhere_after_signing_in(browser: Browser, person: User, target: str) -> None:
    form = browser.get("/sign-in")
    fields = {"email": person.email, "password": PASSWORD, "csrf_token": token_of(form), "next": target}
    assert browser.post("/sign-in", fields).headers["location"] == "/"


def test_the_session_cookie_is_for_this_host_and_no_script(browser: Browser, person: User) -> None:
    answered = browser.sign_in(person.email, PASSWORD)
    [cookie] = [line for line in answered.cookies if line.startswith("castline=")]
    assert cookie.endswith("; HttpOnly; Path=/; SameSite=lax")
    assert "Domain" not in cookie
    assert "Expires" not in cookie


def test_behind_https_the_cookie_is_secure_and_bound_to_the_host(browser: Browser, person: User) -> None:
    host = {"Host": "stats.example.org"}
    form = browser.ask("GET", "/sign-in", headers=host)
    [cookie] = form.cookies
    assert cookie.startswith("__Host-castline-form=")
    assert cookie.endswith("; HttpOnly; Path=/; SameSite=lax; Secure")
    assert form.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"


def test_a_wrong_password_says_no_more_than_an_unknown_address(browser: Browser, person: User) -> None:
    wrong = browser.sign_in(person.email, "not the password at all")
    unknown = browser.sign_in("nobody@example.org", "not the password at all")
    assert (wrong.status, unknown.status) == (401, 401)
    sentence = "The address and the password do not belong together."
    assert sentence in wrong.text
    assert sentence in unknown.text
    assert "castline" not in browser.cookies


def test_the_form_needs_its_own_cookie_and_its_own_page(browser: Browser, person: User) -> None:
    form = browser.get("/sign-in")
    fields = {"email": person.email, "password": PASSWORD, "csrf_token": token_of(form)}
    assert browser.post("/sign-in", fields, origin="https://evil.example").status == 403
    assert browser.post("/sign-in", fields, origin=None).status == 403
    assert browser.post("/sign-in", fields | {"csrf_token": "x" * 43}).status == 403
    assert Browser(browser.port).post("/sign-in", fields).status == 403
    assert "castline" not in browser.cookies


def test_signing_out_ends_the_session_and_not_only_the_cookie(signed_in: Browser) -> None:
    kept = dict(signed_in.cookies)
    assert signed_in.post("/sign-out", {"csrf_token": signed_in.csrf_token()}).status == 303
    again = Browser(signed_in.port, kept)
    assert again.get("/account").status == 303


@pytest.mark.parametrize("path", ["/sign-out", "/account/switch", "/account/revoke"])
def test_nothing_changes_without_the_sessions_token_or_from_another_page(signed_in: Browser, path: str) -> None:
    token = signed_in.csrf_token()
    assert signed_in.post(path, {"csrf_token": token}, origin="https://evil.example").status == 403
    assert signed_in.post(path, {"csrf_token": token}, origin=None).status == 403
    assert signed_in.post(path, {"csrf_token": token[:-1] + "x"}).status == 403
    assert signed_in.post(path, {}).status == 403
    assert signed_in.get("/account").status == 200


def test_a_session_elsewhere_is_listed_and_signed_out(signed_in: Browser, person: User) -> None:
    elsewhere = Browser(signed_in.port)
    elsewhere.sign_in(person.email, PASSWORD)
    page = signed_in.get("/account")
    assert page.text.count(">Sign out</button>") == 2  # the header's, and the other browser's
    session_hash = page.text.split('name="session_hash" value="')[1].split('"')[0]
    signed_in.post("/account/revoke", {"csrf_token": token_of(page), "session_hash": session_hash})
    assert elsewhere.get("/account").status == 303
    assert signed_in.get("/account").status == 200


def test_a_member_switches_to_another_account_under_a_new_session(
    store: Store, signed_in: Browser, person: User
) -> None:
    owner = make_account(store, name="Agency of Nine")
    token = signed_in.csrf_token()
    refused = signed_in.post("/account/switch", {"csrf_token": token, "owner_id": str(owner.user_id)})
    assert refused.status == 404
    add_member(store, owner.user_id, person.email, "viewer")
    before = signed_in.cookies["castline"]
    assert signed_in.post("/account/switch", {"csrf_token": token, "owner_id": str(owner.user_id)}).status == 303
    assert signed_in.cookies["castline"] != before
    page = signed_in.get("/account").text
    assert '<bdi>Agency of Nine</bdi> <span class="tag">viewer</span>' in page
    assert Browser(signed_in.port, {"castline": before}).get("/account").status == 303


def test_the_eleventh_try_in_a_quarter_of_an_hour_is_refused(browser: Browser, person: User) -> None:
    began = time.monotonic()
    statuses = [browser.sign_in(person.email, "not the password at all").status for _ in range(11)]
    assert statuses == [401] * 10 + [429]
    assert browser.sign_in(person.email, PASSWORD).status == 429
    assert time.monotonic() - began < 60
