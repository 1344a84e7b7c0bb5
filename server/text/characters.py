"""Characters of comments: which are kept, which are dangerous, and whether a text shows anything. Pure.

Code and addresses stay to the letter but for what is dangerous everywhere.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from server.errors import Invalid
from server.model import MAX_BODY_CHARACTERS

_LINE_ENDS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
# Controls, what turns the direction of the text that follows, half characters, and code points that are none. Tags
# (U+E0000 to U+E007F) spell what nobody sees, except in the flags of regions.
_DANGEROUS = re.compile(
    "(\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f)"
    "|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u206f\ufff9-\ufffb\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
    "\U000e0000-\U000e007f]"
)
# Scripts that are written without spaces, where a zero-width space tells the words apart.
_WITHOUT_SPACES = (
    "\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u1950-\u1aaf\u1b00-\u1bbf\u2e80-\u9fff\ua980-\uaadf\uf900-\ufaff"
)
_INVISIBLE = re.compile(f"(?<![{_WITHOUT_SPACES}])\u200b(?![{_WITHOUT_SPACES}])|[\u2060-\u2065\ufeff]")
# Accents that go with any letter, and the marks that some scripts are written with: Hebrew and Tibetan need several.
_ACCENTS = "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ua66f-\ua672\ufe20-\ufe2f"
# With what may stand between two of them and is not seen.
_ACCENT = f"[{_ACCENTS}][\u200b-\u200d\ufe00-\ufe0f]*+"
_MARKS = "".join(
    chr(code) for code in (*range(0x300, 0x2100), *range(0xA66F, 0xABEE)) if unicodedata.category(chr(code)) == "Mn"
)
_TOO_MANY_MARKS = re.compile(f"((?:{_ACCENT}){{4}})(?:{_ACCENT})+|([{_MARKS}]{{12}})[{_MARKS}]+")
# What lines of quotes and lists begin with, and what is indented there.
_CONTAINERS = re.compile(r"(?:[ \t>+*-]|\d{1,9}[.)])*+")
_FENCE = re.compile(rf"({_CONTAINERS.pattern})(`{{3,}}|~{{3,}})")
# What may stand before a fence that is in nothing else.
_AT_MARGIN = {"", " ", "  ", "   "}
# Nothing closes it.
_UNSURE = "\n"
_WORD = re.compile(r"\s+|\S+")
_TICKS = re.compile("`+")
# Fillers, joiners and blanks that categories call letters, symbols or marks.
_UNSEEN = frozenset("\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\U0001d159")


def clean(text: str) -> str:
    """Return a text as it is kept: Unix line ends, NFC but in code and addresses, nothing dangerous, without blank
    lines around it. At most four accents stand on a letter, and twelve marks of its script."""
    if not _is_plain(text):
        text = _DANGEROUS.sub(r"\1", _LINE_ENDS.sub("\n", text))
    if not text.isascii():
        text = "".join(part if is_exact else _loose(part) for part, is_exact in _parts(text))
        text = _TOO_MANY_MARKS.sub(r"\1\2", text)
    text = text.rstrip()
    # The first line keeps its indentation: it may be code.
    blank = len(text) - len(text.lstrip())
    return text[text.rfind("\n", 0, blank) + 1 :]


def clean_body(text: str) -> str:
    """Return the body that may be kept. Raises Invalid (field body) if nothing is left or it is too long."""
    text = _LINE_ENDS.sub("\n", text)
    # Dropped characters do not count, but must not be unlimited either.
    body = clean(text) if len(text) <= 2 * MAX_BODY_CHARACTERS else text
    if len(body) > MAX_BODY_CHARACTERS:
        raise Invalid("error.long_comment", field="body", most=MAX_BODY_CHARACTERS, count=len(body))
    if not body:
        raise Invalid("error.empty_comment", field="body")
    return body


def without_dangerous(text: str) -> str:
    """Return the text without what must not reach a reader wherever it stands."""
    return text if _is_plain(text) else _TOO_MANY_MARKS.sub(r"\1\2", _DANGEROUS.sub(r"\1", text))


def _is_plain(text: str) -> bool:
    """Say whether there is nothing but ASCII's signs in it: most texts are so, and that is known in no time."""
    return text.isascii() and text.replace("\n", "").replace("\t", "").isprintable()


def is_visible(text: str) -> bool:
    """Say whether a reader sees anything of the text: a letter, digit, sign or symbol."""
    return any(unicodedata.category(letter)[0] in "LNPS" and letter not in _UNSEEN for letter in text)


def _loose(text: str) -> str:
    return unicodedata.normalize("NFC", _INVISIBLE.sub("", text))


def _parts(text: str) -> Iterator[tuple[str, bool]]:
    """Cut the text into parts, each with whether it is kept to the letter: code, and words with an address.

    What may be code counts as code: that much less is normalised.
    """
    loose: list[str] = []
    begin = fence = ""
    for line in text.splitlines(keepends=True):
        found = _FENCE.match(line)
        is_code = bool(fence or found or _is_indented(line))
        if found and not fence:
            begin, fence = found.groups()
        elif found and found[2].startswith(fence) and not line[found.end() :].strip():
            # Within quotes and lists, and further in, only a parser knows whether it closes.
            fence = "" if {begin, found[1]} <= _AT_MARGIN else _UNSURE
        if not is_code:
            loose.append(line)
            continue
        yield from _inline("".join(loose))
        loose = []
        yield line, True
    yield from _inline("".join(loose))


def _is_indented(line: str) -> bool:
    begin = _CONTAINERS.match(line)
    return begin is not None and ("    " in begin[0] or "\t" in begin[0])


def _inline(text: str) -> Iterator[tuple[str, bool]]:
    """Cut text outside of code blocks likewise: at code spans (CommonMark 6.1) and at addresses."""
    runs = [(run.start(), run.end()) for run in _TICKS.finditer(text)]
    last = {end - start: place for place, (start, end) in enumerate(runs)}
    closing = dict[int, list[int]]()
    for place in range(len(runs) - 1, -1, -1):
        closing.setdefault(runs[place][1] - runs[place][0], []).append(place)
    at = place = 0
    while place < len(runs):
        start, end = runs[place]
        length = end - start
        if last[length] <= place:
            place += 1
            continue
        same = closing[length]
        while same[-1] <= place:
            same.pop()
        yield from _words(text[at:start])
        place = same[-1]
        at = runs[place][1]
        yield text[start:at], True
        place += 1
    yield from _words(text[at:])


def _words(text: str) -> Iterator[tuple[str, bool]]:
    if not any(sign in text for sign in ("://", "www.", "mailto:", "](")):
        yield text, False
        return
    for word in _WORD.findall(text):
        yield word, any(sign in word for sign in ("://", "www.", "mailto:", "]("))
