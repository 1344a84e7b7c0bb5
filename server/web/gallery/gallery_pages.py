"""`/gallery`, the parts of a thread, `/gallery/embedded`, threads under an article, and `/gallery/pages`, the rest.

Only where a setting says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from server.errors import NotFound
from server.model import DENSITIES, PLAIN, THEMES, Appearance
from server.web.gallery import conversations, whole_pages
from server.web.gallery import embedded as embedded_threads
from server.web.gallery.drawn import Exhibit, Gallery
from server.web.gallery.made_up import ANA
from server.web.pages import page_templates
from server.web.requests import appearance, language
from server.web.requests.context import Visit
from server.web.requests.page_queue_owner import in_turn


async def parts(visit: Visit) -> Response:
    # Its style and that of the other pages exclude each other, as everywhere.
    return _shown(visit, conversations.exhibits, script="gallery.js", thread_page=True)


async def embedded(visit: Visit) -> Response:
    return _shown(visit, embedded_threads.exhibits, is_elsewhere=True, script="gallery_embedded.js")


async def pages(visit: Visit) -> Response:
    return _shown(visit, whole_pages.exhibits, script="gallery.js")


def _shown(
    visit: Visit, exhibits: Callable[[Gallery], Iterable[Exhibit]], *, is_elsewhere: bool = False, **more: Any
) -> Response:
    """Return one of the pages, in the language and the look that `lang`, `theme` and `density` ask for.

    Raises NotFound.
    """
    settings, offered = visit.state["context"].settings, visit.state["context"].editions.offered
    if not settings.gallery:
        raise NotFound("error.no_address")
    query = visit.query_params
    found = offered.matching(query.get("lang", "")[: language.MOST_CHARACTERS])
    theme = next((one for one in THEMES if one == query.get("theme")), PLAIN.theme)
    density = next((one for one in DENSITIES if one == query.get("density")), PLAIN.density)
    # As if an account had chosen so.
    reader = replace(ANA, language=found.language if found else "", appearance=Appearance(density, theme))
    language.prefer(visit, reader)
    appearance.prefer(visit, reader)
    html = page_templates.html(
        visit, "gallery.html", "gallery", None, is_elsewhere=is_elsewhere,
        exhibits=list(exhibits(Gallery(visit, is_elsewhere=is_elsewhere))),
        choices={"lang": offered.texts, "theme": THEMES, "density": DENSITIES}, **more,
    )  # fmt: skip
    return Response(html, headers={"Cache-Control": "no-store"}, media_type="text/html; charset=utf-8")


routes = [
    Route("/gallery", in_turn(parts)),
    Route("/gallery/embedded", in_turn(embedded)),
    Route("/gallery/pages", in_turn(pages)),
]
