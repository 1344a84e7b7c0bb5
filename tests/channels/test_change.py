"""Changes: merging, sizes, one encoding."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import UNSET

from channels.messages import Answer, Change, Comment, Info, fits, merge


def comment(id_: int, version: int, **fields: object) -> Comment:
    whole = {"parent": None, "revision": 1, "state": "visible", "author": None, "html": "<p>x</p>", "score": 0}
    return msgspec.convert({"id": id_, "version": version, **whole, **fields}, Comment)


def change(after: int, version: int, *comments: Comment, epoch: str = "e") -> Change:
    return Change(thread="t", epoch=epoch, after=after, version=version, comments=comments, info=Info(comments=version))


def test_two_changes_merge_where_one_begins_where_the_other_ends() -> None:
    merged = merge(change(1, 2, comment(1, 2)), change(2, 5, comment(2, 5)))
    assert (merged.after, merged.version, [one.id for one in merged.comments]) == (1, 5, [1, 2])
    assert merged.info.comments == 5


@pytest.mark.parametrize("second", [change(3, 5), change(1, 5), change(2, 5, epoch="other")])
def test_others_are_never_merged(second: Change) -> None:
    assert not fits(change(1, 2), second)
    with pytest.raises(ValueError, match="does not follow"):
        merge(change(1, 2), second)


def test_a_change_is_sound_where_its_versions_are_in_order() -> None:
    assert change(2, 2).is_sound
    assert change(1, 2, comment(1, 1), comment(2, 2)).is_sound
    assert not change(3, 2).is_sound
    assert not change(1, 2, comment(1, 2), comment(2, 3)).is_sound


def test_the_branches_of_both_changes_are_merged_and_the_later_count_holds() -> None:
    def counted(after: int, branches: dict[int, int]) -> Change:
        return msgspec.structs.replace(change(after, after + 1), branches=branches)

    assert merge(counted(1, {1: 4, 2: 5}), counted(2, {2: 6, 3: 7})).branches == {1: 4, 2: 6, 3: 7}
    assert merge(change(1, 2), counted(2, {3: 7})).branches == {3: 7}
    assert merge(counted(1, {1: 4}), change(2, 3)).branches == {1: 4}
    assert merge(change(1, 2), change(2, 3)).branches is UNSET


def test_the_newer_whole_comment_replaces_the_older() -> None:
    merged = merge(change(1, 2, comment(1, 2)), change(2, 3, comment(1, 3, state="deleted", html="")))
    assert [(one.version, one.state, one.html) for one in merged.comments] == [(3, "deleted", "")]


def test_a_partial_comment_is_laid_over_a_whole_one_field_by_field() -> None:
    merged = merge(change(1, 2, comment(1, 2)), change(2, 3, Comment(id=1, version=3, score=7)))
    (one,) = merged.comments
    assert (one.version, one.score, one.html) == (3, 7, "<p>x</p>")


def test_a_partial_comment_stays_partial_where_nothing_whole_is_merged() -> None:
    (one,) = merge(change(1, 2), change(2, 3, Comment(id=1, version=3, score=7))).comments
    assert one.is_partial
    assert one.html is UNSET


def test_a_frame_is_built_once_and_read_back_equal() -> None:
    whole = change(1, 2, comment(1, 2), Comment(id=2, version=2, score=3))
    assert whole.frame is whole.frame
    assert msgspec.json.decode(whole.frame, type=Answer) == whole


def test_a_change_above_500_rows_or_256_kib_is_too_large() -> None:
    assert change(1, 2, *(comment(id_, 2) for id_ in range(1, 502))).is_too_large
    assert change(1, 2, comment(1, 2, html="x" * 256 * 1024)).is_too_large
    assert not change(1, 2, *(comment(id_, 2) for id_ in range(1, 501))).is_too_large


@pytest.mark.parametrize(
    "frame",
    [b"", b"[]", b'{"type":"changes"}', b'{"type":"other"}', b"[" * 100_000],
    ids=["empty", "array", "bare", "other", "deep"],
)
def test_anything_else_than_a_change_is_refused(frame: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, RecursionError)):
        msgspec.json.decode(frame, type=Answer)
