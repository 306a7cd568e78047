"""One short name per tag, whatever namespace address, prefix or letter case a feed uses for it.

`{http://www.itunes.com/dtds/podcast-1.0.dtd}duration` is `itunes:duration`; RSS (all versions) and Atom have no
prefix, so `title` is the title in each.
"""

from typing import Final

from lxml import etree

_NAMESPACES: Final = {
    "www.itunes.com/dtds/podcast-1.0.dtd": "itunes",
    "www.itunes.com/dtds/podcast-1.0.dtd/": "itunes",
    "podcastindex.org/namespace/1.0": "podcast",
    "github.com/podcastindex-org/podcast-namespace/blob/main/docs/1.0.md": "podcast",
    "www.google.com/schemas/play-podcasts/1.0": "googleplay",
    "search.yahoo.com/mrss": "media",
    "podlove.org/simple-chapters": "psc",
    "purl.org/rss/1.0/modules/content": "content",
    "purl.org/dc/elements/1.1": "dc",
    "purl.org/dc/terms": "dcterms",
    "rssnamespace.org/feedburner/ext/1.0": "feedburner",
    "www.rawvoice.com/rawvoicerssmodule": "rawvoice",
    "purl.org/rss/1.0/modules/syndication": "sy",
    "www.w3.org/1999/02/22-rdf-syntax-ns#": "rdf",
    "www.w3.org/2005/atom": "",
    "purl.org/atom/ns#": "",
    "purl.org/rss/1.0": "",
    "my.netscape.com/rdf/simple/0.9": "",
    "channel.netscape.com/rdf/simple/0.9": "",
    "my.netscape.com/publish/formats/rss-0.91.dtd": "",
    "purl.org/net/rss1.1#": "",
    "backend.userland.com/rss": "",
    "backend.userland.com/rss2": "",
    "backend.userland.com/rss091": "",
    "backend.userland.com/rss092": "",
    "blogs.law.harvard.edu/tech/rss": "",
    "cyber.law.harvard.edu/rss": "",
}
_PREFIXES: Final = {
    **{prefix: prefix for prefix in _NAMESPACES.values() if prefix},
    "atom": "",
    "atom10": "",
    "a10": "",
}

ABOUT: Final = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}about"


def short_name(element: etree._Element) -> str:
    """The short name in lower case; a tag of an unknown namespace keeps its prefix, so it never looks like RSS."""
    tag = element.tag
    if not isinstance(tag, str):
        return "?"
    uri, _, local = tag.rpartition("}")
    if not uri:
        return _from_prefix(local.lower())
    address = uri.lstrip("{").strip().lower().partition("://")[2].rstrip("/")
    prefix = _NAMESPACES.get(address)
    if prefix is None:
        written = (element.prefix or "").lower()
        prefix = _PREFIXES.get(written, written or ("" if _is_default_of_root(element) else "?"))
    return f"{prefix}:{local.lower()}" if prefix else local.lower()


def _from_prefix(name: str) -> str:
    """`itunes:duration` from a document that never declared the prefix."""
    prefix, colon, local = name.rpartition(":")
    known = _PREFIXES.get(prefix, prefix)
    return f"{known}:{local}" if colon and known else local


def _is_default_of_root(element: etree._Element) -> bool:
    """True if the root itself is in this unknown default namespace, as in feeds that invent one for RSS."""
    root = element.getroottree().getroot()
    return root is not None and root.nsmap.get(None) == element.nsmap.get(None)
