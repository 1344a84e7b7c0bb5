"""Gzip put together of segments that were compressed before, each by itself. Knows no page.

A stream of deflate may end a block and begin another that refers to nothing before it (RFC 1951). So a page of which
one stretch has changed is not compressed again.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable

LEVEL = 4
# RFC 1952: no name, no time, an unknown system.
_HEAD = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
_LAST_BLOCK = b"\x03\0"
_STORED_BYTES = 65_535
_TINY_BYTES = 128
_SMALL_BYTES = 4_096

# What was compressed, and its blocks.
Segment = tuple[bytes, bytes]


def deflated(plain: bytes, level: int = LEVEL) -> bytes:
    """Return `plain` as whole blocks that refer to nothing before them, compressed where that is worth it."""
    if len(plain) < _TINY_BYTES:
        return stored(plain)
    # A window for 32 KiB costs more to be made than a little text to be compressed.
    window, memory = (-12, 5) if len(plain) < _SMALL_BYTES else (-zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL)
    compressor = zlib.compressobj(level, zlib.DEFLATED, window, memory)
    return compressor.compress(plain) + compressor.flush(zlib.Z_FULL_FLUSH)


def stored(plain: bytes) -> bytes:
    """Return `plain` as blocks that are not compressed (RFC 1951, 3.2.4)."""
    blocks = []
    for start in range(0, len(plain), _STORED_BYTES):
        block = plain[start : start + _STORED_BYTES]
        blocks += [b"\0", len(block).to_bytes(2, "little"), (len(block) ^ 0xFFFF).to_bytes(2, "little"), block]
    return b"".join(blocks)


def gzipped(segments: Iterable[Segment]) -> bytes:
    """Return these, one after the other, as one file of gzip (RFC 1952)."""
    contents = [_HEAD]
    size = check = 0
    for plain, content in segments:
        contents.append(content)
        check = zlib.crc32(plain, check)
        size += len(plain)
    contents += [_LAST_BLOCK, check.to_bytes(4, "little"), (size & 0xFFFFFFFF).to_bytes(4, "little")]
    return b"".join(contents)
