"""How a thread's sheet is made: read, drawn where it has changed, and put together. Knows no account."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from channels.cache import Shared
from channels.messages import Comment
from server.model import Head
from server.storage.comments import comment_rows
from server.storage.engine.database import Database, Sql
from server.storage.threads.paging import Page
from server.visibility import view
from server.web.pages import comment_fragments, gzip_segments, shared_thread_page
from server.web.pages.comment_fragments import Drawing, Fragment
from server.web.pages.nesting import Place, places, walked
from server.web.pages.shared_thread_page import Sheet
from server.web.pages.slots import Cut

# As many take about a millisecond: then others have their turn.
DRAWN_AT_ONCE = 8
# Fragments belong to no thread's answers: what changes has another version, and what is old is not asked for again.
KEPT_UNDER = ""
Find = Callable[[Sql], Page[Head]]


@dataclass(frozen=True, slots=True)
class Found:
    """What a page shows: the fragments that are kept, and the comments that are to be drawn."""

    page: Page[Head]
    roots: list[Place]
    kept: dict[int, Fragment]
    missing: list[tuple[Place, Comment]]

    @property
    def comments(self) -> dict[int, Head]:
        return {one.id: one for one in (*self.page.context, *self.page.comments)}


async def make(
    database: Database,
    shared: Shared,
    drawing: Drawing,
    find: Find,
    *,
    is_flat: bool,
    moderates: bool,
    tag: Callable[[Page[Head]], str],
    shell: Callable[[Found], str],
    within: Callable[[Found], Mapping[int, Cut]],
    after: Callable[[Found], Mapping[int, bytes]],
) -> Sheet:
    """Return the sheet of one page: only what is not kept is drawn, a few comments at a time.

    `shell` draws what is around the comments; `within` and `after` what stands between them.
    """
    found = await database.read(lambda sql: _found(sql, find, shared, drawing, is_flat, moderates))
    drawn = dict(found.kept)
    for start in range(0, len(found.missing), DRAWN_AT_ONCE):
        some = found.missing[start : start + DRAWN_AT_ONCE]
        for (place, _), fragment in zip(
            some, drawing.fragments(some, found.page.thread.key, moderates=moderates), strict=True
        ):
            drawn[place.comment.id] = fragment
            key = comment_fragments.key(place, drawing, moderates=moderates)
            shared.keep(KEPT_UNDER, key, fragment, fragment.held_bytes)
        await asyncio.sleep(0)
    forms = within(found)
    runs, at = shared_thread_page.runs_of(found.roots, drawn, forms, after(found))
    for run in runs:
        run.packed = shared.peek(KEPT_UNDER, run.pieces)
    own: dict[int, list[int]] = {}
    for id_, head in found.comments.items():
        if head.author is not None and head.state == "visible":
            own.setdefault(head.author, []).append(id_)
    scores = {id_: head.score for id_, head in found.comments.items()}
    return Sheet(
        found.page.thread.version,
        tag(found.page),
        Cut.of(shell(found)),
        runs,
        at,
        drawn,
        own,
        scores,
        {at[id_] + 1: form for id_, form in forms.items()},
    )


async def pack(shared: Shared, sheet: Sheet) -> None:
    """Compress what of the sheet is not compressed, a run at a time; runs that stayed the same are kept."""
    if sheet.is_packed:
        return
    for run in sheet.runs:
        if not run.packed:
            run.packed = gzip_segments.deflated(run.plain)
            shared.keep(KEPT_UNDER, run.pieces, run.packed, len(run.packed) + 16 * len(run.pieces))
            await asyncio.sleep(0)
    sheet.packed_shell = [gzip_segments.deflated(part) for part in sheet.shell.parts]


def _found(sql: Sql, find: Find, shared: Shared, drawing: Drawing, is_flat: bool, moderates: bool) -> Found:
    """Read the page, and the texts of those comments alone that are not kept as they are now."""
    page = find(sql)
    roots = places(page.context, page.comments, is_flat=is_flat)
    by_id = {place.comment.id: place for place, is_begin in walked(roots) if is_begin}
    kept = {
        id_: fragment
        for id_, place in by_id.items()
        if (fragment := shared.peek(KEPT_UNDER, comment_fragments.key(place, drawing, moderates=moderates))) is not None
    }
    missing = [id_ for id_ in by_id if id_ not in kept]
    texts = ((one.id, view(None, one)) for one in comment_rows.by_ids(sql, missing))
    return Found(page, roots, kept, [(by_id[id_], seen) for id_, seen in texts if seen is not None])
