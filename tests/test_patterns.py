"""Every regular expression of the product takes time in proportion to what it reads, also where it finds nothing."""

from __future__ import annotations

import ast
import importlib
import itertools
import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from server.text import links, search_words
from tests.processes import ROOT

# The parser of the standard library, which has no types.
parts: Any = importlib.import_module("re._constants")
parser: Any = importlib.import_module("re._parser")

FUNCTIONS = {"match", "fullmatch", "search", "sub", "split", "findall", "finditer"}
# Made for what they look for: measured by tests of their own.
MADE_WHILE_RUNNING = {("server/text/links.py", "compile"), ("server/text/search_words.py", "compile")}
LONGEST = 16_384
# Small steps at first: what grows exponentially is seen before it hangs.
STEPS = [2, 3, 4, 6, 8, 12, 16, 20, 24, 32, 48, 64, 256, 1_024, 4_096, LONGEST]
MEASURABLE_SECONDS = 0.002


def sources() -> list[tuple[str, ast.Module]]:
    paths = [ROOT / "run.py", *sorted((ROOT / "server").rglob("*.py")), *sorted((ROOT / "channels").rglob("*.py"))]
    return [(path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))) for path in paths]


def called_on(node: ast.AST) -> tuple[str, str] | None:
    """Return (name, method) of a call such as `NAME.sub(…)` or `module.NAME.sub(…)`."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return None
    owner = node.func.value
    name = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
    return name, node.func.attr


def gathered() -> tuple[dict[str, tuple[re.Pattern[Any], set[str]]], set[tuple[str, str]]]:
    """Return the patterns, each with the ways in which it is used, and the places that make others while they run."""
    trees = sources()
    uses: dict[str, set[str]] = {}
    for _, tree in trees:
        for name, method in filter(None, map(called_on, ast.walk(tree))):
            if method in FUNCTIONS:
                uses.setdefault(name, set()).add(method)
    found: dict[str, tuple[re.Pattern[Any], set[str]]] = {}
    others: set[tuple[str, str]] = set()
    for path, tree in trees:
        module = importlib.import_module(path.removesuffix(".py").replace("/", ".").removesuffix(".__init__"))
        constants = {
            target.id
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        made = {name: one for name, one in vars(module).items() if isinstance(one, re.Pattern) and name in constants}
        for name, pattern in made.items():
            found[f"{path} {name}"] = pattern, uses.get(name, set()) or FUNCTIONS
        for node in ast.walk(tree):
            call = called_on(node)
            if call is None or call[0] != "re" or not isinstance(node, ast.Call):
                continue
            if call[1] in FUNCTIONS and isinstance(node.args[0], ast.Constant):
                found[f"{path}:{node.lineno}"] = re.compile(node.args[0].value), {call[1]}
            elif call[1] in FUNCTIONS or (call[1] == "compile" and node not in assigned(tree)):
                others.add((path, call[1]))
    return found, others


def assigned(tree: ast.Module) -> list[ast.expr]:
    return [node.value for node in tree.body if isinstance(node, ast.Assign)]


PATTERNS, OTHERS = gathered()


def letter_of(choices: Any) -> str:
    """Return a letter that the set [choices] holds."""
    kind, value = choices[0]
    if kind is parts.NEGATE:
        return next(letter for letter in "a .\"'<@/" if not any(holds(one, letter) for one in choices[1:]))
    if kind is parts.LITERAL:
        return chr(value)
    return chr(value[0]) if kind is parts.RANGE else of_category(value)


def holds(choice: Any, letter: str) -> bool:
    kind, value = choice
    if kind is parts.LITERAL:
        return bool(value == ord(letter))
    if kind is parts.RANGE:
        return bool(value[0] <= ord(letter) <= value[1])
    return kind is parts.CATEGORY and of_category(value) == letter


def of_category(category: Any) -> str:
    return {parts.CATEGORY_SPACE: " ", parts.CATEGORY_DIGIT: "1", parts.CATEGORY_WORD: "a"}.get(category, ".")


def repeats(tree: Any) -> Iterator[Any]:
    """Return the bodies of all that is repeated."""
    for kind, value in tree:
        if kind in (parts.MAX_REPEAT, parts.MIN_REPEAT, parts.POSSESSIVE_REPEAT):
            yield value[2]
        for one in inner(kind, value):
            yield from repeats(one)


def inner(kind: Any, value: Any) -> list[Any]:
    if kind in (parts.MAX_REPEAT, parts.MIN_REPEAT, parts.POSSESSIVE_REPEAT):
        return [value[2]]
    if kind is parts.SUBPATTERN:
        return [value[3]]
    if kind is parts.BRANCH:
        return list(value[1])
    return [value] if kind is parts.ATOMIC_GROUP else []


def example(tree: Any, grown: Any, times: int, less: int, branch: int) -> str:
    """Return a text of this shape: `grown` that many times, everything else as seldom as may be, or `less` so."""
    text = ""
    for kind, value in tree:
        if kind is parts.LITERAL:
            text += chr(value)
        elif kind is parts.NOT_LITERAL:
            text += "a" if value != ord("a") else "b"
        elif kind is parts.IN:
            text += letter_of(value)
        elif kind is parts.ANY:
            text += "a"
        elif kind is parts.BRANCH:
            text += example(value[1][branch % len(value[1])], grown, times, less, branch)
        elif kind in (parts.MAX_REPEAT, parts.MIN_REPEAT, parts.POSSESSIVE_REPEAT):
            body = example(value[2], grown, times, less, branch)
            text += body * (times if value[2] is grown else max(1, value[0] - less))
        else:
            text += "".join(example(one, grown, times, less, branch) for one in inner(kind, value))
    return text


def repeated(tree: Any, grown: Any, less: int, branch: int, end: str, times: int) -> str:
    return no_longer(example(tree, grown, times, less, branch) + end)


def strung(begin: str, piece: str, end: str, times: int) -> str:
    return begin + piece * (times // max(1, len(piece))) + end


def encoded(made: Callable[[int], str], times: int) -> bytes:
    return made(times).encode("latin-1")


def hostile(pattern: str, flags: int) -> Iterator[Callable[[int], str]]:
    """Return texts to be grown, made of what the pattern looks for."""
    tree = parser.parse(pattern, flags & re.VERBOSE)
    for grown, less, branch, end in itertools.product(list(repeats(tree)), (0, 1), (0, 1), ("", "\0")):
        yield partial(repeated, tree, grown, less, branch, end)
    whole = example(tree, None, 1, 0, 0)
    alphabet = list(dict.fromkeys([*whole, *(example(body, None, 1, 0, 0) for body in repeats(tree)), "\0"]))[:7]
    beginnings = [whole[:length] for length in range(1, min(len(whole), 12) + 1)]
    pieces = [
        whole,
        *beginnings,
        *(f"{one}\n" for one in beginnings),
        *map("".join, itertools.permutations(alphabet, 2)),
    ]
    pieces = list(dict.fromkeys([*alphabet, *pieces]))
    for piece, begin, end in itertools.product(pieces, ("", whole[:-1]), ("", "\0", whole)):
        yield partial(strung, begin, piece, end)


def no_longer(text: str) -> str:
    """Return nothing for what is too long: cut off it would have another shape."""
    return text if len(text) <= 2 * LONGEST else ""


def seconds(use: Callable[[Any], object], text: Any) -> float:
    began = time.process_time()
    use(text)
    return time.process_time() - began


def growth(use: Callable[[Any], object], made: Callable[[int], Any]) -> str:
    """Return what grows faster than what is read, if anything does: by more than three times where that doubles."""
    for times in STEPS:
        taken = seconds(use, made(times))
        if taken > MEASURABLE_SECONDS and times >= 8:
            # A machine that was busy elsewhere is asked again.
            quarter, whole = (min(seconds(use, made(at)) for _ in range(3)) for at in (times // 4, times))
            if whole > MEASURABLE_SECONDS and whole > 9 * quarter and len(made(times)) <= 5 * len(made(times // 4)) + 9:
                return f"{made(8)!r}, grown to {times}: {quarter:.4f} s became {whole:.4f} s"
    return ""


def uses_of(pattern: re.Pattern[Any], methods: set[str]) -> list[Callable[[Any], object]]:
    found: list[Callable[[Any], object]] = []
    if methods & {"sub", "split", "findall", "finditer"}:
        found.append(lambda text: sum(1 for _ in pattern.finditer(text)))
    elif "search" in methods:
        found.append(pattern.search)
    if "match" in methods:
        found.append(pattern.match)
    if "fullmatch" in methods:
        found.append(pattern.fullmatch)
    return found


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_is_linear(name: str) -> None:
    pattern, methods = PATTERNS[name]
    is_bytes = isinstance(pattern.pattern, bytes)
    source = pattern.pattern.decode("latin-1") if is_bytes else pattern.pattern
    for made in hostile(source, pattern.flags):
        for use in uses_of(pattern, methods):
            said = growth(use, partial(encoded, made) if is_bytes else made)
            assert not said, f"{source}: {said}"


def test_patterns_that_are_made_while_running_are_known() -> None:
    assert OTHERS == MADE_WHILE_RUNNING


def test_the_pattern_of_a_threads_links_is_linear() -> None:
    for piece in ("/t/k/c/1", "/t/k/c/", "/t/k", "/t/k/c/1x", " /t/k/c/12345678901234567"):
        for end in ("", "\0"):

            def made(times: int, piece: str = piece, end: str = end) -> str:
                return piece * (times // len(piece)) + end

            assert not growth(lambda text: links.to_file([text], "k", {1: "one"}), made)


def test_the_pattern_of_what_is_sought_is_linear() -> None:
    sought = search_words.phrases("aa aaa a-a b.b.b")
    for piece in ("a", "a ", "aa", "a a ", " ", "b b ", "a-", "<p>a"):

        def made(times: int, piece: str = piece) -> str:
            return piece * (times // len(piece)) + "c"

        assert not growth(lambda text: search_words.marked(text, sought), made)


@pytest.mark.parametrize("pattern", [r"^(?:[ \t]*(?:[-+*]|\d{1,9}[.)])[ \t]+){9,}", r"(?:a+)+b", r"a*b", r"<[^>]*>$"])
def test_a_pattern_that_is_not_linear_is_seen(pattern: str) -> None:
    for made in hostile(pattern, 0):
        if growth(re.compile(pattern).search, made):
            return
    pytest.fail("nothing grew")


def test_the_patterns_of_the_scripts_are_linear() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs Node")
    done = subprocess.run(
        [
            node,
            str(ROOT / "tests" / "static" / "patterns.mjs"),
            *map(str, sorted(path for path in (ROOT / "static").rglob("*.js") if "built" not in path.parts)),
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    said = json.loads(done.stdout)
    assert said["patterns"], "no pattern was found"
    assert said["grown"] == []
