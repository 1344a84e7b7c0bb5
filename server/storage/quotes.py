"""Quotes with a source: what was taken from a comment goes and comes with it, wherever it is quoted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from server.storage.write import Write

_QUOTE = re.compile(r"<blockquote>(?:(?!</?blockquote>).)*</blockquote>", re.DOTALL)
_SOURCE = re.compile(r'href="/t/[A-Za-z0-9._~-]{1,200}/c/(\d{1,16})"')
_GONE = "<blockquote>\n<p>What was quoted here is gone.</p>\n</blockquote>"
MAX_SOURCES = 20


def remember(write: Write, comment: int, html: str) -> None:
    """Keep which comments are quoted in `html`: a quote has a link to its source."""
    write.sql.execute("DELETE FROM quotes WHERE comment = ?", (comment,))
    if "<blockquote>" not in html:
        return
    sources = {int(id_) for quote in _QUOTE.findall(html) for id_ in _SOURCE.findall(quote)}
    for source in sorted(sources)[:MAX_SOURCES]:
        write.sql.execute("INSERT INTO quotes SELECT ?, id FROM comments WHERE id = ?", (comment, source))


def stamp(write: Write, source: int) -> None:
    """The source has appeared or gone: all that quote it show differently."""
    found = write.sql.execute(
        "SELECT c.thread, c.id FROM quotes q JOIN comments c ON c.id = q.comment"
        " WHERE q.source = ? AND c.state = 'visible'",
        (source,),
    ).fetchall()
    for thread, comment in found:
        write.stamp(thread, [comment])


def without(html: str, sources: str) -> str:
    """Return `html` with an empty place for each quote of one of `sources`, ids joined by commas."""
    gone = set(sources.split(","))
    return _QUOTE.sub(lambda quote: _GONE if gone & set(_SOURCE.findall(quote[0])) else quote[0], html)
