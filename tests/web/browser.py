"""A browser as far as tests need one: cookies, forms, and the headers that browsers send. Real HTTP over loopback."""

import re
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode

import msgspec


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer; header names are in small letters."""

    status: int
    headers: dict[str, str]
    cookies: tuple[str, ...]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


@dataclass(slots=True)
class Browser:
    """Keeps cookies between requests to one server."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answered:
        """The answer to one request; nothing is followed."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        cookie = (
            {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())} if self.cookies else {}
        )
        try:
            connection.request(method, path, body, cookie | (headers or {}))
            response = connection.getresponse()
            set_cookies = tuple(response.headers.get_all("set-cookie") or ())
            known = {name.lower(): value for name, value in response.getheaders()}
            answered = Answered(response.status, known, set_cookies, response.read())
        finally:
            connection.close()
        self._keep(set_cookies)
        return answered

    def get(self, path: str, **headers: str) -> Answered:
        """The answer to a GET."""
        return self.ask("GET", path, headers=headers)

    def post(self, path: str, fields: dict[str, str], *, origin: str | None = "own") -> Answered:
        """The answer to a form that was sent from a page of `origin`."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if origin:
            headers["Origin"] = self.origin if origin == "own" else origin
        return self.ask("POST", path, urlencode(fields).encode(), headers)

    def sign_in(self, email: str, password: str) -> Answered:
        """The answer to the sign-in form, filled in."""
        page = self.get("/sign-in")
        return self.post("/sign-in", {"email": email, "password": password, "csrf_token": token_of(page)})

    def csrf_token(self) -> str:
        """The token of the session's forms."""
        return token_of(self.get("/account"))

    def _keep(self, set_cookies: tuple[str, ...]) -> None:
        for line in set_cookies:
            name, _, value = line.partition(";")[0].partition("=")
            if "max-age=0" in line.lower():
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value


def token_of(page: Answered) -> str:
    """The token in the page's first form."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert found, page.text
    return found[1]
