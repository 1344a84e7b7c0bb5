"""RFC 7692 without context takeover: what is agreed, what a compressed message means, and what it may not do."""

from __future__ import annotations

import asyncio
import socket
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as some
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode

from channels.event_loop_budget import Rounds
from channels.sockets import frames
from channels.sockets.connection import Connection
from channels.sockets.deflate import deflate, inflate, is_offered
from channels.sockets.frames import BINARY, PING, TEXT, Limits, Text
from tests.channels.test_frames import client, named, read, violation

TEXT_OF_MANY = "Whoever reads this reads it again and again. " * 20


@pytest.mark.parametrize(
    "offers",
    [
        b"permessage-deflate",
        b"permessage-deflate; client_max_window_bits",
        b"permessage-deflate;client_max_window_bits=12;server_no_context_takeover",
        b'permessage-deflate; server_max_window_bits="15"',
        b"x-webkit-deflate-frame, permessage-deflate; client_no_context_takeover",
        b"permessage-deflate; server_max_window_bits=10, permessage-deflate",
    ],
)
def test_what_browsers_offer_is_taken(offers: bytes) -> None:
    assert is_offered(offers)


@pytest.mark.parametrize(
    "offers",
    [
        b"",
        b"permessage-bzip2",
        b"permessage-deflate; server_max_window_bits=10",
        b"permessage-deflate; server_max_window_bits",
        b"permessage-deflate; client_max_window_bits=16",
        b"permessage-deflate; client_max_window_bits=7",
        b"permessage-deflate; server_no_context_takeover=1",
        b"permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        b"permessage-deflate; unheard_of",
    ],
)
def test_what_cannot_be_kept_is_declined(offers: bytes) -> None:
    assert not is_offered(offers)


def theirs() -> PerMessageDeflate:
    """The other side, as the websockets library sees it."""
    return PerMessageDeflate(True, True, 15, 15)


@given(some.text(max_size=2_000))
def test_another_implementation_reads_what_is_written_here(text: str) -> None:
    frame = Frame(Opcode.TEXT, deflate(text.encode()), rsv1=True)
    assert bytes(theirs().decode(frame).data).decode() == text


@given(some.binary(max_size=2_000), some.booleans(), some.integers(0, 2_000))
def test_what_another_implementation_writes_is_read_here_however_it_is_cut(
    content: bytes, is_cut: bool, place: int
) -> None:
    payload = bytes(theirs().encode(Frame(Opcode.BINARY, content)).data)
    wire = client(BINARY, payload, rsv1=True)
    if is_cut:
        wire = client(BINARY, payload[:place], fin=False, rsv1=True) + client(PING) + client(0, payload[place:])
    got = [one for one in read(wire, at_once=7, is_deflating=True) if one[0] != PING]
    assert got == [(BINARY, content)]


def test_a_last_block_that_says_so_is_read_as_any_other() -> None:
    # RFC 7692, 7.2.3.4.
    assert read(client(TEXT, bytes.fromhex("f348cdc9c9070000"), rsv1=True), is_deflating=True) == [(TEXT, "Hello")]


def test_a_message_may_come_as_it_is_where_compression_was_agreed() -> None:
    assert read(client(TEXT, b"plain"), is_deflating=True) == [(TEXT, "plain")]


def test_a_small_message_that_would_grow_large_ends_with_1009_and_is_never_made() -> None:
    bomb = deflate(b"\0" * 10_000_000)
    assert len(bomb) < 65_536
    assert violation(client(BINARY, bomb, rsv1=True), is_deflating=True) == 1009
    assert inflate(bomb, 65_536) is None
    limits = Limits(message_bytes=100)
    assert read(client(BINARY, deflate(b"x" * 100), rsv1=True), limits, is_deflating=True) == [(BINARY, b"x" * 100)]
    assert violation(client(BINARY, deflate(b"x" * 101), rsv1=True), limits, is_deflating=True) == 1009


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (client(TEXT, b"\xff\xff\xff", rsv1=True), 1002),
        (client(TEXT, deflate(b"\xff"), rsv1=True), 1007),
        (client(PING, b"x", rsv1=True), 1002),
        (client(TEXT, b"x", fin=False) + client(0, b"x", rsv1=True), 1002),
        (b"\xe1\x80\0\0\0\0", 1002),
    ],
    ids=named,
)
def test_what_breaks_the_extension_ends_with_its_code(data: bytes, code: int) -> None:
    assert violation(data, is_deflating=True) == code


def test_a_text_has_both_forms_and_a_short_one_only_the_plain() -> None:
    text = Text(TEXT_OF_MANY.encode())
    assert text.frame(deflated=False) is text.plain
    assert text.frame(deflated=True) is text.deflated
    assert len(text.deflated) < len(text.plain) / 4
    payload = text.deflated[2 if text.deflated[1] < 126 else 4 :]
    assert zlib.decompressobj(-15).decompress(payload + b"\0\0\xff\xff") == TEXT_OF_MANY.encode()
    short = Text(b"{}")
    assert short.deflated is short.plain


class Curt:
    """Hangs up at the first word."""

    connection: Connection

    def received(self, message: str | bytes) -> None:
        self.connection.close(1008)

    def fell_behind(self) -> None: ...

    def drained(self) -> None: ...

    def lost(self) -> None: ...


async def test_after_its_end_a_connection_unfolds_no_more_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    unfolded: list[int] = []

    def counted(payload: bytes, max_bytes: int) -> bytes | None:
        unfolded.append(len(payload))
        return inflate(payload, max_bytes)

    monkeypatch.setattr(frames, "inflate", counted)
    here, there = socket.socketpair()
    with there:
        transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=here)
        curt = Curt()
        curt.connection = Connection(transport, set(), Limits(), curt, Rounds(), deflates=True)
        bomb = client(TEXT, deflate(b" " * 65_000), rsv1=True)
        for _ in range(5):
            curt.connection.data_received(bomb * 1_000)
        transport.abort()
    assert len(unfolded) == 2
