"""XML files, element by element: no DOCTYPE, limited nesting, and memory does not grow with the file."""

from __future__ import annotations

import codecs
import re
from collections.abc import Collection, Iterator
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

from server.importing.source_file import MAX_LINE_BYTES, Source

MAX_DEPTH = 100
CHUNK_BYTES = 64 * 1024
# XML forbids them, and other programs write them nevertheless.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_ENCODING = re.compile(rb"""<\?xml[^<>]{0,100}?encoding\s{0,10}=\s{0,10}["']([A-Za-z0-9._-]{1,40})["']""")


def elements(file: Source, root: str, names: Collection[str]) -> Iterator[tuple[Element, Element]]:
    """Yield each element of these names, as `PARENT/NAME`, as it ends, and its parent as far as that is read.

    All are without their namespaces. Raises CannotStart for a DOCTYPE, another root, and if it is no XML.
    """
    builder = _Builder(file, root, frozenset(names))
    parser = XMLParser(target=builder)
    decoder = _decoder(file)
    try:
        while chunk := file.read(CHUNK_BYTES):
            parser.feed(_FORBIDDEN.sub("", decoder.decode(chunk)))
            yield from builder.ended()
        parser.feed(_FORBIDDEN.sub("", decoder.decode(b"", True)))
        parser.close()
        yield from builder.ended()
    except ParseError as error:
        raise file.refused(f"it is not XML: {error}", error.position[0]) from error


def text(element: Element, name: str) -> str:
    """Return the text of the child of this name, "" if there is none."""
    return (element.findtext(name) or "").strip()


def _decoder(file: Source) -> codecs.IncrementalDecoder:
    match = _ENCODING.match(file.peek().lstrip())
    name = match[1].decode("ascii") if match else "utf-8"
    try:
        # Not all codecs are of text.
        b" ".decode(name, "replace")
    except LookupError as error:
        raise file.refused(f"its encoding {name} is not known", 1) from error
    return codecs.getincrementaldecoder(name)("replace")


class _Builder(TreeBuilder):
    """Builds what is wanted, and lets go of all else that has ended."""

    def __init__(self, file: Source, root: str, wanted: frozenset[str]) -> None:
        super().__init__()
        self._file = file
        self._root = root
        self._wanted = wanted
        self._open: list[Element] = []
        self._ended: list[tuple[Element, Element]] = []
        self._characters = 0

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise self._file.refused("it has a DOCTYPE, which no export needs")

    def start(self, tag: str, attrs: dict[str, str]) -> Element:
        if len(self._open) >= MAX_DEPTH:
            raise self._file.refused(f"its elements are nested deeper than {MAX_DEPTH}")
        element = super().start(_bare(tag), {_bare(name): value for name, value in attrs.items()})
        if not self._open and element.tag != self._root:
            raise self._file.refused(f"it is <{element.tag[:50]}>, not <{self._root}>")
        self._open.append(element)
        return element

    def data(self, data: str) -> None:
        self._characters += len(data)
        if self._characters > MAX_LINE_BYTES:
            raise self._file.refused(f"a text in it is longer than {MAX_LINE_BYTES // 2**20} MiB")
        super().data(data)

    def end(self, tag: str) -> Element:
        element = super().end(_bare(tag))
        self._open.pop()
        self._characters = 0
        if self._open:
            within = self._open[-1]
            is_wanted = f"{within.tag}/{element.tag}" in self._wanted
            if is_wanted or len(self._open) == 1:
                within.remove(element)
            if is_wanted:
                self._ended.append((element, within))
        return element

    def ended(self) -> Iterator[tuple[Element, Element]]:
        ended, self._ended = self._ended, []
        yield from ended


def _bare(name: str) -> str:
    return name.rpartition("}")[2]
