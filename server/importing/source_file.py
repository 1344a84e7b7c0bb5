"""A source file, gzipped or not: read in bounded steps, with errors that name it. Knows no format."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from server.errors import CannotStart

MAX_LINE_BYTES = 16 * 1024 * 1024
MAX_WHOLE_BYTES = 64 * 1024 * 1024
# Text packs to a tenth or so; what packs to a thousandth was made to fill a disk.
MAX_RATIO = 200
_SMALL = 1024 * 1024
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_GZIP = b"\x1f\x8b"
_OTHERS = {
    b"PK\x03\x04": "a ZIP archive: unpack it first",
    b"BZh": "compressed with bzip2: decompress it first",
    b"\xfd7zXZ": "compressed with xz: decompress it first",
    b"(\xb5/\xfd": "compressed with zstd: decompress it first",
    b"\xff\xfe": "UTF-16: save it as UTF-8 first",
    b"\xfe\xff": "UTF-16: save it as UTF-8 first",
}


class Source:
    """The unpacked bytes of a file, from its beginning to its end. Reading raises CannotStart."""

    def __init__(self, path: Path, file: BinaryIO, most: int | None) -> None:
        self._path = path
        self._file = file
        self._most = most
        self._read = 0

    def peek(self) -> bytes:
        """Return the next bytes, as many as there are at hand, and leave them there."""
        return bytes(self._file.peek(1))  # type: ignore[attr-defined]

    def read(self, size: int) -> bytes:
        return self._counted(self._file.read(size))

    def lines(self) -> Iterator[tuple[int, bytes | None]]:
        """Yield the lines that are not empty with their numbers, from 1; None for one that is too long."""
        number = 0
        while raw := self._counted(self._file.readline(MAX_LINE_BYTES)):
            number += 1
            is_whole = len(raw) < MAX_LINE_BYTES or raw.endswith(b"\n")
            rest = raw
            while not rest.endswith(b"\n") and (rest := self._counted(self._file.readline(MAX_LINE_BYTES))):
                pass
            if not is_whole:
                yield number, None
            elif raw.strip():
                yield number, raw

    def whole(self) -> bytes:
        """Return all of it. Raises CannotStart above 64 MiB."""
        content = self.read(MAX_WHOLE_BYTES + 1)
        if len(content) > MAX_WHOLE_BYTES:
            raise self.refused(f"it is one document of more than {MAX_WHOLE_BYTES // 2**20} MiB")
        return content

    def refused(self, why: str, line: int | None = None) -> CannotStart:
        return refused(self._path, why, line)

    def _counted(self, some: bytes) -> bytes:
        self._read += len(some)
        if self._most is not None and self._read > self._most:
            raise self.refused(f"it decompresses to more than {MAX_RATIO} times its size")
        return some


@contextmanager
def opened(path: Path) -> Iterator[Source]:
    """Open a file, unpacked if it is a .gz and without its byte order mark. Raises CannotStart, also from within."""
    try:
        with path.open("rb") as raw:
            begin = raw.peek(8)[:8]
            for magic, what in _OTHERS.items():
                if begin.startswith(magic):
                    raise refused(path, f"it is {what}")
            is_packed = begin.startswith(_GZIP)
            file = cast("BinaryIO", gzip.GzipFile(fileobj=raw) if is_packed else raw)
            most = os.fstat(raw.fileno()).st_size * MAX_RATIO + _SMALL if is_packed else None
            source = Source(path, file, most)
            if source.peek().startswith(_BYTE_ORDER_MARK):
                source.read(len(_BYTE_ORDER_MARK))
            if not source.peek():
                raise refused(path, "it is empty")
            yield source
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise refused(path, f"it is a damaged .gz file: {error}") from error
    except OSError as error:
        raise CannotStart(f"Cannot read {path}: {error.strerror or error}.") from error


def refused(path: Path, why: str, line: int | None = None) -> CannotStart:
    """Return the error that ends an import before it has changed anything."""
    where = f", line {line}" if line else ""
    return CannotStart(f"{path}{where}: {why}. Nothing was imported.")
