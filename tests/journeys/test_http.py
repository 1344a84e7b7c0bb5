"""HTTP as strangers may write it: one meaning or 400, bounded whatever comes, and the answer arrives before the end."""

from __future__ import annotations

import contextlib
import itertools
import re
import resource
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from server import __version__
from server.settings import read
from tests.processes import ROOT, Server, until

CHUNKED = (
    b"POST /api/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
)
RESET = b"<reset>"
OK = b'{"status":"ok","version":"%s"}' % __version__.encode()


@contextlib.contextmanager
def dialled(app: Server) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", app.port), timeout=20) as peer:
        yield peer


def said_until_end(peer: socket.socket) -> bytes:
    """Return all that comes until the other side closes; with RESET at its end where it was reset."""
    said = b""
    try:
        while data := peer.recv(65536):
            said += data
    except ConnectionError:
        said += RESET
    return said


def answer(app: Server, request: bytes) -> bytes:
    """Return what a request is answered on a connection that is not used again."""
    with dialled(app) as peer:
        peer.sendall(request)
        peer.shutdown(socket.SHUT_WR)
        return said_until_end(peer)


def sent_until_refused(peer: socket.socket, piece: bytes, times: int) -> int:
    """Return how many pieces the other side took; at most so many."""
    peer.settimeout(3)
    for sent in range(times):
        try:
            peer.sendall(piece)
        except OSError:
            return sent
    return times


def status(said: bytes) -> int:
    found = re.match(rb"HTTP/1\.1 (\d{3}) ", said)
    return int(found[1]) if found else 0


def head(*lines: bytes, target: bytes = b"/health", version: bytes = b"1.1", method: bytes = b"GET") -> bytes:
    return b"\r\n".join([method + b" " + target + b" HTTP/" + version, *lines, b"", b""])


AMBIGUOUS = {
    "no Host": head(),
    "two Hosts": head(b"Host: x", b"Host: x"),
    "an empty Host": head(b"Host:"),
    "a Host with a space": head(b"Host: x y"),
    "a Host with a path": head(b"Host: x/y"),
    "a Host with user info": head(b"Host: a@b"),
    "a Host with a port that is none": head(b"Host: x:port"),
    "a list of Hosts": head(b"Host: x, y"),
    "two Hosts, HTTP/1.0": head(b"Host: x", b"Host: y", version=b"1.0"),
    "an absolute target without Host": head(target=b"http://x/health"),
    "an absolute target of another scheme": head(b"Host: x", target=b"ftp://x/health"),
    "an absolute target with user info": head(b"Host: x", target=b"http://a@b/health"),
    "an authority as target": head(b"Host: x", target=b"x:80", method=b"CONNECT"),
    "a target that is no path": head(b"Host: x", target=b"health"),
    "both lengths": head(b"Host: x", b"Content-Length: 4", b"Transfer-Encoding: chunked", method=b"POST")
    + b"0\r\n\r\n",
    "both lengths, the other way": head(b"Host: x", b"Transfer-Encoding: chunked", b"Content-Length: 4", method=b"POST")
    + b"0\r\n\r\n",
    "two lengths": head(b"Host: x", b"Content-Length: 4", b"Content-Length: 5", method=b"POST") + b"12345",
    "the same length twice": head(b"Host: x", b"Content-Length: 4", b"Content-Length: 4", method=b"POST") + b"1234",
    "a length with a sign": head(b"Host: x", b"Content-Length: +4", method=b"POST") + b"1234",
    "a list of lengths": head(b"Host: x", b"Content-Length: 4, 4", method=b"POST") + b"1234",
    "an unknown coding": head(b"Host: x", b"Transfer-Encoding: xchunked", method=b"POST") + b"0\r\n\r\n",
    "chunked twice": head(b"Host: x", b"Transfer-Encoding: chunked, chunked", method=b"POST") + b"0\r\n\r\n",
    "chunked and then another": head(b"Host: x", b"Transfer-Encoding: chunked, identity", method=b"POST")
    + b"0\r\n\r\n",
    "chunks by HTTP/1.0": head(b"Host: x", b"Transfer-Encoding: chunked", version=b"1.0", method=b"POST")
    + b"0\r\n\r\n",
    "a chunk's length that is none": head(b"Host: x", b"Transfer-Encoding: chunked", method=b"POST") + b"0x4\r\n1234",
    "a space before the colon": head(b"Host: x", b"Content-Length : 4", method=b"POST") + b"1234",
    "a folded header": head(b"Host: x", b"A: b", b" c"),
    "a bare line feed in a header": head(b"Host: x", b"A: b\nTransfer-Encoding: chunked"),
    "a NUL in a header": head(b"Host: x", b"A: b\0c"),
    "HTTP/2.0": head(b"Host: x", version=b"2.0"),
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}


@pytest.mark.parametrize("request_", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_what_has_no_one_meaning_is_400_and_the_end(app: Server, request_: bytes) -> None:
    after = head(b"Host: x", target=b"/ready")
    said = answer(app, request_ + after)
    assert status(said) == 400
    assert b"connection: close" in said.lower()
    assert len(re.findall(rb"(?m)^HTTP/1\.1 ", said)) == 1
    assert RESET not in said


@pytest.mark.parametrize(
    "request_",
    [
        head(b"Host: example.org:8000"),
        head(b"Host: [2001:db8::1]:8000"),
        head(b"Host: x", target=b"http://example.org/health"),
        head(b"Host: x", target=b"HTTP://example.org:80/health?a=b"),
        head(version=b"1.0"),
        head(b"Host: x", version=b"1.0"),
        b"\r\n" + head(b"Host: x"),
    ],
    ids=str,
)
def test_what_is_unusual_and_has_one_meaning_is_answered(app: Server, request_: bytes) -> None:
    said = answer(app, request_)
    assert status(said) == 200
    assert said.endswith(OK)


def test_the_absolute_target_says_the_host(app: Server) -> None:
    # A redirect shows which host was understood.
    said = answer(app, head(b"Host: wrong.example", target=b"http://right.example/login/"))
    assert b"wrong.example" not in said


def test_a_connection_by_http_1_0_ends_with_its_answer(app: Server) -> None:
    with dialled(app) as peer:
        peer.sendall(head(b"Connection: keep-alive", version=b"1.0"))
        assert status(said_until_end(peer)) == 200


def test_who_expects_100_continue_is_told_to_go_on_or_is_refused_at_once(app: Server) -> None:
    body = b'{"name": "Nobody Here", "password": "a wrong password"}'
    lines = [b"Host: x", b"Content-Type: application/json", b"Expect: 100-continue"]
    with dialled(app) as peer:
        lines.append(b"Content-Length: %d" % len(body))
        peer.sendall(head(*lines, target=b"/api/session", method=b"POST"))
        assert peer.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        peer.sendall(body)
        assert status(peer.recv(4096)) == 401
    with dialled(app) as peer:
        lines[-1] = b"Content-Length: 1000000000"
        peer.sendall(head(*lines, target=b"/api/session", method=b"POST"))
        assert status(said_until_end(peer)) == 413


@pytest.mark.parametrize("length", [b"Content-Length: 1073741824", b"Transfer-Encoding: chunked"], ids=str)
def test_a_body_that_is_too_large_is_answered_and_not_read(app: Server, length: bytes) -> None:
    piece = b"10000\r\n" + b"x" * 65536 + b"\r\n" if b"chunked" in length else b"x" * 65536
    with dialled(app) as peer:
        peer.sendall(head(b"Host: x", length, target=b"/api/session", method=b"POST"))
        # Of 1 GiB at most what is on its way, and a little to let the answer arrive.
        assert sent_until_refused(peer, piece, 1_000) < 200
    with dialled(app) as peer:
        peer.sendall(head(b"Host: x", length, target=b"/api/session", method=b"POST") + piece * 2)
        said = said_until_end(peer)
        assert status(said) == 413
        assert b"connection: close" in said.lower()
        assert RESET not in said


def test_an_answer_that_comes_before_the_body_leaves_the_connection_usable(app: Server) -> None:
    with dialled(app) as peer:
        lines = [b"Host: x", b"Origin: http://evil.example", b"Content-Length: 10"]
        peer.sendall(head(*lines, target=b"/api/session", method=b"POST") + b"0123456789" + head(b"Host: x"))
        peer.shutdown(socket.SHUT_WR)
        said = said_until_end(peer)
        assert status(said) == 403
        assert said.endswith(OK)


TRAILERS = {
    "long trailers": (b"0\r\n", b"X: " + b"y" * 60_000 + b"\r\n"),
    "short trailers": (b"0\r\n", b"X: y\r\n" * 10_000),
    "one trailer without end": (b"0\r\nX: ", b"y" * 60_000),
    "chunk extensions": (b"", b"1;" + b"x" * 10_000 + b"\r\ny\r\n"),
    "a chunk extension without end": (b"1;", b"x" * 60_000),
}


@pytest.mark.parametrize(("first", "more"), TRAILERS.values(), ids=TRAILERS)
def test_what_is_around_a_body_has_a_bound(app: Server, first: bytes, more: bytes) -> None:
    with dialled(app) as peer:
        peer.sendall(CHUNKED + first)
        # Some of it lies in the kernel's buffers.
        times = 40_000_000 // len(more)
        assert sent_until_refused(peer, more, times) < times / 4


def test_a_body_in_single_bytes_and_with_trailers_is_read(app: Server) -> None:
    body = b'{"name": "Nobody Here", "password": "a wrong password"}'
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\nX: y\r\n\r\n"
    said = answer(app, CHUNKED + chunks + head(b"Host: x"))
    assert status(said) == 401
    assert said.endswith(OK)


def test_requests_that_do_not_wait_are_answered_in_order_and_none_is_lost(app: Server) -> None:
    paths = [(b"/health", b"/nothing")[number % 2] for number in range(300)]
    said = answer(app, b"".join(head(b"Host: x", target=path) for path in paths))
    statuses = [int(found) for found in re.findall(rb"HTTP/1\.1 (\d{3}) ", said)]
    assert statuses == [200 if path == b"/health" else 404 for path in paths]


def test_a_malformed_request_behind_another_spoils_no_answer(app: Server) -> None:
    said = answer(app, head(b"Host: x", target=b"/t/some-thread") + b"nonsense\r\n\r\n")
    assert re.findall(rb"HTTP/1\.1 (\d{3}) ", said)[0] == b"200"
    assert b"</html>" in said


@pytest.mark.parametrize("wanted", [b"h2c", b"TLS/1.0", b"nonsense"], ids=str)
def test_a_wish_for_another_protocol_is_passed_over(app: Server, wanted: bytes) -> None:
    said = answer(app, head(b"Host: x", b"Connection: Upgrade", b"Upgrade: " + wanted))
    assert status(said) == 200
    assert said.endswith(OK)


def test_the_address_of_sockets_says_what_it_is_for(app: Server) -> None:
    refused = httpx2.get(f"{app.origin}/live", trust_env=False)
    assert refused.status_code == 426
    assert "WebSocket" in refused.text


def lines_of(app: Server, word: str) -> int:
    return app.log.read_text().count(word)


def test_malformed_requests_are_counted_and_the_log_has_a_sample(tmp_path: Path) -> None:
    with Server(tmp_path) as app:
        for _ in range(300):
            assert status(answer(app, b"nonsense\r\n\r\n")) == 400
        told = httpx2.get(f"{app.origin}/metrics", trust_env=False).text
        assert re.search(r"^livethread_malformed_requests_total 300.0$", told, re.MULTILINE)
        until(lambda: lines_of(app, "malformed") > 0)
        assert lines_of(app, "\n") < 20


def leave_at_once(app: Server, path: bytes) -> None:
    with socket.socket() as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        peer.connect(("127.0.0.1", app.port))
        peer.sendall(head(b"Host: x", target=path))
        assert peer.recv(100)
        # With what was not read this is a reset.


LEAVING: dict[str, Callable[[str], bytes]] = {
    "a page": lambda key: f"/t/{key}".encode(),
    "the thread": lambda key: f"/api/threads/{key}?limit=200".encode(),
    "the metrics": lambda key: b"/metrics",
}


@pytest.mark.parametrize("path", LEAVING.values(), ids=LEAVING)
def test_who_leaves_in_the_middle_of_an_answer_is_no_failure_of_ours(
    app: Server, key: str, path: Callable[[str], bytes]
) -> None:
    with app.commenter("Leaver " + key) as writer:
        for number in range(12):
            comment = {"body": "long " * 1_900, "nonce": f"{key}-{number:020d}"[:60]}
            assert writer.post(f"/api/threads/{key}/comments", json=comment).status_code == 201
    for _ in range(5):
        leave_at_once(app, path(key))
    assert httpx2.get(f"{app.origin}/health", trust_env=False).status_code == 200
    assert [line for line in app.log.read_text().splitlines() if "traceback" in line] == []


def test_one_address_has_so_many_connections_and_the_oldest_that_does_nothing_makes_room(tmp_path: Path) -> None:
    most = {"LIVETHREAD_LIMITS": "on", "LIVETHREAD_LIMIT_CONNECTIONS_ADDRESS": "5", "LIVETHREAD_PROXIES": "192.0.2.1"}
    with Server(tmp_path, **most) as app, contextlib.ExitStack() as here:
        peers = []
        for _ in range(30):
            peers.append(here.enter_context(dialled(app)))
            peers[-1].sendall(head(b"Host: x"))
            # One that is still being served makes no room.
            assert status(peers[-1].recv(4096)) == 200
        for peer in peers[:-5]:
            said_until_end(peer)

        def are_five() -> bool:
            told = httpx2.get(f"{app.origin}/metrics", trust_env=False).text
            return re.search(r"^livethread_http_connections 5.0$", told, re.MULTILINE) is not None

        until(are_five)


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of another process is set")
def test_the_limit_of_open_files_is_raised_and_whoever_takes_all_of_them_stops_nobody(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits[1]))
    try:
        app = Server(tmp_path)
        app.start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    try:
        assert app.process is not None
        assert resource.prlimit(app.process.pid, resource.RLIMIT_NOFILE) == (limits[1], limits[1])
    finally:
        app.stop()
    # With 400 in all.
    app.program = ("bash", "-c", f"ulimit -n 400; exec {sys.executable} {ROOT / 'run.py'}")
    with app, contextlib.ExitStack() as here:
        for number in range(600):
            peer = here.enter_context(dialled(app))
            with contextlib.suppress(OSError):
                # Some ask and do not read, some say nothing.
                peer.sendall(head(b"Host: x", target=b"/login") * (number % 2))
        # One that came a moment before a place was made may be cut: browsers ask again.
        until(lambda: answered(lambda: httpx2.get(f"{app.origin}/health", trust_env=False, timeout=20)) == 200)
        numbers = itertools.count()

        def said() -> httpx2.Response:
            with app.commenter(f"Still Here {'abcdefghij'[next(numbers) % 10]}") as writer:
                comment = {"body": "still here", "nonce": "still-here-0000000001"}
                return writer.post("/api/threads/open/comments", json=comment)

        until(lambda: answered(said) == 201)


def answered(ask: Callable[[], httpx2.Response]) -> int:
    """Return the status; 0: the connection was cut."""
    with contextlib.suppress(httpx2.TransportError):
        return ask().status_code
    return 0


def test_sockets_are_closed_with_the_server_and_not_reset(tmp_path: Path) -> None:
    handshake = head(
        b"Host: x", b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", target=b"/live",
    )  # fmt: skip
    ping, close = b"\x89\x80\0\0\0\0", b"\x88\x82\0\0\0\0" + (1012).to_bytes(2)
    with Server(tmp_path) as app, contextlib.ExitStack() as here:
        peers = [here.enter_context(dialled(app)) for _ in range(20)]
        for peer in peers:
            peer.sendall(handshake)
            assert status(peer.recv(4096)) == 101
        assert app.process is not None
        app.process.terminate()
        for peer in peers:
            said = b""
            while b"\x88\x02" + (1012).to_bytes(2) not in said:
                said += peer.recv(4096)
        for peer in peers:
            # What is on its way while the server closes; behind a reset no more could be sent.
            for _ in range(5):
                peer.sendall(ping)
            peer.sendall(close)
        ends = [said_until_end(peer) for peer in peers]
        assert not any(RESET in end for end in ends)
        assert app.ended() == 0


def test_an_idle_connection_stays_open_for_as_long_as_the_setting_says(tmp_path: Path) -> None:
    with Server(tmp_path, LIVETHREAD_KEEP_ALIVE_SECONDS="1") as app, dialled(app) as idle, dialled(app) as other:
        for peer in (idle, other):
            peer.sendall(head(b"Host: x"))
        # To its end, which is the server's.
        assert status(said_until_end(idle)) == 200
    assert read({}).keep_alive_seconds > 120


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
def test_a_connection_is_used_again_and_forgets_the_request_before(app: Server, method: bytes) -> None:
    with dialled(app) as peer:
        for _ in range(3):
            peer.sendall(head(b"Host: x", method=method))
            said = peer.recv(65536)
            while b"\r\n\r\n" not in said or (method == b"GET" and not said.endswith(b"}")):
                said += peer.recv(65536)
            assert status(said) == 200
