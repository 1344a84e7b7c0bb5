"""Links between the comments of a file: in its texts `/t/*/c/N` stands for one, and `links` maps N to it. Pure.

No thread has the key `*`, and what a file says so holds in every database and under every key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_HERE = re.compile(r"\]\(/(?=[tu]/)")
_IN_FILE = re.compile(r"/t/\*/c/(\d{1,9})(?!\w)")


def whole(text: str, origin: str) -> str:
    """Return Markdown for readers elsewhere: links to this server name it."""
    return _HERE.sub(f"]({origin}/", text)


def to_file(texts: Iterable[str], key: str, names: Mapping[int, str]) -> tuple[list[str], dict[str, str]]:
    """Return the texts of one comment of thread `key` as a file has them, and what their numbers stand for.

    `names` are the ids in the file of the thread's comments. What links to a comment that the thread does not have
    gets a number that stands for nothing.
    """
    texts = list(texts)
    # Texts that speak of such numbers themselves keep theirs.
    taken = {int(number) for text in texts for number in _IN_FILE.findall(text)}
    numbers: dict[int, int] = {}

    def numbered(match: re.Match[str]) -> str:
        id_ = int(match[1])
        if id_ not in numbers:
            numbers[id_] = next(number for number in range(len(taken) + 1) if number not in taken)
            taken.add(numbers[id_])
        return f"/t/*/c/{numbers[id_]}"

    # Within a longer address it is another site's.
    here = re.compile(rf"""(?<![^\s("'<=])/t/{re.escape(key)}/c/(\d{{1,16}})(?!\w)""")
    written = [here.sub(numbered, text) for text in texts]
    return written, {str(number): names[id_] for id_, number in numbers.items() if id_ in names}


def from_file(text: str, key: str, links: Mapping[str, str], ids: Mapping[str, int]) -> str:
    """Return a text of a file as it is in thread `key`; `ids` are those of its comments by their ids in the file.

    Others stay as they are: text that leads nowhere.
    """

    def pointed(match: re.Match[str]) -> str:
        id_ = ids.get(links.get(match[1], ""))
        return match[0] if id_ is None else f"/t/{key}/c/{id_}"

    return _IN_FILE.sub(pointed, text) if links else text
