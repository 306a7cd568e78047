"""What stands before every handler."""

import pytest

from web.browser import Browser

pytestmark = pytest.mark.store

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self';"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@pytest.mark.parametrize("path", ["/", "/sign-in", "/nothing", "/api/v1/campaigns", "/api/v1/nothing", "/favicon.ico"])
def test_every_answer_bears_the_security_headers(browser: Browser, path: str) -> None:
    headers = browser.get(path).headers
    assert headers["content-security-policy"] == POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert "server" not in headers


def test_no_page_has_inline_script_or_style(signed_in: Browser) -> None:
    for path in ("/", "/sign-in", "/account", "/method", "/nothing"):
        text = signed_in.get(path).text
        assert "<style" not in text
        assert " style=" not in text
        assert " onclick=" not in text
        assert text.count("<script") == text.count('<script src="/')
        assert "http://" not in text.replace("http://www.w3.org/2000/svg", "").replace("http://127.0.0.1", "")


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "", "stats.example.org:81"]
)
def test_a_name_that_is_not_ours_gets_no_answer(browser: Browser, host: str) -> None:
    assert browser.ask("GET", "/sign-in", headers={"Host": host}).status == 421


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "[::1]:8321", "stats.example.org", "STATS.example.org"])
def test_our_own_names_are_answered(browser: Browser, host: str) -> None:
    assert browser.ask("GET", "/sign-in", headers={"Host": host}).status == 200


def test_a_form_that_is_too_large_is_refused_before_it_is_read(browser: Browser) -> None:
    assert browser.ask("POST", "/sign-in", b"x" * 70_000).status == 413
    announced = browser.ask("POST", "/api/v1/conversions", b"x", {"Content-Length": str(9 << 20)})
    assert announced.status == 413
    assert announced.json["code"] == "body_too_large"


def test_assets_are_kept_for_ever_under_the_hash_of_their_content(browser: Browser) -> None:
    page = browser.get("/sign-in").text
    for place in ("/static/", "/assets/"):
        address = place + page.split(f'src="{place}')[1].split('"')[0]
        answered = browser.get(address)
        assert (answered.status, answered.headers["cache-control"]) == (200, "public, max-age=31536000, immutable")
        assert answered.headers["content-type"] == "text/javascript; charset=utf-8"
        digest, name = address.removeprefix(place).split("/", 1)
        assert browser.get(f"{place}{'0' * len(digest)}/{name}").status == 404


@pytest.mark.parametrize(
    "name", ["../app.py", "..%2fapp.py", "%2e%2e/board.py", "geo/dbip-country.csv", "manifest.json"]
)
def test_nothing_else_is_served_as_an_asset(browser: Browser, name: str) -> None:
    assert browser.get(f"/static/000000000000/{name}").status == 404
    assert browser.get(f"/assets/000000000000/{name}").status == 404


def test_what_is_not_there_is_said_on_a_page_and_as_a_problem(browser: Browser) -> None:
    page, problem = browser.get("/nothing"), browser.get("/api/v1/nothing")
    assert (page.status, problem.status) == (404, 404)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert problem.headers["content-type"] == "application/problem+json"
    assert problem.json == {
        "type": "urn:castline:problem:not_found",
        "title": "not found",
        "status": 404,
        "code": "not_found",
        "detail": "There is nothing here, or nothing of yours.",
    }
