"""Which names this installation answers to, and whether a request comes from its own pages.

A page elsewhere can make a browser send requests here, and by rebinding a name of its own to 127.0.0.1 it can even
read the answers of a server that listens on loopback only. So an unknown Host gets no answer, and nothing is changed
for an Origin that is not ours.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})


@dataclass(frozen=True, slots=True)
class Origins:
    """The public address of the installation; loopback names are its own as well, on any port."""

    public_url: str

    def knows(self, host: str) -> bool:
        """Whether the Host header names this installation."""
        return host.lower() == self._public_host or _name_of(host) in _LOOPBACK

    def scheme_of(self, host: str) -> str:
        """Http on loopback, else whatever the public address says."""
        return urlsplit(self.public_url).scheme if host.lower() == self._public_host else "http"

    def is_secure(self, host: str) -> bool:
        """Whether whoever asks for this Host speaks https to us or to the proxy before us."""
        return self.scheme_of(host) == "https"

    def is_own(self, headers: Headers) -> bool:
        """Whether the request was sent by one of our own pages, as far as a browser says."""
        host = headers.get("host", "")
        own = f"{self.scheme_of(host)}://{host}".lower()
        if origin := headers.get("origin"):
            return origin.lower() == own
        if site := headers.get("sec-fetch-site"):
            return site == "same-origin"
        try:
            referrer = urlsplit(headers.get("referer", ""))
        except ValueError:
            return False
        return f"{referrer.scheme}://{referrer.netloc}".lower() == own

    @property
    def _public_host(self) -> str:
        return urlsplit(self.public_url).netloc.lower()


def _name_of(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0].lower() + "]"
    return host.partition(":")[0].lower()
