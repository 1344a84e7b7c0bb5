"""Peers that send too much, too slowly or never read: they are let go of, memory is bounded, others do not notice."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from websockets.sync.client import connect

from tests.processes import Server, until

HANDSHAKE = (
    b"GET /live HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
MASK = b"\0\0\0\0"
MAX_GROWTH_BYTES = 50 * 1024 * 1024


def dial(app: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", app.port), timeout=30)


@contextlib.contextmanager
def live(app: Server) -> Iterator[socket.socket]:
    with dial(app) as peer:
        peer.sendall(HANDSHAKE)
        assert peer.recv(4096).startswith(b"HTTP/1.1 101")
        yield peer


def resident_bytes(app: Server) -> int:
    assert app.process is not None
    pages = Path(f"/proc/{app.process.pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def send_until_refused(peer: socket.socket, piece: bytes, times: int) -> int:
    """Return how many of the pieces were sent before the other side ended it, or took no more."""
    peer.settimeout(3)
    for sent in range(times):
        try:
            peer.sendall(piece)
        except OSError:
            return sent
    return times


@contextlib.contextmanager
def unnoticed(app: Server) -> Iterator[None]:
    """A reader who is there meanwhile is answered, and the process does not grow."""
    before = resident_bytes(app)
    with connect(app.live_url) as reader:
        yield
        reader.send('{"type": "ping"}')
        assert reader.recv(timeout=20) == '{"type":"pong"}'
    assert httpx2.get(f"{app.origin}/health", trust_env=False).status_code == 200
    assert resident_bytes(app) - before < MAX_GROWTH_BYTES


def test_four_million_empty_fragments_end_with_a_close(app: Server) -> None:
    first, more = b"\x01\x80" + MASK, b"\x00\x80" + MASK
    with unnoticed(app), live(app) as peer:
        peer.sendall(first)
        assert send_until_refused(peer, more * 10_000, 400) < 400
        with contextlib.suppress(ConnectionError):
            said = peer.recv(4096)
            assert not said or struct.unpack("!H", said[2:4])[0] == 1009


def test_half_a_million_pings_from_a_peer_that_never_reads_end_it(app: Server) -> None:
    ping = b"\x89\xfd" + MASK + b"x" * 125
    with unnoticed(app), live(app) as peer:
        assert send_until_refused(peer, ping * 500, 1_000) < 1_000


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 40_000,
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 40_000 + b"\r\n\r\n",
        b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 200 + b"\r\n",
    ],
    ids=["unfinished header", "long header", "long address", "many headers"],
)
def test_a_head_beyond_its_bounds_is_refused(app: Server, head: bytes) -> None:
    with unnoticed(app), dial(app) as peer:
        peer.sendall(head)
        assert peer.recv(4096).startswith(b"HTTP/1.1 400")


def test_who_sends_a_byte_a_second_or_nothing_is_let_go_of_and_who_is_quick_stays(app: Server) -> None:
    with unnoticed(app), dial(app) as slow, dial(app) as silent, dial(app) as half, live(app) as quick:
        half.sendall(b"POST /api/session HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
        ended: set[socket.socket] = set()
        slow.setblocking(False)
        silent.setblocking(False)
        for byte in b"GET / HTTP/1.1\r\nHost: x and no end of it":
            with contextlib.suppress(OSError):
                slow.send(bytes([byte]))
            for peer in (slow, silent):
                with contextlib.suppress(BlockingIOError):
                    try:
                        if not peer.recv(4096):
                            ended.add(peer)
                    except ConnectionError:
                        ended.add(peer)
            if len(ended) == 2:
                break
            time.sleep(0.5)
        assert ended == {slow, silent}
        quick.sendall(b"\x89\x80" + MASK)
        assert quick.recv(2) == b"\x8a\x00"


TWICE = {
    "a second origin": b"Origin: http://elsewhere.example\r\n",
    "a second version": b"Sec-WebSocket-Version: 13\r\n",
    "a second key": b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    "a protocol that is none": b"Sec-WebSocket-Protocol: {}\r\n",
    "a body": b"Content-Length: 5\r\n",
    "a body in chunks": b"Transfer-Encoding: chunked\r\n",
    "an endless line": b"Sec-WebSocket-Extensions: " + b"," * 12_000 + b"\r\n",
}


@pytest.mark.parametrize("path", [b"/live", b"/live?by=the-long-way"], ids=["short way", "long way"])
@pytest.mark.parametrize("header", TWICE.values(), ids=TWICE)
def test_an_ambiguous_handshake_is_refused_and_ended_on_either_way_in(app: Server, header: bytes, path: bytes) -> None:
    own = f"Origin: {app.origin}\r\n".encode()
    head = HANDSHAKE.replace(b"/live", path, 1).removesuffix(b"\r\n") + own + header + b"\r\n"
    with dial(app) as peer:
        peer.sendall(head)
        said = b""
        while data := peer.recv(4096):
            said += data
        assert said.startswith(b"HTTP/1.1 4")


def test_who_goes_in_the_middle_of_a_form_is_no_failure_of_ours(app: Server) -> None:
    form = b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 900\r\n\r\nname=half"
    for _ in range(3):
        with dial(app) as peer:
            peer.sendall(b"POST /login HTTP/1.1\r\nHost: x\r\n" + form)
    for _ in range(3):
        with dial(app) as peer:
            peer.sendall(b"POST /login HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + form)
            peer.shutdown(socket.SHUT_WR)
            while peer.recv(4096):
                pass
    assert '"error"' not in app.log.read_text()


def test_one_address_holds_so_many_sockets_and_no_more_and_others_are_let_in(tmp_path: Path) -> None:
    def answer(peer: socket.socket, *headers: bytes) -> bytes:
        peer.settimeout(20)
        peer.sendall(HANDSHAKE[:-2] + b"".join(header + b"\r\n" for header in headers) + b"\r\n")
        return peer.recv(4096)[:12]

    most = {"LIVETHREAD_LIMITS": "on", "LIVETHREAD_LIMIT_SOCKETS_ADDRESS": "3"}
    with Server(tmp_path, **most) as app, contextlib.ExitStack() as here:
        peers = [here.enter_context(dial(app)) for _ in range(3)]
        assert [answer(peer) for peer in peers] == [b"HTTP/1.1 101"] * 3
        with dial(app) as one_more:
            assert answer(one_more) == b"HTTP/1.1 429"
        with dial(app) as through_a_proxy:
            assert answer(through_a_proxy, b"X-Forwarded-For: 192.0.2.7") == b"HTTP/1.1 101"
        if sys.platform == "linux":  # elsewhere loopback has one address
            with socket.create_connection(("127.0.0.1", app.port), source_address=("127.0.0.2", 0)) as liar:
                # Who is no proxy is believed nothing.
                assert answer(liar, b"X-Forwarded-For: 127.0.0.1") == b"HTTP/1.1 101"
        peers.pop().close()

        def is_let_in() -> bool:
            with dial(app) as later:
                return answer(later) == b"HTTP/1.1 101"

        until(is_let_in)
