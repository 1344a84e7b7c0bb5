"""What a reader and a writer live through, in forty scenarios; a test claims each by `@pytest.mark.scenario(12)`."""

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


def claims() -> Iterator[tuple[int, str]]:
    """Return which scenario is claimed by which test."""
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.scenario":
                    yield from ((ast.literal_eval(number), f"{file.name}::{node.name}") for number in mark.args)


def test_every_scenario_is_claimed_by_a_test() -> None:
    claimed: dict[int, list[str]] = {}
    for number, test in claims():
        claimed.setdefault(number, []).append(test)
    assert {number: SCENARIOS[number] for number in SCENARIOS if number not in claimed} == {}
    assert sorted(claimed) == list(SCENARIOS)
