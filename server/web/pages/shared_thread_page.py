"""A thread's page put together of fragments, kept for everybody of one role, and finished for one account.

Knows neither the database nor HTTP. What is personal stands in slots and is never kept.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from server.web.pages.comment_fragments import Drawing, Fragment, Personal
from server.web.pages.gzip_segments import Segment, deflated, gzipped, stored
from server.web.pages.nesting import Place, walked
from server.web.pages.slots import Cut

# A window of deflate is as large: longer runs are hardly smaller when compressed.
RUN_BYTES = 32_768
# Runs begin at comments whose ids say so, so that one comment more moves no other run.
RUN_MASK = 7
# For what one account alone receives.
QUICK_LEVEL = 1


@dataclass(slots=True, eq=False)
class Run:
    """A stretch of a page that is compressed by itself: `pieces` from `start` on. Whole, and packed, when asked for."""

    pieces: tuple[bytes, ...]
    start: int
    _plain: bytes | None = None
    packed: bytes | None = None

    @property
    def plain(self) -> bytes:
        if self._plain is None:
            self._plain = b"".join(self.pieces)
        return self._plain


@dataclass(slots=True, eq=False)
class Sheet:
    """`shell`: the page around the comments, cut where something personal stands. `at`: where the own part of each
    comment is in the pieces of the runs. `own`: the comments of each account; `scores`: as everybody sees them.

    `forms`: what stands before the replies to a comment, by its place, cut in the same way as the shell.
    """

    version: int
    tag: str
    shell: Cut
    runs: list[Run]
    at: dict[int, int]
    fragments: dict[int, Fragment]
    own: dict[int, list[int]]
    scores: dict[int, int]
    forms: dict[int, Cut]
    packed_shell: list[bytes] = field(default_factory=list)

    @property
    def held_bytes(self) -> int:
        """About how much memory it will hold, with the runs joined and packed."""
        shell = 2 * sum(map(len, self.shell.parts))
        return shell + sum(2 * sum(map(len, run.pieces)) + 16 * len(run.pieces) for run in self.runs)

    @property
    def is_packed(self) -> bool:
        return bool(self.packed_shell)

    def plain(self, values: Mapping[str, bytes], changed: Mapping[int, bytes]) -> list[bytes]:
        """Return the page with these values in its slots, in few pieces; `changed`: comments as the account sees them.

        The runs that are everybody's are pieces by themselves: to copy them costs as much as the rest of a page.
        """
        pieces: list[bytes] = []
        small: list[bytes] = []
        for number, part in enumerate(self.shell.parts):
            small.append(part)
            if number < len(self.shell.names):
                name = self.shell.names[number]
                if name == "comments":
                    pieces += [b"".join(small), *(run.plain for run in self._runs(values, changed))]
                    small = []
                else:
                    small.append(values[name])
        return [*pieces, b"".join(small)]

    def packed(self, values: Mapping[str, bytes], changed: Mapping[int, bytes]) -> bytes:
        """Return the same in gzip, from segments that share no window.

        What stands in the shell's slots, such as a name or an own text that waits for approval, is not compressed: the
        length of what strangers wrote tells nothing of it (BREACH, Gluck, Harris and Prado 2013).
        """
        segments: list[Segment] = []
        for number, part in enumerate(self.shell.parts):
            segments.append((part, self.packed_shell[number]))
            if number < len(self.shell.names):
                name = self.shell.names[number]
                if name == "comments":
                    segments += [
                        (run.plain, run.packed or deflated(run.plain, QUICK_LEVEL))
                        for run in self._runs(values, changed)
                    ]
                else:
                    segments.append((values[name], stored(values[name])))
        return gzipped(segments)

    def changed(self, drawing: Drawing, personal: Mapping[int, Personal]) -> dict[int, bytes]:
        """Return the comments of this page that look otherwise to one account, by where they stand."""
        return {self.at[id_]: self.fragments[id_].filled(drawing.slots(id_, one)) for id_, one in personal.items()}

    def _runs(self, values: Mapping[str, bytes], changed: Mapping[int, bytes]) -> list[Run]:
        """Return the runs as one account sees them: those without anything personal as they are kept."""
        if not changed and not self.forms:
            return self.runs
        changed = {**changed, **{at: form.filled(values) for at, form in self.forms.items()}}
        found = list(self.runs)
        starts = [run.start for run in found]
        own: dict[int, list[bytes]] = {}
        for at, piece in changed.items():
            number = bisect_right(starts, at) - 1
            pieces = own.setdefault(number, list(found[number].pieces))
            pieces[at - starts[number]] = piece
        for number, pieces in own.items():
            found[number] = Run(tuple(pieces), starts[number])
        return found


def runs_of(
    roots: list[Place], fragments: Mapping[int, Fragment], within: Collection[int], after: Mapping[int, bytes]
) -> tuple[list[Run], dict[int, int]]:
    """Return the comments in the order of reading, and where each comment's own part is among all pieces.

    `within`: for which comments a piece is left empty before their replies; `after`: what stands behind the replies.
    """
    runs: list[Run] = []
    at: dict[int, int] = {}
    pieces: list[bytes] = []
    start = size = 0
    for place, is_begin in walked(roots):
        id_ = place.comment.id
        fragment = fragments[id_]
        if is_begin:
            if size > RUN_BYTES and (not id_ & RUN_MASK or size > 2 * RUN_BYTES):
                runs.append(Run(tuple(pieces), start))
                start += len(pieces)
                pieces, size = [], 0
            at[id_] = start + len(pieces)
            pieces += [fragment.before, b""] if id_ in within else [fragment.before]
            size += len(fragment.before)
        else:
            pieces += [fragment.between, after[id_], fragment.after] if id_ in after else [
                fragment.between, fragment.after
            ]  # fmt: skip
    if pieces:
        runs.append(Run(tuple(pieces), start))
    return runs, at
