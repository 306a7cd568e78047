"""Small readers of one lxml element each, for the modules that turn tags into values."""

from collections.abc import Iterator

from lxml import etree

from castline.sources.feeds.names import short_name
from castline.sources.feeds.text import try_parse_whole

Element = etree._Element  # noqa: SLF001  # lxml has no public name for its elements


def text_of(element: Element) -> str:
    """The element's text, stripped; of its markup too when it has child elements."""
    if len(element):
        return "".join(str(part) for part in element.itertext()).strip()
    return (element.text or "").strip()


def inner_markup(element: Element) -> str:
    """The element's content as markup, stripped; what a feed means that embeds XHTML instead of escaping it."""
    if not len(element):
        return (element.text or "").strip()
    children = (etree.tostring(child, encoding="unicode") for child in element)
    return f"{element.text or ''}{''.join(children)}".strip()


def line_of(element: Element) -> int | None:
    """The line in the document where the element begins."""
    line = element.sourceline
    return line if isinstance(line, int) else None


def children(element: Element, name: str) -> Iterator[Element]:
    """The child elements with this short name."""
    return (child for child in element if short_name(child) == name)


def child_text(element: Element, name: str) -> str | None:
    """The text of the first such child that has one."""
    return next((text for child in children(element, name) if (text := text_of(child))), None)


def attribute(element: Element, name: str) -> str | None:
    """An attribute's stripped value; None where it is missing or empty. `feedGuid` is also found as `feedguid`."""
    value = element.get(name)
    if value is None and not name.islower():
        value = element.get(name.lower())
    return value.strip() or None if value is not None else None


def whole_attribute(element: Element, name: str) -> int | None:
    """An attribute as a whole number; None where it is missing or something else."""
    value = attribute(element, name)
    return None if value is None else try_parse_whole(value)
