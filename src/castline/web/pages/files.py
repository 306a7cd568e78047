"""Scripts, style sheets and icons. The address holds the content's hash, so a browser may keep them for ever."""

from pathlib import Path
from typing import Final

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import Response

from castline.web.pages.render import Ours, find_file

router: Final = APIRouter(include_in_schema=False)

# Nothing else is served, whatever lies beside them.
SERVED: Final[dict[Ours, frozenset[str]]] = {
    "static": frozenset({"app.css", "app.js", "theme.js", "icon.svg"}),
    "assets": frozenset(
        {
            "js/htmx.min.js",
            "js/uplot.min.js",
            "css/uplot.min.css",
            "fonts/NotoSansJP-Regular.ttf",
            "fonts/NotoSansArabic-Regular.ttf",
        }
    ),
}
# Our own: what the system's table says differs from machine to machine.
MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
}
_FOR_EVER: Final = "public, max-age=31536000, immutable"


@router.get("/static/{digest}/{name:path}")
def show_static(digest: str, name: str) -> Response:
    """A file of ours."""
    return _show("static", digest, name)


@router.get("/assets/{digest}/{name:path}")
def show_asset(digest: str, name: str) -> Response:
    """A file of another project, as the build bundled it."""
    return _show("assets", digest, name)


@router.get("/favicon.ico")
def show_icon() -> Response:
    """The icon, for browsers that ask for it unasked."""
    return Response(find_file("static", "icon.svg")[0], media_type="image/svg+xml")


def _show(place: Ours, digest: str, name: str) -> Response:
    if name not in SERVED[place] or find_file(place, name)[1] != digest:
        raise HTTPException(404)
    media_type = MEDIA_TYPES[Path(name).suffix]
    return Response(find_file(place, name)[0], media_type=media_type, headers={"cache-control": _FOR_EVER})
