"""
What a reader and a writer live through, in forty scenarios; a test claims each by `@pytest.mark.scenario(12)`.

They hold in `<live-thread>` on a page of another site as well: a test that takes the place from
tests/journeys/places.py claims them for the element too, and others do so by `@pytest.mark.scenario_in_element(12)`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.processes import ROOT

# A writes, B reads.
SCENARIOS = dict(enumerate((
    "A posts while B is mid-thread: the pill says 1, and B's line moves by 0 px",
    "a press on the pill inserts, and the focus is right",
    "below the window: appended, and nothing shifts",
    "a reply in a folded branch: only its badge changes",
    "50 comments a second: nothing is lost, and nothing shifts",
    "an edit in sight and out of it",
    "a comment with replies is deleted",
    "a removal reaches B",
    "votes come and go, and nothing shifts",
    "B was offline, and catches up exactly",
    "the server restarts: readers come back at times of their own",
    "a socket dies in silence",
    "the page was hidden for long, and returns",
    "the back-forward cache",
    "a reset keeps the draft and the place",
    "changes come out of order, or twice",
    "answer and echo in either order make one comment",
    "a post that failed and was retried is one",
    "a draft survives a reload and a burst, and its caret stays",
    "two tabs share drafts and read marks",
    "a permalink into a branch that is not loaded",
    "a permalink to a deleted comment",
    "the next unread is behind More comments",
    "read only after a while in sight, with the focus",
    "live votes never sort anew",
    "a quote stays within one comment",
    "by the keyboard alone",
    "the status speaks seldom",
    "axe, both themes, every state",
    "zoomed to 320 px: nothing scrolls sideways",
    "ten levels deep on a phone: 260 px of text",
    "right to left",
    "reduced motion",
    "print",
    "without JavaScript: the whole journey",
    "hostile styles, strict policies, Trusted Types and hostile texts",
    "two threads on one page",
    "logged out, then in: the reply is still there",
    "the heap is flat after 10,000 changes",
    "Chromium and Firefox both",
), start=1))  # fmt: skip


# No test lives through these in the element; why.
NOT_IN_ELEMENT = {
    11: "the server's alone: when it asks its sockets to come back",
    35: "without JavaScript there is no element: its link leads to our own page",
    39: "ten thousand changes take long, and go through the same code",
}
IN_BOTH_PLACES = ("IN_BOTH_PLACES", "UNDER_AN_ARTICLE")


def claims() -> Iterator[tuple[int, bool]]:
    """Return which scenarios are claimed, and whether in the element, by the decorators of tests."""
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            is_in_both = any(place in ast.unparse(mark) for mark in node.decorator_list for place in IN_BOTH_PLACES)
            for mark in node.decorator_list:
                said = ast.unparse(mark.func) if isinstance(mark, ast.Call) else ""
                if isinstance(mark, ast.Call) and said.startswith("pytest.mark.scenario"):
                    for number in map(ast.literal_eval, mark.args):
                        yield number, is_in_both or said.endswith("_in_element")


def test_every_scenario_is_claimed_by_a_test() -> None:
    claimed = {number for number, _ in claims()}
    assert {number: SCENARIOS[number] for number in SCENARIOS if number not in claimed} == {}
    assert sorted(claimed) == list(SCENARIOS)


def test_every_scenario_is_lived_through_in_the_element_or_is_said_not_to_be() -> None:
    in_element = {number for number, is_in_element in claims() if is_in_element}
    assert in_element.isdisjoint(NOT_IN_ELEMENT)
    assert sorted(in_element | set(NOT_IN_ELEMENT)) == list(SCENARIOS)
