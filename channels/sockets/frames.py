"""WebSocket frames (RFC 6455): builds what a server sends, takes apart what a client sends. Touches no transport."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from channels.sockets.deflate import deflate, inflate

try:
    from websockets.speedups import apply_mask
except ImportError:  # the wheel without compiled parts
    from websockets.utils import apply_mask

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
PROTOCOL_ERROR, NOT_UTF8, TOO_LARGE = 1002, 1007, 1009
_NO_CODE = 1005
_FINAL = 0x80
_RESERVED = 0x70
_DEFLATED = 0x40
_MASKED = 0x80
_MAX_CONTROL_BYTES = 125
_DATA = (CONTINUATION, TEXT, BINARY)
_NO_MASK = b"\0\0\0\0"
_WORTH_DEFLATING_BYTES = 200


@dataclass(frozen=True, slots=True)
class Limits:
    """What one message may be made of: bytes together, and fragments (None: any number)."""

    message_bytes: int = 65_536
    fragments: int | None = 4_096


class Violation(Exception):
    """The client broke the protocol, or a limit; `code` closes the connection."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def build(opcode: int, content: bytes) -> bytes:
    """Return the one unmasked, final frame that carries `content` (RFC 6455, 5.2)."""
    length = len(content)
    if length < 126:
        return bytes((_FINAL | opcode, length)) + content
    if length < 65_536:
        return bytes((_FINAL | opcode, 126)) + length.to_bytes(2) + content
    return bytes((_FINAL | opcode, 127)) + length.to_bytes(8) + content


def text_frame(content: bytes) -> bytes:
    return build(TEXT, content)


class Text:
    """A text message in both of its forms, each built when it is first wanted and once for all who want it."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def frame(self, *, deflated: bool) -> bytes:
        return self.deflated if deflated else self.plain

    @cached_property
    def plain(self) -> bytes:
        return text_frame(self._content)

    @cached_property
    def deflated(self) -> bytes:
        """The compressed frame; the plain one, which is as valid, where little would be gained."""
        if len(self._content) < _WORTH_DEFLATING_BYTES:
            return self.plain
        return build(_DEFLATED | TEXT, deflate(self._content))


class Texts(Text):
    """Text messages that go out together, in this order."""

    def __init__(self, parts: Sequence[Text]) -> None:
        super().__init__(b"")
        self._parts = parts

    @cached_property
    def plain(self) -> bytes:
        return b"".join(part.plain for part in self._parts)

    @cached_property
    def deflated(self) -> bytes:
        return b"".join(part.deflated for part in self._parts)


def close_frame(code: int, reason: str = "") -> bytes:
    """A close frame; the code 1005 stands for none."""
    if code == _NO_CODE:
        return build(CLOSE, b"")
    return build(CLOSE, code.to_bytes(2) + reason.encode()[: _MAX_CONTROL_BYTES - 2])


@dataclass(slots=True)
class _Unfinished:
    """A message of which some fragments have come."""

    opcode: int
    is_deflated: bool
    decoder: codecs.BufferedIncrementalDecoder | None
    parts: list[str | bytes]
    size: int = 0


class Parser:
    """Turns received bytes into messages; holds at most one message, within the limits.

    A frame is judged by its head, before its content has come.
    """

    __slots__ = ("_is_deflating", "_limits", "_rest", "_unfinished")

    def __init__(self, limits: Limits, *, is_deflating: bool = False) -> None:
        self._limits = limits
        self._is_deflating = is_deflating
        self._rest: bytes | bytearray = b""
        self._unfinished: _Unfinished | None = None

    def feed(self, data: bytes) -> Iterator[tuple[int, str | bytes | int]]:
        """Yield (TEXT, str), (BINARY, bytes), (PING, bytes), (PONG, bytes) and (CLOSE, code). Raises Violation."""
        read: bytes | bytearray = data
        if self._rest:
            assert isinstance(self._rest, bytearray)
            self._rest += data
            read = self._rest
        place, end = 0, len(read)
        while end - place >= 2:
            head = self._head(read, place, end)
            if head is None:
                break
            opcode, is_final, is_deflated, start, length = head
            if end - start < length:
                break
            content = bytes(read[start : start + length])
            mask = read[start - 4 : start]
            if mask != _NO_MASK:
                content = apply_mask(content, bytes(mask))
            place = start + length
            if opcode in _DATA:
                message = self._message(opcode, content, is_final=is_final, is_deflated=is_deflated)
                if message is not None:
                    yield message
            elif opcode == CLOSE:
                yield CLOSE, _close_code(content)
            else:
                yield opcode, content
        if place == end:
            self._rest = b""
        elif read is data:
            self._rest = bytearray(data[place:])
        elif place:
            # Only where a frame was taken: a peer that sends byte by byte must not have the rest copied each time.
            self._rest = read[place:]

    def _head(self, read: bytes | bytearray, place: int, end: int) -> tuple[int, bool, bool, int, int] | None:
        """Return (opcode, is final, is deflated, where the content starts, its length); None while it is not whole."""
        first, second = read[place], read[place + 1]
        opcode, is_final = first & 0x0F, bool(first & _FINAL)
        length, start = second & 0x7F, place + 2
        reserved = first & _RESERVED
        # The bit belongs to the message, so to its first frame alone (RFC 7692, 6).
        if reserved and not (reserved == _DEFLATED and self._is_deflating and opcode in (TEXT, BINARY)):
            raise Violation(PROTOCOL_ERROR, "a reserved bit is set")
        if not second & _MASKED:
            raise Violation(PROTOCOL_ERROR, "a client frame must be masked")
        if opcode in _DATA:
            if (opcode == CONTINUATION) != (self._unfinished is not None):
                raise Violation(PROTOCOL_ERROR, "a fragment is out of order")
        elif opcode not in (CLOSE, PING, PONG):
            raise Violation(PROTOCOL_ERROR, "an unknown opcode")
        elif length > _MAX_CONTROL_BYTES or not is_final:
            raise Violation(PROTOCOL_ERROR, "a control frame must be short and unfragmented")
        if length >= 126:
            width = 2 if length == 126 else 8
            if end - start < width:
                return None
            length = int.from_bytes(read[start : start + width])
            if length < (126 if width == 2 else 65_536) or length >> 63:
                raise Violation(PROTOCOL_ERROR, "a length must use the fewest bytes")
            start += width
        if opcode in _DATA:
            self._measure(length)
        return (opcode, is_final, bool(reserved), start + 4, length) if end - start >= 4 else None

    def _measure(self, length: int) -> None:
        unfinished = self._unfinished
        if length + (unfinished.size if unfinished else 0) > self._limits.message_bytes:
            raise Violation(TOO_LARGE, "the message is too long")
        most = self._limits.fragments
        if unfinished and most is not None and len(unfinished.parts) >= most:
            raise Violation(TOO_LARGE, "too many fragments")

    def _message(
        self, opcode: int, content: bytes, *, is_final: bool, is_deflated: bool
    ) -> tuple[int, str | bytes] | None:
        unfinished = self._unfinished
        try:
            if unfinished is None:
                if is_final:
                    content = self._inflated(content) if is_deflated else content
                    return opcode, content.decode() if opcode == TEXT else content
                is_readable = opcode == TEXT and not is_deflated
                decoder = codecs.getincrementaldecoder("utf-8")() if is_readable else None
                unfinished = self._unfinished = _Unfinished(opcode, is_deflated, decoder, [])
            decoder = unfinished.decoder
            unfinished.size += len(content)
            unfinished.parts.append(decoder.decode(content, is_final) if decoder else content)
            if not is_final:
                return None
            self._unfinished = None
            if decoder:
                return TEXT, "".join(part for part in unfinished.parts if isinstance(part, str))
            whole = b"".join(part for part in unfinished.parts if isinstance(part, bytes))
            whole = self._inflated(whole) if unfinished.is_deflated else whole
            return unfinished.opcode, whole.decode() if unfinished.opcode == TEXT else whole
        except UnicodeDecodeError:
            raise Violation(NOT_UTF8, "the text is not UTF-8") from None

    def _inflated(self, content: bytes) -> bytes:
        try:
            whole = inflate(content, self._limits.message_bytes)
        except ValueError:
            raise Violation(PROTOCOL_ERROR, "the compressed message is malformed") from None
        if whole is None:
            raise Violation(TOO_LARGE, "the message is too long")
        return whole


def _close_code(content: bytes) -> int:
    """Return the code of a close frame, 1005 if it has none. Raises Violation."""
    if not content:
        return _NO_CODE
    code = int.from_bytes(content[:2])
    if len(content) == 1 or not (code in (1000, 1001, 1002, 1003) or 1007 <= code <= 1014 or 3000 <= code < 5000):
        raise Violation(PROTOCOL_ERROR, "an unknown close code")
    try:
        content[2:].decode()
    except UnicodeDecodeError:
        raise Violation(NOT_UTF8, "the reason is not UTF-8") from None
    return code
