"""The live protocol over a real connection: what it writes past ASGI, and what it does not put up with."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from channels.sockets.frames import Limits, text_frame
from tests.processes import Server

UPGRADE = (
    b"GET /live HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@contextmanager
def raw(app: Server, receive_bytes: int = 0) -> Iterator[socket.socket]:
    """An upgraded connection without a library in between."""
    with socket.socket() as wire:
        if receive_bytes:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        wire.settimeout(20)
        wire.connect(("127.0.0.1", app.port))
        wire.sendall(UPGRADE)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += wire.recv(1)
        assert answer.startswith(b"HTTP/1.1 101")
        yield wire


def masked(opcode: int, content: bytes = b"", *, is_final: bool = True) -> bytes:
    head = bytes([(0x80 if is_final else 0) | opcode])
    length = bytes([0x80 | len(content)]) if len(content) < 126 else b"\xfe" + struct.pack("!H", len(content))
    return head + length + b"\0\0\0\0" + content


def close_code(wire: socket.socket) -> int:
    """Read up to the close frame and return its code; 0 where the connection ends without one."""
    read = b""
    try:
        while data := wire.recv(65536):
            read += data
    except ConnectionResetError:
        pass
    place = read.rfind(b"\x88")
    return int.from_bytes(read[place + 2 : place + 4]) if place >= 0 else 0


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536, 300_000])
def test_a_frame_is_what_the_rfc_says(length: int) -> None:
    content = b"x" * length
    stream = StreamReader()
    stream.feed_data(text_frame(content))
    parsing = Frame.parse(stream.read_exact, mask=False)
    with pytest.raises(StopIteration) as parsed:
        next(parsing)
    frame: Frame = parsed.value.value
    assert (frame.opcode, frame.fin, bytes(frame.data)) == (Opcode.TEXT, True, content)


def test_more_fragments_than_anybody_needs_end_with_1009(app: Server) -> None:
    with raw(app) as wire:
        wire.sendall(masked(0x1, b'{"type":', is_final=False))
        with suppress(ConnectionResetError, BrokenPipeError):
            for _ in range((Limits().fragments or 0) + 10):
                wire.sendall(masked(0x0, b"", is_final=False))
        assert close_code(wire) == 1009


def test_a_message_in_fragments_with_a_ping_between_is_one_message(app: Server) -> None:
    with raw(app) as wire:
        wire.sendall(masked(0x1, b'{"type":', is_final=False) + masked(0x9, b"?") + masked(0x0, b'"ping"}'))
        answers = b""
        while b"pong" not in answers:
            answers += wire.recv(4096)
        assert b"\x8a\x01?" in answers


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (b"\x81\x02{}", 1002),  # not masked
        (masked(0x3, b"x"), 1002),  # a reserved opcode
        (b"\xc1\x80\0\0\0\0", 1002),  # a reserved bit
        (masked(0x0, b"x"), 1002),  # a continuation of nothing
        (masked(0x9, b"x" * 126), 1002),  # a control frame that is too long
        (masked(0x9, b"x", is_final=False), 1002),  # a control frame in fragments
        (masked(0x1, b"\xff\xfe"), 1007),  # no UTF-8
        (masked(0x8, b"\x03"), 1002),  # half a close code
    ],
)
def test_what_the_rfc_forbids_is_closed_with_its_code(app: Server, frames: bytes, code: int) -> None:
    with raw(app) as wire:
        wire.sendall(frames)
        assert close_code(wire) == code


def test_a_peer_that_pings_and_never_reads_is_let_go_of(app: Server) -> None:
    with raw(app, receive_bytes=4096) as wire, suppress(ConnectionResetError, BrokenPipeError):
        pings = masked(0x9, b"x" * 125) * 400
        for _ in range(1_250):
            wire.sendall(pings)
        pytest.fail("the server took 60 MB of pings and kept their answers")


async def test_what_is_written_past_asgi_keeps_its_order_with_what_goes_through_it(app: Server, key: str) -> None:
    async with connect(app.live_url, proxy=None) as client:
        for _ in range(5):
            await client.send(f'{{"type":"join","thread":"{key}"}}')
            assert '"joined"' in str(await client.recv())
            await client.send('{"type":"ping"}')
            assert "pong" in str(await client.recv())
        await client.send(os.urandom(8))
        assert "binary" in str(await client.recv())
        await client.send("x" * 20_000)
        assert "too_large" in str(await client.recv())
        with pytest.raises(ConnectionClosed) as ended:
            async with asyncio.timeout(10):
                await client.recv()
        assert ended.value.rcvd is not None
        assert ended.value.rcvd.code == 1009


async def test_who_offers_compression_gets_compressed_frames_and_may_send_them(
    app: Server, key: str, name: str
) -> None:
    async with (
        connect(app.live_url, proxy=None) as deflating,
        connect(app.live_url, proxy=None, compression=None) as plain,
    ):
        assert deflating.response is not None
        assert "permessage-deflate" in deflating.response.headers["Sec-WebSocket-Extensions"]
        assert plain.response is not None
        assert "Sec-WebSocket-Extensions" not in plain.response.headers
        for client in (deflating, plain):
            await client.send(f'{{"type":"join","thread":"{key}"}}')
            assert '"joined"' in str(await client.recv())
        with app.commenter(name) as writer:
            comment = {"body": "Again and again. " * 40, "nonce": "deflated-000000001"}
            assert writer.post(f"/api/threads/{key}/comments", json=comment).status_code == 201
        heard = await deflating.recv()
        assert "Again and again." in str(heard)
        assert heard == await plain.recv()
