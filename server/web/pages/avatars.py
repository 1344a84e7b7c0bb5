"""Avatars: a letter on a colour, drawn from the address alone; and pictures of one's own, by their hash."""

from __future__ import annotations

import html
import re

from starlette.responses import Response

from server.errors import NotFound
from server.storage.accounts import pictures
from server.web.requests.context import Visit

_NAME = re.compile(r"(?:(.)-(\d{1,2})|anonymous)\.svg", re.DOTALL)
_PICTURE = re.compile(rf"([0-9a-f]{{{pictures.HASH_CHARACTERS}}})\.webp")
# What was removed is in caches no longer than that.
PICTURE_SECONDS = 24 * 3600


async def avatar(visit: Visit) -> Response:
    match = _NAME.fullmatch(visit.path_params["name"])
    if match is None:
        raise NotFound("error.no_image")
    letter, hue = match[1], int(match[2] or 0)
    # Dark enough for white letters at any hue.
    fill = f"hsl({hue % 12 * 30} 45% 36%)" if letter else "#7d8793"
    inside = (
        f'<text x="16" y="21.5" fill="#fff" font-family="system-ui,sans-serif" font-size="15" '
        f'font-weight="600" text-anchor="middle">{html.escape(letter)}</text>'
        if letter and letter.isprintable()
        else '<circle cx="16" cy="12.5" r="5" fill="#fff"/><path d="M6 27a10 9 0 0 1 20 0z" fill="#fff"/>'
    )
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
        f'<rect width="32" height="32" rx="16" fill="{fill}"/>{inside}</svg>'
    )
    return Response(
        svg,
        media_type="image/svg+xml",
        headers={
            "Cache-Control": "public, max-age=31536000, immutable",
            "Content-Security-Policy": "default-src 'none'",
        },
    )


async def picture(visit: Visit) -> Response:
    match = _PICTURE.fullmatch(visit.path_params["name"])
    if match is None:
        raise NotFound("error.no_image")
    name = match[1]
    content = await visit.state["context"].database.read(lambda sql: pictures.content(sql, name))
    if content is None:
        raise NotFound("error.no_image")
    return Response(
        content,
        media_type="image/webp",
        headers={
            "Cache-Control": f"public, max-age={PICTURE_SECONDS}, immutable",
            "Content-Security-Policy": "default-src 'none'",
        },
    )
